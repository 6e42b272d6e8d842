"""The step kernel: advances path followers and ego by one tick and evaluates termination.

Traffic on the lane graph moves before this step, see `sim.traffic.step`.
"""

from __future__ import annotations

import numpy as np

from sim.actors.registry import COLLIDES, EGO
from sim.core.geometry import HALF, boxes_touch, wrap
from sim.core.kernel import kernel
from sim.datatypes.road_map import YAW, X, Y
from sim.datatypes.vocabulary import OUTCOME
from sim.dynamics.bicycle import drive, grip_of, limits_of
from sim.dynamics.friction import wetness_of
from sim.road.graph.traffic_lights import RED, light_state
from sim.road.map.lane_arrays import GATE
from sim.road.map.obstacle_grid import CELL
from sim.road.map.surface import wheels_off_road
from sim.traffic.car_following import project_onto_path, step_path_follower

OFF_ROAD_WHEELS = 2  # with this many wheels off the drivable surface an episode ends
ON_ROUTE = np.float32(5.5)  # [m] from a route's line within which ego is still on its road, wrong lane included
ON_LANE = np.float32(2.0)  # [m] from a route's line within which its lights and signs apply to ego
ANYWHERE = np.float32(1e9)  # [m] off a route; for worlds in which a deviation ends nothing
ALONG_ROUTE = np.float32(np.pi / 3)  # [rad] between ego's heading and the route's
HALT_SPEED = np.float32(0.1)  # [m/s] and ..
HALT_BEFORE = np.float32(5.0)  # .. [m] before a stop line: a slower ego has stopped (CARLA: 0.1 m/s within 4 m)
OPEN_LIGHT, RED_LIGHT, STOP_LINE, NEAR_STOP = 1, 2, 4, 8
STEP_ACTORS, STEP_EGO, EVALUATE_TERMINATION = (
    1,
    2,
    4,
)  # parts of a step, in order; a caller may move ego itself instead of STEP_EGO
WHOLE = STEP_ACTORS | STEP_EGO | EVALUATE_TERMINATION
ZERO, ONE = np.float32(0.0), np.float32(1.0)

RUNNING, ARRIVED, COLLISION, OFF_ROAD, TIMEOUT, DEVIATED = (
    OUTCOME[name] for name in ("running", "arrived", "collision", "off_road", "timeout", "deviated")
)
EGO_LIMITS = limits_of(EGO)
_PER_CELL = np.float32(1.0 / CELL)
_LIGHT, _STOP = GATE["light"], GATE["stop"]


@kernel(inline=True)
def scenery_hit(x, y, cos, sin, length, width, m, bank):  # type: ignore[no-untyped-def]
    """The kind of scenery that a box collides with, 0 for none; x, y: its centre [m]."""
    collided_with = 0
    column = int(np.floor((x - bank.cell_origin[m, 0]) * _PER_CELL))
    row = int(np.floor((y - bank.cell_origin[m, 1]) * _PER_CELL))
    if 0 <= row < bank.cell_shape[m, 0] and 0 <= column < bank.cell_shape[m, 1]:
        cell = bank.cell_first[m] + row * bank.cell_shape[m, 1] + column
        for k in range(bank.cell_start[cell], bank.cell_start[cell + 1]):
            i = bank.cell_items[k]
            b = bank.boxes
            if boxes_touch(x, y, cos, sin, length, width, b[i, 0], b[i, 1], b[i, 2], b[i, 3], b[i, 4], b[i, 5]):
                collided_with = bank.box_kind[i]
                break
    return collided_with


@kernel(inline=True)
def actor_hit(w, n, x, y, yaw, length, width, overhang, kind, cos, sin):  # type: ignore[no-untyped-def]
    """The kind of the actor or sign that ego collides with, 0 for none; a ball rolls away and does not count."""
    collided_with = 0
    middle = HALF * length[w, 0] - overhang[w, 0]
    cx, cy = x[w, 0] + middle * cos, y[w, 0] + middle * sin
    for i in range(1, n):
        if COLLIDES >> kind[w, i] & 1 == 0:
            continue
        dx, dy = x[w, i] - cx, y[w, i] - cy
        near = length[w, 0] + length[w, i]
        if dx * dx + dy * dy > near * near:
            continue
        ci, si = np.cos(yaw[w, i]), np.sin(yaw[w, i])
        centre = HALF * length[w, i] - overhang[w, i]
        if boxes_touch(cx, cy, cos, sin, length[w, 0], width[w, 0], x[w, i] + centre * ci, y[w, i] + centre * si, ci,
                       si, length[w, i], width[w, i]):  # fmt: skip
            collided_with = kind[w, i]
            break
    return collided_with


@kernel(inline=True)
def lines_passed(q, before, now, front, clock, gate_start, gate_s, gate_kind, gate_plan):  # type: ignore[no-untyped-def]
    """Lines that ego's front passes on path q this tick: a bit set of OPEN_LIGHT, RED_LIGHT, STOP_LINE and NEAR_STOP.

    Args:
        before, now: progress along the path [m]; front: distance from the rear axle to the front bumper [m].
    """
    seen = 0
    for g in range(gate_start[q], gate_start[q + 1]):
        ahead = gate_s[g] - front - now
        passed = ahead <= ZERO and gate_s[g] - front - before > ZERO
        if gate_kind[g] == _STOP and ZERO < ahead < HALT_BEFORE:
            seen |= NEAR_STOP
        if passed and gate_kind[g] == _STOP:
            seen |= STOP_LINE
        elif passed and gate_kind[g] == _LIGHT:
            seen |= RED_LIGHT if light_state(gate_plan[g], clock) == RED else OPEN_LIGHT
    return seen


