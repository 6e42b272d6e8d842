"""Lane drivers: vehicles on the lane graph with IDM speed, pure-pursuit steering and junction reservations.

A driver is on a lane, with its rear axle `s` metres along it, and has chosen the next three lanes.
`sim.traffic.lane_change` chooses those lanes and decides when a driver changes to a neighbouring lane.

IDM: see `sim.traffic.car_following`.
"""

from __future__ import annotations

import numpy as np

from sim.actors.registry import STOPS_TRAFFIC
from sim.core.geometry import HALF, clamp, is_within, wrap
from sim.core.hashing import hash_u32
from sim.core.kernel import kernel
from sim.road.map.lane_arrays import (
    COS,
    EASE,
    GATE_AT,
    GATE_KIND,
    JUNCTION,
    LEFT,
    LENGTH,
    ORIGIN,
    PACE,
    RIGHT,
    ROW,
    ROWS,
    SIN,
    SPEED,
    STEP,
    YAW,
    X,
    Y,
)
from sim.traffic.car_following import (
    FREE,
    IDM_GAP,
    IDM_HEADWAY,
    IDM_ROOT,
    LOOK_LEAST,
    LOOK_MOST,
    LOOK_SECONDS,
    NO_GAP,
)
from sim.traffic.lane_change import choose_exit, extend_plan, row_at
from sim.traffic.right_of_way import (
    EGO_PATIENCE,
    LANE,
    MODE,
    NEAR_LINE,
    NEXT1,
    NEXT2,
    NEXT3,
    OCCUPIED,
    PICKS,
    RESERVED,
    SINCE,
    STANDING,
    STOPPED,
    ego_conflicts,
    is_open,
    may_enter,
)
from sim.traffic.state import CAP, DRIVER, FACTOR, KEEP, SHIFT, S

SHIFT_RATE = np.float32(1.1)  # [m/s] sideways in a lane change, and ..
SHIFT_SLOPE = np.float32(0.22)  # .. at most so much per metre driven
ABREAST = np.float32(0.9)  # [m] off the new lane's middle beyond which a driver still occupies the old lane
ENTRY_ROOM = np.float32(6.0)  # [m] besides both lengths to every actor near where a driver respawns
FIRM = np.float32(0.125)  # [s^2/m] times speed squared: room to stop with 4 m/s^2
REACTION = 2  # ticks between two decisions of a driver; in between its acceleration stays the same
RETHINK = 120  # ticks of standing at a line after which, and then as often again, a driver chooses another route
FORK = np.float32(5.0)  # [m] after which diverging lanes are clear of each other
ASK_ROOM = np.float32(10.0)  # [m] beyond braking distance at which a driver requests right of way
HAZARD_STEP = np.float32(1.5)  # [m] between two samples along the path
SIDE_ROOM = np.float32(0.25)  # [m] of lateral clearance to obstacles
FORESIGHT = np.float32(2.0)  # [s] of a pedestrian's or scripted actor's motion that count as occupied
LONG_LOOK = np.float32(1.5)  # least look-ahead, in wheelbases
SIGHT = np.float32(45.0)  # [m]
TWICE_EASE = np.float32(2.0 * EASE)
PER_ROOT = np.float32(1.0 / float(IDM_ROOT))
SIXTH = np.float32(1.0 / 6.0)
NEARLY_STRAIGHT = np.float32(0.02)  # below it an angle and its tangent differ by less than 3e-6
SHARPEST = np.float32(np.tan(0.6))  # of the greatest angle of a front wheel
_0, _1, _2 = np.float32(0.0), np.float32(1.0), np.float32(2.0)
_U = np.uint32


@kernel(inline=True)
def point_index_ahead(traffic, roads, w, i, s):
    """The row of points at `s` [m] along driver i's lane, continued along the lanes that it has chosen."""
    driver = traffic.driver
    measure = roads.measure
    lane, column = driver[w, i, LANE], NEXT1
    while s > measure[lane, LENGTH]:
        after = driver[w, i, column] if column <= NEXT3 else np.int32(-1)
        if after < 0:
            break
        s -= measure[lane, LENGTH]
        lane = after
        column += 1
    return row_at(roads, lane, s)


