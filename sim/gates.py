"""What a path meets on its way: lights, stop signs and yield signs with their places along it, and the speed limit.

A gate belongs to a lane (`sim.roads`), a path is a line of points; a path drives a lane where it comes by the lane's
beginning, middle and end in their order and in its direction.  Paths stand still, so this is worked out once a path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from sim.bank import MapBank, path_points
from sim.lanes import LANE_KIND, LaneGraph, lane_graph
from sim.roads import GATE_AT, GATE_KIND, GATE_PLAN, JUNCTION, LENGTH, ROW, ROWS, Streets, streets_of
from sim.types import ROUTE_SPACING, RoadMap, World

T = TypeVar("T")
_SIGNAL = "<signal "  # in an OpenDRIVE text that has signs or lights
_ON_LANE = 1.5  # [m] from a lane's middle at which a path still drives that lane: bends of paths are rounded
_SAME_WAY = 0.8  # cosine of the angle between a path and a lane that it drives
_STRIDE = 4  # points of a path between two looks for the speed limit
_CHUNK = 64  # points of a path that are compared with all lanes at once: memory


class Gates(NamedTuple):
    """What the Q paths of a bank meet.

    start (Q + 1,) i64: the gates of path q are the rows start[q] to start[q + 1] of s (G,) f32, metres along the path,
    ascending; kind (G,) i32, indices into `sim.roads.GATES`; plan (G,) i32 of lights (`sim.signals`), 0 for signs.
    limit (P,) f32 [m/s]: at every point of every path, 0 where `limited` (Q,) bool says that none is known.
    done (Q,) bool: which paths have been looked at; the others seem to have neither gates nor limits.
    """

    start: np.ndarray
    s: np.ndarray
    kind: np.ndarray
    plan: np.ndarray
    limit: np.ndarray
    limited: np.ndarray
    done: np.ndarray


def gates_along(points: np.ndarray, streets: Streets) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gates that hold up who drives along a path, ascending.

    Args:
        points: (K, 4) x, y [m], yaw [rad], curvature, ROUTE_SPACING apart.

    Returns:
        Place along the path (G,) f32 [m], kind (G,) i32 (index into `sim.roads.GATES`), plan (G,) i32. A gate whose
        line lies before the path begins or behind its end is none of the path's.
    """
    found = []
    for lane in np.flatnonzero(streets.link[:, GATE_KIND]):
        first, count = streets.link[lane, ROW], streets.link[lane, ROWS]
        line = streets.points[first : first + count]
        at, kind, plan = streets.measure[lane, GATE_AT], streets.link[lane, GATE_KIND], streets.link[lane, GATE_PLAN]
        if streets.link[lane, JUNCTION] >= 0:
            places = [s + at for s in _driven(points, line, float(streets.measure[lane, LENGTH]))]
        else:  # the path may leave the lane before it ends: what counts is that it comes by the line
            row = min(max(round(float(at) / float(streets.measure[lane, LENGTH]) * (count - 1)), 0), count - 1)
            places = list(_passes(points, line[row]))
        found += [(float(s), int(kind), int(plan)) for s in places]
    length = (len(points) - 1) * float(ROUTE_SPACING)
    found = sorted(g for g in found if 0.0 <= g[0] <= length)
    s, kind, plan = zip(*found) if found else ((), (), ())
    return np.array(s, np.float32), np.array(kind, np.int32), np.array(plan, np.int32)


def _passes(points: np.ndarray, place: np.ndarray) -> Iterator[float]:
    """Metres along a path at which it comes by a place (x, y, yaw, ...) in its direction, each time that it does."""
    away = np.hypot(points[:, 0] - place[0], points[:, 1] - place[1])
    near = np.flatnonzero((away < _ON_LANE) & (np.cos(points[:, 2] - place[2]) > _SAME_WAY))
    for run in np.split(near, np.flatnonzero(np.diff(near) > 1) + 1) if len(near) else ():
        k = run[np.argmin(away[run])]
        c, n = np.cos(points[k, 2]), np.sin(points[k, 2])
        along = (place[0] - points[k, 0]) * c + (place[1] - points[k, 1]) * n
        yield float(k * ROUTE_SPACING + np.clip(along, -ROUTE_SPACING, ROUTE_SPACING))


