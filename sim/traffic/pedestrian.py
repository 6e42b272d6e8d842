"""Pedestrians: walkers that follow sidewalks and cross the road at crossings.

A walker follows a footway (`sim.road.graph.sidewalks`) from the end at which it entered, and at the other end takes
one that begins there.  It steps onto a crossing only when every approaching vehicle could stop comfortably.
"""

from __future__ import annotations

import numpy as np

from sim.actors.registry import DRIVES
from sim.core.geometry import clamp
from sim.core.hashing import hash_u32
from sim.core.kernel import kernel
from sim.road.graph.sidewalks import ROOM, YAW, X, Y
from sim.traffic.right_of_way import LANE, MODE, NEXT1, PICKS
from sim.traffic.state import CAP, KEEP, WALKER, S

BACKWARDS = NEXT1  # a walker's direction: 1 from the last point of its footway to the first
POLITE_BRAKING = np.float32(2.0)  # [m/s^2] that a walker expects drivers to brake with
KERB_ROOM = np.float32(5.0)  # [m] of margin on that braking distance
BESIDE = np.float32(3.0)  # [m] to the side of a vehicle's heading that still count as its way
AHEAD = np.float32(0.7)  # [m] of look-ahead along the footway
_0, _1, _2, _HALF = np.float32(0.0), np.float32(1.0), np.float32(2.0), np.float32(0.5)
_U = np.uint32


@kernel(inline=True)
def crossing_is_clear(world, traffic, roads, w, foot):
    """Whether every vehicle that drives towards a crossing could still stop before it."""
    n = world.kind.shape[1]
    kind, x, y, yaw, speed = world.kind, world.x, world.y, world.yaw, world.speed
    length, overhang = world.length, world.overhang
    driver = traffic.driver
    foot_start, foot_points = roads.foot_start, roads.foot_points
    clear = True
    for j in range(n):
        if DRIVES >> kind[w, j] & 1 == 0 or driver[w, j, MODE] == WALKER or speed[w, j] < _HALF:
            continue
        c, s = np.cos(yaw[w, j]), np.sin(yaw[w, j])
        front = length[w, j] - overhang[w, j]
        needed = speed[w, j] * speed[w, j] / (_2 * POLITE_BRAKING) + KERB_ROOM
        for k in range(foot_start[foot], foot_start[foot + 1], 2):
            dx, dy = foot_points[k, X] - x[w, j], foot_points[k, Y] - y[w, j]
            ahead = dx * c + dy * s
            if ahead > -_2 and abs(dy * c - dx * s) < BESIDE and ahead - front < needed:
                clear = False
                break
        if not clear:
            break
    return clear


@kernel(inline=True)
def walk(world, traffic, roads, w, i, dt):
    """Move walker i of world w by one tick."""
    seed, x, y, yaw, speed = world.seed, world.x, world.y, world.yaw, world.speed
    acceleration = world.acceleration
    driver, kinematics = traffic.driver, traffic.kinematics
    foot_start, foot_points, foot_crossing = roads.foot_start, roads.foot_points, roads.foot_crossing
    foot_link_start, foot_links = roads.foot_link_start, roads.foot_links
    foot, back = driver[w, i, LANE], driver[w, i, BACKWARDS]
    first, last = foot_start[foot], foot_start[foot + 1] - 1
    rows = np.float32(last - first)
    step = np.hypot(
        foot_points[first + 1, X] - foot_points[first, X], foot_points[first + 1, Y] - foot_points[first, Y]
    )
    whole = rows * step
    before = speed[w, i]
    v = kinematics[w, i, CAP]
    if kinematics[w, i, S] >= whole - AHEAD:
        e = 2 * foot + 1 - back
        begin, count = foot_link_start[e], foot_link_start[e + 1] - foot_link_start[e]
        key = hash_u32(_U(seed[w]) ^ hash_u32(_U(i * 7919 + driver[w, i, PICKS])))
        entered = foot_links[begin + np.int32(key % _U(count))]
        onto = entered // 2
        if (
            foot_crossing[onto] != 0
            and foot_crossing[foot] == 0
            and not crossing_is_clear(world, traffic, roads, w, onto)
        ):
            v = _0
            if kinematics[w, i, S] < whole:
                v = before
        else:
            driver[w, i, PICKS] += 1
            driver[w, i, LANE], driver[w, i, BACKWARDS] = onto, entered & 1
            kinematics[w, i, S] = _0
            foot, back = onto, entered & 1
            first, last = foot_start[foot], foot_start[foot + 1] - 1
            rows = np.float32(last - first)
            step = np.hypot(
                foot_points[first + 1, X] - foot_points[first, X], foot_points[first + 1, Y] - foot_points[first, Y]
            )
            whole = rows * step
    at = min(kinematics[w, i, S] + AHEAD, whole) / step
    k = first + int(clamp((rows - at) if back == 1 else at, _0, rows) + _HALF)
    way = _1 - _2 * np.float32(back)
    side = -kinematics[w, i, KEEP] * foot_points[k, ROOM] * way  # every walker keeps to its own right
    tx = foot_points[k, X] - side * np.sin(foot_points[k, YAW])
    ty = foot_points[k, Y] + side * np.cos(foot_points[k, YAW])
    dx, dy = tx - x[w, i], ty - y[w, i]
    away = np.hypot(dx, dy)
    if v > _0:
        stride = min(v * dt, away)
        if away > np.float32(1e-3):
            yaw[w, i] = np.arctan2(dy, dx)
            x[w, i] += stride * dx / away
            y[w, i] += stride * dy / away
        if away < _2:  # a walker displaced further than that catches up with its place first
            kinematics[w, i, S] += v * dt
    speed[w, i] = v
    acceleration[w, i] = (v - before) / dt
