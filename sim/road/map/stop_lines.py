"""Finds the stop lines along a path: traffic lights, stop signs and yield signs, with their distances.

A gate (a light or sign) belongs to a lane (`sim.road.map.lane_arrays`), a path is a line of points. A path uses a lane
where it passes the lane's beginning, middle and end in this order and in the lane's direction.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sim.datatypes.vocabulary import ROUTE_SPACING
from sim.road.map.lane_arrays import GATE_AT, GATE_KIND, GATE_PLAN, JUNCTION, LENGTH, ROW, ROWS, DrivableLanes

_ON_LANE = 1.5  # [m] greatest distance from a lane's middle of a path that uses the lane: bends of paths are rounded
_SAME_WAY = 0.8  # least cosine of the angle between a path and a lane that it uses


def stop_lines_along(points: np.ndarray, streets: DrivableLanes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gates that apply to vehicles on a path, in order along it.

    Args:
        points: (K, 4) x, y [m], yaw [rad], curvature, ROUTE_SPACING apart.

    Returns:
        Distance along the path (G,) f32 [m], kind (G,) i32 (index into `sim.road.map.lane_arrays.GATES`), signal plan
        (G,) i32. Gates whose line lies before the path's start or beyond its end are left out.
    """
    found = []
    for lane in np.flatnonzero(streets.link[:, GATE_KIND]):
        first, count = streets.link[lane, ROW], streets.link[lane, ROWS]
        line = streets.points[first : first + count]
        at, kind, plan = streets.measure[lane, GATE_AT], streets.link[lane, GATE_KIND], streets.link[lane, GATE_PLAN]
        if streets.link[lane, JUNCTION] >= 0:
            places = [s + at for s in _driven(points, line, float(streets.measure[lane, LENGTH]))]
        else:  # the path may leave the lane before the lane ends, so only passing the line counts
            row = min(max(round(float(at) / float(streets.measure[lane, LENGTH]) * (count - 1)), 0), count - 1)
            places = list(_passes(points, line[row]))
        found += [(float(s), int(kind), int(plan)) for s in places]
    length = (len(points) - 1) * float(ROUTE_SPACING)
    found = sorted(g for g in found if 0.0 <= g[0] <= length)
    s, kind, plan = zip(*found) if found else ((), (), ())
    return np.array(s, np.float32), np.array(kind, np.int32), np.array(plan, np.int32)


def _passes(points: np.ndarray, place: np.ndarray) -> Iterator[float]:
    """Distances along a path at which it passes a place (x, y, yaw, ...) in that direction [m]."""
    away = np.hypot(points[:, 0] - place[0], points[:, 1] - place[1])
    near = np.flatnonzero((away < _ON_LANE) & (np.cos(points[:, 2] - place[2]) > _SAME_WAY))
    for run in np.split(near, np.flatnonzero(np.diff(near) > 1) + 1) if len(near) else ():
        k = run[np.argmin(away[run])]
        c, n = np.cos(points[k, 2]), np.sin(points[k, 2])
        along = (place[0] - points[k, 0]) * c + (place[1] - points[k, 1]) * n
        yield float(k * ROUTE_SPACING + np.clip(along, -ROUTE_SPACING, ROUTE_SPACING))


def _driven(points: np.ndarray, line: np.ndarray, length: float) -> Iterator[float]:
    """Distances along a path at which it enters a lane that it then follows to its end [m]."""
    for s in _passes(points, line[0]):
        # of several lanes that begin here, only one has both its middle and its end on the path
        for share in (0.5, 1.0):
            k = round((s + share * length) / float(ROUTE_SPACING))
            place = line[round(share * (len(line) - 1))]
            if k >= len(points) or np.hypot(*(points[k, :2] - place[:2])) > _ON_LANE:
                break
        else:
            yield s
