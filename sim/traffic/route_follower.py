"""Actors on a scripted route through the junction: timed arrivals, all-way-stop turns, or tailgating ego.

A route follower drives a path of `MapArrays` (steering by pure pursuit) at its own cruise speed, slower in bends, and
never so fast that it could not stop behind an actor that covers its path, ego included (the safe speed of Gipps, A
behavioural car-following model, Transpn. Res. B 15, 1981): cars of a stream keep their initial gaps.  At its path's end
it despawns: its kind becomes 0, so that no actor meets or sees it, and `World.absent_kind` has its kind.  A tailgater
follows the trail of ego's rear axle at its gap, always slow enough to stop behind an ego that brakes as hard as it can.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.core.geometry import HALF, clamp
from sim.core.kernel import kernel
from sim.datatypes.road_map import YAW, X, Y
from sim.datatypes.vocabulary import NO_PATH, OUTCOME, ROUTE_SPACING
from sim.dynamics.bicycle import bicycle, stopping_speed
from sim.traffic.all_way_stop import CAME, COMING, GOING, LEFT, MEMBER, PHASE, SERVED, WAITING, blocked, give_turn
from sim.traffic.along_path import bend_speed, first_ahead
from sim.traffic.car_following import HARDEST, NO_GAP, idm, leader_gap, project_onto_path, pure_pursuit

NOBODY, CROSSING, TAILGATING, PENDING = range(4)  # roles: none, route follower, tailgater, follower yet to spawn
# Columns of `RouteFollowers.drive` [m, m/s, s]: place along the path; cruise speed; places of the rear axle when the
# front is at the line, when it is at the junction's edge, and when the rear has left the junction; how long the actor
# stands at its line (below 0: it does not stop); spawn time and speed; how long it waits for ego (below 0: it does
# not). GAP is a tailgater's. For ego, ALONG is how far its front is past its junction's edge.
ALONG, CRUISE, STOP, EDGE, OUT, HALT, ENTERS, ENTRY, PATIENCE = range(9)
GAP = ENTRY
LINE = 1.0  # [m] from a line to the junction's edge
PULL = np.float32(1.5)  # [m/s^2]
EASE = np.float32(1.8)  # [m/s^2] braking for lines and bends
SAFE = np.float32(2.5)  # [m/s^2] of planned braking behind other actors, to stop ..
STANDING_GAP = np.float32(2.0)  # .. so far behind them [m]
LATERAL = np.float32(2.0)  # [m/s^2] in bends
SIGHT = 24  # points of look-ahead for bends, a metre apart
ROOM = np.float32(0.3)  # [m] of lateral clearance beside the path
NEAR_LINE = np.float32(1.0)  # [m] before its line within which a standing actor counts as arrived
EGO_NEAR = np.float32(5.0)  # [m] .. the same for ego, which does not know the lines of route followers
EGO_BESIDE = np.float32(3.0)  # [m] off one of its routes up to which ego counts as on it
EGO_COMES = np.float32(28.0)  # [m] from ego's edge within which actors with `yield_timeout` stop for ego
STOPPED = np.float32(0.1)  # [m/s]
TRAIL = 512  # points of ego's trail
TAIL_ROOM = np.float32(1.0)  # [m] least gap of a tailgater
TAIL_HARDEST = np.float32(9.0)  # [m/s^2] with which it can brake ..
EGO_HARDEST = np.float32(7.0)  # .. and ego
_0, _1, _2 = np.float32(0.0), np.float32(1.0), np.float32(2.0)
_RUNNING = OUTCOME["running"]


class RouteFollowers(NamedTuple):
    """State of the actors on scripted routes; it supplements `World` and shares its slots.

    role (B, N) i32; path (B, N) i32: row of the paths of `MapArrays`, NO_PATH if none; drive (B, N, 9) f32 and line
    (B, N, 4) i32: the columns above and of `sim.traffic.all_way_stop`, with ego in slot 0; heading (B, N) f32: towards
    the junction [rad]; busy (B,) i32: number of actors to drive; turn (B,) i32: slot that has the turn; trail
    (B, TRAIL, 4) f32: x, y, yaw of ego's rear axle every ROUTE_SPACING metres; trailed (B,) i32: number of trail
    points; trail is (1, ...) without tailgaters.
    """

    role: np.ndarray
    path: np.ndarray
    drive: np.ndarray
    line: np.ndarray
    heading: np.ndarray
    busy: np.ndarray
    turn: np.ndarray
    trail: np.ndarray
    trailed: np.ndarray


def empty_followers(worlds: int, slots: int, tails: bool = False) -> RouteFollowers:
    """A state without route followers."""
    whole = np.int32
    return RouteFollowers(
        np.zeros((worlds, slots), whole), np.full((worlds, slots), NO_PATH, whole),
        np.zeros((worlds, slots, 9), np.float32), np.zeros((worlds, slots, 4), whole),
        np.zeros((worlds, slots), np.float32), np.zeros(worlds, whole),
        np.full(worlds, -1, whole), np.zeros((worlds if tails else 1, TRAIL, 4), np.float32), np.zeros(worlds, whole),
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------------- along a path
@kernel(inline=True)
def pace_at(points, first, last, s, cruise):  # type: ignore[no-untyped-def]
    """Highest speed [m/s] at `s` [m] along a path from which the actor can still brake for every bend ahead."""
    return bend_speed(points, min(first + int(s / ROUTE_SPACING), last), last, cruise, LATERAL, EASE, SIGHT)


@kernel(inline=True)
def approach_acceleration(speed, wanted, left, dt):  # type: ignore[no-untyped-def]
    """Acceleration [m/s^2] towards a desired speed, `left` [m] before the stopping place."""
    goal = min(wanted, stopping_speed(speed, max(left, _0), EASE, dt))
    return clamp((goal - speed) / dt, HARDEST, PULL)


@kernel
def unobstructed_arrival_time(points, s, speed, cruise, stop, goal, dt, most):  # type: ignore[no-untyped-def]
    """Time [s] until an unobstructed actor, rear axle at `s`, reaches `goal` or stands at `stop`; places in metres.

    Args:
        points: (K, 4) of the path; most: ticks after which the simulation gives up.
    """
    first, last = 0, points.shape[0] - 1
    for tick in range(most):
        if speed < STOPPED and stop - s < NEAR_LINE:
            return np.float32(tick) * dt
        if s >= goal:
            return np.float32(tick) * dt - (s - goal) / max(speed, STOPPED)
        after = max(
            speed + approach_acceleration(speed, pace_at(points, first, last, s, cruise), stop - s, dt) * dt, _0
        )
        s += HALF * (speed + after) * dt
        speed = after
    return np.float32(most) * dt


@kernel
def entry_speed(points, s, cruise, left):  # type: ignore[no-untyped-def]
    """The speed [m/s] of an actor that spawns while driving at `s` [m], `left` [m] before its stopping place."""
    return min(pace_at(points, 0, points.shape[0] - 1, s, cruise), np.sqrt(_2 * EASE * max(left, _0)))


@kernel(inline=True)
def gap_on_path(world, w, i, points, k, last):  # type: ignore[no-untyped-def]
    """Distance [m] from i's front to the first point of its path that an actor covers, and its speed along it [m/s]."""
    begin = k + int((world.length[w, i] - world.overhang[w, i] - HALF) / ROUTE_SPACING)
    look = world.speed[w, i] * world.speed[w, i] * np.float32(0.25) + np.float32(10.0)
    most = 2 + int(look / ROUTE_SPACING)
    step, pace = first_ahead(world, w, i, points, begin, last, most, 1, ROOM)
    gap = max(np.float32(step) * ROUTE_SPACING - HALF, _0) if step < most else NO_GAP
    return gap, max(pace, _0)


