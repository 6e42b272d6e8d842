"""The order in which ego and other actors enter the decision point: go or wait, go or yield, or ego's place."""

from __future__ import annotations

import numpy as np

from sim.datatypes.episode import DecisionSpec, Episode
from sim.datatypes.road_map import Junction, MapArrays, RoadMap
from sim.datatypes.vocabulary import DECISION, UNDECIDED
from sim.datatypes.world_state import World
from sim.road.graph.placement import pose_at, ways_of
from sim.world.decisions.base import DecisionKind, numbered, register, slots_of


def circle_of(junction: Junction, episode: Episode) -> tuple[float, float, float]:
    """The circle that represents a decision point: x, y, radius [m]; ego's route enters it where the point begins."""
    route = ways_of(episode, junction)[0]
    x, y, _ = pose_at(route.path, route.junction_in)
    cx, cy = junction.centre
    return cx, cy, float(np.hypot(x - cx, y - cy))


def fronts(world: World, rows: np.ndarray | slice) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the front bumpers: x, y, each (rows, N) [m]."""
    reach = world.length[rows] - world.overhang[rows]
    yaw = world.yaw[rows]
    return world.x[rows] + reach * np.cos(yaw), world.y[rows] + reach * np.sin(yaw)


class ArrivalOrder:
    """Detects arrival order: which of the named actors entered the circle, front first, before ego did."""

    def __init__(self, spec: DecisionSpec, episode: Episode, road_map: RoadMap, junction: Junction) -> None:
        kind = next(kind for kind in (ORDER, YIELD, PLACE) if kind.name == spec.kind)
        self.ranked = kind is PLACE
        self.words = [DECISION[word] for word in kind.words]
        self.slots = slots_of(spec, episode)
        self.circle = circle_of(junction, episode)
        self.entered = np.zeros(len(self.slots), bool)
        self.shown = UNDECIDED

    def look(self, world: World, bank: MapArrays, w: int) -> None:
        """See `DecisionDetector.look`."""
        x, y, radius = self.circle
        fx, fy = fronts(world, slice(w, w + 1))
        inside = (fx[0] - x) ** 2 + (fy[0] - y) ** 2 < radius**2
        self.entered |= inside[self.slots] & (world.kind[w, self.slots] != 0)
        if self.shown == UNDECIDED and inside[0]:
            before = int(self.entered.sum())
            self.shown = self.words[min(before, len(self.words) - 1) if self.ranked else int(before > 0)]
        world.shown_decision[w] = self.shown


ORDER = register(
    DecisionKind(
        "order",
        ("go", "wait"),
        ArrivalOrder,
        "go: ego enters the place before {actors}; else wait",
        example="[west, north]",
        needs=("actors",),
        at_line=True,
    )
)
YIELD = register(
    DecisionKind(
        "yield",
        ("go", "yield"),
        ArrivalOrder,
        "go: ego enters the place before {actors}; else yield",
        example="[west]",
        needs=("actors",),
        at_line=True,
    )
)
PLACE = register(
    DecisionKind(
        "place",
        numbered("place"),
        ArrivalOrder,
        "place k: k - 1 of {actors} enter the place before ego",
        example="[west, north, east]",
        needs=("actors",),
        at_line=True,
    )
)
