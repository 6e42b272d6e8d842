"""Bicycle: a cyclist on a bicycle."""

from __future__ import annotations

from sim.actors.base import ActorKind, Carla, LaneTraffic, Length, OpenScenario, Shadow, Solid, Vehicle, register

BICYCLE = register(
    ActorKind(
        "bicycle",
        9,
        "Bicycle",
        # including the rider
        Vehicle(
            length=1.8,
            width=0.6,
            height=1.7,
            wheelbase=1.1,
            overhang=0.35,
            max_acceleration=1.5,
            max_braking=4.0,
            max_speed=8.0,
        ),
        drives=True,
        lane_traffic=LaneTraffic(4.5, offset=-0.8),
        mass=90.0,
        wheel=0.34,
        solids=(Solid(y0=-0.06, y1=0.06, z1=0.55), Solid(-0.2, 0.14, -0.35, 0.35, 0.5, 1.0)),
        shadow=Shadow(
            width=Length(0.0, 0.12), low=0.55, high=1.0, upper_length=Length(0.3), upper_width=Length(0.0, 0.42)
        ),
        contact_shadow="narrow",
        marker="dart",
        carla=Carla(
            "vehicle.bh.crossbike",
            (
                ("bh.crossbike", ("bicycle", 1, "")),
                ("diamondback.century", ("bicycle", 1, "")),
                ("gazelle.omafiets", ("bicycle", 1, "")),
            ),
        ),
        openscenario=OpenScenario("Vehicle", "bicycle", "vehicle.gazelle.omafiets"),
    )
)
