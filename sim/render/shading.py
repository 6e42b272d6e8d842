"""Shading of faces in the colour picture: paint, sunlight, headlights, lit windows and fog of every pixel."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from sim.actors.registry import KIND
from sim.core.hashing import hash_u32
from sim.render import lighting as wx
from sim.render.assets.registry import WALLS
from sim.render.assets.texel import HOLE, LAMP, PAINT, PANES, WINDOW
from sim.render.ground import blue, green, headlight, red
from sim.render.kernels import implements, inner_kernel, pasted_kernel
from sim.render.rasterizer import (
    Texture,
    begin_object,
    begin_row,
    light_face,
    texel_at,
    uses_texture,
    write_pixel,
)
from sim.render.sky import byte
from sim.render.tilted_camera import lamps, way

DEPTHS = 256  # entries, one per metre, of the table of fog over depth
_F = np.float32
_0, _1 = _F(0.0), _F(1.0)
_HALF = _F(0.5)
_BYTE = _F(1.0 / 255.0)
_S24 = np.uint32(24)
_FAR = np.float32(DEPTHS - 1)
_PANES = np.float32(PANES)
_LIT = np.uint32(0x52000000)  # about a third of all windows
_PAINT = _F(1.0 / 208.0)  # textures are painted on a base this bright
_TREE = KIND["tree"]  # its paint is of its own
# Colours of walls whose appearance is a style rather than a colour.
_WALLS = np.array(
    [[214, 200, 176], [178, 104, 84], [200, 196, 190], [226, 216, 196], [160, 148, 136], [206, 178, 140],
     [190, 200, 206], [150, 92, 76]], np.float32,
)  # fmt: skip


class ColourTarget(NamedTuple):
    """Target of the colour picture.

    Args:
        depth: (H, W) float32, inverse depth [1/m]; 0 where nothing was drawn.
        colour: (H, W, 3) uint8, RGB.
        light: (6,) float32, scratch: light on the face, then its paint, RGB each.
        rows, cols: see `sim.render.rgb.CameraRays`. table: (LIGHT_SIZE,) float32. fog: (DEPTHS,) float32.
        sun: unit vector to the sun, camera frame. veil: colour of the fog, 0..255.
        night, head: strength of the night and of the headlights.
        smooth: textures are sampled bilinearly.
    """

    depth: np.ndarray
    colour: np.ndarray
    light: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    table: np.ndarray
    fog: np.ndarray
    sun: tuple[np.float32, np.float32, np.float32]
    veil: tuple[np.float32, np.float32, np.float32]
    night: np.float32
    head: np.float32
    smooth: bool


@pasted_kernel
def sun_in_view(table, geometry, yaw):
    """Unit vector to the sun, camera frame."""
    ch, sh = math.cos(yaw), math.sin(yaw)
    sine, cosine = geometry[2], geometry[3]
    forward = table[wx.SUN_X] * ch + table[wx.SUN_Y] * sh
    return (table[wx.SUN_X] * sh - table[wx.SUN_Y] * ch, forward * sine - table[wx.SUN_Z] * cosine,
            forward * cosine + table[wx.SUN_Z] * sine)  # fmt: skip


@inner_kernel
def fog_over_depth(table, fog):
    """Write the share of fog at every metre of depth to fog (DEPTHS,)."""
    clear, per_metre = _1, math.exp(-table[wx.FOG_RATE])
    for d in range(DEPTHS):  # one product per metre; one exponential each would cost 3 us a frame
        fog[d] = _1 - clear
        if np.float32(d) >= table[wx.FOG_START]:
            clear *= per_metre


@inner_kernel
def _paint_of(kind, appearance, key, light):
    """Write an object's paint to light[3:6]; its appearance is a colour, or a style where it is a small number."""
    if kind == _TREE:
        tone = _F(0.80) + np.float32(key & 255) * _BYTE * _F(0.35)
        warm = (np.float32((key >> 8) & 255) * _BYTE - _HALF) * _F(0.24)
        light[3], light[4], light[5] = tone * (_1 + warm) * _F(0.72), tone * _F(0.74), tone * (_1 - warm) * _F(0.76)
        if appearance > 255:  # the texture is green already: an appearance only shifts it towards its own hue
            light[3] *= _HALF + np.float32((appearance >> 16) & 255) * _F(0.5 / 85.0)
            light[4] *= _HALF + np.float32((appearance >> 8) & 255) * _F(0.5 / 125.0)
            light[5] *= _HALF + np.float32(appearance & 255) * _F(0.5 / 58.0)
    elif appearance < 256 and WALLS >> kind & 1 != 0:
        row = appearance & 7
        light[3], light[4], light[5] = _WALLS[row, 0] * _PAINT, _WALLS[row, 1] * _PAINT, _WALLS[row, 2] * _PAINT
    else:
        light[3] = np.float32((appearance >> 16) & 255) * _PAINT
        light[4] = np.float32((appearance >> 8) & 255) * _PAINT
        light[5] = np.float32(appearance & 255) * _PAINT


@implements(begin_object, ColourTarget)
def _begin_object(target, kind, appearance, key, actor):  # type: ignore[no-untyped-def]
    _paint_of(kind, appearance, key, target.light)
    return hash_u32(np.uint32(key))  # decides which windows are lit


