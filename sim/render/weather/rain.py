"""Falling rain: slanted streaks in the air and splashes on the ground.

The place of a drop is a hash of (seed, tick, number of the drop) and depends on nothing else: every tick differs, and
a world drawn again gives the same bytes.
"""

from __future__ import annotations

import numpy as np

from sim.core.hashing import LOW, M1, M2, M3, S16, hash_u32
from sim.core.kernel import kernel
from sim.render import lighting as wx
from sim.render.sky import byte
from sim.render.tilted_camera import around

_F = np.float32
_0, _1 = _F(0.0), _F(1.0)
_HALF = _F(0.5)
_U = np.uint32
_UNIT = _F(1.0 / 65536.0)
MOST_STREAKS = 190  # at precipitation 100, in an image of 3:2
SPLASHES = 70


@kernel
def draw_rain(o, seed, tick, geometry, horizon, cols, table):
    """Draw the drops of one tick over a finished image.

    Args:
        o: (H, W, 3) uint8, changed.
        seed: of the world; tick: its clock.
        geometry: see the camera's tables; a steep camera sees drops end on.
        horizon: first row that can see the ground.
        cols: (4, W) float32, see the camera's tables; column 2 is the headlights' beam.
        table: (LIGHT_SIZE,) float32.
    """
    rain = table[wx.RAIN]
    if rain <= _0:
        return
    height, width = o.shape[0], o.shape[1]
    size = np.float32(height) * _F(1.0 / 64.0)
    thick = np.int32(max(_1, size * _F(0.3) + _HALF))
    aspect = np.float32(width) / (np.float32(height) * _F(1.5))
    count = np.int32(_F(MOST_STREAKS) * min(_1, rain * _F(0.75) + _F(0.25)) * min(_1, rain * _F(5.0)) * aspect)
    slope = table[wx.WIND] * _F(0.75) + _F(0.06)
    day, head = table[wx.DAY], table[wx.HEAD]
    fall = max(geometry[3], _F(0.15)) if around(geometry) > _0 else _1  # share of a drop's path across the view
    key = hash_u32(_U(seed) ^ hash_u32(_U(tick) + M3))
    # by day a drop shows a piece of the bright sky, by night only the light of the headlights
    white = _F(118.0) * day + _F(105.0) + _F(12.0) * head
    for k in range(count):
        a = hash_u32(key + _U(k) * M3)
        b = hash_u32(a + _U(1))
        near = np.float32(b & LOW) * _UNIT
        x = np.float32(a & LOW) * _UNIT * (np.float32(width) * _F(1.2)) - np.float32(width) * _F(0.1)
        y = np.float32(a >> S16) * _UNIT * (np.float32(height) * _F(1.15)) - np.float32(height) * _F(0.15)
        length = np.int32((_F(5.0) + _F(9.0) * near) * size * fall)
        tilt = slope * (_F(0.85) + _F(0.3) * np.float32(b >> S16) * _UNIT)
        strength = _F(0.26) + _F(0.34) * near
        wide = thick if near >= _F(0.45) else np.int32(1)
        for n in range(length):
            v = np.int32(y) + n
            if v < 0 or v >= height:
                continue
            left = np.int32(x - tilt * np.float32(n) + _F(1000.0)) - 1000
            taper = _1 - abs(np.float32(2 * n + 1) / np.float32(length) - _1) * _F(0.5)
            for i in range(wide):
                u = left + i
                if 0 <= u < width:
                    w = strength * taper * (day + (_1 - day) * (_F(0.30) + _F(0.45) * cols[2, u]))
                    for c in range(3):
                        old = np.float32(o[v, u, c])
                        o[v, u, c] = byte(old + (white - old) * w)
    ground = height - horizon
    if ground <= 2:
        return
    for k in range(np.int32(_F(SPLASHES) * rain * aspect)):
        a = hash_u32(key ^ (_U(k) * M1 + M2))
        deep = np.float32(a >> S16) * _UNIT
        v = horizon + 1 + np.int32(deep * np.float32(ground - 1))
        u = np.int32(np.float32(a & LOW) * _UNIT * np.float32(width))
        w = _F(0.26) * (day + (_1 - day) * (_F(0.1) + _F(0.8) * cols[2, u]))
        grow = 1 + np.int32(deep * size * _F(0.6))
        for i in range(2 * grow):
            if u + i < width and v < height:
                for c in range(3):
                    old = np.float32(o[v, u + i, c])
                    o[v, u + i, c] = byte(old + (white - old) * w)
