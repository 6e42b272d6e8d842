"""Materials of the ground: asphalt, paving slabs and grass as images with multi-scale noise.

Images are float32 in 0..255, world-aligned. The noise is value noise: random grids enlarged by cubic interpolation at
several scales, so that a material has structure at every camera distance (with a single scale it is a flat colour far
away and a blur near by).
"""

from __future__ import annotations

import cv2
import numpy as np

from sim.road.map.rasterize import Canvas

Picture = np.ndarray  # (H, W, 3) float32, RGB
_COLOUR = {
    "asphalt": (96.0, 96.0, 98.0), "slab": (164.0, 160.0, 150.0), "kerb": (200.0, 198.0, 190.0),
    "grass": (86.0, 112.0, 52.0), "dry": (146.0, 138.0, 84.0), "lush": (62.0, 98.0, 44.0),
    "earth": (122.0, 102.0, 74.0),
}  # fmt: skip


def colour(name: str) -> np.ndarray:
    """(3,) float32 base colour of a material."""
    return np.array(_COLOUR[name], np.float32)


def noise(canvas: Canvas, cell: float, rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32 smooth noise with mean 0, standard deviation about 1 and features of `cell` metres."""
    rows, columns = canvas.shape
    if cell <= canvas.texel:
        return rng.standard_normal((rows, columns), dtype=np.float32)
    grid = [max(4, int(np.ceil(n * canvas.texel / cell)) + 3) for n in (rows, columns)]
    coarse = rng.standard_normal(grid, dtype=np.float32)
    scale = cell / canvas.texel
    wide = cv2.resize(coarse, (int(grid[1] * scale) + 1, int(grid[0] * scale) + 1), interpolation=cv2.INTER_CUBIC)
    wide = wide[int(scale) :, int(scale) :][:rows, :columns]
    if wide.shape != (rows, columns):
        wide = cv2.resize(wide, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(wide) * np.float32(1.25)


def octave_noise(canvas: Canvas, cells: tuple[tuple[float, float], ...], rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32 sum of noises; cells are (feature size [m], weight)."""
    total = np.zeros(canvas.shape, np.float32)
    for cell, weight in cells:
        total += np.float32(weight) * noise(canvas, cell, rng)
    return total


def smoothstep(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Smooth step: 0 below low, 1 above high, cubic between."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return (t * t * (3.0 - 2.0 * t)).astype(np.float32)


def blend(picture: Picture, other: np.ndarray, amount: np.ndarray) -> None:
    """Blend `other` (a colour (3,) or an image) into `picture` in place by `amount` (H, W) in 0..1."""
    picture += (other - picture) * amount[..., None]


def shade(picture: Picture, factor: np.ndarray) -> None:
    """Multiply an image in place by `factor` (H, W)."""
    picture *= factor[..., None]


def asphalt(canvas: Canvas, rng: np.random.Generator) -> Picture:
    """Weathered asphalt: stones, stains and gradual changes of tone."""
    tone = octave_noise(canvas, ((canvas.texel, 4.0), (0.35, 2.5), (1.6, 2.0), (7.0, 3.0), (28.0, 4.0)), rng)
    picture = np.broadcast_to(colour("asphalt"), (*canvas.shape, 3)) + tone[..., None]
    warm = noise(canvas, 12.0, rng)[..., None] * np.array([1.2, 0.3, -1.4], np.float32)
    picture = picture + warm
    stain = smoothstep(noise(canvas, 2.2, rng), 1.5, 2.4) * 0.12
    shade(picture, 1.0 - stain)
    return picture.astype(np.float32)


def grass(canvas: Canvas, rng: np.random.Generator) -> Picture:
    """A grass verge: tufts, lush hollows, dry patches and a little bare earth."""
    picture = np.broadcast_to(colour("grass"), (*canvas.shape, 3)).astype(np.float32)
    lush = octave_noise(canvas, ((9.0, 0.8), (3.0, 0.5)), rng)
    dry = octave_noise(canvas, ((14.0, 0.9), (2.5, 0.5), (0.6, 0.25)), rng)
    bare = octave_noise(canvas, ((5.0, 0.9), (0.8, 0.5)), rng)
    blend(picture, colour("lush"), smoothstep(lush, -0.3, 1.6) * 0.8)
    blend(picture, colour("dry"), smoothstep(dry, 0.5, 2.0) * 0.75)
    blend(picture, colour("earth"), smoothstep(bare, 1.7, 2.6) * 0.7)
    tufts = octave_noise(canvas, ((canvas.texel, 0.075), (0.3, 0.06), (0.9, 0.05), (30.0, 0.04)), rng)
    shade(picture, 1.0 + tufts)
    return picture


def slabs(canvas: Canvas, tint: np.ndarray, joint: np.ndarray, rng: np.random.Generator) -> Picture:
    """Paving slabs.

    Args:
        tint: (H, W) float32, each slab's own lightness, about -1..1; joint: (H, W) in 0..1, 1 in a joint.
    """
    tone = octave_noise(canvas, ((canvas.texel, 3.0), (0.5, 2.0), (6.0, 4.0)), rng) + 9.0 * tint
    picture = (colour("slab") + tone[..., None]).astype(np.float32)
    warm = noise(canvas, 9.0, rng)[..., None] * np.array([2.0, 0.6, -2.0], np.float32)
    picture += warm
    blend(picture, np.array([104.0, 100.0, 88.0], np.float32), joint * 0.7)
    return picture
