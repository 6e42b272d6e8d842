"""Rasteriser of convex textured faces: one scan conversion for pictures, depth and labels.

Camera frame: x right, y down, z along the view [m].  A point of a face is p + s e1 + t e2 and also z (dx, dy, 1) for
the ray of its pixel, so 1/z, s/z and t/z are all linear in the pixel's place: three dot products with the ray, whose
vectors are cross products of p, e1 and e2 divided by their triple product (Heckbert and Moreton, 1991).

A target is a NamedTuple that is drawn into, with inverse depths in its field `depth`; a surface is one that says what
covers a face.  The functions without a body below do what differs between targets: `sim.render.kernels.implements`
gives them code for a type of target, `write_pixel` and `begin_row` for a type of target and one of surface.

    target                      written for a pixel     declared in
    ColourTarget                depth, colour           `sim.render.shading`; for signs `sim.render.signs`
    DepthTarget                 depth                   `sim.sensors.depth`
    LabelTarget                 depth, class            `sim.sensors.semantic`
    InstanceTarget              depth, actor            `sim.sensors.instance`
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from sim.core.kernel import kernel
from sim.render.assets.texel import HOLE, LEVELS
from sim.render.kernels import inner_kernel, pasted_kernel

NEAR = np.float32(0.25)  # nothing is drawn closer than this [m]
_F = np.float32
_0, _1 = _F(0.0), _F(1.0)
_HALF = _F(0.5)
_S24 = np.uint32(24)


class Scratch(NamedTuple):
    """Working arrays for one face, which every face overwrites.

    Args:
        spans: (2, H) float32, left and right end of each row [px].
        poly: (6, 8) float32, corners: x, y, z before and after clipping; then x, y [px].
        grad: (9,) float32, coefficients of 1/z, s/z and t/z on the ray (dx, dy, 1).
    """

    spans: np.ndarray
    poly: np.ndarray
    grad: np.ndarray


class Texture(NamedTuple):
    """Surface with one mip level of a texture.

    Args:
        texels: (X,) uint32, little-endian R, G, B, class. start, lw, lh: first texel and logarithms of the sides.
        wrap: the texture repeats. holes: it may have texels that one sees through.
    """

    texels: np.ndarray
    start: int
    lw: int
    lh: int
    wrap: bool
    holes: bool


# ------------------------------------------------------------------------------------- what depends on the target


def begin_object(target: Any, kind: Any, appearance: Any, key: Any, actor: Any) -> Any:
    """Prepare for the faces of an object; returns the number that `write_pixel` is given as `brush`.

    Args:
        kind, appearance: int32. key: int32, of 16 random bits. actor: int32, its row in the world, 0 for scenery.
    """


def light_face(target: Any, normal: Any, turned: Any, upright: Any) -> Any:
    """Prepare for the pixels of a face.

    Args:
        normal: (x, y, z) of any length, away from the camera unless `turned`.
        upright: the face stands for something round, whose light depends little on its direction.
    """


def uses_texture(target: Any) -> Any:
    """Whether the target needs the texture of every face; otherwise only of those with holes."""


def begin_row(target: Any, surface: Any, v: Any) -> Any:
    """Prepare for row v of a face; returns what `write_pixel` is given as `row`."""


def write_pixel(target: Any, surface: Any, brush: Any, row: Any, v: Any, u: Any, at: Any, steps: Any) -> Any:
    """Write pixel (v, u), where the face is nearer than all before, unless one sees through its surface there.

    Args:
        at: 1/z, s/z and t/z of the face there. steps: what they change by to the right, then what downwards.
    """


# ------------------------------------------------------------------------------------------------ scan conversion


@kernel(inline=True, allocates=True)
def new_scratch(height):
    """`Scratch` for pictures of this height."""
    return Scratch(np.empty((2, height), np.float32), np.empty((6, 8), np.float32), np.zeros(9, np.float32))


@inner_kernel
def _clip_near(poly, count):
    """Clip a polygon at the near plane; corners in poly[0:3], result in poly[3:6]. Returns its number of corners."""
    n = 0
    for i in range(count):
        j = i + 1 if i + 1 < count else 0
        zi, zj = poly[2, i], poly[2, j]
        if zi >= NEAR:
            poly[3, n], poly[4, n], poly[5, n] = poly[0, i], poly[1, i], zi
            n += 1
        if (zi >= NEAR) != (zj >= NEAR):
            k = (NEAR - zi) / (zj - zi)
            poly[3, n] = poly[0, i] + (poly[0, j] - poly[0, i]) * k
            poly[4, n] = poly[1, i] + (poly[1, j] - poly[1, i]) * k
            poly[5, n] = NEAR
            n += 1
    return n


@inner_kernel
def _cut_rows(poly, n, focal, cx, cy, spans, height):
    """Project the polygon in poly[3:6] and write each row's left and right end to spans. Returns first and last row."""
    top, low = _F(1e9), _F(-1e9)
    for i in range(n):
        k = focal / poly[5, i]
        poly[0, i] = cx + poly[3, i] * k
        poly[1, i] = cy + poly[4, i] * k
        top, low = min(top, poly[1, i]), max(low, poly[1, i])
    limit = np.float32(height)
    first = np.int32(math.ceil(min(max(top, _0), limit) - _HALF))
    last = np.int32(math.ceil(min(max(low, _0), limit) - _HALF))
    for v in range(first, last):
        spans[0, v] = _F(1e9)
        spans[1, v] = _F(-1e9)
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        x0, y0, x1, y1 = poly[0, i], poly[1, i], poly[0, j], poly[1, j]
        if y0 > y1:
            x0, y0, x1, y1 = x1, y1, x0, y0
        a = np.int32(math.ceil(min(max(y0, _0), limit) - _HALF))
        b = np.int32(math.ceil(min(max(y1, _0), limit) - _HALF))
        if b > a:
            slope = (x1 - x0) / (y1 - y0)
            x = x0 + (np.float32(a) + _HALF - y0) * slope
            for v in range(a, b):
                spans[0, v] = min(spans[0, v], x)
                spans[1, v] = max(spans[1, v], x)
                x += slope
    return first, last


