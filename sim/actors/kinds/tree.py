"""Tree: a trunk and a round crown; scenery."""

from __future__ import annotations

from sim.actors.base import ActorKind, Solid, register

TREE = register(
    ActorKind(
        "tree",
        6,
        "Vegetation",
        marker="crown",
        trunk=(0.5, 0.5),
        solids=(Solid(-0.05, 0.05, -0.05, 0.05, 0.0, 0.35, 1.0), Solid(-0.38, 0.38, -0.38, 0.38, 0.3, 0.95, 1.0)),
    )
)
