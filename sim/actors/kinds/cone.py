"""Cone: a traffic cone."""

from __future__ import annotations

from sim.actors.base import ActorKind, Carla, OpenScenario, Solid, Vehicle, register

CONE = register(
    ActorKind(
        "cone",
        11,
        "Static",
        Vehicle(
            length=0.4,
            width=0.4,
            height=0.75,
            wheelbase=0.2,
            overhang=0.1,
            max_acceleration=1.0,
            max_braking=1.0,
            max_speed=1.0,
        ),
        mass=3.0,
        solids=(Solid(z1=0.07), Solid(-0.2, 0.2, -0.2, 0.2, 0.07, 1.0, 1.0)),
        contact_shadow="narrow",
        marker="cone",
        carla=Carla(
            "static.prop.trafficcone01",
            props=(
                ("trafficcone01", "230,100,30"),
                ("trafficcone02", "230,100,30"),
                ("constructioncone", "230,100,30"),
            ),
        ),
        openscenario=OpenScenario("MiscObject", "obstacle", "static.prop.constructioncone"),
    )
)
