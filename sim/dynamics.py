"""The kinematic bicycle: one rear axle that cannot slip, one steered front wheel.

The pose is the rear axle (Rajamani, Vehicle Dynamics and Control, 2.2, with the reference point moved to the rear
axle, where the slip angle is zero).  A step takes the midpoint yaw, second order in the tick.
"""

from __future__ import annotations

import numpy as np

from sim.config import Vehicle
from sim.kernel import kernel

ZERO = np.float32(0.0)
HALF = np.float32(0.5)


@kernel(inline=True)
def clamp(value, low, high):  # type: ignore[no-untyped-def]
    """`value` held between `low` and `high`."""
    return min(max(value, low), high)


@kernel(inline=True)
def bicycle(x, y, yaw, speed, steer, acceleration, wheelbase, dt):  # type: ignore[no-untyped-def]
    """Move one vehicle on by `dt` [s]; it never rolls backwards.

    Returns:
        x, y [m], yaw [rad], speed [m/s] afterwards.
    """
    speed_after = max(speed + acceleration * dt, ZERO)
    travelled = HALF * (speed + speed_after) * dt
    turned = travelled * np.tan(steer) / wheelbase
    middle = yaw + HALF * turned
    return x + travelled * np.cos(middle), y + travelled * np.sin(middle), yaw + turned, speed_after


@kernel
def _drive(pose, speed, steer, acceleration, wheelbase, dt):  # type: ignore[no-untyped-def]
    for i in range(pose.shape[0]):
        pose[i, 0], pose[i, 1], pose[i, 2], speed[i] = bicycle(
            pose[i, 0], pose[i, 1], pose[i, 2], speed[i], steer[i], acceleration[i], wheelbase, dt
        )


def forward(
    pose: np.ndarray, speed: np.ndarray, steer: np.ndarray, acceleration: np.ndarray, dt: float, vehicle: Vehicle
) -> tuple[np.ndarray, np.ndarray]:
    """Advance n vehicles one step of `dt` [s] with steer and acceleration held.

    Args:
        pose: (n, 3) x, y [m], yaw [rad] of the rear axles; speed: (n,) [m/s].
        steer: (n,) front wheel angle [rad]; acceleration: (n,) [m/s^2].

    Returns:
        pose, speed afterwards, new arrays of the same shapes, float32.
    """
    pose, speed = np.array(pose, np.float32), np.array(speed, np.float32)
    steer, acceleration = np.asarray(steer, np.float32), np.asarray(acceleration, np.float32)
    _drive(pose, speed, steer, acceleration, np.float32(vehicle.wheelbase), np.float32(dt))
    return pose, speed


def inverse(
    pose: np.ndarray, speed: np.ndarray, pose_after: np.ndarray, speed_after: np.ndarray, dt: float, vehicle: Vehicle
) -> tuple[np.ndarray, np.ndarray]:
    """The steer [rad] and acceleration [m/s^2] that `forward` turns into the given motion.

    Steer cannot be told from a standing vehicle and is 0 there.
    """
    acceleration = (np.asarray(speed_after, np.float64) - speed) / dt
    travelled = 0.5 * (np.asarray(speed, np.float64) + speed_after) * dt
    turned = np.asarray(pose_after, np.float64)[:, 2] - np.asarray(pose, np.float64)[:, 2]
    moving = travelled > 1e-6
    steer = np.arctan(np.where(moving, turned * vehicle.wheelbase / np.where(moving, travelled, 1.0), 0.0))
    return steer.astype(np.float32), acceleration.astype(np.float32)
