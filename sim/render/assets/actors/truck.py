"""The mesh of a truck: a box behind a lower cab."""

from __future__ import annotations

from sim.render.assets.mesh import ActorMesh, Face, face, front, rear, register_mesh, sides, top


def _truck() -> list[Face]:
    cab = 0.27
    return [
        *sides("truck_box", -0.5, cab, 0.0, 1.0),
        *sides("truck_cab_side", cab, 0.5, 0.0, 0.82, y=0.48),
        front("truck_front", 0.5, 0.0, 0.82, y=0.48),
        rear("truck_rear", -0.5, 0.0, 1.0),
        face("paint", [(cab, -0.5, 1), (cab, 0.5, 1), (cab, 0.5, 0.8), (cab, -0.5, 0.8)]),
        top("paint", cab, 0.5, 0.82, 0.82, 0.48, 0.48),
    ]


register_mesh(ActorMesh("truck", lambda variant: _truck()))
