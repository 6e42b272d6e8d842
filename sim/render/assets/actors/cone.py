"""The mesh of a traffic cone: a billboard."""

from __future__ import annotations

from sim.render.assets.mesh import ActorMesh, card, register_mesh

register_mesh(ActorMesh("cone", lambda variant: card("cone", False, 0.5), reach=60.0))
