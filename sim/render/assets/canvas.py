"""Drawing primitives for textures: boxes, polygons, discs, grain, and the next mip level of a picture.

A texel is RGB and a class in its fourth byte: a hole, plain, painted in the object's own colour, a window that may be
lit at night, a lamp that is lit at night.  Classes cannot be averaged, so a coarser level takes the most common class
of its four texels and the mean colour of those that have it.  Places in a picture are shares of its width and height,
from the top left.
"""

from __future__ import annotations

import cv2
import numpy as np

from sim.render.assets.texel import HOLE, LAMP, WINDOW

Picture = np.ndarray  # (H, W, 4) uint8, RGB and class
Texel = tuple[int, int, int, int]


def blank(width: int, height: int, fill: Texel) -> Picture:
    """A picture filled with the colour and class of one texel."""
    picture = np.empty((height, width, 4), np.uint8)
    picture[:] = fill
    return picture


def box(p: Picture, x0: float, y0: float, x1: float, y1: float, colour: Texel) -> None:
    """Fill a box."""
    h, w = p.shape[:2]
    top, left = round(y0 * h), round(x0 * w)
    p[top : max(round(y1 * h), top + 1), left : max(round(x1 * w), left + 1)] = colour


def poly(p: Picture, points: list[tuple[float, float]], colour: Texel) -> None:
    """Fill a polygon."""
    h, w = p.shape[:2]
    cv2.fillPoly(p, [np.array([(x * w, y * h) for x, y in points], np.float32).round().astype(np.int32)], colour)


def disc(p: Picture, x: float, y: float, rx: float, ry: float, colour: Texel) -> None:
    """Fill an axis-aligned ellipse."""
    h, w = p.shape[:2]
    axes = (max(1, round(rx * w)), max(1, round(ry * h)))
    cv2.ellipse(p, (round(x * w), round(y * h)), axes, 0, 0, 360, colour, -1)


def grain(p: Picture, rng: np.random.Generator, amount: float, blur: int = 1) -> None:
    """Add noise to the brightness of a picture."""
    noise: np.ndarray = rng.standard_normal(p.shape[:2]).astype(np.float32)
    if blur > 1:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), blur, borderType=cv2.BORDER_REFLECT))
        noise = noise / (noise.std() + np.float32(1e-6))
    p[..., :3] = np.clip(p[..., :3] + noise[..., None] * amount, 0, 255).astype(np.uint8)


def shade_rows(p: Picture, top: float, bottom: float) -> None:
    """Multiply the brightness by a factor that runs from `top` to `bottom`."""
    ramp = np.linspace(top, bottom, p.shape[0])[:, None, None]
    p[..., :3] = np.clip(p[..., :3] * ramp, 0, 255).astype(np.uint8)


def coarser(p: Picture, thin: bool = False) -> Picture:
    """The next coarser mip level: most common class of four texels, mean colour of those that have it.

    Args:
        thin: a hole needs three of the four texels, so that limbs and tubes do not vanish.
    """
    four = np.stack([p[0::2, 0::2], p[0::2, 1::2], p[1::2, 0::2], p[1::2, 1::2]])
    classes = four[..., 3]
    votes = np.stack([(classes == c).sum(0, dtype=np.uint8) for c in range(5)])
    # lamps and windows are small and must stay visible in coarse levels
    votes[LAMP] += votes[LAMP] > 0
    votes[WINDOW] += votes[WINDOW] > 1
    if thin:
        votes[HOLE] -= votes[HOLE] == 2
    chosen, most = np.zeros(votes.shape[1:], np.uint8), votes[0]
    for c in range(1, 5):  # the first maximum, as argmax, in a fifth of its time
        chosen[votes[c] > most] = c
        most = np.maximum(most, votes[c])
    belongs = classes == chosen
    colour = (four[..., :3] * belongs[..., None]).sum(0, dtype=np.uint16) / belongs.sum(0, dtype=np.float32)[..., None]
    return np.concatenate([colour.round(), chosen[..., None]], -1).astype(np.uint8)
