"""Syntax trees of the rule language: formulas, numbers and rules.

A `Formula` is true or false in a situation or over its past, a `Number` is counted or measured there, and a `Rule`
gives a decision. Trees are frozen, compare by value and print with as few parentheses as the grammar allows, so
that `parse(str(tree)) == tree` (`scenarios.rules.grammar`). The nodes with an operator, such as `and` and `once`, are
declared in `scenarios.rules.operators`, one a file. Binding, tightest first: arithmetic, comparisons, operators before
their operand, then operators between two operands by their `binding`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from scenarios.rules.numbers import Number, digits
from sim.datatypes.vocabulary import DECISIONS, TURNS

if TYPE_CHECKING:
    from scenarios.rules.compile import Compiler
    from scenarios.rules.monitor import Builder, Part
    from scenarios.rules.trace import Trace

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclass(frozen=True)
class Formula:
    """A Boolean expression; base class of all formula nodes.

    A node defines its meaning in three places that agree: `compile` for one situation, `trace` for whole traces,
    `monitor` tick by tick.
    """

    binding: ClassVar[int] = 9  # how tightly its operator binds; 9 never needs brackets
    temporal: ClassVar[bool] = False  # whether the node itself is about the past

    @property
    def parts(self) -> tuple[Any, ...]:
        """The direct subtrees, left to right."""
        return ()

    def with_parts(self, parts: Sequence[Any]) -> Formula:
        """The same node over other subtrees, as many as `parts`."""
        return self

    @property
    def variable_read(self) -> str | None:
        """The name whose value the node itself reads; None for none."""
        return None

    def compile(self, to: Compiler) -> Callable[[Any], Any]:
        """The node as a function of one situation; values are bools or bool arrays.

        Raises:
            TypeError: for a node about the past, which no single situation determines.
        """
        raise TypeError(f"{self!r} has no meaning in one situation")

    def trace(self, over: Trace) -> np.ndarray:
        """The node's truth at every tick: bool, anything that broadcasts to (B, T)."""
        raise TypeError(f"{self!r} has no meaning over a trace")

    def monitor(self, build: Builder) -> Part:
        """The node as a function of one tick of S worlds; `build` reserves its memory."""
        raise TypeError(f"{self!r} has no meaning tick by tick")

    def sympy(self, convert: Callable[[Formula], Any]) -> Any:
        """The node as a sympy Boolean; `convert` does the same for a subtree.

        Raises:
            TypeError: for a node that is no formula over propositions.
        """
        raise TypeError(f"{self!r} is no formula over propositions")


@dataclass(frozen=True)
class Constant(Formula):
    """`true` or `false`."""

    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"

    def compile(self, to: Compiler) -> Callable[[Any], Any]:
        """Always the value."""
        value = self.value
        return lambda situation: value

    def trace(self, over: Trace) -> np.ndarray:
        """The value at every tick."""
        return np.bool_(self.value)  # type: ignore[return-value]

    def monitor(self, build: Builder) -> Part:
        """The value at every tick."""
        value = np.bool_(self.value)
        return lambda tick: value

    def sympy(self, convert: Callable[[Formula], Any]) -> Any:
        """sympy's true or false."""
        from sympy.logic import boolalg

        return boolalg.true if self.value else boolalg.false


@dataclass(frozen=True)
class Name(Formula):
    """A proposition, or in the text of a proposition a state variable: `actors.oncoming.present`, `sign("DETOUR")`."""

    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def variable_read(self) -> str | None:
        """The name."""
        return self.name

    def compile(self, to: Compiler) -> Callable[[Any], Any]:
        """What the compiler makes of a leaf."""
        return to.leaf(self)

    def trace(self, over: Trace) -> np.ndarray:
        """The name's values."""
        return over.truth_of(self.name)

    def monitor(self, build: Builder) -> Part:
        """The name's value at the tick."""
        return build.truth_of(self.name)

    def sympy(self, convert: Callable[[Formula], Any]) -> Any:
        """A sympy symbol of that name."""
        import sympy

        return sympy.Symbol(self.name)


@dataclass(frozen=True)
class Window:
    """From `first` to `last` seconds ago, both ends included."""

    first: float
    last: float

    def __str__(self) -> str:
        return f"[{digits(self.first)}s, {digits(self.last)}s]"


