"""Detectors for decisions other than an exit: yield or go, slow, stop, change lane, park in a bay.

`sim.world.step` detects the exit that ego takes. Whether ego goes before another actor or waits, slows, or which bay it
takes is detected here, after every tick, from the world's arrays alone, so that any backend can use it. The result is
written to `World.shown_decision`, as an exit is. World frame, SI.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from sim.actors.registry import EGO
from sim.datatypes.episode import DecisionSpec, Episode
from sim.datatypes.road_map import Junction, MapArrays, RoadMap, Route
from sim.datatypes.vocabulary import DECISION, DECISIONS, OUTCOME, UNDECIDED
from sim.datatypes.world_state import World
from sim.road.graph.placement import pose_at, ways_of

# Kind -> the decisions that it detects, the affirmative one first.
DETECTORS: dict[str, tuple[str, ...]] = {
    "order": ("go", "wait"),
    "yield": ("go", "yield"),
    "place": tuple(d for d in DECISIONS if d.startswith("place ")),
    "slow": ("slow", "go"),
    "stop": ("stop", "go"),
    "reaction": ("early", "late"),
    "lane": tuple(d for d in DECISIONS if d.startswith("lane ")),
    "bay": (*(d for d in DECISIONS if d.startswith("bay ")), "go"),
}
STRETCHES = ("slow", "stop", "reaction", "lane")  # kinds that observe a stretch of ego's route
ORDERS, SPEEDS = ("order", "yield", "place"), ("slow", "stop", "reaction")  # kinds, by the quantity that they measure
_FRONT = EGO.length - EGO.overhang  # [m] from the rear axle to the front bumper
_STANDS = 0.05  # [m/s] below which ego stands
SLACK = 0.2  # [m] that a parked car's corners may stand over the edge of a bay
_PARKED = 10  # ticks that ego must stand in a bay
_ARRIVED = OUTCOME["arrived"]


def backs_up(spec: DecisionSpec | None) -> bool:
    """Whether carrying out such a decision involves driving in reverse."""
    return spec is not None and spec.kind == "bay"


class DecisionDetector(Protocol):
    """Detects the decision shown in one world."""

    def look(self, world: World, bank: MapArrays, w: int) -> None:
        """Observe world w after a tick; write `shown_decision`, and `outcome` where the decision is an arrival."""


def detector_for(episode: Episode, road_map: RoadMap, junction: Junction | Route) -> DecisionDetector:
    """Return the detector of an episode that has a `decision_spec`.

    Raises:
        ValueError: for an unknown kind, an unknown actor, a map without bays, or a route through no junction.
    """
    spec = episode.decision_spec
    assert spec is not None
    if isinstance(junction, Route):
        raise ValueError(f"a decision of kind {spec.kind!r} wants a decision point, but the episode has a route")
    if spec.kind not in DETECTORS:
        raise ValueError(f"unknown kind of decision {spec.kind!r}; known are {', '.join(DETECTORS)}")
    if spec.kind in ORDERS:
        return ArrivalOrder(spec, episode, junction)
    edge = ways_of(episode, junction)[0].junction_in
    if spec.kind in SPEEDS:
        return Slowdown(spec, edge)
    if spec.kind == "lane":
        return LaneChange(spec, edge, junction.arms[episode.arm].lane_width)
    from sim.road.graph.decision_points import bays_of  # imported at use: it needs the whole lane graph

    bays = bays_of(road_map)
    if not len(bays):
        raise ValueError(f"map {road_map.name} has no bays to park in; wanted one such as parking_bays")
    return Parking(bays)


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

    def __init__(self, spec: DecisionSpec, episode: Episode, junction: Junction) -> None:
        names = [a.name for a in episode.actors]
        if odd := next((n for n in spec.actors if n not in names), None):
            raise ValueError(f"the decision names the actor {odd!r}; known are {', '.join(names) or 'none'}")
        self.ranked = spec.kind == "place"
        self.words = [DECISION[word] for word in DETECTORS[spec.kind]]
        self.slots = [1 + names.index(n) for n in spec.actors]
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


class Slowdown:
    """Detects whether ego's speed falls below a threshold within a stretch of its route."""

    def __init__(self, spec: DecisionSpec, edge: float) -> None:
        self.begin, self.end, self.below = edge + spec.begin, edge + spec.end, spec.below
        self.words = [DECISION[word] for word in DETECTORS[spec.kind]]
        self.shown = UNDECIDED

    def look(self, world: World, bank: MapArrays, w: int) -> None:
        """See `DecisionDetector.look`."""
        front = float(world.route_s[w, 0]) + _FRONT
        if self.shown == UNDECIDED:
            if front > self.end:
                self.shown = self.words[1]
            elif front > self.begin and world.speed[w, 0] < self.below:
                self.shown = self.words[0]
        world.shown_decision[w] = self.shown


class LaneChange:
    """Detects ego's lane at the end of a stretch, counted to the left from the lane of its route."""

    def __init__(self, spec: DecisionSpec, edge: float, width: float) -> None:
        self.end, self.width = edge + spec.end, width
        self.shown = UNDECIDED

    def look(self, world: World, bank: MapArrays, w: int) -> None:
        """See `DecisionDetector.look`."""
        if self.shown == UNDECIDED and float(world.route_s[w, 0]) + _FRONT > self.end:
            lane = 1 + round(float(world.route_offset[w, 0]) / self.width)
            self.shown = DECISION.get(f"lane {lane}", UNDECIDED)
        world.shown_decision[w] = self.shown


class Parking:
    """Detects the bay in which ego stops, which counts as arrival; passing all bays counts as "go"."""

    def __init__(self, bays: np.ndarray) -> None:
        self.bays = bays
        self.stood = 0

    def look(self, world: World, bank: MapArrays, w: int) -> None:
        """See `DecisionDetector.look`."""
        self.stood = self.stood + 1 if abs(world.speed[w, 0]) < _STANDS else 0
        if world.outcome[w] == _ARRIVED:
            world.shown_decision[w] = DECISION["go"]
            return
        world.shown_decision[w] = UNDECIDED
        if self.stood >= _PARKED:
            within = _stands_within(world, w, self.bays)
            if within.any():
                world.shown_decision[w], world.outcome[w] = DECISION[f"bay {int(within.argmax()) + 1}"], _ARRIVED


def _stands_within(world: World, w: int, bays: np.ndarray) -> np.ndarray:
    """(K,) whether ego's four corners lie within each bay (K, 5) x, y, yaw, length, width, up to SLACK."""
    cos, sin = np.cos(world.yaw[w, 0]), np.sin(world.yaw[w, 0])
    along = np.array([_FRONT, _FRONT, -EGO.overhang, -EGO.overhang])
    across = 0.5 * EGO.width * np.array([1.0, -1.0, 1.0, -1.0])
    dx = world.x[w, 0] + along * cos - across * sin - bays[:, 0:1]
    dy = world.y[w, 0] + along * sin + across * cos - bays[:, 1:2]
    c, s = np.cos(bays[:, 2:3]), np.sin(bays[:, 2:3])
    ahead, aside = np.abs(dx * c + dy * s), np.abs(dy * c - dx * s)
    return ((ahead < 0.5 * bays[:, 3:4] + SLACK) & (aside < 0.5 * bays[:, 4:5] + SLACK)).all(1)
