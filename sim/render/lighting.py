"""Lighting: convert CARLA's weather parameters to the few quantities that a camera needs.

`lighting` fills one float32 table per world, indexed by the names below; every drawing kernel reads that table.
Effects with a file in `sim/render/weather` change it further.
Colours are linear factors around 1 for lights and 0..255 for things that are seen directly (sky, fog).
The sun's azimuth is CARLA's: clockwise seen from above, so that the world direction is at -azimuth from x (east).
"""

from __future__ import annotations

import math

import numpy as np

from sim.core.geometry import clamp01, smoothstep
from sim.core.kernel import kernel
from sim.dynamics.friction import surface_dampness

# Index of each quantity in a light table; a colour takes three entries.
DAY = 0  # 1 by day, 0 by night
NIGHT = 1  # brightness of car and street lamps, 0..1
SUN_X, SUN_Y, SUN_Z = 2, 3, 4  # unit vector to the sun, world frame
SUN = 5  # light of the sun on a face that points at it
AMBIENT = 8  # light from all directions
FLAT = 11  # light on level ground
ZENITH = 14  # colour of the sky overhead
HORIZON = 17  # colour of the sky at the horizon
FOG = 20  # colour that distance fades to
FOG_RATE = 23  # extinction [1/m]
FOG_START = 24  # where fog begins [m]
WET = 25  # dampness of the road between its puddles, 0..1
RAIN = 26  # strength of the rain, 0..1
WIND = 27  # 0..1
CLOUD = 28  # 0..1
GLOW = 29  # colour of the light around the sun, scaled by its strength
CLOUD_LIGHT = 32  # colour of a cloud
HEAD = 35  # strength of ego's headlights
SKYLINE = 36  # colour of the far horizon's silhouette
PUDDLES = 39  # share of the asphalt that lies under water, 0..1
SHADE = 40  # share of the light on level ground that a shadow removes; a colour
DUST = 43  # strength of a dust storm, 0..1
LIGHT_SIZE = 44

_F = np.float32
_RAD = np.float32(math.pi / 180.0)
_0, _1, _2 = _F(0.0), _F(1.0), _F(2.0)
_PERCENT = _F(0.01)
_MOST_PUDDLES = _F(0.62)  # of the asphalt, at deposits of 100

# One row per quantity and hour; columns RGB.  A cloudy row replaces its clear one as clouds close.
_ZENITH = np.array([[66, 122, 202], [72, 84, 132], [7, 10, 23]], np.float32)  # day, dusk, night
_HORIZON = np.array([[186, 210, 232], [240, 150, 88], [33, 36, 54]], np.float32)
_OVERCAST = np.array([[158, 165, 174], [128, 116, 118], [25, 27, 34]], np.float32)
_AMBIENT = np.array([[0.50, 0.55, 0.62], [0.36, 0.31, 0.32], [0.085, 0.095, 0.140]], np.float32)
_AMBIENT_OVERCAST = np.array([[0.74, 0.76, 0.78], [0.40, 0.37, 0.38], [0.072, 0.077, 0.100]], np.float32)
_SUNLIGHT = np.array([[0.62, 0.57, 0.48], [0.62, 0.33, 0.15], [0.0, 0.0, 0.0]], np.float32)
_CLOUD = np.array([[246, 247, 250], [232, 158, 122], [34, 37, 50]], np.float32)


@kernel(inline=True)
def _hours(table, day, dusk, i):
    """Colour i of a (day, dusk, night) table at an hour."""
    base = table[2, i] + (table[0, i] - table[2, i]) * day
    return base + (table[1, i] - base) * dusk


@kernel
def lighting(weather, table):
    """Fill a light table from one world's weather.

    Args:
        weather: (14,) float32 in WEATHER_FIELDS order.
        table: (LIGHT_SIZE,) float32, overwritten.
    """
    altitude = weather[5]
    rain = clamp01(weather[1] * _PERCENT)
    fog = clamp01(weather[6] * _PERCENT)
    cloud = clamp01(max(weather[0] * _PERCENT, min(_1, rain * _F(1.6))))
    day = smoothstep((altitude + _F(6.0)) * _F(1.0 / 15.0))
    dusk = smoothstep(_1 - abs(altitude - _F(1.0)) * _F(1.0 / 8.0)) * _F(0.9)
    angle = -weather[4] * _RAD
    level = math.cos(altitude * _RAD)
    grey = cloud * cloud * _F(0.95)  # scattered clouds leave the sky between them blue
    dim = _1 - rain * _F(0.28) * day
    table[DAY], table[CLOUD], table[RAIN] = day, cloud, rain
    table[SUN_X] = math.cos(angle) * level
    table[SUN_Y] = math.sin(angle) * level
    table[SUN_Z] = math.sin(altitude * _RAD)
    beam = smoothstep((altitude + _2) * _F(0.2)) * (_1 - _F(0.92) * grey) * (_1 - _F(0.8) * fog)
    table[HEAD] = smoothstep((_F(0.62) - day) * _F(2.2))
    table[NIGHT] = max(table[HEAD], smoothstep((max(fog, rain) - _F(0.35)) * _2) * _F(0.75))
    # by the cosine a low sun lights level ground little, but the sky is dim then too: its shadows stay deep
    slant = (_F(0.46) + _F(0.54) * max(_0, table[SUN_Z])) * clamp01(table[SUN_Z] * _F(30.0))
    slant *= smoothstep((_1 - grey * _F(1.0 / 0.95)) * _F(1.6))  # none under a closed sky
    for i in range(3):
        ambient = _hours(_AMBIENT, day, dusk, i)
        ambient = (ambient + (_hours(_AMBIENT_OVERCAST, day, dusk, i) - ambient) * grey) * dim
        overcast = _hours(_OVERCAST, day, dusk, i) * dim
        zenith, horizon = _hours(_ZENITH, day, dusk, i), _hours(_HORIZON, day, dusk, i)
        sun = _hours(_SUNLIGHT, day, dusk, i) * beam
        table[AMBIENT + i] = ambient
        table[SUN + i] = sun
        table[FLAT + i] = ambient + sun * max(_0, table[SUN_Z])
        table[SHADE + i] = sun * slant / (sun * slant + ambient * _F(0.52))
        table[ZENITH + i] = zenith + (overcast * _F(0.86) - zenith) * grey
        table[HORIZON + i] = horizon + (overcast * _F(1.06) - horizon) * grey
        veil = max(min(_1, fog * _F(1.7)), rain * _F(0.6))
        table[FOG + i] = table[HORIZON + i] + (overcast * _F(1.04) - table[HORIZON + i]) * veil
        cloud_light = _hours(_CLOUD, day, dusk, i)
        table[CLOUD_LIGHT + i] = cloud_light + (overcast * _F(1.1) - cloud_light) * grey
        table[GLOW + i] = sun * (_F(190.0) + _F(120.0) * dusk)
    table[FOG_RATE] = rate = _F(0.0011) + _F(0.15) * fog * math.sqrt(fog) + _F(0.010) * rain
    for i in range(3):  # haze veils the far silhouette
        table[SKYLINE + i] = table[FOG + i] * (_1 - (_F(0.40) + _F(0.25) * (_1 - day)) * math.exp(_F(-250.0) * rate))
    table[FOG_START] = max(_0, weather[7])
    table[WET] = surface_dampness(weather)
    table[PUDDLES] = _MOST_PUDDLES * clamp01(weather[2] * _PERCENT)
    table[WIND] = clamp01(weather[3] * _PERCENT)
