"""Texture atlas: all textures of objects, drawn once with OpenCV and stored with their mip levels.

All sides are powers of two, so that wrapping is a bit mask.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from sim.actors.light_head import HEAD_FROM, LAMP_LEVELS
from sim.render.assets.canvas import Picture, blank, box, coarser, disc, grain, poly, shade_rows
from sim.render.assets.figures import RIDERS, WALKERS, draw_rider, draw_walker
from sim.render.assets.registry import MESHES
from sim.render.assets.texel import HOLE, LAMP, LEVELS, PAINT, PANES, PLAIN, WINDOW

_DARK = (24, 25, 28, PLAIN)
_GLASS = (50, 64, 78, PLAIN)


class Atlas(NamedTuple):
    """All textures as flat arrays for the kernels.

    Args:
        texels: (X,) uint32, little-endian R, G, B, class.
        start: (T, LEVELS) int32, first texel of every level.
        size: (T, 2) int32, base-2 logarithms of width and height of level 0.
        holes: (T,) bool, whether a texture has texels that one sees through.
    """

    texels: np.ndarray
    start: np.ndarray
    size: np.ndarray
    holes: np.ndarray


def _wheel(p: Picture, x: float, y: float, r: float, aspect: float) -> None:
    """A wheel and its arch; r: fraction of the height; aspect: metres of width over metres of height."""
    rx = r / aspect
    disc(p, x, y, rx * 1.22, r * 1.22, (14, 14, 15, PLAIN))
    disc(p, x, y, rx, r, (30, 30, 32, PLAIN))
    disc(p, x, y, rx * 0.62, r * 0.62, (150, 152, 156, PLAIN))
    disc(p, x, y, rx * 0.25, r * 0.25, (70, 72, 76, PLAIN))


def _body_side(rng: np.random.Generator, doors: tuple[float, ...], wheels: tuple[float, float], radius: float,
               aspect: float) -> Picture:  # fmt: skip
    """Painted side of a vehicle, nose at the left; open below the sill."""
    p = blank(256, 64, (205, 205, 205, PAINT))
    shade_rows(p, 1.12, 0.80)
    box(p, 0, 0.47, 1, 0.50, (150, 150, 150, PAINT))
    for x in doors:
        box(p, x, 0.04, x + 0.006, 0.74, (105, 105, 105, PAINT))
        box(p, x + 0.02, 0.20, x + 0.055, 0.27, (120, 120, 122, PAINT))
    box(p, 0, 0.74, 1, 0.84, (36, 36, 38, PLAIN))
    box(p, 0, 0.84, 1, 1, (0, 0, 0, HOLE))
    box(p, 0, 0.14, 0.035, 0.30, (235, 235, 225, LAMP))
    box(p, 0.965, 0.10, 1, 0.34, (190, 20, 16, LAMP))
    for x in wheels:
        _wheel(p, x, 1 - radius * 1.02, radius, aspect)
    return p


def _car_front(rng: np.random.Generator) -> Picture:
    p = blank(64, 64, (200, 200, 200, PAINT))
    shade_rows(p, 1.1, 0.85)
    box(p, 0.27, 0.20, 0.73, 0.38, _DARK)
    box(p, 0.24, 0.29, 0.76, 0.31, (150, 150, 155, PLAIN))
    for x in (0.03, 0.75):
        box(p, x, 0.14, x + 0.22, 0.34, (245, 243, 232, LAMP))
    box(p, 0.0, 0.62, 1, 0.76, (150, 150, 150, PAINT))
    box(p, 0.0, 0.76, 1, 0.84, (52, 52, 55, PLAIN))
    box(p, 0.36, 0.50, 0.64, 0.62, (236, 236, 228, PLAIN))
    box(p, 0.0, 0.84, 1, 1, (0, 0, 0, HOLE))
    for x in (0.02, 0.86):
        box(p, x, 0.80, x + 0.12, 1, (22, 22, 24, PLAIN))
    return p


def _car_rear(rng: np.random.Generator) -> Picture:
    p = blank(64, 64, (190, 190, 190, PAINT))
    shade_rows(p, 1.1, 0.85)
    for x in (0.02, 0.74):
        box(p, x, 0.08, x + 0.24, 0.34, (205, 22, 16, LAMP))
        box(p, x + 0.06, 0.25, x + 0.18, 0.32, (225, 225, 220, PLAIN))
    box(p, 0.34, 0.30, 0.66, 0.44, (238, 214, 90, PLAIN))
    box(p, 0.0, 0.60, 1, 0.76, (146, 146, 146, PAINT))
    box(p, 0.0, 0.76, 1, 0.84, (52, 52, 55, PLAIN))
    box(p, 0.0, 0.84, 1, 1, (0, 0, 0, HOLE))
    for x in (0.02, 0.86):
        box(p, x, 0.78, x + 0.12, 1, (20, 20, 22, PLAIN))
    return p


def _glass(rng: np.random.Generator) -> Picture:
    """A windscreen: painted frame, dark glass, a streak of sky in it."""
    p = blank(64, 32, (170, 170, 170, PAINT))
    box(p, 0.05, 0.06, 0.95, 0.97, _GLASS)
    poly(p, [(0.10, 0.08), (0.55, 0.08), (0.32, 0.95), (0.06, 0.95)], (104, 124, 140, PLAIN))
    poly(p, [(0.62, 0.08), (0.74, 0.08), (0.52, 0.95), (0.42, 0.95)], (66, 82, 98, PLAIN))
    return p


def _cabin_side(rng: np.random.Generator) -> Picture:
    """Side windows of a car between painted pillars; nose at the left."""
    p = blank(128, 32, (178, 178, 178, PAINT))
    poly(p, [(0.10, 1), (0.28, 0.12), (0.50, 0.12), (0.50, 0.92), (0.10, 0.92)], _GLASS)
    poly(p, [(0.54, 0.92), (0.54, 0.12), (0.76, 0.12), (0.92, 0.92)], _GLASS)
    poly(p, [(0.30, 0.14), (0.42, 0.14), (0.34, 0.9), (0.20, 0.9)], (74, 92, 108, PLAIN))
    return p


def _paint(rng: np.random.Generator) -> Picture:
    p = blank(32, 32, (212, 212, 212, PAINT))
    shade_rows(p, 1.0, 1.08)
    return p


def _van_side(rng: np.random.Generator) -> Picture:
    p = _body_side(rng, (0.22, 0.40, 0.66), (0.17, 0.80), 0.15, 2.4)
    poly(p, [(0.07, 0.40), (0.12, 0.10), (0.21, 0.10), (0.21, 0.40)], _GLASS)
    box(p, 0.235, 0.10, 0.385, 0.40, _GLASS)
    return p


def _van_front(rng: np.random.Generator) -> Picture:
    p = blank(64, 64, (200, 200, 200, PAINT))
    box(p, 0.10, 0.06, 0.90, 0.36, _GLASS)
    poly(p, [(0.14, 0.08), (0.50, 0.08), (0.34, 0.38), (0.10, 0.38)], (104, 124, 140, PLAIN))
    box(p, 0.30, 0.54, 0.70, 0.62, _DARK)
    for x in (0.04, 0.76):
        box(p, x, 0.52, x + 0.20, 0.64, (245, 243, 232, LAMP))
    box(p, 0, 0.74, 1, 0.90, (42, 42, 45, PLAIN))
    box(p, 0.36, 0.68, 0.64, 0.75, (236, 236, 228, PLAIN))
    box(p, 0, 0.90, 1, 1, (0, 0, 0, HOLE))
    for x in (0.03, 0.86):
        box(p, x, 0.86, x + 0.11, 1, (22, 22, 24, PLAIN))
    return p


def _van_rear(rng: np.random.Generator) -> Picture:
    p = blank(64, 64, (192, 192, 192, PAINT))
    for x in (0.12, 0.53):
        box(p, x, 0.08, x + 0.35, 0.36, _GLASS)
    box(p, 0.495, 0.02, 0.51, 0.84, (90, 90, 90, PAINT))
    for x in (0.01, 0.91):
        box(p, x, 0.42, x + 0.08, 0.70, (205, 22, 16, LAMP))
    box(p, 0.36, 0.60, 0.64, 0.68, (238, 214, 90, PLAIN))
    box(p, 0, 0.80, 1, 0.90, (44, 44, 47, PLAIN))
    box(p, 0, 0.90, 1, 1, (0, 0, 0, HOLE))
    for x in (0.03, 0.86):
        box(p, x, 0.86, x + 0.11, 1, (20, 20, 22, PLAIN))
    return p


def _truck_box(rng: np.random.Generator) -> Picture:
    """Side of a lorry's box with its wheels below."""
    p = blank(256, 128, (224, 226, 228, PLAIN))
    for x in np.arange(0.02, 1, 0.06):
        box(p, x, 0.02, x + 0.004, 0.70, (196, 198, 202, PLAIN))
    box(p, 0, 0.28, 1, 0.46, (215, 215, 215, PAINT))
    box(p, 0, 0.70, 1, 0.75, (60, 62, 66, PLAIN))
    box(p, 0, 0.75, 1, 1, (0, 0, 0, HOLE))
    box(p, 0.1, 0.75, 0.55, 0.84, (48, 48, 52, PLAIN))
    for x in (0.66, 0.85):
        _wheel(p, x, 0.855, 0.14, 1.9)
    return p


