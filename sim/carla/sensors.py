"""Ego's sensors on a CARLA server: mounts, measurements, and conversion to `sim.sensors.registry` readings.

CARLA measures in its own frames: x forward, y to the right. A sensor that CARLA does not have (a bird's eye, a
speedometer), or that this server lacks, is computed from the server's ground truth.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from sim.actors.registry import EGO
from sim.carla.blueprint_mapping import BlueprintMapping
from sim.datatypes.camera import Camera
from sim.sensors.base import Sensor
from sim.sensors.depth import Depth, from_carla_depth
from sim.sensors.gnss import Gnss
from sim.sensors.imu import Imu
from sim.sensors.lidar import Lidar
from sim.sensors.optical_flow import MOST_FLOW, OpticalFlow, from_carla_flow
from sim.sensors.rgb import Rgb
from sim.sensors.semantic import Semantic

MIDDLE = EGO.length / 2.0 - EGO.overhang  # [m] from ego's rear axle, the origin of our mounts, to CARLA's origin


class Mount(NamedTuple):
    """The CARLA sensor that stands for one of ours.

    Args:
        blueprint: id. attributes: of it. forward, left, up: of the rear axle on the ground [m]; pitch, yaw: ours [deg].
        read: a measurement -> one world's reading.
    """

    blueprint: str
    attributes: dict[str, Any]
    forward: float
    left: float
    up: float
    pitch: float
    yaw: float
    read: Callable[[Any], np.ndarray]


class Missing(Exception):
    """A sensor has not measured in time."""


class Server(NamedTuple):
    """What a mount depends on besides its sensor.

    Args:
        tick: of the server [s]. seed: of the rain in pictures.
        reference: latitude and longitude of the map's origin [deg].
    """

    tick: float
    seed: int
    reference: tuple[float, float]


def mount_of(
    sensor: Sensor, tick: float, seed: int = 0, reference: tuple[float, float] = (0.0, 0.0)
) -> Mount | None:  # fmt: skip
    """Return the mount of a sensor on a server with ticks of `tick` [s]; None where COUNTERPARTS has no such sensor.

    Args:
        seed: of the rain in pictures. reference: latitude and longitude of the map's origin [deg].
    """
    counterpart = COUNTERPARTS.get(type(sensor))
    return counterpart(sensor, Server(tick, seed, reference)) if counterpart is not None else None


def camera_mount(name: str, camera: Camera, seed: int, read: Callable[[Any], np.ndarray]) -> Mount:
    """Return the mount of CARLA's camera `sensor.camera.<name>` where our camera is."""
    c = camera
    about = {"image_size_x": c.width, "image_size_y": c.height, "fov": c.fov, "rain_seed": seed & 0x7FFFFFFF}
    return Mount(f"sensor.camera.{name}", about, c.forward, c.left, c.up, c.pitch, c.yaw, read)


def _lidar(sensor: Lidar, server: Server) -> Mount:
    about = {
        "channels": sensor.channels, "range": sensor.range, "upper_fov": sensor.upper, "lower_fov": sensor.lower,
        "horizontal_fov": 360.0, "rotation_frequency": 1.0 / server.tick,
        "points_per_second": round(sensor.channels * sensor.rays / server.tick),
    }  # fmt: skip
    return Mount(
        "sensor.lidar.ray_cast_semantic", about, sensor.forward, sensor.left, sensor.up, 0.0, 0.0,
        lambda points: scan_from(points, sensor),
    )  # fmt: skip


def _at_axle(name: str, read: Callable[[Any], np.ndarray]) -> Mount:
    return Mount(f"sensor.other.{name}", {}, 0.0, 0.0, 0.0, 0.0, 0.0, read)


