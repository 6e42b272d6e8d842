"""The ground below the horizon: a textured plane, lit, wet, fogged, with soft patches of shade and light upon it.

The camera does not roll, so one image row cuts the ground at one depth: texture coordinates step evenly along it, and
mip level, fog and headlights are constants of the row.  Ground is drawn after objects, where none stands, so that a wet
road can mirror what is above it.
"""

from __future__ import annotations

import math

import numpy as np

from sim import weather as wx
from sim.kernel import kernel
from sim.sky import byte
from sim.weather import clamp01

_F = np.float32
_0, _1, _2 = _F(0.0), _F(1.0), _F(2.0)
_HALF = _F(0.5)
_255 = _F(255.0)
_U8 = np.uint32(255)
_S8, _S16, _S24 = np.uint32(8), np.uint32(16), np.uint32(24)


@kernel(inline=True)
def red(t):
    """First byte of a packed texel."""
    return np.float32(np.int32(t & _U8))


@kernel(inline=True)
def green(t):
    """Second byte of a packed texel."""
    return np.float32(np.int32((t >> _S8) & _U8))


@kernel(inline=True)
def blue(t):
    """Third byte of a packed texel."""
    return np.float32(np.int32((t >> _S16) & _U8))


@kernel(inline=True)
def fog_of(table, depth):
    """How much of what is seen at a depth [m] is fog, 0..1."""
    return _1 - math.exp(-table[wx.FOG_RATE] * max(depth - table[wx.FOG_START], _0))


@kernel(inline=True)
def headlight(distance):
    """Strength of ego's headlights at a distance ahead [m]."""
    return clamp01((distance - _F(1.0)) * _F(0.25)) * _F(1.5) / (_1 + distance * distance * _F(1.0 / 260.0))


@kernel(inline=True)
def _inside(p, dp, high, a, b):
    """The part of columns [a, b) in which 0 <= p + dp * u < high."""
    if abs(dp) < _F(1e-7):
        if p < _0 or p >= high:
            b = a
    else:
        u0, u1 = -p / dp, (high - p) / dp
        low, top = min(u0, u1), max(u0, u1)
        a = max(a, np.int32(max(min(math.ceil(low), _F(1e6)), _F(-1e6))))
        b = min(b, np.int32(max(min(math.floor(top) + _1, _F(1e6)), _F(-1e6))))
    return a, max(a, b)


