"""IMU: accelerations, turn rates and compass of ego, without noise.

It sits on the rear axle. Its frame is the house's (x forward, y left, z up; right-handed): CARLA's left-handed
numbers are (ax, -ay, az) and (-wx, wy, -wz). The compass is CARLA's as it stands: 0 at north, clockwise.
"""

from __future__ import annotations

import math

import numpy as np

from sim.core.constants import GRAVITY
from sim.core.geometry import PI, TAU
from sim.core.kernel import kernel
from sim.datatypes.world_state import World
from sim.dynamics.bicycle import grip_limited, grip_of
from sim.dynamics.friction import wetness_of

IMU: tuple[str, ...] = (
    "acceleration_x", "acceleration_y", "acceleration_z", "gyroscope_x", "gyroscope_y", "gyroscope_z", "compass",
)  # fmt: skip
_F = np.float32
_0, _QUARTER, _G = _F(0.0), _F(np.pi / 2), _F(GRAVITY)


@kernel
def _imu(out, yaw, speed, steer, acceleration, wheelbase, weather):
    for w in range(out.shape[0]):
        bend = math.tan(steer[w, 0]) / wheelbase[w, 0]
        bend, _ = grip_limited(bend, speed[w, 0], abs(acceleration[w, 0]), grip_of(wetness_of(weather[w])) * _G)
        turn = speed[w, 0] * bend
        compass = _QUARTER - yaw[w, 0]
        compass -= TAU * math.floor(compass / TAU)
        out[w, 0], out[w, 1], out[w, 2] = acceleration[w, 0], speed[w, 0] * turn, _G
        out[w, 3], out[w, 4], out[w, 5] = _0, _0, turn
        out[w, 6] = min(max(compass, _0), _F(2.0) * PI)


def imu(world: World, row: int = 0) -> np.ndarray:
    """(B, 7) float32 by IMU's names: acceleration with gravity [m/s^2], turning [rad/s], compass [rad] in 0..2 pi.

    Of ego, or of whoever is in another row.

    A standing car feels (0, 0, 9.81), as CARLA's does. The rear axle cannot slip, so what it feels sideways is speed
    times yaw rate, at this moment and not as a mean over ticks, and no more than the tyres hold.
    Compass: between north and the car's nose, clockwise.
    """
    out = np.empty((len(world.tick), len(IMU)), np.float32)
    rows = (world.yaw, world.speed, world.steer, world.acceleration, world.wheelbase)
    _imu(out, *(rows if row == 0 else (np.ascontiguousarray(a[:, row:]) for a in rows)), world.weather)
    return out
