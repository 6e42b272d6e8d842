"""Draw the ground below the horizon: a textured plane with light, shadows, water, reflections and fog.

The camera does not roll, so one image row cuts the ground at one depth: texture coordinates step evenly along it, and
mip level, fog and headlights are constants of the row.  The ground is drawn before the objects; a wet road reflects
them afterwards.
"""

from __future__ import annotations

import math

import numpy as np

from sim.core.geometry import clamp01
from sim.core.kernel import kernel
from sim.render import lighting as wx
from sim.render.sky import byte, packed, store
from sim.render.tilted_camera import around, behind, lamps

_F = np.float32
_0, _1, _2 = _F(0.0), _F(1.0), _F(2.0)
_HALF = _F(0.5)
_POOL = _F(13.0)  # texels of noise per metre of road
_ASKEW_C, _ASKEW_S = _F(math.cos(0.37)), _F(math.sin(0.37))
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
    """Share of fog in a pixel at a depth [m], 0..1."""
    return _1 - math.exp(-table[wx.FOG_RATE] * max(depth - table[wx.FOG_START], _0))


@kernel(inline=True)
def headlight(distance):
    """Strength of ego's headlights at a distance ahead [m]."""
    return clamp01(_F(0.45) + distance * _F(0.09)) * _F(1.45) / (_1 + distance * distance * _F(1.0 / 260.0))


@kernel(inline=True)
def _inside(p, dp, high, a, b):
    """The part of columns [a, b) in which 0 <= p + dp * u < high."""
    if abs(dp) < _F(1e-7):
        if p < _0 or p >= high:
            b = a
    else:
        u0, u1 = -p / dp, (high - p) / dp
        low = min(max(min(u0, u1), _F(-1e6)), _F(1e6))
        top = min(max(max(u0, u1), _F(-1e6)), _F(1e6))
        a = max(a, np.int32(math.ceil(low)))
        b = min(b, np.int32(math.floor(top)) + 1)
    return a, max(a, b)


@kernel(inline=True)
def pack(r, g, b, a):
    """Four values 0..255 as a packed texel, rounded."""
    low = np.uint32(np.int32(r + _HALF)) | (np.uint32(np.int32(g + _HALF)) << _S8)
    return np.uint32(low | (np.uint32(np.int32(b + _HALF)) << _S16) | (np.uint32(np.int32(a + _HALF)) << _S24))


@kernel(inline=True)
def alpha(t):
    """Last byte of a packed texel."""
    return np.float32(np.int32(t >> _S24))


@kernel(inline=True)
def _nearest(line, texels, first, w, h, px, py, kx, ky, a, b):
    """Write the nearest texels for columns [a, b) of a row to line (W,)."""
    for u in range(a, b):
        f = np.float32(np.int32(u))
        i = min(max(np.int32(px + kx * f), 0), w - 1)
        j = min(max(np.int32(py + ky * f), 0), h - 1)
        line[u] = texels[first + np.uint32(j * w + i)]


@kernel(inline=True)
def _bilinear(line, texels, first, w, h, px, py, kx, ky, a, b):
    """As `_nearest`, interpolated between four texels."""
    for u in range(a, b):
        f = np.float32(np.int32(u))
        qx = max(px + kx * f - _HALF, _0)
        qy = max(py + ky * f - _HALF, _0)
        i, j = min(np.int32(qx), w - 1), min(np.int32(qy), h - 1)
        sx, sy = qx - np.float32(i), qy - np.float32(j)
        i1 = min(i + 1, w - 1)
        j0, j1 = np.uint32(j * w) + first, np.uint32(min(j + 1, h - 1) * w) + first
        t00, t01 = texels[j0 + np.uint32(i)], texels[j0 + np.uint32(i1)]
        t10, t11 = texels[j1 + np.uint32(i)], texels[j1 + np.uint32(i1)]
        w11 = sx * sy
        w01, w10 = sx - w11, sy - w11
        w00 = _1 - sx - w10
        line[u] = pack(
            red(t00) * w00 + red(t01) * w01 + red(t10) * w10 + red(t11) * w11,
            green(t00) * w00 + green(t01) * w01 + green(t10) * w10 + green(t11) * w11,
            blue(t00) * w00 + blue(t01) * w01 + blue(t10) * w10 + blue(t11) * w11,
            alpha(t00) * w00 + alpha(t01) * w01 + alpha(t10) * w10 + alpha(t11) * w11,
        )


