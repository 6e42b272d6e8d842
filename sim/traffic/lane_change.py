"""Lane choice: the exit that a driver takes at a junction, and lane changes by MOBIL.

The exit follows from the world's seed, the driver's slot and the number of its earlier choices, so that a world needs
no random-generator state.

MOBIL: Kesting, Treiber, Helbing, General lane-changing model MOBIL for car-following models, Transportation Research
Record 1999 (2007), eq. 2-4 with politeness POLITE.
"""

from __future__ import annotations

import numpy as np

from sim.core.geometry import HALF
from sim.core.hashing import hash_u32
from sim.core.kernel import kernel
from sim.road.map.lane_arrays import COS, LEFT, LENGTH, NEXT, NEXT_END, ROW, ROWS, SIN, SPEED, STEP, X, Y
from sim.traffic.car_following import NO_GAP, idm
from sim.traffic.right_of_way import LANE, MODE, NEXT1, NEXT3, PICKS
from sim.traffic.state import CAP, DRIVER, FACTOR, KEEP, SHIFT, S

POLITE = np.float32(0.3)  # politeness: weight of what a lane change costs the follower
WORTH = np.float32(0.25)  # [m/s^2] threshold: a lane change must gain as much
SAFE = np.float32(-2.0)  # [m/s^2] to which the new follower may be made to brake, and ..
URGENT = np.float32(-4.0)  # .. where the lane ends
LAST_CHANCE = np.float32(80.0)  # [m] before its end from which drivers leave a lane that ends
MOVING = np.float32(2.0)  # [m/s] below which only a lane's end makes a driver change lanes
EVERY = 8  # ticks between two checks for a lane change
_0, _1 = np.float32(0.0), np.float32(1.0)
_U = np.uint32


@kernel(inline=True)
def row_at(roads, lane, s):
    """The row of a lane's points nearest to `s` [m] along it."""
    link, measure = roads.link, roads.measure
    return link[lane, ROW] + min(max(int(s / measure[lane, STEP] + HALF), 0), link[lane, ROWS] - 1)


@kernel(inline=True)
def choose_exit(world, traffic, roads, w, i, lane):
    """The lane after `lane` that the driver chooses; -1 at a dead end."""
    seed = world.seed
    driver = traffic.driver
    link, successors = roads.link, roads.successors
    chosen = np.int32(-1)
    if lane >= 0:
        first = link[lane, NEXT]
        ways = link[lane, NEXT_END] - first
        if ways > 0:
            key = hash_u32(_U(seed[w]) ^ hash_u32(_U(i * 7919 + driver[w, i, PICKS])))
            chosen = successors[first + np.int32(key % _U(ways))]
            driver[w, i, PICKS] += 1
    return chosen


@kernel(inline=True)
def extend_plan(world, traffic, roads, w, i, lane):
    """Put driver i on a lane and choose the three lanes after it."""
    driver = traffic.driver
    driver[w, i, LANE] = lane
    for column in range(NEXT1, NEXT3 + 1):
        lane = choose_exit(world, traffic, roads, w, i, lane)
        driver[w, i, column] = lane


@kernel(inline=True)
def neighbours(world, traffic, w, i, other, at):
    """Leader and follower at `at` [m] on another lane: gap and closing speed of each; a gap below 0 is no room."""
    n = world.kind.shape[1]
    speed, length, overhang = world.speed, world.length, world.overhang
    driver, kinematics = traffic.driver, traffic.kinematics
    ahead, ahead_closing, behind, behind_closing, slot = NO_GAP, _0, NO_GAP, _0, -1
    for j in range(1, n):
        if j == i or driver[w, j, MODE] != DRIVER or driver[w, j, LANE] != other:
            continue
        if kinematics[w, j, S] >= at:
            gap = kinematics[w, j, S] - overhang[w, j] - at - length[w, i] + overhang[w, i]
            if gap < ahead:
                ahead, ahead_closing = gap, speed[w, i] - speed[w, j]
        else:
            gap = at - overhang[w, i] - kinematics[w, j, S] - length[w, j] + overhang[w, j]
            if gap < behind:
                behind, behind_closing, slot = gap, speed[w, j] - speed[w, i], j
    return ahead, ahead_closing, behind, behind_closing, slot


@kernel(inline=True)
def change_lane(world, traffic, roads, w, i, now):
    """Change to a neighbouring lane where MOBIL says it pays and is safe; `now`: acceleration on the current lane."""
    x, y, speed = world.x, world.y, world.speed
    driver, kinematics = traffic.driver, traffic.kinematics
    points, change, link, measure = roads.points, roads.change, roads.link, roads.measure
    lane, s = driver[w, i, LANE], kinematics[w, i, S]
    left_over = measure[lane, LENGTH] - s
    ends = link[lane, NEXT] == link[lane, NEXT_END] and left_over < LAST_CHANCE
    row = row_at(roads, lane, s)
    for side in range(2):
        other = link[lane, LEFT + side]
        if other < 0 or change[row, side] == 0:
            continue
        onward = link[other, NEXT_END] > link[other, NEXT]
        if speed[w, i] < MOVING and not (ends and onward):
            continue
        if (not onward and link[lane, NEXT_END] > link[lane, NEXT]) or (left_over < np.float32(20.0) and not ends):
            continue
        at = s / measure[lane, LENGTH] * measure[other, LENGTH]
        ahead, closing, behind, pressing, slot = neighbours(world, traffic, w, i, other, at)
        if ahead < _1 or behind < _1:
            continue
        wanted = min(points[row_at(roads, other, at), SPEED] * kinematics[w, i, FACTOR], kinematics[w, i, CAP])
        gain = idm(speed[w, i], wanted, ahead, closing) - now
        if slot >= 0:
            theirs = idm(speed[w, slot], max(kinematics[w, slot, CAP], _1), behind, pressing)
            if theirs < (URGENT if ends and onward else SAFE):
                continue
            gain -= POLITE * max(_0, -theirs)
        if gain < WORTH and not (ends and onward):
            continue
        k = row_at(roads, other, at)
        dx, dy = x[w, i] - points[k, X], y[w, i] - points[k, Y]
        kinematics[w, i, S] = at
        kinematics[w, i, SHIFT] = dy * points[k, COS] - dx * points[k, SIN] - kinematics[w, i, KEEP]
        extend_plan(world, traffic, roads, w, i, other)
        break
