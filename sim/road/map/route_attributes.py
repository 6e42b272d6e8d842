"""Traffic controls and speed limits along the routes of running worlds.

Paths do not change, so limits are computed once a path. A map without lanes has no limits, which the masks mark.
"""

from __future__ import annotations

from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from sim.datatypes.road_map import MapArrays, RoadMap
from sim.datatypes.world_state import World
from sim.road.graph.lane_graph import LANE_KIND, LaneGraph, lane_graph
from sim.road.map.map_batch import MapBatch, path_points

_SAME_WAY = 0.8  # least cosine of the angle between a path and a lane that it uses
_STRIDE = 4  # points of a path between two queries of the speed limit
_CHUNK = 64  # points of a path that are compared with all lanes at once: limits memory


class RouteControls(NamedTuple):
    """Traffic controls and speed limits along the Q paths of a `MapBatch`.

    start (Q + 1,) i64: the gates of path q are the rows start[q] to start[q + 1] of s (G,) f32, metres along the path,
    ascending; kind (G,) i32, indices into `sim.road.map.lane_arrays.GATES`; plan (G,) i32, the signal plans of lights
    (`sim.road.graph.traffic_lights`), 0 for signs.
    limit (P,) f32 [m/s]: at every point of every path, 0 for paths without a known limit, where `limited` (Q,) bool is
    False.
    done (Q,) bool: paths whose limits have been computed; `limited` is False for the others.
    """

    start: np.ndarray
    s: np.ndarray
    kind: np.ndarray
    plan: np.ndarray
    limit: np.ndarray
    limited: np.ndarray
    done: np.ndarray


def speed_limits_along(points: np.ndarray, graph: LaneGraph) -> np.ndarray:
    """(K,) float32: the speed limit [m/s] at each point of a path, that of the nearest driving lane in its direction.

    Between lanes that are equally near, as where they cross, the lower limit applies.
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
    """Traffic controls and speed limits along every route of `world`.

    Limits are computed once a path; gates are read from the arrays of the map batch.
    """
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
    """Speed limits along a path; empty for a map without lanes."""
    try:
        graph = lane_graph(road_map.opendrive, road_map.name)
    except ValueError:
        return np.zeros(0, np.float32)
    return speed_limits_along(points, graph) if len(graph.lanes_of_kind("driving")) else np.zeros(0, np.float32)


def _laid_out(met: dict[int, np.ndarray], bank: MapArrays) -> RouteControls:
    """The gates of all paths of a map batch, and the limits of the paths in `met`."""
    lengths = np.diff(bank.path_start)
    limited, done = np.zeros(len(lengths), bool), np.zeros(len(lengths), bool)
    limit = np.zeros(int(lengths.sum()), np.float32)
    for q, found in met.items():
        done[q], limited[q] = True, len(found) > 0
        if len(found):
            limit[bank.path_start[q] : bank.path_start[q + 1]] = found
    return RouteControls(bank.gate_start, bank.gate_s, bank.gate_kind, bank.gate_plan, limit, limited, done)
