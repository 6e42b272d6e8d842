"""How far away and what: the depth and the semantic camera, over the geometry that the picture is drawn with.

The same list of objects (`objects.gather`), the same faces, clipping, rows and holes in textures (`faces`) and the same
ground as `camera.render`, without light: edges coincide with the picture's. Tags are CARLA 0.9.16's
`carla.CityObjectLabel`, after CityScapes (docs "Sensors reference", semantic segmentation camera):

    0 Unlabeled  1 Roads      2 SideWalks    3 Building    4 Wall        5 Fence      6 Pole         7 TrafficLight
    8 TrafficSign 9 Vegetation 10 Terrain   11 Sky        12 Pedestrian 13 Rider     14 Car         15 Truck
    16 Bus       17 Train     18 Motorcycle 19 Bicycle    20 Static     21 Dynamic   22 Other       23 Water
    24 RoadLine  25 Ground    26 Bridge     27 RailTrack  28 GuardRail

The far skyline is painted on the sky: its depth is FAR and its tag Sky.  A sign's post is a TrafficSign like its panel,
a light's pole a TrafficLight like its head, and a cyclist a Bicycle like what they ride.  A light's glow, which the
picture spreads over at least a pixel and a half, has no shape here.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple
from weakref import WeakKeyDictionary

import cv2
import numpy as np

from sim.around import around, board
from sim.bank import MapBank
from sim.boards import SIGN, draw_signs, signs_in
from sim.camera import view_of
from sim.config import Camera
from sim.faces import DEPTHS, HOLE, clip_near, cut_rows, texture_level
from sim.footing import DRIVES
from sim.kernel import kernel, over_worlds
from sim.looks import meshes
from sim.objects import FACING, ITEM, MIRRORED, THIN, TWO_SIDED, gather
from sim.textures import atlas
from sim.types import KINDS, SURFACES, Ground, World
from sim.weather import LIGHT_SIZE

FAR = 1000.0  # [m] what is farther, and the sky: the far plane of CARLA's depth camera
TAGS: tuple[str, ...] = (
    "Unlabeled", "Roads", "SideWalks", "Building", "Wall", "Fence", "Pole", "TrafficLight", "TrafficSign",
    "Vegetation", "Terrain", "Sky", "Pedestrian", "Rider", "Car", "Truck", "Bus", "Train", "Motorcycle", "Bicycle",
    "Static", "Dynamic", "Other", "Water", "RoadLine", "Ground", "Bridge", "RailTrack", "GuardRail",
)  # fmt: skip
TAG: dict[str, int] = {name: i for i, name in enumerate(TAGS)}
# CARLA's CityScapes palette (LibCarla, image/CityScapesPalette.h), RGB by tag.
PALETTE = np.array(
    [(0, 0, 0), (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153), (153, 153, 153),
     (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60), (255, 0, 0),
     (0, 0, 142), (0, 0, 70), (0, 60, 100), (0, 80, 100), (0, 0, 230), (119, 11, 32), (110, 190, 160), (170, 120, 50),
     (55, 90, 80), (45, 60, 150), (157, 234, 50), (81, 0, 81), (150, 100, 100), (230, 150, 140), (180, 165, 180)],
    np.uint8,
)  # fmt: skip
_OF_KIND = {"car": "Car", "van": "Car", "truck": "Truck", "building": "Building", "house": "Building",
            "tree": "Vegetation", "lamp": "Pole", "fence": "Fence", "bicycle": "Bicycle",
            "walker": "Pedestrian", "cone": "Static", "light": "TrafficLight",
            "barrier": "Static", "raised_barrier": "Static", "ball": "Dynamic"}  # fmt: skip
_OF_SURFACE = {"road": "Roads", "junction": "Roads", "shoulder": "Roads", "parking": "Roads", "pavement": "SideWalks"}
# By kind; the last entry is that of signs, whose kind lies beyond KINDS.
TAG_OF_KIND = np.array(
    [*(TAG[_OF_KIND.get(k, "Unlabeled" if k == "none" else "Other")] for k in KINDS), TAG["TrafficSign"]], np.uint8
)

PAINT = 150  # red of a ground texel that is half covered by white or yellow paint: asphalt has about 85, paint 223
PAINTED = 128  # the bit of a floor's code that says so
KERB = 0.2  # [m] from what cannot be driven on nothing counts as paint: kerbs are as bright
TAG_OF_CODE = np.full(256, TAG["RoadLine"], np.uint8)  # by a floor's code
TAG_OF_CODE[: len(SURFACES)] = [TAG[_OF_SURFACE.get(s, "Terrain")] for s in SURFACES]
_F = np.float32
_0, _1, _HALF, _FAR = _F(0.0), _F(1.0), _F(0.5), _F(FAR)
_S24 = np.uint32(24)
_SKY, _TERRAIN = np.uint8(TAG["Sky"]), np.uint8(TAG["Terrain"])


class Floor(NamedTuple):
    """What the ground of every map is, texel by texel of its finest picture: a class, and whether it is painted.

    Args:
        code: (X,) uint8, index into SURFACES, and PAINTED where there is a road marking.
        start: (M,) int64, first texel of a map. shape: (M, 2) int32 rows, columns.
        texel: (M,) float32 [m]. origin: (M, 2) float32, the lower corner [m].
    """

    code: np.ndarray
    start: np.ndarray
    shape: np.ndarray
    texel: np.ndarray
    origin: np.ndarray


def _codes(ground: Ground) -> np.ndarray:
    """(H, W) uint8 codes of one map."""
    red = ground.levels[0][..., 0]
    rows, columns = (
        np.minimum((np.arange(n) + 0.5) * ground.texel / ground.surface_texel, most - 1).astype(int)
        for n, most in zip(red.shape, ground.surface.shape)
    )
    classes = ground.surface[rows[:, None], columns]
    reach = 2 * math.ceil(KERB / ground.texel) + 1
    within = cv2.erode(DRIVES[classes].view(np.uint8), np.ones((reach, reach), np.uint8))
    return classes | np.where((red > PAINT) & (within > 0), np.uint8(PAINTED), np.uint8(0))


_NO_FLOOR = Floor(
    np.zeros(0, np.uint8), np.zeros(0, np.int64), np.zeros((0, 2), np.int32), np.zeros(0, np.float32),
    np.zeros((0, 2), np.float32),
)  # fmt: skip
_FLOORS: WeakKeyDictionary[MapBank, tuple[list[np.ndarray], Floor]] = WeakKeyDictionary()


def floor_of(maps: MapBank) -> Floor:
    """The floors of a bank's maps, worked out once a map."""
    known, floor = _FLOORS.get(maps, ([], None))
    if floor is None or len(known) < len(maps.maps):
        known = known + [_codes(m.ground) for m in maps.maps[len(known) :]]
        sizes = np.cumsum([0, *(c.size for c in known)])[:-1].astype(np.int64)
        bank = maps.arrays
        code = np.concatenate([c.ravel() for c in known] or [np.zeros(0, np.uint8)])
        shape = np.array([c.shape for c in known], np.int32).reshape(-1, 2)
        floor = Floor(code, sizes, shape, bank.ground_texel, bank.ground_origin)
        _FLOORS[maps] = known, floor
    return floor


