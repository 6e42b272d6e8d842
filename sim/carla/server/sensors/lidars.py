"""Lidars of a served world: the rays of a tick continue the last tick's, clockwise as seen from above.

A measurement lists points channel by channel from the highest to the lowest, within a channel in the order in which the
head turns; rays without a hit within `range` are left out. With a horizontal field of 360 degrees the first ray after
the start points ahead. So `rotation_frequency` = 1 / (length of a tick) and `points_per_second` = channels * rays /
(length of a tick) give in every tick the same full circle whose ray r has the azimuth r * 360 / rays degrees to the
right, and channel counts and azimuths show which rays have no hit. No lidar sees its parent.
"""

from __future__ import annotations

import math
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from sim.carla.server import wire
from sim.carla.server.actors import NO_ROW, Actor, turned
from sim.carla.server.rpc import Refused
from sim.carla.server.sensors.base import Sensor, parent_with_body, unseen
from sim.sensors.lidar import elevations, scan_sector
from sim.sensors.raycast import cast_rays

_LEVEL = 1e-3  # [deg] of pitch and roll up to which a lidar is upright
_EXACT = 5  # decimals [m, deg] of a mount, as in `cameras`
MOST = 2_000_000  # rays of a tick
POINT = np.dtype([("xyz", "<f4", 3), ("cosine", "<f4"), ("actor", "<u4"), ("tag", "<u4")])  # of a semantic lidar


