"""Walkers keep to pavements and cross where a crossing is; scripted actors wait for their cue and follow a path.

A walker follows a footway (`sim.footways`) from the end at which he has entered it, and at its other end takes one that
begins there.  He steps onto a crossing only when whoever comes along could stop comfortably.
"""

from __future__ import annotations

import numpy as np

from sim.dynamics import clamp, stopping_speed
from sim.kernel import kernel
from sim.rain import mix
from sim.rightofway import CAP, KEEP, LANE, MODE, NEXT1, PICKS, WALKER, S
from sim.types import KIND

BACKWARDS = NEXT1  # a walker's direction: 1 from the last point of his footway to the first
POLITE_BRAKING = np.float32(2.0)  # [m/s^2] that a walker trusts drivers to brake with
KERB_ROOM = np.float32(5.0)  # [m] beyond that
BESIDE = np.float32(3.0)  # [m] off a driver's heading that is still his way
AHEAD = np.float32(0.7)  # [m] along his footway a walker looks to
# What a script waits for: seconds, metres to ego, metres of ego's way beyond the junction's edge (below 0: before it).
NEVER, AFTER, WITHIN, ALONG = range(4)
ON_WAY = np.float32(3.0)  # [m] off one of its ways ego is still on it
SPEED_UP, SLOW_DOWN = np.float32(2.5), np.float32(5.0)  # [m/s^2] of a script with a speed for every leg
CUE, VALUE, PACE = range(3)  # columns of Scripts.cue
MOST_POINTS = 8  # of a script's path
_0, _1, _2, _HALF = np.float32(0.0), np.float32(1.0), np.float32(2.0), np.float32(0.5)
_U = np.uint32
_BICYCLE = KIND["bicycle"]


@kernel(inline=True)
def crossing_is_clear(w, n, foot, kind, mind, x, y, yaw, speed, length, overhang, foot_start, foot_points):
    """Whether everyone who drives towards a crossing could still stop before it."""
    clear = True
    for j in range(n):
        if kind[w, j] == 0 or kind[w, j] > _BICYCLE or mind[w, j, MODE] == WALKER or speed[w, j] < _HALF:
            continue
        c, s = np.cos(yaw[w, j]), np.sin(yaw[w, j])
        front = length[w, j] - overhang[w, j]
        needed = speed[w, j] * speed[w, j] / (_2 * POLITE_BRAKING) + KERB_ROOM
        for k in range(foot_start[foot], foot_start[foot + 1], 2):
            dx, dy = foot_points[k, 0] - x[w, j], foot_points[k, 1] - y[w, j]
            ahead = dx * c + dy * s
            if ahead > -_2 and abs(dy * c - dx * s) < BESIDE and ahead - front < needed:
                clear = False
                break
        if not clear:
            break
    return clear


@kernel(inline=True)
def walk(w, i, n, dt, seed, kind, mind, course, x, y, yaw, speed, acceleration, length, overhang, foot_start,
         foot_points, foot_crossing, foot_link_start, foot_links):  # fmt: skip
    """Move walker i of world w on by one tick."""
    foot, back = mind[w, i, LANE], mind[w, i, BACKWARDS]
    first, last = foot_start[foot], foot_start[foot + 1] - 1
    rows = np.float32(last - first)
    step = np.hypot(
        foot_points[first + 1, 0] - foot_points[first, 0], foot_points[first + 1, 1] - foot_points[first, 1]
    )
    whole = rows * step
    before = speed[w, i]
    v = course[w, i, CAP]
    if course[w, i, S] >= whole - AHEAD:
        e = 2 * foot + 1 - back
        begin, count = foot_link_start[e], foot_link_start[e + 1] - foot_link_start[e]
        key = mix(_U(seed[w]) ^ mix(_U(i * 7919 + mind[w, i, PICKS])))
        entered = foot_links[begin + np.int32(key % _U(count))]
        onto = entered // 2
        if (
            foot_crossing[onto] != 0
            and foot_crossing[foot] == 0
            and not crossing_is_clear(
                w, n, onto, kind, mind, x, y, yaw, speed, length, overhang, foot_start, foot_points
            )
        ):
            v = _0
            if course[w, i, S] < whole:
                v = before
        else:
            mind[w, i, PICKS] += 1
            mind[w, i, LANE], mind[w, i, BACKWARDS] = onto, entered & 1
            course[w, i, S] = _0
            foot, back = onto, entered & 1
            first, last = foot_start[foot], foot_start[foot + 1] - 1
            rows = np.float32(last - first)
            step = np.hypot(
                foot_points[first + 1, 0] - foot_points[first, 0], foot_points[first + 1, 1] - foot_points[first, 1]
            )
            whole = rows * step
    at = min(course[w, i, S] + AHEAD, whole) / step
    k = first + int(clamp((rows - at) if back == 1 else at, _0, rows) + _HALF)
    way = _1 - _2 * np.float32(back)
    side = -course[w, i, KEEP] * foot_points[k, 3] * way  # everyone keeps to his own right
    tx = foot_points[k, 0] - side * np.sin(foot_points[k, 2])
    ty = foot_points[k, 1] + side * np.cos(foot_points[k, 2])
    dx, dy = tx - x[w, i], ty - y[w, i]
    away = np.hypot(dx, dy)
    if v > _0:
        stride = min(v * dt, away)
        if away > np.float32(1e-3):
            yaw[w, i] = np.arctan2(dy, dx)
            x[w, i] += stride * dx / away
            y[w, i] += stride * dy / away
        if away < _2:  # who has been led aside catches up with his place first
            course[w, i, S] += v * dt
    speed[w, i] = v
    acceleration[w, i] = (v - before) / dt


