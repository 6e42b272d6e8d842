"""Draw the sky above the horizon: gradient, clouds, glow of the sun and the skyline.

The layer of clouds is a plane seen from below: with a camera that does not roll, one image row cuts it in a straight
line with even steps, so clouds cost one look-up a pixel.  Rows are drawn whole; objects are drawn over them.
"""

from __future__ import annotations

import math

import numpy as np

from sim.core.geometry import clamp01
from sim.core.kernel import kernel
from sim.render import lighting as wx

NOISE = 256  # side of the tileable noise picture
_F = np.float32
_0, _1, _2 = _F(0.0), _F(1.0), _F(2.0)
_255 = _F(255.0)
_BYTE, _S8, _S16 = np.uint32(255), np.uint32(8), np.uint32(16)
_CLOUD_SCALE = _F(34.0)  # noise texels per unit of the cloud plane, whose height is 1
_NOISE_MASK = NOISE - 1
_TURN = _F(512.0 / (2.0 * math.pi))


def noise(seed: int = 7) -> np.ndarray:
    """A tileable cloud-like picture: (2, NOISE, NOISE) uint8, plane 0 soft clouds, plane 1 fine grain."""
    rng = np.random.default_rng(seed)
    f = np.fft.fftfreq(NOISE) * NOISE
    radius = np.maximum(np.hypot(f[:, None], f[None, :]), 1.0)
    planes = []
    for power, low in ((1.65, 2.0), (0.35, 6.0)):
        spectrum = np.fft.fft2(rng.standard_normal((NOISE, NOISE))) * radius**-power * (radius >= low)
        picture = np.fft.ifft2(spectrum).real
        rank = np.argsort(np.argsort(picture.ravel())).reshape(NOISE, NOISE) / (NOISE * NOISE - 1)
        planes.append(rank * 255.0 if power > 1 else 128.0 + np.clip(picture / picture.std(), -3, 3) * 36.0)
    return np.stack(planes).astype(np.uint8)


@kernel(inline=True)
def byte(x):
    """A colour value as a byte, limited to 0..255."""
    return np.uint8(np.int32(min(max(x, _0), _255)))


@kernel(inline=True)
def packed(r, g, b):
    """A colour as one number, red lowest."""
    low = np.int32(min(max(r, _0), _255)) | (np.int32(min(max(g, _0), _255)) << np.int32(8))
    return np.uint32(low | (np.int32(min(max(b, _0), _255)) << np.int32(16)))


@kernel(inline=True)
def store(o, v, shaded):
    """Write a row of packed colours; separate from the arithmetic, which three-byte stores keep from vectorising."""
    for u in range(shaded.shape[0]):
        t = shaded[u]
        o[v, u, 0] = np.uint8(t & _BYTE)
        o[v, u, 1] = np.uint8((t >> _S8) & _BYTE)
        o[v, u, 2] = np.uint8((t >> _S16) & _BYTE)


