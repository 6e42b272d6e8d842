"""Plans a route along keypoints: its lanes on the map, and the line to drive along.

Keypoints are sparse, such as those of a route file of the CARLA Leaderboard: each lies on a lane, and the route between
two is the shortest.  Where lanes overlap (within junctions) a keypoint is ambiguous; then the route takes the lane that
makes the whole route shortest.  World frame as in `sim.road.graph.lane_graph`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from sim.datatypes.road_map import RoadMap, Route
from sim.datatypes.vocabulary import DECISION
from sim.road.graph.junctions import rounded_path
from sim.road.graph.lane_graph import LANE_KIND, LaneGraph, lane_graph
from sim.road.graph.shortest_path import LaneInterval, centreline, path_length, shortest_path

ON_LANE = 3.0  # [m] greatest distance from a lane's middle at which a keypoint lies on the lane
ARRIVAL = 2.0  # [m] before the route's end at which ego has arrived, so that stopping at the end counts
DEVIATION = 30.0  # [m] from the route at which ego has left it: CARLA's InRouteTest(offroad_max=30)
SHORTEST = 5.0  # [m] least length of a route
_AMBIGUOUS = 1.0  # [m] a keypoint may also mean a lane that is this much farther away than the nearest
_SPARSE = 30.0  # [m] least distance between keypoints that are planned through: room for a lane change in each gap
_BESIDE = 4.5  # [m] a route passes a keypoint that was not planned through if it comes this near: one lane

Place = tuple[int, float]  # lane, metres along it
Points = Sequence[tuple[float, float]]


class KeypointError(ValueError):
    """Raised for a keypoint that no route can go through.

    Args:
        index: of the keypoint, from 0; found: what is wrong with it, without its name.
    """

    def __init__(self, index: int, point: tuple[float, float], found: str) -> None:
        super().__init__(f"keypoint {index + 1} at x={point[0]:.2f}, y={point[1]:.2f} {found}")
        self.index, self.found = index, found


def route_through(road_map: RoadMap, keypoints: Points) -> Route:
    """The route through keypoints, cached for each map and keypoints.

    The whole route is one path, "straight" from "start" to "end"; `junction_out` is where ego has arrived.

    Args:
        keypoints: two or more, x, y [m].

    Raises:
        KeypointError: for a keypoint on no lane, and one that cannot be reached from the one before.
        ValueError: for fewer than two keypoints, or a route of less than SHORTEST.
    """
    return _planned(road_map.opendrive, road_map.name, tuple((float(x), float(y)) for x, y in keypoints))


@functools.lru_cache(maxsize=256)
def _planned(opendrive: str, name: str, keypoints: tuple[tuple[float, float], ...]) -> Route:
    graph = lane_graph(opendrive, name)
    line = centreline(graph, plan_route(graph, keypoints))
    length = float(np.hypot(*np.diff(line, axis=0).T).sum())
    if length < SHORTEST:
        raise ValueError(f"the route is {length:.1f} m long; wanted {SHORTEST:g} m or more between its keypoints")
    path = rounded_path(line)
    return Route(path, "start", "end", DECISION["straight"], 0.0, path.length - ARRIVAL)


def plan_route(graph: LaneGraph, keypoints: Points) -> list[LaneInterval]:
    """The shortest path over a map's lanes through keypoints (N, 2), in their order.

    Of keypoints closer than _SPARSE only some are planned through, so that there is room to change lanes between two
    that lie side by side. Where the path then misses one of the others, it is planned again through all of them.

    Raises:
        KeypointError: for a keypoint on no lane, and one that cannot be reached from the one before.
        ValueError: for fewer than two keypoints.
    """
    if len(keypoints) < 2:
        raise ValueError(f"a route needs 2 keypoints or more; found {len(keypoints)}")
    places = [_places(graph, i, point) for i, point in enumerate(keypoints)]
    few = _sparse(keypoints)
    if len(few) < len(keypoints):
        try:
            legs = _through(graph, keypoints, places, few)
        except KeypointError:
            legs = []
        if legs and _met(centreline(graph, legs), keypoints):
            return legs
    return _through(graph, keypoints, places, range(len(keypoints)))


def _places(graph: LaneGraph, index: int, point: tuple[float, float]) -> list[tuple[Place, float]]:
    """The places on driving lanes that a keypoint may mean, and the distance of each [m]."""
    lane_of = np.repeat(np.arange(len(graph)), np.diff(graph.start))
    away = np.hypot(graph.points[:, 0] - point[0], graph.points[:, 1] - point[1])
    away[graph.kind[lane_of] != LANE_KIND["driving"]] = np.inf
    least = float(away.min()) if len(away) else np.inf
    near = np.unique(lane_of[away < min(least, ON_LANE) + _AMBIGUOUS])
    found = [_projected(graph, int(lane), point) for lane in near]
    nearest = min((d for _, d in found), default=least)
    if nearest > ON_LANE:
        raise KeypointError(
            index, point, f"lies {nearest:.1f} m from the nearest driving lane of {graph.name}; "
            f"wanted one within {ON_LANE:g} m"
        )  # fmt: skip
    return [(place, d) for place, d in found if d <= min(nearest + _AMBIGUOUS, ON_LANE)]


def _projected(graph: LaneGraph, lane: int, point: tuple[float, float]) -> tuple[Place, float]:
    """The place on a lane that is nearest to a point, interpolated between the lane's points, and its distance [m]."""
    line = graph.points_of(lane)[:, :2].astype(np.float64)
    step, to = np.diff(line, axis=0), np.asarray(point) - line[:-1]
    share = np.clip((to * step).sum(1) / np.maximum((step * step).sum(1), 1e-12), 0.0, 1.0)
    away = np.hypot(*(to - share[:, None] * step).T)
    k = int(np.argmin(away))
    at = (k + float(share[k])) / len(step) * float(graph.length[lane])
    return (lane, min(at, float(graph.length[lane]))), float(away[k])


