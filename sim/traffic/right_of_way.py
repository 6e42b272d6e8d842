"""Right of way at junctions: a driver reserves its connecting lane before it enters.

Of two conflicting lanes only one can be reserved at a time.  A driver requests its lane when the junction comes within
braking distance and no vehicle is between.  The reservation is granted when the gate allows it (a green light, a stop
sign at which it has stopped), no conflicting lane is reserved or occupied, no driver with priority arrives in time, ego
does not come along there, and the lane behind the junction has room, so that no driver waits on a junction for
something that it blocks itself.  Priority: a driver without a sign goes before one with a yield sign, and that one
before one with a stop sign; among equals, a driver that does not turn left goes before oncoming ones that do, else the
one from the right goes first; at an all-way stop, the one that stopped first.  A driver that has stood for PATIENCE
goes first among those that wait, so that no cycle of drivers waits for ever.
"""

from __future__ import annotations

import numpy as np

from sim.core.geometry import wrap
from sim.core.kernel import kernel
from sim.road.graph.traffic_lights import GREEN, YELLOW, light_state
from sim.road.map.lane_arrays import (
    CONFLICT,
    CONFLICT_END,
    GATE,
    GATE_AT,
    GATE_KIND,
    GATE_PLAN,
    HEADING,
    JUNCTION,
    LENGTH,
    ROW,
    ROWS,
    TURN,
    X,
    Y,
)
from sim.traffic.state import DRIVER, S

# Columns of `TrafficState.driver`; those of `TrafficState.kinematics` are in `sim.traffic.state`.
MODE, LANE, NEXT1, NEXT2, NEXT3, RESERVED, OCCUPIED, SINCE, STOPPED, PICKS = range(10)

TIME_GAP = np.float32(4.0)  # [s] least time gap to a driver with priority ..
TIGHT_GAP = np.float32(2.0)  # .. and after PATIENCE has run out
PATIENCE = 80  # ticks
COMFORT = np.float32(2.5)  # [m/s^2] with which a driver stops for a light that turns yellow
NEAR_LINE = np.float32(5.0)  # [m] before a line within which a standing driver counts as stopped at it
STANDING = np.float32(0.3)  # [m/s]
LEFTWARD = np.float32(0.5)  # [rad] a lane that turns more than this turns left
TAIL_ROOM = np.float32(2.5)  # [m] left behind the last vehicle on the lane after the junction
EGO_SECONDS = np.float32(4.5)  # [s] of driving ahead of ego for which its routes stay free
BEHIND = np.float32(2.5)  # [m] off a driver's heading up to which ego counts as following it
EGO_FAR = np.float32(30.0)  # [m] beyond ego's reach; a connecting lane that starts further away is not checked
EGO_CREEPS = np.float32(0.1)  # [m/s] above which ego counts as moving on
EGO_TURN = np.float32(
    14.0
)  # [m] of ego's route that stay free while it moves on, or has its turn at a stop sign, for ..
EGO_PATIENCE = 60  # .. so many ticks
EGO_APART = np.float32(2.6)  # [m]
_0, _1 = np.float32(0.0), np.float32(1.0)
_LIGHT, _STOP = GATE["light"], GATE["stop"]


@kernel(inline=True)
def may_pass(kind, plan, clock, speed, line, stopped, braking):
    """Whether a gate lets a vehicle pass: not at red, nor at yellow if it can stop, nor at a stop sign before a stop.

    Args:
        kind: index into GATES; plan: a light's signal plan; clock: of the lights [ms].
        speed, line: of the vehicle [m/s], and its distance to the line [m]; stopped: whether it has stopped there.
        braking: with which it would stop for yellow [m/s^2].
    """
    answer = True
    if kind == _LIGHT:
        state = light_state(plan, clock)
        answer = state >= GREEN or (state == YELLOW and speed * speed > np.float32(2.0) * braking * max(line, _0))
    elif kind == _STOP:
        answer = stopped != 0
    return answer


