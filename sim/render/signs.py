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
from sim.core.kernel import kernel
from sim.datatypes.world_state import World
from sim.render import lighting as wx
from sim.render.assets.canvas import coarser
from sim.render.assets.sign_art import PATTERNS, weathered
from sim.render.assets.texel import HOLE, LEVELS
from sim.render.ground import blue, green, headlight, red
from sim.render.polygon import DEPTHS, clip_near, cut_rows, texture_level
from sim.render.sky import byte
from sim.render.tilted_camera import around, lamps, way

REACH = 120.0  # [m] beyond which a sign is not drawn
ATLAS_BYTES = 96 * 2**20  # pictures beyond this size are painted again when needed

_F = np.float32
_0, _1, _2 = _F(0.0), _F(1.0), _F(2.0)
_HALF, _QUARTER = _F(0.5), _F(0.25)
_S24 = np.uint32(24)
_FAR = np.float32(DEPTHS - 1)
_POST, _REACH = _F(POST), _F(REACH)
_THICK = _F(0.03)  # from a panel's middle to its front [m]
_SHINE = _F(1.5)  # factor by which a sign's foil reflects more headlight than paint
_METAL = _F(122.0)  # grey of posts and backs
_FRONT, _BACK, _SOLID = 0, 1, 2


@kernel(inline=True)
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
    w11 = fs * ft
    w01, w10 = fs - w11, ft - w11
    w00 = _1 - fs - w10
    return (
        red(t00) * w00 + red(t01) * w01 + red(t10) * w10 + red(t11) * w11,
        green(t00) * w00 + green(t01) * w01 + green(t10) * w10 + green(t11) * w11,
        blue(t00) * w00 + blue(t01) * w01 + blue(t10) * w10 + blue(t11) * w11,
        _1 if np.int32(solid) != HOLE else _0,
    )


@kernel
def _fill(o, zb, spans, first, last, focal, cx, cy, grad, light, rows, cols, fog, table, texels, start, lw, lh, mode):
    """Draw the rows of one face. Arguments as in `sim.render.polygon.fill`.

    Args:
        mode: the picture, grey with the picture's outline, or solid grey.
    """
    limit = np.float32(o.shape[1])
    sw, sh = np.float32(1 << lw), np.float32(1 << lh)
    mw, mh = np.int32((1 << lw) - 1), np.int32((1 << lh) - 1)
    step = _1 / focal
    dz, ds, dt = grad[0] * step, grad[3] * step, grad[6] * step
    vz, vs, vt = grad[1] * step, grad[4] * step, grad[7] * step
    head = table[wx.HEAD]
    shine = _SHINE if mode == _FRONT else _1
    for v in range(first, last):
        a = np.int32(math.ceil(min(max(spans[0, v], _0), limit) - _HALF))
        b = np.int32(math.ceil(min(max(spans[1, v], _0), limit) - _HALF))
        dx = (np.float32(a) + _HALF - cx) * step
        dy = (np.float32(v) + _HALF - cy) * step
        iz = grad[0] * dx + grad[1] * dy + grad[2]
        sz = grad[3] * dx + grad[4] * dy + grad[5]
        tz = grad[6] * dx + grad[7] * dy + grad[8]
        glare = head * rows[v, 3] * shine
        lit, over = lamps(cols, v), way(cols, rows, v)
        for u in range(a, b):
            if iz > zb[v, u]:
                z = _1 / iz
                r, g, bl, weight = _METAL, _METAL, _METAL, _1
                if mode != _SOLID:
                    s, t = sz * z, tz * z
                    # a quarter of a pixel to the right and down, in texels
                    su, tu = (ds - s * dz) * z * sw * _QUARTER, (dt - t * dz) * z * sh * _QUARTER
                    sv, tv = (vs - s * vz) * z * sw * _QUARTER, (vt - t * vz) * z * sh * _QUARTER
                    s, t = s * sw, t * sh
                    r, g, bl, weight = _0, _0, _0, _0
                    for k in range(4):
                        x = _1 if k & 1 else -_1
                        y = _1 if k & 2 else -_1
                        pr, pg, pb, solid = _sample(texels, start, lw, mw, mh, s + x * su + y * sv, t + x * tu + y * tv)
                        r, g, bl, weight = r + pr * solid, g + pg * solid, bl + pb * solid, weight + solid
                    if mode == _BACK:
                        r, g, bl = _METAL * weight, _METAL * weight, _METAL * weight
                if weight > _0 and (mode == _SOLID or weight >= _2):
                    zb[v, u] = iz
                    zi = np.int32(min(z, _FAR))
                    lamp = glare * headlight(z * over) * cols[lit, u] if head > _0 else _0
                    share = _1 / weight
                    cr = r * share * (light[0] + lamp)
                    cg = g * share * (light[1] + lamp * _F(0.97))
                    cb = bl * share * (light[2] + lamp * _F(0.86))
                    f = fog[zi]
                    o[v, u, 0] = byte(cr + (table[wx.FOG] - cr) * f)
                    o[v, u, 1] = byte(cg + (table[wx.FOG + 1] - cg) * f)
                    o[v, u, 2] = byte(cb + (table[wx.FOG + 2] - cb) * f)
            iz += dz
            sz += ds
            tz += dt


