"""Propositions: what is true of a world, written over its state variables (`scenarios.rules.variables`).

`raining: weather.precipitation > 20`, `oncoming: actors.oncoming.present`, `detour: signs.board.text == "DETOUR"`.

One text is read in two places: in a concrete draw (`sim.config.Episode`), as things stand when the decision falls,
and in running worlds (`sim.types.World`, batched), as they stand now. The two are the same unless the weather changes
on the way; then the draw says what will be true at the junction, which is what episodes are balanced, labelled and
judged by, and the driver goes by what it sees. Draws are rounded to four decimals (`scenarios.draws`) so that float32
worlds fall on the same side of a threshold.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import lark
import numpy as np

from scenarios.rules.evaluate import compile_formula
from scenarios.rules.parse import (
    FORMULA_GRAMMAR,
    RuleError,
    build_formula,
    listed,
    nearest,
    point_at,
    read,
    unknown_name,
)
from scenarios.rules.syntax import Constant, Formula, Name, leaves
from scenarios.rules.variables import Lookup, conditions_of, known_variables, type_of, value_in, value_on
from sim.config import Episode
from sim.types import World

_NUMBERS = r"""
    ?number: term | number "+" term -> add | number "-" term -> subtract
    ?term: factor | term "*" factor -> multiply | term "/" factor -> divide
    NUMBER: /\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+/
    VARIABLE: /[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_0-9]+)*/
    COMPARE: "<=" | ">=" | "==" | "!=" | "<" | ">"
    %ignore /[ \t\r\n]+/
    ?factor: NUMBER -> literal | VARIABLE -> quantity | "-" factor -> negative
           | "min" "(" number "," number ")" -> least | "max" "(" number "," number ")" -> most
"""
# Brackets hold formulas in a condition and numbers in a number: one grammar for both would be ambiguous to LALR.
_CONDITION_GRAMMAR = (
    FORMULA_GRAMMAR
    + _NUMBERS
    + r"""
           | WORDS -> words
    WORDS: /"[^"\n]*"/
    ?atom: "true" -> true | "false" -> false | comparison | VARIABLE -> flag | "(" formula ")"
    comparison: number (COMPARE number)+
"""
)
_NUMBER_GRAMMAR = _NUMBERS + '           | "(" number ")"\n'

_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "negative": operator.neg,
}
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True)
class Number:
    """A number expression: a literal, a variable, or an operation on others.

    Args:
        operation: "literal", "quantity", "least", "most" or a key of the arithmetic operations.
        operands: the value, the variable's name, or the operands.
    """

    operation: str
    operands: tuple[Any, ...]

    def variables(self) -> tuple[str, ...]:
        """Names of the variables in it, in order of first mention."""
        if self.operation == "quantity":
            return self.operands
        parts = [v for o in self.operands if isinstance(o, Number) for v in o.variables()]
        return tuple(dict.fromkeys(parts))


@dataclass(frozen=True)
class Comparison(Formula):
    """A chain such as `0 <= weather.fog_density < 10`; a leaf of a condition's tree."""

    numbers: tuple[Number, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True)
class Wording(Formula):
    """`signs.board.text == "DETOUR"`, or `!=`; a leaf of a condition's tree."""

    variable: str
    sign: str
    words: str


@dataclass(frozen=True)
class Proposition:
    """A named statement about the world.

    Args:
        name: what rules call it.
        text: as the scenario wrote it.
        tree: the text's tree; leaves are Comparison, Wording, Name (a Boolean variable) and Constant.
        variables: the state variables that it reads, in order of first mention.
        actors, signs: names of the scenario's actors and signs, in the order of their slots.
    """

    name: str
    text: str
    tree: Formula
    variables: tuple[str, ...]
    actors: tuple[str, ...]
    signs: tuple[str, ...] = ()

    @property
    def conditions(self) -> dict[str, Any]:
        """Variable -> the value that it must have for what the text names to show: a sign must stand there."""
        return {c: wanted for v in self.variables for c, wanted in conditions_of(v).items()}

    def of(self, values: Mapping[str, Any]) -> Any:
        """The truth for given variables, each a scalar or (B,): bool or bool (B,)."""
        return compiled(self.tree)(values.__getitem__)

    def on_episode(self, episode: Episode) -> bool:
        """The truth in a concrete draw when the decision falls: with the weather as it is once its changes are over."""
        return bool(compiled(self.tree)(lambda variable: value_in(episode, variable)))

    def on_world(self, world: World) -> np.ndarray:
        """The truth in B running worlds now: bool (B,)."""
        value = compiled(self.tree)(lambda variable: value_on(world, variable, self.actors, self.signs))
        return np.broadcast_to(np.asarray(value, bool), world.tick.shape).copy()


