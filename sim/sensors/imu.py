"""IMU: accelerations, angular rates and compass of ego, without noise.

The IMU is mounted on the rear axle. Its frame is that of `sim` (x forward, y left, z up; right-handed): CARLA's
left-handed numbers are (ax, -ay, az) and (-wx, wy, -wz). The compass equals CARLA's: 0 at north, clockwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.core.constants import GRAVITY
from sim.core.geometry import PI, TAU
from sim.core.kernel import kernel
from sim.datatypes.world_state import World
from sim.dynamics.bicycle import grip_limited, grip_of
from sim.dynamics.friction import wetness_of
from sim.road.map.map_batch import MapBatch
from sim.sensors.base import Field, register

IMU: tuple[str, ...] = (
    "acceleration_x", "acceleration_y", "acceleration_z", "gyroscope_x", "gyroscope_y", "gyroscope_z", "compass",
)  # fmt: skip
_F = np.float32
_MOST = 99.9  # CARLA's IMU holds every component within this
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
    """IMU readings of ego, or of the actor in another row: (B, 7) float32 in the order of the names in IMU.

    The values are acceleration with gravity [m/s^2], angular rate [rad/s] and compass [rad] in 0..2 pi.

    A standing car measures (0, 0, 9.81), as in CARLA. The rear axle cannot slip, so its lateral acceleration is speed
    times yaw rate, at this moment and not as a mean over ticks, and at most the grip of the tyres.
    Compass: angle from north to the car's nose, clockwise.
    """
    out = np.empty((len(world.tick), len(IMU)), np.float32)
    rows = (world.yaw, world.speed, world.steer, world.acceleration, world.wheelbase)
    _imu(out, *(rows if row == 0 else (np.ascontiguousarray(a[:, row:]) for a in rows)), world.weather)
    return out


@register("imu")
@dataclass(frozen=True)
class Imu:
    """IMU on the rear axle: acceleration with gravity, angular rate, compass: (7,) float32, see `sim.sensors.imu`."""

    def field(self) -> Field:
        """CARLA's bounds [m/s^2, rad/s], and 0 to 2 pi [rad]."""
        most = np.full(len(IMU), _MOST, np.float32)
        low, high = -most, most
        low[-1], high[-1] = 0.0, 2.0 * np.pi
        return Field((len(IMU),), np.float32, low, high)

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """(B, 7) float32."""
        limits = self.field()
        return np.clip(imu(world), limits.low, limits.high)
