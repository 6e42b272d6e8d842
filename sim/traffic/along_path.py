"""What is ahead on a path: the first actor that covers it, and the speed at which its bends can be taken.

Everything that drives along a path looks ahead with these two: route followers, and ego's path-following controller.
Lane drivers look along lanes, which knows their forks and lane changes (`sim.traffic.lane_driver`), and the measured
distances of propositions and observations are exact (`sim.perception.ego_relative`).
"""

from __future__ import annotations

import numpy as np

from sim.core.geometry import HALF, is_within
from sim.core.kernel import kernel
from sim.datatypes.road_map import CURVATURE, YAW, X, Y
from sim.datatypes.vocabulary import ROUTE_SPACING

STRIDE = 2  # points of a path between two bends that are looked at
_0, _2 = np.float32(0.0), np.float32(2.0)
_STRAIGHT = np.float32(1e-3)  # [1/m] a smaller curvature counts as straight


@kernel(inline=True)
def first_ahead(world, w, i, points, begin, last, steps, stride, room):  # type: ignore[no-untyped-def]
    """The first point of a path that another actor covers.

    Args:
        world: World; i: slot of the actor that drives, whose width counts; points: (K, 4+) x, y, yaw, ...
        begin, last: rows from which and up to which to look; steps: most rows to look at; stride: one row in so many.
        room: clearance on all sides of the others [m].

    Returns:
        Rows from `begin` to the point, `steps` if there is none, and the other's speed along the path there [m/s].
    """
    nearest, pace = steps, _0
    begin_x, begin_y = points[min(begin, last), X], points[min(begin, last), Y]
    for j in range(world.kind.shape[1]):
        if j == i or world.kind[w, j] == 0:
            continue
        c, s = np.cos(world.yaw[w, j]), np.sin(world.yaw[w, j])
        middle = HALF * world.length[w, j] - world.overhang[w, j]
        x, y = world.x[w, j] + middle * c, world.y[w, j] + middle * s
        along = HALF * world.length[w, j] + room
        across = HALF * (world.width[w, j] + world.width[w, i]) + room
        far = np.float32(nearest) * ROUTE_SPACING + along + across  # no point of the path reaches further
        if (x - begin_x) ** 2 + (y - begin_y) ** 2 > far * far:
            continue
        for step in range(0, nearest, stride):
            row = begin + step
            if row > last:
                break
            if is_within(points[row, X], points[row, Y], x, y, c, s, along, across):
                nearest = step
                pace = world.speed[w, j] * (np.cos(points[row, YAW]) * c + np.sin(points[row, YAW]) * s)
                break
    return nearest, pace


@kernel(inline=True)
def bend_speed(points, k, last, cruise, lateral, braking, steps):  # type: ignore[no-untyped-def]
    """Highest speed [m/s] at row k of a path, up to `cruise`, from which every bend ahead can still be taken.

    Args:
        last: the path's last row; lateral, braking: greatest accelerations in bends and before them [m/s^2].
        steps: number of points to look at, STRIDE rows apart.
    """
    fastest = cruise
    for step in range(steps):
        row = k + STRIDE * step
        if row > last:
            break
        there = lateral / max(abs(points[row, CURVATURE]), _STRAIGHT)
        fastest = min(fastest, np.sqrt(there + _2 * braking * np.float32(STRIDE * step) * ROUTE_SPACING))
    return fastest
