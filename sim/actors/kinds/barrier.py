"""Barrier: a boom across its lane, on a post at the right end."""

from __future__ import annotations

from sim.actors.base import ActorKind, Carla, Length, OpenScenario, Shadow, Solid, Vehicle, register

BOOM_POST = 1.65  # [m] from a barrier's middle to its post at the right
HOUSING = Length(0.0, 0.2)  # side of its post
BARRIER = register(
    ActorKind(
        "barrier",
        13,
        "Static",
        # with the boom raised only the post is left, see `sim.road.graph.placement`
        Vehicle(
            length=0.3,
            width=3.5,
            height=1.1,
            wheelbase=0.15,
            overhang=0.15,
            max_acceleration=1.0,
            max_braking=1.0,
            max_speed=1.0,
        ),
        mass=80.0,
        solids=(Solid(y1=-0.443), Solid(-0.1, 0.1, -0.443, 0.5, 0.68, 0.95)),
        shadow=Shadow(HOUSING, HOUSING),
        marker="boom",
        carla=Carla("static.prop.streetbarrier", props=(("streetbarrier", "220,40,40"),)),
        openscenario=OpenScenario("MiscObject", "barrier", "static.prop.streetbarrier"),
    )
)
