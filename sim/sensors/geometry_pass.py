"""Geometry pass: depth and semantic class of every pixel, from the same geometry as the RGB camera.

The pass uses the same list of objects (`sim.render.objects.cull`), the same polygons, clipping, rows and holes in
textures (`sim.render.polygon`) and the same ground as `sim.render.rgb.render`, without light, so that edges coincide
with the picture's. Tags are CARLA 0.9.16's `carla.CityObjectLabel`, after CityScapes (docs "Sensors reference",
semantic segmentation camera):

    0 Unlabeled  1 Roads      2 SideWalks    3 Building    4 Wall        5 Fence      6 Pole         7 TrafficLight
    8 TrafficSign 9 Vegetation 10 Terrain   11 Sky        12 Pedestrian 13 Rider     14 Car         15 Truck
    16 Bus       17 Train     18 Motorcycle 19 Bicycle    20 Static     21 Dynamic   22 Other       23 Water
    24 RoadLine  25 Ground    26 Bridge     27 RailTrack  28 GuardRail

The far skyline is painted on the sky: its depth is FAR and its tag Sky.  A sign's post is a TrafficSign like its panel,
a light's pole a TrafficLight like its head, and a cyclist a Bicycle like the bicycle.  A light's glow, which the
picture spreads over at least a pixel and a half, has no geometry here.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from sim.actors.signs import SIGN
from sim.actors.tags import TAG, TAG_OF_CODE, TAG_OF_KIND
from sim.core.kernel import kernel, parallel_for
from sim.datatypes.camera import Camera
from sim.datatypes.world_state import World
from sim.render.assets.meshes import meshes
from sim.render.assets.texel import HOLE
from sim.render.assets.textures import atlas
from sim.render.assets.variants import FACING, MIRRORED, THIN, TWO_SIDED
from sim.render.lighting import LIGHT_SIZE
from sim.render.objects import ITEM, cull
from sim.render.polygon import DEPTHS, clip_near, cut_rows, texture_level
from sim.render.rgb import camera_rays
from sim.render.signs import draw_signs, signs_in
from sim.render.tilted_camera import around, board
from sim.road.map.map_batch import MapBatch
from sim.road.map.surface import NO_SURFACE, raster_at

FAR = 1000.0  # [m] depth of the sky and of everything farther: the far plane of CARLA's depth camera

_F = np.float32
_0, _1, _HALF, _FAR = _F(0.0), _F(1.0), _F(0.5), _F(FAR)
_S24 = np.uint32(24)
_SKY, _TERRAIN = np.uint8(TAG["Sky"]), np.uint8(TAG["Terrain"])


@kernel(inline=True)
def _fill(zb, label, tag, spans, first, last, focal, cx, cy, grad, holes, texels, start, lw, lh, wrap):
    """As `sim.render.polygon.fill`, but write only the nearest depth and its tag."""
    width = zb.shape[1]
    sw, sh = np.float32(1 << lw), np.float32(1 << lh)
    mw, mh, none = np.int32((1 << lw) - 1), np.int32((1 << lh) - 1), np.int32(0)
    step = _1 / focal
    dz, ds, dt = grad[0] * step, grad[3] * step, grad[6] * step
    limit = np.float32(width)
    for v in range(first, last):
        a = np.int32(math.ceil(min(max(spans[0, v], _0), limit) - _HALF))
        b = np.int32(math.ceil(min(max(spans[1, v], _0), limit) - _HALF))
        dx = (np.float32(a) + _HALF - cx) * step
        dy = (np.float32(v) + _HALF - cy) * step
        iz = grad[0] * dx + grad[1] * dy + grad[2]
        sz = grad[3] * dx + grad[4] * dy + grad[5]
        tz = grad[6] * dx + grad[7] * dy + grad[8]
        for u in range(a, b):
            if iz > zb[v, u]:
                solid = True
                if holes:
                    z = _1 / iz
                    i, j = np.int32(sz * z * sw), np.int32(tz * z * sh)
                    if wrap:
                        i, j = i & mw, j & mh
                    else:
                        i, j = min(max(i, none), mw), min(max(j, none), mh)
                    solid = np.int32(texels[start + (j << lw) + i] >> _S24) != HOLE
                if solid:
                    zb[v, u] = iz
                    label[v, u] = tag
            iz += dz
            sz += ds
            tz += dt


@kernel
def rasterize_geometry(zb, label, item, order, count, geometry, spans, poly, grad, shape, what, start, texels,
                       tex_start, tex_size, holes, tags, marks):  # fmt: skip
    """Write depths and tags of `count` objects: the geometry of `sim.render.objects.draw_objects`, without light.

    Args:
        tags: tag of each kind; marks: (cap,) tag of every item instead, or None.
    """
    height, width = zb.shape
    focal, cy, sine, cosine, up = geometry[0], geometry[1], geometry[2], geometry[3], geometry[7]
    cx = np.float32(width) * _HALF
    for n in range(count):
        k = order[n]
        ahead, right, a, b = item[k, 0], item[k, 1], item[k, 2], item[k, 3]
        length, wide, tall = item[k, 4], item[k, 5], item[k, 6]
        kind, style = np.int32(item[k, 7]), np.int32(item[k, 12])
        lx, ly, lz = b * length, a * sine * length, a * cosine * length
        vx, vy, vz = -a * wide, b * sine * wide, b * cosine * wide
        hx, hy, hz = _0, -cosine * tall, sine * tall
        ox, oy, oz = right, ahead * sine + up * cosine, ahead * cosine - up * sine
        for q in range(start[kind, style], start[kind, style + 1]):
            flags = what[q, 1]
            bx, by, bz, ux, uy, uz, fx, fy, fz = vx, vy, vz, hx, hy, hz, ox, oy, oz
            if flags & FACING:
                span = wide
                if flags & THIN:
                    span = max(wide, _F(1.05) * ahead / focal)
                bx, by, bz = -span, _0, _0
                if around(geometry) > _0:
                    bx, by, bz, ux, uy, uz, dx, dy, dz = board(geometry, ahead, right, span, tall)
                    fx, fy, fz = ox + dx, oy + dy, oz + dz
            x, y, z = shape[q, 12], shape[q, 13], shape[q, 14]
            px, py, pz = fx + x * lx + y * bx + z * ux, fy + x * ly + y * by + z * uy, fz + x * lz + y * bz + z * uz
            x, y, z = shape[q, 15], shape[q, 16], shape[q, 17]
            e1x, e1y, e1z = x * lx + y * bx + z * ux, x * ly + y * by + z * uy, x * lz + y * bz + z * uz
            x, y, z = shape[q, 18], shape[q, 19], shape[q, 20]
            e2x, e2y, e2z = x * lx + y * bx + z * ux, x * ly + y * by + z * uy, x * lz + y * bz + z * uz
            nx, ny, nz = e1y * e2z - e1z * e2y, e1z * e2x - e1x * e2z, e1x * e2y - e1y * e2x
            triple = px * nx + py * ny + pz * nz
            inward = triple if flags & MIRRORED == 0 else -triple
            if (inward <= _0 and flags & TWO_SIDED == 0) or abs(triple) < _F(1e-6):
                continue
            for c in range(4):
                x, y, z = shape[q, 3 * c], shape[q, 3 * c + 1], shape[q, 3 * c + 2]
                poly[0, c] = fx + x * lx + y * bx + z * ux
                poly[1, c] = fy + x * ly + y * by + z * uy
                poly[2, c] = fz + x * lz + y * bz + z * uz
            corners = clip_near(poly, 4)
            if corners < 3:
                continue
            first, last = cut_rows(poly, corners, focal, cx, cy, spans, height)
            if first >= last:
                continue
            inverse = _1 / triple
            grad[0], grad[1], grad[2] = nx * inverse, ny * inverse, nz * inverse
            texture = what[q, 0]
            lw, lh = tex_size[texture, 0], tex_size[texture, 1]
            level, wrap = 0, shape[q, 21] > _0
            if holes[texture]:
                size1 = math.sqrt(e1x * e1x + e1y * e1y + e1z * e1z)
                size2 = math.sqrt(e2x * e2x + e2y * e2y + e2z * e2z)
                rs, rt = _1, _1
                if wrap:
                    rs = max(_1, np.float32(np.int32(size1 / shape[q, 21] * _F(4.0) + _HALF))) * _F(0.25)
                    if shape[q, 22] > _0:
                        rt = max(_1, np.float32(np.int32(size2 / shape[q, 22] * _F(4.0) + _HALF))) * _F(0.25)
                is1, it1 = rs * inverse, rt * inverse
                grad[3], grad[4] = (e2y * pz - e2z * py) * is1, (e2z * px - e2x * pz) * is1
                grad[5], grad[6] = (e2x * py - e2y * px) * is1, (py * e1z - pz * e1y) * it1
                grad[7], grad[8] = (pz * e1x - px * e1z) * it1, (px * e1y - py * e1x) * it1
                near = poly[5, 0]
                far = near
                for c in range(corners):
                    near, far = min(near, poly[5, c]), max(far, poly[5, c])
                level = texture_level(lw, lh, rs, rt, size1, size2, math.sqrt(near * far) / focal)
            mark = tags[kind] if marks is None else marks[k]
            _fill(zb, label, mark, spans, first, last, focal, cx, cy, grad, holes[texture], texels,
                  tex_start[texture, level], lw - level, lh - level, wrap)  # fmt: skip


@kernel
def mark(label, zb, behind, tag):
    """Write `tag` where the depth is nearer than in `behind`."""
    for v in range(zb.shape[0]):
        for u in range(zb.shape[1]):
            if zb[v, u] > behind[v, u]:
                label[v, u] = tag


@kernel
def write_depths(o, zb, rows, horizon):
    """Write the depth of every pixel: (H, W, 1) metres along the view."""
    for v in range(zb.shape[0]):
        ground = min(rows[v, 2], _FAR) if v >= horizon else _FAR
        for u in range(zb.shape[1]):
            o[v, u, 0] = _1 / zb[v, u] if zb[v, u] > _0 else ground


@kernel
def _labels(o, zb, label, rows, cols, horizon, x, y, yaw, m, floor, of_code):
    """Write the tag of every pixel: (H, W, 1), that of the object, else of the ground, else the sky."""
    ch, sh = math.cos(yaw), math.sin(yaw)
    code, first, scale = floor.code, floor.start[m], _1 / floor.texel[m]
    high, wide = floor.shape[m, 0], floor.shape[m, 1]
    for v in range(zb.shape[0]):
        depth = rows[v, 2]
        forward = depth * rows[v, 1]
        px, py = x + ch * forward - floor.origin[m, 0], y + sh * forward - floor.origin[m, 1]
        for u in range(zb.shape[1]):
            if zb[v, u] > _0:
                o[v, u, 0] = label[v, u]
            elif v < horizon or depth >= _FAR:
                o[v, u, 0] = _SKY if v < horizon else _TERRAIN
            else:
                right = depth * cols[0, u]
                o[v, u, 0] = of_code[raster_at(px + sh * right, py - ch * right, code, first, high, wide, scale)]


@kernel
def _draw(first, stop, depth, tags, rows, cols, geometry, mount, horizon, reach, shape, what, start, atlas_texels,
          tex_start, tex_size, holes, of_kind, of_code, floor, bank, world, sign_row, signs):  # fmt: skip
    """Draw worlds first .. stop into the non-empty ones of depth (B, H, W, 1) and tags (B, H, W, 1)."""
    high, wide = rows.shape[0], cols.shape[1]
    most = world.kind.shape[1]
    for m in range(bank.scenery_start.shape[0] - 1):
        most = max(most, world.kind.shape[1] + bank.scenery_start[m + 1] - bank.scenery_start[m])
    zb = np.empty((high, wide), np.float32)
    label = np.empty((high, wide), np.uint8)
    spans = np.empty((2, high), np.float32)
    poly = np.empty((6, 8), np.float32)
    grad = np.zeros(9, np.float32)
    item = np.empty((most, ITEM), np.float32)
    order = np.empty(most, np.int32)
    unseen = np.empty((high, wide, 3), np.uint8)  # colours of the signs, unused: only their depth is needed
    behind = np.empty((high, wide), np.float32)
    dark, clear, light = np.zeros(LIGHT_SIZE, np.float32), np.zeros(DEPTHS, np.float32), np.zeros(6, np.float32)
    for w in range(first, stop):
        m = world.map[w]
        c, s = math.cos(world.yaw[w, 0]), math.sin(world.yaw[w, 0])
        x = world.x[w, 0] + c * mount[0] - s * mount[1]
        y = world.y[w, 0] + s * mount[0] + c * mount[1]
        yaw = world.yaw[w, 0] + mount[2]
        zb[:] = _0
        count = cull(item, order, geometry, reach, x, y, yaw, w, world.kind, world.x, world.y, world.yaw, world.length,
                     world.width, world.height, world.overhang, world.appearance, world.speed, bank.scenery,
                     bank.scenery_start[m], bank.scenery_start[m + 1])  # fmt: skip
        rasterize_geometry(zb, label, item, order, count, geometry, spans, poly, grad, shape, what, start, atlas_texels,
                           tex_start, tex_size, holes, of_kind, None)  # fmt: skip
        signed = False
        for i in range(world.kind.shape[1]):
            signed = signed or world.kind[w, i] == SIGN
        if signed:
            behind[:] = zb
            draw_signs(unseen, zb, w, geometry, rows, cols, x, y, yaw, dark, clear, spans, poly, grad, light,
                       world.kind, world.x, world.y, world.yaw, world.overhang, world.length, sign_row, signs.texels,
                       signs.start, signs.size, signs.panel)  # fmt: skip
            mark(label, zb, behind, of_kind[SIGN])
        if depth.shape[0] > 0:
            write_depths(depth[w], zb, rows, horizon)
        if tags.shape[0] > 0:
            _labels(tags[w], zb, label, rows, cols, horizon, x, y, yaw, m, floor, of_code)


@functools.lru_cache(maxsize=1)
def holes_of_textures() -> np.ndarray:
    """(textures,) bool: whether a texture has see-through texels (holes)."""
    pictures = atlas()
    see = [
        bool((pictures.texels[a : a + (1 << lw + lh)] >> 24 == HOLE).any())
        for a, (lw, lh) in zip(pictures.start[:, 0], pictures.size)
    ]
    return np.array(see)


def render_geometry(
    maps: MapBatch, world: World, camera: Camera, depth: np.ndarray, tags: np.ndarray, threads: int
) -> None:
    """Render depth and tags of every ego's camera, with the objects, signs and ground of the RGB camera.

    Args:
        depth: (B, H, W, 1) float32 [m] to draw into, or empty for no depth.
        tags: (B, H, W, 1) uint8 to draw into, or empty for no tags.
    """
    view, mesh, pictures = camera_rays(camera), meshes(), atlas()
    signs, sign_row = signs_in(world)
    bank, floor = maps.arrays, maps.surface_raster if len(tags) else NO_SURFACE

    def run(first: int, stop: int) -> None:
        _draw(first, stop, depth, tags, view.rows, view.cols, view.geometry, view.mount, view.horizon, mesh.reach,
              mesh.shape, mesh.what, mesh.start, pictures.texels, pictures.start, pictures.size, holes_of_textures(),
              TAG_OF_KIND, TAG_OF_CODE, floor, bank, world, sign_row, signs)  # fmt: skip

    parallel_for(run, len(world.tick), threads)
