"""The meshes of barriers: a boom across the lane or upright, on a housing."""

from __future__ import annotations

from sim.render.assets.mesh import ActorMesh, Face, Point, face, front, rear, register_mesh, top
from sim.render.assets.variants import FACING, THIN, TWO_SIDED


def _barrier() -> list[Face]:
    """A closed barrier: a boom across the lane, with a skirt of rods, on a housing at its right end."""
    low, high, x, inner = 0.68, 0.95, 0.1, -0.443
    skirt: list[Point] = [(0, inner, low), (0, 0.5, low), (0, 0.5, 0.2), (0, inner, 0.2)]
    return [
        front("boom", x, low, high),
        rear("boom", -x, low, high),
        top("boom", -x, x, high, high),
        face("skirt", skirt, flags=TWO_SIDED),
        *_post(-0.5, inner, 1.0),
    ]


def _raised_barrier() -> list[Face]:
    """An open barrier: the same housing with its boom upright."""
    foot, low, y = 0.262, 0.2, 0.75
    boom: list[Point] = [(0, y, 1), (0, -y, 1), (0, -y, low), (0, y, low)]
    return [face("raised_boom", boom, flags=FACING | TWO_SIDED | THIN), *_post(-0.5, 0.5, foot)]


def _post(right: float, left: float, top: float) -> list[Face]:
    """The housing of a barrier, between two shares of its width and up to a share of its height."""
    faces = []
    for x, a, b in ((0.5, right, left), (-0.5, left, right)):
        faces.append(face("boom_post", [(x, a, top), (x, b, top), (x, b, 0), (x, a, 0)]))
    for y, a, b in ((right, -0.5, 0.5), (left, 0.5, -0.5)):
        faces.append(face("boom_post", [(a, y, top), (b, y, top), (b, y, 0), (a, y, 0)]))
    return faces


register_mesh(ActorMesh("barrier", lambda variant: _barrier()))
register_mesh(ActorMesh("raised_barrier", lambda variant: _raised_barrier()))