@kernel(inline=True)
def floor_at(px, py, code, first, rows, columns, scale):
    """The code of the ground px and py metres from a map's corner; 0 (offmap) beyond it. scale: texels per metre."""
    i, j = np.int32(math.floor(px * scale)), np.int32(math.floor(py * scale))
    if i < 0 or j < 0 or i >= columns or j >= rows:
        return np.uint8(0)
    return code[first + np.int64(j) * columns + i]


@kernel(inline=True)
def _fill(zb, label, tag, spans, first, last, focal, cx, cy, grad, holes, texels, start, lw, lh, wrap):
    """As `faces.fill`, but only the nearest depth and whose it is."""
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
def trace(zb, label, item, order, count, geometry, spans, poly, grad, shape, what, start, texels, tex_start, tex_size,
           holes, tags, marks):  # fmt: skip
    """Depths and tags of `count` objects: the geometry of `objects.draw_objects`, without its light.

    Args:
        tags: by kind; marks: (cap,) of every item instead, or None.
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
    """Tag what has come nearer."""
    for v in range(zb.shape[0]):
        for u in range(zb.shape[1]):
            if zb[v, u] > behind[v, u]:
                label[v, u] = tag


@kernel
def _depths(o, zb, rows, horizon):
    """Write (H, W, 1) metres along the view."""
    for v in range(zb.shape[0]):
        ground = min(rows[v, 2], _FAR) if v >= horizon else _FAR
        for u in range(zb.shape[1]):
            o[v, u, 0] = _1 / zb[v, u] if zb[v, u] > _0 else ground


@kernel
def _labels(o, zb, label, rows, cols, horizon, x, y, yaw, m, floor, of_code):
    """Write (H, W, 1) tags: objects', else the ground's, else the sky."""
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
                o[v, u, 0] = of_code[floor_at(px + sh * right, py - ch * right, code, first, high, wide, scale)]


@kernel
def _draw(first, stop, depth, tags, rows, cols, geometry, mount, horizon, reach, shape, what, start, atlas_texels,
          tex_start, tex_size, holes, of_kind, of_code, floor, bank, world, sign_row, signs):  # fmt: skip
    """Draw worlds first .. stop into depth (B, H, W, 1) or tags (B, H, W, 1), whichever is not empty."""
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
    unseen = np.empty((high, wide, 3), np.uint8)  # a picture of the signs, in the dark: only their depth is wanted
    behind = np.empty((high, wide), np.float32)
    dark, clear, light = np.zeros(LIGHT_SIZE, np.float32), np.zeros(DEPTHS, np.float32), np.zeros(6, np.float32)
    for w in range(first, stop):
        m = world.map[w]
        c, s = math.cos(world.yaw[w, 0]), math.sin(world.yaw[w, 0])
        x = world.x[w, 0] + c * mount[0] - s * mount[1]
        y = world.y[w, 0] + s * mount[0] + c * mount[1]
        yaw = world.yaw[w, 0] + mount[2]
        zb[:] = _0
        count = gather(item, order, geometry, reach, x, y, yaw, w, world.kind, world.x, world.y, world.yaw,
                       world.length, world.width, world.height, world.overhang, world.look, world.speed, bank.scenery,
                       bank.scenery_start[m], bank.scenery_start[m + 1])  # fmt: skip
        trace(zb, label, item, order, count, geometry, spans, poly, grad, shape, what, start, atlas_texels, tex_start,
               tex_size, holes, of_kind, None)  # fmt: skip
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
            _depths(depth[w], zb, rows, horizon)
        if tags.shape[0] > 0:
            _labels(tags[w], zb, label, rows, cols, horizon, x, y, yaw, m, floor, of_code)


@functools.lru_cache(maxsize=1)
def holes_of_textures() -> np.ndarray:
    """(textures,) bool: which textures one can see through somewhere."""
    pictures = atlas()
    see = [
        bool((pictures.texels[a : a + (1 << lw + lh)] >> 24 == HOLE).any())
        for a, (lw, lh) in zip(pictures.start[:, 0], pictures.size)
    ]
    return np.array(see)


def _run(maps: MapBank, world: World, camera: Camera, depth: np.ndarray, tags: np.ndarray, threads: int) -> None:
    view, mesh, pictures = view_of(camera), meshes(), atlas()
    signs, sign_row = signs_in(world)
    bank, floor = maps.arrays, floor_of(maps) if len(tags) else _NO_FLOOR

    def run(first: int, stop: int) -> None:
        _draw(first, stop, depth, tags, view.rows, view.cols, view.geometry, view.mount, view.horizon, mesh.reach,
              mesh.shape, mesh.what, mesh.start, pictures.texels, pictures.start, pictures.size, holes_of_textures(),
              TAG_OF_KIND, TAG_OF_CODE, floor, bank, world, sign_row, signs)  # fmt: skip

    over_worlds(run, len(world.tick), threads)


def depth_image(maps: MapBank, world: World, camera: Camera, *, threads: int = 1) -> np.ndarray:
    """How far along the view's axis every pixel is: (B, H, W, 1) float32 [m], FAR in the sky.

    Raises:
        ValueError: when the camera cannot be.
    """
    depth = np.empty((len(world.tick), camera.height, camera.width, 1), np.float32)
    _run(maps, world, camera, depth, np.empty((0, 0, 0, 1), np.uint8), threads)
    return depth


def semantic_image(maps: MapBank, world: World, camera: Camera, *, threads: int = 1) -> np.ndarray:
    """What every pixel is: (B, H, W, 1) uint8, indices into TAGS.

    Raises:
        ValueError: when the camera cannot be.
    """
    tags = np.empty((len(world.tick), camera.height, camera.width, 1), np.uint8)
    _run(maps, world, camera, np.empty((0, 0, 0, 1), np.float32), tags, threads)
    return tags


def to_carla_depth(depth: np.ndarray) -> np.ndarray:
    """Metres (...) to CARLA's 24-bit depth (..., 3) uint8, RGB: (R + 256 G + 65536 B) / (256^3 - 1) * 1000 m."""
    share = np.clip(np.asarray(depth, np.float64) / FAR, 0.0, 1.0)
    whole = np.round(share * (256**3 - 1)).astype("<u4")
    return whole[..., None].view(np.uint8)[..., :3]


def from_carla_depth(picture: np.ndarray) -> np.ndarray:
    """CARLA's 24-bit depth (..., 3) uint8, RGB, to metres (...) float32; to 0.06 mm the inverse of `to_carla_depth`."""
    share = np.asarray(picture, np.float64) @ np.array([1.0, 256.0, 65536.0]) / (256**3 - 1)
    return (share * FAR).astype(np.float32)
