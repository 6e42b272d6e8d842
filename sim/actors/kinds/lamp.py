"""Lamp: a street lamp, a pole with an arm; scenery."""

from __future__ import annotations

from sim.actors.base import ActorKind, Shadow, Solid, register
from sim.actors.light_head import POLE

LAMP = register(
    ActorKind(
        "lamp",
        7,
        "Pole",
        marker="",
        trunk=(0.3, 0.3),
        solids=(Solid(round=1.0), Solid(0.0, 0.6, -0.5, 0.5, 0.96, 1.0)),
        shadow=Shadow(POLE, POLE, pole=True),
    )
)
