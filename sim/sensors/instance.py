"""Instance segmentation: the actor index of every pixel, from the same geometry as the depth camera."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.actors.signs import SIGN
from sim.actors.tags import TAG_OF_KIND
from sim.core.kernel import kernel, parallel_for
from sim.datatypes.camera import Camera
from sim.datatypes.world_state import World
from sim.render.assets.meshes import meshes
from sim.render.assets.textures import atlas
from sim.render.lighting import LIGHT_SIZE
from sim.render.objects import ITEM, cull
from sim.render.polygon import DEPTHS
from sim.render.rgb import camera_rays
from sim.render.signs import draw_signs, signs_in
from sim.road.map.map_batch import MapBatch
from sim.sensors.base import DEFAULT_CAMERA, Field, register
from sim.sensors.geometry_pass import holes_of_textures, mark, rasterize_geometry, write_depths

_0, _HALF = np.float32(0.0), np.float32(0.5)
_MOST_ROWS = 65535  # greatest row of an actor that the field declares: CARLA's instance camera has 16 bits as well
_CLOSE = np.float32(1e-3)  # [m] greatest distance between a culled item and its actor


@kernel
def _name(marks, item, count, cam_x, cam_y, yaw, w, world):
    """Write the actor row of every item of `sim.render.objects.cull` (in row order) to `marks`; 0 for scenery."""
    ch, sh = math.cos(yaw), math.sin(yaw)
    n = 0
    for i in range(1, world.kind.shape[1]):
        if n < count and world.kind[w, i] == np.int32(item[n, 7]):
            co, so = math.cos(world.yaw[w, i]), math.sin(world.yaw[w, i])
            forward = _HALF * world.length[w, i] - world.overhang[w, i]
            dx, dy = world.x[w, i] + forward * co - cam_x, world.y[w, i] + forward * so - cam_y
            if abs(dx * ch + dy * sh - item[n, 0]) < _CLOSE and abs(dx * sh - dy * ch - item[n, 1]) < _CLOSE:
                marks[n] = i
                n += 1
    marks[n:count] = 0


@kernel
def _draw_owners(first, stop, out, depth, rows, cols, geometry, mount, horizon, reach, shape, what, start,
                 atlas_texels, tex_start, tex_size, holes, of_kind, bank, world, sign_row, signs):  # fmt: skip
    """Draw worlds first .. stop: the actor row of every pixel to out (B, H, W) int32, and depths unless it is empty."""
    high, wide = rows.shape[0], cols.shape[1]
    most = world.kind.shape[1]
    for m in range(bank.scenery_start.shape[0] - 1):
        most = max(most, world.kind.shape[1] + bank.scenery_start[m + 1] - bank.scenery_start[m])
    zb, behind = np.empty((high, wide), np.float32), np.empty((high, wide), np.float32)
    spans, poly, grad = np.empty((2, high), np.float32), np.empty((6, 8), np.float32), np.zeros(9, np.float32)
    item, order, marks = np.empty((most, ITEM), np.float32), np.empty(most, np.int32), np.empty(most, np.int32)
    unseen = np.empty((high, wide, 3), np.uint8)
    dark, clear, light = np.zeros(LIGHT_SIZE, np.float32), np.zeros(DEPTHS, np.float32), np.zeros(6, np.float32)
    alone = world.kind.copy()  # reduced to one sign at a time
    for w in range(first, stop):
        m = world.map[w]
        c, s = math.cos(world.yaw[w, 0]), math.sin(world.yaw[w, 0])
        x = world.x[w, 0] + c * mount[0] - s * mount[1]
        y = world.y[w, 0] + s * mount[0] + c * mount[1]
        yaw = world.yaw[w, 0] + mount[2]
        zb[:] = _0
        out[w] = 0
        count = cull(item, order, geometry, reach, x, y, yaw, w, world.kind, world.x, world.y, world.yaw, world.length,
                     world.width, world.height, world.overhang, world.appearance, world.speed, bank.scenery,
                     bank.scenery_start[m], bank.scenery_start[m + 1])  # fmt: skip
        _name(marks, item, count, x, y, yaw, w, world)
        rasterize_geometry(zb, out[w], item, order, count, geometry, spans, poly, grad, shape, what, start,
                           atlas_texels, tex_start, tex_size, holes, of_kind, marks)  # fmt: skip
        alone[w] = 0
        for i in range(world.kind.shape[1]):
            if world.kind[w, i] == SIGN:
                alone[w, i] = SIGN
                behind[:] = zb
                draw_signs(unseen, zb, w, geometry, rows, cols, x, y, yaw, dark, clear, spans, poly, grad, light,
                           alone, world.x, world.y, world.yaw, world.overhang, world.length, sign_row, signs.texels,
                           signs.start, signs.size, signs.panel)  # fmt: skip
                mark(out[w], zb, behind, np.int32(i))
                alone[w, i] = 0
        if depth.shape[0] > 0:
            write_depths(depth[w], zb, rows, horizon)


def render_owners(
    maps: MapBatch, world: World, camera: Camera, owners: np.ndarray, depth: np.ndarray, threads: int
) -> None:
    """Write the actor row of every pixel to owners (B, H, W) int32, and its depth to depth (B, H, W, 1) unless empty.

    Raises:
        ValueError: when the camera is impossible.
    """
    view, mesh, pictures = camera_rays(camera), meshes(), atlas()
    signs, sign_row = signs_in(world)
    bank = maps.arrays

    def run(first: int, stop: int) -> None:
        _draw_owners(first, stop, owners, depth, view.rows, view.cols, view.geometry, view.mount, view.horizon,
                     mesh.reach, mesh.shape, mesh.what, mesh.start, pictures.texels, pictures.start, pictures.size,
                     holes_of_textures(), TAG_OF_KIND, bank, world, sign_row, signs)  # fmt: skip

    parallel_for(run, len(owners), threads)


def instance_image(maps: MapBatch, world: World, camera: Camera, *, threads: int = 1) -> np.ndarray:
    """Actor index of every pixel: (B, H, W, 1) int32, the actor's row; 0 for ground, scenery and sky.

    Raises:
        ValueError: when the camera is impossible.
    """
    owners = np.empty((len(world.tick), camera.height, camera.width), np.int32)
    render_owners(maps, world, camera, owners, np.empty((0, 0, 0, 1), np.float32), threads)
    return owners[..., None]


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