# ---------------------------------------------------------------------------------------------- comparisons
@dataclass(frozen=True)
class Comparison(Formula):
    """A chain of comparisons such as `0 <= weather.fog_density < 10` or `count(a, b, c) >= 2`."""

    numbers: tuple[Number, ...]
    signs: tuple[str, ...]

    def __str__(self) -> str:
        tail = "".join(f" {sign} {number}" for sign, number in zip(self.signs, self.numbers[1:]))
        return f"{self.numbers[0]}{tail}"

    @property
    def parts(self) -> tuple[Any, ...]:
        """The numbers."""
        return self.numbers

    def with_parts(self, parts: Sequence[Any]) -> Formula:
        """The same signs between other numbers."""
        return replace(self, numbers=tuple(parts))

    def compile(self, to: Compiler) -> Callable[[Any], Any]:
        """Each number compared with the next."""
        numbers, compare = [to.number(n) for n in self.numbers], [COMPARE[s] for s in self.signs]
        if len(compare) == 1:
            (a, b), (sign,) = numbers, compare
            return lambda situation: sign(a(situation), b(situation))

        def chain(situation: Any) -> Any:
            values = [n(situation) for n in numbers]
            verdict: Any = True
            for sign, left, right in zip(compare, values[:-1], values[1:]):
                verdict = sign(left, right) & verdict
            return verdict

        return chain

    def trace(self, over: Trace) -> np.ndarray:
        """Each number compared with the next at every tick: bool (B, T)."""
        numbers = [over.number(n) for n in self.numbers]
        pairs = zip(self.signs, numbers[:-1], numbers[1:])
        return np.logical_and.reduce([np.broadcast_to(COMPARE[s](a, b), over.shape) for s, a, b in pairs])

    def monitor(self, build: Builder) -> Part:
        """Each number compared with the next."""
        numbers, compare = [build.number(n) for n in self.numbers], [COMPARE[s] for s in self.signs]

        def holds(tick: Any) -> Any:
            found = [n(tick) for n in numbers]
            return np.logical_and.reduce([
                np.broadcast_to(sign(x, y), len(tick.before)) for sign, x, y in zip(compare, found[:-1], found[1:])
            ])  # fmt: skip

        return holds


@dataclass(frozen=True)
class TextComparison(Formula):
    """`signs.board.text == "DETOUR"`, or `!=`; a leaf of a condition's tree."""

    variable: str
    sign: str
    words: str

    def __str__(self) -> str:
        return f'{self.variable} {self.sign} "{self.words}"'

    @property
    def variable_read(self) -> str | None:
        """The variable."""
        return self.variable

    def compile(self, to: Compiler) -> Callable[[Any], Any]:
        """What the compiler makes of a leaf."""
        return to.leaf(self)

    def trace(self, over: Trace) -> np.ndarray:
        """The comparison at every tick."""
        return np.asarray(COMPARE[self.sign](over.value(self.variable), self.words))

    def monitor(self, build: Builder) -> Part:
        """The comparison at the tick."""
        variable, words, compare = self.variable, self.words, COMPARE[self.sign]
        return lambda tick: np.asarray(compare(np.asarray(tick.values[variable]), words))


# ----------------------------------------------------------------------------------------------------- rules
@dataclass(frozen=True)
class Rule:
    """Gives a decision in every situation; base class of the rule nodes below."""

    temporal: ClassVar[bool] = False

    @property
    def parts(self) -> tuple[Any, ...]:
        """The direct subtrees, left to right."""
        return ()

    def with_parts(self, parts: Sequence[Any]) -> Rule:
        """The same node over other subtrees, as many as `parts`."""
        return self

    @property
    def variable_read(self) -> str | None:
        """None: a rule reads nothing but through its conditions."""
        return None


@dataclass(frozen=True)
class Decision(Rule):
    """Always the same decision, one of `sim.datatypes.vocabulary.DECISIONS`."""

    decision: str

    def __str__(self) -> str:
        return self.decision

    @property
    def index(self) -> int:
        """The decision's index into `sim.datatypes.vocabulary.DECISIONS`."""
        return DECISIONS.index(self.decision)


