"""Angles, oriented boxes and clamping: scalar functions for kernels, and one numpy function for box corners."""

from __future__ import annotations

import numpy as np

from sim.core.kernel import kernel

PI = np.float32(np.pi)
TAU = np.float32(2 * np.pi)
HALF = np.float32(0.5)


@kernel(inline=True)
def wrap(angle):  # type: ignore[no-untyped-def]
    """The same angle in [-pi, pi] [rad], float32."""
    return angle - TAU * np.floor(angle / TAU + HALF)


@kernel(inline=True)
def is_within(px, py, x, y, cos, sin, along, across):  # type: ignore[no-untyped-def]
    """Whether a point lies within a box.

    Args:
        px, py: the point [m]; x, y: centre of the box [m]; cos, sin: of its yaw; along, across: half of its size [m].
    """
    dx, dy = px - x, py - y
    return abs(dx * cos + dy * sin) < along and abs(dy * cos - dx * sin) < across


@kernel(inline=True)
def boxes_touch(ax, ay, acos, asin, alength, awidth, bx, by, bcos, bsin, blength, bwidth):  # type: ignore[no-untyped-def]
    """Whether two oriented boxes overlap, by the separating axis theorem (touching counts).

    Args:
        ax, ay: centre of the first box [m]; acos, asin: cosine and sine of its yaw; alength, awidth: full sizes [m].
        bx .. bwidth: the second box.
    """
    dx = bx - ax
    dy = by - ay
    # The four axes that can separate two rectangles are the directions of their sides.
    c = abs(acos * bcos + asin * bsin)
    s = abs(acos * bsin - asin * bcos)
    if abs(dx * acos + dy * asin) > HALF * (alength + blength * c + bwidth * s):
        return False
    if abs(dy * acos - dx * asin) > HALF * (awidth + blength * s + bwidth * c):
        return False
    if abs(dx * bcos + dy * bsin) > HALF * (blength + alength * c + awidth * s):
        return False
    return abs(dy * bcos - dx * bsin) <= HALF * (bwidth + alength * s + awidth * c)


def box_corners(x: float, y: float, yaw: float, length: float, width: float) -> np.ndarray:
    """(4, 2) corners of a box, anticlockwise from the front left; x, y is its centre [m]."""
    forward = np.array([np.cos(yaw), np.sin(yaw)])
    left = np.array([-forward[1], forward[0]])
    signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * 0.5
    return np.array([x, y]) + signs[:, :1] * length * forward + signs[:, 1:] * width * left


_F = np.float32
_0, _1, _2, _3 = _F(0.0), _F(1.0), _F(2.0), _F(3.0)


@kernel(inline=True)
def clamp01(x):
    """x limited to 0..1."""
    return min(max(x, _0), _1)


@kernel(inline=True)
def smoothstep(x):
    """Smooth step of x over 0..1."""
    x = clamp01(x)
    return x * x * (_3 - _2 * x)


@kernel(inline=True)
def clamp(value, low, high):  # type: ignore[no-untyped-def]
    """`value` limited to the range from `low` to `high`."""
    return min(max(value, low), high)
