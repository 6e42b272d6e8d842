"""Path-following controller of the expert and the baselines: pure pursuit, IDM gaps, lights and stop signs.

Lateral: pure pursuit. Longitudinal: the highest speed at which ego can still take every curve ahead with comfortable
lateral acceleration and braking, hits no vehicle on the path, and obeys lights and stop signs.  Right of way is mostly
left to the other actors: they yield to ego, see `sim.traffic.right_of_way`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.core.geometry import HALF, clamp, is_within
from sim.core.kernel import kernel
from sim.datatypes.action import Action
from sim.datatypes.road_map import MapArrays
from sim.datatypes.vocabulary import DECISION, ROUTE_SPACING
from sim.datatypes.world_state import World
from sim.road.map.lane_arrays import GATE
from sim.traffic.along_path import STRIDE, bend_speed, first_ahead
from sim.traffic.car_following import idm, project_onto_path, pure_pursuit
from sim.traffic.right_of_way import may_pass

ZERO = np.float32(0.0)
TWO = np.float32(2.0)
NO_GAP = np.float32(1e6)
ENTRY_LOOK = np.float32(6.0)  # [m] beyond the stopping distance within which crossing traffic is checked
CROSSING_STEP, CROSSING_STEPS = np.float32(0.5), 10  # [s] step of the prediction of other actors, and number of steps
CROSSING_TIME = np.float32(5.0)  # [s]
CROSSING_FAR = np.float32(15.0)  # [m]
CROSSING_PULL = np.float32(0.6)  # [m/s^2] half of the acceleration with which ego pulls away
CROSSING_PACE = np.float32(6.0)  # [m/s] up to which slow actors are predicted to accelerate
CROSSING_ROOM = np.float32(1.5)  # [m] before and behind another
SAME_WAY = np.float32(0.8)  # cosine of the angle between headings that counts as the same direction
LINE_SLACK = np.float32(1.2)  # [m] by which ego stops nearer to a line than to a vehicle
FOR_YELLOW = np.float32(3.0)  # [m/s^2] with which ego stops for a light that turns yellow
_LIGHT = GATE["light"]
_LEFT = DECISION["left"]


@dataclass(frozen=True)
class DrivingStyle:
    """A driving style: speeds, accelerations and distances of the path follower.

    Args:
        cruise: speed on a straight lane [m/s].
        lateral: acceleration accepted in curves [m/s^2].
        braking: comfortable braking for curves [m/s^2].
        speed_gain: acceleration per m/s of missing speed [1/s].
        max_acceleration: greatest acceleration used [m/s^2].
        max_braking: greatest braking used [m/s^2].
        sight: look-ahead distance for curves and vehicles [m].
        lateral_clearance: clearance beside other vehicles [m].
        stop_line_lookahead: distance below which ego brakes for a line to stop at [m].
    """

    cruise: float = 7.0
    lateral: float = 2.0
    braking: float = 1.8
    speed_gain: float = 1.0
    max_acceleration: float = 1.5
    max_braking: float = 6.0
    sight: float = 28.0
    lateral_clearance: float = 0.3
    stop_line_lookahead: float = 1e6

    def array(self) -> np.ndarray:
        """(9,) float32 in the order of the fields."""
        return np.array(
            [self.cruise, self.lateral, self.braking, self.speed_gain, self.max_acceleration, self.max_braking,
             self.sight, self.lateral_clearance, self.stop_line_lookahead], np.float32,
        )  # fmt: skip


@kernel(inline=True)
def _line_ahead(world, bank, w, q, s, front):  # type: ignore[no-untyped-def]
    """Metres from ego's front bumper to the next lines on path q; NO_GAP where there is none.

    Returns:
        the distance to the line to stop at: of a red light, of a yellow one with room to stop, of a stop sign before
        ego has stopped; and to the line to give way at: of a stop sign after that, of a yield sign, and of any light
        for a left turn.
    """
    speed, clock, stopped = world.speed[w, 0], world.clock[w], world.stopped_at_line[w]
    nearest, giving = NO_GAP, NO_GAP
    for g in range(bank.gate_start[q], bank.gate_start[q + 1]):
        line, kind = bank.gate_s[g] - front - s, bank.gate_kind[g]
        if line < ZERO:
            continue
        if not may_pass(kind, bank.gate_plan[g], clock, speed, line, stopped, FOR_YELLOW):
            nearest = min(nearest, line)
        elif kind != _LIGHT or bank.decision[q] == _LEFT:
            giving = min(giving, line)
    return nearest, giving


@kernel(inline=True)
def _crossed(w, s, speed, world, points, first, last):  # type: ignore[no-untyped-def]
    """Whether ego would meet a moving vehicle over the next metres of the path between rows first and last.

    The prediction keeps the others' curvature and accelerates slow ones, and likewise ego, `s` metres along.  Standing
    vehicles are ignored: they wait for ego as much as ego would for them.
    """
    met = False
    for j in range(1, world.x.shape[1]):
        v = world.speed[w, j]
        if world.kind[w, j] == 0 or v < HALF or world.wheelbase[w, j] <= ZERO:
            continue
        dx, dy = world.x[w, j] - world.x[w, 0], world.y[w, j] - world.y[w, 0]
        far = v * CROSSING_TIME + speed * CROSSING_TIME + CROSSING_FAR
        c, t = np.cos(world.yaw[w, 0]), np.sin(world.yaw[w, 0])
        # a vehicle behind ego, or ahead in the same direction, is not crossing
        if dx * dx + dy * dy > far * far or dx * c + dy * t < ZERO:
            continue
        if np.cos(world.yaw[w, j] - world.yaw[w, 0]) > SAME_WAY and abs(dy * c - dx * t) < TWO:
            continue
        bend = np.tan(world.steer[w, j]) / world.wheelbase[w, j]
        x, y, yaw = world.x[w, j], world.y[w, j], world.yaw[w, j]
        middle = HALF * world.length[w, j] - world.overhang[w, j]
        half, across = HALF * world.length[w, j] + CROSSING_ROOM, HALF * (world.width[w, j] + world.width[w, 0]) + HALF
        for k in range(CROSSING_STEPS):
            time = CROSSING_STEP * np.float32(k)
            mine = s + speed * time + CROSSING_PULL * time * time
            row = min(first + int(mine / ROUTE_SPACING), last)
            front = min(first + int((mine + world.length[w, 0] - world.overhang[w, 0]) / ROUTE_SPACING), last)
            oc, os = np.cos(yaw), np.sin(yaw)
            ox, oy = x + middle * oc, y + middle * os
            for p in range(row, front + 1, 2):
                if is_within(points[p, 0], points[p, 1], ox, oy, oc, os, half, across):
                    met = True
            if met:
                break
            stride = v * CROSSING_STEP
            x += stride * np.cos(yaw + HALF * bend * stride)
            y += stride * np.sin(yaw + HALF * bend * stride)
            yaw += bend * stride
            v = max(v, min(v + TWO * CROSSING_PULL * CROSSING_STEP, CROSSING_PACE))
        if met:
            break
    return met


@kernel
def _control(bank, world, target, style, steer, acceleration):  # type: ignore[no-untyped-def]
    points = bank.points
    cruise, lateral, braking, eagerness = style[0], style[1], style[2], style[3]
    pull, hardest, sight, clearance, heed = style[4], style[5], style[6], style[7], style[8]
    steps = int(sight / ROUTE_SPACING)
    for w in range(target.shape[0]):
        q = world.route[w, target[w]]
        first, last = bank.path_start[q], bank.path_start[q + 1] - 1
        x, y, yaw, speed = world.x[w, 0], world.y[w, 0], world.yaw[w, 0], world.speed[w, 0]
        s, _, k = project_onto_path(points, first, last, world.route_s[w, target[w]], x, y)
        steer[w] = pure_pursuit(points, first, last, s, x, y, yaw, speed, world.wheelbase[w, 0])

        wanted = bend_speed(points, k, last, cruise, lateral, braking, steps // STRIDE)
        a = clamp(eagerness * (wanted - speed), -hardest, pull)
        front = world.length[w, 0] - world.overhang[w, 0]
        line, free = _line_ahead(world, bank, w, q, s, front)
        # at a line to give way at, ego stops only for crossing traffic
        if free < speed * speed / (TWO * FOR_YELLOW) + ENTRY_LOOK and _crossed(w, s, speed, world, points, first, last):
            line = min(line, free)
        if line < min(heed, NO_GAP):
            a = min(a, max(idm(speed, wanted, line + LINE_SLACK, speed), -hardest))
        step, other = first_ahead(world, w, 0, points, k, last, steps, STRIDE, clearance)
        if step < steps:
            room = np.float32(step) * ROUTE_SPACING - front
            a = min(a, max(idm(speed, wanted, room, speed - other), -hardest))
        acceleration[w] = a


def control(bank: MapArrays, world: World, target: np.ndarray, style: DrivingStyle) -> Action:
    """Compute the action (S,) that drives ego of each row of `world` along its route number `target` (S,) int."""
    steer, acceleration = np.zeros(len(target), np.float32), np.zeros(len(target), np.float32)
    if len(target):
        _control(bank, world, np.asarray(target, np.int64), style.array(), steer, acceleration)
    return Action(steer, acceleration)
