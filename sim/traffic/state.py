"""State of the traffic: drivers, walkers and scripts as arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

S, SHIFT, KEEP, FACTOR, CAP = range(5)
NOBODY, DRIVER, WALKER, SCRIPTED = range(4)  # of MODE
MOST_POINTS = 8  # of a script's path
DRIVER_COLUMNS, KINEMATICS_COLUMNS = 10, 5  # columns; see `sim.traffic.right_of_way`


class TrafficState(NamedTuple):
    """State of the others, beside `World` and with its slots.

    driver (B, N, 10) i32: mode (nobody, driver, walker, scripted), lane or footway, the three lanes after it, the
    junction lane claimed and the one not yet left, tick since which it stands, whether it has stopped at its line,
    how many choices it has made; kinematics (B, N, 5) f32: metres along the lane, offset to the left that is left of a
    lane change, offset that is kept [m], share of the pace that it likes, most it likes [m/s];
    trigger (B, N, 3) f32: what a script waits for, value, speed; path (B, N, MOST_POINTS, 3) f32 x, y [m] and the speed
    from there on [m/s], 0 where the script has but one, points (B, N) i32 how many it has; these three are (1, 1, ...)
    where nobody is scripted.  busy (B,) i32: how many are to be moved; free (B, N) i32: scratch of a tick.
    """

    driver: np.ndarray
    kinematics: np.ndarray
    trigger: np.ndarray
    path: np.ndarray
    points: np.ndarray
    busy: np.ndarray
    free: np.ndarray


def empty_traffic(worlds: int, slots: int, scripts: bool = False) -> TrafficState:
    """Nobody anywhere."""
    wide = (worlds, slots) if scripts else (1, 1)
    driver = np.zeros((worlds, slots, DRIVER_COLUMNS), np.int32)
    return TrafficState(
        driver, np.zeros((worlds, slots, KINEMATICS_COLUMNS), np.float32), np.zeros((*wide, 3), np.float32),
        np.zeros((*wide, MOST_POINTS, 3), np.float32), np.zeros(wide, np.int32), np.zeros(worlds, np.int32),
        np.zeros((worlds, slots), np.int32),
    )  # fmt: skip


def grow(crowd: TrafficState, more: int) -> TrafficState:
    """The same crowd with `more` empty slots in every world."""
    fields = crowd._asdict()
    for name in ("driver", "kinematics", "free", *(("trigger", "path", "points") if _scripted(crowd) else ())):
        array = fields[name]
        fields[name] = np.pad(array, ((0, 0), (0, more), *((0, 0),) * (array.ndim - 2)))
    return TrafficState(**fields)


def with_scripts(crowd: TrafficState) -> TrafficState:
    """The same crowd with room for scripts."""
    worlds, slots = crowd.driver.shape[:2]
    empty = empty_traffic(worlds, slots, scripts=True)
    return crowd._replace(trigger=empty.trigger, path=empty.path, points=empty.points)


def _scripted(crowd: TrafficState) -> bool:
    return crowd.path.shape[:2] == crowd.driver.shape[:2]
