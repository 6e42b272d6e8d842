"""The blueprint library: CARLA's blueprint ids and attributes, and which of our bodies each id has.

Both ends read it: the server offers these blueprints, and the client requests them. The server does not know CARLA
blueprints that are missing here; CARLA does not know some of ours (`SUBSTITUTES`).
"""

from __future__ import annotations

import functools
from typing import Any

from sim.carla.blueprints import BOOL, COLOUR, FLOAT, INT, STRING, Attribute, Blueprint
from sim.carla.sensor_blueprints import SENSOR_BLUEPRINTS


def _fixed(name: str, kind: int, value: str) -> Attribute:
    return Attribute(name, kind, value, modifiable=False)


def _role(name: str = "") -> Attribute:
    return Attribute("role_name", STRING, name)


# whether it may spawn inside another actor, as it may in the embedded world
_OVERLAP = Attribute("spawn_overlap", BOOL, "false")
_PALETTE = ("180,30,30", "30,70,160", "225,225,225", "35,35,38", "120,125,130", "40,110,60")


def _vehicle(name: str, body: str, base: str, generation: int, special: str) -> Blueprint:
    wheels = "2" if base in ("bicycle", "motorcycle") else "4"
    attributes = (
        Attribute("color", COLOUR, _PALETTE[sum(map(ord, name)) % len(_PALETTE)], _PALETTE),
        Attribute("driver_id", INT, "0"),
        _role("autopilot"),
        Attribute("sticky_control", BOOL, "true"),
        Attribute("terramechanics", BOOL, "false"),
        # largest distance to either side between the requested and the actual spawn place [m]
        Attribute("spawn_jitter", FLOAT, "0.05"),
        _OVERLAP,
        _fixed("object_type", STRING, ""),
        _fixed("base_type", STRING, base),
        _fixed("special_type", STRING, special),
        _fixed("number_of_wheels", INT, wheels),
        _fixed("generation", INT, str(generation)),
        _fixed("has_lights", BOOL, "false" if base == "bicycle" else "true"),
        _fixed("has_dynamic_doors", BOOL, "false"),
    )
    return Blueprint(f"vehicle.{name}", body, attributes)


