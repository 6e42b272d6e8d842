"""The blueprint library: CARLA's blueprint ids and attributes, and which of our bodies each id has.

Both ends read it: the server offers these blueprints, and the client requests them. The server does not know CARLA
blueprints that are missing here; CARLA does not know some of ours (`SUBSTITUTES`).
"""

from __future__ import annotations

import functools
from typing import Any

from sim.actors.registry import ACTOR_KINDS
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
OF_BODY: dict[str, str] = {k.name: k.carla.blueprint for k in ACTOR_KINDS.values() if k.carla is not None}
# Substitutes on a server that does not know a blueprint, as CARLA 0.9.16 does not know ours.
SUBSTITUTES: dict[str, str] = {
    **{k.carla.blueprint: k.carla.substitute for k in ACTOR_KINDS.values() if k.carla and k.carla.substitute},
    BOARD: "static.prop.streetsign",
}
_ADULTS = (*range(1, 9), *range(15, 48))  # CARLA's pedestrians without its children: ours are adults
BLUEPRINTS: dict[str, Blueprint] = {b.id: b for b in (
    *(_vehicle(name, k.name, *about) for k in ACTOR_KINDS.values() if k.carla for name, about in k.carla.models),
    *(Blueprint(f"walker.pedestrian.{n:04d}", "walker", (
        Attribute("is_invincible", BOOL, "false"), Attribute("speed", FLOAT, "1.4", ("0.0", "1.4", "3.0")),
        Attribute("color", COLOUR, _PALETTE[n % len(_PALETTE)], _PALETTE), _role("pedestrian"),
        _OVERLAP,
        _fixed("gender", STRING, "female" if n % 2 else "male"), _fixed("age", STRING, "adult"),
        _fixed("generation", INT, "2"),
    )) for n in _ADULTS),
    Blueprint("controller.ai.walker", "", (_role("default"),)),
    *(Blueprint(f"static.prop.{name}", k.name, (
        Attribute("color", COLOUR, colour), _role("prop"), _fixed("size", STRING, "small"),
    )) for k in ACTOR_KINDS.values() if k.carla for name, colour in k.carla.props),
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