@kernel(inline=True)
def _grain(line, noise, strength, px, py, kx, ky, a, b):
    """Add fine grain to a row that is closer than the texture's resolution."""
    for u in range(a, b):
        i = np.int32(px + kx * np.float32(u)) & 255
        j = np.int32(py + ky * np.float32(u)) & 255
        k = _1 + strength * (np.float32(noise[j, i]) - _F(128.0))
        t = line[u]
        line[u] = pack(min(red(t) * k, _F(254.0)), min(green(t) * k, _F(254.0)), min(blue(t) * k, _F(254.0)), alpha(t))


@kernel(inline=True)
def _puddles(pool, line, clouds, cols, share, smooth, x, y, yaw, forward, depth, across, footprint):
    """Write the share of every pixel of a row that is under water to pool (W,).

    Water stands where a noise picture laid over the world exceeds a level; all its values are equally frequent, so the
    level follows from the wanted share of puddles.
    """
    width = pool.shape[0]
    ch, sh = math.cos(yaw), math.sin(yaw)
    # rotated, so that it does not repeat along roads that run along the axes
    east, north = x + ch * forward, y + sh * forward
    px = (_ASKEW_C * east + _ASKEW_S * north) * _POOL + _F(65536.0)
    py = (_ASKEW_C * north - _ASKEW_S * east) * _POOL + _F(65536.0)
    kx = (_ASKEW_C * sh - _ASKEW_S * ch) * depth * _POOL
    ky = (-_ASKEW_C * ch - _ASKEW_S * sh) * depth * _POOL
    cut = _255 * (_1 - share)
    far = clamp01((footprint - _F(0.7)) * _F(0.4))  # many puddles in a pixel: use their share
    gain = _F(1.0 / 14.0) * (_1 - far)
    rest = share * far
    if smooth or across * _POOL < _HALF:
        for u in range(width):
            qx, qy = px + kx * cols[0, u], py + ky * cols[0, u]
            i, j = np.int32(qx), np.int32(qy)
            fx, fy = qx - np.float32(i), qy - np.float32(j)
            i, j = i & 255, j & 255
            i1, j1 = (i + 1) & 255, (j + 1) & 255
            upper = np.float32(clouds[j, i]) * (_1 - fx) + np.float32(clouds[j, i1]) * fx
            lower = np.float32(clouds[j1, i]) * (_1 - fx) + np.float32(clouds[j1, i1]) * fx
            pool[u] = upper + (lower - upper) * fy
    else:
        for u in range(width):
            i = np.int32(px + kx * cols[0, u]) & 255
            j = np.int32(py + ky * cols[0, u]) & 255
            pool[u] = np.float32(clouds[j, i])
    for u in range(width):
        pool[u] = (clamp01((pool[u] - cut) * gain) + rest) * clamp01(alpha(line[u]) * _F(1.0 / 200.0) - _F(0.2))


