"""The radar of a served world: random rays within a cone, with the radial velocity of their hits."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from sim.carla.server import wire
from sim.carla.server.actors import NO_ROW, Actor, turned
from sim.carla.server.sensors.base import Sensor, parent_with_body, unseen
from sim.sensors.raycast import Hits, cast_rays

_MIRROR = np.array([1.0, -1.0, 1.0])


class Radar(Sensor):
    """Radar: detections of ground, scenery and all actors but the parent.

    The velocity is the rate at which the distance grows [m/s]: negative for an approaching target, as CARLA's server
    has it, contrary to its reference.
    """

    number = wire.SENSOR_NUMBER["radar"]
    limits: ClassVar[dict[str, tuple[float, float]]] = {
        "horizontal_fov": (0.0, 179.0), "vertical_fov": (0.0, 179.0), "points_per_second": (0, 1e7),
        "range": (0.1, 1000.0),
    }  # fmt: skip

    def __init__(self, attributes: Any) -> None:
        super().__init__(attributes)
        self._before: tuple[int, np.ndarray] | None = None  # frame, and the place then

    def measure(self, world: Any, actor: Actor) -> bytes:
        """Return records of velocity, azimuth [rad, to the right], altitude [rad] and depth [m], float32."""
        place, rotation = world.place_of(actor)
        at, axes = np.array(place, np.float64), turned(rotation)
        own = self._velocity(world, actor, at)
        count = int(self.values["points_per_second"] * self.span + 1e-6)
        if not count:
            return b""
        radius, angle = self.random.random(count), self.random.random(count) * (2.0 * math.pi)
        wide, high = (math.tan(math.radians(self.values[n]) / 2.0) for n in ("horizontal_fov", "vertical_fov"))
        local = np.stack([np.ones(count), wide * radius * np.cos(angle), high * radius * np.sin(angle)], 1)
        local /= np.linalg.norm(local, axis=1, keepdims=True)
        ways = local @ axes.T
        parent = parent_with_body(world, actor)
        with unseen(world, NO_ROW if parent is None else parent.row):
            origins = np.tile(at * _MIRROR, (count, 1))
            met = cast_rays(world.maps, world.fleet.world, origins, ways * _MIRROR, self.values["range"])
        back = met.tag > 0
        rate = ((_velocities(world, met) - own) * ways).sum(1)
        azimuth, altitude = np.arctan2(local[:, 1], local[:, 0]), np.arcsin(local[:, 2])
        return np.column_stack([rate, azimuth, altitude, met.distance])[back].astype("<f4").tobytes()

    def _velocity(self, world: Any, actor: Actor, at: np.ndarray) -> np.ndarray:
        """Return the sensor's velocity, (3,) in CARLA's frame [m/s]: from its last place, or its parent's."""
        before, self._before = self._before, (world.frame, at)
        if before is not None and before[0] == world.frame - 1:
            return (at - before[1]) / world.delta
        parent = parent_with_body(world, actor)
        return np.zeros(3) if parent is None else world.fleet.places(np.array([parent.row]))[2][0].astype(np.float64)


def _velocities(world: Any, met: Hits) -> np.ndarray:
    """Return (R, 3) velocities of hits, in CARLA's frame [m/s]; only actors move."""
    out = np.zeros((len(met.owner), 3))
    actors = met.owner > 0
    if actors.any():
        out[actors] = world.fleet.places(met.owner[actors])[2]
    return out
