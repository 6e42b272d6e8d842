"""Scooter: a rider on a motor scooter, which drives like a bicycle; CARLA's motorcycles have its body too."""

from __future__ import annotations

from sim.actors.base import ActorKind, Carla, Length, OpenScenario, Shadow, Solid, Vehicle, register

SCOOTER = register(
    ActorKind(
        "scooter",
        17,
        "Motorcycle",
        # including the rider
        Vehicle(
            length=1.85,
            width=0.7,
            height=1.72,
            wheelbase=1.28,
            overhang=0.3,
            max_acceleration=2.5,
            max_braking=6.0,
            max_speed=14.0,
        ),
        drives=True,
        mass=190.0,
        wheel=0.23,
        solids=(Solid(y0=-0.25, y1=0.25, z1=0.45), Solid(-0.3, 0.15, -0.4, 0.4, 0.45, 1.0)),
        shadow=Shadow(
            width=Length(0.0, 0.34), low=0.45, high=1.0, upper_length=Length(0.32), upper_width=Length(0.0, 0.5)
        ),
        contact_shadow="narrow",
        marker="dart",
        carla=Carla(
            "vehicle.vespa.zx125",
            (
                ("harley-davidson.low_rider", ("motorcycle", 1, "")),
                ("kawasaki.ninja", ("motorcycle", 1, "")),
                ("vespa.zx125", ("motorcycle", 1, "")),
                ("yamaha.yzf", ("motorcycle", 1, "")),
            ),
        ),
        openscenario=OpenScenario("Vehicle", "motorbike", "vehicle.vespa.zx125"),
    )
)