def _truck_cab_side(rng: np.random.Generator) -> Picture:
    p = blank(64, 128, (205, 205, 205, PAINT))
    poly(p, [(0.10, 0.44), (0.22, 0.16), (0.80, 0.16), (0.80, 0.44)], _GLASS)
    box(p, 0.86, 0.10, 0.88, 0.8, (110, 110, 110, PAINT))
    box(p, 0, 0.80, 1, 0.86, (44, 44, 48, PLAIN))
    box(p, 0, 0.86, 1, 1, (0, 0, 0, HOLE))
    _wheel(p, 0.5, 0.855, 0.14, 0.55)
    return p


def _truck_front(rng: np.random.Generator) -> Picture:
    p = blank(64, 64, (200, 200, 200, PAINT))
    box(p, 0.06, 0.14, 0.94, 0.44, _GLASS)
    poly(p, [(0.14, 0.16), (0.50, 0.16), (0.34, 0.42), (0.10, 0.42)], (104, 124, 140, PLAIN))
    box(p, 0.25, 0.56, 0.75, 0.68, _DARK)
    for x in (0.03, 0.81):
        box(p, x, 0.72, x + 0.16, 0.80, (245, 243, 232, LAMP))
    box(p, 0, 0.82, 1, 0.93, (44, 44, 48, PLAIN))
    box(p, 0, 0.93, 1, 1, (0, 0, 0, HOLE))
    for x in (0.04, 0.82):
        box(p, x, 0.90, x + 0.14, 1, (22, 22, 24, PLAIN))
    return p


