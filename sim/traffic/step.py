"""Step the traffic by one tick: lane drivers, pedestrians and scripted actors.

The result depends only on the world's own rows and seed.  `advance` moves the actors in slot order: each actor sees
the new positions of earlier slots, the old positions of later slots, and ego's current position.
"""

from __future__ import annotations

import numpy as np

from sim.core.kernel import kernel
from sim.datatypes.vocabulary import OUTCOME
from sim.road.map.lane_arrays import JUNCTION
from sim.traffic.car_following import FREE, HARDEST, IDM_ACCELERATION
from sim.traffic.lane_change import EVERY as LOOK_EVERY
from sim.traffic.lane_change import change_lane
from sim.traffic.lane_driver import (
    REACTION,
    follow_lane,
    idm_interaction,
    leader,
    list_free,
    respawn,
    stop_distance,
    unlaned_leader,
    wanted_speed,
)
from sim.traffic.pedestrian import walk
from sim.traffic.right_of_way import LANE, MODE, NEXT1, RESERVED, SINCE, STANDING
from sim.traffic.scripted import follow_script
from sim.traffic.state import DRIVER, SCRIPTED, SHIFT, WALKER

IN_LANE = np.float32(0.05)  # [m] off the lane's middle below which a lane change is complete
ONE = np.float32(1.0)
_RUNNING = OUTCOME["running"]


@kernel
def advance(world, traffic, roads, path_points, path_start, junction_in, dt, start, stop):
    """Move all traffic in worlds start .. stop by one tick of `dt` [s]; ego is not moved.

    Args:
        world: World; traffic: TrafficState; roads: LaneArrays of the same `MapBatch`; path_points, path_start,
            junction_in: the paths of its `MapArrays`.
    """
    x, y, yaw, speed, steer, acceleration = world.x, world.y, world.yaw, world.speed, world.steer, world.acceleration
    length, width, wheelbase, overhang, kind = world.length, world.width, world.wheelbase, world.overhang, world.kind
    route, route_s, route_offset, seed, clock, tick = (
        world.route, world.route_s, world.route_offset, world.seed, world.clock, world.tick,
    )  # fmt: skip
    driver, kinematics = traffic.driver, traffic.kinematics
    points, change, link, measure = roads.points, roads.change, roads.link, roads.measure
    n = kind.shape[1]
    for w in range(start, stop):
        if world.outcome[w] != _RUNNING or traffic.busy[w] == 0:
            continue
        if speed[w, 0] > STANDING:
            driver[w, 0, SINCE] = -1
        elif driver[w, 0, SINCE] <= 0:  # 0 also in a world that starts
            driver[w, 0, SINCE] = max(tick[w], 1)
        count = list_free(w, n, driver, kind, traffic.free[w])
        for i in range(1, n):
            mode = driver[w, i, MODE]
            if mode == DRIVER:
                a = acceleration[w, i]
                if (tick[w] + i) % REACTION == 0:
                    wanted = wanted_speed(w, i, driver, kinematics, points, link, measure)
                    gap, closing = leader(
                        w, i, n, driver, kinematics, x, y, yaw, speed, length, overhang, link, measure
                    )
                    near, nearing = unlaned_leader(w, i, traffic.free[w], count, driver, kinematics, x, y, yaw, speed,
                                                   length, width, overhang, points, link, measure)  # fmt: skip
                    line = stop_distance(w, i, n, tick, clock, min(gap, near), driver, kinematics, x, y, yaw, speed,
                                         length, overhang, points, link, measure, roads.conflicts, roads.successors,
                                         seed, world.stopped_at_line, route, route_s, route_offset, path_points,
                                         path_start)  # fmt: skip
                    # the IDM with the largest of the three interaction terms
                    v = speed[w, i]
                    ratio = v / max(wanted, FREE)
                    square = ratio * ratio
                    brake = max(
                        max(idm_interaction(v, gap, closing), idm_interaction(v, near, nearing)),
                        idm_interaction(v, line, v),
                    )
                    a = max(IDM_ACCELERATION * (ONE - square * square - brake), HARDEST)
                    alone = driver[w, i, RESERVED] < 0 and link[driver[w, i, LANE], JUNCTION] < 0
                    if (tick[w] + i) % LOOK_EVERY == 0 and alone and abs(kinematics[w, i, SHIFT]) < IN_LANE:
                        change_lane(w, i, n, a, seed, driver, kinematics, x, y, speed, length, overhang, points, change,
                                    link, measure, roads.successors)  # fmt: skip
                follow_lane(w, i, a, dt, seed, driver, kinematics, x, y, yaw, speed, steer, acceleration, length,
                            wheelbase, overhang, points, link, measure, roads.successors)  # fmt: skip
                if speed[w, i] > STANDING:
                    driver[w, i, SINCE] = -1
                elif driver[w, i, SINCE] < 0:
                    driver[w, i, SINCE] = tick[w]
                if driver[w, i, NEXT1] < 0 and speed[w, i] < STANDING:
                    respawn(w, i, n, seed, world.map, driver, kinematics, x, y, yaw, speed, steer, acceleration, length,
                            overhang, points, link, measure, roads.successors, roads.source_start,
                            roads.sources)  # fmt: skip
            elif mode == WALKER:
                walk(w, i, n, dt, seed, kind, driver, kinematics, x, y, yaw, speed, acceleration, length, overhang,
                     roads.foot_start, roads.foot_points, roads.foot_crossing, roads.foot_link_start,
                     roads.foot_links)  # fmt: skip
            elif mode == SCRIPTED:
                follow_script(w, i, dt, tick, traffic.trigger, traffic.path, traffic.points, driver, kinematics, x, y,
                              yaw, speed, acceleration, wheelbase, route, route_s, route_offset,
                              junction_in)  # fmt: skip