@kernel(inline=True)
def leader(world, traffic, roads, w, i):
    """Bumper-to-bumper gap [m] along the lanes to the nearest driver ahead, and the closing speed [m/s]."""
    n = world.kind.shape[1]
    x, y, yaw, speed, length = world.x, world.y, world.yaw, world.speed, world.length
    overhang = world.overhang
    driver, kinematics = traffic.driver, traffic.kinematics
    link, measure = roads.link, roads.measure
    gap, closing = NO_GAP, _0
    lane, n1, n2, n3 = driver[w, i, LANE], driver[w, i, NEXT1], driver[w, i, NEXT2], driver[w, i, NEXT3]
    s = kinematics[w, i, S]
    front = s + length[w, i] - overhang[w, i]
    whole = measure[lane, LENGTH]
    second = whole + (measure[n1, LENGTH] if n1 >= 0 else _0)
    third = second + (measure[n2, LENGTH] if n2 >= 0 else _0)
    shift = kinematics[w, i, SHIFT]
    left_of, right_of = link[lane, LEFT], link[lane, RIGHT]
    fork = lane if link[lane, JUNCTION] < 0 else link[lane, ORIGIN]
    for j in range(1, n):
        if j == i or driver[w, j, MODE] != DRIVER:
            continue
        if abs(x[w, j] - x[w, i]) > SIGHT or abs(y[w, j] - y[w, i]) > SIGHT:
            continue
        there = driver[w, j, LANE]
        place = kinematics[w, j, S]
        tail = place - overhang[w, j]
        off = kinematics[w, j, SHIFT]
        if there == lane:
            if place < s or (place == s and j < i):
                continue
            away = tail
        elif there == n1:
            away = whole + tail
        elif there == n2:
            away = second + tail
        elif there == n3:
            away = third + tail
        elif there == left_of and (off < -ABREAST or shift > ABREAST) and place > s:
            away = tail  # it is leaving my lane to the left, or I am coming from there
        elif there == right_of and (off > ABREAST or shift < -ABREAST) and place > s:
            away = tail
        elif link[there, ORIGIN] == fork and fork >= 0 and link[there, JUNCTION] >= 0 and tail < FORK:
            if fork == lane:
                away = whole + tail
            elif place > s:
                away = tail
            else:
                continue
        else:
            continue
        if away - front < gap:
            gap = away - front
            closing = speed[w, i] - speed[w, j] * np.cos(yaw[w, j] - yaw[w, i])
    return gap, closing


@kernel(inline=True)
def list_free(world, traffic, w):
    """Write the slots of all solid actors that follow no lane to `free`; return their number."""
    n = world.kind.shape[1]
    kind = world.kind
    driver, free = traffic.driver, traffic.free[w]
    count = 0
    for j in range(n):
        if STOPS_TRAFFIC >> kind[w, j] & 1 != 0 and driver[w, j, MODE] != DRIVER:
            free[count] = j
            count += 1
    return count


