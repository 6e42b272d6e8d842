"""Draw signs: the atlas of their pictures, and panels, backs and posts with four samples a pixel.

A sign takes a slot of `World` behind the actors.  Its appearance is a number that encodes what is painted
(`pack_sign`), so that a world's bytes do not depend on other signs.  Letters a few pixels high are legible only if
every texel contributes, so a panel is not drawn like other faces: each pixel averages four bilinear samples of a mip
level that is about twice as fine as the pixel.  Light, headlights and fog are as for every object; a panel's foil
reflects more of the headlights' light.  Camera frame: x right, y down, z along the view [m].
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sim.actors.signs import DESIGNS, POST, SIGN, visible_text
from sim.datatypes.world_state import World
from sim.render.assets.canvas import coarser
from sim.render.assets.sign_art import PATTERNS, weathered
from sim.render.assets.texel import HOLE, LEVELS
from sim.render.kernels import implements, inner_kernel, pasted_kernel
from sim.render.poses import actor_place
from sim.render.rasterizer import (
    begin_object,
    begin_row,
    cut_face,
    fill,
    length_of,
    light_face,
    mean_depth,
    normal_of,
    set_depth,
    set_texture,
    texture_level,
    write_pixel,
)
from sim.render.shading import ColourTarget, blend, lamp_at, write_colour
from sim.render.tilted_camera import around, lamps, way

REACH = 120.0  # [m] beyond which a sign is not drawn
ATLAS_BYTES = 96 * 2**20  # pictures beyond this size are painted again when needed

_F = np.float32
_0, _1, _2 = _F(0.0), _F(1.0), _F(2.0)
_HALF, _QUARTER = _F(0.5), _F(0.25)
_S24 = np.uint32(24)
_POST, _REACH = _F(POST), _F(REACH)
_THICK = _F(0.03)  # from a panel's middle to its front [m]
_SHINE = _F(1.5)  # factor by which a sign's foil reflects more headlight than paint
_METAL = _F(122.0)  # grey of posts and backs
_FRONT, _BACK, _SOLID = 0, 1, 2


@inner_kernel
def _sample(texels, start, lw, mw, mh, s, t):
    """Bilinear colour at (s, t) texels, clamped to the picture's edges, and whether the sign is solid there (1, 0)."""
    zero, one = np.int32(0), np.int32(1)
    fs, ft = min(max(s - _HALF, _0), np.float32(mw)), min(max(t - _HALF, _0), np.float32(mh))
    i, j = np.int32(fs), np.int32(ft)
    fs, ft = fs - np.float32(i), ft - np.float32(j)
    at = start + (j << lw) + i
    right = one if i < mw else zero
    below = one << lw if j < mh else zero
    t00, t01 = texels[at], texels[at + right]
    t10, t11 = texels[at + below], texels[at + below + right]
    upper = t00 if fs < _HALF else t01
    lower = t10 if fs < _HALF else t11
    solid = (upper if ft < _HALF else lower) >> _S24
    r, g, bl = blend(t00, t01, t10, t11, fs, ft)
    return r, g, bl, _1 if np.int32(solid) != HOLE else _0


class Panel(NamedTuple):
    """Surface with one mip level of a sign's picture.

    Args:
        texels, start, lw, lh: as in `sim.render.rasterizer.Texture`.
        mode: the picture, grey with the picture's outline, or solid grey.
    """

    texels: np.ndarray
    start: int
    lw: int
    lh: int
    mode: int


@pasted_kernel
def sample_panel(surface, at, steps):
    """Average a pixel of a `Panel`; `at`, `steps` as in `sim.render.rasterizer.write_pixel`.

    Returns:
        RGB, each the sum over the solid ones of four samples, and their number; 0 where one sees through the pixel.
    """
    if surface.mode == _SOLID:
        return _METAL, _METAL, _METAL, _1
    iz, sz, tz = at
    dz, ds, dt, vz, vs, vt = steps
    lw, lh = surface.lw, surface.lh
    sw, sh = np.float32(1 << lw), np.float32(1 << lh)
    mw, mh = np.int32((1 << lw) - 1), np.int32((1 << lh) - 1)
    z = _1 / iz
    s, t = sz * z, tz * z
    # a quarter of a pixel to the right and down, in texels
    su, tu = (ds - s * dz) * z * sw * _QUARTER, (dt - t * dz) * z * sh * _QUARTER
    sv, tv = (vs - s * vz) * z * sw * _QUARTER, (vt - t * vz) * z * sh * _QUARTER
    s, t = s * sw, t * sh
    r, g, bl, weight = _0, _0, _0, _0
    for k in range(4):
        x = _1 if k & 1 else -_1
        y = _1 if k & 2 else -_1
        pr, pg, pb, solid = _sample(surface.texels, surface.start, lw, mw, mh,
                                    s + x * su + y * sv, t + x * tu + y * tv)  # fmt: skip
        r, g, bl, weight = r + pr * solid, g + pg * solid, bl + pb * solid, weight + solid
    if surface.mode == _BACK:
        r, g, bl = _METAL * weight, _METAL * weight, _METAL * weight
    return r, g, bl, weight if weight >= _2 else _0


