"""Sensor registry: the settings of every sensor on ego, its array spec, and one function to read all sensors.

A sensor is a frozen dataclass with `field()` (shape, type and bounds of one world's reading) and `sense(...)`, whose
row w depends on world w alone. SENSORS names the kinds as scenario files do. No sensor has noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Protocol

import numpy as np

from sim.actors.kinds import EGO
from sim.actors.tags import TAGS
from sim.datatypes.camera import Camera
from sim.datatypes.world_state import World
from sim.render.rgb import render
from sim.road.map.map_batch import MapBatch
from sim.sensors.birdseye import MASKS, birdseye_image
from sim.sensors.depth import depth_image
from sim.sensors.geometry_pass import FAR
from sim.sensors.gnss import gnss
from sim.sensors.imu import IMU, imu
from sim.sensors.lidar import scan
from sim.sensors.semantic import semantic_image

RESERVED: tuple[str, ...] = ("camera", "speed")  # entries that every observation has
_CAMERA = Camera()
_MOST = 99.9  # CARLA's IMU holds every component within this
# Least and greatest value of every setting, by its name [px, deg, m].
RANGES: dict[str, tuple[float, float]] = {
    "width": (2, 4096), "height": (2, 4096), "fov": (5.0, 150.0),
    "forward": (-50.0, 50.0), "left": (-10.0, 10.0), "up": (0.06, 100.0), "pitch": (-60.0, 60.0),
    "yaw": (-360.0, 360.0), "metres": (1.0, 500.0), "rays": (1, 4096), "channels": (1, 256), "range": (1.0, 500.0),
    "lower": (-80.0, 80.0), "upper": (-80.0, 80.0),
}  # fmt: skip


class Field(NamedTuple):
    """One world's reading: its shape, type and bounds (numbers, or arrays of that shape)."""

    shape: tuple[int, ...]
    dtype: type
    low: Any
    high: Any


class Sensor(Protocol):
    """The sensor interface: one array per world, read from ego."""

    def field(self) -> Field:
        """Shape, type and bounds of one world's reading."""

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """Readings of every world: (B, *shape)."""


@dataclass(frozen=True)
class Rgb:
    """RGB camera: (H, W, 3) uint8."""

    camera: Camera = _CAMERA

    def field(self) -> Field:
        """Colours 0..255."""
        return Field((self.camera.height, self.camera.width, 3), np.uint8, 0, 255)

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """(B, H, W, 3) uint8, RGB."""
        return render(maps.arrays, world, self.camera, threads=threads)


@dataclass(frozen=True)
class Depth:
    """Depth camera: (H, W, 1) float32 [m] along the view; CARLA's encoding: `sim.sensors.depth.to_carla_depth`."""

    camera: Camera = _CAMERA

    def field(self) -> Field:
        """0 to FAR [m]."""
        return Field((self.camera.height, self.camera.width, 1), np.float32, 0.0, FAR)

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """(B, H, W, 1) float32 [m]."""
        return depth_image(maps, world, self.camera, threads=threads)


@dataclass(frozen=True)
class Semantic:
    """Semantic segmentation camera: CARLA's tags, (H, W, 1) uint8, indices into `sim.actors.tags.TAGS`."""

    camera: Camera = _CAMERA

    def field(self) -> Field:
        """0 to the last tag."""
        return Field((self.camera.height, self.camera.width, 1), np.uint8, 0, len(TAGS) - 1)

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """(B, H, W, 1) uint8."""
        return semantic_image(maps, world, self.camera, threads=threads)


@dataclass(frozen=True)
class Birdseye:
    """Bird's-eye masks about ego: (H, W, 5) uint8 in the order of `sim.sensors.birdseye.MASKS`.

    The route is not among them: it would reveal the rule.

    Args:
        width, height: [px]; metres: extent of the width [m].
        forward: distance of the middle ahead of ego's rear axle [m].
    """

    width: int = 96
    height: int = 96
    metres: float = 40.0
    forward: float = 8.0

    def field(self) -> Field:
        """0 or 255."""
        return Field((self.height, self.width, len(MASKS)), np.uint8, 0, 255)

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """(B, H, W, 5) uint8."""
        return birdseye_image(maps, world, self.width, self.height, self.metres, self.forward, threads=threads)