@kernel(inline=True)
def unlaned_leader(world, traffic, roads, w, i, count):
    """As `leader`, for actors that follow no lane: ego, pedestrians, parked vehicles, scripted actors, cones."""
    x, y, yaw, speed, length = world.x, world.y, world.yaw, world.speed, world.length
    width, overhang = world.width, world.overhang
    free, driver, kinematics = traffic.free[w], traffic.driver, traffic.kinematics
    points = roads.points
    gap, closing = NO_GAP, _0
    front = length[w, i] - overhang[w, i]
    look = min(speed[w, i] * np.float32(2.5) + np.float32(8.0), np.float32(35.0))
    for f in range(count):
        j = free[f]
        dx, dy = x[w, j] - x[w, i], y[w, j] - y[w, i]
        near = look + front + length[w, j]
        if dx * dx + dy * dy > near * near:
            continue
        c, s = np.cos(yaw[w, j]), np.sin(yaw[w, j])
        half = HALF * length[w, j] + SIDE_ROOM
        middle = HALF * length[w, j] - overhang[w, j]
        if driver[w, j, MODE] > DRIVER:
            stride = HALF * speed[w, j] * FORESIGHT
            half += stride
            middle += stride
        bx, by = x[w, j] + middle * c, y[w, j] + middle * s
        across = HALF * (width[w, j] + width[w, i]) + SIDE_ROOM
        at = front
        while at < front + look and at - front < gap:
            k = point_index_ahead(traffic, roads, w, i, kinematics[w, i, S] + at)
            turn = points[k, YAW] - yaw[w, j]
            # the driver's own width as seen along the other's box
            reach = HALF * width[w, i] * abs(np.sin(turn))
            if is_within(points[k, X], points[k, Y], bx, by, c, s, half + reach, across):
                gap = at - front
                closing = speed[w, i] - speed[w, j] * np.cos(turn)
                break
            at += HAZARD_STEP
    return gap, closing


@kernel(inline=True)
def wanted_speed(traffic, roads, w, i):
    """Desired speed [m/s] of driver i: the lane's speed, limited by early braking for slower lanes ahead."""
    driver, kinematics = traffic.driver, traffic.kinematics
    points, measure = roads.points, roads.measure
    lane = driver[w, i, LANE]
    factor = kinematics[w, i, FACTOR]
    wanted = points[row_at(roads, lane, kinematics[w, i, S]), SPEED] * factor
    away = measure[lane, LENGTH] - kinematics[w, i, S]
    for column in range(NEXT1, NEXT3 + 1):
        after = driver[w, i, column]
        if after < 0:
            break
        pace = measure[after, PACE] * factor
        wanted = min(wanted, np.sqrt(pace * pace + TWICE_EASE * max(away, _0)))
        away += measure[after, LENGTH]
    return min(wanted, kinematics[w, i, CAP])


@kernel(inline=True)
def idm_interaction(speed, gap, closing):
    """The IDM's interaction term [1] for an obstacle `gap` [m] ahead: (s* / s)^2."""
    near = (IDM_GAP + max(_0, speed * IDM_HEADWAY + speed * closing * PER_ROOT)) / max(gap, FREE)
    return near * near