@kernel
def draw_ground(o, zb, rows, cols, geometry, horizon, x, y, yaw, smooth, table, noise, base,
                texels, level_start, level_shape, origin, texel):  # fmt: skip
    """Fill the rows below the horizon wherever no object stands.

    Args:
        o: (H, W, 3) uint8, written; zb: (H, W) float32, inverse depth of objects, 0 where there is none.
        rows, cols, geometry, horizon: see the camera's tables.
        x, y, yaw: of the camera [m, rad]. smooth: bilinear sampling and fine grain everywhere.
        table: (LIGHT_SIZE,) float32. noise: (NOISE, NOISE) uint8 fine grain. base: (W,) int32 scratch.
        texels: (X,) uint32 of the whole bank; level_start (L,), level_shape (L, 2), origin (2,), texel: of this map.
    """
    height, width = o.shape[0], o.shape[1]
    focal, up = geometry[0], geometry[7]
    ch, sh = math.cos(yaw), math.sin(yaw)
    deepest = 0
    while deepest + 1 < level_start.shape[0] and level_start[deepest + 1] >= 0:
        deepest += 1
    # what lies beyond the map looks like its corner
    verge = texels[level_start[min(deepest, 4)]]
    wet, head = table[wx.WET], table[wx.HEAD]
    for u in range(width):
        base[u] = horizon - 1
    if wet > _0:
        for v in range(max(horizon, 0)):
            for u in range(width):
                if zb[v, u] > _0 and (v + 1 >= height or zb[v + 1, u] == _0):
                    base[u] = max(v, horizon - 1)
    ar, ag, ab = table[wx.FLAT], table[wx.FLAT + 1], table[wx.FLAT + 2]
    for v in range(max(horizon, 0), height):
        depth, ahead = rows[v, 2], rows[v, 1]
        forward = depth * ahead
        fog = fog_of(table, depth)
        clear = _1 - fog
        fr, fg, fb = table[wx.FOG] * fog, table[wx.FOG + 1] * fog, table[wx.FOG + 2] * fog
        beam = head * headlight(forward)
        grazing = -rows[v, 0] / math.sqrt(rows[v, 0] * rows[v, 0] + ahead * ahead)
        fresnel = (_1 - grazing) * (_1 - grazing)
        mirror = wet * (_F(0.06) + _F(0.74) * fresnel * fresnel)
        # an even compromise between the fine grain across the row and the coarse one along the view
        across = depth / focal
        footprint = math.sqrt(across * across * max(depth / up, _1))
        level, size = 0, texel
        while level < deepest and footprint > size * _F(1.3):
            level += 1
            size *= _2
        soft = smooth or footprint < size * _F(0.7)
        h, w = level_shape[level, 0], level_shape[level, 1]
        first = level_start[level]
        inverse = _1 / size
        px = (x + ch * forward - origin[0]) * inverse
        py = (y + sh * forward - origin[1]) * inverse
        # cols[u, 0] is linear in u
        kx, ky = sh * across * inverse, -ch * across * inverse
        u_off = cols[0, 0] * focal
        px, py = px + kx * u_off, py + ky * u_off
        a, b = _inside(px, kx, np.float32(w), 0, width)
        a, b = _inside(py, ky, np.float32(h), a, b)
        grain = smooth and depth < _F(40.0)
        for u in range(width):
            if zb[v, u] > _0:
                base[u] = v
                continue
            alpha = _0
            if a <= u < b:
                qx, qy = px + kx * np.float32(u), py + ky * np.float32(u)
                if soft:
                    qx, qy = max(qx - _HALF, _0), max(qy - _HALF, _0)
                    i, j = min(np.int32(qx), w - 1), min(np.int32(qy), h - 1)
                    sx, sy = qx - np.float32(i), qy - np.float32(j)
                    i1, j1 = min(i + 1, w - 1), min(j + 1, h - 1)
                    t00, t01 = texels[first + j * w + i], texels[first + j * w + i1]
                    t10, t11 = texels[first + j1 * w + i], texels[first + j1 * w + i1]
                    w11 = sx * sy
                    w01, w10 = sx - w11, sy - w11
                    w00 = _1 - sx - w10
                    r = red(t00) * w00 + red(t01) * w01 + red(t10) * w10 + red(t11) * w11
                    g = green(t00) * w00 + green(t01) * w01 + green(t10) * w10 + green(t11) * w11
                    bl = blue(t00) * w00 + blue(t01) * w01 + blue(t10) * w10 + blue(t11) * w11
                    alpha = (np.float32(np.int32(t00 >> _S24)) * w00 + np.float32(np.int32(t01 >> _S24)) * w01
                             + np.float32(np.int32(t10 >> _S24)) * w10 + np.float32(np.int32(t11 >> _S24)) * w11)  # fmt: skip
                    if grain:
                        # the texture is coarser than what a large image shows close by
                        near = clamp01((_F(40.0) - depth) * _F(0.05)) * _F(1.0 / 128.0) * _F(0.16)
                        i = np.int32(qx * size * _F(22.0)) & 255
                        j = np.int32(qy * size * _F(22.0)) & 255
                        near = _1 + near * (np.float32(noise[j, i]) - _F(128.0))
                        r, g, bl = r * near, g * near, bl * near
                else:
                    i, j = min(max(np.int32(qx), 0), w - 1), min(max(np.int32(qy), 0), h - 1)
                    t = texels[first + j * w + i]
                    r, g, bl = red(t), green(t), blue(t)
                    alpha = np.float32(np.int32(t >> _S24))
            else:
                r, g, bl = red(verge), green(verge), blue(verge)
            lamp = beam * cols[u, 2]
            alpha *= _F(1.0 / 255.0)
            dry = clear * (_1 - _F(0.42) * wet * alpha)
            r = r * (ar + lamp) * dry
            g = g * (ag + lamp * _F(0.97)) * dry
            bl = bl * (ab + lamp * _F(0.86)) * dry
            if wet > _0:
                m = 2 * base[u] + 1 - v
                if m >= horizon and zb[min(m, height - 1), u] == _0:
                    m = 2 * horizon - 1 - v
                m = min(max(m, 0), v - 1) if v > 0 else 0
                k = mirror * alpha * clear
                if m < v and v > 0:
                    m2 = max(m - 1 - (height >> 6), 0)
                    r += k * ((np.float32(o[m, u, 0]) + np.float32(o[m2, u, 0])) * _HALF - r)
                    g += k * ((np.float32(o[m, u, 1]) + np.float32(o[m2, u, 1])) * _HALF - g)
                    bl += k * ((np.float32(o[m, u, 2]) + np.float32(o[m2, u, 2])) * _HALF - bl)
            o[v, u, 0] = byte(r + fr)
            o[v, u, 1] = byte(g + fg)
            o[v, u, 2] = byte(bl + fb)


