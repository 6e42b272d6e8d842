"""Solid shapes of actors and scenery that rays of lidar and geometry sensors hit."""

from __future__ import annotations

import functools

import numpy as np

from sim.actors.light_head import HEAD_FROM, LAMP_AHEAD
from sim.actors.signs import SIGN
from sim.datatypes.vocabulary import KINDS

_F = np.float32

THICK = _F(0.06)  # of a sign's panel [m]
# Solids of a kind as shares of its length, width and height: x0, x1, y0, y1 from -1/2 to 1/2, z0, z1 from 0 to 1, and
# 1 for a cylinder of radius y1 about the middle.
_WHOLE = (-0.5, 0.5, -0.5, 0.5, 0.0, 1.0, 0.0)
_SHAPES: dict[str, tuple[tuple[float, ...], ...]] = {
    "car": ((-0.5, 0.5, -0.5, 0.5, 0.0, 0.6, 0.0), (-0.38, 0.13, -0.43, 0.43, 0.6, 1.0, 0.0)),
    "house": ((-0.5, 0.5, -0.5, 0.5, 0.0, 0.58, 0.0), (-0.5, 0.5, -0.25, 0.25, 0.58, 0.8, 0.0)),
    "tree": ((-0.05, 0.05, -0.05, 0.05, 0.0, 0.35, 1.0), (-0.38, 0.38, -0.38, 0.38, 0.3, 0.95, 1.0)),
    "bicycle": ((-0.5, 0.5, -0.06, 0.06, 0.0, 0.55, 0.0), (-0.2, 0.14, -0.35, 0.35, 0.5, 1.0, 0.0)),
    "walker": ((-0.4, 0.4, -0.4, 0.4, 0.0, 1.0, 1.0),),
    "cone": ((-0.5, 0.5, -0.5, 0.5, 0.0, 0.07, 0.0), (-0.2, 0.2, -0.2, 0.2, 0.07, 1.0, 1.0)),
    "light": ((-0.07, 0.07, -0.07, 0.07, 0.0, HEAD_FROM, 1.0), (0.1, LAMP_AHEAD, -0.5, 0.5, HEAD_FROM, 1.0, 0.0)),
    "barrier": ((-0.5, 0.5, -0.5, -0.443, 0.0, 1.0, 0.0), (-0.1, 0.1, -0.443, 0.5, 0.68, 0.95, 0.0)),
    "raised_barrier": ((-0.5, 0.5, -0.5, 0.5, 0.0, 0.262, 0.0), (-0.1, 0.1, -0.5, 0.5, 0.2, 1.0, 0.0)),
    "ball": ((-0.5, 0.5, -0.5, 0.5, 0.0, 1.0, 1.0),),
    "lamp": ((-0.5, 0.5, -0.5, 0.5, 0.0, 1.0, 1.0), (0.0, 0.6, -0.5, 0.5, 0.96, 1.0, 0.0)),
}


@functools.lru_cache(maxsize=1)
def solids() -> np.ndarray:
    """(kinds + 1, 2, 7) float32, two solids of every kind, a sign's post last; an unused second one has no height."""
    out = np.zeros((len(KINDS) + 1, 2, 7), np.float32)
    out[SIGN, 0] = _WHOLE
    for k, kind in enumerate(KINDS):
        for i, box in enumerate(_SHAPES.get(kind, (_WHOLE,)) if kind != "none" else ()):
            out[k, i] = box
    return out
