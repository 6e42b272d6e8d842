"""Rasterise one convex textured face: clip it, cut it into rows, and draw it with a depth test.

Camera frame: x right, y down, z along the view [m].  A point of a face is p0 + s e1 + t e2 and also z (dx, dy, 1) for
the ray of its pixel, so 1/z, s/z and t/z are all linear in the pixel's place: three dot products with the ray, whose
vectors are cross products of p0, e1 and e2 divided by their triple product (Heckbert and Moreton, 1991).
"""

from __future__ import annotations

import math

import numpy as np

from sim.core.hashing import hash_u32
from sim.core.kernel import kernel
from sim.render import lighting as wx
from sim.render.assets.texel import HOLE, LAMP, LEVELS, PAINT, PANES, WINDOW
from sim.render.ground import blue, green, headlight, red
from sim.render.sky import byte
from sim.render.tilted_camera import lamps, way

NEAR = np.float32(0.25)  # nothing is drawn closer than this [m]
DEPTHS = 256  # entries, one per metre, of the table of fog over depth
_F = np.float32
_0, _1 = _F(0.0), _F(1.0)
_HALF = _F(0.5)
_S24 = np.uint32(24)
_FAR = np.float32(DEPTHS - 1)
_PANES = np.float32(PANES)
_LIT = np.uint32(0x52000000)  # about a third of all windows


@kernel(inline=True)
def clip_near(poly, count):
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


@kernel(inline=True)
def cut_rows(poly, n, focal, cx, cy, spans, height):
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


@kernel(inline=True)
def texture_level(lw, lh, rs, rt, e1, e2, scale):
    """Mip level for a face whose edges are e1, e2 metres; scale = metres per pixel at its depth."""
    texels = np.float32(1 << lw) * rs / max(e1, _F(1e-3)) * np.float32(1 << lh) * rt / max(e2, _F(1e-3))
    ratio = math.sqrt(texels) * scale
    level = 0
    while level < LEVELS - 1 and ratio > _F(2.2):
        level += 1
        ratio *= _HALF
    return level


@kernel(inline=True)
def fill(o, zb, spans, first, last, focal, cx, cy, grad, light, rows, cols, fog, table,
         texels, start, lw, lh, wrap, smooth, key):  # fmt: skip
    """Draw the rows of a face.

    Args:
        grad: (9,) float32: coefficients of 1/z, s/z and t/z on the ray (dx, dy, 1).
        light: (6,) float32: light on the face, then its paint, RGB each.
        rows, cols: the camera's tables (beam over rows in column 3, over columns in column 2, or in a row for each).
        fog: (DEPTHS,) float32 over depth.
        start, lw, lh: first texel of the texture's level and logarithms of its sides. wrap: the texture repeats.
        key: uint32 of the object; it decides which windows are lit.
    """
    width = o.shape[1]
    sw, sh = np.float32(1 << lw), np.float32(1 << lh)
    mw, mh, none = np.int32((1 << lw) - 1), np.int32((1 << lh) - 1), np.int32(0)
    step = _1 / focal
    dz, ds, dt = grad[0] * step, grad[3] * step, grad[6] * step
    night, head = table[wx.NIGHT], table[wx.HEAD]
    fr, fg, fb = table[wx.FOG], table[wx.FOG + 1], table[wx.FOG + 2]
    for v in range(first, last):
        limit = np.float32(width)
        a = np.int32(math.ceil(min(max(spans[0, v], _0), limit) - _HALF))
        b = np.int32(math.ceil(min(max(spans[1, v], _0), limit) - _HALF))
        dx = (np.float32(a) + _HALF - cx) * step
        dy = (np.float32(v) + _HALF - cy) * step
        iz = grad[0] * dx + grad[1] * dy + grad[2]
        sz = grad[3] * dx + grad[4] * dy + grad[5]
        tz = grad[6] * dx + grad[7] * dy + grad[8]
        glare = head * rows[v, 3]
        lit, over = lamps(cols, v), way(cols, rows, v)
        for u in range(a, b):
            if iz > zb[v, u]:
                z = _1 / iz
                s, t = sz * z * sw, tz * z * sh
                i, j = np.int32(s), np.int32(t)
                if wrap:
                    i, j = i & mw, j & mh
                else:
                    i, j = min(max(i, none), mw), min(max(j, none), mh)
                texel = texels[start + (j << lw) + i]
                kind = np.int32(texel >> _S24)
                if kind != HOLE:
                    zb[v, u] = iz
                    r, g, bl = red(texel), green(texel), blue(texel)
                    if smooth:
                        fs, ft = s - _HALF, t - _HALF
                        i0, j0 = np.int32(math.floor(fs)), np.int32(math.floor(ft))
                        fs, ft = fs - np.float32(i0), ft - np.float32(j0)
                        if wrap:
                            i1, j1 = (i0 + 1) & mw, (j0 + 1) & mh
                            i0, j0 = i0 & mw, j0 & mh
                        else:
                            i1, j1 = min(max(i0 + 1, none), mw), min(max(j0 + 1, none), mh)
                            i0, j0 = min(max(i0, none), mw), min(max(j0, none), mh)
                        t00, t01 = texels[start + (j0 << lw) + i0], texels[start + (j0 << lw) + i1]
                        t10, t11 = texels[start + (j1 << lw) + i0], texels[start + (j1 << lw) + i1]
                        w11 = fs * ft
                        w01, w10 = fs - w11, ft - w11
                        w00 = _1 - fs - w10
                        r = red(t00) * w00 + red(t01) * w01 + red(t10) * w10 + red(t11) * w11
                        g = green(t00) * w00 + green(t01) * w01 + green(t10) * w10 + green(t11) * w11
                        bl = blue(t00) * w00 + blue(t01) * w01 + blue(t10) * w10 + blue(t11) * w11
                    zi = np.int32(min(z, _FAR))
                    lamp = glare * headlight(z * over) * cols[lit, u] if head > _0 else _0
                    lr, lg, lb = light[0] + lamp, light[1] + lamp * _F(0.97), light[2] + lamp * _F(0.86)
                    if kind == PAINT:
                        lr, lg, lb = lr * light[3], lg * light[4], lb * light[5]
                    cr, cg, cb = r * lr, g * lg, bl * lb
                    if night > _0:
                        if kind == LAMP:
                            cr, cg, cb = max(cr, r * night), max(cg, g * night), max(cb, bl * night)
                        elif kind == WINDOW:
                            pane = np.int32(s * _PANES / sw) * 64 + np.int32(t * _PANES / sh)
                            if hash_u32(key + np.uint32(pane)) < _LIT:
                                cr = max(cr, _F(236.0) * night)
                                cg = max(cg, _F(184.0) * night)
                                cb = max(cb, _F(104.0) * night)
                    f = fog[zi]
                    o[v, u, 0] = byte(cr + (fr - cr) * f)
                    o[v, u, 1] = byte(cg + (fg - cg) * f)
                    o[v, u, 2] = byte(cb + (fb - cb) * f)
            iz += dz
            sz += ds
            tz += dt
