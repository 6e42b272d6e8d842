"""Paths over a lane graph: shortest paths, random walks, and the centreline to drive along.

A place is (lane, metres along it); a path is a list of legs (`LaneInterval`).  Between two legs either the lane ends
and its successor begins, or the path changes lanes on a slant of CHANGE metres.  World frame as in
`sim.road.graph.lane_graph`.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sim.road.graph.lane_graph import LANE_KIND, LaneGraph

CHANGE = 25.0  # [m] greatest length of a lane change along the road
_SHORTEST_CHANGE = 10.0  # [m] least length of a lane change
_CHANGE_COST = 15.0  # [m] of detour that costs as much as a lane change
_MARGIN = 1.0  # [m] before the lane's end by which a change is over


@dataclass(frozen=True)
class LaneInterval:
    """A piece of one lane, from `begin` to `end` metres along it."""

    lane: int
    begin: float
    end: float

    @property
    def length(self) -> float:
        """Length of the interval [m]."""
        return self.end - self.begin


def nearest_place(
    graph: LaneGraph, x: float, y: float, yaw: float | None = None, kind: str = "driving"
) -> tuple[tuple[int, float], float]:
    """The nearest place on a lane of a kind, and its distance [m].

    Args:
        yaw: where given, lanes whose direction differs by more than 90 degrees are left out.

    Raises:
        ValueError: when the map has no such lane.
    """
    lane_of = np.repeat(np.arange(len(graph)), np.diff(graph.start))
    fits = graph.kind[lane_of] == LANE_KIND[kind]
    if yaw is not None:
        fits &= np.cos(graph.points[:, 2] - yaw) >= 0.0
    if not fits.any():
        raise ValueError(f"lane graph {graph.name} has no lane of kind {kind} that leads this way")
    away = np.where(fits, np.hypot(graph.points[:, 0] - x, graph.points[:, 1] - y), np.inf)
    row = int(np.argmin(away))
    lane = int(lane_of[row])
    steps = int(graph.start[lane + 1] - graph.start[lane]) - 1
    return (lane, float((row - graph.start[lane]) / steps * graph.length[lane])), float(away[row])


def shortest_path(graph: LaneGraph, origin: tuple[int, float], goal: tuple[int, float]) -> list[LaneInterval]:
    """The shortest path between two places (Dijkstra), with lane changes where they are allowed.

    Args:
        origin, goal: (lane, metres along it).

    Raises:
        ValueError: for a place that is on no lane, or when no path leads there.
    """
    for lane, at in (origin, goal):
        if not 0 <= lane < len(graph) or not 0.0 <= at <= graph.length[lane] + 1e-3:
            raise ValueError(f"lane graph {graph.name} has no place {at:.1f} m along lane {lane}")
    order = itertools.count()  # so that equal costs are taken in the order in which they were found
    heap: list[tuple[float, int, int, float, tuple]] = [(0.0, next(order), origin[0], origin[1], ())]
    done: set[tuple[int, float]] = set()
    while heap:
        cost, _, lane, at, legs = heapq.heappop(heap)
        if lane == -1:
            return _unrolled(legs)
        if (lane, round(at, 3)) in done:
            continue
        done.add((lane, round(at, 3)))
        if lane == goal[0] and goal[1] >= at:
            heapq.heappush(heap, (cost + goal[1] - at, next(order), -1, 0.0, (LaneInterval(lane, at, goal[1]), legs)))
        length = float(graph.length[lane])
        for after in graph.successors_of(lane).tolist():
            heapq.heappush(heap, (cost + length - at, next(order), after, 0.0, (LaneInterval(lane, at, length), legs)))
        for leg, other, begin, slant in _changes(graph, lane, at):
            total = cost + leg.length + slant + _CHANGE_COST
            heapq.heappush(heap, (total, next(order), other, begin, (leg, legs)))
    raise ValueError(f"lane graph {graph.name}: no way leads from lane {origin[0]} to lane {goal[0]}")


def _unrolled(legs: tuple) -> list[LaneInterval]:
    """Convert a linked list, last leg first, to a list in order."""
    found = []
    while legs:
        leg, legs = legs
        found.append(leg)
    return found[::-1]


def _changes(graph: LaneGraph, lane: int, at: float) -> Iterator[tuple[LaneInterval, int, float, float]]:
    """The earliest lane change to either side from `at` on.

    Yields the leg before it, the other lane, the distance along that lane at which it is entered [m], and the length of
    the slant [m].
    """
    length = float(graph.length[lane])
    rows = graph.change[graph.start[lane] : graph.start[lane + 1]]
    stations = np.linspace(0.0, length, len(rows))
    for side in (0, 1):
        other = int(graph.neighbours[lane, side])
        allowed = np.flatnonzero(rows[:, side] & (stations >= at - 1e-6))
        if other < 0 or not len(allowed):
            continue
        begin = max(at, float(stations[allowed[0]]))
        slant = min(CHANGE, length - _MARGIN - begin)
        if slant >= _SHORTEST_CHANGE:
            entered = (begin + slant) / length * float(graph.length[other])
            yield LaneInterval(lane, at, begin), other, entered, slant


def random_walk(
    graph: LaneGraph, rng: np.random.Generator, origin: tuple[int, float], distance: float, changes: float = 0.0
) -> list[LaneInterval]:
    """A random walk along driving lanes.

    Args:
        distance: at which it stops [m]; it stops earlier only where the lane ends and no lane beside it continues.
        changes: probability of a lane change on a lane where it is allowed; on a lane without successors the walk
            always changes lanes where that is possible.
    """
    legs: list[LaneInterval] = []
    (lane, at), left = origin, distance
    while left > 1e-6:
        after = graph.successors_of(lane)
        options = list(_changes(graph, lane, at)) if changes > 0.0 or not len(after) else []
        if options and (not len(after) or rng.random() < changes):
            leg, other, entered, slant = options[int(rng.integers(len(options)))]
            if leg.length + slant < left:
                legs.append(leg)
                left -= leg.length + slant
                lane, at = other, entered
                continue
        leg = LaneInterval(lane, at, min(float(graph.length[lane]), at + left))
        legs.append(leg)
        left -= leg.length
        if not len(after):
            break
        lane, at = int(after[int(rng.integers(len(after)))]), 0.0
    return legs


def centreline(graph: LaneGraph, legs: Sequence[LaneInterval]) -> np.ndarray:
    """(K, 2) line to drive along: the middle of every leg's lane, with slants between lanes and no repeated points."""
    parts = []
    for leg in legs:
        points, length = graph.points_of(leg.lane)[:, :2], float(graph.length[leg.lane])
        stations = np.linspace(0.0, length, len(points))
        inside = stations[(stations > leg.begin + 1e-3) & (stations < leg.end - 1e-3)]
        at = np.concatenate([[leg.begin], inside, [leg.end]])
        parts.append(np.column_stack([np.interp(at, stations, points[:, k]) for k in (0, 1)]))
    line = np.concatenate(parts) if parts else np.zeros((0, 2))
    apart = np.hypot(*np.diff(line, axis=0).T) > 0.01
    return line[np.concatenate([[True], apart])] if len(line) else line


def path_length(graph: LaneGraph, legs: Sequence[LaneInterval]) -> float:
    """Length of the centreline of a path [m]."""
    return float(np.hypot(*np.diff(centreline(graph, legs), axis=0).T).sum())
