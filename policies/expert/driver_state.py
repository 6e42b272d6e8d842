"""How a demonstrator is, beside what it thinks: drowsy, in a hurry, angry. It shows in how it drives, and nowhere else.

Drowsiness comes over it from an onset on: its hands weave (`sim.dynamics.impairment`), and it heeds a line when it is
near.
Anger rises while it is provoked and passes slowly: it pulls away and brakes harder. Who is in a hurry drives faster,
and that is all. What a mood makes of decisions is the rule's affair.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from policies.controllers.path_follower import DrivingStyle, control
from sim.datatypes.action import Action
from sim.datatypes.episode import HURRY_FACTOR
from sim.datatypes.road_map import MapArrays
from sim.datatypes.simulation import Simulation
from sim.datatypes.world_state import World
from sim.dynamics.impairment import LATE

RISES, PASSES = 1.0, 60.0  # [s] time constants of anger
HEED = 10.0  # [m] from a line at which who is drowsy begins to brake for it
ANGRY = 0.5  # of 1 that is anger
_TICK = Simulation().tick


def updated_anger(anger: np.ndarray, provoked: np.ndarray) -> np.ndarray:
    """(S,) anger a tick later, 0 to 1."""
    towards, time = np.where(provoked, 1.0, 0.0), np.where(provoked, RISES, PASSES)
    return (anger + (towards - anger) * (_TICK / time)).astype(np.float32)


def driving_style_of(
    calm: DrivingStyle, drowsy: np.ndarray, anger: np.ndarray, hurry: np.ndarray
) -> list[tuple[np.ndarray, DrivingStyle]]:
    """Which rows (S,) drive in which manner, where moods differ."""
    late, cross = drowsy > LATE, anger > ANGRY
    found = []
    for code in np.unique(late + 2 * cross + 4 * hurry):
        manner = calm
        if code & 1:
            manner = replace(manner, stop_line_lookahead=HEED)
        if code & 2:
            manner = replace(manner, max_acceleration=1.6 * manner.max_acceleration, braking=1.6 * manner.braking)
        if code & 4:
            manner = replace(manner, cruise=HURRY_FACTOR * manner.cruise)
        found.append((late + 2 * cross + 4 * hurry == code, manner))
    return found


def control_by(
    bank: MapArrays, world: World, target: np.ndarray, ways: list[tuple[np.ndarray, DrivingStyle]]
) -> Action:
    """`policies.controllers.path_follower.control` with each row in its own manner."""
    action = control(bank, world, target, ways[0][1])
    for rows, manner in ways[1:]:
        action = control(bank, world, target, manner).where(rows, action)
    return action
