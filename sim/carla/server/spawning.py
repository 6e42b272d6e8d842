"""Validate spawn requests: read an actor's attributes, and compute its place."""

from __future__ import annotations

import math
from typing import Any

from sim.actors.signs import POST, SignDesign, pack_sign
from sim.carla.blueprints import BOOL, COLOUR, FLOAT, INT, Attribute, Blueprint
from sim.carla.server.bodies import Bodies
from sim.carla.server.rpc import Refused
from sim.datatypes.episode import SignSpec
from sim.render.assets.sign_art import design_of

COLLISION = "Spawn failed because of collision at spawn position"  # CARLA's own words, which clients search for
SIGN = "sign"  # the body of boards
_TYPES = {BOOL: "true or false", INT: "a whole number", FLOAT: "a finite number", COLOUR: "a colour such as 255,0,0"}


def attributes_of(blueprint: Blueprint, told: list[list[Any]]) -> list[list[Any]]:
    """Return all attributes of an actor in their encoding: the requested values, else the blueprint's defaults.

    Raises:
        Refused: for an attribute that the blueprint does not have, or a value that is not of its type.
    """
    known = {a.id: a for a in blueprint.attributes}
    values: dict[str, str] = {}
    for name, _, value in told:
        if name not in known:
            raise Refused(f"{blueprint.id} has no attribute {name!r}; it has {', '.join(known) or 'none'}")
        if not isinstance(value, str):
            raise Refused(f"{name} of {blueprint.id} is {value!r:.80}; wanted a text")
        if known[name].modifiable:
            values[name] = value
            _check(blueprint, known[name], value)
    return [[a.id, a.type, values.get(a.id, a.value)] for a in blueprint.attributes]


def _check(blueprint: Blueprint, attribute: Attribute, value: str) -> None:
    try:
        if attribute.type == BOOL:
            fits = value.lower() in ("true", "false", "1", "0")
        elif attribute.type == INT:
            fits = int(value) is not None
        elif attribute.type == FLOAT:
            fits = math.isfinite(float(value))
        else:
            fits = attribute.type != COLOUR or appearance_from(value) >= 0
    except (ValueError, Refused):
        fits = False
    if not fits:
        raise Refused(f"{attribute.id} of {blueprint.id} is {value!r}; wanted {_TYPES[attribute.type]}")


FARTHEST = 1e6  # [m] largest coordinate of a place; float32 has steps of 6 cm there


def truth_of(value: str) -> bool:
    """Return whether a BOOL attribute is set."""
    return value.lower() in ("true", "1")


def place_from(place: list[Any]) -> list[list[float]]:
    """Return a transform in floats.

    Raises:
        Refused: for anything but six numbers below FARTHEST.
    """
    numbers = [[float(v) for v in part] for part in place]
    if [len(part) for part in numbers] != [3, 3] or not all(abs(v) < FARTHEST for part in numbers for v in part):
        raise Refused(f"the place {place} cannot be; wanted x, y, z and pitch, yaw, roll, all below {FARTHEST:g}")
    return numbers


def sign_of(body: str, values: dict[str, str]) -> tuple[SignDesign, float] | None:
    """Return the design of a board from its attributes, and its weathering; None for other bodies.

    Raises:
        Refused: for words that no sign has.
    """
    if body != SIGN:
        return None
    try:
        wear = float(values["weathering"])
        return design_of(
            SignSpec("board", values["kind"], values["text"], values["colour"], values["font"], weathering=wear)
        ), wear
    except ValueError as error:
        raise Refused(str(error)) from error


def row_of(fleet: Bodies, body: str, values: dict[str, str], sign: tuple[SignDesign, float] | None) -> int:
    """Return the row of a new body with a blueprint's attributes; `sign` comes from `sign_of`."""
    if sign is None:
        return fleet.add(body, appearance_from(values["color"]))
    face, wear = sign
    return fleet.add_board(pack_sign(face, wear), face.panel[1] + face.panel[2], POST)


def appearance_from(colour: str) -> int:
    """Return packed 0xRRGGBB of a colour in CARLA's notation, such as "255,0,0".

    Raises:
        Refused: for an invalid colour.
    """
    try:
        red, green, blue = (int(v) for v in colour.split(","))
    except ValueError as error:
        raise Refused(f"{colour!r} is no colour; wanted three numbers such as 255,0,0") from error
    if not all(0 <= v <= 255 for v in (red, green, blue)):
        raise Refused(f"{colour!r} is no colour; wanted numbers of 0 to 255")
    return red << 16 | green << 8 | blue


def jittered(place: list[Any], most: float, number: int) -> list[Any]:
    """Return a place moved a little to one side, pseudo-randomly by `number`, the count of spawns on the map.

    Agents that search for actors ahead at an angle of more than 0 degrees miss one that is exactly ahead.
    """
    share = ((number * 2654435761) & 0xFFFF) / 0xFFFF  # Knuth's multiplicative hash
    offset = most * (share + 0.2) / 1.2 * (1.0 if number % 2 else -1.0)
    (x, y, z), (pitch, yaw, roll) = place
    cos, sin = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    return [[x - sin * offset, y + cos * offset, z], [pitch, yaw, roll]]
