"""Camera kernels specialised for steep cameras, which see all around them.

For a camera that looks ahead, the view is a wedge before it, billboards stand across its axis, and a column has one
azimuth. None of that holds for a camera that looks steeply up or down, or past its own foot: it sees all around. The
type of the tables distinguishes the two: those of `sim.render.rgb.CameraRays` are read-only where a camera sees all
around. Kernels are therefore compiled for each, and the machine code for looking ahead, with every bit of its
arithmetic, is independent of the other. This module holds the functions whose results differ. Frames as in
`sim.render.objects`.
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

AROUND = 300.0  # [m] range limit of such a camera: farther than anything is drawn
_F = np.float32
_0, _1, _HALF = _F(0.0), _F(1.0), _F(0.5)


# Numba chooses the implementation of these by type, below; annotations are not allowed there
_by_type = functools.partial(numba.extending.overload, jit_options={"forceinline": True, "nogil": True})


def around(geometry: Any) -> Any:
    """Radius around a camera that it sees [m]; 0 for a camera that looks ahead."""


def lamps(cols: Any, v: Any) -> Any:
    """The row of the camera's `cols` with the headlights' strength for row v of the picture."""


def way(cols: Any, rows: Any, v: Any) -> Any:
    """Distance over the ground per metre of depth on row v, for headlights."""


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
    """Distance behind its foot up to which a camera may see the ground [m]."""
    return around(geometry) if geometry[2] < _0 else _0


@kernel(inline=True)
def board(geometry, ahead, right, span, tall):
    """Axes of a billboard for a camera that sees all around: it faces the camera, and leans back below it.

    An upright board would be a line to a camera that looks straight down; the lean, by its breadth, is about its
    middle, so that it stays in place.

    Returns:
        In the camera's frame: its left axis, as long as the span, its up axis, and the offset of its foot [m].
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