@kernel(inline=True)
def count_lines(w, seen, speed, red_lights, stop_signs, stopped_at_line):  # type: ignore[no-untyped-def]
    """Count red-light and stop-sign violations from the `lines_passed` of all routes; record a stop at a line."""
    # Routes that part behind a line may have their own lights: it counts as red only if none of them was open.
    if seen & (RED_LIGHT | OPEN_LIGHT) == RED_LIGHT:
        red_lights[w] += 1
    if seen & STOP_LINE:
        if stopped_at_line[w] == 0:
            stop_signs[w] += 1
        stopped_at_line[w] = 0
    elif seen & NEAR_STOP and abs(speed) < HALT_SPEED:
        stopped_at_line[w] = 1


@kernel(inline=True)
def outcome_of(collided_with, off, arrived, strayed, late):  # type: ignore[no-untyped-def]
    """The outcome of an episode: the first of the conditions below that holds, in the order of the code.

    Args:
        collided_with: the kind of object that ego touches, 0 for none; off: number of wheels off the road.
    """
    outcome = RUNNING
    if collided_with != 0:
        outcome = COLLISION
    elif off >= OFF_ROAD_WHEELS:
        outcome = OFF_ROAD
    elif arrived:
        outcome = ARRIVED
    elif strayed:
        outcome = DEVIATED
    elif late:
        outcome = TIMEOUT
    return outcome


@kernel
def step_worlds(bank, world, goal, limits, drivable, steer_asked, pedal, reverse, dt, substeps, parts, start, stop):  # type: ignore[no-untyped-def]
    """Advance worlds start .. stop by one tick, or execute some parts of it.

    Args:
        goal: (B, 2) metres beyond the junction at which ego arrives, metres off the route at which it has deviated.
        limits: `limits_of` ego; drivable: by SURFACES; steer_asked, pedal, reverse: (B,) of ego.
        parts: a sum of STEP_ACTORS, STEP_EGO and EVALUATE_TERMINATION.
    """
    x, y, yaw, speed = world.x, world.y, world.yaw, world.speed
    steer, acceleration = world.steer, world.acceleration
    length, width, wheelbase, overhang = world.length, world.width, world.wheelbase, world.overhang
    kind, path = world.kind, world.path
    points, path_start = bank.points, bank.path_start
    n = x.shape[1]
    for w in range(start, stop):
        if world.outcome[w] != RUNNING:
            continue
        # The other actors move first: they react to ego's current position, as ego's own action did to theirs.
        for i in range(1, n if parts & STEP_ACTORS else 0):
            if kind[w, i] != 0 and path[w, i] >= 0:
                step_path_follower(world, bank, w, i, dt)  # fmt: skip
        ex, ey, eyaw, ev = x[w, 0], y[w, 0], yaw[w, 0], speed[w, 0]
        if parts & STEP_EGO:
            before = ev
            ex, ey, eyaw, ev, delta = drive(
                ex, ey, eyaw, before, steer[w, 0], acceleration[w, 0], steer_asked[w], pedal[w], reverse[w],
                grip_of(wetness_of(world.weather[w])), limits, wheelbase[w, 0], dt, substeps,
            )  # fmt: skip
            x[w, 0], y[w, 0], yaw[w, 0], speed[w, 0], steer[w, 0] = ex, ey, wrap(eyaw), ev, delta
            acceleration[w, 0] = (ev - before) / dt
        if not parts & EVALUATE_TERMINATION:
            continue
        world.tick[w] += 1
        cos, sin = np.cos(eyaw), np.sin(eyaw)

        arrived, strayed, seen = False, False, 0
        for r in range(world.route.shape[1]):
            q = world.route[w, r]
            if q < 0:
                continue
            s, offset, k = project_onto_path(points, path_start[q], path_start[q + 1] - 1, world.route_s[w, r], ex, ey)
            if abs(offset) < ON_LANE:
                seen |= lines_passed(q, world.route_s[w, r], s, length[w, 0] - overhang[w, 0], world.clock[w],
                                     bank.gate_start, bank.gate_s, bank.gate_kind, bank.gate_plan)  # fmt: skip
            world.route_s[w, r] = s
            world.route_offset[w, r] = offset
            if s > bank.junction_out[q] and abs(offset) < ON_ROUTE and abs(wrap(eyaw - points[k, YAW])) < ALONG_ROUTE:
                world.shown_decision[w] = bank.decision[q]
                arrived = arrived or s > bank.junction_out[q] + goal[w, 0]
            dx, dy = points[k, X] - ex, points[k, Y] - ey
            strayed = dx * dx + dy * dy > goal[w, 1] * goal[w, 1]
        count_lines(w, seen, ev, world.red_lights, world.stop_signs, world.stopped_at_line)

        collided_with = actor_hit(w, n, x, y, yaw, length, width, overhang, kind, cos, sin)
        if collided_with == 0:
            middle = HALF * length[w, 0] - overhang[w, 0]
            collided_with = scenery_hit(ex + middle * cos, ey + middle * sin, cos, sin, length[w, 0], width[w, 0],
                                        world.map[w], bank)  # fmt: skip
        off = wheels_off_road(ex, ey, cos, sin, wheelbase[w, 0], width[w, 0], world.map[w], bank, drivable)
        world.collided_with[w] = collided_with
        world.outcome[w] = outcome_of(collided_with, off, arrived, strayed, world.tick[w] >= world.time_limit[w])
