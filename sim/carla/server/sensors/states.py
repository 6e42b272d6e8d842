"""GNSS and IMU of a served world: a sensor's position and its inertial measurements."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import msgpack
import numpy as np

from sim.carla.server import wire
from sim.carla.server.actors import Actor, turned
from sim.carla.server.sensors.base import Sensor, parent_with_body
from sim.core.constants import GRAVITY
from sim.sensors.gnss import geolocation
from sim.sensors.imu import imu

MOST = 99.9  # [m/s^2, rad/s] CARLA's IMU clips every component to this
_AXES = ("x", "y", "z")
_STILL = 1e6  # bounds of biases and deviations


class Gnss(Sensor):
    """GNSS: latitude and longitude [deg] and altitude [m] of the sensor itself.

    They equal the client's own `Map.transform_to_geolocation` of its location: in 0.9.16 that takes CARLA's y, which
    points south, for north.
    """

    number = wire.SENSOR_NUMBER["gnss"]
    limits: ClassVar[dict[str, tuple[float, float]]] = {f"noise_{a}_{n}": (-_STILL if n == "bias" else 0.0, _STILL)
              for a in ("lat", "lon", "alt") for n in ("bias", "stddev")}  # fmt: skip

    def measure(self, world: Any, actor: Actor) -> bytes:
        """Return three doubles."""
        (x, y, z), _ = world.place_of(actor)
        # CARLA 0.9.16 counts its own y northwards here, as its `Map.transform_to_geolocation` does
        place = np.array([*geolocation(world.road_map, x, y), z])
        place += [self.values[f"noise_{a}_bias"] for a in ("lat", "lon", "alt")]
        place += self.noise(("noise_lat_stddev", "noise_lon_stddev", "noise_alt_stddev"))
        return bytes(msgpack.packb(place.tolist()))


class Imu(Sensor):
    """IMU: acceleration with gravity [m/s^2], angular velocity [rad/s] and compass [rad], in the sensor's own frame."""

    number = wire.SENSOR_NUMBER["imu"]
    limits: ClassVar[dict[str, tuple[float, float]]] = {
        **{f"noise_accel_stddev_{a}": (0.0, _STILL) for a in _AXES},
        **{f"noise_gyro_{n}_{a}": (-_STILL if n == "bias" else 0.0, _STILL) for n in ("bias", "stddev") for a in _AXES},
    }

    def __init__(self, attributes: Any) -> None:
        super().__init__(attributes)
        self._turn: tuple[int, float] | None = None  # frame, and the yaw rate then

    def measure(self, world: Any, actor: Actor) -> bytes:
        """Return two vectors and a number."""
        felt, turn = self._felt(world, actor)
        axes = turned(world.place_of(actor)[1])
        acceleration = felt @ axes + self.noise(tuple(f"noise_accel_stddev_{a}" for a in _AXES))
        gyroscope = np.array([0.0, 0.0, turn]) @ axes + [self.values[f"noise_gyro_bias_{a}"] for a in _AXES]
        gyroscope += self.noise(tuple(f"noise_gyro_stddev_{a}" for a in _AXES))
        ahead = axes[:, 0]
        compass = math.atan2(ahead[0], -ahead[1]) % (2.0 * math.pi)  # north is -y, clockwise
        both = [np.clip(v, -MOST, MOST).tolist() for v in (acceleration, gyroscope)]
        return bytes(msgpack.packb([*both, compass]))

    def _felt(self, world: Any, actor: Actor) -> tuple[np.ndarray, float]:
        """Return acceleration with gravity at the sensor (3,) [m/s^2] and yaw rate [rad/s], in CARLA's world frame.

        Under physics it is the acceleration of the rear axle at this moment, as in `sim.sensors.imu`; without physics,
        the change of velocity. Away from that point the rotation of the body adds to it.
        """
        parent = parent_with_body(world, actor)
        if parent is None:
            return np.array([0.0, 0.0, GRAVITY]), 0.0
        row, fleet = parent.row, world.fleet
        yaw = float(fleet.world.yaw[0, row])
        forward, right = np.array([math.cos(yaw), -math.sin(yaw)]), np.array([math.sin(yaw), math.cos(yaw)])
        (x, y, _), _ = actor.place
        if fleet.physical[row]:
            feels = imu(fleet.world, row)[0]
            turn, x = -float(feels[5]), x + float(fleet.middle[row])
            at = float(feels[0]) * forward - float(feels[1]) * right
        else:
            turn = -float(fleet.turning[row])
            at = world.table.vehicles["acceleration"][world.table.index[parent.id]][:2].astype(np.float64)
        before, self._turn = self._turn, (world.frame, turn)
        gains = (turn - before[1]) / world.delta if before is not None and before[0] == world.frame - 1 else 0.0
        at = at + (-turn * turn * x - gains * y) * forward + (gains * x - turn * turn * y) * right
        return np.array([*at, GRAVITY]), turn
