"""Declarations of kinds of decision: what a file of this folder registers.

A decision is what a rule says and a drive shows. A kind declares its words, what a scenario file must give, and the
detector that reads a decision from the world's arrays after every tick, so that any backend can use it. The result is
written to `World.shown_decision`. Everything else reads these declarations: the scenario file, its messages, the
documentation, the probes. `sim.world.decisions.registry` imports all files; `policies.expert.maneuvers` has the
expert's maneuver for each kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from sim.actors.registry import EGO
from sim.core.errors import known_names
from sim.datatypes.episode import DecisionSpec, Episode
from sim.datatypes.road_map import Junction, MapArrays, RoadMap
from sim.datatypes.vocabulary import DECISION, DECISIONS
from sim.datatypes.world_state import World
from sim.road.graph.placement import ways_of

FRONT = EGO.length - EGO.overhang  # [m] from ego's rear axle to its front bumper
Need = Literal["actors", "stretch", "below"]
Control = Literal["steering", "acceleration"]


class DecisionDetector(Protocol):
    """Detects the decision shown in one world."""

    def look(self, world: World, bank: MapArrays, w: int) -> None:
        """Observe world w after a tick; write `shown_decision`, and `outcome` where the decision is an arrival."""


@dataclass(frozen=True, eq=False)
class DecisionKind:
    """A kind of decision: how a drive shows what a rule decided.

    Args:
        name: in a scenario file, `decision: name` or `decision: {name: ...}`.
        words: the decisions that it can show, words of DECISIONS, the affirmative one first; empty where they are the
            ways out of the decision point.
        detector: (spec, episode, map, decision point) -> a detector of one world; None where `sim.world.step` detects
            it. Raises ValueError where the episode does not fit.
        read_when: for the documentation, how each word is read. May hold {actors}, {stretch} (somewhere in it), {span}
            (all of it), {below} and {end}.
        example: what a scenario file gives after the name, as YAML; "" where the name is all.
        needs: what the file must give: "actors", a list of names; "stretch", a part of ego's route, from and to;
            "below", a speed [m/s], given with the stretch.
        control: the control in which different decisions of this kind differ.
        at_line: whether the decision is made once, when ego stands at its line; otherwise it may change on the way.
        backs_up: whether carrying it out involves driving in reverse.

    Raises:
        ValueError: for a word that is no decision.
    """

    name: str
    words: tuple[str, ...]
    detector: Callable[[DecisionSpec, Episode, RoadMap, Junction], DecisionDetector] | None
    read_when: str
    example: str = ""
    needs: tuple[Need, ...] = ()
    control: Control = "acceleration"
    at_line: bool = False
    backs_up: bool = False

    def __post_init__(self) -> None:
        if odd := next((word for word in self.words if word not in DECISION), None):
            raise ValueError(f"kind {self.name!r} has the word {odd!r}, which is no decision; known are "
                             f"{known_names(DECISIONS)}")  # fmt: skip


KINDS: dict[str, DecisionKind] = {}  # by name


def register(kind: DecisionKind) -> DecisionKind:
    """Add a kind of decision to the registry.

    Raises:
        ValueError: where the name is taken.
    """
    if kind.name in KINDS:
        raise ValueError(f"there is a kind of decision {kind.name!r} already")
    KINDS[kind.name] = kind
    return kind


def numbered(thing: str) -> tuple[str, ...]:
    """The decisions that count a thing: `numbered("lane")` are "lane 1", "lane 2" and "lane 3"."""
    return tuple(word for word in DECISIONS if word.startswith(f"{thing} "))


def edge_of(episode: Episode, junction: Junction) -> float:
    """The distance along ego's route at which the decision point begins [m]."""
    return ways_of(episode, junction)[0].junction_in


def slots_of(spec: DecisionSpec, episode: Episode) -> list[int]:
    """The world's slots of the actors that a decision names.

    Raises:
        ValueError: for an unknown actor, with the known ones.
    """
    names = [a.name for a in episode.actors]
    if odd := next((n for n in spec.actors if n not in names), None):
        raise ValueError(f"the decision names the actor {odd!r}; known are {known_names(names)}")
    return [1 + names.index(n) for n in spec.actors]
