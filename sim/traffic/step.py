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
def advance(world, traffic, roads, bank, dt, start, stop):
    """Move all traffic in worlds start .. stop by one tick of `dt` [s]; ego is not moved.

    Args:
        world: World; traffic: TrafficState; roads, bank: LaneArrays and MapArrays of one `MapBatch`.
    """
    speed, acceleration, tick = world.speed, world.acceleration, world.tick
    driver, kinematics, link = traffic.driver, traffic.kinematics, roads.link
    n = world.kind.shape[1]
    for w in range(start, stop):
        if world.outcome[w] != _RUNNING or traffic.busy[w] == 0:
            continue
        if speed[w, 0] > STANDING:
            driver[w, 0, SINCE] = -1
        elif driver[w, 0, SINCE] <= 0:  # 0 also in a world that starts
            driver[w, 0, SINCE] = max(tick[w], 1)
        count = list_free(world, traffic, w)
        for i in range(1, n):
            mode = driver[w, i, MODE]
            if mode == DRIVER:
                a = acceleration[w, i]
                if (tick[w] + i) % REACTION == 0:
                    wanted = wanted_speed(traffic, roads, w, i)
                    gap, closing = leader(world, traffic, roads, w, i)
                    near, nearing = unlaned_leader(world, traffic, roads, w, i, count)
                    line = stop_distance(world, traffic, roads, bank, w, i, min(gap, near))
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
                        change_lane(world, traffic, roads, w, i, a)
                follow_lane(world, traffic, roads, w, i, a, dt)
                if speed[w, i] > STANDING:
                    driver[w, i, SINCE] = -1
                elif driver[w, i, SINCE] < 0:
                    driver[w, i, SINCE] = tick[w]
                if driver[w, i, NEXT1] < 0 and speed[w, i] < STANDING:
                    respawn(world, traffic, roads, w, i)
            elif mode == WALKER:
                walk(world, traffic, roads, w, i, dt)
            elif mode == SCRIPTED:
                follow_script(world, traffic, bank, w, i, dt)
