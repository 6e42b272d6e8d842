"""Signed acceleration along the heading: one number that encodes pedal and gear.

A value above 0 accelerates the car forwards and below 0 backwards; against the direction of motion it brakes. At a
standstill the sign selects the direction, and 0 stays. The learner of a scenario that reverses acts in this form, so
that it still has two controls. In all other scenarios a value below 0 brakes, even at a standstill (`Action`).
"""

from __future__ import annotations

import numpy as np

from sim.datatypes.action import Action

STANDS = 0.05  # [m/s] speed below which a car may change its gear


def along_heading(action: Action, speed: np.ndarray) -> np.ndarray:
    """The acceleration of an action along the heading, (S,) float32 [m/s^2].

    `action_from_signed_acceleration` is the inverse.

    Args:
        speed: (S,) of the cars [m/s], below 0 backwards.
    """
    back = np.zeros(len(speed), bool) if action.reverse is None else action.reverse
    pedal = np.asarray(action.acceleration, np.float32)
    rolls = np.where(np.abs(speed) < STANDS, 0.0, np.sign(speed))  # the brake holds a standing car
    return np.where(pedal > 0, np.where(back, -pedal, pedal), pedal * rolls).astype(np.float32)


def action_from_signed_acceleration(steer: np.ndarray, along: np.ndarray, speed: np.ndarray) -> Action:
    """The action with this steer and acceleration along the heading, each (S,) [rad, m/s^2], at a speed (S,) [m/s]."""
    along, rolling = np.asarray(along, np.float32), np.abs(speed) >= STANDS
    back = np.where(rolling, speed < 0, along < 0)
    return Action(steer, np.where(back, -along, along).astype(np.float32), back)