def _driven(points: np.ndarray, line: np.ndarray, length: float) -> Iterator[float]:
    """Metres along a path at which it enters a lane that it then drives to its end."""
    for s in _passes(points, line[0]):
        # of the lanes that begin here only one has both its middle and its end on the path
        for share in (0.5, 1.0):
            k = round((s + share * length) / float(ROUTE_SPACING))
            place = line[round(share * (len(line) - 1))]
            if k >= len(points) or np.hypot(*(points[k, :2] - place[:2])) > _ON_LANE:
                break
        else:
            yield s


def limits_along(points: np.ndarray, graph: LaneGraph) -> np.ndarray:
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


_GATES: WeakKeyDictionary[MapBank, tuple[Gates, dict[int, tuple[np.ndarray, ...]]]] = WeakKeyDictionary()


def gates_of(maps: MapBank, world: World) -> Gates:
    """What every route of `world` meets; worked out once a path. A map without lanes has neither gates nor limits."""
    bank = maps.arrays
    known, met = _GATES.get(maps, (None, {}))
    routes = world.route[world.route >= 0]
    if known is None or len(known.done) != len(bank.path_start) - 1 or not known.done[routes].all():
        numbers = np.repeat(world.map[:, None], world.route.shape[1], 1)[world.route >= 0]
        for q, m in dict(zip(routes.tolist(), numbers.tolist())).items():
            if q not in met:
                met = {**met, q: _met_by(path_points(bank, q), maps.maps[m])}
        known = _laid_out(met, np.diff(bank.path_start))
        _GATES[maps] = known, met
    return known


def _met_by(points: np.ndarray, road_map: RoadMap) -> tuple[np.ndarray, ...]:
    """Gates (three arrays) and limits of a path; arrays of no length for what the map cannot tell."""
    none = np.zeros(0, np.float32)
    gates, limits = (none, none, none), none
    graph = _attempted(lane_graph, road_map)
    if graph is not None and len(graph.lanes_of_kind("driving")):
        limits = limits_along(points, graph)
        streets = _attempted(streets_of, road_map) if _SIGNAL in road_map.opendrive else None
        if streets is not None:
            gates = gates_along(points, streets)
    return (*gates, limits)


def _attempted(compile_map: Callable[[str, str], T], road_map: RoadMap) -> T | None:
    """A map's lanes or streets; None for a map that has none, and where no two vehicles can meet: the masks tell."""
    try:
        return compile_map(road_map.opendrive, road_map.name)
    except ValueError:
        return None


def _laid_out(met: dict[int, tuple[np.ndarray, ...]], lengths: np.ndarray) -> Gates:
    """The gates and limits of some of a bank's paths, whose numbers of points are `lengths` (Q,)."""
    ends, limited, done = np.zeros(len(lengths), np.int64), np.zeros(len(lengths), bool), np.zeros(len(lengths), bool)
    limit, first = np.zeros(int(lengths.sum()), np.float32), np.concatenate([[0], np.cumsum(lengths)])
    parts: list[tuple[np.ndarray, ...]] = []
    for q in sorted(met):
        done[q], ends[q] = True, len(met[q][0])
        parts.append(met[q][:3])
        if len(met[q][3]):
            limited[q], limit[first[q] : first[q + 1]] = True, met[q][3]
    s, kind, plan = (np.concatenate([np.zeros(0), *(p[i] for p in parts)]) for i in range(3))
    return Gates(
        np.concatenate([[0], np.cumsum(ends)]).astype(np.int64), s.astype(np.float32), kind.astype(np.int32),
        plan.astype(np.int32), limit, limited, done,
    )  # fmt: skip
