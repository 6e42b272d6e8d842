"""The time gap that ego keeps to a vehicle ahead along a stretch of its route."""

from __future__ import annotations

import numpy as np

from sim.datatypes.episode import DecisionSpec, Episode
from sim.datatypes.road_map import Junction, MapArrays, RoadMap
from sim.datatypes.vocabulary import DECISION, UNDECIDED
from sim.datatypes.world_state import World
from sim.world.decisions.base import FRONT, DecisionKind, edge_of, numbered, register, slots_of

_SLOWEST = 0.5  # [m/s] below which the gap is divided by this, so that a standing ego has a finite one


def distance_ahead(world: World, rows: np.ndarray | slice, slots: np.ndarray) -> np.ndarray:
    """(rows, K) metres from ego's front bumper to the rear bumpers of actors, along ego's heading.

    Infinite for an actor that is absent or not ahead.

    Args:
        rows: of the world.
        slots: (rows, K) of the actors.
    """

    def of(array: np.ndarray) -> np.ndarray:
        return np.take_along_axis(array[rows], slots, 1)

    x, y, heading, yaw = world.x[rows, :1], world.y[rows, :1], world.yaw[rows, :1], of(world.yaw)
    dx = of(world.x) - of(world.overhang) * np.cos(yaw) - x
    dy = of(world.y) - of(world.overhang) * np.sin(yaw) - y
    ahead = dx * np.cos(heading) + dy * np.sin(heading) - FRONT
    return np.where((of(world.kind) != 0) & (ahead > -FRONT), ahead, np.inf)


class TimeGap:
    """Detects ego's mean time gap to the nearest of the named actors ahead, in whole seconds, at a stretch's end.

    The time gap is the distance from bumper to bumper over ego's speed. No actor ahead counts as the largest.
    """

    def __init__(self, spec: DecisionSpec, episode: Episode, road_map: RoadMap, junction: Junction) -> None:
        edge = edge_of(episode, junction)
        self.begin, self.end = edge + spec.begin, edge + spec.end
        self.words = [DECISION[word] for word in GAP.words]
        self.slots = np.array([slots_of(spec, episode)])
        self.gaps: list[float] = []
        self.shown = UNDECIDED

    def look(self, world: World, bank: MapArrays, w: int) -> None:
        """See `DecisionDetector.look`."""
        front = float(world.route_s[w, 0]) + FRONT
        if self.shown == UNDECIDED and front > self.begin:
            metres = float(distance_ahead(world, slice(w, w + 1), self.slots).min())
            self.gaps.append(metres / max(float(world.speed[w, 0]), _SLOWEST))
            if front > self.end:
                seconds = float(np.clip(np.mean(self.gaps), 1.0, len(self.words)))
                self.shown = self.words[int(seconds + 0.5) - 1]
        world.shown_decision[w] = self.shown


GAP = register(
    DecisionKind(
        "gap",
        numbered("gap"),
        TimeGap,
        "gap k: ego keeps k seconds (1: or less, 3: or more) behind {actors}, on average {span}",
        example="{actors: [leader], from: -45, to: -10}",
        needs=("actors", "stretch"),
    )
)
