"""House: walls with a gable roof; scenery."""

from __future__ import annotations

from sim.actors.base import ActorKind, Length, Shadow, Solid, register

HOUSE = register(
    ActorKind(
        "house",
        5,
        "Building",
        marker="gable",
        solids=(Solid(z1=0.58), Solid(-0.5, 0.5, -0.25, 0.25, 0.58, 0.8)),
        shadow=Shadow(low=0.58, high=0.88, upper_length=Length(1.04), upper_width=Length(0.5)),
    )
)
