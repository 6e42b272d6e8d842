"""Semantic segmentation camera: the CARLA class of every pixel."""

from __future__ import annotations

import numpy as np

from sim.datatypes.camera import Camera
from sim.datatypes.world_state import World
from sim.road.map.map_batch import MapBatch
from sim.sensors.geometry_pass import render_geometry


def semantic_image(maps: MapBatch, world: World, camera: Camera, *, threads: int = 1) -> np.ndarray:
    """Class of every pixel: (B, H, W, 1) uint8, indices into `sim.actors.tags.TAGS`.

    Raises:
        ValueError: when the camera is impossible.
    """
    tags = np.empty((len(world.tick), camera.height, camera.width, 1), np.uint8)
    render_geometry(maps, world, camera, np.empty((0, 0, 0, 1), np.float32), tags, threads)
    return tags