# ------------------------------------------------------------------------------------------- route followers
@kernel(inline=True)
def despawn(world, w, i):  # type: ignore[no-untyped-def]
    """Take the actor of slot i out of the world."""
    kind, absent_kind, speed = world.kind, world.absent_kind, world.speed
    steer, acceleration = world.steer, world.acceleration
    absent_kind[w, i], kind[w, i] = kind[w, i], 0
    speed[w, i] = steer[w, i] = acceleration[w, i] = _0


@kernel(inline=True)
def spawn(world, followers, w, i, now, points, first):  # type: ignore[no-untyped-def]
    """Spawn a pending actor, once it is time and its place is free."""
    n = world.kind.shape[1]
    x, y, yaw, speed, length = world.x, world.y, world.yaw, world.speed, world.length
    kind, absent_kind = world.kind, world.absent_kind
    role, drive = followers.role, followers.drive
    if now < drive[w, i, ENTERS] - np.float32(1e-4):
        return
    s = drive[w, i, ALONG] + drive[w, i, ENTRY] * max(now - drive[w, i, ENTERS], _0)
    k = first + int(s / ROUTE_SPACING)
    for j in range(n):
        apart = length[w, i] + length[w, j]
        if j != i and kind[w, j] != 0 and (x[w, j] - points[k, X]) ** 2 + (y[w, j] - points[k, Y]) ** 2 < apart * apart:
            return
    rest = s - np.float32(k - first) * ROUTE_SPACING
    role[w, i] = CROSSING
    kind[w, i], absent_kind[w, i] = absent_kind[w, i], 0
    yaw[w, i] = points[k, YAW]
    x[w, i], y[w, i] = points[k, X] + rest * np.cos(yaw[w, i]), points[k, Y] + rest * np.sin(yaw[w, i])
    speed[w, i], drive[w, i, ALONG] = drive[w, i, ENTRY], s


