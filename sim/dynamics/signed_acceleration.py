"""One pedal for both ways: acceleration along the heading, which says the gear as well.

Above 0 a car is pushed forwards and below 0 backwards, so that against its rolling it brakes; in a stand the sign says
which way it sets off, and 0 stays. A learner whose scenario backs up speaks like this: its two controls stay two.
Elsewhere nobody does, and below 0 is the brake even in a stand (`Action`).
"""

from __future__ import annotations

import numpy as np

from sim.datatypes.action import Action

STANDS = 0.05  # [m/s] slower than this a car may change its gear


def along_heading(action: Action, speed: np.ndarray) -> np.ndarray:
    """What the pedals of some cars come to along their heading, (S,) float32 [m/s^2]; `action_from_signed_acceleration`
    is the inverse.

    Args:
        speed: (S,) of the cars [m/s], below 0 backwards.
    """
    back = np.zeros(len(speed), bool) if action.reverse is None else action.reverse
    pedal = np.asarray(action.acceleration, np.float32)
    rolls = np.where(np.abs(speed) < STANDS, 0.0, np.sign(speed))  # a brake holds who stands
    return np.where(pedal > 0, np.where(back, -pedal, pedal), pedal * rolls).astype(np.float32)


def action_from_signed_acceleration(steer: np.ndarray, along: np.ndarray, speed: np.ndarray) -> Action:
    """The action with an acceleration along the heading, each (S,) [rad, m/s^2], at a speed (S,) [m/s]."""
    along, rolling = np.asarray(along, np.float32), np.abs(speed) >= STANDS
    back = np.where(rolling, speed < 0, along < 0)
    return Action(steer, np.where(back, -along, along).astype(np.float32), back)
