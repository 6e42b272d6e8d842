"""The mesh of a van: a box."""

from __future__ import annotations

from sim.render.assets.mesh import ActorMesh, Face, front, rear, register_mesh, sides, top


def _van() -> list[Face]:
    return [
        *sides("van_side", -0.5, 0.5, 0.0, 1.0),
        front("van_front", 0.5, 0.0, 1.0),
        rear("van_rear", -0.5, 0.0, 1.0),
        top("paint", -0.5, 0.5, 1, 1),
    ]


register_mesh(ActorMesh("van", lambda variant: _van()))