@kernel(inline=True)
def yields_to_ego(world, followers, w, i, tick, dt):  # type: ignore[no-untyped-def]
    """Whether i, if it has a `yield_timeout`, stops or keeps standing at its line for ego."""
    speed = world.speed
    line, drive = followers.line, followers.drive
    phase = line[w, 0, PHASE]
    if phase == LEFT or drive[w, i, PATIENCE] < _0:
        return False
    if line[w, i, PHASE] == COMING:
        return phase != COMING or drive[w, 0, ALONG] > -EGO_COMES
    since = max(line[w, 0, CAME], line[w, i, CAME])
    offered = phase == WAITING and abs(speed[w, 0]) < STOPPED
    return not (offered and np.float32(tick - since) * dt >= drive[w, i, PATIENCE] - np.float32(1e-4))


@kernel(inline=True)
def keep_to_line(world, followers, w, i, tick, dt):  # type: ignore[no-untyped-def]
    """Update the phase in which i passes its line; return how far it may go [m]."""
    speed = world.speed
    line, drive = followers.line, followers.drive
    s, phase = drive[w, i, ALONG], line[w, i, PHASE]
    left = drive[w, i, STOP] - s
    if drive[w, i, HALT] < _0:  # it never stops
        if phase == COMING and s >= drive[w, i, EDGE]:
            line[w, i, PHASE], line[w, i, CAME] = GOING, tick
        left = NO_GAP
    elif phase == COMING and speed[w, i] < STOPPED and left < NEAR_LINE:
        line[w, i, PHASE], line[w, i, CAME] = WAITING, tick
    elif phase == COMING and drive[w, i, PATIENCE] >= _0:
        # from where it begins to brake for its line, it drives on once it need not stop for ego
        near = left - speed[w, i] * dt - NEAR_LINE < HALF * speed[w, i] * speed[w, i] / EASE
        if near and not yields_to_ego(world, followers, w, i, tick, dt):
            line[w, i, PHASE], line[w, i, CAME] = GOING, tick
    elif phase == WAITING:
        stood = np.float32(tick - line[w, i, CAME]) * dt >= drive[w, i, HALT] - np.float32(1e-4)
        mine = line[w, i, MEMBER] == 0 or (line[w, i, SERVED] >= 0 and not blocked(world, followers, w, i, tick, dt))
        if stood and mine and not yields_to_ego(world, followers, w, i, tick, dt):
            line[w, i, PHASE] = GOING
    if line[w, i, PHASE] >= GOING:
        left = NO_GAP
    if line[w, i, PHASE] == GOING and s >= drive[w, i, OUT]:
        line[w, i, PHASE] = LEFT
    return left