@kernel(inline=True)
def is_open(roads, lane, clock, speed, line, stopped):
    """Whether a lane's gate, `line` [m] ahead, is open; yellow is open to drivers that cannot stop any more."""
    link = roads.link
    return may_pass(link[lane, GATE_KIND], link[lane, GATE_PLAN], clock, speed, line, stopped, COMFORT)


@kernel(inline=True)
def priority_of(roads, lane, clock):
    """Priority rank of a lane: 0 without control, 1 yield sign, 2 stop sign, 3 a light that is not green."""
    link = roads.link
    kind = link[lane, GATE_KIND]
    rank = 0
    if kind == _LIGHT:
        if light_state(link[lane, GATE_PLAN], clock) < GREEN:
            rank = 3
    elif kind == _STOP:
        rank = 2
    elif kind != 0:
        rank = 1
    return rank


@kernel(inline=True)
def conflicting(roads, a, b):
    """Whether two junction lanes conflict: they cannot be driven at the same time."""
    link, conflicts = roads.link, roads.conflicts
    found = False
    for k in range(link[a, CONFLICT], link[a, CONFLICT_END]):
        if conflicts[k] == b:
            found = True
            break
    return found


@kernel(inline=True)
def is_major(roads, lane):
    """Whether all conflicting lanes must yield or stop to this one: the ring of a roundabout, a main road.

    A driver there goes on even if it may have to wait within the junction: in a full ring all vehicles move on
    together, and none would if each waited for the one ahead to leave room.
    """
    link, conflicts = roads.link, roads.conflicts
    major = link[lane, GATE_KIND] == 0 and link[lane, CONFLICT_END] > link[lane, CONFLICT]
    for k in range(link[lane, CONFLICT], link[lane, CONFLICT_END]):
        major = major and link[conflicts[k], GATE_KIND] > _LIGHT
    return major


@kernel(inline=True)
def has_priority_over(roads, other, mine, clock, their_since, my_since):
    """Whether a driver on lane `other` has priority over one on `mine`; `since`: tick from which each stands."""
    measure = roads.measure
    theirs, my = priority_of(roads, other, clock), priority_of(roads, mine, clock)
    before = theirs < my
    if theirs == my:
        between = wrap(measure[other, HEADING] - measure[mine, HEADING])
        if my == 2:
            before = their_since >= 0 and (my_since < 0 or their_since < my_since)
            if their_since == my_since:
                before = np.float32(0.5) < between < np.float32(2.6)
        elif abs(between) > np.float32(2.2):
            before = measure[mine, TURN] > LEFTWARD and measure[other, TURN] <= LEFTWARD
        else:
            before = between > np.float32(0.3)  # it heads to my left: it comes from the right
    return before


@kernel(inline=True)
def ego_conflicts(world, roads, bank, w, i, lane, first_there):
    """Whether one of ego's routes soon crosses a lane, or ego stands on it; not where ego only follows driver i.

    first_there: ego stopped at its stop sign before driver i did, and it is ego's turn.
    """
    x, y, yaw, speed, length = world.x, world.y, world.yaw, world.speed, world.length
    overhang, route, route_s, route_offset = world.overhang, world.route, world.route_s, world.route_offset
    link, points = roads.link, roads.points
    path_points, path_start = bank.points, bank.path_start
    front = length[w, 0] - overhang[w, 0]
    least = EGO_TURN if first_there or speed[w, 0] > EGO_CREEPS else _0
    reach = front + max(speed[w, 0] * EGO_SECONDS, least)
    first, last = link[lane, ROW], link[lane, ROW] + link[lane, ROWS]
    near = False
    c, s = np.cos(yaw[w, i]), np.sin(yaw[w, i])
    dx, dy = x[w, 0] - x[w, i], y[w, 0] - y[w, i]
    if dx * c + dy * s < _0 and abs(dy * c - dx * s) < BEHIND and np.cos(yaw[w, 0] - yaw[w, i]) > np.float32(0.7):
        return False
    dx, dy = points[first, X] - x[w, 0], points[first, Y] - y[w, 0]
    far = reach + EGO_FAR
    for r in range(route.shape[1]):
        q = route[w, r] if dx * dx + dy * dy < far * far else -1
        if q < 0 or abs(route_offset[w, r]) > np.float32(4.0):
            continue
        start = path_start[q] + max(int((route_s[w, r] - overhang[w, 0]) * np.float32(2.0)), 0)
        stop = min(path_start[q] + int((route_s[w, r] + reach) * np.float32(2.0)) + 1, path_start[q + 1])
        for k in range(start, stop, 3):
            for row in range(first, last, 4):
                dx, dy = path_points[k, X] - points[row, X], path_points[k, Y] - points[row, Y]
                if dx * dx + dy * dy < EGO_APART * EGO_APART:
                    near = True
                    break
            if near:
                break
    return near


