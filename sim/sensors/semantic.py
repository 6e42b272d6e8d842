"""Semantic segmentation camera: the CARLA class of every pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.actors.tags import TAGS
from sim.datatypes.camera import Camera
from sim.datatypes.world_state import World
from sim.road.map.map_batch import MapBatch
from sim.sensors.base import DEFAULT_CAMERA, Field, register
from sim.sensors.geometry_pass import render_geometry


def semantic_image(maps: MapBatch, world: World, camera: Camera, *, threads: int = 1) -> np.ndarray:
    """Class of every pixel: (B, H, W, 1) uint8, indices into `sim.actors.tags.TAGS`.

    Raises:
        ValueError: when the camera is impossible.
    """
    tags = np.empty((len(world.tick), camera.height, camera.width, 1), np.uint8)
    render_geometry(maps, world, camera, np.empty((0, 0, 0, 1), np.float32), tags, threads)
    return tags


@register("semantic")
@dataclass(frozen=True)
class Semantic:
    """Semantic segmentation camera: CARLA's tags, (H, W, 1) uint8, indices into `sim.actors.tags.TAGS`."""

    camera: Camera = DEFAULT_CAMERA

    def field(self) -> Field:
        """0 to the last tag."""
        return Field((self.camera.height, self.camera.width, 1), np.uint8, 0, len(TAGS) - 1)

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """(B, H, W, 1) uint8."""
        return semantic_image(maps, world, self.camera, threads=threads)