@kernel(inline=True)
def watch_ego(world, followers, bank, w, tick):  # type: ignore[no-untyped-def]
    """Update the phase in which ego passes its line."""
    speed, length, overhang, route, route_s = world.speed, world.length, world.overhang, world.route, world.route_s
    route_offset = world.route_offset
    line, drive = followers.line, followers.drive
    junction_in, junction_out = bank.junction_in, bank.junction_out
    front = length[w, 0] - overhang[w, 0]
    phase = line[w, 0, PHASE]
    for r in range(route.shape[1]):
        q = route[w, r]
        if q < 0 or abs(route_offset[w, r]) > EGO_BESIDE:
            continue
        left = junction_in[q] - route_s[w, r] - front
        drive[w, 0, ALONG] = -left
        if phase == COMING and left < EGO_NEAR and abs(speed[w, 0]) < STOPPED:
            phase = WAITING
            line[w, 0, CAME] = tick
        if phase <= WAITING and left <= _0:
            if phase == COMING:
                line[w, 0, CAME] = tick
            phase = GOING
            if line[w, 0, SERVED] < 0:
                line[w, 0, SERVED] = tick
        if phase == GOING and route_s[w, r] - overhang[w, 0] > junction_out[q]:
            phase = LEFT
    line[w, 0, PHASE] = phase


@kernel(inline=True)
def follow_route(world, followers, w, i, dt, points, first, last, left):  # type: ignore[no-untyped-def]
    """Move route follower i by one tick, `left` [m] before its stopping place."""
    x, y, yaw, speed, steer = world.x, world.y, world.yaw, world.speed, world.steer
    acceleration, wheelbase = world.acceleration, world.wheelbase
    drive = followers.drive
    s = drive[w, i, ALONG]
    k = first + int(max(s, _0) / ROUTE_SPACING)
    wanted = pace_at(points, first, last, max(s, _0), drive[w, i, CRUISE])
    gap, pace = gap_on_path(world, w, i, points, k, last)
    if gap < NO_GAP:
        wanted = min(wanted, np.sqrt(pace * pace + _2 * SAFE * max(gap - STANDING_GAP, _0)))
    a = approach_acceleration(speed[w, i], wanted, left, dt)
    delta = pure_pursuit(points, first, last, s, x[w, i], y[w, i], yaw[w, i], speed[w, i], wheelbase[w, i])
    x[w, i], y[w, i], yaw[w, i], after = bicycle(
        x[w, i], y[w, i], yaw[w, i], speed[w, i], delta, a, wheelbase[w, i], dt
    )
    acceleration[w, i] = (after - speed[w, i]) / dt
    speed[w, i], steer[w, i] = after, delta
    drive[w, i, ALONG], _, _ = project_onto_path(points, first, last, s, x[w, i], y[w, i])


# --------------------------------------------------------------------------------------------------- tailgaters
@kernel(inline=True)
def leave_trail(world, followers, w):  # type: ignore[no-untyped-def]
    """Append ego's rear axle to its trail for every ROUTE_SPACING that ego has driven forwards."""
    n = world.kind.shape[1]
    x, y, yaw = world.x, world.y, world.yaw
    role, drive, trail, trailed = followers.role, followers.drive, followers.trail, followers.trailed
    count = trailed[w]
    points = trail[w]
    c, t = np.cos(yaw[w, 0]), np.sin(yaw[w, 0])
    for _ in range(8):
        dx, dy = x[w, 0] - points[count - 1, X], y[w, 0] - points[count - 1, Y]
        away = np.hypot(dx, dy)
        if away < ROUTE_SPACING or dx * c + dy * t <= _0:
            break
        if count == TRAIL:  # forget the older half
            half = TRAIL // 2
            for k in range(half):
                for column in range(3):
                    points[k, column] = points[half + k, column]
            count = half
            for i in range(1, n):
                if role[w, i] == TAILGATING:
                    drive[w, i, ALONG] -= np.float32(half) * ROUTE_SPACING
        points[count, X] = points[count - 1, X] + ROUTE_SPACING * dx / away
        points[count, Y] = points[count - 1, Y] + ROUTE_SPACING * dy / away
        points[count, YAW] = np.arctan2(dy, dx)
        count += 1
    trailed[w] = count