@kernel
def draw_patch(o, zb, rows, cols, geometry, horizon, cx, cy, ch, sh, length, width, hard, gr, gg, gb):
    """Multiply the ground's brightness under a soft-edged rectangle: a shadow, or a pool of light.

    Args:
        cx, cy: its centre, metres ahead and to the right of the camera. ch, sh: its long axis in the same frame.
        length, width: [m]. hard: how steep its edge is. gr, gg, gb: added to a factor of 1 in its middle.
    """
    rows_high, columns = o.shape[0], o.shape[1]
    focal, middle, sine, cosine, up = geometry[0], geometry[1], geometry[2], geometry[3], geometry[7]
    half = _HALF * (abs(ch) * length + abs(sh) * width)
    far, near = cx + half, max(cx - half, _F(0.8))
    if far <= near:
        return
    # a point on the ground at forward distance d appears in row middle + focal * below / depth
    top = middle + focal * (far * sine + up * cosine) / max(far * cosine - up * sine, _F(0.1))
    low = middle + focal * (near * sine + up * cosine) / max(near * cosine - up * sine, _F(0.1))
    first = max(horizon, np.int32(min(top, np.float32(rows_high))))
    last = min(rows_high, np.int32(min(max(low, _0), np.float32(rows_high))) + 1)
    il, iw = _2 / length, _2 / width
    for v in range(max(first, 0), last):
        depth = rows[v, 2]
        ahead = depth * rows[v, 1] - cx
        step = depth / focal
        right = cols[0, 0] * depth - cy
        p, dp = (ahead * ch + right * sh) * il, step * sh * il
        q, dq = (right * ch - ahead * sh) * iw, step * ch * iw
        a, b = _inside(p + _1, dp, _2, 0, columns)
        a, b = _inside(q + _1, dq, _2, a, b)
        for u in range(a, b):
            if zb[v, u] > _0:
                continue
            pu, qu = p + dp * np.float32(u), q + dq * np.float32(u)
            k = clamp01((_1 - pu * pu) * hard) * clamp01((_1 - qu * qu) * hard)
            o[v, u, 0] = byte(np.float32(o[v, u, 0]) * (_1 + gr * k))
            o[v, u, 1] = byte(np.float32(o[v, u, 1]) * (_1 + gg * k))
            o[v, u, 2] = byte(np.float32(o[v, u, 2]) * (_1 + gb * k))
