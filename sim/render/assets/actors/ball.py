"""The mesh of a ball: a billboard."""

from __future__ import annotations

from sim.render.assets.mesh import ActorMesh, card, register_mesh

register_mesh(ActorMesh("ball", lambda variant: card("ball", False, 0.5), reach=60.0))
