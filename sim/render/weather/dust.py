"""A dust storm: sand in the air that hides what is far, colours the light, and blows past in thin wisps."""

from __future__ import annotations

import math

import numpy as np

from sim.core.geometry import clamp01, smoothstep
from sim.core.hashing import LOW, M2, M3, S16, hash_u32
from sim.core.kernel import kernel
from sim.datatypes.vocabulary import WEATHER_INDEX
from sim.render import lighting as wx
from sim.render.sky import byte
from sim.render.tilted_camera import around

_F, _U = np.float32, np.uint32
_0, _1 = _F(0.0), _F(1.0)
_UNIT = _F(1.0 / 65536.0)
_SAND = np.array([206, 164, 110], np.float32)  # colour of thick dust at noon
_TINT = np.array([1.0, 0.80, 0.55], np.float32)  # of the light that comes through
_RATE = _F(0.055)  # extinction at 100 [1/m]; 95 % of the contrast is gone after 55 m
_DUST_STORM = WEATHER_INDEX["dust_storm"]
_COSINE = 3  # in the camera's geometry: cosine of its pitch
_BEAM = 2  # in the camera's columns: the headlights' beam
_WISPS = 110  # at 100, in a picture of 3:2
_FASTEST = _F(0.06)  # share of the picture's width that a wisp goes in a tick, in a full wind


@kernel
def dust_light(weather, table):
    """Change a light table where there is dust.

    Args:
        weather: (14,) float32 in WEATHER_FIELDS order.
        table: (LIGHT_SIZE,) float32, filled by `lighting`.
    """
    dust = clamp01(weather[_DUST_STORM] * _F(0.01))
    table[wx.DUST] = dust
    if dust <= _0:
        return
    thick = _1 - math.exp(_F(-3.0) * dust)
    sun = _1 - _F(0.85) * thick
    day = _F(0.14) + _F(0.86) * table[wx.DAY]
    table[wx.FOG_RATE] += _RATE * dust * math.sqrt(dust)
    table[wx.NIGHT] = max(table[wx.NIGHT], smoothstep((dust - _F(0.35)) * _F(2.0)) * _F(0.75))
    for i in range(3):
        sand = _SAND[i] * day
        for colour in (wx.ZENITH, wx.HORIZON, wx.FOG, wx.CLOUD_LIGHT):
            table[colour + i] += (sand - table[colour + i]) * thick
        table[wx.SKYLINE + i] += (table[wx.FOG + i] - table[wx.SKYLINE + i]) * thick
        table[wx.GLOW + i] *= _1 - thick
        tint = _1 + (_TINT[i] - _1) * thick
        table[wx.SUN + i] *= sun * tint
        table[wx.AMBIENT + i] *= tint
        table[wx.FLAT + i] = table[wx.AMBIENT + i] + table[wx.SUN + i] * max(_0, table[wx.SUN_Z])
        table[wx.SHADE + i] *= sun


@kernel
def draw_dust(o, seed, tick, geometry, horizon, cols, table):
    """Draw the wisps of one tick over a finished picture; see `effects.draw_effects` for the arguments.

    A wisp keeps its height and its pace, and enters again on the other side: what is seen at one tick is seen, further
    along, at the next. A steep camera sees few of them.
    """
    dust = table[wx.DUST]
    if dust <= _0:
        return
    height, width = o.shape[0], o.shape[1]
    size = np.float32(height) * _F(1.0 / 64.0)
    aspect = np.float32(width) / (np.float32(height) * _F(1.5))
    span = np.float32(width) * _F(1.6)  # a wisp enters and leaves beyond the edges
    seen = max(_F(0.2), geometry[_COSINE]) if around(geometry) > _0 else _1
    day = table[wx.DAY]
    wind = _FASTEST * (_F(0.25) + _F(0.75) * table[wx.WIND])
    key = hash_u32(_U(seed) ^ M2)
    for k in range(np.int32(_F(_WISPS) * dust * aspect * seen)):
        a = hash_u32(key + _U(k) * M3)
        b = hash_u32(a + _U(1))
        near = np.float32(b & LOW) * _UNIT
        pace = wind * (_F(0.35) + _F(0.65) * near)
        along = np.float32(a & LOW) * _UNIT + pace * np.float32(tick)
        left = np.int32((along - np.floor(along)) * span - np.float32(width) * _F(0.6))
        row = np.int32(np.float32(a >> S16) * _UNIT * np.float32(height))
        length = np.int32((_F(10.0) + _F(26.0) * near) * size)
        tall = np.int32(max(_1, size * (_F(0.4) + _F(0.9) * near)))
        strength = (_F(0.05) + _F(0.13) * np.float32(b >> S16) * _UNIT) * (_F(0.5) + _F(0.5) * dust)
        for n in range(length):
            u = left + n
            if u < 0 or u >= width:
                continue
            fade = _1 - abs(np.float32(2 * n + 1) / np.float32(length) - _1)  # thin at both ends
            lit = day + (_1 - day) * (_F(0.25) + _F(0.6) * cols[_BEAM, u])
            for v in range(row, min(row + tall, height)):
                for c in range(3):
                    old = np.float32(o[v, u, c])
                    o[v, u, c] = byte(old + (_SAND[c] * lit - old) * strength * fade)
