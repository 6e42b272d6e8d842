"""Depth camera: the distance of every pixel, and CARLA's encoding of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sim.core.kernel import kernel, parallel_for
from sim.datatypes.camera import Camera
from sim.datatypes.world_state import World
from sim.render.kernels import implements
from sim.render.rasterizer import Texture, begin_object, is_solid, write_pixel
from sim.render.rgb import camera_rays
from sim.render.scene import scene_of
from sim.render.signs import Panel, sample_panel
from sim.road.map.map_batch import MapBatch
from sim.sensors.base import DEFAULT_CAMERA, Field, register
from sim.sensors.geometry_pass import FAR, draw_world, geometry_target, new_buffers, write_depths


@geometry_target
class DepthTarget(NamedTuple):
    """Target of depth alone, see `sim.sensors.geometry_pass.geometry_target`."""

    depth: np.ndarray


@implements(begin_object, DepthTarget)
def _begin_object(target, kind, appearance, key, actor):  # type: ignore[no-untyped-def]
    return 0


@implements(write_pixel, DepthTarget, Texture)
def _write_pixel(target, surface, brush, row, v, u, at, steps):  # type: ignore[no-untyped-def]
    if is_solid(surface, at):
        target.depth[v, u], _, _ = at


@implements(write_pixel, DepthTarget, Panel)
def _write_pixel_of_sign(target, surface, brush, row, v, u, at, steps):  # type: ignore[no-untyped-def]
    _, _, _, weight = sample_panel(surface, at, steps)
    if weight > np.float32(0.0):
        target.depth[v, u], _, _ = at


@kernel
def _draw(first, stop, out, view, scene):
    """Draw the depths of worlds first .. stop into out (B, H, W, 1)."""
    high, wide = out.shape[1], out.shape[2]
    target, buffers = DepthTarget(np.empty((high, wide), np.float32)), new_buffers(scene, high)
    for w in range(first, stop):
        draw_world(target, w, view, scene, buffers)
        write_depths(out[w], target.depth, view)


def depth_image(maps: MapBatch, world: World, camera: Camera, *, threads: int = 1) -> np.ndarray:
    """Distance of every pixel along the view's axis: (B, H, W, 1) float32 [m], FAR in the sky.

    Raises:
        ValueError: when the camera is impossible.
    """
    depth = np.empty((len(world.tick), camera.height, camera.width, 1), np.float32)
    view, scene = camera_rays(camera), scene_of(maps.arrays, world)
    parallel_for(lambda first, stop: _draw(first, stop, depth, view, scene), len(depth), threads)
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
    """Depth camera: (H, W, 1) float32 [m] along the view, 1000 in the sky.

    `sim.sensors.depth.to_carla_depth` encodes it as CARLA does.
    """

    camera: Camera = DEFAULT_CAMERA

    def field(self) -> Field:
        """0 to FAR [m]."""
        return Field((self.camera.height, self.camera.width, 1), np.float32, 0.0, FAR)

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """(B, H, W, 1) float32 [m]."""
        return depth_image(maps, world, self.camera, threads=threads)
