"""Other actors relative to ego: positions in ego's frame, time to collision, and gaps along its routes.

Ego's frame has its origin on the rear axle: x forward, y left.  "Along" is measured on a route's line from ego's front
bumper, as a driver does.  Every function reads the rows of one world only.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from sim.actors.signs import SIGN
from sim.core.geometry import boxes_touch, wrap
from sim.core.kernel import kernel, parallel_for
from sim.datatypes.road_map import CURVATURE, YAW, X, Y
from sim.datatypes.vocabulary import ROUTE_SPACING
from sim.datatypes.world_state import World
from sim.road.graph.traffic_lights import light_state
from sim.road.map.lane_arrays import GATES
from sim.road.map.map_batch import MapBatch
from sim.road.map.route_attributes import RouteControls
from sim.road.map.surface import DRIVES, surface_at, wheels_off_road

AHEAD = 80.0  # [m] along a route within which other actors are assigned to it
BESIDE = 10.0  # [m] greatest distance of a sign from the line of a route that it belongs to
HORIZON = 10.0  # [s] within which a collision is predicted
CURVES = 20  # curvature samples along a route ..
CURVE_STEP = 2.0  # .. and their spacing [m]
_F = np.float32
_0, _1, _HALF, _QUARTER = _F(0.0), _F(1.0), _F(0.5), _F(0.5) * ROUTE_SPACING
_STILL = _F(1e-6)  # [m/s] a slower relative speed counts as none
_ROWS = round(AHEAD / float(ROUTE_SPACING))
_STRIDE = round(CURVE_STEP / float(ROUTE_SPACING))
_BESIDE, _HORIZON = _F(BESIDE), _F(HORIZON)
_LIGHT = GATES.index("light")


class Relative(NamedTuple):
    """The result of `relative`: N - 1 slots per world, zeros in empty ones.

    x, y, heading, vx, vy, distance, ttc (B, N - 1) f32; touches (B, N - 1) bool; surface, wheels (B,) i32.
    """

    x: np.ndarray
    y: np.ndarray
    heading: np.ndarray
    vx: np.ndarray
    vy: np.ndarray
    distance: np.ndarray
    ttc: np.ndarray
    touches: np.ndarray
    surface: np.ndarray
    wheels: np.ndarray


class RouteRelation(NamedTuple):
    """The result of `route_relations`: zeros where the masks are False.

    on (B, N - 1, R) bool: an actor is on the route, or a sign beside it; gap, pace (B, N - 1, R) f32;
    heading, limit (B, R) f32; limited (B, R) bool; curvature (B, R, CURVES) f32, reaches (B, R, CURVES) bool;
    meets (B, R, G) bool, line (B, R, G) f32: the next gate of each kind in GATES;
    plan, state (B, R) i32: of the next traffic light.
    """

    on: np.ndarray
    gap: np.ndarray
    pace: np.ndarray
    heading: np.ndarray
    limit: np.ndarray
    limited: np.ndarray
    curvature: np.ndarray
    reaches: np.ndarray
    meets: np.ndarray
    line: np.ndarray
    plan: np.ndarray
    state: np.ndarray


# -------------------------------------------------------------------------------------------- in ego's frame
@kernel(inline=True)
def overlap_within(enter, leave, place, speed, half):  # type: ignore[no-untyped-def]
    """The part of the interval [enter, leave] [s] in which two boxes overlap on one axis; empty if enter > leave.

    Args:
        place, speed: of the other centre relative to the first along the axis [m, m/s]; half: half the sum of both
            boxes' extents [m].
    """
    if abs(speed) > _STILL:
        a, b = (-half - place) / speed, (half - place) / speed
        enter, leave = max(enter, min(a, b)), min(leave, max(a, b))
    elif abs(place) > half:
        leave = -_1
    return enter, leave


@kernel(inline=True)
def time_to_touch(dx, dy, vx, vy, c, s, alength, awidth, blength, bwidth, horizon):  # type: ignore[no-untyped-def]
    """Time to collision [s] of two boxes at constant velocity and heading, and whether it is within `horizon` [s].

    Separating-axis test: each axis gives the interval of overlap; the boxes touch when they overlap on all four.

    Args:
        dx, dy, vx, vy: centre and velocity of the second box relative to the first, in the first's frame [m, m/s].
        c, s: cosine and sine of the second box's heading in that frame; alength .. bwidth: full sizes [m].
    """
    k, n = abs(c), abs(s)
    enter, leave = overlap_within(_0, horizon, dx, vx, _HALF * (alength + blength * k + bwidth * n))
    enter, leave = overlap_within(enter, leave, dy, vy, _HALF * (awidth + blength * n + bwidth * k))
    half = _HALF * (blength + alength * k + awidth * n)
    enter, leave = overlap_within(enter, leave, dx * c + dy * s, vx * c + vy * s, half)
    half = _HALF * (bwidth + alength * n + awidth * k)
    enter, leave = overlap_within(enter, leave, dy * c - dx * s, vy * c - vx * s, half)
    return enter, enter <= leave


@kernel
def _relative(first, stop, out, world, bank):  # type: ignore[no-untyped-def]
    for w in range(first, stop):
        x, y, yaw, speed = world.x[w, 0], world.y[w, 0], world.yaw[w, 0], world.speed[w, 0]
        c, s = math.cos(yaw), math.sin(yaw)
        length, width = world.length[w, 0], world.width[w, 0]
        middle = _HALF * length - world.overhang[w, 0]
        out.surface[w] = surface_at(x + middle * c, y + middle * s, world.map[w], bank)
        out.wheels[w] = wheels_off_road(x, y, c, s, world.wheelbase[w, 0], width, world.map[w], bank, DRIVES)
        for i in range(1, world.kind.shape[1]):
            if world.kind[w, i] == 0:
                continue
            turn = wrap(world.yaw[w, i] - yaw)
            co, so = math.cos(turn), math.sin(turn)
            dx, dy = world.x[w, i] - x, world.y[w, i] - y
            ahead = _HALF * world.length[w, i] - world.overhang[w, i]
            px, py = dx * c + dy * s + ahead * co, dy * c - dx * s + ahead * so
            vx, vy = world.speed[w, i] * co, world.speed[w, i] * so
            j = i - 1
            out.x[w, j], out.y[w, j], out.heading[w, j], out.vx[w, j], out.vy[w, j] = px, py, turn, vx, vy
            px -= middle
            out.distance[w, j] = math.sqrt(px * px + py * py)
            time, touches = time_to_touch(
                px, py, vx - speed, vy, co, so, length, width, world.length[w, i], world.width[w, i], _HORIZON
            )
            if touches and world.kind[w, i] != SIGN:
                out.ttc[w, j], out.touches[w, j] = time, True


def relative(world: World, maps: MapBatch, threads: int = 1) -> Relative:
    """Positions, velocities and time to collision of all slots but ego's in ego's frame, and the surface under ego.

    Positions are of box centres [m]; velocities are over the ground, in ego's axes [m/s]. The distance is between box
    centres [m]; `ttc` is the time until ego would touch an actor [s] at constant velocities and headings.
    """
    worlds, slots = world.kind.shape
    others = (worlds, slots - 1)
    numbers = {name: np.zeros(others, np.float32) for name in ("x", "y", "heading", "vx", "vy", "distance", "ttc")}
    ground = {name: np.zeros(worlds, np.int32) for name in ("surface", "wheels")}
    out, bank = Relative(**numbers, touches=np.zeros(others, bool), **ground), maps.arrays
    parallel_for(lambda a, b: _relative(a, b, out, world, bank), worlds, threads)
    return out


# ------------------------------------------------------------------------------------------------ along routes
@kernel(inline=True)
def first_contact(points, k, last, wide, x, y, co, so, length, width):  # type: ignore[no-untyped-def]
    """The first row from k to last at which a vehicle `wide` [m] across would touch a box; last + 1 for none.

    Rows lie ROUTE_SPACING apart along the line, so a step of the distance to the box less `radius` skips no contact.
    """
    spacing = ROUTE_SPACING
    radius = _HALF * (math.sqrt(length * length + width * width) + math.sqrt(spacing * spacing + wide * wide))
    while k <= last:
        px, py = points[k, X], points[k, Y]
        away = math.sqrt((x - px) * (x - px) + (y - py) * (y - py))
        if away > radius:
            k += max(int((away - radius) / spacing), 1)
        else:
            pc, ps = math.cos(points[k, YAW]), math.sin(points[k, YAW])
            if boxes_touch(px, py, pc, ps, spacing, wide, x, y, co, so, length, width):
                break
            k += 1
    return min(k, last + 1)


@kernel(inline=True)
def nearest_row(points, k, last, x, y):  # type: ignore[no-untyped-def]
    """The row from k to last whose point is nearest to (x, y)."""
    best, at = _F(1e12), k
    for row in range(k, last + 1):
        dx, dy = points[row, X] - x, points[row, Y] - y
        if dx * dx + dy * dy < best:
            best, at = dx * dx + dy * dy, row
    return at


@kernel
def _along_route(out, w, r, q, world, points, first, last, gates):  # type: ignore[no-untyped-def]
    """Fill `out` for route q, the r-th of world w, whose points are the rows first to last."""
    front, width = world.length[w, 0] - world.overhang[w, 0], world.width[w, 0]
    s = world.route_s[w, r]
    k = first + min(max(int(s / ROUTE_SPACING), 0), last - first - 1)
    share = min(max(s / ROUTE_SPACING - np.float32(k - first), _0), _1)
    out.heading[w, r] = wrap(world.yaw[w, 0] - points[k, YAW] - share * (points[k + 1, YAW] - points[k, YAW]))
    for n in range(out.curvature.shape[2]):
        if k + n * _STRIDE <= last:
            out.curvature[w, r, n], out.reaches[w, r, n] = points[k + n * _STRIDE, CURVATURE], True
    if gates.limited[q]:
        out.limit[w, r], out.limited[w, r] = gates.limit[k], True
    for g in range(gates.start[q], gates.start[q + 1]):
        line, kind = gates.s[g] - s - front, gates.kind[g]
        # ego passes a line when its front wheels are over it
        if not out.meets[w, r, kind] and line >= world.overhang[w, 0] + world.wheelbase[w, 0] - world.length[w, 0]:
            out.meets[w, r, kind], out.line[w, r, kind] = True, line
            if kind == _LIGHT:
                out.plan[w, r], out.state[w, r] = gates.plan[g], light_state(gates.plan[g], world.clock[w])
    k = min(k + int((_HALF * world.length[w, 0] - world.overhang[w, 0]) / ROUTE_SPACING), last)
    far = min(k + _ROWS, last)
    for i in range(1, world.kind.shape[1]):
        if world.kind[w, i] == 0:
            continue
        co, so = math.cos(world.yaw[w, i]), math.sin(world.yaw[w, i])
        middle = _HALF * world.length[w, i] - world.overhang[w, i]
        x, y = world.x[w, i] + middle * co, world.y[w, i] + middle * so
        if world.kind[w, i] == SIGN:
            row = nearest_row(points, k, far, x, y)
            pc, ps = math.cos(points[row, YAW]), math.sin(points[row, YAW])
            dx, dy = x - points[row, X], y - points[row, Y]
            along, beside = dx * pc + dy * ps, abs(dy * pc - dx * ps)
            if abs(along) <= ROUTE_SPACING and beside <= _BESIDE:  # else it stands outside the searched stretch
                out.on[w, i - 1, r] = True
                out.gap[w, i - 1, r] = np.float32(row - first) * ROUTE_SPACING + along - s - front
            continue
        row = first_contact(points, k, far, width, x, y, co, so, world.length[w, i], world.width[w, i])
        if row <= far:
            pc, ps = math.cos(points[row, YAW]), math.sin(points[row, YAW])
            turn, across = abs(co * pc + so * ps), abs(so * pc - co * ps)
            near = (x - points[row, X]) * pc + (y - points[row, Y]) * ps
            near -= _HALF * (world.length[w, i] * turn + world.width[w, i] * across)
            near = min(max(near, -_QUARTER), _QUARTER)
            out.on[w, i - 1, r] = True
            out.gap[w, i - 1, r] = np.float32(row - first) * ROUTE_SPACING + near - s - front
            out.pace[w, i - 1, r] = world.speed[w, i] * (co * pc + so * ps)


@kernel
def _along(first, stop, out, world, points, path_start, gates):  # type: ignore[no-untyped-def]
    for w in range(first, stop):
        for r in range(world.route.shape[1]):
            q = world.route[w, r]
            if q >= 0:
                _along_route(out, w, r, q, world, points, path_start[q], path_start[q + 1] - 1, gates)


def route_relations(world: World, maps: MapBatch, gates: RouteControls, threads: int = 1) -> RouteRelation:
    """Actors and signs on each of ego's routes, the next gates, and the curvature ahead; see `RouteRelation`.

    Gaps and lines are metres from ego's front bumper: to where a car as wide as ego would first touch the actor, to the
    point beside a sign, or to a gate's line. A line may lie behind the bumper, by up to the front overhang.
    """
    worlds, slots, routes = *world.kind.shape, world.route.shape[1]
    others, each, bends = (worlds, slots - 1, routes), (worlds, routes), (worlds, routes, CURVES)
    out = RouteRelation(
        on=np.zeros(others, bool), gap=np.zeros(others, np.float32), pace=np.zeros(others, np.float32),
        heading=np.zeros(each, np.float32), limit=np.zeros(each, np.float32), limited=np.zeros(each, bool),
        curvature=np.zeros(bends, np.float32), reaches=np.zeros(bends, bool),
        meets=np.zeros((*each, len(GATES)), bool), line=np.zeros((*each, len(GATES)), np.float32),
        plan=np.zeros(each, np.int32), state=np.zeros(each, np.int32),
    )  # fmt: skip
    bank = maps.arrays
    parallel_for(lambda a, b: _along(a, b, out, world, bank.points, bank.path_start, gates), worlds, threads)
    return out