@kernel(inline=True)
def stop_distance(world, traffic, roads, bank, w, i, gap):
    """Distance [m] to where driver i must stop: a line that it may not cross yet, or the end of its lane.

    Reserves the connecting lane when the driver may enter.  A driver that has stood for long chooses another route: in
    a full town a ring of lanes can block itself, each driver waiting for the one ahead. Args: gap: to the driver
    ahead [m].
    """
    tick, clock, speed, length, overhang = world.tick, world.clock, world.speed, world.length, world.overhang
    stopped_at_line = world.stopped_at_line
    driver, kinematics = traffic.driver, traffic.kinematics
    link, measure = roads.link, roads.measure
    lane, after = driver[w, i, LANE], driver[w, i, NEXT1]
    front = kinematics[w, i, S] + length[w, i] - overhang[w, i]
    to_end = measure[lane, LENGTH] - front
    stop = NO_GAP
    if link[lane, GATE_KIND] != 0 and link[lane, JUNCTION] < 0 and measure[lane, GATE_AT] > front - _1:
        line = measure[lane, GATE_AT] - front
        if not is_open(roads, lane, clock[w], speed[w, i], line, driver[w, i, STOPPED]):
            stop = line
    if after < 0:
        return min(stop, to_end + IDM_GAP)
    if link[after, JUNCTION] < 0:
        return stop
    line = to_end + min(measure[after, GATE_AT], _0)
    needs = speed[w, i] * speed[w, i] * np.float32(0.25) + ASK_ROOM
    if speed[w, i] < STANDING and line < NEAR_LINE:
        driver[w, i, STOPPED] = 1
    if driver[w, i, RESERVED] != after and line > needs:
        return stop
    stood = tick[w] - driver[w, 0, SINCE] if driver[w, 0, SINCE] >= 0 else np.int32(0)
    since = driver[w, i, SINCE]
    first_there = stopped_at_line[w] != 0 and 0 < stood < EGO_PATIENCE and (since < 0 or since > driver[w, 0, SINCE])
    # the expensive check comes last: a driver behind another one, or at a closed light, need not check ego
    crossed = False
    if driver[w, i, RESERVED] == after or (
        gap > line and is_open(roads, after, clock[w], speed[w, i], line, driver[w, i, STOPPED])
    ):
        crossed = ego_conflicts(world, roads, bank, w, i, after, first_there)
    if driver[w, i, RESERVED] == after:
        # The reservation is given back when a vehicle has changed lanes in between, or while there is room to stop for
        # a light that has changed or for ego.
        closed = line > _1 and not is_open(roads, after, clock[w], speed[w, i], line, driver[w, i, STOPPED])
        closed = closed or (crossed and line > speed[w, i] * speed[w, i] * FIRM)
        if not closed and gap > line:
            return stop
        driver[w, i, RESERVED] = -1
    if not crossed and gap > line and may_enter(world, traffic, roads, w, i, after, driver[w, i, NEXT2], line):
        driver[w, i, RESERVED] = after
        return stop
    stood = tick[w] - driver[w, i, SINCE] if driver[w, i, SINCE] >= 0 else 0
    if stood > RETHINK and stood % RETHINK < REACTION and line < NEAR_LINE:
        extend_plan(world, traffic, roads, w, i, lane)
    return min(stop, line)


@kernel(inline=True)
def follow_lane(world, traffic, roads, w, i, a, dt):
    """Move driver i by one tick at acceleration `a` [m/s^2] along its lane, and on to the next lane at its end."""
    x, y, yaw, speed, steer = world.x, world.y, world.yaw, world.speed, world.steer
    acceleration, wheelbase, overhang = world.acceleration, world.wheelbase, world.overhang
    driver, kinematics = traffic.driver, traffic.kinematics
    points, link, measure = roads.points, roads.link, roads.measure
    v = speed[w, i]
    if v == _0 and a <= _0:
        acceleration[w, i] = _0
        return
    s = kinematics[w, i, S]
    # a long vehicle aims further ahead: its rear axle cuts the bend, so that its front does not swing out of the lane
    look = clamp(LOOK_SECONDS * v, max(LOOK_LEAST, LONG_LOOK * wheelbase[w, i]), LOOK_MOST)
    k = point_index_ahead(traffic, roads, w, i, s + look)
    side = kinematics[w, i, SHIFT] + kinematics[w, i, KEEP]
    dx, dy = points[k, X] - side * points[k, SIN] - x[w, i], points[k, Y] + side * points[k, COS] - y[w, i]
    c, t = np.cos(yaw[w, i]), np.sin(yaw[w, i])
    square = max(dx * dx + dy * dy, _1)
    most = SHARPEST / wheelbase[w, i]
    bend = clamp(_2 * (dy * c - dx * t) / square, -most, most)
    # the kinematic bicycle of `sim.dynamics.bicycle`; the curvature is known, so the tangent is not computed again
    after = max(v + a * dt, _0)
    travelled = HALF * (v + after) * dt
    turned = travelled * bend
    # half the turn of a tick is small: cosine and sine come from their series, exact to 1e-6 below 0.2 rad
    h = HALF * turned
    ch, sh = _1 - HALF * h * h, h - h * h * h * SIXTH
    x[w, i] += travelled * (c * ch - t * sh)
    y[w, i] += travelled * (t * ch + c * sh)
    yaw[w, i] = wrap(yaw[w, i] + turned)
    acceleration[w, i] = (after - v) / dt
    speed[w, i] = after
    tangent = bend * wheelbase[w, i]
    steer[w, i] = np.arctan(tangent) if abs(tangent) > NEARLY_STRAIGHT else tangent
    ease = min(SHIFT_RATE, SHIFT_SLOPE * after) * dt
    kinematics[w, i, SHIFT] -= clamp(kinematics[w, i, SHIFT], -ease, ease)
    lane = driver[w, i, LANE]
    k = row_at(roads, lane, s + travelled)
    along = (x[w, i] - points[k, X]) * points[k, COS] + (y[w, i] - points[k, Y]) * points[k, SIN]
    s = np.float32(k - link[lane, ROW]) * measure[lane, STEP] + clamp(along, -_1, _1)
    next1 = driver[w, i, NEXT1]
    if s > measure[lane, LENGTH] and next1 >= 0:
        s -= measure[lane, LENGTH]
        if link[lane, JUNCTION] >= 0 and driver[w, i, OCCUPIED] < 0:
            driver[w, i, OCCUPIED] = lane
        if driver[w, i, RESERVED] == next1:
            driver[w, i, OCCUPIED] = next1
            driver[w, i, RESERVED] = -1
        driver[w, i, STOPPED] = 0
        driver[w, i, LANE] = next1
        driver[w, i, NEXT1], driver[w, i, NEXT2] = driver[w, i, NEXT2], driver[w, i, NEXT3]
        driver[w, i, NEXT3] = choose_exit(world, traffic, roads, w, i, driver[w, i, NEXT2])
    kinematics[w, i, S] = s
    held = driver[w, i, OCCUPIED]
    if held >= 0 and held != driver[w, i, LANE] and s > overhang[w, i] + _1:
        driver[w, i, OCCUPIED] = -1