@kernel(inline=True)
def tailgate(world, followers, w, i, dt):  # type: ignore[no-untyped-def]
    """Move tailgater i by one tick along ego's trail."""
    x, y, yaw, speed, steer = world.x, world.y, world.yaw, world.speed, world.steer
    acceleration, length, wheelbase, overhang = world.acceleration, world.length, world.wheelbase, world.overhang
    trail, trailed, drive = followers.trail, followers.trailed, followers.drive
    points, last = trail[w], trailed[w] - 1
    s, v, ego = drive[w, i, ALONG], speed[w, i], max(speed[w, 0], _0)
    rest = np.hypot(x[w, 0] - points[last, X], y[w, 0] - points[last, Y])
    gap = np.float32(last) * ROUTE_SPACING + rest - s - overhang[w, 0] - (length[w, i] - overhang[w, i])
    a = clamp(np.float32(0.8) * (gap - drive[w, i, GAP]) + np.float32(1.6) * (ego - v), HARDEST, _2)
    # if ego brakes as hard as it can, so does the tailgater, a tick later
    room = max(gap - TAIL_ROOM - v * dt, _0)
    safe = np.sqrt(ego * ego * (TAIL_HARDEST - _1) / EGO_HARDEST * np.float32(0.8) + _2 * (TAIL_HARDEST - _1) * room)
    a = clamp(min(a, (safe - v) / dt), -TAIL_HARDEST, _2)
    near, closing = leader_gap(world, w, i)
    if near < gap - HALF:  # an actor between the two
        a = min(a, idm(v, drive[w, i, CRUISE], near, closing))
    delta = pure_pursuit(points, 0, last, s, x[w, i], y[w, i], yaw[w, i], v, wheelbase[w, i])
    x[w, i], y[w, i], yaw[w, i], after = bicycle(x[w, i], y[w, i], yaw[w, i], v, delta, a, wheelbase[w, i], dt)
    acceleration[w, i], steer[w, i], speed[w, i] = (after - v) / dt, delta, after
    drive[w, i, ALONG], _, _ = project_onto_path(points, 0, last, s, x[w, i], y[w, i])


# ------------------------------------------------------------------------------------------------------ the tick
@kernel
def step_followers(world, followers, bank, dt, start, stop):  # type: ignore[no-untyped-def]
    """Move all route followers in worlds start .. stop by one tick of `dt` [s], in slot order.

    Args:
        world: World; followers: RouteFollowers; bank: MapArrays.
    """
    points, path_start = bank.points, bank.path_start
    role, drive, line = followers.role, followers.drive, followers.line
    n = world.kind.shape[1]
    for w in range(start, stop):
        if world.outcome[w] != _RUNNING or followers.busy[w] == 0:
            continue
        tick = world.tick[w]
        if line[w, 0, MEMBER] != 0:
            watch_ego(world, followers, bank, w, tick)
            give_turn(world, followers, w, tick, dt)
        if followers.trailed[w] > 0:
            leave_trail(world, followers, w)
        for i in range(1, n):
            q = followers.path[w, i]
            if role[w, i] == TAILGATING:
                tailgate(world, followers, w, i, dt)
            elif role[w, i] == PENDING:
                spawn(world, followers, w, i, np.float32(tick) * dt, points, path_start[q])
            elif role[w, i] == CROSSING:
                first, last = path_start[q], path_start[q + 1] - 1
                left = keep_to_line(world, followers, w, i, tick, dt)
                follow_route(world, followers, w, i, dt, points, first, last, left)
                world.distance_to_line[w, i] = drive[w, i, STOP] - drive[w, i, ALONG]
                if drive[w, i, ALONG] >= np.float32(last - first - 1) * ROUTE_SPACING:
                    role[w, i] = NOBODY
                    line[w, i, PHASE] = LEFT
                    despawn(world, w, i)
