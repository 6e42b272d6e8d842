"""Instance segmentation: the actor index of every pixel, from the same geometry as the depth camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sim.core.kernel import kernel, parallel_for
from sim.datatypes.camera import Camera
from sim.datatypes.world_state import World
from sim.render.kernels import implements
from sim.render.rasterizer import begin_object
from sim.render.rgb import camera_rays
from sim.render.scene import scene_of
from sim.road.map.map_batch import MapBatch
from sim.sensors.base import DEFAULT_CAMERA, Field, register
from sim.sensors.geometry_pass import draw_world, label_target, new_buffers, write_depths

_MOST_ROWS = 65535  # greatest row of an actor that the field declares: CARLA's instance camera has 16 bits as well


@label_target
class InstanceTarget(NamedTuple):
    """Target of the actors' rows, see `sim.sensors.geometry_pass.label_target`.

    Args:
        label: (H, W) int32, 0 for scenery.
    """

    depth: np.ndarray
    label: np.ndarray


@implements(begin_object, InstanceTarget)
def _begin_object(target, kind, appearance, key, actor):  # type: ignore[no-untyped-def]
    return actor


@kernel
def _draw(first, stop, out, depth, view, scene):
    """Draw worlds first .. stop: the actor row of every pixel to out (B, H, W), and depths unless it is empty."""
    zb, buffers = np.empty(out.shape[1:], np.float32), new_buffers(scene, out.shape[1])
    for w in range(first, stop):
        out[w] = 0
        draw_world(InstanceTarget(zb, out[w]), w, view, scene, buffers)
        if depth.shape[0] > 0:
            write_depths(depth[w], zb, view)


def render_instances(
    maps: MapBatch, world: World, camera: Camera, instances: np.ndarray, depth: np.ndarray, threads: int
) -> None:
    """Write every pixel's actor row to instances (B, H, W) int32, and its depth to depth (B, H, W, 1) unless empty.

    Raises:
        ValueError: when the camera is impossible.
    """
    view, scene = camera_rays(camera), scene_of(maps.arrays, world)
    parallel_for(lambda first, stop: _draw(first, stop, instances, depth, view, scene), len(instances), threads)


def instance_image(maps: MapBatch, world: World, camera: Camera, *, threads: int = 1) -> np.ndarray:
    """Actor index of every pixel: (B, H, W, 1) int32, the actor's row; 0 for ground, scenery and sky.

    Raises:
        ValueError: when the camera is impossible.
    """
    instances = np.empty((len(world.tick), camera.height, camera.width), np.int32)
    render_instances(maps, world, camera, instances, np.empty((0, 0, 0, 1), np.float32), threads)
    return instances[..., None]


@register("instance")
@dataclass(frozen=True)
class Instance:
    """Instance segmentation camera: (H, W, 1) int32, the row of the actor in the world, 0 for ground, scenery and sky.

    CARLA's instance camera shows ids of the server's actors in its place, so on a CARLA server this sensor is computed
    from the ground truth.
    """

    camera: Camera = DEFAULT_CAMERA

    def field(self) -> Field:
        """0 to 65535."""
        return Field((self.camera.height, self.camera.width, 1), np.int32, 0, _MOST_ROWS)

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """(B, H, W, 1) int32."""
        return instance_image(maps, world, self.camera, threads=threads)