class Sweeping(Sensor, ABC):
    """The base of both lidars: the rays of a tick, and their hits."""

    limits: ClassVar[dict[str, tuple[float, float]]] = {
        "channels": (1, 1024), "range": (0.1, 1000.0), "points_per_second": (0, 1e8), "rotation_frequency": (0, 1e4),
        "upper_fov": (-89.0, 89.0), "lower_fov": (-89.0, 89.0), "horizontal_fov": (0.0, 360.0),
    }  # fmt: skip

    def __init__(self, attributes: Mapping[str, str]) -> None:
        super().__init__(attributes)
        values = self.values
        if values["lower_fov"] > values["upper_fov"]:
            raise Refused(f"lower_fov is {values['lower_fov']:g}, above upper_fov {values['upper_fov']:g}")
        self.channels, self.range = int(values["channels"]), values["range"]
        self.field = values["horizontal_fov"]
        self.angle = 0.0  # how far the head has turned in its field [deg]

    def measure(self, world: Any, actor: Actor) -> bytes:
        """Return angle, counts and points of the hits of this tick's rays."""
        rays = min(round(self.values["points_per_second"] * self.span / self.channels), MOST // self.channels)
        turn = self.values["rotation_frequency"] * self.field * self.span
        start = self.angle - (0.0 if self.field == 360.0 else 0.5 * self.field)
        if self.field > 0.0:
            self.angle = round((self.angle + turn) % self.field, 6) % self.field
        right = np.radians(start + np.arange(rays) * (turn / rays if rays else 0.0))
        if 0.0 < self.field < 360.0:  # a turn across the edge of the field continues at its other edge
            half = math.radians(0.5 * self.field)
            right = (right + half) % (2.0 * half) - half
        up = elevations(self.channels, self.values["lower_fov"], self.values["upper_fov"])
        if not rays:
            hits = np.zeros((self.channels, 0, 2), np.float32)
            also = hits
        else:
            hits, also = self._hits(world, actor, right, up)
        keep = self.kept(hits)
        about = struct.pack("<fI", math.radians(self.angle), self.channels)
        counts = keep.sum(1).astype("<u4").tobytes()
        c, r = np.nonzero(keep)
        way = np.stack([np.cos(up)[c] * np.cos(right)[r], np.cos(up)[c] * np.sin(right)[r], np.sin(up)[c]], 1)
        return about + counts + self.points(world, way, hits[c, r], also[c, r])

    def _hits(self, world: Any, actor: Actor, right: np.ndarray, up: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return distance and tag, and row and cosine: (C, R, 2) each."""
        w, parent = world.fleet.world, parent_with_body(world, actor)
        place = actor.place if parent is not None else world.place_of(actor)
        row = NO_ROW if parent is None else parent.row
        (x, y, z), (pitch, yaw, roll) = place
        step = right[1] - right[0] if len(right) > 1 else 2.0 * math.pi
        # rays that continue at the field's other edge, or do not turn, are no sweep
        steady = step > 0.0 and (len(right) < 3 or bool((np.diff(right) > 0.0).all()))
        with unseen(world, row):
            if abs(pitch) > _LEVEL or abs(roll) > _LEVEL or not steady:
                return self._apart(world, actor, right, up)
            if parent is None:
                world.fleet.put(0, place)
                mount, ahead = (0.0, 0.0, z), 0.0
            else:
                for name in ("x", "y", "yaw"):
                    getattr(w, name)[0, 0] = getattr(w, name)[0, row]
                forward = round(x + float(world.fleet.middle[row]), _EXACT)
                mount, ahead = (forward, round(-y, _EXACT), round(z, _EXACT)), -math.radians(round(yaw, _EXACT))
            angles = self.values["lower_fov"], self.values["upper_fov"]
            hits, also = scan_sector(
                world.maps, w, ahead - right[0], -step, len(right), self.channels, self.range, angles, mount
            )
        return hits[0], also[0]

    def _apart(self, world: Any, actor: Actor, right: np.ndarray, up: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the same as `_hits`, ray by ray, for a lidar that is tilted or does not turn steadily."""
        at, rotation = world.place_of(actor)
        azimuth, height = np.meshgrid(right, up)
        local = np.stack([np.cos(height) * np.cos(azimuth), np.cos(height) * np.sin(azimuth), np.sin(height)], -1)
        ways = (local.reshape(-1, 3) @ turned(rotation).T) * (1.0, -1.0, 1.0)
        origin = np.array([at[0], -at[1], at[2]])
        met = cast_rays(world.maps, world.fleet.world, np.tile(origin, (len(ways), 1)), ways, self.range)
        shape = (self.channels, len(right), 2)
        hits = np.stack([met.distance, met.tag.astype(np.float32)], -1)
        also = np.stack([np.maximum(met.owner, 0).astype(np.float32), met.cosine], -1)
        return hits.reshape(shape), also.reshape(shape)

    def kept(self, hits: np.ndarray) -> np.ndarray:
        """Return (C, R) bool, which rays give a point."""
        return hits[..., 1] > 0.0

    @abstractmethod
    def points(self, world: Any, ways: np.ndarray, hits: np.ndarray, also: np.ndarray) -> bytes:
        """Return the records of K points, whose directions (K, 3) are in the sensor's own frame."""


class Lidar(Sweeping):
    """Lidar: points with their intensity, some of which drop out."""

    number = wire.SENSOR_NUMBER["lidar"]
    limits: ClassVar[dict[str, tuple[float, float]]] = {
        **Sweeping.limits, "atmosphere_attenuation_rate": (0.0, 1e3), "dropoff_general_rate": (0.0, 1.0),
        "dropoff_intensity_limit": (0.0, 1.0), "dropoff_zero_intensity": (0.0, 1.0), "noise_stddev": (0.0, 1e3),
    }  # fmt: skip

    def intensity(self, distance: np.ndarray) -> np.ndarray:
        """Return the intensity of light after a way of `distance` [m]."""
        return np.exp(-self.values["atmosphere_attenuation_rate"] * distance)

    def kept(self, hits: np.ndarray) -> np.ndarray:
        """Return the rays with a hit, less a random share of all and a share of the faint ones."""
        keep = super().kept(hits)
        share, limit, none = (
            self.values[f"dropoff_{n}"] for n in ("general_rate", "intensity_limit", "zero_intensity")
        )
        if share > 0.0:
            keep &= self.random.random(keep.shape) >= share
        if none > 0.0 and limit > 0.0:
            lost = none * (1.0 - self.intensity(hits[..., 0]) / limit)  # from `none` in the dark to 0 at the limit
            keep &= self.random.random(keep.shape) >= lost
        return keep

    def points(self, world: Any, ways: np.ndarray, hits: np.ndarray, also: np.ndarray) -> bytes:
        """Return x, y, z [m] and intensity."""
        distance = hits[:, 0]
        intensity = self.intensity(distance)
        if self.values["noise_stddev"] > 0.0:
            distance = distance + self.random.normal(0.0, self.values["noise_stddev"], len(distance))
        return np.column_stack([ways * distance[:, None], intensity]).astype("<f4").tobytes()


class SemanticLidar(Sweeping):
    """Semantic lidar: points with the cosine of the incident angle, the actor and the tag."""

    number = wire.SENSOR_NUMBER["semantic_lidar"]

    def points(self, world: Any, ways: np.ndarray, hits: np.ndarray, also: np.ndarray) -> bytes:
        """Return records of POINT; scenery and ground have the actor 0."""
        out = np.zeros(len(ways), POINT)
        out["xyz"], out["cosine"], out["tag"] = ways * hits[:, :1], also[:, 1], hits[:, 1]
        out["actor"] = world.owners()[also[:, 0].astype(np.int64)]
        return out.tobytes()
