"""Ball: a ball that rolls onto the road; it rolls away from what touches it."""

from __future__ import annotations

from sim.actors.base import ActorKind, Carla, OpenScenario, Solid, Vehicle, register

BALL = register(
    ActorKind(
        "ball",
        15,
        "Dynamic",
        Vehicle(
            length=0.5,
            width=0.5,
            height=0.5,
            wheelbase=0.2,
            overhang=0.25,
            max_acceleration=1.0,
            max_braking=1.0,
            max_speed=10.0,
        ),
        collides=False,
        mass=0.4,
        solids=(Solid(round=1.0),),
        contact_shadow="narrow",
        marker="ball",
        carla=Carla("static.prop.ball", props=(("ball", "220,40,40"),), substitute="static.prop.trafficcone02"),
        openscenario=OpenScenario("MiscObject", "obstacle", "static.prop.ball"),
    )
)
