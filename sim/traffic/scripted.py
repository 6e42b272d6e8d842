"""Scripted actors: each waits for its trigger, then follows the path and speeds of the scenario."""

from __future__ import annotations

import numpy as np

from sim.core.geometry import clamp
from sim.core.kernel import kernel
from sim.dynamics.bicycle import stopping_speed
from sim.traffic.right_of_way import PICKS
from sim.traffic.state import S

_0, _1, _HALF = np.float32(0.0), np.float32(1.0), np.float32(0.5)

# Trigger types: none; after some seconds; within some metres of ego; ego some metres along its route beyond the
# junction's edge (below 0: before it).
NEVER, AFTER, WITHIN, ALONG = range(4)
ON_WAY = np.float32(3.0)  # [m] off one of its routes up to which ego counts as on it
SPEED_UP, SLOW_DOWN = np.float32(2.5), np.float32(5.0)  # [m/s^2] of a script with a speed for every leg
X, Y, LEG_SPEED = range(3)  # columns of TrafficState.path
TRIGGER, VALUE, PACE = range(3)  # columns of TrafficState.trigger


@kernel(inline=True)
def is_along(world, bank, w, beyond):
    """Whether ego's rear axle is `beyond` [m] or more past its junction's edge on a route; below 0: before it."""
    route, route_s, route_offset = world.route, world.route_s, world.route_offset
    junction_in = bank.junction_in
    there = False
    for r in range(route.shape[1]):
        q = route[w, r]
        if q >= 0 and abs(route_offset[w, r]) < ON_WAY and route_s[w, r] - junction_in[q] >= beyond:
            there = True
    return there


@kernel(inline=True)
def follow_legs(world, traffic, w, i, dt):
    """Follow a script's path with a speed per leg: acceleration is limited, and both axles stay on the path."""
    x, y, yaw, speed, acceleration = world.x, world.y, world.yaw, world.speed, world.acceleration
    wheelbase = world.wheelbase
    points, count, kinematics = traffic.path, traffic.points, traffic.kinematics
    whole, wanted = _0, _0
    for k in range(count[w, i] - 1):
        dx, dy = points[w, i, k + 1, X] - points[w, i, k, X], points[w, i, k + 1, Y] - points[w, i, k, Y]
        if kinematics[w, i, S] >= whole:
            wanted = points[w, i, k, LEG_SPEED]
        whole += np.hypot(dx, dy)
    before = speed[w, i]
    wanted = min(wanted, stopping_speed(before, max(whole - kinematics[w, i, S], _0), SLOW_DOWN, dt))
    v = max(before + clamp(wanted - before, -SLOW_DOWN * dt, SPEED_UP * dt), _0)
    if kinematics[w, i, S] >= whole - np.float32(0.02):
        v = _0
    kinematics[w, i, S] = min(kinematics[w, i, S] + _HALF * (before + v) * dt, whole)
    rx, ry = place_on(traffic, w, i, kinematics[w, i, S])
    fx, fy = place_on(traffic, w, i, kinematics[w, i, S] + wheelbase[w, i])
    x[w, i], y[w, i], yaw[w, i] = rx, ry, np.arctan2(fy - ry, fx - rx)
    speed[w, i], acceleration[w, i] = v, (v - before) / dt


@kernel(inline=True)
def place_on(traffic, w, i, s):
    """x, y [m] of the point `s` [m] along a script's path, extended straight beyond its end."""
    points, count = traffic.path, traffic.points
    left = s
    px, py = points[w, i, 0, X], points[w, i, 0, Y]
    for k in range(count[w, i] - 1):
        dx, dy = points[w, i, k + 1, X] - points[w, i, k, X], points[w, i, k + 1, Y] - points[w, i, k, Y]
        piece = np.hypot(dx, dy)
        share = left / piece
        px, py = points[w, i, k, X] + share * dx, points[w, i, k, Y] + share * dy
        if share <= _1:
            break
        left -= piece
    return px, py


@kernel(inline=True)
def follow_script(world, traffic, bank, w, i, dt):
    """Move scripted actor i of world w by one tick: it stands until its trigger, and again at its path's end."""
    tick, x, y, yaw, speed = world.tick, world.x, world.y, world.yaw, world.speed
    acceleration = world.acceleration
    trigger, points, count = traffic.trigger, traffic.path, traffic.points
    driver, kinematics = traffic.driver, traffic.kinematics
    if driver[w, i, PICKS] == 0:
        started = False
        if trigger[w, i, TRIGGER] == AFTER:
            started = np.float32(tick[w]) * dt >= trigger[w, i, VALUE] - np.float32(1e-4)
        elif trigger[w, i, TRIGGER] == WITHIN:
            dx, dy = x[w, 0] - x[w, i], y[w, 0] - y[w, i]
            started = dx * dx + dy * dy <= trigger[w, i, VALUE] * trigger[w, i, VALUE]
        elif trigger[w, i, TRIGGER] == ALONG:
            started = is_along(world, bank, w, trigger[w, i, VALUE])
        if not started:
            return
        driver[w, i, PICKS] = 1
    if points[w, i, 0, LEG_SPEED] > _0:
        follow_legs(world, traffic, w, i, dt)
        return
    kinematics[w, i, S] += trigger[w, i, PACE] * dt
    left = kinematics[w, i, S]
    before, v = speed[w, i], _0
    for k in range(count[w, i] - 1):
        dx, dy = points[w, i, k + 1, X] - points[w, i, k, X], points[w, i, k + 1, Y] - points[w, i, k, Y]
        piece = np.hypot(dx, dy)
        share = min(left / piece, _1)
        x[w, i], y[w, i] = points[w, i, k, X] + share * dx, points[w, i, k, Y] + share * dy
        yaw[w, i] = np.arctan2(dy, dx)
        left -= piece
        if left < _0:
            v = trigger[w, i, PACE]
            break
    speed[w, i] = v
    acceleration[w, i] = (v - before) / dt
