"""Cameras of a served world: the house's own renderer, from wherever a camera is mounted.

The renderer's camera stands on a body with yaw and pitch and without roll, and sees a flat world from above it. One
that is mounted within its parent's box does not see its parent.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from sim.camera import render
from sim.carla.server import wire
from sim.carla.server.actors import NO_ROW, NOBODY, Actor
from sim.carla.server.rpc import Refused
from sim.config import Camera

_ABOUT = struct.Struct("<IIf")
_EXACT = 5  # decimals [m, deg] of a mount: float32 on the wire gives back those that were meant
_EDGE = 0.05  # [m] beyond the box that still counts as within it: a camera on the roof
LOWEST = 0.06  # [m] above the ground, and ..
STEEPEST = 60.0  # .. [deg] up or down: what the renderer can do


class RgbCamera:
    """Pictures as people know them."""

    number: int | None = wire.SENSOR_NUMBER["rgb"]

    def __init__(self, attributes: Mapping[str, str]) -> None:
        try:
            self.width, self.height = int(attributes["image_size_x"]), int(attributes["image_size_y"])
            self.fov, self.seed = float(attributes["fov"]), int(attributes["rain_seed"])
            self.period = float(attributes["sensor_tick"])
        except ValueError as error:
            raise Refused(f"a camera's attributes cannot be read: {error}") from error
        if not (2 <= self.width <= 4096 and 2 <= self.height <= 4096 and 5.0 <= self.fov <= 150.0):
            raise Refused(
                f"a camera of {self.width} x {self.height} px and {self.fov} degrees was asked for; "
                "wanted 2 to 4096 px and 5 to 150 degrees"
            )
        self._first: int | None = None
        self._due = 0.0
        self._mount: tuple[Any, Camera] | None = None

    def frame(self, world: Any, actor: Actor) -> bytes | None:
        """The picture of this tick, or None where it is not due."""
        if self._first is None:
            self._first = world.frame
        if self.period > 0.0 and world.elapsed + 1e-6 < self._due:
            return None
        self._due = world.elapsed + self.period
        place = world.place_of(actor)
        head = wire.header(self.number, world.frame, world.elapsed, (*place[0], *place[1]))
        return head + _ABOUT.pack(self.width, self.height, self.fov) + self.picture(world, actor).tobytes()

    def picture(self, world: Any, actor: Actor) -> np.ndarray:
        """(H, W, 4) uint8, BGRA."""
        fleet = world.fleet
        w = fleet.world
        camera, parent = self.mounted(world, actor)
        hidden = parent.row if parent is not None and _inside(parent, actor.place[0]) else NO_ROW
        if parent is not None:
            for name in ("x", "y", "yaw", "speed"):
                getattr(w, name)[0, 0] = getattr(w, name)[0, parent.row]
        else:
            fleet.put(0, actor.place)
        kind = w.kind[0, hidden] if hidden != NO_ROW else 0
        if hidden != NO_ROW:
            w.kind[0, hidden] = 0
        w.seed[0], w.tick[0] = self.seed & 0xFFFFFFFF, world.frame - (self._first or 0)
        try:
            return self.draw(world, camera)
        finally:
            if hidden != NO_ROW:
                w.kind[0, hidden] = kind

    def draw(self, world: Any, camera: Camera) -> np.ndarray:
        """(H, W, 4) uint8 of what the carrier's camera sees."""
        rgb = render(world.maps.arrays, world.fleet.world, camera)[0]
        return cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA)

    def mounted(self, world: Any, actor: Actor) -> tuple[Camera, Actor | None]:
        """The renderer's camera, and whose body carries it; None for one that stands by itself."""
        parent = world.table.by_id.get(actor.parent) if actor.parent != NOBODY else None
        if parent is not None and parent.row == NO_ROW:
            parent = None
        key = (tuple(map(tuple, actor.place)), None if parent is None else parent.id)
        if self._mount is None or self._mount[0] != key:
            (x, y, z), (pitch, yaw, _) = actor.place
            if parent is None:  # the carrier stands where the camera is and looks where it looks
                x = y = yaw = 0.0
                forward = 0.0
            else:
                forward = x + float(world.fleet.middle[parent.row])
            camera = Camera(
                width=self.width, height=self.height, fov=self.fov,
                forward=round(forward, _EXACT), left=round(-y, _EXACT), up=max(round(z, _EXACT), LOWEST),
                pitch=min(max(round(pitch, _EXACT), -STEEPEST), STEEPEST),
                yaw=round(-math.remainder(yaw, 360.0), _EXACT),
            )  # fmt: skip
            self._mount = key, camera
        return self._mount[1], parent


def _inside(parent: Actor, at: list[float]) -> bool:
    """Whether a mount lies within its parent's box."""
    centre, half = parent.box[0], parent.box[1]
    return all(abs(p - c) <= h + _EDGE for p, c, h in zip(at, centre, half))
