"""Driver states of the expert (drowsy, angry, in a hurry) and their effect on its driving style.

Drowsiness grows from its onset: the car weaves (`sim.dynamics.impairment`), and the expert brakes late for lines.
Anger rises while the expert is provoked and decays slowly: it accelerates and brakes harder. An expert in a hurry only
drives faster. A driver state affects decisions only through the rule.
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
HEED = 10.0  # [m] from a line at which a drowsy expert begins to brake for it
ANGRY = 0.5  # level of anger, of 1, above which the expert is angry
_TICK = Simulation().tick


def updated_anger(anger: np.ndarray, provoked: np.ndarray) -> np.ndarray:
    """(S,) anger after one more tick, 0 to 1."""
    towards, time = np.where(provoked, 1.0, 0.0), np.where(provoked, RISES, PASSES)
    return (anger + (towards - anger) * (_TICK / time)).astype(np.float32)


def driving_style_of(
    calm: DrivingStyle, drowsy: np.ndarray, anger: np.ndarray, hurry: np.ndarray
) -> list[tuple[np.ndarray, DrivingStyle]]:
    """Masks of rows (S,) with their driving styles, given their driver states."""
    late, cross = drowsy > LATE, anger > ANGRY
    found = []
    for code in np.unique(late + 2 * cross + 4 * hurry):
        style = calm
        if code & 1:
            style = replace(style, stop_line_lookahead=HEED)
        if code & 2:
            style = replace(style, max_acceleration=1.6 * style.max_acceleration, braking=1.6 * style.braking)
        if code & 4:
            style = replace(style, cruise=HURRY_FACTOR * style.cruise)
        found.append((late + 2 * cross + 4 * hurry == code, style))
    return found


def control_by(
    bank: MapArrays, world: World, target: np.ndarray, ways: list[tuple[np.ndarray, DrivingStyle]]
) -> Action:
    """`policies.controllers.path_follower.control` with each row in its own driving style."""
    action = control(bank, world, target, ways[0][1])
    for rows, style in ways[1:]:
        action = control(bank, world, target, style).where(rows, action)
    return action
