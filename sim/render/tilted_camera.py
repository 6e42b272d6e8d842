"""What a camera has of its own that looks steeply up or down, or past its own foot: it sees all around it.

For one that looks ahead what is in view lies in a wedge before it, boards stand across its axis, and a column has one
azimuth. For one that sees all around none of that holds. The two are told apart by the type of their tables: those of
`camera.CameraRays` cannot be written where a camera sees all around, so that kernels are compiled for each, and the
machine code for looking ahead, with every bit of its arithmetic, is as if the other did not exist. Here are the
questions whose answers differ. Frames as in `sim.render.objects`.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numba.extending
import numpy as np

from sim.core.constants import RAD
from sim.core.geometry import clamp01
from sim.core.kernel import kernel

AROUND = 300.0  # [m] the farthest that it looks: farther than anything is drawn
_F = np.float32
_0, _1, _HALF = _F(0.0), _F(1.0), _F(0.5)


# what Numba takes for these is chosen by type, below; it will have no annotations there
_by_type = functools.partial(numba.extending.overload, jit_options={"forceinline": True, "nogil": True})


def around(geometry: Any) -> Any:
    """How far around it a camera sees [m]; 0 for one that looks ahead."""


def lamps(cols: Any, v: Any) -> Any:
    """The row of the camera's `cols` that tells the headlights' strength on row v of the picture."""


def way(cols: Any, rows: Any, v: Any) -> Any:
    """How far over the ground one gets for a metre of depth on row v, where headlights are concerned."""


@_by_type(around)
def _around(geometry):
    if geometry.mutable:
        return lambda geometry: _0
    return lambda geometry: geometry[4]


@_by_type(lamps)
def _lamps(cols, v):
    if cols.mutable:
        return lambda cols, v: 2
    return lambda cols, v: 4 + v


@_by_type(way)
def _way(cols, rows, v):
    if cols.mutable:
        return lambda cols, rows, v: _1
    return lambda cols, rows, v: rows[v, 1]


@kernel(inline=True)
def behind(geometry):
    """How far behind its foot a camera may see the ground [m]."""
    return around(geometry) if geometry[2] < _0 else _0


@kernel(inline=True)
def board(geometry, ahead, right, span, tall):
    """How a board stands that turns to a camera which sees all around: it faces that, and leans back below it.

    Upright it would be a line to who looks straight down; leaning by its breadth it stays in place, about its middle.

    Returns:
        In the camera's frame, its axes to the left, as long as the span, and up, and how far its foot is moved [m].
    """
    sine, cosine = geometry[2], geometry[3]
    away = math.sqrt(ahead * ahead + right * right)
    c, s = (ahead / away, right / away) if away > _F(1e-3) else (_1, _0)
    above = geometry[7] - _HALF * tall
    lean = span * clamp01(_F(5.0) * above / math.sqrt(above * above + away * away + _F(1e-6)) - _F(4.0))
    x, y, z = s * lean, c * sine * lean, c * cosine * lean
    turn = span * s
    return (-span * c, turn * sine, turn * cosine, x, y - cosine * tall, z + sine * tall, -_HALF * x, -_HALF * y,
            -_HALF * z)  # fmt: skip


@functools.lru_cache(maxsize=8)
def beams(width: int, height: int, fov: float, pitch: float, yaw: float, breadth: float) -> np.ndarray:
    """(H, W) float32, the headlights' strength in the direction of every pixel's ray over the ground.

    Args:
        fov, pitch, yaw: of the camera [deg]. breadth: of the beam [rad].
    """
    focal = width / 2.0 / math.tan(fov * RAD / 2.0)
    tilt = (height / 2.0 - np.arange(height) - 0.5) / focal
    ahead = math.cos(pitch * RAD) - tilt * math.sin(pitch * RAD)
    right = (np.arange(width) + 0.5 - width / 2.0) / focal
    angle = (yaw * RAD - np.arctan2(right[None], ahead[:, None]) + math.pi) % (2.0 * math.pi) - math.pi
    square = ((angle / breadth) ** 2).astype(np.float32)
    return 0.85 * np.exp(-square) + 0.15 * np.exp(-square / 6.0)