@implements(light_face, ColourTarget)
def _light_face(target, normal, turned, upright):  # type: ignore[no-untyped-def]
    """Write the light on the face to light[0:3]."""
    nx, ny, nz = normal
    sun_x, sun_y, sun_z = target.sun
    facing = -(nx * sun_x + ny * sun_y + nz * sun_z) / math.sqrt(nx * nx + ny * ny + nz * nz)
    if turned:
        facing = -facing
    if upright:
        facing = _F(0.45) + _F(0.3) * facing
    facing = max(facing, _0)
    light, table = target.light, target.table
    for c in range(3):
        light[c] = table[wx.AMBIENT + c] + table[wx.SUN + c] * facing


@implements(uses_texture, ColourTarget)
def _uses_texture(target):  # type: ignore[no-untyped-def]
    return True


@implements(begin_row, ColourTarget, Texture)
def _begin_row(target, surface, v):  # type: ignore[no-untyped-def]
    """The headlights of a row: their strength, its row in `cols`, and their distance per metre of depth."""
    return target.head * target.rows[v, 3], lamps(target.cols, v), way(target.cols, target.rows, v)


@pasted_kernel
def lamp_at(target, row, z, u):
    """Light of the headlights on a pixel at depth z [m]; row: from `begin_row`."""
    glare, lit, over = row
    return glare * headlight(z * over) * target.cols[lit, u] if target.head > _0 else _0


@pasted_kernel
def write_colour(target, v, u, z, colour):
    """Write a colour (RGB, 0..255) to a pixel at depth z [m], behind fog."""
    cr, cg, cb = colour
    fr, fg, fb = target.veil
    o, f = target.colour, target.fog[np.int32(min(z, _FAR))]
    o[v, u, 0] = byte(cr + (fr - cr) * f)
    o[v, u, 1] = byte(cg + (fg - cg) * f)
    o[v, u, 2] = byte(cb + (fb - cb) * f)


@pasted_kernel
def blend(t00, t01, t10, t11, fs, ft):
    """Colour (RGB) between four packed texels, fs of the way from the first column to the second and ft down."""
    w11 = fs * ft
    w01, w10 = fs - w11, ft - w11
    w00 = _1 - fs - w10
    return (
        red(t00) * w00 + red(t01) * w01 + red(t10) * w10 + red(t11) * w11,
        green(t00) * w00 + green(t01) * w01 + green(t10) * w10 + green(t11) * w11,
        blue(t00) * w00 + blue(t01) * w01 + blue(t10) * w10 + blue(t11) * w11,
    )


@pasted_kernel
def _bilinear(surface, s, t):
    """Colour at (s, t) texels, between four texels."""
    lw, start, texels = surface.lw, surface.start, surface.texels
    mw, mh, none = np.int32((1 << lw) - 1), np.int32((1 << surface.lh) - 1), np.int32(0)
    fs, ft = s - _HALF, t - _HALF
    i0, j0 = np.int32(math.floor(fs)), np.int32(math.floor(ft))
    fs, ft = fs - np.float32(i0), ft - np.float32(j0)
    if surface.wrap:
        i1, j1 = (i0 + 1) & mw, (j0 + 1) & mh
        i0, j0 = i0 & mw, j0 & mh
    else:
        i1, j1 = min(max(i0 + 1, none), mw), min(max(j0 + 1, none), mh)
        i0, j0 = min(max(i0, none), mw), min(max(j0, none), mh)
    t00, t01 = texels[start + (j0 << lw) + i0], texels[start + (j0 << lw) + i1]
    t10, t11 = texels[start + (j1 << lw) + i0], texels[start + (j1 << lw) + i1]
    return blend(t00, t01, t10, t11, fs, ft)


@implements(write_pixel, ColourTarget, Texture)
def _write_texture(target, surface, key, row, v, u, at, steps):  # type: ignore[no-untyped-def]
    iz, sz, tz = at
    sw, sh = np.float32(1 << surface.lw), np.float32(1 << surface.lh)
    z = _1 / iz
    s, t = sz * z * sw, tz * z * sh
    texel = texel_at(surface, s, t)
    kind = np.int32(texel >> _S24)
    if kind != HOLE:
        target.depth[v, u] = iz
        r, g, bl = red(texel), green(texel), blue(texel)
        if target.smooth:
            r, g, bl = _bilinear(surface, s, t)
        light, lamp = target.light, lamp_at(target, row, z, u)
        lr, lg, lb = light[0] + lamp, light[1] + lamp * _F(0.97), light[2] + lamp * _F(0.86)
        if kind == PAINT:
            lr, lg, lb = lr * light[3], lg * light[4], lb * light[5]
        cr, cg, cb = r * lr, g * lg, bl * lb
        night = target.night
        if night > _0:
            if kind == LAMP:
                cr, cg, cb = max(cr, r * night), max(cg, g * night), max(cb, bl * night)
            elif kind == WINDOW:
                pane = np.int32(s * _PANES / sw) * 64 + np.int32(t * _PANES / sh)
                if hash_u32(key + np.uint32(pane)) < _LIT:
                    cr, cg, cb = max(cr, _F(236.0) * night), max(cg, _F(184.0) * night), max(cb, _F(104.0) * night)
        write_colour(target, v, u, z, (cr, cg, cb))