def parse_proposition(
    name: str,
    text: str,
    actors: Sequence[str] = (),
    signs: Sequence[str] = (),
    options: Mapping[str, Sequence[str]] | None = None,
    traffic: bool = False,
    untold: Mapping[str, str] | None = None,
) -> Proposition:
    """Read the text of a proposition.

    Args:
        actors, signs: names of the scenario's actors and signs, in the order of their slots.
        options: variable -> all the words that it can be, such as "signs.board.text" -> ("DETOUR", "SCHOOL"); a
            comparison with other words is refused.
        traffic: whether the scenario has any.
        untold: variables that no proposition may read -> why not, and what was wanted.

    Raises:
        RuleError: for what cannot be read, with the word pointed at and the known names.
    """
    tree = read(_parsers()[0], text, "formula", "a condition such as 'weather.precipitation > 20'")
    known = tuple(v for v in known_variables(actors, signs, traffic) if v not in (untold or {}))

    def variable(token: lark.Token) -> str:
        if token in (untold or {}):
            raise _pointed(f"'{token}' {(untold or {})[token]}", text, token)
        if token not in known:
            raise unknown_name(text, token, "variable", known)
        return str(token)

    def atom(leaf: Any) -> Formula:
        if leaf.data == "flag":
            token = leaf.children[0]
            if (kind := type_of(variable(token))) != "truth":
                wanted = f"'{token} > 0'" if kind == "number" else f"'{token} == {_example(token, options)}'"
                what = "a number" if kind == "number" else "words"
                raise _pointed(
                    f"'{token}' is {what}, not true or false; wanted a comparison such as {wanted}", text, token
                )
            return Name(str(token))
        operands, signs_between = leaf.children[::2], leaf.children[1::2]
        if any(o.data == "words" or (o.data == "quantity" and _is_words(o.children[0], known)) for o in operands):
            return _wording(operands, signs_between, text, variable, options or {})
        numbers = tuple(_number(child, text, variable) for child in operands)
        return Comparison(numbers, tuple(str(sign) for sign in signs_between))

    formula = build_formula(tree, atom)
    return Proposition(name, text, formula, _variables(formula), tuple(actors), tuple(signs))


def _pointed(sentence: str, text: str, token: lark.Token) -> RuleError:
    return RuleError(sentence + point_at(text, token.start_pos or 0, len(token)))


def _is_words(token: lark.Token, known: Sequence[str]) -> bool:
    return token in known and type_of(token) == "words"


def _example(variable: str, options: Mapping[str, Sequence[str]] | None) -> str:
    found = (options or {}).get(variable, ())
    return f'"{found[0] if found else "WORDS"}"'


def _wording(
    operands: Sequence[Any], between: Sequence[lark.Token], text: str,
    variable: Callable[[lark.Token], str], options: Mapping[str, Sequence[str]],
) -> Wording:  # fmt: skip
    """A comparison of which one side at least is words."""
    if odd := next((s for s in between if s not in ("==", "!=")), None):
        raise _pointed(f"words have no order for '{odd}'; wanted == or !=", text, odd)
    if len(between) > 1:
        raise _pointed(f"words are compared two at a time; wanted 'and' before this '{between[1]}'", text, between[1])
    named = next((o.children[0] for o in operands if o.data == "quantity"), None)
    said = next((o.children[0] for o in operands if o.data == "words"), None)
    if named is None:
        token = _first(operands[0])
        raise _pointed(f"{token} is compared with no variable; wanted one such as 'signs.board.text'", text, token)
    if said is None:
        other = _first(next(o for o in operands if o.data != "quantity" or o.children[0] is not named))
        told = f"'{named}' is words, and '{other}' is not in double quotes"
        raise _pointed(f"{told}; wanted such as '{named} == {_example(named, options)}'", text, other)
    if type_of(variable(named)) != "words":
        what = "true or false" if type_of(named) == "truth" else "a number"
        raise _pointed(f"'{named}' is {what}, and {said} is words; wanted the two alike", text, said)
    words = str(said)[1:-1]
    if named in options and words not in options[named]:
        known = listed(f'"{o}"' for o in options[named])
        raise _pointed(f"'{named}' is never {said}; it can be {known}{nearest(words, options[named])}", text, said)
    return Wording(str(named), str(between[0]), words)


def _first(tree: Any) -> lark.Token:
    """The first word of an operand."""
    token = next(tree.scan_values(lambda value: True))
    assert isinstance(token, lark.Token)
    return token


