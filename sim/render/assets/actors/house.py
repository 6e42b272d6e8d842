"""The mesh of a house: walls and a gable roof."""

from __future__ import annotations

from sim.render.assets.mesh import ActorMesh, Face, Point, face, front, rear, register_mesh, sides
from sim.render.assets.variants import TWO_SIDED


def _house(style: int) -> list[Face]:
    """A house: walls to 0.58 of the height, then a gable roof with its ridge along x and overhanging eaves."""
    eave, roof, out = 0.58, f"roof_{style}", 0.55
    low = eave - 0.05
    gable_front: list[Point] = [(0.5, 0, 1), (0.5, 0, 1), (0.5, 0.5, eave), (0.5, -0.5, eave)]
    gable_rear: list[Point] = [(-0.5, 0, 1), (-0.5, 0, 1), (-0.5, -0.5, eave), (-0.5, 0.5, eave)]
    return [
        *sides("house_door", -0.5, 0.5, 0.0, eave),
        front("house_side", 0.5, 0.0, eave),
        rear("house_side", -0.5, 0.0, eave),
        face("paint", gable_front, ((0.5, -0.5, 1), (0.5, 0.5, 1), (0.5, -0.5, eave))),
        face("paint", gable_rear, ((-0.5, 0.5, 1), (-0.5, -0.5, 1), (-0.5, 0.5, eave))),
        face(roof, [(out, 0, 1), (-out, 0, 1), (-out, 0.56, low), (out, 0.56, low)], flags=TWO_SIDED),
        face(roof, [(-out, 0, 1), (out, 0, 1), (out, -0.56, low), (-out, -0.56, low)], flags=TWO_SIDED),
    ]


register_mesh(ActorMesh("house", _house, posing="styled", reach=160.0, walls=True))
