"""The mesh of a fence: one face."""

from __future__ import annotations

from sim.render.assets.mesh import ActorMesh, Face, Point, face, register_mesh
from sim.render.assets.variants import TWO_SIDED


def _fence() -> list[Face]:
    corners: list[Point] = [(0.5, 0, 1), (-0.5, 0, 1), (-0.5, 0, 0), (0.5, 0, 0)]
    return [face("fence", corners, flags=TWO_SIDED, metres=(2.0, 0.0))]


register_mesh(ActorMesh("fence", lambda variant: _fence(), reach=60.0))