def _truck_rear(rng: np.random.Generator) -> Picture:
    p = blank(64, 64, (218, 220, 222, PLAIN))
    box(p, 0.49, 0.03, 0.51, 0.72, (120, 122, 126, PLAIN))
    for x in (0.3, 0.68):
        box(p, x, 0.05, x + 0.02, 0.70, (150, 152, 156, PLAIN))
    box(p, 0, 0.72, 1, 0.82, (52, 52, 56, PLAIN))
    for x in (0.03, 0.82):
        box(p, x, 0.74, x + 0.15, 0.80, (205, 22, 16, LAMP))
    box(p, 0.0, 0.82, 1, 1, (0, 0, 0, HOLE))
    for x in (0.05, 0.72):
        box(p, x, 0.82, x + 0.23, 1, (22, 22, 24, PLAIN))
    return p


def _facade(rng: np.random.Generator, style: int) -> Picture:
    """A wall with four by four windows; the wall takes the building's colour."""
    p = blank(128, 128, (206, 206, 206, PAINT))
    if style == 0:  # brick
        for row in range(32):
            box(p, 0, row / 32, 1, row / 32 + 0.008, (176, 172, 168, PAINT))
        grain(p, rng, 9)
    elif style == 1:  # plaster
        grain(p, rng, 6, 5)
    elif style == 2:  # concrete and ribbons of glass
        shade_rows(p, 0.96, 0.96)
        grain(p, rng, 4)
    half = (0.058, 0.070, 0.105)[style]
    tall = (0.080, 0.085, 0.060)[style]
    for i in range(PANES):
        for j in range(PANES):
            x, y = (i + 0.5) / PANES, (j + 0.5) / PANES
            if style != 2:
                box(p, x - half - 0.014, y - tall - 0.014, x + half + 0.014, y + tall + 0.03, (240, 240, 236, PAINT))
            dim = int(rng.integers(-10, 14))
            box(p, x - half, y - tall, x + half, y + tall, (58 + dim, 72 + dim, 88 + dim, WINDOW))
            box(p, x - half, y - tall, x + half, y - tall * 0.25, (92 + dim, 110 + dim, 128 + dim, WINDOW))
            if style == 1:
                box(p, x - 0.006, y - tall, x + 0.006, y + tall, (225, 225, 222, PLAIN))
    if style == 2:
        for j in range(PANES):
            box(p, 0, j / PANES, 1, j / PANES + 0.02, (236, 236, 236, PAINT))
    return p