BOARD = "static.prop.board"  # a roadside sign with the fields of `sim.datatypes.episode.SignSpec`; CARLA has none
# The blueprint of each of our bodies.
OF_BODY: dict[str, str] = {
    "car": "vehicle.tesla.model3", "van": "vehicle.mercedes.sprinter", "truck": "vehicle.carlamotors.firetruck",
    "bicycle": "vehicle.bh.crossbike", "walker": "walker.pedestrian.0001", "cone": "static.prop.trafficcone01",
    "barrier": "static.prop.streetbarrier", "raised_barrier": "static.prop.raisedbarrier", "ball": "static.prop.ball",
}  # fmt: skip
# Substitutes on a server that does not know a blueprint, as CARLA 0.9.16 does not know ours.
SUBSTITUTES: dict[str, str] = {
    "static.prop.raisedbarrier": "static.prop.streetbarrier", "static.prop.ball": "static.prop.trafficcone02",
    BOARD: "static.prop.streetsign",
}  # fmt: skip
# CARLA's vehicles by the body that each has here, with base_type, generation and special_type.
_FLEET: dict[str, dict[str, tuple[str, int, str]]] = {
    "car": {
        "tesla.model3": ("car", 2, "electric"), "lincoln.mkz_2020": ("car", 2, ""), "audi.tt": ("car", 1, ""),
        "mini.cooper_s": ("car", 1, ""), "nissan.patrol_2021": ("car", 2, ""), "dodge.charger_2020": ("car", 2, ""),
        "audi.a2": ("car", 1, ""), "audi.etron": ("car", 1, "electric"), "bmw.grandtourer": ("car", 1, ""),
        "chevrolet.impala": ("car", 1, ""), "citroen.c3": ("car", 1, ""),
        "dodge.charger_police": ("car", 1, "emergency"), "dodge.charger_police_2020": ("car", 2, "emergency"),
        "ford.crown": ("car", 2, "taxi"),
        "ford.mustang": ("car", 1, ""), "jeep.wrangler_rubicon": ("car", 1, ""), "lincoln.mkz_2017": ("car", 1, ""),
        "mercedes.coupe": ("car", 1, ""), "mercedes.coupe_2020": ("car", 2, ""),
        "micro.microlino": ("car", 1, "electric"), "mini.cooper_s_2021": ("car", 2, ""),
        "nissan.micra": ("car", 1, ""), "nissan.patrol": ("car", 1, ""),
        "seat.leon": ("car", 1, ""), "tesla.cybertruck": ("car", 1, "electric"), "toyota.prius": ("car", 1, ""),
    },
    "van": {
        "mercedes.sprinter": ("van", 2, ""), "ford.ambulance": ("van", 2, "emergency"), "volkswagen.t2": ("van", 1, ""),
        "volkswagen.t2_2021": ("van", 2, ""),
    },
    "truck": {
        "carlamotors.firetruck": ("truck", 2, "emergency"), "carlamotors.carlacola": ("truck", 1, ""),
        "carlamotors.european_hgv": ("truck", 2, ""), "mitsubishi.fusorosa": ("bus", 2, ""),
    },
    "bicycle": {
        "bh.crossbike": ("bicycle", 1, ""), "diamondback.century": ("bicycle", 1, ""),
        "gazelle.omafiets": ("bicycle", 1, ""), "harley-davidson.low_rider": ("motorcycle", 1, ""),
        "kawasaki.ninja": ("motorcycle", 1, ""), "vespa.zx125": ("motorcycle", 1, ""),
        "yamaha.yzf": ("motorcycle", 1, ""),
    },
}  # fmt: skip
_ADULTS = (*range(1, 9), *range(15, 48))  # CARLA's pedestrians without its children: ours are adults
BLUEPRINTS: dict[str, Blueprint] = {b.id: b for b in (
    *(_vehicle(name, body, *about) for body, models in _FLEET.items() for name, about in models.items()),
    *(Blueprint(f"walker.pedestrian.{n:04d}", "walker", (
        Attribute("is_invincible", BOOL, "false"), Attribute("speed", FLOAT, "1.4", ("0.0", "1.4", "3.0")),
        Attribute("color", COLOUR, _PALETTE[n % len(_PALETTE)], _PALETTE), _role("pedestrian"),
        _OVERLAP,
        _fixed("gender", STRING, "female" if n % 2 else "male"), _fixed("age", STRING, "adult"),
        _fixed("generation", INT, "2"),
    )) for n in _ADULTS),
    Blueprint("controller.ai.walker", "", (_role("default"),)),
    *(Blueprint(f"static.prop.{name}", body, (
        Attribute("color", COLOUR, colour), _role("prop"), _fixed("size", STRING, "small"),
    )) for name, body, colour in (
        ("trafficcone01", "cone", "230,100,30"), ("trafficcone02", "cone", "230,100,30"),
        ("constructioncone", "cone", "230,100,30"), ("streetbarrier", "barrier", "220,40,40"),
        ("raisedbarrier", "raised_barrier", "220,40,40"), ("ball", "ball", "220,40,40"),
    )),
    Blueprint(BOARD, "sign", (
        Attribute("kind", STRING, "text"), Attribute("text", STRING, "DETOUR"), Attribute("colour", STRING, "white"),
        Attribute("font", STRING, "plain"), Attribute("weathering", FLOAT, "0.0"), _role("prop"),
    )),
    *SENSOR_BLUEPRINTS,
)}  # fmt: skip


@functools.lru_cache(maxsize=1)
def definitions() -> list[list[Any]]:
    """Return every blueprint as an ActorDefinition."""
    return [b.packed(n) for n, b in enumerate(BLUEPRINTS.values(), start=1)]