@kernel
def draw_ground(o, rows, cols, geometry, horizon, x, y, yaw, smooth, table, noise, line, shaded, shine, shade, touched,
                pool, texels, level_start, level_shape, origin, texel):  # fmt: skip
    """Draw the rows below the horizon.

    Args:
        o: (H, W, 3) uint8, written.
        rows, cols, geometry, horizon: see the camera's tables.
        x, y, yaw: of the camera [m, rad]. smooth: bilinear sampling and fine grain everywhere.
        table: (LIGHT_SIZE,) float32. noise: (2, NOISE, NOISE) uint8: clouds, from which puddles are cut, and
            fine grain.
        line, shaded: (W,) uint32 scratch. pool: (W,) float32 scratch.
        shine: (H, W) float32, reflectivity of each pixel; written where the world is wet.
        shade: (H, W) float32, touched: (H,) uint8, see `sim.render.shadows.cast_shadows`.
        texels: (X,) uint32 of all maps; level_start (L,), level_shape (L, 2), origin (2,), texel: of this map.
    """
    height, width = o.shape[0], o.shape[1]
    focal, up = geometry[0], geometry[7]
    ch, sh = math.cos(yaw), math.sin(yaw)
    deepest = 0
    while deepest + 1 < level_start.shape[0] and level_start[deepest + 1] >= 0:
        deepest += 1
    # the ground beyond the map takes the colour of its corner
    verge = texels[level_start[min(deepest, 4)]]
    wet, head, puddles = table[wx.WET], table[wx.HEAD], table[wx.PUDDLES]
    ar, ag, ab = table[wx.FLAT], table[wx.FLAT + 1], table[wx.FLAT + 2]
    dark = _F(-0.42 / 255.0) * wet
    deeper = _F(-0.60 / 255.0) - dark
    for v in range(max(horizon, 0), height):
        depth, ahead = rows[v, 2], rows[v, 1]
        forward = depth * ahead
        # an even compromise between the fine grain across the row and the coarse one along the view
        across = depth / focal
        footprint = across * math.sqrt(max(depth / up, _1))
        level, size = 0, texel
        while level < deepest and footprint > size * _F(1.3):
            level += 1
            size *= _2
        h, w = level_shape[level, 0], level_shape[level, 1]
        first = np.uint32(level_start[level])
        inverse = _1 / size
        px = (x + ch * forward - origin[0]) * inverse
        py = (y + sh * forward - origin[1]) * inverse
        kx, ky = sh * across * inverse, -ch * across * inverse
        left = cols[0, 0] * focal  # cols[0, u] is linear in u
        px, py = px + kx * left, py + ky * left
        a, b = _inside(px, kx, np.float32(w), 0, width)
        a, b = _inside(py, ky, np.float32(h), a, b)
        if a > 0 or b < width:
            for u in range(width):
                line[u] = verge
        if smooth or footprint < size * _HALF:
            _bilinear(line, texels, first, w, h, px, py, kx, ky, a, b)
        else:
            _nearest(line, texels, first, w, h, px, py, kx, ky, a, b)
        if smooth and depth < _F(40.0):
            k = size * _F(22.0)
            strength = clamp01((_F(40.0) - depth) * _F(0.05)) * _F(0.16 / 128.0)
            _grain(line, noise[1], strength, px * k, py * k, kx * k, ky * k, a, b)
        fog = fog_of(table, depth)
        clear = _1 - fog
        fr, fg, fb = table[wx.FOG] * fog, table[wx.FOG + 1] * fog, table[wx.FOG + 2] * fog
        lr, lg, lb = ar * clear, ag * clear, ab * clear
        beam = head * headlight(forward) * clear
        lit = lamps(cols, v)
        sr, sg, sb = lr * table[wx.SHADE], lg * table[wx.SHADE + 1], lb * table[wx.SHADE + 2]
        if puddles > _0:
            _puddles(pool, line, noise[0], cols, puddles, smooth, x, y, yaw, forward, depth, across, footprint)
            if touched[v] == 0:
                shade[v, :] = _0
            for u in range(width):
                lamp, k = beam * cols[lit, u], shade[v, u]
                t = line[u]
                damp = _1 + (dark + deeper * pool[u]) * alpha(t)
                shaded[u] = packed(
                    red(t) * (lr - sr * k + lamp) * damp + fr,
                    green(t) * (lg - sg * k + lamp * _F(0.97)) * damp + fg,
                    blue(t) * (lb - sb * k + lamp * _F(0.86)) * damp + fb,
                )
        elif touched[v] > 0:
            for u in range(width):
                lamp, k = beam * cols[lit, u], shade[v, u]
                t = line[u]
                damp = _1 + dark * alpha(t)
                shaded[u] = packed(
                    red(t) * (lr - sr * k + lamp) * damp + fr,
                    green(t) * (lg - sg * k + lamp * _F(0.97)) * damp + fg,
                    blue(t) * (lb - sb * k + lamp * _F(0.86)) * damp + fb,
                )
        else:
            for u in range(width):
                lamp = beam * cols[lit, u]
                t = line[u]
                damp = _1 + dark * alpha(t)
                shaded[u] = packed(
                    red(t) * (lr + lamp) * damp + fr,
                    green(t) * (lg + lamp * _F(0.97)) * damp + fg,
                    blue(t) * (lb + lamp * _F(0.86)) * damp + fb,
                )
        store(o, v, shaded)
        if wet > _0 or puddles > _0:
            grazing = -rows[v, 0] / math.sqrt(rows[v, 0] * rows[v, 0] + ahead * ahead)
            fresnel = (_1 - grazing) * (_1 - grazing)
            k = wet * (_F(0.03) + _F(0.77) * fresnel * fresnel) * clear * _F(1.0 / 255.0)
            if puddles > _0:
                # still water does not scatter: it reflects even at steep angles
                water = (_F(0.34) + _F(0.60) * fresnel) * clear
                for u in range(width):
                    damp = k * alpha(line[u])
                    shine[v, u] = damp + (water - damp) * pool[u]
            else:
                for u in range(width):
                    shine[v, u] = k * alpha(line[u])


