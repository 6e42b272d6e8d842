"""The mesh of a street lamp: pole, arm and head."""

from __future__ import annotations

from sim.render.assets.mesh import ActorMesh, Face, Point, face, register_mesh
from sim.render.assets.variants import FACING, THIN, TWO_SIDED


def _lamp() -> list[Face]:
    """A street lamp: a pole at the centre and an arm ahead (the box's x) with the head at its end."""
    pole: list[Point] = [(0, 0.5, 1), (0, -0.5, 1), (0, -0.5, 0), (0, 0.5, 0)]
    arm: list[Point] = [(0, 0.0, 1), (0.5, 0.0, 1), (0.5, 0.0, 0.985), (0, 0.0, 0.985)]
    head: list[Point] = [(0.36, 0.0, 0.992), (0.62, 0.0, 0.992), (0.62, 0.0, 0.96), (0.36, 0.0, 0.96)]
    tip: list[Point] = [(0.5, 0.9, 0.992), (0.5, -0.9, 0.992), (0.5, -0.9, 0.955), (0.5, 0.9, 0.955)]
    return [
        face("pole", pole, flags=FACING | TWO_SIDED | THIN),
        face("pole", arm, flags=TWO_SIDED),
        face("lamp_head", head, flags=TWO_SIDED),
        face("lamp_head", tip, flags=FACING | TWO_SIDED | THIN),
    ]


register_mesh(ActorMesh("lamp", lambda variant: _lamp(), reach=80.0))