@kernel
def _face(o, zb, p, e1, e2, geometry, rows, cols, sun, table, fog, spans, poly, grad, light, texels, starts, lw, lh,
          mode):  # fmt: skip
    """Draw one upright rectangle.

    Args:
        p, e1, e2: (3,) tuples, its corner top left and its edges to the right and down as seen from its front [m].
        sun: (3,) tuple, unit vector to the sun, camera frame.
        starts: (LEVELS,) of the picture. lw, lh: logarithms of its size.
    """
    focal, cy = geometry[0], geometry[1]
    cx = np.float32(o.shape[1]) * _HALF
    nx = e1[1] * e2[2] - e1[2] * e2[1]
    ny = e1[2] * e2[0] - e1[0] * e2[2]
    nz = e1[0] * e2[1] - e1[1] * e2[0]
    triple = p[0] * nx + p[1] * ny + p[2] * nz
    if triple <= _F(1e-6):
        return  # seen from behind or edge-on
    for i in range(3):
        poly[i, 0] = p[i]
        poly[i, 1] = p[i] + e1[i]
        poly[i, 2] = p[i] + e1[i] + e2[i]
        poly[i, 3] = p[i] + e2[i]
    corners = clip_near(poly, 4)
    if corners < 3:
        return
    first, last = cut_rows(poly, corners, focal, cx, cy, spans, o.shape[0])
    if first >= last:
        return
    inverse = _1 / triple
    grad[0], grad[1], grad[2] = nx * inverse, ny * inverse, nz * inverse
    grad[3] = (e2[1] * p[2] - e2[2] * p[1]) * inverse
    grad[4] = (e2[2] * p[0] - e2[0] * p[2]) * inverse
    grad[5] = (e2[0] * p[1] - e2[1] * p[0]) * inverse
    grad[6] = (p[1] * e1[2] - p[2] * e1[1]) * inverse
    grad[7] = (p[2] * e1[0] - p[0] * e1[2]) * inverse
    grad[8] = (p[0] * e1[1] - p[1] * e1[0]) * inverse
    facing = -(nx * sun[0] + ny * sun[1] + nz * sun[2]) / math.sqrt(nx * nx + ny * ny + nz * nz)
    facing = _F(0.45) + _F(0.3) * facing if mode == _SOLID else max(facing, _0)
    for c in range(3):
        light[c] = table[wx.AMBIENT + c] + table[wx.SUN + c] * max(facing, _0)
    size1 = math.sqrt(e1[0] * e1[0] + e1[1] * e1[1] + e1[2] * e1[2])
    size2 = math.sqrt(e2[0] * e2[0] + e2[1] * e2[1] + e2[2] * e2[2])
    near, far = poly[5, 0], poly[5, 0]
    for c in range(corners):
        near, far = min(near, poly[5, c]), max(far, poly[5, c])
    level = texture_level(lw, lh, _1, _1, size1, size2, math.sqrt(near * far) / focal)
    _fill(o, zb, spans, first, last, focal, cx, cy, grad, light, rows, cols, fog, table, texels, starts[level],
          lw - level, lh - level, mode)  # fmt: skip


