"""Who may enter a junction: a claim on a connecting lane, given to one driver at a time where ways cross.

A driver asks when the junction comes within braking distance and nobody is between.  The claim is given when the gate
allows it (a light that is green, a stop sign that was stopped at), nobody holds a lane in conflict, nobody with
precedence comes near in time, ego does not come along there, and the lane behind the junction has room, so that nobody
ever waits on a junction for what he himself blocks.  Precedence: a driver without a sign before one who must yield
before one who must stop; of equals, whoever does not turn left before oncoming ones who do, else who comes from the
right; at a stop from every side, who stood first.  Whoever has stood for PATIENCE goes first among those who wait:
with that no circle of drivers waits for each other for ever.
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
)
from sim.traffic.state import DRIVER, S

# Columns of a driver's whole numbers (`TrafficState.driver`) and of his other ones (`TrafficState.kinematics`).
MODE, LANE, NEXT1, NEXT2, NEXT3, RESERVED, OCCUPIED, SINCE, STOPPED, PICKS = range(10)

TIME_GAP = np.float32(4.0)  # [s] that a driver with precedence must be away ..
TIGHT_GAP = np.float32(2.0)  # .. and when patience has gone
PATIENCE = 80  # ticks
COMFORT = np.float32(2.5)  # [m/s^2] with which a driver stops for a light that turns yellow
NEAR_LINE = np.float32(5.0)  # [m] before a line who stands has stopped at it
STANDING = np.float32(0.3)  # [m/s]
LEFTWARD = np.float32(0.5)  # [rad] a lane that turns more than this turns left
TAIL_ROOM = np.float32(2.5)  # [m] left behind the last one on the lane after the junction
EGO_SECONDS = np.float32(4.5)  # so far ahead ego's ways are kept free
BEHIND = np.float32(2.5)  # [m] off a driver's heading ego still follows him
EGO_FAR = np.float32(30.0)  # [m] beyond ego's reach no connecting lane is met
EGO_CREEPS = np.float32(0.1)  # [m/s] who is faster means to go on
EGO_TURN = np.float32(
    14.0
)  # [m] of ego's way that are kept free while it goes on, or has its turn at a stop sign, for ..
EGO_PATIENCE = 60  # .. so many ticks
EGO_APART = np.float32(2.6)  # [m]
_0, _1 = np.float32(0.0), np.float32(1.0)
_LIGHT, _STOP = GATE["light"], GATE["stop"]


@kernel(inline=True)
def is_open(link, lane, clock, speed, line, stopped):
    """Whether a lane's gate lets a driver pass who is `line` [m] before it; a yellow light who cannot stop any more."""
    kind = link[lane, GATE_KIND]
    answer = True
    if kind == _LIGHT:
        state = light_state(link[lane, GATE_PLAN], clock)
        answer = state >= GREEN or (state == YELLOW and speed * speed > np.float32(2.0) * COMFORT * max(line, _0))
    elif kind == _STOP:
        answer = stopped != 0
    return answer


@kernel(inline=True)
def priority_of(link, lane, clock):
    """0 where nothing tells to give way, 1 at a yield sign, 2 at a stop sign, 3 at a light that is not green."""
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
def conflicting(link, conflicts, a, b):
    """Whether two lanes cannot be driven at the same time."""
    found = False
    for k in range(link[a, CONFLICT], link[a, CONFLICT_END]):
        if conflicts[k] == b:
            found = True
            break
    return found


@kernel(inline=True)
def is_major(link, conflicts, lane):
    """Whether all who could be in conflict with a lane must yield or stop: the ring of a roundabout, a main road.

    Who drives there goes on even if he may have to wait within the junction: in a full ring all move on together, and
    nobody would if each waited for the one ahead to leave room.
    """
    major = link[lane, GATE_KIND] == 0 and link[lane, CONFLICT_END] > link[lane, CONFLICT]
    for k in range(link[lane, CONFLICT], link[lane, CONFLICT_END]):
        major = major and link[conflicts[k], GATE_KIND] > _LIGHT
    return major


@kernel(inline=True)
def has_priority_over(link, measure, other, mine, clock, their_since, my_since):
    """Whether who wants lane `other` goes before who wants `mine`; `since`: the tick from which each stands."""
    theirs, my = priority_of(link, other, clock), priority_of(link, mine, clock)
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
            before = between > np.float32(0.3)  # he heads to my left: he comes from the right
    return before


