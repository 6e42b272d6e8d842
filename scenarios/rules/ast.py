"""Syntax trees of the rule language: formulas, numbers and rules.

A `Formula` is true or false in a situation or over its past, a `Number` is counted or measured there, and a `Rule`
gives a decision. Trees are frozen, compare by value and print with as few parentheses as the grammar allows, so
that `parse(str(tree)) == tree` (`scenarios.rules.grammar`). Binding, tightest first: arithmetic, comparisons, the
unary not, once, always and previously, then since, and, xor, or, implies (to the right), iff.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from scenarios.rules.numbers import Number, digits
from sim.datatypes.vocabulary import DECISIONS, TURNS

PAST: tuple[str, ...] = ("once", "always", "since", "previously")
FUNCTIONS: tuple[str, ...] = ("count", "number", "reading", "sign", "min", "max")
KEYWORDS: tuple[str, ...] = (
    "if", "else", "not", "and", "or", "xor", "implies", "iff", "true", "false", "then", *PAST, *FUNCTIONS,
)  # fmt: skip
JUNCTION = "junction"  # the event that ego has just passed a side road or a junction
JUNCTIONS = "ego.junctions"  # how many it has passed


@dataclass(frozen=True)
class Formula:
    """A Boolean expression; base class of the formula nodes below."""

    binding: ClassVar[int] = 9  # precedence of the operator; 9 never needs brackets

    def __and__(self, other: Formula) -> Formula:
        return And(self, other)

    def __or__(self, other: Formula) -> Formula:
        return Or(self, other)

    def __xor__(self, other: Formula) -> Formula:
        return Xor(self, other)

    def __invert__(self) -> Formula:
        return Not(self)


@dataclass(frozen=True)
class Constant(Formula):
    """`true` or `false`."""

    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"


@dataclass(frozen=True)
class Name(Formula):
    """A proposition, or in the text of a proposition a state variable: `actors.oncoming.present`, `sign("DETOUR")`."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Not(Formula):
    """`not operand`."""

    operand: Formula
    binding: ClassVar[int] = 8

    def __str__(self) -> str:
        return f"not {_bracket(self.operand, self.binding)}"


@dataclass(frozen=True)
class Binary(Formula):
    """A binary operator: two operands with a word between them."""

    left: Formula
    right: Formula
    word: ClassVar[str] = ""
    right_associative: ClassVar[bool] = False  # a op b op c means a op (b op c)

    def __str__(self) -> str:
        left, right = self.binding + self.right_associative, self.binding + (not self.right_associative)
        return f"{_bracket(self.left, left)} {self.word} {_bracket(self.right, right)}"


@dataclass(frozen=True)
class And(Binary):
    """`left and right`."""

    binding: ClassVar[int] = 6
    word: ClassVar[str] = "and"


@dataclass(frozen=True)
class Xor(Binary):
    """`left xor right`: exactly one of them."""

    binding: ClassVar[int] = 5
    word: ClassVar[str] = "xor"


@dataclass(frozen=True)
class Or(Binary):
    """`left or right`: at least one of them."""

    binding: ClassVar[int] = 4
    word: ClassVar[str] = "or"


@dataclass(frozen=True)
class Implies(Binary):
    """`left implies right`."""

    binding: ClassVar[int] = 3
    word: ClassVar[str] = "implies"
    right_associative: ClassVar[bool] = True


@dataclass(frozen=True)
class Iff(Binary):
    """`left iff right`: both or neither."""

    binding: ClassVar[int] = 2
    word: ClassVar[str] = "iff"


# --------------------------------------------------------------------------------------- past-time operators
@dataclass(frozen=True)
class Window:
    """From `first` to `last` seconds ago, both ends included."""

    first: float
    last: float

    def __str__(self) -> str:
        return f"[{digits(self.first)}s, {digits(self.last)}s]"


@dataclass(frozen=True)
class Once(Formula):
    """`once operand`: it held at some tick up to now, or at one within the window."""

    operand: Formula
    window: Window | None = None
    binding: ClassVar[int] = 8

    def __str__(self) -> str:
        return f"once{self.window or ''} {_bracket(self.operand, self.binding)}"


@dataclass(frozen=True)
class Historically(Formula):
    """`always operand`: it held at every tick up to now, or at all existing ticks within the window."""

    operand: Formula
    window: Window | None = None
    binding: ClassVar[int] = 8

    def __str__(self) -> str:
        return f"always{self.window or ''} {_bracket(self.operand, self.binding)}"


@dataclass(frozen=True)
class Previous(Formula):
    """`previously operand`: it held one tick ago; false at the first tick."""

    operand: Formula
    binding: ClassVar[int] = 8

    def __str__(self) -> str:
        return f"previously {_bracket(self.operand, self.binding)}"


@dataclass(frozen=True)
class Since(Binary):
    """`left since right`: right held at some tick (within the window), and left at every tick after it up to now."""

    window: Window | None = None
    binding: ClassVar[int] = 7
    word: ClassVar[str] = "since"

    def __str__(self) -> str:
        return f"{_bracket(self.left, self.binding)} since{self.window or ''} {_bracket(self.right, self.binding + 1)}"


# ---------------------------------------------------------------------------------------------- comparisons
@dataclass(frozen=True)
class Comparison(Formula):
    """A chain of comparisons such as `0 <= weather.fog_density < 10` or `count(a, b, c) >= 2`."""

    numbers: tuple[Number, ...]
    signs: tuple[str, ...]

    def __str__(self) -> str:
        tail = "".join(f" {sign} {number}" for sign, number in zip(self.signs, self.numbers[1:]))
        return f"{self.numbers[0]}{tail}"


@dataclass(frozen=True)
class TextComparison(Formula):
    """`signs.board.text == "DETOUR"`, or `!=`; a leaf of a condition's tree."""

    variable: str
    sign: str
    words: str

    def __str__(self) -> str:
        return f'{self.variable} {self.sign} "{self.words}"'


# ----------------------------------------------------------------------------------------------------- rules
@dataclass(frozen=True)
class Rule:
    """Gives a decision in every situation; base class of the rule nodes below."""


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


@dataclass(frozen=True)
class RuleSequence(Rule):
    """`first then second`: two turns one after the other, each decided by a rule of its own."""

    first: Rule
    second: Rule

    def __str__(self) -> str:
        sides = (self.first, self.second)
        plain = [isinstance(r, Reference) or (isinstance(r, Decision) and r.decision in TURNS) for r in sides]
        return " then ".join(str(r) if alone else f"({r})" for r, alone in zip(sides, plain))


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


def _bracket(operand: Formula, least: int) -> str:
    return str(operand) if operand.binding >= least else f"({operand})"


def parts(tree: Any) -> tuple[Any, ...]:
    """The direct subtrees of a rule, a formula or a number, left to right."""
    match tree:
        case IfElse():
            return tree.then, tree.condition, tree.otherwise
        case RuleSequence():
            return tree.first, tree.second
        case Not() | Once() | Historically() | Previous():
            return (tree.operand,)
        case Binary():
            return tree.left, tree.right
        case Comparison():
            return tree.numbers
        case Number():
            return tuple(o for o in tree.operands if isinstance(o, (Number, Formula)))
    return ()


def walk(tree: Formula | Rule | Number) -> Iterator[Any]:
    """`tree` and all its subtrees, each before its parts."""
    yield tree
    for part in parts(tree):
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
    elif isinstance(tree, Comparison) or (isinstance(tree, Formula) and not parts(tree)):
        yield tree
    else:
        for part in parts(tree):
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
