"""Vehicles that follow a path: steering by pure pursuit, gaps by the Intelligent Driver Model (IDM).

IDM: Treiber, Hennecke, Helbing, Congested traffic states in empirical observations, Phys. Rev. E 62 (2000), eq. 2-3.
Pure pursuit: Coulter, Implementation of the Pure Pursuit Path Tracking Algorithm, CMU-RI-TR-92-01 (1992).
"""

from __future__ import annotations

import numpy as np

from sim.core.geometry import HALF, clamp
from sim.core.kernel import kernel
from sim.datatypes.road_map import YAW, X, Y
from sim.datatypes.vocabulary import ROUTE_SPACING
from sim.dynamics.bicycle import bicycle

ZERO = np.float32(0.0)
ONE = np.float32(1.0)
TWO = np.float32(2.0)
NO_GAP = np.float32(1e6)
IDM_ACCELERATION = np.float32(1.5)  # [m/s^2]
IDM_BRAKING = np.float32(2.5)  # [m/s^2], comfortable
IDM_HEADWAY = np.float32(1.2)  # [s]
IDM_GAP = np.float32(2.0)  # [m], when standing
IDM_ROOT = np.float32(2.0 * np.sqrt(float(IDM_ACCELERATION) * float(IDM_BRAKING)))
HARDEST = np.float32(-7.0)  # [m/s^2], the limit of the tyres
LANE_MARGIN = np.float32(0.3)  # [m] of lateral clearance below which a vehicle ahead counts as in the way
MAX_STEER = np.float32(0.6)  # [rad]
LOOK_SECONDS = np.float32(0.9)  # look-ahead of pure pursuit [s] ..
LOOK_LEAST = np.float32(3.0)  # .. and its least length [m]
LOOK_MOST = np.float32(12.0)
FREE = np.float32(0.1)


@kernel(inline=True)
def idm(speed, wanted, gap, closing):  # type: ignore[no-untyped-def]
    """IDM acceleration [m/s^2] at desired speed `wanted` [m/s], `gap` [m] ahead, closing at `closing` [m/s]."""
    ratio = speed / max(wanted, FREE)
    square = ratio * ratio
    safe = IDM_GAP + max(ZERO, speed * IDM_HEADWAY + speed * closing / IDM_ROOT)
    near = safe / max(gap, FREE)
    return max(IDM_ACCELERATION * (ONE - square * square - near * near), HARDEST)


@kernel(inline=True)
def project_onto_path(points, first, last, s, x, y):  # type: ignore[no-untyped-def]
    """Project a point onto a path, searching onwards from its previous position.

    Args:
        points: (P, 4) of `MapArrays`; first, last: rows of the path's ends; s: previous position along the path [m];
            x, y: the point [m].

    Returns:
        s [m] of the nearest point, its signed offset to the left [m], the row of the segment.
    """
    k = first + min(max(int(s / ROUTE_SPACING), 0), last - first - 1)
    best = (points[k, X] - x) ** 2 + (points[k, Y] - y) ** 2
    while k < last:
        ahead = (points[k + 1, X] - x) ** 2 + (points[k + 1, Y] - y) ** 2
        if ahead >= best:
            break
        best = ahead
        k += 1
    while k > first:
        behind = (points[k - 1, X] - x) ** 2 + (points[k - 1, Y] - y) ** 2
        if behind >= best:
            break
        best = behind
        k -= 1
    c = np.cos(points[k, YAW])
    n = np.sin(points[k, YAW])
    dx = x - points[k, X]
    dy = y - points[k, Y]
    along = dx * c + dy * n
    limit = ROUTE_SPACING
    return np.float32(k - first) * ROUTE_SPACING + clamp(along, -limit, limit), dy * c - dx * n, k


@kernel(inline=True)
def pure_pursuit(points, first, last, s, x, y, yaw, speed, wheelbase):  # type: ignore[no-untyped-def]
    """Front-wheel angle [rad] that brings the rear axle onto the path one look-ahead distance further on."""
    look = clamp(LOOK_SECONDS * speed, LOOK_LEAST, LOOK_MOST)
    k = min(first + int((s + look) / ROUTE_SPACING), last)
    dx = points[k, X] - x
    dy = points[k, Y] - y
    left = dy * np.cos(yaw) - dx * np.sin(yaw)
    square = max(dx * dx + dy * dy, ONE)
    return clamp(np.arctan(TWO * wheelbase * left / square), -MAX_STEER, MAX_STEER)


@kernel(inline=True)
def leader_gap(world, w, i):  # type: ignore[no-untyped-def]
    """Bumper-to-bumper gap [m] to the nearest actor in actor i's way, and the closing speed [m/s]."""
    n = world.kind.shape[1]
    x, y, yaw, speed, length = world.x, world.y, world.yaw, world.speed, world.length
    width, overhang, kind = world.width, world.overhang, world.kind
    c = np.cos(yaw[w, i])
    s = np.sin(yaw[w, i])
    gap = NO_GAP
    closing = ZERO
    front = length[w, i] - overhang[w, i]
    for j in range(n):
        if j == i or kind[w, j] == 0:
            continue
        # The other's box centre, in i's frame.
        middle = HALF * length[w, j] - overhang[w, j]
        cj = np.cos(yaw[w, j])
        sj = np.sin(yaw[w, j])
        dx = x[w, j] + middle * cj - x[w, i]
        dy = y[w, j] + middle * sj - y[w, i]
        ahead = dx * c + dy * s
        if ahead <= ZERO:
            continue
        # Half extents of the other's box as seen along and across i's heading.
        along = abs(c * cj + s * sj)
        across = abs(c * sj - s * cj)
        half_length = HALF * (length[w, j] * along + width[w, j] * across)
        half_width = HALF * (length[w, j] * across + width[w, j] * along)
        if abs(dy * c - dx * s) > HALF * width[w, i] + half_width + LANE_MARGIN:
            continue
        distance = ahead - half_length - front
        if distance < gap:
            gap = distance
            closing = speed[w, i] - speed[w, j] * (c * cj + s * sj)
    return gap, closing


@kernel(inline=True)
def step_path_follower(world, bank, w, i, dt):  # type: ignore[no-untyped-def]
    """Move path follower i of world w by one tick: IDM speed, pure-pursuit steering. It stops at its path's end."""
    x, y, yaw, speed, steer = world.x, world.y, world.yaw, world.speed, world.steer
    acceleration, wheelbase, path = world.acceleration, world.wheelbase, world.path
    path_s, target_speed = world.path_s, world.target_speed
    points, path_start = bank.points, bank.path_start
    first = path_start[path[w, i]]
    last = path_start[path[w, i] + 1] - 1
    gap, closing = leader_gap(world, w, i)
    to_end = np.float32(last - first) * ROUTE_SPACING - path_s[w, i]
    if to_end < gap:
        gap = to_end
        closing = speed[w, i]
    a = idm(speed[w, i], target_speed[w, i], gap, closing)
    delta = pure_pursuit(points, first, last, path_s[w, i], x[w, i], y[w, i], yaw[w, i], speed[w, i], wheelbase[w, i])
    x[w, i], y[w, i], yaw[w, i], after = bicycle(
        x[w, i], y[w, i], yaw[w, i], speed[w, i], delta, a, wheelbase[w, i], dt
    )
    acceleration[w, i] = (after - speed[w, i]) / dt
    speed[w, i] = after
    steer[w, i] = delta
    path_s[w, i], _, _ = project_onto_path(points, first, last, path_s[w, i], x[w, i], y[w, i])