@kernel(inline=True)
def ego_conflicts(
    lane, link, points, w, i, first_there, x, y, yaw, speed, length, overhang, route, route_s, route_offset,
    path_points, path_start,
):  # fmt: skip
    """Whether one of ego's ways leads over a lane soon, or ego stands on it; not where ego only follows driver i.

    first_there: ego has stopped at its stop sign before driver i did, and it is ego's turn.
    """
    front = length[w, 0] - overhang[w, 0]
    least = EGO_TURN if first_there or speed[w, 0] > EGO_CREEPS else _0
    reach = front + max(speed[w, 0] * EGO_SECONDS, least)
    first, last = link[lane, ROW], link[lane, ROW] + link[lane, ROWS]
    near = False
    c, s = np.cos(yaw[w, i]), np.sin(yaw[w, i])
    dx, dy = x[w, 0] - x[w, i], y[w, 0] - y[w, i]
    if dx * c + dy * s < _0 and abs(dy * c - dx * s) < BEHIND and np.cos(yaw[w, 0] - yaw[w, i]) > np.float32(0.7):
        return False
    dx, dy = points[first, 0] - x[w, 0], points[first, 1] - y[w, 0]
    far = reach + EGO_FAR
    for r in range(route.shape[1]):
        q = route[w, r] if dx * dx + dy * dy < far * far else -1
        if q < 0 or abs(route_offset[w, r]) > np.float32(4.0):
            continue
        start = path_start[q] + max(int((route_s[w, r] - overhang[w, 0]) * np.float32(2.0)), 0)
        stop = min(path_start[q] + int((route_s[w, r] + reach) * np.float32(2.0)) + 1, path_start[q + 1])
        for k in range(start, stop, 3):
            for row in range(first, last, 4):
                dx, dy = path_points[k, 0] - points[row, 0], path_points[k, 1] - points[row, 1]
                if dx * dx + dy * dy < EGO_APART * EGO_APART:
                    near = True
                    break
            if near:
                break
    return near


@kernel(inline=True)
def has_room(w, i, n, exit_lane, driver, kinematics, speed, length, overhang, link, measure):
    """Whether the lane behind the junction takes driver i whole, however slow those upon it are."""
    need = length[w, i] + TAIL_ROOM
    free = True
    for j in range(1, n):
        if j == i or driver[w, j, MODE] != DRIVER or driver[w, j, LANE] != exit_lane:
            continue
        # who moves on will have made room by the time that i gets there
        tail = kinematics[w, j, S] - overhang[w, j] + speed[w, j] * np.float32(2.0)
        if tail < need and tail < measure[exit_lane, LENGTH]:
            free = False
            break
    return free


@kernel(inline=True)
def may_enter(w, i, n, lane, after, line, tick, clock, driver, kinematics, speed, length, overhang, points, link,
              measure, conflicts):  # fmt: skip
    """Whether driver i of world w may claim `lane` now; `after` follows it, `line` [m] is how far its line is ahead."""
    if not is_open(link, lane, clock, speed[w, i], line, driver[w, i, STOPPED]):
        return False
    if (
        after >= 0
        and not is_major(link, conflicts, lane)
        and not has_room(w, i, n, after, driver, kinematics, speed, length, overhang, link, measure)
    ):
        return False
    my_since = driver[w, i, SINCE]
    waited = tick - my_since if my_since >= 0 else 0
    mine = priority_of(link, lane, clock)
    for j in range(1, n):
        if j == i or driver[w, j, MODE] != DRIVER:
            continue
        for column in (RESERVED, OCCUPIED):
            held = driver[w, j, column]
            if held >= 0 and conflicting(link, conflicts, lane, held):
                return False
        # the junction lane that j comes to next, if it is this junction's
        here = driver[w, j, LANE]
        other = driver[w, j, NEXT1]
        if other < 0 or link[here, JUNCTION] >= 0 or link[other, JUNCTION] != link[lane, JUNCTION]:
            continue
        if driver[w, j, RESERVED] >= 0 or not conflicting(link, conflicts, lane, other):
            continue
        if priority_of(link, other, clock) == 3:
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
        before = has_priority_over(link, measure, other, lane, clock, since, my_since)
        if waited > PATIENCE and mine < 3:
            gap = TIGHT_GAP
            before = (
                theirs > waited
                or (theirs == waited and j < i)
                or (theirs == 0 and priority_of(link, other, clock) < mine)
            )
        elif theirs > PATIENCE:
            before = True
        if before and away < gap * max(speed[w, j], _1):
            return False
    return True
