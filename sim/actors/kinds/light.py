"""Light: a traffic light on its pole; scenery that stands where the map has a signal."""

from __future__ import annotations

from sim.actors.base import ActorKind, Shadow, Solid, register
from sim.actors.light_head import HEAD_FROM, LAMP_AHEAD, POLE

LIGHT = register(
    ActorKind(
        "light",
        12,
        "TrafficLight",
        marker="block",
        stops_traffic=False,
        trunk=(0.35, 0.35),
        solids=(
            Solid(-0.07, 0.07, -0.07, 0.07, 0.0, HEAD_FROM, 1.0),
            Solid(0.1, LAMP_AHEAD, -0.5, 0.5, HEAD_FROM, 1.0),
        ),
        shadow=Shadow(POLE, POLE, pole=True),
    )
)