@kernel(inline=True)
def is_along(w, beyond, route, route_s, route_offset, junction_in):
    """Whether ego's rear axle is so far [m] behind its junction's edge on one of its ways; below 0: before it."""
    there = False
    for r in range(route.shape[1]):
        q = route[w, r]
        if q >= 0 and abs(route_offset[w, r]) < ON_WAY and route_s[w, r] - junction_in[q] >= beyond:
            there = True
    return there


@kernel(inline=True)
def follow_legs(w, i, dt, points, count, course, x, y, yaw, speed, acceleration, wheelbase):
    """Move on along a script's path with a pace for every leg: pedals take time, and rear and front axle keep to it."""
    whole, wanted = _0, _0
    for k in range(count[w, i] - 1):
        dx, dy = points[w, i, k + 1, 0] - points[w, i, k, 0], points[w, i, k + 1, 1] - points[w, i, k, 1]
        if course[w, i, S] >= whole:
            wanted = points[w, i, k, 2]
        whole += np.hypot(dx, dy)
    before = speed[w, i]
    wanted = min(wanted, stopping_speed(before, max(whole - course[w, i, S], _0), SLOW_DOWN, dt))
    v = max(before + clamp(wanted - before, -SLOW_DOWN * dt, SPEED_UP * dt), _0)
    if course[w, i, S] >= whole - np.float32(0.02):
        v = _0
    course[w, i, S] = min(course[w, i, S] + _HALF * (before + v) * dt, whole)
    rx, ry = place_on(w, i, course[w, i, S], points, count)
    fx, fy = place_on(w, i, course[w, i, S] + wheelbase[w, i], points, count)
    x[w, i], y[w, i], yaw[w, i] = rx, ry, np.arctan2(fy - ry, fx - rx)
    speed[w, i], acceleration[w, i] = v, (v - before) / dt


@kernel(inline=True)
def place_on(w, i, s, points, count):
    """x, y [m] of the point `s` [m] along a script's path, or beyond its end straight on."""
    left = s
    px, py = points[w, i, 0, 0], points[w, i, 0, 1]
    for k in range(count[w, i] - 1):
        dx, dy = points[w, i, k + 1, 0] - points[w, i, k, 0], points[w, i, k + 1, 1] - points[w, i, k, 1]
        piece = np.hypot(dx, dy)
        share = left / piece
        px, py = points[w, i, k, 0] + share * dx, points[w, i, k, 1] + share * dy
        if share <= _1:
            break
        left -= piece
    return px, py


@kernel(inline=True)
def follow_script(w, i, dt, tick, cue, points, count, mind, course, x, y, yaw, speed, acceleration, wheelbase, route,
                  route_s, route_offset, junction_in):  # fmt: skip
    """Move scripted actor i of world w on by one tick: it stands until its cue, and again at its path's end."""
    if mind[w, i, PICKS] == 0:
        started = False
        if cue[w, i, CUE] == AFTER:
            started = np.float32(tick[w]) * dt >= cue[w, i, VALUE] - np.float32(1e-4)
        elif cue[w, i, CUE] == WITHIN:
            dx, dy = x[w, 0] - x[w, i], y[w, 0] - y[w, i]
            started = dx * dx + dy * dy <= cue[w, i, VALUE] * cue[w, i, VALUE]
        elif cue[w, i, CUE] == ALONG:
            started = is_along(w, cue[w, i, VALUE], route, route_s, route_offset, junction_in)
        if not started:
            return
        mind[w, i, PICKS] = 1
    if points[w, i, 0, 2] > _0:
        follow_legs(w, i, dt, points, count, course, x, y, yaw, speed, acceleration, wheelbase)
        return
    course[w, i, S] += cue[w, i, PACE] * dt
    left = course[w, i, S]
    before, v = speed[w, i], _0
    for k in range(count[w, i] - 1):
        dx, dy = points[w, i, k + 1, 0] - points[w, i, k, 0], points[w, i, k + 1, 1] - points[w, i, k, 1]
        piece = np.hypot(dx, dy)
        share = min(left / piece, _1)
        x[w, i], y[w, i] = points[w, i, k, 0] + share * dx, points[w, i, k, 1] + share * dy
        yaw[w, i] = np.arctan2(dy, dx)
        left -= piece
        if left < _0:
            v = cue[w, i, PACE]
            break
    speed[w, i] = v
    acceleration[w, i] = (v - before) / dt
