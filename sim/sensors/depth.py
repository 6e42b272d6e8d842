"""Depth camera: the distance of every pixel, and CARLA's encoding of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.datatypes.camera import Camera
from sim.datatypes.world_state import World
from sim.road.map.map_batch import MapBatch
from sim.sensors.base import DEFAULT_CAMERA, Field, register
from sim.sensors.geometry_pass import FAR, render_geometry


def depth_image(maps: MapBatch, world: World, camera: Camera, *, threads: int = 1) -> np.ndarray:
    """Distance of every pixel along the view's axis: (B, H, W, 1) float32 [m], FAR in the sky.

    Raises:
        ValueError: when the camera is impossible.
    """
    depth = np.empty((len(world.tick), camera.height, camera.width, 1), np.float32)
    render_geometry(maps, world, camera, depth, np.empty((0, 0, 0, 1), np.uint8), threads)
    return depth


def to_carla_depth(depth: np.ndarray) -> np.ndarray:
    """Encode metres (...) as CARLA's 24-bit depth (..., 3) uint8: (R + 256 G + 65536 B) / (256^3 - 1) * 1000 m."""
    share = np.clip(np.asarray(depth, np.float64) / FAR, 0.0, 1.0)
    whole = np.round(share * (256**3 - 1)).astype("<u4")
    return whole[..., None].view(np.uint8)[..., :3]


def from_carla_depth(picture: np.ndarray) -> np.ndarray:
    """Decode CARLA's 24-bit depth (..., 3) uint8, RGB, to metres (...) float32; exact to 0.06 mm."""
    share = np.asarray(picture, np.float64) @ np.array([1.0, 256.0, 65536.0]) / (256**3 - 1)
    return (share * FAR).astype(np.float32)


@register("depth")
@dataclass(frozen=True)
class Depth:
    """Depth camera: (H, W, 1) float32 [m] along the view; CARLA's encoding: `sim.sensors.depth.to_carla_depth`."""

    camera: Camera = DEFAULT_CAMERA

    def field(self) -> Field:
        """0 to FAR [m]."""
        return Field((self.camera.height, self.camera.width, 1), np.float32, 0.0, FAR)

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """(B, H, W, 1) float32 [m]."""
        return depth_image(maps, world, self.camera, threads=threads)