def parse_number(text: str, known: Sequence[str]) -> Number:
    """Read a number expression such as `max(20, precipitation * 0.9)` over the `known` names.

    Raises:
        RuleError: for what cannot be read, with the word pointed at and the known names.
    """
    tree = read(_parsers()[1], text, "number", "a number such as 'max(20, precipitation * 0.9)'")

    def variable(token: lark.Token) -> str:
        if token not in known:
            raise unknown_name(text, token, "name", known)
        return str(token)

    return _number(tree, text, variable)


@functools.lru_cache(maxsize=1)
def _parsers() -> tuple[lark.Lark, lark.Lark]:
    condition = lark.Lark(_CONDITION_GRAMMAR, start="formula", parser="lalr", lexer="basic")
    return condition, lark.Lark(_NUMBER_GRAMMAR, start="number", parser="lalr", lexer="basic")


def _number(tree: Any, text: str, variable: Callable[[lark.Token], str]) -> Number:
    if tree.data == "literal":
        return Number("literal", (float(tree.children[0]),))
    if tree.data == "words":
        token = tree.children[0]
        raise _pointed(
            f"{token} is words, not a number; wanted to compare it with one variable by == or !=", text, token
        )
    if tree.data == "quantity":
        token = tree.children[0]
        if (kind := type_of(variable(token))) == "truth":
            raise _pointed(f"'{token}' is true or false, not a number; use it alone, as in 'not {token}'", text, token)
        if kind == "words":
            raise _pointed(f"'{token}' is words, not a number; wanted to compare it alone by == or !=", text, token)
        return Number("quantity", (str(token),))
    return Number(str(tree.data), tuple(_number(child, text, variable) for child in tree.children))


def renamed(number: Number, names: Callable[[str], str]) -> Number:
    """The number with other names for its variables."""
    if number.operation == "quantity":
        return replace(number, operands=(names(number.operands[0]),))
    return replace(number, operands=tuple(renamed(o, names) if isinstance(o, Number) else o for o in number.operands))


def _variables(tree: Formula) -> tuple[str, ...]:
    found: list[str] = []
    for leaf in leaves(tree):
        if isinstance(leaf, Name):
            found.append(leaf.name)
        elif isinstance(leaf, Wording):
            found.append(leaf.variable)
        elif isinstance(leaf, Comparison):
            found.extend(v for number in leaf.numbers for v in number.variables())
    return tuple(dict.fromkeys(found))


# --------------------------------------------------------------------------------------------- compilation
@functools.lru_cache(maxsize=4096)
def compiled(tree: Formula) -> Callable[[Lookup], Any]:
    """The tree as a function of a variable lookup."""
    return compile_formula(tree, _leaf)


@functools.lru_cache(maxsize=4096)
def compiled_number(number: Number) -> Callable[[Lookup], Any]:
    """The number as a function of a variable lookup."""
    if number.operation == "literal":
        value = number.operands[0]
        return lambda lookup: value
    if number.operation == "quantity":
        name = number.operands[0]
        return lambda lookup: lookup(name)
    parts = [compiled_number(o) for o in number.operands]
    if number.operation in ("least", "most"):
        a, b = parts
        pick = np.minimum if number.operation == "least" else np.maximum
        return lambda lookup: pick(a(lookup), b(lookup))
    operation = _OPERATIONS[number.operation]
    return lambda lookup: operation(*(part(lookup) for part in parts))


def _leaf(leaf: Formula) -> Callable[[Lookup], Any]:
    if isinstance(leaf, Name):
        name = leaf.name
        return lambda lookup: lookup(name)
    if isinstance(leaf, Wording):
        variable, words, compare = leaf.variable, leaf.words, _COMPARE[leaf.sign]
        return lambda lookup: compare(lookup(variable), words)
    if not isinstance(leaf, Comparison):
        raise TypeError(f"{leaf!r} is no leaf of a condition: wanted Name, Comparison, Wording or {Constant.__name__}")
    numbers = [compiled_number(n) for n in leaf.numbers]
    signs = [_COMPARE[s] for s in leaf.signs]
    if len(signs) == 1:
        (a, b), (sign,) = numbers, signs
        return lambda lookup: sign(a(lookup), b(lookup))

    def chain(lookup: Lookup) -> Any:
        values = [n(lookup) for n in numbers]
        verdict: Any = True
        for sign, left, right in zip(signs, values[:-1], values[1:]):
            verdict = sign(left, right) & verdict
        return verdict

    return chain
