"""Semantic segmentation: the class of every pixel."""

from __future__ import annotations

import numpy as np

from sim.datatypes.camera import Camera
from sim.datatypes.world_state import World
from sim.road.map.map_batch import MapBatch
from sim.sensors.geometry_pass import render_geometry


def semantic_image(maps: MapBatch, world: World, camera: Camera, *, threads: int = 1) -> np.ndarray:
    """What every pixel is: (B, H, W, 1) uint8, indices into TAGS.

    Raises:
        ValueError: when the camera cannot be.
    """
    tags = np.empty((len(world.tick), camera.height, camera.width, 1), np.uint8)
    render_geometry(maps, world, camera, np.empty((0, 0, 0, 1), np.float32), tags, threads)
    return tags
