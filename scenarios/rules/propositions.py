"""Propositions: named Boolean conditions over the state variables of a world (`scenarios.rules.variables`).

`raining: weather.precipitation > 20`, `oncoming: actors.oncoming.present`, `detour: once[0s, 10s] sign("DETOUR")`.

A proposition is evaluated in two places: in a concrete draw (`sim.datatypes.episode.Episode`), at the time of the
decision, and in running worlds (`sim.datatypes.world_state.World`, batched), at the present tick. The two agree unless
the weather changes on the way. Then the draw gives the truth at the junction, by which episodes are balanced, labelled
and judged, and the driver decides by what it sees. A proposition about the past is evaluated in a draw over its nominal
timeline (`scenarios.rules.nominal_trace`), and in running worlds by a monitor that stores what it needs of the past
(`scenarios.rules.monitor`). Draws are rounded to four decimals (`scenarios.schema.distributions`) so that float32
worlds fall on the same side of a threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scenarios.reading.errors import RuleError
from scenarios.rules.ast import Formula
from scenarios.rules.compile import compiled, compiled_number
from scenarios.rules.conditions import Vocabulary, parse_condition, parse_number
from scenarios.rules.grammar import point_at
from scenarios.rules.nominal_trace import on_the_way
from scenarios.rules.numbers import Number
from scenarios.rules.variables import conditions_of, declared, reads_of, value_in, value_on
from scenarios.rules.variables.base import READABLE_NOW
from scenarios.rules.visitors import is_timed, read_now, reads
from sim.datatypes.episode import Episode
from sim.datatypes.world_state import World

__all__ = [
    "Number", "Proposition", "compiled", "compiled_number", "parse_number", "parse_proposition", "renamed",
]  # fmt: skip


@dataclass(frozen=True)
class Proposition:
    """A named Boolean condition on the world.

    Args:
        name: its name in rules.
        text: as written in the scenario.
        tree: the text's tree; leaves are Comparison, TextComparison, Name (a Boolean variable) and Constant.
        variables: the state variables that it reads, in order of first mention; for `sign("DETOUR")` and
            `reading("EXIT")` the texts of the boards that may show these words.
        actors, signs: names of the scenario's actors and signs, in the order of their slots.
    """

    name: str
    text: str
    tree: Formula
    variables: tuple[str, ...]
    actors: tuple[str, ...]
    signs: tuple[str, ...] = ()

    @property
    def timed(self) -> bool:
        """Whether it is about the past, so that one moment does not determine its truth."""
        return is_timed(self.tree)

    @property
    def conditions(self) -> dict[str, Any]:
        """Variable -> the value that makes the named variables observable: a sign must be present."""
        return {c: wanted for v in reads(self.tree) for c, wanted in conditions_of(v).items()}

    def of(self, values: Mapping[str, Any]) -> Any:
        """The truth for given variables, each a scalar or (B,): bool or bool (B,).

        Raises:
            ValueError: for a proposition about the past.
        """
        return self._now(values.__getitem__)

    def on_episode(self, episode: Episode) -> bool:
        """The truth in a concrete draw at the time of the decision, with the weather after all its changes.

        A proposition about the past is evaluated at the end of the draw's nominal timeline, with the weather of each
        tick.
        """
        if self.timed:
            return on_the_way(episode, (self.tree,))[0]
        return bool(self._now(lambda variable: value_in(episode, variable)))

    def on_world(self, world: World) -> np.ndarray:
        """The truth in B running worlds now: bool (B,).

        Raises:
            ValueError: for a proposition about the past.
        """
        value = self._now(lambda variable: value_on(world, variable, self.actors, self.signs))
        return np.broadcast_to(np.asarray(value, bool), world.tick.shape).copy()

    def _now(self, lookup: Callable[[str], Any]) -> Any:
        if self.timed:
            raise ValueError(
                f"the proposition '{self.name}' is about the past ({self.text}), which one moment does not show; "
                "ask a Monitor at every tick"
            )
        return compiled(self.tree)(lookup)


def parse_proposition(
    name: str,
    text: str,
    actors: Sequence[str] = (),
    signs: Sequence[str] = (),
    options: Mapping[str, Sequence[str]] | None = None,
    traffic: bool = False,
    untold: Mapping[str, str] | None = None,
    earlier: Mapping[str, Formula] | None = None,
    more: Sequence[str] = (),
) -> Proposition:
    """Parse the text of a proposition; the arguments are those of `scenarios.rules.conditions.Vocabulary`.

    Raises:
        RuleError: for a text that cannot be parsed, with a caret under the word and the known names, and for a board
            that would have to be readable at the time of the decision.
    """
    vocabulary = Vocabulary(actors, signs, options or {}, traffic, untold or {}, earlier or {}, more)
    tree = parse_condition(text, vocabulary)
    if odd := next((v for v in read_now(tree) if (of := declared(v)) and of.known_by == READABLE_NOW), None):
        told = f"{odd} holds only before the board is passed, and the decision comes later"
        at = max(text.find(odd.partition("(")[0]), 0)
        length = text.find(")", at) + 1 - at
        raise RuleError(f"{told}; wanted the past, such as 'once {odd}'" + point_at(text, at, length))
    return Proposition(name, text, tree, _variables(tree, vocabulary), tuple(actors), tuple(signs))


def _variables(tree: Formula, vocabulary: Vocabulary) -> tuple[str, ...]:
    """The drawn variables that the tree reads, directly or through others."""
    found = [drawn for variable in reads(tree) for drawn in reads_of(variable, vocabulary)]
    return tuple(dict.fromkeys(found))


def renamed(number: Number, names: Callable[[str], str]) -> Number:
    """The number with other names for its variables."""
    if number.operation == "quantity":
        return replace(number, operands=(names(number.operands[0]),))
    return replace(number, operands=tuple(renamed(o, names) if isinstance(o, Number) else o for o in number.operands))
