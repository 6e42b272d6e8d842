"""What the routes of running worlds meet: gates with their places along them, and the speed limit at every point.

Paths stand still, so this is worked out once a path; a map without lanes has neither, and the masks say so.
"""

from __future__ import annotations

from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from sim.datatypes.road_map import MapArrays, RoadMap
from sim.datatypes.world_state import World
from sim.road.graph.lane_graph import LANE_KIND, LaneGraph, lane_graph
from sim.road.map.map_batch import MapBatch, path_points

_SAME_WAY = 0.8  # cosine of the angle between a path and a lane that it drives
_STRIDE = 4  # points of a path between two looks for the speed limit
_CHUNK = 64  # points of a path that are compared with all lanes at once: memory


class RouteControls(NamedTuple):
    """What the Q paths of a bank meet.

    start (Q + 1,) i64: the gates of path q are the rows start[q] to start[q + 1] of s (G,) f32, metres along the path,
    ascending; kind (G,) i32, indices into `sim.road.map.lane_arrays.GATES`; plan (G,) i32 of lights
    (`sim.road.graph.traffic_lights`), 0 for signs.
    limit (P,) f32 [m/s]: at every point of every path, 0 where `limited` (Q,) bool says that none is known.
    done (Q,) bool: which paths have been looked at; the others seem to have no limits.
    """

    start: np.ndarray
    s: np.ndarray
    kind: np.ndarray
    plan: np.ndarray
    limit: np.ndarray
    limited: np.ndarray
    done: np.ndarray


def speed_limits_along(points: np.ndarray, graph: LaneGraph) -> np.ndarray:
    """(K,) float32: the speed limit [m/s] at each point of a path: of the nearest driving lane that leads its way.

    Between lanes that are equally near, as where they cross, the lower limit counts.
    """
    driving = np.repeat(graph.kind == LANE_KIND["driving"], np.diff(graph.start))
    lanes, limits = graph.points[driving], graph.speed_limit[driving]
    lanes, limits = lanes[::2], limits[::2]
    heading = np.stack([np.cos(lanes[:, 2]), np.sin(lanes[:, 2])])
    looks = np.arange(0, len(points), _STRIDE)
    found = np.empty(len(looks), np.float32)
    for begin in range(0, len(looks), _CHUNK):
        some = points[looks[begin : begin + _CHUNK]]
        away = np.hypot(some[:, 0, None] - lanes[:, 0], some[:, 1, None] - lanes[:, 1])
        away[np.stack([np.cos(some[:, 2]), np.sin(some[:, 2])], 1) @ heading < _SAME_WAY] = np.inf
        least = away.min(1, keepdims=True)
        found[begin : begin + len(some)] = np.where(away <= least + 0.5, limits, np.inf).min(1)
    found[~np.isfinite(found)] = limits.min()
    return np.repeat(found, _STRIDE)[: len(points)]


_LIMITS: WeakKeyDictionary[MapBatch, tuple[RouteControls, dict[int, np.ndarray]]] = WeakKeyDictionary()


def route_controls(maps: MapBatch, world: World) -> RouteControls:
    """What every route of `world` meets; limits are worked out once a path, gates lie in the bank beside it."""
    bank = maps.arrays
    known, met = _LIMITS.get(maps, (None, {}))
    routes = world.route[world.route >= 0]
    if known is None or len(known.done) != len(bank.path_start) - 1 or not known.done[routes].all():
        numbers = np.repeat(world.map[:, None], world.route.shape[1], 1)[world.route >= 0]
        for q, m in dict(zip(routes.tolist(), numbers.tolist())).items():
            if q not in met:
                met = {**met, q: _limits(path_points(bank, q), maps.maps[m])}
        known = _laid_out(met, bank)
        _LIMITS[maps] = known, met
    return known


def _limits(points: np.ndarray, road_map: RoadMap) -> np.ndarray:
    """Limits along a path; none for a map that has no lanes, which the masks tell."""
    try:
        graph = lane_graph(road_map.opendrive, road_map.name)
    except ValueError:
        return np.zeros(0, np.float32)
    return speed_limits_along(points, graph) if len(graph.lanes_of_kind("driving")) else np.zeros(0, np.float32)


def _laid_out(met: dict[int, np.ndarray], bank: MapArrays) -> RouteControls:
    """The gates of all of a bank's paths, and the limits of some."""
    lengths = np.diff(bank.path_start)
    limited, done = np.zeros(len(lengths), bool), np.zeros(len(lengths), bool)
    limit = np.zeros(int(lengths.sum()), np.float32)
    for q, found in met.items():
        done[q], limited[q] = True, len(found) > 0
        if len(found):
            limit[bank.path_start[q] : bank.path_start[q + 1]] = found
    return RouteControls(bank.gate_start, bank.gate_s, bank.gate_kind, bank.gate_plan, limit, limited, done)
