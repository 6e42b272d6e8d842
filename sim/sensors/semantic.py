"""Semantic segmentation camera: the CARLA class of every pixel.

Tags are CARLA 0.9.16's `carla.CityObjectLabel`, after CityScapes (docs "Sensors reference", semantic segmentation
camera):

    0 Unlabeled  1 Roads      2 SideWalks    3 Building    4 Wall        5 Fence      6 Pole         7 TrafficLight
    8 TrafficSign 9 Vegetation 10 Terrain   11 Sky        12 Pedestrian 13 Rider     14 Car         15 Truck
    16 Bus       17 Train     18 Motorcycle 19 Bicycle    20 Static     21 Dynamic   22 Other       23 Water
    24 RoadLine  25 Ground    26 Bridge     27 RailTrack  28 GuardRail

The far skyline is Sky.  A sign's post is a TrafficSign like its panel, a light's pole a TrafficLight like its head, and
a cyclist a Bicycle like the bicycle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sim.actors.tags import TAG, TAG_OF_CODE, TAG_OF_KIND, TAGS
from sim.core.kernel import kernel, parallel_for
from sim.datatypes.camera import Camera
from sim.datatypes.world_state import World
from sim.render.kernels import implements
from sim.render.poses import camera_pose
from sim.render.rasterizer import begin_object
from sim.render.rgb import camera_rays
from sim.render.scene import scene_of
from sim.road.map.map_batch import MapBatch
from sim.road.map.surface import raster_at
from sim.sensors.base import DEFAULT_CAMERA, Field, register
from sim.sensors.geometry_pass import FAR, draw_world, label_target, new_buffers

_0, _1, _FAR = np.float32(0.0), np.float32(1.0), np.float32(FAR)
_SKY, _TERRAIN = np.uint8(TAG["Sky"]), np.uint8(TAG["Terrain"])


@label_target
class LabelTarget(NamedTuple):
    """Target of classes, see `sim.sensors.geometry_pass.label_target`.

    Args:
        label: (H, W) uint8. tags: (kinds,) uint8, tag of each kind.
    """

    depth: np.ndarray
    label: np.ndarray
    tags: np.ndarray


@implements(begin_object, LabelTarget)
def _begin_object(target, kind, appearance, key, actor):  # type: ignore[no-untyped-def]
    return target.tags[kind]


@kernel(inline=True)
def _write_tags(o, target, view, pose, m, floor, of_code):
    """Write the tag of every pixel: (H, W, 1), that of the object, else of the ground, else the sky."""
    x, y, yaw = pose
    ch, sh = math.cos(yaw), math.sin(yaw)
    code, first, scale = floor.code, floor.start[m], _1 / floor.texel[m]
    high, wide = floor.shape[m, 0], floor.shape[m, 1]
    zb, label, rows, cols = target.depth, target.label, view.rows, view.cols
    for v in range(zb.shape[0]):
        depth = rows[v, 2]
        forward = depth * rows[v, 1]
        px, py = x + ch * forward - floor.origin[m, 0], y + sh * forward - floor.origin[m, 1]
        for u in range(zb.shape[1]):
            if zb[v, u] > _0:
                o[v, u, 0] = label[v, u]
            elif v < view.horizon or depth >= _FAR:
                o[v, u, 0] = _SKY if v < view.horizon else _TERRAIN
            else:
                right = depth * cols[0, u]
                o[v, u, 0] = of_code[raster_at(px + sh * right, py - ch * right, code, first, high, wide, scale)]


@kernel
def _draw(first, stop, out, view, scene, tags, floor, of_code):
    """Draw the tags of worlds first .. stop into out (B, H, W, 1); tags: of kinds; of_code: of the ground's codes."""
    high, wide = out.shape[1], out.shape[2]
    target = LabelTarget(np.empty((high, wide), np.float32), np.empty((high, wide), np.uint8), tags)
    buffers = new_buffers(scene, high)
    for w in range(first, stop):
        draw_world(target, w, view, scene, buffers)
        pose = camera_pose(scene, w, view.mount)
        _write_tags(out[w], target, view, pose, scene.map[w], floor, of_code)


def semantic_image(maps: MapBatch, world: World, camera: Camera, *, threads: int = 1) -> np.ndarray:
    """Class of every pixel: (B, H, W, 1) uint8, indices into `sim.actors.tags.TAGS`.

    Raises:
        ValueError: when the camera is impossible.
    """
    tags = np.empty((len(world.tick), camera.height, camera.width, 1), np.uint8)
    view, scene, floor = camera_rays(camera), scene_of(maps.arrays, world), maps.surface_raster

    def run(first: int, stop: int) -> None:
        _draw(first, stop, tags, view, scene, TAG_OF_KIND, floor, TAG_OF_CODE)

    parallel_for(run, len(tags), threads)
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
