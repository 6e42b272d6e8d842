"""Traffic state as arrays: lane drivers, pedestrians and scripted actors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

S, SHIFT, KEEP, FACTOR, CAP = range(5)
NOBODY, DRIVER, WALKER, SCRIPTED = range(4)  # of MODE
MOST_POINTS = 8  # of a script's path
DRIVER_COLUMNS, KINEMATICS_COLUMNS = 10, 5  # columns; see `sim.traffic.right_of_way`


class TrafficState(NamedTuple):
    """State of every actor but ego that traffic moves; it supplements `World` and shares its slots.

    driver (B, N, 10) i32: mode (none, driver, walker, scripted), lane or footway, the next three lanes, the reserved
    junction lane, the junction lane still occupied, tick since which the actor stands, whether it has stopped at its
    line, number of route choices so far; kinematics (B, N, 5) f32: metres along the lane, remaining offset of a lane
    change (left positive), permanent offset [m], factor on the lane's speed, highest desired speed [m/s];
    trigger (B, N, 3) f32: trigger type, its value, speed of the script; path (B, N, MOST_POINTS, 3) f32: x, y [m] and
    the speed from that point on [m/s], 0 where the script has a single speed; points (B, N) i32: number of path points;
    these three are (1, 1, ...) without scripted actors.  busy (B,) i32: number of actors to move; free (B, N) i32:
    scratch space within a tick.
    """

    driver: np.ndarray
    kinematics: np.ndarray
    trigger: np.ndarray
    path: np.ndarray
    points: np.ndarray
    busy: np.ndarray
    free: np.ndarray


def empty_traffic(worlds: int, slots: int, scripts: bool = False) -> TrafficState:
    """A traffic state without actors."""
    wide = (worlds, slots) if scripts else (1, 1)
    driver = np.zeros((worlds, slots, DRIVER_COLUMNS), np.int32)
    return TrafficState(
        driver, np.zeros((worlds, slots, KINEMATICS_COLUMNS), np.float32), np.zeros((*wide, 3), np.float32),
        np.zeros((*wide, MOST_POINTS, 3), np.float32), np.zeros(wide, np.int32), np.zeros(worlds, np.int32),
        np.zeros((worlds, slots), np.int32),
    )  # fmt: skip
