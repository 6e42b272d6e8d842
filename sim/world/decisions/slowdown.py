"""Whether ego slows, stops or reacts early within a stretch of its route."""

from __future__ import annotations

from sim.datatypes.episode import DecisionSpec, Episode
from sim.datatypes.road_map import Junction, MapArrays, RoadMap
from sim.datatypes.vocabulary import DECISION, UNDECIDED
from sim.datatypes.world_state import World
from sim.world.decisions.base import FRONT, DecisionKind, edge_of, register


class Slowdown:
    """Detects whether ego's speed falls below a threshold within a stretch of its route."""

    def __init__(self, spec: DecisionSpec, episode: Episode, road_map: RoadMap, junction: Junction) -> None:
        kind = next(kind for kind in (SLOW, STOP, REACTION) if kind.name == spec.kind)
        edge = edge_of(episode, junction)
        self.begin, self.end, self.below = edge + spec.begin, edge + spec.end, spec.below
        self.words = [DECISION[word] for word in kind.words]
        self.shown = UNDECIDED

    def look(self, world: World, bank: MapArrays, w: int) -> None:
        """See `DecisionDetector.look`."""
        front = float(world.route_s[w, 0]) + FRONT
        if self.shown == UNDECIDED:
            if front > self.end:
                self.shown = self.words[1]
            elif front > self.begin and world.speed[w, 0] < self.below:
                self.shown = self.words[0]
        world.shown_decision[w] = self.shown


SLOW = register(
    DecisionKind(
        "slow",
        ("slow", "go"),
        Slowdown,
        "slow: ego is slower than {below} m/s {stretch}; else go",
        example="{from: -25, to: 0, below: 4}",
        needs=("stretch", "below"),
    )
)
STOP = register(
    DecisionKind(
        "stop",
        ("stop", "go"),
        Slowdown,
        "stop: ego stands still {stretch}; else go",
        example="{from: -8, to: 0}",
        needs=("stretch",),
    )
)
REACTION = register(
    DecisionKind(
        "reaction",
        ("early", "late"),
        Slowdown,
        "early: ego is slower than {below} m/s {stretch}; else late",
        example="{from: -16, to: -12, below: 5.5}",
        needs=("stretch", "below"),
    )
)
