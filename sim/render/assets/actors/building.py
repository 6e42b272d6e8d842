"""The mesh of a building: a facade on all sides, and a flat roof."""

from __future__ import annotations

from sim.render.assets.mesh import ActorMesh, Face, front, rear, register_mesh, sides, top


def _building(style: int) -> list[Face]:
    wall, metres = f"facade_{style}", (13.0, 13.0)
    return [
        *sides(wall, -0.5, 0.5, 0.0, 1.0, metres=metres),
        front(wall, 0.5, 0.0, 1.0, metres=metres),
        rear(wall, -0.5, 0.0, 1.0, metres=metres),
        top(f"roof_{style}", -0.5, 0.5, 1, 1),
    ]


register_mesh(ActorMesh("building", _building, posing="styled", reach=260.0, walls=True))
