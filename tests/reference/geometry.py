"""The slow twin of `sim.core.geometry.boxes_touch`: corners and edges, no separating axes."""

from __future__ import annotations

import math

Point = tuple[float, float]
ROUNDING = 1e-9  # [m] so that a corner that lies on an edge counts as inside


def corners(x: float, y: float, yaw: float, length: float, width: float) -> list[Point]:
    """The four corners of a box, in order round it; x, y is its centre [m]."""
    c, s = math.cos(yaw), math.sin(yaw)
    half = [(length / 2, width / 2), (-length / 2, width / 2), (-length / 2, -width / 2), (length / 2, -width / 2)]
    return [(x + a * c - b * s, y + a * s + b * c) for a, b in half]


def _inside(point: Point, x: float, y: float, yaw: float, length: float, width: float) -> bool:
    dx, dy = point[0] - x, point[1] - y
    ahead, left = dx * math.cos(yaw) + dy * math.sin(yaw), dy * math.cos(yaw) - dx * math.sin(yaw)
    return abs(ahead) <= length / 2 + ROUNDING and abs(left) <= width / 2 + ROUNDING


def _cross(o: Point, a: Point, b: Point) -> float:
    return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])


def _edges_cross(p: Point, q: Point, a: Point, b: Point) -> bool:
    return _cross(p, q, a) * _cross(p, q, b) < 0 and _cross(a, b, p) * _cross(a, b, q) < 0


def boxes_touch(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    """Whether two boxes (x, y of the centre, yaw, length, width) overlap.

    They do when a corner of one lies in the other, or an edge of one crosses an edge of the other.
    """
    a, b = corners(*first), corners(*second)  # type: ignore[arg-type]
    if any(_inside(p, *second) for p in a) or any(_inside(p, *first) for p in b):  # type: ignore[arg-type]
        return True
    edges = [(box[i], box[(i + 1) % 4]) for box in (a, b) for i in range(4)]
    return any(_edges_cross(*one, *other) for one in edges[:4] for other in edges[4:])
