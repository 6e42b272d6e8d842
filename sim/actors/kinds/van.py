"""Van: the delivery van."""

from __future__ import annotations

from sim.actors.base import ActorKind, Carla, LaneTraffic, OpenScenario, Vehicle, register

VAN = register(
    ActorKind(
        "van",
        2,
        "Car",
        Vehicle(length=5.2, width=2.0, height=2.3, wheelbase=3.2, overhang=1.0),
        drives=True,
        lane_traffic=LaneTraffic(17.0),
        mass=2400.0,
        contact_shadow="wide",
        carla=Carla(
            "vehicle.mercedes.sprinter",
            (
                ("mercedes.sprinter", ("van", 2, "")),
                ("ford.ambulance", ("van", 2, "emergency")),
                ("volkswagen.t2", ("van", 1, "")),
                ("volkswagen.t2_2021", ("van", 2, "")),
            ),
        ),
        openscenario=OpenScenario("Vehicle", "van", "vehicle.mercedes.sprinter"),
    )
)
