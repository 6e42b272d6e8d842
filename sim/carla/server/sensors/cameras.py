"""Cameras of a served world: RGB, depth, semantic segmentation and instance segmentation at any mount.

The renderer's camera stands on a body, with yaw and pitch, and sees a flat world from above it; pictures with roll are
resampled from upright ones, see `rolled`. A camera mounted within its parent's box does not see its parent.
"""

from __future__ import annotations

import math
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import cv2
import numpy as np

from sim.carla.server import wire
from sim.carla.server.actors import NO_ROW, Actor
from sim.carla.server.debug_drawing import Eye, paint
from sim.carla.server.sensors.base import Sensor, bearer, unseen
from sim.carla.server.sensors.rolled import Upright, attitude, upright
from sim.datatypes.camera import Camera
from sim.render.rgb import render
from sim.sensors.depth import depth_image, to_carla_depth
from sim.sensors.instance import instance_image
from sim.sensors.semantic import semantic_image

_ABOUT = struct.Struct("<IIf")
_EXACT = 5  # decimals [m, deg] of a mount: rounding restores the client's values from float32 on the wire
_EDGE = 0.05  # [m] beyond the box that still counts as within it: a camera on the roof
_CARRIED = ("x", "y", "yaw", "speed", "steer", "acceleration", "wheelbase")  # what row 0 takes over from its bearer
LOWEST = 0.06  # [m] above the ground: the renderer's limit


class ImageSensor(Sensor, ABC):
    """The base of all cameras: picture size, mount, and the row that carries the renderer's camera.

    Attributes:
        smooth: whether resampling may mix pixels.
    """

    smooth: ClassVar[bool] = False

    limits: ClassVar[dict[str, tuple[float, float]]] = {
        "image_size_x": (2, 4096),
        "image_size_y": (2, 4096),
        "fov": (5.0, 150.0),
    }

    def __init__(self, attributes: Mapping[str, str]) -> None:
        super().__init__(attributes)
        self.width, self.height = int(self.values["image_size_x"]), int(self.values["image_size_y"])
        self.fov, self.seed = self.values["fov"], 0
        self._first: int | None = None
        self._mount: tuple[Any, Camera, float] | None = None
        self._level: tuple[float, Upright] | None = None  # of a roll: it is expensive, and moves do not change it

    def frames(self, world: Any, actor: Actor) -> list[bytes]:
        """Return the picture of this tick, where it is due."""
        if self._first is None:
            self._first = world.frame
        return super().frames(world, actor)

    def measure(self, world: Any, actor: Actor) -> bytes:
        """Return size and pixels."""
        return _ABOUT.pack(self.width, self.height, self.fov) + self.picture(world, actor).tobytes()

    def picture(self, world: Any, actor: Actor) -> np.ndarray:
        """Return the picture, as `draw` makes it."""
        w = world.fleet.world
        camera, roll, parent = self.mounted(world, actor)
        if parent is not None:
            for name in _CARRIED:
                getattr(w, name)[0, 0] = getattr(w, name)[0, parent.row]
        else:
            world.fleet.put(0, world.place_of(actor))
            w.speed[0, 0] = w.acceleration[0, 0] = 0.0
        w.seed[0], w.tick[0] = self.seed & 0xFFFFFFFF, world.frame - (self._first or 0)
        with unseen(world, parent.row if parent is not None and _inside(parent, actor.place[0]) else NO_ROW):
            if roll == 0.0:
                return self.draw(world, camera)
            if self._level is None or self._level[0] != roll:
                self._level = roll, upright(self.width, self.height, self.fov, roll)
            level = self._level[1]
            larger = replace(camera, width=level.width, height=level.height, fov=level.fov)
            return self.roll(self.draw(world, larger), level, roll)

    @abstractmethod
    def draw(self, world: Any, camera: Camera) -> np.ndarray:
        """Render (H, W, 4) uint8, BGRA, from the renderer's camera; sensors of vectors render (H, W, 2) float32."""

    def roll(self, drawn: np.ndarray, level: Upright, roll: float) -> np.ndarray:
        """Return the rolled picture of an upright one.

        Args:
            drawn: the upright picture. level: its resampling. roll: of the camera [deg].
        """
        return level.look_up(drawn, self.smooth)

    def mounted(self, world: Any, actor: Actor) -> tuple[Camera, float, Actor | None]:
        """Return the renderer's camera, its roll [deg], and the parent with a body, None without one."""
        parent = bearer(world, actor)
        place = actor.place if parent is not None else world.place_of(actor)
        key = (tuple(map(tuple, place)), None if parent is None else parent.id)
        if self._mount is None or self._mount[0] != key:
            (x, y, z), rotation = place
            pitch, yaw, roll = attitude(rotation)
            if parent is None:  # row 0 stands where the camera is, at the camera's yaw
                y, yaw, forward = 0.0, yaw - rotation[1], 0.0
            else:
                forward = x + float(world.fleet.middle[parent.row])
            camera = Camera(
                width=self.width, height=self.height, fov=self.fov,
                forward=round(forward, _EXACT), left=round(-y, _EXACT), up=max(round(z, _EXACT), LOWEST),
                pitch=pitch, yaw=round(-math.remainder(yaw, 360.0), _EXACT),
            )  # fmt: skip
            self._mount = key, camera, roll
        return self._mount[1], self._mount[2], parent


