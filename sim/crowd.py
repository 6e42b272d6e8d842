"""The others of a world who are bound to the lane graph or to a script: their state, how they start, and their tick.

What they do follows from the world's own rows and seed.  `advance` moves everyone on by one tick, in the order of the
slots: whoever comes later sees the earlier ones where they are now, as all see ego where it is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.flow import (
    REACTION,
    closeness,
    enter_again,
    hazard,
    held_up,
    leader,
    list_free,
    move_on,
    wanted_speed,
)
from sim.kernel import kernel
from sim.lanechange import EVERY as LOOK_EVERY
from sim.lanechange import change_lane
from sim.rightofway import CLAIM, DRIVER, LANE, MODE, NEXT1, SCRIPTED, SHIFT, SINCE, STANDING, WALKER
from sim.roads import JUNCTION
from sim.traffic import FREE, HARDEST, IDM_ACCELERATION
from sim.types import OUTCOME
from sim.walkers import MOST_POINTS, follow_script, walk

IN_LANE = np.float32(0.05)  # [m] off the lane's middle a lane change is over
ONE = np.float32(1.0)
MIND, COURSE = 10, 5  # columns; see `sim.rightofway`
_RUNNING = OUTCOME["running"]


class Crowd(NamedTuple):
    """State of the others, beside `World` and with its slots.

    mind (B, N, 10) i32: mode (nobody, driver, walker, scripted), lane or footway, the three lanes after it, the
    junction lane claimed and the one not yet left, tick since which it stands, whether it has stopped at its line,
    how many choices it has made; course (B, N, 5) f32: metres along the lane, offset to the left that is left of a
    lane change, offset that is kept [m], share of the pace that it likes, most it likes [m/s];
    cue (B, N, 3) f32: what a script waits for, value, speed; path (B, N, MOST_POINTS, 3) f32 x, y [m] and the speed
    from there on [m/s], 0 where the script has but one, points (B, N) i32 how many it has; these three are (1, 1, ...)
    where nobody is scripted.  busy (B,) i32: how many are to be moved; free (B, N) i32: scratch of a tick.
    """

    mind: np.ndarray
    course: np.ndarray
    cue: np.ndarray
    path: np.ndarray
    points: np.ndarray
    busy: np.ndarray
    free: np.ndarray


def empty_crowd(worlds: int, slots: int, scripts: bool = False) -> Crowd:
    """Nobody anywhere."""
    wide = (worlds, slots) if scripts else (1, 1)
    mind = np.zeros((worlds, slots, MIND), np.int32)
    return Crowd(
        mind, np.zeros((worlds, slots, COURSE), np.float32), np.zeros((*wide, 3), np.float32),
        np.zeros((*wide, MOST_POINTS, 3), np.float32), np.zeros(wide, np.int32), np.zeros(worlds, np.int32),
        np.zeros((worlds, slots), np.int32),
    )  # fmt: skip


def widened(crowd: Crowd, more: int) -> Crowd:
    """The same crowd with `more` empty slots in every world."""
    fields = crowd._asdict()
    for name in ("mind", "course", "free", *(("cue", "path", "points") if _scripted(crowd) else ())):
        array = fields[name]
        fields[name] = np.pad(array, ((0, 0), (0, more), *((0, 0),) * (array.ndim - 2)))
    return Crowd(**fields)


def with_scripts(crowd: Crowd) -> Crowd:
    """The same crowd with room for scripts."""
    worlds, slots = crowd.mind.shape[:2]
    empty = empty_crowd(worlds, slots, scripts=True)
    return crowd._replace(cue=empty.cue, path=empty.path, points=empty.points)


def _scripted(crowd: Crowd) -> bool:
    return crowd.path.shape[:2] == crowd.mind.shape[:2]


@kernel
def advance(world, crowd, roads, path_points, path_start, junction_in, dt, start, stop):
    """Move everyone but ego in worlds start .. stop on by one tick of `dt` [s].

    Args:
        world: World; crowd: Crowd; roads: Roads of the same bank; path_points, path_start, junction_in: of the bank's
            paths.
    """
    x, y, yaw, speed, steer, acceleration = world.x, world.y, world.yaw, world.speed, world.steer, world.acceleration
    length, width, wheelbase, overhang, kind = world.length, world.width, world.wheelbase, world.overhang, world.kind
    route, route_s, route_offset, seed, clock, tick = (
        world.route, world.route_s, world.route_offset, world.seed, world.clock, world.tick,
    )  # fmt: skip
    mind, course = crowd.mind, crowd.course
    points, change, link, measure = roads.points, roads.change, roads.link, roads.measure
    n = kind.shape[1]
    for w in range(start, stop):
        if world.outcome[w] != _RUNNING or crowd.busy[w] == 0:
            continue
        if speed[w, 0] > STANDING:
            mind[w, 0, SINCE] = -1
        elif mind[w, 0, SINCE] <= 0:  # 0 also in a world that starts
            mind[w, 0, SINCE] = max(tick[w], 1)
        count = list_free(w, n, mind, kind, crowd.free[w])
        for i in range(1, n):
            mode = mind[w, i, MODE]
            if mode == DRIVER:
                a = acceleration[w, i]
                if (tick[w] + i) % REACTION == 0:
                    wanted = wanted_speed(w, i, mind, course, points, link, measure)
                    gap, closing = leader(w, i, n, mind, course, x, y, yaw, speed, length, overhang, link, measure)
                    near, nearing = hazard(w, i, crowd.free[w], count, mind, course, x, y, yaw, speed, length, width,
                                           overhang, points, link, measure)  # fmt: skip
                    line = held_up(w, i, n, tick, clock, min(gap, near), mind, course, x, y, yaw, speed, length,
                                   overhang, points, link, measure, roads.conflicts, roads.successors, seed,
                                   world.halted, route, route_s, route_offset, path_points, path_start)  # fmt: skip
                    # the IDM for whichever of the three it brakes for the most
                    v = speed[w, i]
                    ratio = v / max(wanted, FREE)
                    square = ratio * ratio
                    brake = max(max(closeness(v, gap, closing), closeness(v, near, nearing)), closeness(v, line, v))
                    a = max(IDM_ACCELERATION * (ONE - square * square - brake), HARDEST)
                    alone = mind[w, i, CLAIM] < 0 and link[mind[w, i, LANE], JUNCTION] < 0
                    if (tick[w] + i) % LOOK_EVERY == 0 and alone and abs(course[w, i, SHIFT]) < IN_LANE:
                        change_lane(w, i, n, a, seed, mind, course, x, y, speed, length, overhang, points, change, link,
                                    measure, roads.successors)  # fmt: skip
                move_on(w, i, a, dt, seed, mind, course, x, y, yaw, speed, steer, acceleration, length, wheelbase,
                        overhang, points, link, measure, roads.successors)  # fmt: skip
                if speed[w, i] > STANDING:
                    mind[w, i, SINCE] = -1
                elif mind[w, i, SINCE] < 0:
                    mind[w, i, SINCE] = tick[w]
                if mind[w, i, NEXT1] < 0 and speed[w, i] < STANDING:
                    enter_again(w, i, n, seed, world.map, mind, course, x, y, yaw, speed, steer, acceleration,
                                length, overhang, points, link, measure, roads.successors, roads.source_start,
                                roads.sources)  # fmt: skip
            elif mode == WALKER:
                walk(w, i, n, dt, seed, kind, mind, course, x, y, yaw, speed, acceleration, length, overhang,
                     roads.foot_start, roads.foot_points, roads.foot_crossing, roads.foot_link_start,
                     roads.foot_links)  # fmt: skip
            elif mode == SCRIPTED:
                follow_script(w, i, dt, tick, crowd.cue, crowd.path, crowd.points, mind, course, x, y, yaw, speed,
                              acceleration, wheelbase, route, route_s, route_offset, junction_in)  # fmt: skip