def _roof(rng: np.random.Generator, colour: tuple[int, int, int]) -> Picture:
    red, green, blue = colour
    p = blank(64, 64, (red, green, blue, PLAIN))
    for row in range(16):
        box(p, 0, row / 16, 1, row / 16 + 0.016, (red * 18 // 25, green * 18 // 25, blue * 18 // 25, PLAIN))
    grain(p, rng, 9)
    return p


def _house_wall(rng: np.random.Generator, door: bool) -> Picture:
    p = blank(128, 64, (216, 216, 216, PAINT))
    grain(p, rng, 5, 3)
    places = [(0.2, 0.34), (0.5, 0.34), (0.8, 0.34), (0.2, 0.74), (0.8, 0.74)] + ([] if door else [(0.5, 0.74)])
    for x, y in places:
        box(p, x - 0.075, y - 0.15, x + 0.075, y + 0.15, (244, 244, 240, PLAIN))
        box(p, x - 0.06, y - 0.12, x + 0.06, y + 0.12, (62, 76, 92, WINDOW))
        box(p, x - 0.06, y - 0.12, x + 0.06, y - 0.02, (96, 114, 132, WINDOW))
        box(p, x - 0.005, y - 0.12, x + 0.005, y + 0.12, (240, 240, 236, PLAIN))
    if door:
        box(p, 0.44, 0.56, 0.56, 1, (94, 58, 40, PLAIN))
    box(p, 0, 0.95, 1, 1, (150, 148, 144, PAINT))
    return p


def _leaves(rng: np.random.Generator, p: Picture, blobs: np.ndarray, tone: float) -> None:
    """Draw overlapping leafy discs, darker below and inside; `blobs`: rows of x, y, radius over the width."""
    h, w = p.shape[:2]
    for x, y, r in blobs[np.argsort(blobs[:, 1])[::-1]]:
        light = tone * (1.16 - 0.5 * y) + rng.normal(0, 0.05)
        colour = (int(150 * light), int(196 * light), int(96 * light), PAINT)
        cv2.circle(p, (int(x * w), int(y * h)), max(2, int(r * w)), colour, -1)
    noise = cv2.GaussianBlur(rng.standard_normal((h, w)).astype(np.float32), (0, 0), 1.1)
    crown = p[..., 3] == PAINT
    ragged = (noise > noise.std() * 1.55) & crown
    p[crown, :3] = np.clip(p[crown, :3] * (1.0 + 0.5 * noise[crown][:, None]), 0, 255).astype(np.uint8)
    inside = cv2.erode(crown.astype(np.uint8), np.ones((13, 13), np.uint8)) > 0
    p[ragged & ~inside] = (62, 84, 44, HOLE)
    dark = ragged & inside
    p[dark, :3] = (p[dark, :3] * 0.62).astype(np.uint8)


def _tree(rng: np.random.Generator, style: int) -> Picture:
    """Trunk and crown of a tree: 0 round, 1 tall and narrow, 2 conifer."""
    p = blank(128, 128, (62, 84, 44, HOLE))
    foot = (0.46, 0.54) if style != 2 else (0.475, 0.525)
    poly(p, [(foot[0], 1), (0.485, 0.45), (0.515, 0.45), (foot[1], 1)], (88, 68, 50, PLAIN))
    if style == 0:
        angle, radius = rng.uniform(0, 6.283, 90), np.sqrt(rng.uniform(0, 1, 90))
        x, y = 0.5 + 0.38 * radius * np.cos(angle), 0.37 + 0.28 * radius * np.sin(angle)
        r = rng.uniform(0.05, 0.09, 90)
    elif style == 1:
        y = rng.uniform(0.05, 0.74, 90)
        x = 0.5 + rng.uniform(-1, 1, 90) * 0.26 * np.sin(np.clip((y + 0.06) / 0.86, 0, 1) * np.pi)
        r = rng.uniform(0.04, 0.08, 90)
    else:
        y = rng.uniform(0.03, 0.86, 150)
        x = 0.5 + rng.uniform(-1, 1, 150) * 0.36 * y
        r = rng.uniform(0.018, 0.05, 150)
    _leaves(rng, p, np.stack([x, y, r], 1), (1.0, 0.9, 0.62)[style])
    return p


def _pole(rng: np.random.Generator) -> Picture:
    return blank(32, 32, (128, 132, 136, PLAIN))


def _lamp_head(rng: np.random.Generator) -> Picture:
    return blank(32, 32, (255, 226, 168, LAMP))


def _fence(rng: np.random.Generator) -> Picture:
    """A fence: two metres of planks."""
    p = blank(64, 32, (70, 54, 40, HOLE))
    for y in (0.2, 0.68):
        box(p, 0, y, 1, y + 0.12, (126, 100, 74, PLAIN))
    for i in range(8):
        tone = int(rng.integers(-12, 12))
        box(p, i / 8 + 0.015, 0.02, i / 8 + 0.1, 1, (146 + tone, 118 + tone, 90 + tone, PLAIN))
    return p


def _figure(draw: Callable[..., Picture], which: tuple[int, ...], rng: np.random.Generator) -> Picture:
    """A walker or a cyclist; these pictures do not use the random generator."""
    return draw(*which)


def _cone(rng: np.random.Generator) -> Picture:
    """A traffic cone on its foot, seen a little from above, so that its bands bend."""
    p = blank(64, 128, (150, 84, 50, HOLE))
    poly(p, [(0.10, 0.925), (0.90, 0.925), (1, 1), (0, 1)], (52, 50, 50, PLAIN))
    poly(p, [(0.44, 0.012), (0.56, 0.012), (0.84, 0.95), (0.16, 0.95)], (246, 98, 24, PLAIN))
    disc(p, 0.5, 0.95, 0.34, 0.022, (246, 98, 24, PLAIN))
    disc(p, 0.5, 0.015, 0.06, 0.012, (120, 52, 20, PLAIN))
    rows, columns = np.mgrid[0:128, 0:64] + 0.5
    across = (columns / 64 - 0.5) / (0.06 + 0.28 * rows / 128)  # -1 to 1 over the cone
    level = rows / 128 - 0.022 * np.sqrt(np.clip(1 - across**2, 0, 1))
    band = (p[..., 0] == 246) & ((np.abs(level - 0.33) < 0.085) | (np.abs(level - 0.65) < 0.075))
    p[band, :3] = 240, 240, 236
    round_off = np.clip(1.06 - 0.34 * across**2, 0.6, 1.0)[..., None]
    body = (p[..., 3] == PLAIN) & (rows < 0.97 * 128)
    p[body, :3] = np.clip(p[..., :3] * round_off, 0, 255).astype(np.uint8)[body]
    return p


def _light_front(rng: np.random.Generator) -> Picture:
    """A traffic light's plate with a white edge, the housing on it and three unlit lamps."""
    p = blank(64, 128, (222, 224, 222, PLAIN))
    box(p, 0.055, 0.028, 0.945, 0.972, (22, 23, 25, PLAIN))
    box(p, 0.22, 0.07, 0.78, 0.93, (34, 36, 38, PLAIN))
    for level, glass in zip(LAMP_LEVELS, ((58, 20, 18), (58, 46, 18), (16, 46, 30))):
        y = 1 - (level - HEAD_FROM) / (1 - HEAD_FROM)
        disc(p, 0.5, y, 0.245, 0.132, (14, 14, 15, PLAIN))
        disc(p, 0.5, y, 0.205, 0.110, (*glass, PLAIN))
        disc(p, 0.46, y - 0.03, 0.06, 0.022, (glass[0] + 26, glass[1] + 26, glass[2] + 26, PLAIN))
    return p


def _dark_metal(rng: np.random.Generator) -> Picture:
    p = blank(32, 32, (40, 42, 45, PLAIN))
    shade_rows(p, 1.25, 0.85)
    return p


def _boom(rng: np.random.Generator) -> Picture:
    """A barrier's boom with red and white stripes."""
    p = blank(128, 32, (236, 236, 230, PLAIN))
    for i in range(4):
        box(p, i / 4, 0, i / 4 + 1 / 8, 1, (206, 26, 24, PLAIN))
    shade_rows(p, 1.06, 0.82)
    return p


def _skirt(rng: np.random.Generator) -> Picture:
    """The skirt that hangs from a boom: rods in the boom's colours on a rail."""
    p = blank(128, 32, (190, 110, 106, HOLE))
    for i in range(16):
        colour = (206, 26, 24, PLAIN) if i % 4 < 2 else (236, 236, 230, PLAIN)
        box(p, i / 16 + 0.016, 0, i / 16 + 0.046, 1, colour)
    box(p, 0, 0.86, 1, 1, (228, 228, 222, PLAIN))
    return p


def _raised_boom(rng: np.random.Generator) -> Picture:
    """An upright boom."""
    return np.ascontiguousarray(cv2.rotate(_boom(rng), cv2.ROTATE_90_CLOCKWISE))


def _boom_post(rng: np.random.Generator) -> Picture:
    """The housing of a boom: pale, with a dark foot and a bolt."""
    p = blank(32, 64, (226, 196, 60, PLAIN))
    box(p, 0, 0, 1, 0.10, (60, 60, 62, PLAIN))
    box(p, 0, 0.86, 1, 1, (52, 52, 54, PLAIN))
    disc(p, 0.5, 0.24, 0.22, 0.11, (70, 70, 72, PLAIN))
    return p


def _ball(rng: np.random.Generator) -> Picture:
    """A red ball with a pale stripe, lit from above."""
    p = blank(32, 32, (170, 30, 28, HOLE))
    disc(p, 0.5, 0.5, 0.49, 0.49, (214, 30, 26, PLAIN))
    rows, columns = np.mgrid[0:32, 0:32] / 31.0 - 0.5
    round_ = p[..., 3] == PLAIN
    p[round_ & (np.abs(rows + 0.5 * columns) < 0.06)] = (244, 236, 214, PLAIN)
    lit = np.clip(1.14 - 1.0 * ((rows + 0.22) ** 2 + (columns + 0.16) ** 2) * 1.6, 0.5, 1.14)[..., None]
    p[round_, :3] = np.clip(p[..., :3] * lit, 0, 255).astype(np.uint8)[round_]
    return p


_PICTURES: dict[str, Callable[[np.random.Generator], Picture]] = {
    "paint": _paint, "glass": _glass, "cabin_side": _cabin_side,
    "car_side": lambda rng: _body_side(rng, (0.34, 0.56), (0.19, 0.81), 0.31, 5.3),
    "car_front": _car_front, "car_rear": _car_rear,
    "van_side": _van_side, "van_front": _van_front, "van_rear": _van_rear,
    "truck_box": _truck_box, "truck_cab_side": _truck_cab_side, "truck_front": _truck_front, "truck_rear": _truck_rear,
    "facade_0": lambda rng: _facade(rng, 0), "facade_1": lambda rng: _facade(rng, 1),
    "facade_2": lambda rng: _facade(rng, 2),
    "roof_0": lambda rng: _roof(rng, (142, 76, 58)), "roof_1": lambda rng: _roof(rng, (96, 92, 94)),
    "roof_2": lambda rng: _roof(rng, (120, 92, 70)),
    "house_door": lambda rng: _house_wall(rng, True), "house_side": lambda rng: _house_wall(rng, False),
    "tree_0": lambda rng: _tree(rng, 0), "tree_1": lambda rng: _tree(rng, 1), "tree_2": lambda rng: _tree(rng, 2),
    "pole": _pole, "lamp_head": _lamp_head, "fence": _fence,
    # a picture's place seeds its grain, so these keep their places
    "cone": _cone, "light_front": _light_front, "dark_metal": _dark_metal,
    **{f"walker_{o}_{p}_{s}": functools.partial(_figure, draw_walker, (o, p, s)) for o, p, s in WALKERS},
    **{f"bicycle_{p}_{s}": functools.partial(_figure, draw_rider, (p, s)) for p, s in RIDERS},
    "boom": _boom, "skirt": _skirt, "raised_boom": _raised_boom, "boom_post": _boom_post, "ball": _ball,
}  # fmt: skip
for _mesh in MESHES.values():  # pictures of a kind of its own, by the kind's number, which is their order too
    _PICTURES.update(_mesh.pictures)
# Pictures that would vanish in coarse levels, by the beginnings of their names.
_THIN = ("walker", "bicycle", "cone", "skirt", "ball", *(n for m in MESHES.values() if m.thin for n in m.pictures))
TEXTURE: dict[str, int] = {name: i for i, name in enumerate(_PICTURES)}


@functools.lru_cache(maxsize=1)
def atlas() -> Atlas:
    """Draw every picture and its mip levels; the same bytes on every call."""
    texels: list[np.ndarray] = []
    starts: list[list[int]] = []
    sizes: list[tuple[int, int]] = []
    holes: list[bool] = []
    total = 0
    for seed, (name, draw) in enumerate(_PICTURES.items()):
        level = draw(np.random.default_rng(seed + 100))
        height, width = level.shape[:2]
        least = 2 ** (LEVELS - 1)
        if min(height, width) < least or height & (height - 1) or width & (width - 1):
            raise ValueError(f"texture {name} is {width} x {height}; sides must be powers of two, at least {least}")
        sizes.append((width.bit_length() - 1, height.bit_length() - 1))
        holes.append(bool((np.ascontiguousarray(level).view("<u4") >> 24 == HOLE).any()))
        starts.append([])
        for _ in range(LEVELS):
            starts[-1].append(total)
            texels.append(np.ascontiguousarray(level).view("<u4").ravel())
            total += texels[-1].size
            level = coarser(level, name.startswith(_THIN)) if min(level.shape[:2]) > 1 else level
    return Atlas(np.concatenate(texels), np.array(starts, np.int32), np.array(sizes, np.int32), np.array(holes))
