"""The mesh of a tree: a billboard."""

from __future__ import annotations

from sim.render.assets.mesh import ActorMesh, Face, Point, face, register_mesh
from sim.render.assets.variants import FACING, TWO_SIDED


def _tree(style: int) -> list[Face]:
    """A tree: one billboard that faces the camera; trees look alike from all sides."""
    corners: list[Point] = [(0, 0.5, 1), (0, -0.5, 1), (0, -0.5, 0), (0, 0.5, 0)]
    return [face(f"tree_{style}", corners, flags=FACING | TWO_SIDED)]


register_mesh(ActorMesh("tree", _tree, posing="styled", reach=120.0))
