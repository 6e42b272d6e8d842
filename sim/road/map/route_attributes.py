"""Traffic controls and speed limits along the routes of running worlds.

Paths do not change, so a `MapBatch` computes limits once a path. A map without lanes has no limits, which the masks
mark.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from sim.datatypes.road_map import MapArrays, RoadMap
from sim.road.graph.lane_graph import LANE_KIND, LaneGraph, lane_graph

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

    @classmethod
    def of(cls, limits: Mapping[int, np.ndarray], bank: MapArrays) -> RouteControls:
        """The controls of all paths of a batch, and the limits of those in `limits`, path -> `path_limits`."""
        lengths = np.diff(bank.path_start)
        limited, done = np.zeros(len(lengths), bool), np.zeros(len(lengths), bool)
        limit = np.zeros(int(lengths.sum()), np.float32)
        for q, found in limits.items():
            done[q], limited[q] = True, len(found) > 0
            if len(found):
                limit[bank.path_start[q] : bank.path_start[q + 1]] = found
        return cls(bank.gate_start, bank.gate_s, bank.gate_kind, bank.gate_plan, limit, limited, done)


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


def path_limits(points: np.ndarray, road_map: RoadMap) -> np.ndarray:
    """(K,) float32: `speed_limits_along` a path of a map; (0,) for a map without lanes."""
    try:
        graph = lane_graph(road_map.opendrive, road_map.name)
    except ValueError:
        return np.zeros(0, np.float32)
    return speed_limits_along(points, graph) if len(graph.lanes_of_kind("driving")) else np.zeros(0, np.float32)