@kernel
def draw_signs(o, zb, w, geometry, rows, cols, cam_x, cam_y, yaw, table, fog, spans, poly, grad, light, kinds, xs, ys,
               yaws, overhangs, lengths, row, texels, start, size, panel):  # fmt: skip
    """Draw the signs of world w with a depth test.

    Args:
        fog: (DEPTHS,) as `sim.render.objects.draw_objects` left it.
        kinds ... lengths: (B, N) of the slots; those of kind SIGN are drawn. A sign faces along its yaw.
        row: (B, N) int32, the sign's row in the following arrays, which are those of `SignArrays`.
    """
    ch, sh = math.cos(yaw), math.sin(yaw)
    focal, sine, cosine, up = geometry[0], geometry[2], geometry[3], geometry[7]
    forward = table[wx.SUN_X] * ch + table[wx.SUN_Y] * sh
    sun = (table[wx.SUN_X] * sh - table[wx.SUN_Y] * ch, forward * sine - table[wx.SUN_Z] * cosine,
           forward * cosine + table[wx.SUN_Z] * sine)  # fmt: skip
    for i in range(1, kinds.shape[1]):
        if kinds[w, i] != SIGN:
            continue
        co, so = math.cos(yaws[w, i]), math.sin(yaws[w, i])
        middle = _HALF * lengths[w, i] - overhangs[w, i]
        dx, dy = xs[w, i] + middle * co - cam_x, ys[w, i] + middle * so - cam_y
        ahead, right = dx * ch + dy * sh, dx * sh - dy * ch
        k = row[w, i]
        wide, tall, bottom = panel[k, 0], panel[k, 1], panel[k, 2]
        radius = _HALF * wide
        if ahead > _REACH or ahead + radius < _F(0.3) - around(geometry):
            continue
        if abs(right) * geometry[5] - ahead * geometry[6] > radius:
            continue
        a, b = co * ch + so * sh, co * sh - so * ch
        # the sign's forward and left axes in the camera's frame; its up axis is (0, -cosine, sine)
        fx, fy, fz = b, a * sine, a * cosine
        lx, ly, lz = -a, b * sine, b * cosine
        ox, oy, oz = right, ahead * sine + up * cosine, ahead * cosine - up * sine
        top = bottom + tall
        down = (_0, cosine * tall, -sine * tall)
        lw, lh = size[k, 0], size[k, 1]
        for mode in (_FRONT, _BACK):
            side = _1 if mode == _FRONT else -_1
            half = -side * radius
            p = (ox + side * _THICK * fx + half * lx, oy + side * _THICK * fy + half * ly - cosine * top,
                 oz + side * _THICK * fz + half * lz + sine * top)  # fmt: skip
            e1 = (side * wide * lx, side * wide * ly, side * wide * lz)
            _face(o, zb, p, e1, down, geometry, rows, cols, sun, table, fog, spans, poly, grad, light, texels,
                  start[k], lw, lh, mode)  # fmt: skip
        # the post faces the camera and is never so thin that it falls between two columns
        span = max(_POST, _F(1.05) * ahead / focal)
        high = top - _F(0.06) * tall
        e1 = (span, _0, _0)
        if around(geometry) > _0:
            distance = max(math.sqrt(ahead * ahead + right * right), _F(1e-3))
            turn = span * right / distance
            e1 = (span * ahead / distance, -turn * sine, -turn * cosine)
        p = (ox - _HALF * e1[0], oy - _HALF * e1[1] - cosine * high, oz - _HALF * e1[2] + sine * high)
        _face(o, zb, p, e1, (_0, cosine * high, -sine * high), geometry, rows, cols, sun, table, fog,
              spans, poly, grad, light, texels, start[k], lw, lh, _SOLID)  # fmt: skip


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
