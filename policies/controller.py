"""Path and speed to steer and acceleration: the hands and feet of every rule-following driver.

Across: pure pursuit. Along: the highest speed from which every curve ahead can still be met at a comfortable
lateral acceleration and braking, and no vehicle that stands or drives on the path is run into.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.dynamics import clamp
from sim.geometry import HALF
from sim.kernel import kernel
from sim.traffic import advance_along, idm, pursue
from sim.types import ROUTE_SPACING, Action, Bank, World

ZERO = np.float32(0.0)
TWO = np.float32(2.0)
FLAT = np.float32(1e-3)  # [1/m] less curvature than this is straight
NO_GAP = np.float32(1e6)
STRIDE = 2  # path points between two looks ahead


@dataclass(frozen=True)
class Manner:
    """How someone drives.

    Args:
        cruise: speed on a straight lane [m/s].
        lateral: acceleration accepted in curves [m/s^2].
        braking: comfortable braking for curves [m/s^2].
        eagerness: acceleration per m/s of missing speed [1/s].
        pull: greatest acceleration used [m/s^2].
        hardest: greatest braking used [m/s^2].
        sight: how far ahead curves and vehicles are looked for [m].
        clearance: room kept beside other vehicles [m].
    """

    cruise: float = 7.0
    lateral: float = 2.0
    braking: float = 1.8
    eagerness: float = 1.0
    pull: float = 1.5
    hardest: float = 6.0
    sight: float = 28.0
    clearance: float = 0.3

    def array(self) -> np.ndarray:
        """(8,) float32 in the order of the fields."""
        return np.array(
            [self.cruise, self.lateral, self.braking, self.eagerness, self.pull, self.hardest, self.sight,
             self.clearance], np.float32,
        )  # fmt: skip


@kernel(inline=True)
def _first_in_the_way(w, points, k, last, world, steps, clearance):  # type: ignore[no-untyped-def]
    """Distance [m] along the path from row k to the first point that another vehicle covers, and its speed."""
    n = world.x.shape[1]
    reach = HALF * world.width[w, 0] + clearance
    nearest = steps
    speed = ZERO
    for j in range(1, n):
        if world.kind[w, j] == 0:
            continue
        c, s = np.cos(world.yaw[w, j]), np.sin(world.yaw[w, j])
        middle = HALF * world.length[w, j] - world.overhang[w, j]
        bx, by = world.x[w, j] + middle * c, world.y[w, j] + middle * s
        half_length, half_width = HALF * world.length[w, j] + clearance, HALF * world.width[w, j] + reach
        for step in range(0, nearest, STRIDE):
            row = k + step
            if row > last:
                break
            dx, dy = points[row, 0] - bx, points[row, 1] - by
            if abs(dx * c + dy * s) < half_length and abs(dy * c - dx * s) < half_width:
                nearest = step
                pc, ps = np.cos(points[row, 2]), np.sin(points[row, 2])
                speed = world.speed[w, j] * (pc * c + ps * s)
                break
    return np.float32(nearest) * ROUTE_SPACING, speed, nearest < steps


@kernel
def _control(bank, world, target, manner, steer, acceleration):  # type: ignore[no-untyped-def]
    points = bank.points
    cruise, lateral, braking, eagerness = manner[0], manner[1], manner[2], manner[3]
    pull, hardest, sight, clearance = manner[4], manner[5], manner[6], manner[7]
    steps = int(sight / ROUTE_SPACING)
    for w in range(target.shape[0]):
        q = world.route[w, target[w]]
        first, last = bank.path_start[q], bank.path_start[q + 1] - 1
        x, y, yaw, speed = world.x[w, 0], world.y[w, 0], world.yaw[w, 0], world.speed[w, 0]
        s, _, k = advance_along(points, first, last, world.route_s[w, target[w]], x, y)
        steer[w] = pursue(points, first, last, s, x, y, yaw, speed, world.wheelbase[w, 0])

        wanted = cruise
        for step in range(0, steps, STRIDE):
            if k + step > last:
                break
            bend = max(abs(points[k + step, 3]), FLAT)
            there = lateral / bend
            wanted = min(wanted, np.sqrt(there + TWO * braking * np.float32(step) * ROUTE_SPACING))
        a = clamp(eagerness * (wanted - speed), -hardest, pull)
        gap, other, found = _first_in_the_way(w, points, k, last, world, steps, clearance)
        if found:
            room = gap - (world.length[w, 0] - world.overhang[w, 0])
            a = min(a, max(idm(speed, wanted, room, speed - other), -hardest))
        acceleration[w] = a


def control(bank: Bank, world: World, target: np.ndarray, manner: Manner) -> Action:
    """Action (S,) that drives ego of each row of `world` along its route number `target` (S,) int."""
    steer, acceleration = np.zeros(len(target), np.float32), np.zeros(len(target), np.float32)
    if len(target):
        _control(bank, world, np.asarray(target, np.int64), manner.array(), steer, acceleration)
    return Action(steer, acceleration)