@kernel
def _mirror_sky(o, zb, horizon, table, shine):
    """Reflect the sky above in a wet road seen from above: its mean colour, without the shapes of clouds."""
    cover = _F(0.84) * table[wx.CLOUD]
    for v in range(max(horizon, 0), o.shape[0]):
        for u in range(o.shape[1]):
            k = shine[v, u]
            if zb[v, u] > _0 or k < _F(0.045):
                continue
            for c in range(3):
                clear = table[wx.ZENITH + c]
                seen = clear + (table[wx.CLOUD_LIGHT] - clear) * cover
                old = np.float32(o[v, u, c])
                o[v, u, c] = byte(old + k * (seen - old))


@kernel
def draw_mirror(o, zb, geometry, horizon, table, shine, base):
    """Draw reflections on a wet road, column by column about the foot of the nearest object above each pixel.

    A camera that looks steeply down sees the sky above reflected.

    Args:
        o: (H, W, 3) uint8, changed; zb: (H, W) float32, inverse depth of objects, 0 where there is none.
        shine: (H, W) float32, from `draw_ground`. base: (W,) int32 scratch.
    """
    height, width = o.shape[0], o.shape[1]
    if around(geometry) > _0:
        _mirror_sky(o, zb, horizon, table, shine)
        return
    blur = 1 + (height >> 6)
    for u in range(width):
        base[u] = horizon - 1
    for v in range(max(horizon, 1), height):
        for u in range(width):
            if zb[v, u] > _0:
                base[u] = v
                continue
            k = shine[v, u]
            if k < _F(0.045):  # close by a wet road reflects too little to be visible
                continue
            m = 2 * base[u] + 1 - v
            if m < 0 or (m >= horizon and zb[m, u] == _0):
                m = 2 * horizon - 1 - v  # beyond the object above the foot
            m = min(max(m, 0), v - 1)
            n = max(m - blur, 0)
            for c in range(3):
                seen = (np.float32(o[m, u, c]) + np.float32(o[n, u, c])) * _HALF
                old = np.float32(o[v, u, c])
                o[v, u, c] = byte(old + k * (seen - old))


@kernel
def draw_contact_shadow(o, zb, rows, cols, geometry, horizon, table, cx, cy, ch, sh, length, width, hard, gr, gg, gb):
    """Multiply the ground's brightness under a soft-edged rectangle: a shadow, or a pool of light.

    Args:
        cx, cy: its centre, metres ahead and to the right of the camera. ch, sh: its long axis in the same frame.
        length, width: [m]. hard: steepness of its edge.
        gr, gg, gb: in its middle: added to a factor of 1 where negative, light that is added where positive.
    """
    rows_high, columns = o.shape[0], o.shape[1]
    focal, middle, sine, cosine, up = geometry[0], geometry[1], geometry[2], geometry[3], geometry[7]
    half = _HALF * (abs(ch) * length + abs(sh) * width)
    far, near = cx + half, max(cx - half, _F(0.8) - behind(geometry))
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
        beam = table[wx.HEAD] * headlight(depth * rows[v, 1])
        lit = lamps(cols, v)
        p, dp = (ahead * ch + right * sh) * il, step * sh * il
        q, dq = (right * ch - ahead * sh) * iw, step * ch * iw
        a, b = _inside(p + _1, dp, _2, 0, columns)
        a, b = _inside(q + _1, dq, _2, a, b)
        for u in range(a, b):
            if zb[v, u] > _0:
                continue
            pu, qu = p + dp * np.float32(u), q + dq * np.float32(u)
            k = clamp01((_1 - pu * pu) * hard) * clamp01((_1 - qu * qu) * hard)
            if gr > _0:  # light is additive, so its factor on the pixel is smaller where there is more light already
                k /= table[wx.FLAT + 1] + beam * cols[lit, u]
            o[v, u, 0] = byte(np.float32(o[v, u, 0]) * (_1 + gr * k))
            o[v, u, 1] = byte(np.float32(o[v, u, 1]) * (_1 + gg * k))
            o[v, u, 2] = byte(np.float32(o[v, u, 2]) * (_1 + gb * k))