# The counterpart of a sensor: its class -> function from the sensor to its mount. Sensors that are not here are
# computed from the server's ground truth.
COUNTERPARTS: dict[type, Callable[[Any, Server], Mount]] = {
    Rgb: lambda s, e: camera_mount("rgb", s.camera, e.seed, rgb_from),
    Depth: lambda s, e: camera_mount("depth", s.camera, e.seed, depth_from),
    Semantic: lambda s, e: camera_mount("semantic_segmentation", s.camera, e.seed, tags_from),
    OpticalFlow: lambda s, e: camera_mount(
        "optical_flow", s.camera, e.seed, lambda image: flow_from(image, s.interval / e.tick)
    ),
    Lidar: _lidar,
    Imu: lambda s, e: _at_axle("imu", lambda felt: imu_from(felt, s)),
    Gnss: lambda s, e: _at_axle("gnss", lambda fix: gnss_from(fix, e.reference)),
}


# ------------------------------------------------------------------------------------------------ measurements
def _bgra(image: Any) -> np.ndarray:
    return np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4)


def rgb_from(image: Any) -> np.ndarray:
    """Return (H, W, 3) uint8, RGB."""
    return np.ascontiguousarray(_bgra(image)[..., 2::-1])


def depth_from(image: Any) -> np.ndarray:
    """Return (H, W, 1) float32 [m]."""
    return from_carla_depth(rgb_from(image))[..., None]


def tags_from(image: Any) -> np.ndarray:
    """Return (H, W, 1) uint8, indices into `sim.actors.tags.TAGS`."""
    return np.ascontiguousarray(_bgra(image)[..., 2:3])


def flow_from(image: Any, intervals: float) -> np.ndarray:
    """Return (H, W, 2) float32, shares of the picture's size, see `sim.sensors.optical_flow`.

    Args:
        intervals: the sensor's interval, in ticks of the server: CARLA's flow is that of one tick.
    """
    measured = np.frombuffer(image.raw_data, np.float32).reshape(image.height, image.width, 2)
    return np.clip(from_carla_flow(measured) * np.float32(intervals), -MOST_FLOW, MOST_FLOW)


def scan_from(measured: Any, lidar: Lidar) -> np.ndarray:
    """Return (C, R, 2) float32, distance [m] and tag of every ray, see `lidar.scan`; CARLA lists only the hits."""
    kind = np.dtype([("xyz", "<f4", 3), ("cosine", "<f4"), ("actor", "<u4"), ("tag", "<u4")])
    points = np.frombuffer(measured.raw_data, kind)
    out = np.zeros((lidar.channels, lidar.rays, 2), np.float32)
    out[..., 0] = lidar.range
    channel = np.repeat(np.arange(lidar.channels), [measured.get_point_count(c) for c in range(lidar.channels)])
    x, y, _ = points["xyz"].astype(np.float64).T
    ray = np.round(np.arctan2(-y, x) * (lidar.rays / (2.0 * math.pi))).astype(int) % lidar.rays
    out[channel, ray, 0] = np.linalg.norm(points["xyz"].astype(np.float64), axis=1)
    out[channel, ray, 1] = points["tag"]
    return out


def imu_from(felt: Any, sensor: Imu) -> np.ndarray:
    """Return (7,) float32 in the order of `sim.sensors.imu.IMU`."""
    a, g = felt.accelerometer, felt.gyroscope
    limits = sensor.field()
    values = np.array([a.x, -a.y, a.z, -g.x, g.y, -g.z, felt.compass], np.float32)
    return np.clip(values, limits.low, limits.high)


def gnss_from(fix: Any, reference: tuple[float, float]) -> np.ndarray:
    """Return (3,) float64 latitude, longitude [deg], altitude [m].

    CARLA 0.9.16 takes its y, which points south, for north, so its fix is mirrored at the parallel of the map's origin:
    it is unprojected by the sphere's transverse Mercator projection (Snyder, Map Projections, 1987, 8-18 and 8-19),
    mirrored, and projected again.
    """
    middle, meridian = math.radians(reference[0]), math.radians(reference[1])
    latitude, longitude = math.radians(fix.latitude), math.radians(fix.longitude) - meridian
    east = math.atanh(math.cos(latitude) * math.sin(longitude))
    north = 2.0 * middle - math.atan2(math.tan(latitude), math.cos(longitude))
    latitude = math.degrees(math.asin(math.sin(north) / math.cosh(east)))
    return np.array([latitude, reference[1] + math.degrees(math.atan(math.sinh(east) / math.cos(north))), fix.altitude])