@pasted_kernel
def cut_face(scratch, lens, height):
    """Clip and project the face with four corners in poly[0:3], and write each row's left and right end to spans.

    Args:
        lens: focal length and centre of the picture, x and y [px]. height: of the picture [px].

    Returns:
        Number of corners in poly[3:6], first and last row; no rows where nothing is left.
    """
    focal, cx, cy = lens
    first, last = np.int32(0), np.int32(0)
    corners = _clip_near(scratch.poly, 4)
    if corners >= 3:
        first, last = _cut_rows(scratch.poly, corners, focal, cx, cy, scratch.spans, height)
    return corners, first, last


@pasted_kernel
def normal_of(p, e1, e2):
    """Normal e1 x e2 of a plane, and its triple product with a point p of the plane."""
    px, py, pz = p
    e1x, e1y, e1z = e1
    e2x, e2y, e2z = e2
    nx, ny, nz = e1y * e2z - e1z * e2y, e1z * e2x - e1x * e2z, e1x * e2y - e1y * e2x
    return (nx, ny, nz), px * nx + py * ny + pz * nz


@pasted_kernel
def length_of(edge):
    """Length of a vector (x, y, z)."""
    x, y, z = edge
    return math.sqrt(x * x + y * y + z * z)


@pasted_kernel
def set_depth(grad, normal, inverse):
    """Write the coefficients of 1/z; inverse: 1 / triple product."""
    nx, ny, nz = normal
    grad[0], grad[1], grad[2] = nx * inverse, ny * inverse, nz * inverse


@pasted_kernel
def set_texture(grad, p, e1, e2, is1, it1):
    """Write the coefficients of s/z and t/z; is1, it1: repeats of the texture along e1 and e2 / triple product."""
    px, py, pz = p
    e1x, e1y, e1z = e1
    e2x, e2y, e2z = e2
    grad[3] = (e2y * pz - e2z * py) * is1
    grad[4] = (e2z * px - e2x * pz) * is1
    grad[5] = (e2x * py - e2y * px) * is1
    grad[6] = (py * e1z - pz * e1y) * it1
    grad[7] = (pz * e1x - px * e1z) * it1
    grad[8] = (px * e1y - py * e1x) * it1


@pasted_kernel
def mean_depth(poly, corners):
    """Geometric mean of the least and the greatest depth of the clipped face in poly[3:6] [m]."""
    near, far = poly[5, 0], poly[5, 0]
    for c in range(corners):
        near, far = min(near, poly[5, c]), max(far, poly[5, c])
    return math.sqrt(near * far)


@inner_kernel
def texture_level(lw, lh, rs, rt, e1, e2, scale):
    """Mip level for a face whose edges are e1, e2 metres; scale = metres per pixel at its depth."""
    texels = np.float32(1 << lw) * rs / max(e1, _F(1e-3)) * np.float32(1 << lh) * rt / max(e2, _F(1e-3))
    ratio = math.sqrt(texels) * scale
    level = 0
    while level < LEVELS - 1 and ratio > _F(2.2):
        level += 1
        ratio *= _HALF
    return level


@inner_kernel
def fill(target, surface, brush, scratch, first, last, lens):
    """Draw the rows of a face with a depth test: of `Scratch.spans` and, for each pixel, `Scratch.grad`.

    Args:
        brush: from `begin_object`. lens: as in `cut_face`.
    """
    focal, cx, cy = lens
    depth, spans, grad = target.depth, scratch.spans, scratch.grad
    limit = np.float32(depth.shape[1])
    step = _1 / focal
    dz, ds, dt = grad[0] * step, grad[3] * step, grad[6] * step
    steps = (dz, ds, dt, grad[1] * step, grad[4] * step, grad[7] * step)
    for v in range(first, last):
        a = np.int32(math.ceil(min(max(spans[0, v], _0), limit) - _HALF))
        b = np.int32(math.ceil(min(max(spans[1, v], _0), limit) - _HALF))
        dx = (np.float32(a) + _HALF - cx) * step
        dy = (np.float32(v) + _HALF - cy) * step
        iz = grad[0] * dx + grad[1] * dy + grad[2]
        sz = grad[3] * dx + grad[4] * dy + grad[5]
        tz = grad[6] * dx + grad[7] * dy + grad[8]
        row = begin_row(target, surface, v)
        for u in range(a, b):
            if iz > depth[v, u]:
                write_pixel(target, surface, brush, row, v, u, (iz, sz, tz), steps)
            iz += dz
            sz += ds
            tz += dt


@pasted_kernel
def texel_at(surface, s, t):
    """The texel at (s, t) texels, packed."""
    mw, mh, none = np.int32((1 << surface.lw) - 1), np.int32((1 << surface.lh) - 1), np.int32(0)
    i, j = np.int32(s), np.int32(t)
    if surface.wrap:
        i, j = i & mw, j & mh
    else:
        i, j = min(max(i, none), mw), min(max(j, none), mh)
    return surface.texels[surface.start + (j << surface.lw) + i]


@pasted_kernel
def is_solid(surface, at):
    """Whether one does not see through a `Texture`; `at` as in `write_pixel`."""
    if not surface.holes:
        return True
    iz, sz, tz = at
    z = _1 / iz
    s, t = sz * z * np.float32(1 << surface.lw), tz * z * np.float32(1 << surface.lh)
    return np.int32(texel_at(surface, s, t) >> _S24) != HOLE
