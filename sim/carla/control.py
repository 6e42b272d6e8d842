"""Convert between `carla.VehicleControl`, by its field names, and `sim.datatypes.action.Action`.

CARLA has a throttle and a brake, we have one signed acceleration; CARLA's steer is positive to the *right*, ours is a
wheel angle in radians that is positive to the left.  CARLA's own handling is `UDefaultMovementComponent` in its
sources.  Three things are simpler here: full throttle is the vehicle's greatest acceleration at any speed, a car
without pedals rolls on without drag, and the wheel reaches as far at speed as at rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.actors.base import Vehicle
from sim.datatypes.action import Action


@dataclass(frozen=True)
class VehicleControl:
    """Controls of B vehicles, by the names and in the units of `carla.VehicleControl`.

    It has no manual_gear_shift and no gear: gears other than `reverse` have no effect on these vehicles.

    Args:
        throttle, brake: (B,) float32, 0..1; steer: (B,) float32, -1..1, positive to the right.
        hand_brake, reverse: (B,) bool.
    """

    throttle: np.ndarray
    steer: np.ndarray
    brake: np.ndarray
    hand_brake: np.ndarray
    reverse: np.ndarray


def _share(name: str, values: Any, low: float) -> np.ndarray:
    """Clip values to low..1; raises ValueError for nan."""
    found = np.atleast_1d(np.asarray(values, np.float32))
    if np.isnan(found).any():
        raise ValueError(f"{name} of vehicle {int(np.isnan(found).argmax())} is nan; a number in {low:g}..1 is wanted")
    return np.clip(found, np.float32(low), np.float32(1.0))


def action_of(
    throttle: Any, brake: Any, steer: Any, hand_brake: Any, reverse: Any, vehicle: Vehicle, speed: Any
) -> Action:
    """Convert CARLA's controls to an action.

    Both pedals at once: the engine pulls against the brakes, and the rest of the stronger one acts.  While a car
    rolls against its gear, engine and brakes both slow it: they add up to one braking, which ends in a standstill.
    Without the brake the engine alone reverses the motion, through a standstill.  The hand brake brakes as hard as the
    vehicle can, whatever the pedals are.

    Args:
        throttle, brake: (B,) or one number for all; clipped to 0..1. steer: clipped to -1..1, positive to the right.
        hand_brake, reverse: (B,) bool.
        vehicle: its limits are full throttle, full brake and full steer.
        speed: (B,) along the vehicles' own axes, below 0 backwards [m/s].

    Raises:
        ValueError: for a control that is nan, with its name and vehicle.
    """
    drive = _share("throttle", throttle, 0.0) * np.float32(vehicle.max_acceleration)
    braking = _share("brake", brake, 0.0) * np.float32(vehicle.max_braking)
    wheel = -_share("steer", steer, -1.0) * np.float32(vehicle.max_steer)
    backwards = np.asarray(reverse, bool)
    against = np.where(backwards, np.asarray(speed) > 0, np.asarray(speed) < 0) & (braking > 0)
    pedal = np.maximum(np.where(against, -(drive + braking), drive - braking), -np.float32(vehicle.max_braking))
    pedal = np.where(np.asarray(hand_brake, bool), -np.float32(vehicle.max_braking), pedal)
    wheel, pedal, backwards = np.broadcast_arrays(wheel, pedal, backwards)
    return Action(wheel.astype(np.float32), pedal.astype(np.float32), backwards.copy())


def control_of(action: Action, vehicle: Vehicle) -> VehicleControl:
    """Convert an action to CARLA's controls: `action_of` returns the action from them, within the vehicle's limits.

    It uses one pedal at a time, and never the hand brake.

    Raises:
        ValueError: for an action that is nan.
    """
    pedal = np.asarray(action.acceleration, np.float32)
    reverse = np.zeros(pedal.shape, bool) if action.reverse is None else np.array(action.reverse, bool)
    return VehicleControl(
        throttle=_share("acceleration", np.maximum(pedal, 0) / np.float32(vehicle.max_acceleration), 0.0),
        steer=_share("steer", -np.asarray(action.steer, np.float32) / np.float32(vehicle.max_steer), -1.0),
        brake=_share("acceleration", np.maximum(-pedal, 0) / np.float32(vehicle.max_braking), 0.0),
        hand_brake=np.zeros(pedal.shape, bool),
        reverse=reverse,
    )