@kernel(inline=True)
def has_room(world, traffic, roads, w, i, exit_lane):
    """Whether the lane behind the junction has room for the whole of driver i, however slow the traffic on it is."""
    n = world.kind.shape[1]
    speed, length, overhang = world.speed, world.length, world.overhang
    driver, kinematics = traffic.driver, traffic.kinematics
    measure = roads.measure
    need = length[w, i] + TAIL_ROOM
    free = True
    for j in range(1, n):
        if j == i or driver[w, j, MODE] != DRIVER or driver[w, j, LANE] != exit_lane:
            continue
        # a moving vehicle will have made room by the time that i gets there
        tail = kinematics[w, j, S] - overhang[w, j] + speed[w, j] * np.float32(2.0)
        if tail < need and tail < measure[exit_lane, LENGTH]:
            free = False
            break
    return free


@kernel(inline=True)
def may_enter(world, traffic, roads, w, i, lane, after, line):
    """Whether driver i of world w may reserve `lane` now; `after`: the next lane; `line`: distance to its line [m]."""
    n = world.kind.shape[1]
    tick, clock, speed, length, overhang = world.tick[w], world.clock[w], world.speed, world.length, world.overhang
    driver, kinematics = traffic.driver, traffic.kinematics
    link, measure = roads.link, roads.measure
    if not is_open(roads, lane, clock, speed[w, i], line, driver[w, i, STOPPED]):
        return False
    if after >= 0 and not is_major(roads, lane) and not has_room(world, traffic, roads, w, i, after):
        return False
    my_since = driver[w, i, SINCE]
    waited = tick - my_since if my_since >= 0 else 0
    mine = priority_of(roads, lane, clock)
    for j in range(1, n):
        if j == i or driver[w, j, MODE] != DRIVER:
            continue
        for column in (RESERVED, OCCUPIED):
            held = driver[w, j, column]
            if held >= 0 and conflicting(roads, lane, held):
                return False
        # the junction lane that j enters next, if it belongs to this junction
        here = driver[w, j, LANE]
        other = driver[w, j, NEXT1]
        if other < 0 or link[here, JUNCTION] >= 0 or link[other, JUNCTION] != link[lane, JUNCTION]:
            continue
        if driver[w, j, RESERVED] >= 0 or not conflicting(roads, lane, other):
            continue
        if priority_of(roads, other, clock) == 3:
            continue
        away = (
            measure[here, LENGTH]
            + min(measure[other, GATE_AT], _0)
            - kinematics[w, j, S]
            - length[w, j]
            + overhang[w, j]
        )
        since = driver[w, j, SINCE]
        theirs = tick - since if since >= 0 else 0
        gap = TIME_GAP
        before = has_priority_over(roads, other, lane, clock, since, my_since)
        if waited > PATIENCE and mine < 3:
            gap = TIGHT_GAP
            before = (
                theirs > waited
                or (theirs == waited and j < i)
                or (theirs == 0 and priority_of(roads, other, clock) < mine)
            )
        elif theirs > PATIENCE:
            before = True
        if before and away < gap * max(speed[w, j], _1):
            return False
    return True
