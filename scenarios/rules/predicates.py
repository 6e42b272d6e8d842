"""Propositions: what is true of a world, written over its state variables.

`raining: weather.precipitation > 20`, `oncoming: actors.oncoming.present`. The variables are

    weather.<field>         CARLA's WeatherParameters (`sim.types.WEATHER_FIELDS`) [percent, degrees]
    actors.<name>.present   whether the actor stands in the world
    actors.<name>.speed     [m/s]
    ego.speed               [m/s]

One text is read in two places, and must mean the same in both: a concrete draw (`sim.config.Episode`) and the
running worlds (`sim.types.World`, batched), where actor number i of the scenario sits in slot i + 1. Draws are
rounded to four decimals (`scenarios.draws`) so that float32 worlds fall on the same side of a threshold.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lark
import numpy as np

from scenarios.rules.evaluate import compile_formula
from scenarios.rules.parse import FORMULA_GRAMMAR, RuleError, build_formula, point_at, read, unknown_name
from scenarios.rules.syntax import Constant, Formula, Name, leaves
from sim.config import Episode
from sim.types import WEATHER_FIELDS, WEATHER_INDEX, World

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
class Proposition:
    """A named statement about the world.

    Args:
        name: what rules call it.
        text: as the scenario wrote it.
        tree: the text's tree; leaves are Comparison, Name (a Boolean variable) and Constant.
        variables: the state variables that it reads, in order of first mention.
        actors: names of the scenario's actors, in the order of their slots.
    """

    name: str
    text: str
    tree: Formula
    variables: tuple[str, ...]
    actors: tuple[str, ...]

    def of(self, values: Mapping[str, Any]) -> Any:
        """The truth for given variables, each a scalar or (B,): bool or bool (B,)."""
        return compiled(self.tree)(values.__getitem__)

    def on_episode(self, episode: Episode) -> bool:
        """The truth in a concrete draw, at its start."""
        return bool(compiled(self.tree)(lambda variable: episode_value(episode, variable)))

    def on_world(self, world: World) -> np.ndarray:
        """The truth in B running worlds now: bool (B,)."""
        value = compiled(self.tree)(lambda variable: world_value(world, variable, self.actors))
        return np.broadcast_to(np.asarray(value, bool), world.tick.shape).copy()


def known_variables(actors: Sequence[str]) -> tuple[str, ...]:
    """Every variable that a proposition may read where the scenario has these actors."""
    of_actors = [f"actors.{a}.{what}" for a in actors for what in ("present", "speed")]
    return ("ego.speed", *of_actors, *(f"weather.{f}" for f in WEATHER_FIELDS))


def parse_proposition(name: str, text: str, actors: Sequence[str] = ()) -> Proposition:
    """Read the text of a proposition.

    Args:
        actors: names of the scenario's actors, in the order of their slots.

    Raises:
        RuleError: for what cannot be read, with the word pointed at and the known names.
    """
    tree = read(_parsers()[0], text, "formula", "a condition such as 'weather.precipitation > 20'")
    known = known_variables(actors)

    def variable(token: lark.Token) -> str:
        if token not in known:
            raise unknown_name(text, token, "variable", known)
        return str(token)

    def atom(leaf: lark.Tree[lark.Token]) -> Formula:
        if leaf.data == "flag":
            token = leaf.children[0]
            assert isinstance(token, lark.Token)
            if variable(token).rsplit(".", 1)[-1] != "present":
                sentence = f"'{token}' is a number, not true or false; wanted a comparison such as '{token} > 0'"
                raise RuleError(sentence + point_at(text, token.start_pos or 0, len(token)))
            return Name(str(token))
        numbers = tuple(_number(child, text, variable) for child in leaf.children[::2])
        return Comparison(numbers, tuple(str(sign) for sign in leaf.children[1::2]))

    formula = build_formula(tree, atom)
    return Proposition(name, text, formula, _variables(formula), tuple(actors))


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
    if tree.data == "quantity":
        if str(tree.children[0]).endswith(".present"):
            token = tree.children[0]
            sentence = f"'{token}' is true or false, not a number; use it alone, as in 'not {token}'"
            raise RuleError(sentence + point_at(text, token.start_pos, len(token)))
        return Number("quantity", (variable(tree.children[0]),))
    return Number(str(tree.data), tuple(_number(child, text, variable) for child in tree.children))


def _variables(tree: Formula) -> tuple[str, ...]:
    found: list[str] = []
    for leaf in leaves(tree):
        if isinstance(leaf, Name):
            found.append(leaf.name)
        elif isinstance(leaf, Comparison):
            found.extend(v for number in leaf.numbers for v in number.variables())
    return tuple(dict.fromkeys(found))


# --------------------------------------------------------------------------------------------- compilation
Lookup = Callable[[str], Any]  # variable name -> its value, a scalar or (B,)


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
    if not isinstance(leaf, Comparison):
        raise TypeError(f"{leaf!r} is no leaf of a condition: wanted Name, Comparison or {Constant.__name__}")
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


def episode_value(episode: Episode, variable: str) -> Any:
    """The value of a variable in a concrete draw.

    Raises:
        ValueError: for an actor that the episode lacks.
    """
    head, _, tail = variable.partition(".")
    if head == "weather":
        return getattr(episode.weather, tail)
    if head == "ego":
        return getattr(episode, tail)
    name, _, attribute = tail.partition(".")
    for actor in episode.actors:
        if actor.name == name:
            return getattr(actor, attribute)
    raise ValueError(f"the episode has no actor '{name}'; it has {[a.name for a in episode.actors]}")


def world_value(world: World, variable: str, actors: Sequence[str]) -> np.ndarray:
    """The value of a variable in B running worlds: (B,).

    Raises:
        ValueError: where the worlds have no slot for the actor.
    """
    head, _, tail = variable.partition(".")
    if head == "weather":
        return world.weather[:, WEATHER_INDEX[tail]]
    if head == "ego":
        return world.speed[:, 0]
    name, _, attribute = tail.partition(".")
    slot = 1 + list(actors).index(name)
    if slot >= world.kind.shape[1]:
        sentence = f"actor '{name}' wants slot {slot}, but the worlds have room for {world.kind.shape[1]} with ego"
        raise ValueError(sentence + "; raise Simulation.actors")
    return world.kind[:, slot] != 0 if attribute == "present" else world.speed[:, slot]
