"""Raised barrier: the post of a barrier with its boom upright."""

from __future__ import annotations

from sim.actors.base import OWN, ActorKind, Carla, Length, OpenScenario, Shadow, Solid, Vehicle, register

RAISED_BARRIER = register(
    ActorKind(
        "raised_barrier",
        14,
        "Static",
        Vehicle(
            length=0.3,
            width=0.2,
            height=4.2,
            wheelbase=0.15,
            overhang=0.15,
            max_acceleration=1.0,
            max_braking=1.0,
            max_speed=1.0,
        ),
        mass=80.0,
        solids=(Solid(z1=0.262), Solid(-0.1, 0.1, -0.5, 0.5, 0.2, 1.0)),
        shadow=Shadow(low=0.26, high=1.0, upper_length=Length(0.0, 0.1), upper_width=OWN),
        marker="boom_post",
        carla=Carla(
            "static.prop.raisedbarrier", props=(("raisedbarrier", "220,40,40"),), substitute="static.prop.streetbarrier"
        ),
        openscenario=OpenScenario("MiscObject", "pole", "static.prop.streetbarrier"),
    )
)
