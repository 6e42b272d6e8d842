"""Car: the passenger car, which ego drives too."""

from __future__ import annotations

from sim.actors.base import ActorKind, Carla, LaneTraffic, Length, OpenScenario, Shadow, Solid, Vehicle, register

CAR = register(
    ActorKind(
        "car",
        1,
        "Car",
        Vehicle(),
        drives=True,
        lane_traffic=LaneTraffic(20.0),
        mass=1500.0,
        solids=(Solid(z1=0.6), Solid(-0.38, 0.13, -0.43, 0.43, 0.6, 1.0)),
        shadow=Shadow(low=0.6, high=0.97, upper_length=Length(0.52), upper_width=Length(0.86), back=0.12),
        contact_shadow="wide",
        carla=Carla(
            "vehicle.tesla.model3",
            (
                ("tesla.model3", ("car", 2, "electric")),
                ("lincoln.mkz_2020", ("car", 2, "")),
                ("audi.tt", ("car", 1, "")),
                ("mini.cooper_s", ("car", 1, "")),
                ("nissan.patrol_2021", ("car", 2, "")),
                ("dodge.charger_2020", ("car", 2, "")),
                ("audi.a2", ("car", 1, "")),
                ("audi.etron", ("car", 1, "electric")),
                ("bmw.grandtourer", ("car", 1, "")),
                ("chevrolet.impala", ("car", 1, "")),
                ("citroen.c3", ("car", 1, "")),
                ("dodge.charger_police", ("car", 1, "emergency")),
                ("dodge.charger_police_2020", ("car", 2, "emergency")),
                ("ford.crown", ("car", 2, "taxi")),
                ("ford.mustang", ("car", 1, "")),
                ("jeep.wrangler_rubicon", ("car", 1, "")),
                ("lincoln.mkz_2017", ("car", 1, "")),
                ("mercedes.coupe", ("car", 1, "")),
                ("mercedes.coupe_2020", ("car", 2, "")),
                ("micro.microlino", ("car", 1, "electric")),
                ("mini.cooper_s_2021", ("car", 2, "")),
                ("nissan.micra", ("car", 1, "")),
                ("nissan.patrol", ("car", 1, "")),
                ("seat.leon", ("car", 1, "")),
                ("tesla.cybertruck", ("car", 1, "electric")),
                ("toyota.prius", ("car", 1, "")),
            ),
        ),
        openscenario=OpenScenario("Vehicle", "car", "vehicle.lincoln.mkz_2020"),
    )
)