@kernel
def draw_sky(o, rows, cols, geometry, horizon, yaw, table, skyline, clouds, smooth, top, line, shaded):
    """Fill the rows above the horizon of one image.

    Args:
        o: (H, W, 3) uint8, written.
        rows: (H, 4) float32: upward and forward part of each row's ray, ground depth, spare (see camera tables).
        cols: (4, W) float32: rightward part of each column's ray, azimuth off the axis [rad], beam, spare.
        geometry: (8,) float32: focal length [px], centre row, sine and cosine of the pitch, ...
        horizon: rows above this index see sky.
        yaw: of the camera [rad].
        table: (LIGHT_SIZE,) float32, see `sim.render.lighting`.
        skyline: (512,) float32 [rad].
        clouds: (NOISE, NOISE) uint8.
        smooth: sample the clouds bilinearly.
        top: (W,) float32 scratch. line: (4, W) float32, shaded: (W,) uint32 scratch.
    """
    height, width = o.shape[0], o.shape[1]
    focal, middle, sine, cosine = geometry[0], geometry[1], geometry[2], geometry[3]
    ch, sh = math.cos(yaw), math.sin(yaw)
    peak = np.float32(height)
    for u in range(width):
        # rounding to the nearest of 512 bins would step at 640 columns: interpolate
        azimuth = (yaw + cols[1, u]) * _TURN + _F(1024.0)
        i = np.int32(azimuth)
        part = azimuth - np.float32(i)
        x = cols[0, u]
        rise = (skyline[i & 511] * (_1 - part) + skyline[(i + 1) & 511] * part) * math.sqrt(_1 + x * x)
        top[u] = middle - focal * (rise * cosine - sine) / (cosine + rise * sine)
        peak = min(peak, top[u])
    sun_z = (table[wx.SUN_X] * ch + table[wx.SUN_Y] * sh) * cosine + table[wx.SUN_Z] * sine
    sun_x = table[wx.SUN_X] * sh - table[wx.SUN_Y] * ch
    sun_y = (table[wx.SUN_X] * ch + table[wx.SUN_Y] * sh) * -sine + table[wx.SUN_Z] * cosine
    glow = sun_z > _F(0.15) and table[wx.GLOW] > _2
    far = _1 / max(sun_z, _F(0.15))
    sun_x, sun_y = sun_x * far, sun_y * far
    cloud = table[wx.CLOUD]
    cut = _255 * (_1 - cloud)
    gain = _F(1.0 / 90.0) * min(_1, _F(4.0) * cloud)
    haze = table[wx.FOG_RATE] * _F(-34.0)
    kr, kg, kb = table[wx.SKYLINE], table[wx.SKYLINE + 1], table[wx.SKYLINE + 2]
    for v in range(min(horizon, height)):
        up, ahead = rows[v, 0], rows[v, 1]
        e = up / math.sqrt(up * up + ahead * ahead)
        low = _1 - e
        low = low * low * low
        r = table[wx.ZENITH] + (table[wx.HORIZON] - table[wx.ZENITH]) * low
        g = table[wx.ZENITH + 1] + (table[wx.HORIZON + 1] - table[wx.ZENITH + 1]) * low
        b = table[wx.ZENITH + 2] + (table[wx.HORIZON + 2] - table[wx.ZENITH + 2]) * low
        # fog lies on the ground: a steep ray leaves it soon
        veil = _1 - math.exp(haze / max(e, _F(0.02)))
        r, g, b = r + (table[wx.FOG] - r) * veil, g + (table[wx.FOG + 1] - g) * veil, b + (table[wx.FOG + 2] - b) * veil
        t = _CLOUD_SCALE / max(up, _F(0.04))
        fade = clamp01((e - _F(0.03)) * _F(5.0)) * (_1 - veil)
        qr = (table[wx.CLOUD_LIGHT] - r) * fade
        qg = (table[wx.CLOUD_LIGHT + 1] - g) * fade
        qb = (table[wx.CLOUD_LIGHT + 2] - b) * fade
        nx = ch * ahead * t + _F(8192.0)
        ny = sh * ahead * t + _F(8192.0)
        kx, ky = sh * t, -ch * t
        row = np.float32(v) + _1
        dy = (middle - np.float32(v) - _F(0.5)) / focal - sun_y
        if smooth:
            for u in range(width):
                px, py = nx + kx * cols[0, u], ny + ky * cols[0, u]
                i, j = np.int32(px), np.int32(py)
                fx, fy = px - np.float32(i), py - np.float32(j)
                i, j = i & _NOISE_MASK, j & _NOISE_MASK
                i1, j1 = (i + 1) & _NOISE_MASK, (j + 1) & _NOISE_MASK
                upper = np.float32(clouds[j, i]) * (_1 - fx) + np.float32(clouds[j, i1]) * fx
                lower = np.float32(clouds[j1, i]) * (_1 - fx) + np.float32(clouds[j1, i1]) * fx
                line[0, u] = clamp01((upper + (lower - upper) * fy - cut) * gain)
        else:
            for u in range(width):
                i = np.int32(nx + kx * cols[0, u]) & _NOISE_MASK
                j = np.int32(ny + ky * cols[0, u]) & _NOISE_MASK
                line[0, u] = clamp01((np.float32(clouds[j, i]) - cut) * gain)
        for u in range(width):
            # dense middles of clouds are darker than their edges
            a = line[0, u]
            shade = a * (_1 - _F(0.16) * a)
            line[1, u], line[2, u], line[3, u] = r + qr * shade, g + qg * shade, b + qb * shade
        if glow:
            for u in range(width):
                a = line[0, u]
                dx = cols[0, u] - sun_x
                d = dx * dx + dy * dy
                w = _F(0.05) / (_F(0.05) + d) * (_1 - _F(0.6) * a)
                w += _2 * clamp01((_F(0.0022) - d) * _F(900.0)) * (_1 - a)
                line[1, u] += table[wx.GLOW] * w
                line[2, u] += table[wx.GLOW + 1] * w
                line[3, u] += table[wx.GLOW + 2] * w
        if row > peak:
            for u in range(width):
                s = clamp01(row - top[u])
                line[1, u] += (kr - line[1, u]) * s
                line[2, u] += (kg - line[2, u]) * s
                line[3, u] += (kb - line[3, u]) * s
        for u in range(width):
            shaded[u] = packed(line[1, u], line[2, u], line[3, u])
        store(o, v, shaded)
