"""Reeds-Shepp curves: shortest paths between poses of a car that drives forwards and backwards.

Reeds and Shepp, Optimal paths for a car that goes both forwards and backwards, Pacific J. Math. 145 (1990): a shortest
path is one of a few *words* of arcs (C) of the narrowest circle and straights (S), with | where the gear changes.  The
equations 8.1 to 8.11 solve each word for one start; the others follow by three symmetries: driven in the other gear
(x, yaw change sign), mirrored (y, yaw change sign), and driven from the end to the beginning.

A pose is x, y [m], yaw [rad] of the rear axle.  A *piece* is (curvature [1/m], length [m]): curvature is positive to
the left and 0 on a straight, length is below 0 backwards.  A curve is a tuple of pieces.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

Pose = tuple[float, float, float]
Piece = tuple[float, float]
Curve = tuple[Piece, ...]
_Solution = tuple[tuple[str, ...], tuple[float, ...]]

_TURN = {"L": 1.0, "S": 0.0, "R": -1.0}
_MIRRORED = {"L": "R", "S": "S", "R": "L"}
_RIGHT_ANGLE = 0.5 * math.pi
_NOTHING = 1e-9  # of a radius: shorter pieces are omitted
_ROUNDING = 1e-12


def wrapped(angle: float) -> float:
    """The same angle in [-pi, pi) [rad]."""
    return (angle + math.pi) % (2.0 * math.pi) - math.pi


def after(pose: Pose, piece: Piece) -> Pose:
    """The end pose of a piece from a start pose; yaw is not wrapped."""
    x, y, yaw = pose
    curvature, length = piece
    turned = curvature * length
    if abs(turned) < _ROUNDING:
        return x + length * math.cos(yaw), y + length * math.sin(yaw), yaw
    end = yaw + turned
    return x + (math.sin(end) - math.sin(yaw)) / curvature, y - (math.cos(end) - math.cos(yaw)) / curvature, end


def end_of(start: Pose, curve: Sequence[Piece]) -> Pose:
    """The end pose of a curve."""
    for piece in curve:
        start = after(start, piece)
    return start


def length_of(curve: Sequence[Piece]) -> float:
    """The length of a curve [m], both gears together."""
    return sum(abs(length) for _, length in curve)


def changes_of(curve: Sequence[Piece]) -> int:
    """The number of gear changes."""
    return sum((a < 0.0) != (b < 0.0) for (_, a), (_, b) in pairwise(curve))


def backwards(curve: Sequence[Piece]) -> Curve:
    """The same line, driven from its end to its beginning."""
    return tuple((curvature, -length) for curvature, length in reversed(curve))


def sampled(start: Pose, curve: Sequence[Piece], spacing: float) -> np.ndarray:
    """(n, 5) x, y [m], yaw [rad], curvature [1/m], gear (1 or -1) along a curve, with both ends of every piece.

    Args:
        spacing: greatest distance between neighbours [m].
    """
    rows = []
    for curvature, length in curve:
        steps = max(math.ceil(abs(length) / spacing), 1)
        along = np.linspace(0.0, length, steps + 1)
        yaw = start[2] + curvature * along
        if abs(curvature * length) < _ROUNDING:
            x, y = start[0] + along * math.cos(start[2]), start[1] + along * math.sin(start[2])
        else:
            x = start[0] + (np.sin(yaw) - math.sin(start[2])) / curvature
            y = start[1] - (np.cos(yaw) - math.cos(start[2])) / curvature
        gear = -1.0 if length < 0.0 else 1.0
        rows.append(np.stack([x, y, yaw, np.full(len(yaw), curvature), np.full(len(yaw), gear)], 1))
        start = after(start, (curvature, length))
    return np.concatenate(rows) if rows else np.zeros((0, 5))


def curves(start: Pose, goal: Pose, radius: float) -> list[Curve]:
    """Every Reeds-Shepp word that leads from start to goal, shortest first.

    Args:
        radius: of the narrowest circle, of the rear axle [m].
    """
    dx, dy = (goal[0] - start[0]) / radius, (goal[1] - start[1]) / radius
    c, s = math.cos(start[2]), math.sin(start[2])
    x, y, yaw = dx * c + dy * s, dy * c - dx * s, wrapped(goal[2] - start[2])
    found = set()
    for letters, lengths in _words(x, y, yaw):
        pieces = [(_TURN[k] / radius, v * radius) for k, v in zip(letters, lengths) if abs(v) > _NOTHING]
        found.add(tuple(pieces))
    return sorted(found, key=lambda curve: (length_of(curve), curve))


def shortest(start: Pose, goal: Pose, radius: float) -> Curve:
    """The shortest curve from start to goal; radius as for `curves`."""
    return curves(start, goal, radius)[0]


# ------------------------------------------------------------------------------------- words, where the radius is 1
def _words(x: float, y: float, yaw: float) -> Iterator[_Solution]:
    """Yield letters and signed lengths of every word to a goal, in all its symmetric forms."""
    c, s = math.cos(yaw), math.sin(yaw)
    # The goal itself, and the start relative to the goal with time reversed: the word is then read in reverse.
    for gx, gy, in_reverse in ((x, y, False), (x * c + y * s, x * s - y * c, True)):
        for gear in (1.0, -1.0):
            for side in (1.0, -1.0):
                for letters, lengths in _solved(gear * gx, side * gy, gear * side * yaw):
                    named = letters if side > 0.0 else tuple(_MIRRORED[k] for k in letters)
                    signed = tuple(gear * v for v in lengths)
                    yield (named[::-1], signed[::-1]) if in_reverse else (named, signed)


def _solved(x: float, y: float, yaw: float) -> Iterator[_Solution]:
    """Yield one form of each word: the first arc turns left, forwards."""
    c, s = math.cos(yaw), math.sin(yaw)
    yield from _ends_left(x - s, y - 1.0 + c, yaw)
    yield from _ends_right(x + s, y - 1.0 - c, yaw)


def _ends_left(xi: float, eta: float, yaw: float) -> Iterator[_Solution]:
    """Yield words whose last arc turns left too; xi, eta: from the first circle's centre to the last one's."""
    apart, towards = math.hypot(xi, eta), math.atan2(eta, xi)
    yield ("L", "S", "L"), (towards, apart, wrapped(yaw - towards))  # 8.1
    if apart <= 4.0:  # 8.3, and 8.4 where the last arc comes out backwards
        u = -2.0 * math.asin(0.25 * apart)
        t = wrapped(towards + 0.5 * u + math.pi)
        yield ("L", "R", "L"), (t, u, wrapped(yaw - t + u))
    if apart >= 2.0:  # 8.9
        root = math.sqrt(apart * apart - 4.0)
        t = wrapped(towards + math.atan2(root, -2.0))
        yield ("L", "R", "S", "L"), (t, -_RIGHT_ANGLE, 2.0 - root, wrapped(yaw - _RIGHT_ANGLE - t))


def _ends_right(xi: float, eta: float, yaw: float) -> Iterator[_Solution]:
    """Yield words whose last arc turns right; xi, eta as in `_ends_left`."""
    apart, towards = math.hypot(xi, eta), math.atan2(eta, xi)
    if apart >= 2.0:
        root = math.sqrt(apart * apart - 4.0)
        t = wrapped(towards + math.atan2(2.0, root))
        yield ("L", "S", "R"), (t, root, wrapped(t - yaw))  # 8.2
        t = math.atan2(xi, -eta)
        yield ("L", "R", "S", "R"), (t, -_RIGHT_ANGLE, 2.0 - apart, wrapped(t + _RIGHT_ANGLE - yaw))  # 8.10
        t = wrapped(math.atan2(root * xi - 2.0 * eta, -2.0 * xi - root * eta))  # 8.11
        lengths = (t, -_RIGHT_ANGLE, 4.0 - root, -_RIGHT_ANGLE, wrapped(t - yaw))
        yield ("L", "R", "S", "L", "R"), lengths
    if (cosine := 0.25 * (2.0 + apart)) <= 1.0:  # 8.7
        u = math.acos(cosine)
        yield _four(u, -u, xi, eta, yaw)
    if 0.0 <= (cosine := (20.0 - apart * apart) / 16.0) <= 1.0:  # 8.8
        u = -math.acos(cosine)
        yield _four(u, u, xi, eta, yaw)


def _four(u: float, v: float, xi: float, eta: float, yaw: float) -> _Solution:
    """A word of four arcs, the inner ones of length u and v: the outer ones as in the paper's equations below 8.8."""
    turned = u - v
    a, b = math.sin(u) - math.sin(turned), math.cos(u) - math.cos(turned) - 1.0
    t = math.atan2(eta * a - xi * b, xi * a + eta * b)
    if 2.0 * (math.cos(turned) - math.cos(v) - math.cos(u)) + 3.0 < 0.0:
        t += math.pi
    t = wrapped(t)
    return ("L", "R", "L", "R"), (t, u, v, wrapped(t - u + v - yaw))