@implements(begin_row, ColourTarget, Panel)
def _begin_row(target, surface, v):  # type: ignore[no-untyped-def]
    """As of a `Texture`; the picture's foil reflects more."""
    shine = _SHINE if surface.mode == _FRONT else _1
    return target.head * target.rows[v, 3] * shine, lamps(target.cols, v), way(target.cols, target.rows, v)


@implements(write_pixel, ColourTarget, Panel)
def _write_panel(target, surface, key, row, v, u, at, steps):  # type: ignore[no-untyped-def]
    r, g, bl, weight = sample_panel(surface, at, steps)
    if weight > _0:
        iz, _, _ = at
        target.depth[v, u] = iz
        z = _1 / iz
        light, lamp = target.light, lamp_at(target, row, z, u)
        share = _1 / weight
        cr = r * share * (light[0] + lamp)
        cg = g * share * (light[1] + lamp * _F(0.97))
        cb = bl * share * (light[2] + lamp * _F(0.86))
        write_colour(target, v, u, z, (cr, cg, cb))


@inner_kernel
def _face(target, brush, frame, lens, scratch, picture, mode):
    """Draw one upright rectangle.

    Args:
        frame: p, e1, e2, (x, y, z) each: its corner top left and its edges to the right and down as seen from its
            front, camera frame [m].
        lens: as in `sim.render.rasterizer.cut_face`.
        picture: texels, (LEVELS,) first texel of the levels, logarithms of its sides.
    """
    p, e1, e2 = frame
    focal, _, _ = lens
    texels, starts, lw, lh = picture
    normal, triple = normal_of(p, e1, e2)
    if triple <= _F(1e-6):
        return  # seen from behind or edge-on
    (px, py, pz), (ax, ay, az), (bx, by, bz) = frame
    poly, grad = scratch.poly, scratch.grad
    poly[0, 0], poly[1, 0], poly[2, 0] = px, py, pz
    poly[0, 1], poly[1, 1], poly[2, 1] = px + ax, py + ay, pz + az
    poly[0, 2], poly[1, 2], poly[2, 2] = px + ax + bx, py + ay + by, pz + az + bz
    poly[0, 3], poly[1, 3], poly[2, 3] = px + bx, py + by, pz + bz
    corners, first, last = cut_face(scratch, lens, target.depth.shape[0])
    if first >= last:
        return
    inverse = _1 / triple
    set_depth(grad, normal, inverse)
    set_texture(grad, p, e1, e2, inverse, inverse)
    light_face(target, normal, False, mode == _SOLID)
    level = texture_level(lw, lh, _1, _1, length_of(e1), length_of(e2), mean_depth(poly, corners) / focal)
    surface = Panel(texels, starts[level], lw - level, lh - level, mode)
    fill(target, surface, brush, scratch, first, last, lens)


@inner_kernel
def draw_signs(target, w, pose, geometry, scratch, scene):
    """Draw the signs of world w into a target of any type; a sign faces along its yaw.

    Args:
        target, scratch: see `sim.render.rasterizer`. pose: see `sim.render.poses`. scene: see `sim.render.scene`.
    """
    signs = scene.signs
    focal, cy, sine, cosine, up = geometry[0], geometry[1], geometry[2], geometry[3], geometry[7]
    lens = (focal, np.float32(target.depth.shape[1]) * _HALF, cy)
    for i in range(1, scene.kind.shape[1]):
        if scene.kind[w, i] != SIGN:
            continue
        ahead, right, a, b = actor_place(scene, w, i, pose)
        k = scene.sign_row[w, i]
        wide, tall, bottom = signs.panel[k, 0], signs.panel[k, 1], signs.panel[k, 2]
        radius = _HALF * wide
        if ahead > _REACH or ahead + radius < _F(0.3) - around(geometry):
            continue
        if abs(right) * geometry[5] - ahead * geometry[6] > radius:
            continue
        brush = begin_object(target, np.int32(SIGN), np.int32(0), np.int32(0), np.int32(i))
        picture = (signs.texels, signs.start[k], signs.size[k, 0], signs.size[k, 1])
        # the sign's forward and left axes in the camera's frame; its up axis is (0, -cosine, sine)
        fx, fy, fz = b, a * sine, a * cosine
        lx, ly, lz = -a, b * sine, b * cosine
        ox, oy, oz = right, ahead * sine + up * cosine, ahead * cosine - up * sine
        top = bottom + tall
        down = (_0, cosine * tall, -sine * tall)
        for mode in (_FRONT, _BACK):
            side = _1 if mode == _FRONT else -_1
            half = -side * radius
            p = (ox + side * _THICK * fx + half * lx, oy + side * _THICK * fy + half * ly - cosine * top,
                 oz + side * _THICK * fz + half * lz + sine * top)  # fmt: skip
            e1 = (side * wide * lx, side * wide * ly, side * wide * lz)
            _face(target, brush, (p, e1, down), lens, scratch, picture, mode)
        # the post faces the camera and is never so thin that it falls between two columns
        span = max(_POST, _F(1.05) * ahead / focal)
        high = top - _F(0.06) * tall
        ex, ey, ez = span, _0, _0
        if around(geometry) > _0:
            distance = max(math.sqrt(ahead * ahead + right * right), _F(1e-3))
            turn = span * right / distance
            ex, ey, ez = span * ahead / distance, -turn * sine, -turn * cosine
        p = (ox - _HALF * ex, oy - _HALF * ey - cosine * high, oz - _HALF * ez + sine * high)
        frame = (p, (ex, ey, ez), (_0, cosine * high, -sine * high))
        _face(target, brush, frame, lens, scratch, picture, _SOLID)