@dataclass(frozen=True)
class IfElse(Rule):
    """`then if condition else otherwise`."""

    then: Rule
    condition: Formula
    otherwise: Rule

    def __str__(self) -> str:
        then = f"({self.then})" if isinstance(self.then, IfElse) else str(self.then)
        return f"{then} if {self.condition} else {self.otherwise}"

    @property
    def parts(self) -> tuple[Any, ...]:
        """The two rules, with the condition between them."""
        return self.then, self.condition, self.otherwise

    def with_parts(self, parts: Sequence[Any]) -> Rule:
        """The choice between other rules, by another condition."""
        return IfElse(*parts)


@dataclass(frozen=True)
class RuleSequence(Rule):
    """`first then second`: two turns one after the other, each decided by a rule of its own."""

    first: Rule
    second: Rule

    def __str__(self) -> str:
        sides = (self.first, self.second)
        plain = [isinstance(r, Reference) or (isinstance(r, Decision) and r.decision in TURNS) for r in sides]
        return " then ".join(str(r) if alone else f"({r})" for r, alone in zip(sides, plain))

    @property
    def parts(self) -> tuple[Any, ...]:
        """The two rules."""
        return self.first, self.second

    def with_parts(self, parts: Sequence[Any]) -> Rule:
        """Two other rules, one after the other."""
        return RuleSequence(*parts)


@dataclass(frozen=True)
class Reference(Rule):
    """A reference by name to a rule that is defined elsewhere (`where:` in a scenario)."""

    name: str

    def __str__(self) -> str:
        return self.name


def join(first: Rule, second: Rule) -> Rule:
    """Join two rules into one without a RuleSequence: the second is evaluated wherever the first is decided.

    Raises:
        ValueError: for a decision that is not a turn.
    """
    if isinstance(first, IfElse):
        return IfElse(join(first.then, second), first.condition, join(first.otherwise, second))
    if isinstance(second, IfElse):
        return IfElse(join(first, second.then), second.condition, join(first, second.otherwise))
    if isinstance(first, RuleSequence) or isinstance(second, RuleSequence):
        return join(without_joins(first), without_joins(second))
    if not (isinstance(first, Decision) and isinstance(second, Decision)):
        raise TypeError(f"cannot join {first!r} and {second!r}: wanted rules whose names are expanded")
    if odd := next((d.decision for d in (first, second) if d.decision not in TURNS), None):
        raise ValueError(f"the decision '{odd}' is no turn; wanted {', '.join(TURNS)} on both sides of 'then'")
    return Decision(f"{first.decision} then {second.decision}")


def without_joins(rule: Rule) -> Rule:
    """The same rule without RuleSequence nodes: pairs of turns become decisions.

    Raises:
        ValueError: for a RuleSequence of decisions that are not turns.
    """
    if isinstance(rule, RuleSequence):
        return join(without_joins(rule.first), without_joins(rule.second))
    if isinstance(rule, IfElse):
        return IfElse(without_joins(rule.then), rule.condition, without_joins(rule.otherwise))
    return rule


def walk(tree: Formula | Rule | Number) -> Iterator[Any]:
    """`tree` and all its subtrees, each before its parts."""
    yield tree
    for part in tree.parts:
        yield from walk(part)


def leaves(tree: Formula | Rule) -> Iterator[Formula]:
    """Every leaf of the formulas in `tree`, left to right, repeats included.

    A comparison is a leaf, unless it counts formulas: then it yields their leaves.
    """
    if isinstance(tree, Comparison) and any(True for number in tree.numbers for _ in number.counts()):
        for number in tree.numbers:
            for count in number.counts():
                for counted in count.operands:
                    yield from leaves(counted)
    elif isinstance(tree, Comparison) or (isinstance(tree, Formula) and not tree.parts):
        yield tree
    else:
        for part in tree.parts:
            yield from leaves(part)


def names(tree: Formula | Rule) -> tuple[str, ...]:
    """The names that `tree` mentions, in order of first mention."""
    return tuple(dict.fromkeys(leaf.name for leaf in leaves(tree) if isinstance(leaf, Name)))


def decisions(rule: Rule) -> tuple[str, ...]:
    """The decisions that `rule` can give, in order of first mention."""
    rule = without_joins(rule)
    match rule:
        case Decision(decision):
            return (decision,)
        case IfElse(then, _, otherwise):
            return tuple(dict.fromkeys((*decisions(then), *decisions(otherwise))))
    raise TypeError(f"{rule!r} is no rule: wanted Decision, IfElse or RuleSequence, with names expanded")