def _sparse(keypoints: Points) -> list[int]:
    """Indices of the first keypoint, the last, and keypoints between them that are at least _SPARSE apart."""
    kept = [0]
    for i in range(1, len(keypoints) - 1):
        if np.hypot(*np.subtract(keypoints[i], keypoints[kept[-1]])) >= _SPARSE:
            kept.append(i)
    if len(kept) > 1 and np.hypot(*np.subtract(keypoints[-1], keypoints[kept[-1]])) < _SPARSE:
        kept.pop()
    return [*kept, len(keypoints) - 1]


def _met(line: np.ndarray, keypoints: Points) -> bool:
    """Whether a line (K, 2) passes within _BESIDE of every keypoint, in any order."""
    start, step = line[:-1], np.diff(line, axis=0)
    for point in keypoints:
        to = np.asarray(point) - start
        share = np.clip((to * step).sum(1) / np.maximum((step * step).sum(1), 1e-12), 0.0, 1.0)
        if np.hypot(*(to - share[:, None] * step).T).min() > _BESIDE:
            return False
    return True


def _through(
    graph: LaneGraph, keypoints: Points, places: Sequence[list[tuple[Place, float]]], chosen: Sequence[int]
) -> list[LaneInterval]:
    """The shortest path through the chosen keypoints, over all places that each may mean (Viterbi's recursion)."""
    ways: list[tuple[Place, float, list[LaneInterval]]] = [(place, away, []) for place, away in places[chosen[0]]]
    for before, index in pairwise(chosen):
        following: list[tuple[Place, float, list[LaneInterval]]] = []
        for place, away in places[index]:
            options = []
            for origin, cost, legs in ways:
                try:
                    found = shortest_path(graph, origin, place)
                except ValueError:
                    continue
                options.append((place, cost + path_length(graph, found) + away, legs + found))
            if options:
                following.append(min(options, key=lambda option: option[1]))
        if not following:
            raise KeypointError(
                index, keypoints[index], f"cannot be reached from keypoint {before + 1}: no lane of {graph.name} leads "
                "there; wanted keypoints in the order and the direction of travel"
            )  # fmt: skip
        ways = following
    return min(ways, key=lambda way: way[1])[2]