@dataclass(frozen=True)
class Lidar:
    """Rotating lidar on the roof: (C, R, 2) float32, distance [m] and tag, see `sim.sensors.lidar.scan`.

    Args:
        rays: R, over a full turn; channels: C, from `upper` down to `lower` [deg].
        range: farther surfaces give no return [m].
        forward, left, up: mount, from the rear axle on the ground [m].
    """

    rays: int = 360
    channels: int = 8
    range: float = 50.0
    lower: float = -25.0
    upper: float = 5.0
    forward: float = 1.35
    left: float = 0.0
    up: float = 1.8

    def __post_init__(self) -> None:
        if self.lower > self.upper:
            raise ValueError(f"lower is {self.lower} and upper {self.upper}; lower may not lie above upper")

    def field(self) -> Field:
        """Distances to `range`, tags to the last one."""
        shape = (self.channels, self.rays, 2)
        high = np.empty(shape, np.float32)
        high[..., 0], high[..., 1] = self.range, len(TAGS) - 1
        return Field(shape, np.float32, np.zeros(shape, np.float32), high)

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """(B, C, R, 2) float32."""
        angles, mount = (self.lower, self.upper), (self.forward, self.left, self.up)
        return scan(maps, world, self.rays, self.channels, self.range, angles, mount, threads=threads)


@dataclass(frozen=True)
class Speedometer:
    """Speedometer: ego's speed, (1,) float32 [m/s]."""

    def field(self) -> Field:
        """0 to the car's top speed."""
        return Field((1,), np.float32, 0.0, EGO.max_speed)

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """(B, 1) float32 [m/s]."""
        return np.clip(world.speed[:, :1], 0.0, EGO.max_speed).astype(np.float32)


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


@dataclass(frozen=True)
class Gnss:
    """GNSS: latitude, longitude [deg] and altitude [m] of the rear axle, (3,) float64."""

    def field(self) -> Field:
        """The whole globe, and the range of heights of CARLA's maps."""
        most = np.array([90.0, 360.0, 1e5])
        return Field((3,), np.float64, -most, most)

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """(B, 3) float64."""
        return gnss(maps.maps, world)


# Kind, as in scenario files -> (dataclass of its settings, function from settings to sensor).
SENSORS: dict[str, tuple[type, Callable[[Any], Sensor]]] = {
    "rgb": (Camera, Rgb), "depth": (Camera, Depth), "semantic": (Camera, Semantic),
    "birdseye": (Birdseye, lambda s: s), "lidar": (Lidar, lambda s: s), "speedometer": (Speedometer, lambda s: s),
    "imu": (Imu, lambda s: s), "gnss": (Gnss, lambda s: s),
}  # fmt: skip


def settings_of(kind: str) -> dict[str, float]:
    """Names and defaults of the settings of a kind of sensor.

    Raises:
        KeyError: for an unknown kind.
    """
    return {f.name: f.default for f in fields(SENSORS[kind][0])}  # type: ignore[misc]


def sensor_of(kind: str, settings: Mapping[str, float]) -> Sensor:
    """Build a sensor with these settings, the others at their defaults.

    Raises:
        KeyError: for an unknown kind. TypeError: for an unknown setting. ValueError: for impossible settings.
    """
    holder, build = SENSORS[kind]
    return build(holder(**settings))


def sense(sensors: Mapping[str, Sensor], maps: MapBatch, world: World, threads: int = 1) -> dict[str, np.ndarray]:
    """Read every sensor in every world: name -> (B, *shape), in the order of `sensors`."""
    return {name: sensor.sense(maps, world, threads) for name, sensor in sensors.items()}