@kernel(inline=True)
def respawn(world, traffic, roads, w, i):
    """Respawn a driver at a dead end where a road begins, if there is room; otherwise it waits."""
    n = world.kind.shape[1]
    seed, map_of, x, y, yaw = world.seed, world.map, world.x, world.y, world.yaw
    speed, steer, acceleration = world.speed, world.steer, world.acceleration
    length, overhang = world.length, world.overhang
    driver, kinematics = traffic.driver, traffic.kinematics
    points, link, measure = roads.points, roads.link, roads.measure
    sources = roads.sources
    first, last = roads.sources_of_map[map_of[w], 0], roads.sources_of_map[map_of[w], 1]
    if last <= first:
        return
    if measure[driver[w, i, LANE], LENGTH] - kinematics[w, i, S] > length[w, i] + np.float32(3.0):
        return  # it stands for another reason
    key = hash_u32(_U(seed[w]) ^ hash_u32(_U(i * 7919 + driver[w, i, PICKS] + 31)))
    driver[w, i, PICKS] += 1
    lane = sources[first + np.int32(key % _U(last - first))]
    s = overhang[w, i] + HALF
    k = link[lane, ROW] + min(int(s * _2), link[lane, ROWS] - 1)
    c, t = points[k, COS], points[k, SIN]
    for j in range(n):
        dx, dy = x[w, j] - points[k, X], y[w, j] - points[k, Y]
        reach = length[w, i] + length[w, j] + ENTRY_ROOM
        if j != i and abs(dx * c + dy * t) < reach and abs(dy * c - dx * t) < np.float32(2.5):
            return
    x[w, i], y[w, i], yaw[w, i] = points[k, X], points[k, Y], points[k, YAW]
    speed[w, i], steer[w, i], acceleration[w, i] = min(points[k, SPEED], np.float32(5.0)), _0, _0
    kinematics[w, i, S], kinematics[w, i, SHIFT] = s, _0
    driver[w, i, RESERVED], driver[w, i, OCCUPIED], driver[w, i, STOPPED], driver[w, i, SINCE] = -1, -1, 0, -1
    extend_plan(world, traffic, roads, w, i, lane)