# --------------------------------------------------------------------------------------------------- listening
class SensorListener:
    """The latest measurement of one sensor; the client's threads write it."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._last: Any = None

    def hear(self, measured: Any) -> None:
        """Store a measurement."""
        with self._news:
            self._last = measured
            self._news.notify_all()

    def await_frame(self, frame: int, until: float) -> Any:
        """Return the measurement of a frame; `until` is a time of `time.monotonic`.

        Raises:
            Missing: when none comes in time.
        """
        with self._news:
            while self._last is None or self._last.frame < frame:
                if not self._news.wait(max(until - time.monotonic(), 0.0)):
                    raise Missing
            return self._last


class SensorRig:
    """All sensors of ego in one world.

    Args:
        camera: ego's own. sensors: the others, by name. tick: [s]. seed: of the rain in pictures.
        cast: blueprints of the server. reference: latitude and longitude of the map's origin [deg].
    """

    def __init__(
        self, camera: Camera, sensors: Mapping[str, Sensor], tick: float, seed: int, cast: BlueprintMapping,
        reference: tuple[float, float],
    ) -> None:  # fmt: skip
        mounts = {name: mount_of(sensor, tick, seed, reference) for name, sensor in sensors.items()}
        self.mounts: list[tuple[str, Mount]] = [
            (name, m) for name, m in mounts.items() if m is not None and cast.knows(m.blueprint)
        ]
        own = mount_of(Rgb(camera), tick, seed)
        assert own is not None
        self.mounts.insert(0, ("", own))
        self._cast, self._ears, self._actors = cast, [SensorListener() for _ in self.mounts], []  # type: ignore[var-annotated]
        self._measured: list[Any] = []

    def mount(self, world: Any, ego: Any) -> None:
        """Spawn all sensors on ego, and listen."""
        import carla

        for (_, m), ear in zip(self.mounts, self._ears):
            place = carla.Transform(
                carla.Location(m.forward - MIDDLE, -m.left, m.up), carla.Rotation(pitch=m.pitch, yaw=-m.yaw)
            )
            actor = world.spawn_actor(self._cast.blueprint(m.blueprint, m.attributes), place, attach_to=ego)
            self._actors.append(actor)
            actor.listen(ear.hear)

    def look(self, frame: int, timeout: float) -> None:
        """Wait for all measurements of a frame.

        Raises:
            Missing: when a sensor has not measured within `timeout` [s].
        """
        until = time.monotonic() + timeout
        measured = []
        for (name, m), ear in zip(self.mounts, self._ears):
            try:
                measured.append(ear.await_frame(frame, until))
            except Missing:
                who = f"{m.blueprint} of {name!r}" if name else "ego's camera"
                raise Missing(f"{who} has not measured in frame {frame} within {timeout:g} s") from None
        self._measured = measured

    @property
    def picture(self) -> np.ndarray:
        """The latest picture of ego's camera, (H, W, 3) uint8 RGB."""
        return self.mounts[0][1].read(self._measured[0])

    def readings(self) -> dict[str, np.ndarray]:
        """Return the latest readings of the sensors that the server has, by name."""
        return {name: m.read(seen) for (name, m), seen in zip(self.mounts[1:], self._measured[1:])}

    def stop(self) -> list[int]:
        """Stop listening; returns the ids of the sensors, which still exist."""
        for actor in self._actors:
            actor.stop()
        gone = [int(actor.id) for actor in self._actors]
        self._actors.clear()
        return gone
