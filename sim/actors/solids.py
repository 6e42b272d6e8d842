"""Solid shapes of actors and scenery that rays of lidar and geometry sensors hit."""

from __future__ import annotations

import functools

import numpy as np

from sim.actors.registry import ACTOR_KINDS, KINDS

_F = np.float32

THICK = _F(0.06)  # of a sign's panel [m]
# Columns of `solids`: ends as shares of the actor's length, width and height; whether it is a pillar.
X0, X1, Y0, Y1, Z0, Z1, ROUND = range(7)


@functools.lru_cache(maxsize=1)
def solids() -> np.ndarray:
    """(kinds, 2, 7) float32, two `sim.actors.base.Solid` of every kind; an unused second one has no height.

    The solid of a sign is its post.
    """
    out = np.zeros((len(KINDS), 2, 7), np.float32)
    for kind in ACTOR_KINDS.values():
        out[kind.number, : len(kind.solids)] = kind.solids
    return out
