"""Truck: the lorry with a box; CARLA's bus has its body too."""

from __future__ import annotations

from sim.actors.base import ActorKind, Carla, LaneTraffic, OpenScenario, Vehicle, register

TRUCK = register(
    ActorKind(
        "truck",
        3,
        "Truck",
        Vehicle(length=8.2, width=2.4, height=3.2, wheelbase=4.6, overhang=2.0),
        drives=True,
        lane_traffic=LaneTraffic(13.0),
        mass=9000.0,
        wheel=0.5,
        contact_shadow="wide",
        carla=Carla(
            "vehicle.carlamotors.firetruck",
            (
                ("carlamotors.firetruck", ("truck", 2, "emergency")),
                ("carlamotors.carlacola", ("truck", 1, "")),
                ("carlamotors.european_hgv", ("truck", 2, "")),
                ("mitsubishi.fusorosa", ("bus", 2, "")),
            ),
        ),
        openscenario=OpenScenario("Vehicle", "truck", "vehicle.carlamotors.carlacola"),
    )
)