class RgbCamera(ImageSensor):
    """RGB pictures."""

    number = wire.SENSOR_NUMBER["rgb"]
    smooth = True
    limits: ClassVar[dict[str, tuple[float, float]]] = {**ImageSensor.limits, "rain_seed": (-(2.0**31), 2.0**32)}

    def __init__(self, attributes: Mapping[str, str]) -> None:
        super().__init__(attributes)
        self.seed = int(self.values["rain_seed"])

    def draw(self, world: Any, camera: Camera) -> np.ndarray:
        """Render colours, and clients' debug drawings except words and HUD shapes."""
        arrays = world.fleet.world
        rgb = render(world.maps.arrays, arrays, camera)[0]
        if drawn := [d for d in world.drawings if not d.window]:
            paint(rgb, drawn, Eye.on(arrays, camera), depth_image(world.maps, arrays, camera)[0, ..., 0])
        return cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA)


class DepthCamera(ImageSensor):
    """Depth along the view's axis [m], in CARLA's 24-bit encoding."""

    number = wire.SENSOR_NUMBER["depth"]

    def draw(self, world: Any, camera: Camera) -> np.ndarray:
        """Render depth, its lowest byte in red."""
        metres = depth_image(world.maps, world.fleet.world, camera)[0, ..., 0]
        return cv2.cvtColor(to_carla_depth(metres), cv2.COLOR_RGB2BGRA)


class SemanticCamera(ImageSensor):
    """Semantic segmentation: the CityObjectLabel of every pixel, in red."""

    number = wire.SENSOR_NUMBER["semantic"]

    def draw(self, world: Any, camera: Camera) -> np.ndarray:
        """Render tags in red, 0 in green and blue."""
        out = np.zeros((camera.height, camera.width, 4), np.uint8)
        out[..., 2] = semantic_image(world.maps, world.fleet.world, camera)[0, ..., 0]
        out[..., 3] = 255
        return out


class InstanceCamera(ImageSensor):
    """Instance segmentation: tags in red, and the actor index of every pixel in green and blue.

    The index is the actor's id modulo 65536, its lower byte in green; 0 for scenery.
    """

    number = wire.SENSOR_NUMBER["instance"]

    def draw(self, world: Any, camera: Camera) -> np.ndarray:
        """Render tag and actor id."""
        out = np.empty((camera.height, camera.width, 4), np.uint8)
        ids = world.owners()[instance_image(world.maps, world.fleet.world, camera)[0, ..., 0]]
        out[..., 0], out[..., 1] = ids >> 8 & 255, ids & 255
        out[..., 2] = semantic_image(world.maps, world.fleet.world, camera)[0, ..., 0]
        out[..., 3] = 255
        return out


def _inside(parent: Actor, at: list[float]) -> bool:
    """Return whether a mount lies within its parent's box."""
    centre, half = parent.box[0], parent.box[1]
    return all(abs(p - c) <= h + _EDGE for p, c, h in zip(at, centre, half))
