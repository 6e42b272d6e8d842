"""Walker: a pedestrian."""

from __future__ import annotations

from sim.actors.base import ActorKind, Carla, Length, OpenScenario, Shadow, Solid, Vehicle, register

WALKER = register(
    ActorKind(
        "walker",
        10,
        "Pedestrian",
        # bodies that are no vehicles have "axles" so close together that they turn on the spot
        Vehicle(
            length=0.5,
            width=0.6,
            height=1.75,
            wheelbase=0.25,
            overhang=0.125,
            max_acceleration=2.0,
            max_braking=4.0,
            max_speed=3.0,
        ),
        mass=75.0,
        solids=(Solid(-0.4, 0.4, -0.4, 0.4, 0.0, 1.0, 1.0),),
        shadow=Shadow(Length(0.7), Length(0.7)),
        contact_shadow="narrow",
        marker="disc",
        carla=Carla("walker.pedestrian.0001"),
        openscenario=OpenScenario("Pedestrian", "pedestrian", "walker.pedestrian.0001"),
    )
)
