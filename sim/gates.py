"""Where a way over a map is held up: the lights, stop signs and yield signs that a path meets, and where."""

from __future__ import annotations

import numpy as np

from sim.roads import GATE_AT, GATE_KIND, JUNCTION, ROW, ROWS, STEP, Streets
from sim.types import ROUTE_SPACING

_ON = 1.2  # [m] a path that passes a lane's middle nearer than this follows it
_ALONG = 0.5  # cosine of the angle between a path and the lane that it follows, at least


def gates_along(points: np.ndarray, streets: Streets) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gates of a path in the order of its travel.

    Args:
        points: (K, 4) x, y [m], yaw [rad], curvature, ROUTE_SPACING apart.

    Returns:
        (G,) float32 metres along the path of each line; (G,) int32 its kind, an index into `sim.roads.GATES`; (G,)
        int32 the plan of its light, 0 where it is none.
    """
    found = []
    for lane in np.flatnonzero(streets.link[:, GATE_KIND]).tolist():
        row, rows = int(streets.link[lane, ROW]), int(streets.link[lane, ROWS])
        at = float(streets.measure[lane, GATE_AT])
        inside = streets.link[lane, JUNCTION] >= 0
        # A connecting lane is one of several with the same beginning: its middle and end tell whether it is driven.
        places = (0, rows // 2, rows - 1) if inside else (min(int(at / streets.measure[lane, STEP] + 0.5), rows - 1),)
        passed = [_passed(points, streets.points[row + k]) for k in places]
        along = [s for s in passed if s is not None]
        if len(along) < len(passed) or along != sorted(along):
            continue
        line = along[0] + (min(at, 0.0) if inside else 0.0)
        found.append((line, int(streets.link[lane, GATE_KIND]), int(streets.link[lane, GATE_KIND + 1])))
    found.sort()
    kept = [g for i, g in enumerate(found) if i == 0 or g[0] - found[i - 1][0] > 0.5 or g[1:] != found[i - 1][1:]]
    lines, kinds, plans = zip(*kept) if kept else ((), (), ())
    return np.array(lines, np.float32), np.array(kinds, np.int32), np.array(plans, np.int32)


def _passed(points: np.ndarray, place: np.ndarray) -> float | None:
    """Metres along a path at which it passes a place of a lane in the lane's direction; None where it does not."""
    away = np.hypot(points[:, 0] - place[0], points[:, 1] - place[1])
    away = np.where(np.cos(points[:, 2] - place[2]) > _ALONG, away, np.inf)
    k = int(np.argmin(away))
    return float(k * ROUTE_SPACING) if away[k] < _ON else None
