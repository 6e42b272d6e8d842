"""Draw the lit lamps of traffic lights.

A light is a row of scenery whose appearance is its plan; the plan and the lights' clock give its state.  A lit lamp is
a disc that is as bright by night as by day, that fog veils less than other objects, and that is never less than about
two pixels wide, because it dazzles.  By night and in haze a glow surrounds it.  Poles and heads are drawn as ordinary
objects, with unlit lamps.  Camera frame: x right, y down, z along the view [m].
"""

from __future__ import annotations

import math

import numpy as np

from sim.actors.light_head import LAMP_AHEAD, LAMP_COLOURS, LAMP_LEVELS
from sim.actors.registry import KIND
from sim.core.geometry import clamp01
from sim.core.kernel import kernel
from sim.render import lighting as wx
from sim.render.shading import DEPTHS
from sim.render.sky import byte
from sim.render.tilted_camera import around
from sim.road.graph.traffic_lights import OFF, light_state

_F = np.float32
_0, _1, _HALF = _F(0.0), _F(1.0), _F(0.5)
_LIGHT = KIND["light"]
_RADIUS = _F(0.2)  # of a lamp, as a share of the width
_LEAST = _F(0.95)  # radius of a lit lamp, at least [px]
_LAMP_AHEAD = _F(LAMP_AHEAD)
_LEVELS = np.array(LAMP_LEVELS, np.float32)
_SLACK = _F(0.45)  # [m] an object this much nearer than a lamp hides it; its own plate and hoods do not
_HAZE = _F(0.4)  # share of the fog's veil that applies to a lit lamp
_NEAR = _F(0.4)
_FAR = np.float32(DEPTHS - 1)


@kernel
def draw_lights(o, zb, item, count, geometry, table, fog, clock):
    """Draw the lit lamp of each traffic light in view, where it faces the camera and nothing hides it.

    Args:
        o: (H, W, 3) uint8, changed. zb: (H, W) float32 inverse depth.
        item: (cap, ITEM), of which `count` rows are in view, see `sim.render.objects.cull`.
        fog: (DEPTHS,) as of `sim.render.shading.fog_over_depth`. clock: of the lights [ms], int32.
    """
    high, wide = o.shape[0], o.shape[1]
    focal, middle, sine, cosine, up = geometry[0], geometry[1], geometry[2], geometry[3], geometry[7]
    for k in range(count):
        if np.int32(item[k, 7]) != _LIGHT:
            continue
        state = light_state(np.int32(item[k, 8]), clock)
        if state == OFF:
            continue
        a, b = item[k, 2], item[k, 3]
        ahead, right = item[k, 0] + a * _LAMP_AHEAD * item[k, 4], item[k, 1] + b * _LAMP_AHEAD * item[k, 4]
        rise = _LEVELS[state] * item[k, 6] - up
        z, y = ahead * cosine + rise * sine, ahead * sine - rise * cosine
        distance = math.sqrt(ahead * ahead + right * right)
        looks = -(a * ahead + b * right) / max(distance, _F(1e-3))  # 1 straight at the camera, 0 across the view
        if around(geometry) > _0:  # a lamp is upright: seen from above it is narrow as well
            looks *= distance / math.sqrt(distance * distance + rise * rise)
        if looks < _F(0.04) or z < _NEAR:
            continue
        ry = max(focal * _RADIUS * item[k, 5] / z, _LEAST)
        rx = max(ry * looks, _LEAST)
        u0, v0 = np.float32(wide) * _HALF + focal * right / z, middle + focal * y / z
        glow = _F(0.10) + _F(0.42) * table[wx.NIGHT]
        veil = fog[np.int32(min(z, _FAR))] * _HAZE
        hidden = _1 / max(z - _SLACK, _NEAR)
        reach = _F(3.2)
        first = max(np.int32(math.floor(v0 - ry * reach)), np.int32(0))
        last = min(np.int32(math.ceil(v0 + ry * reach)), np.int32(high))
        left = max(np.int32(math.floor(u0 - rx * reach)), np.int32(0))
        stop = min(np.int32(math.ceil(u0 + rx * reach)), np.int32(wide))
        for v in range(first, last):
            dv = (np.float32(v) + _HALF - v0) / ry
            for u in range(left, stop):
                if zb[v, u] > hidden:
                    continue
                du = (np.float32(u) + _HALF - u0) / rx
                d = math.sqrt(du * du + dv * dv)  # 1 at the lamp's edge
                cover = clamp01((_1 - d) * ry + _HALF)
                out = clamp01((reach - d) / (reach - _1))
                halo = glow * out * out * out
                bright = clamp01(_1 - d) * clamp01(ry * _F(0.25) - _HALF) * _F(0.45)  # a large lamp is white inside
                for c in range(3):
                    old = np.float32(o[v, u, c])
                    lamp = LAMP_COLOURS[state, c]
                    seen = lamp + (_F(255.0) - lamp) * bright
                    seen += (table[wx.FOG + c] - seen) * veil
                    old += (max(lamp, old) - old) * halo
                    o[v, u, c] = byte(old + (seen - old) * cover)
