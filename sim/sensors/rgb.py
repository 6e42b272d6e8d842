"""RGB camera: the picture of `sim.render.rgb` as a sensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.datatypes.camera import Camera
from sim.datatypes.world_state import World
from sim.render.rgb import render
from sim.road.map.map_batch import MapBatch
from sim.sensors.base import DEFAULT_CAMERA, Field, register


@register("rgb")
@dataclass(frozen=True)
class Rgb:
    """RGB camera: (H, W, 3) uint8."""

    camera: Camera = DEFAULT_CAMERA

    def field(self) -> Field:
        """Colours 0..255."""
        return Field((self.camera.height, self.camera.width, 3), np.uint8, 0, 255)

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """(B, H, W, 3) uint8, RGB."""
        return render(maps.arrays, world, self.camera, threads=threads)