# ------------------------------------------------------------------------------------------------------- the atlas


class SignArrays(NamedTuple):
    """The pictures of signs as arrays for the kernels.

    Args:
        texels: (X,) uint32, little-endian R, G, B, class.
        start: (T, LEVELS) int32, first texel of every level.
        size: (T, 2) int32, base-2 logarithms of width and height of level 0.
        panel: (T, 3) float32, width, height and lower edge [m].
    """

    texels: np.ndarray
    start: np.ndarray
    size: np.ndarray
    panel: np.ndarray


class SignAtlas:
    """Pictures of signs with their mip levels, painted when first needed.

    New pictures are only appended, because other threads may be drawing from earlier ones.  When the limit is exceeded,
    a new set of arrays begins with the pictures needed now; the old arrays live as long as a caller draws from them.

    Args:
        limit: on the texels held [bytes]; only the pictures of a single call may exceed it.
    """

    def __init__(self, limit: int = ATLAS_BYTES) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._rows: dict[int, int] = {}
        self._used = 0
        self.arrays = SignArrays(
            np.zeros(1, np.uint32), np.zeros((1, LEVELS), np.int32), np.zeros((1, 2), np.int32),
            np.ones((1, 3), np.float32),
        )  # fmt: skip

    @property
    def pictures(self) -> int:
        """Number of pictures held."""
        return len(self._rows)

    def find(self, keys: Sequence[int]) -> tuple[SignArrays, list[int]]:
        """The arrays and each key's row; a key is an appearance, shifted up by four bits, and a pattern."""
        with self._lock:
            if new := [k for k in dict.fromkeys(keys) if k not in self._rows]:
                pyramids = {k: _pyramid(k) for k in new}
                if 4 * (self._used + sum(level.size for p in pyramids.values() for level in p)) > self.limit:
                    self._begin()
                    pyramids = {k: pyramids[k] if k in pyramids else _pyramid(k) for k in dict.fromkeys(keys)}
                self._add(pyramids)
            return self.arrays, [self._rows[k] for k in keys]

    def _add(self, pyramids: dict[int, list[np.ndarray]]) -> None:
        starts: list[list[int]] = []
        sizes, panels = [], []
        texels, used = self.arrays.texels, self._used
        needed = used + sum(level.size for p in pyramids.values() for level in p)
        if needed > len(texels):
            texels = np.zeros(max(needed, 2 * len(texels)), np.uint32)
            texels[:used] = self.arrays.texels[:used]
        for key, levels in pyramids.items():
            self._rows[key] = len(self._rows)
            starts.append([])
            for level in levels:
                starts[-1].append(used)
                texels[used : used + level.size] = level.ravel()
                used += level.size
            height, width = levels[0].shape
            sizes.append((width.bit_length() - 1, height.bit_length() - 1))
            panels.append(DESIGNS[key >> 8].panel)
        old = self.arrays if len(self._rows) > len(pyramids) else None
        parts = [np.array(starts, np.int32), np.array(sizes, np.int32), np.array(panels, np.float32)]
        if old is not None:
            parts = [np.concatenate([a, b]) for a, b in zip(old[1:], parts)]
        self._used = used
        self.arrays = SignArrays(texels, *parts)


def _pyramid(key: int) -> list[np.ndarray]:
    """The mip levels of a picture, (H, W) uint32 each."""
    level = weathered(*visible_text(key >> 4), key & PATTERNS - 1)
    levels = []
    for _ in range(LEVELS):
        levels.append(np.ascontiguousarray(level).view("<u4")[..., 0])
        level = coarser(level)
    return levels


ATLAS = SignAtlas()  # one per process: all worlds share its pictures


def signs_in(world: World) -> tuple[SignArrays, np.ndarray]:
    """The pictures of the signs in B worlds, and every slot's row in them: (B, N) int32, 0 where there is no sign.

    Raises:
        ValueError: for a sign that was not placed by a backend of this process.
    """
    here = world.kind == SIGN
    rows = np.zeros(here.shape, np.int32)
    if not here.any():
        return ATLAS.arrays, rows
    seed = np.broadcast_to(world.seed[:, None], here.shape)[here].astype(np.int64)
    appearance = world.appearance[here].astype(np.int64)
    pattern = (seed * 2654435761 + (appearance >> 4) * 40503 >> 12) % PATTERNS
    keys, inverse = np.unique(appearance << 4 | pattern, return_inverse=True)
    arrays, found = ATLAS.find(keys.tolist())
    rows[here] = np.array(found, np.int32)[inverse]
    return arrays, rows
