"""Arms of each kind of decision point, and the ways out of it from each arm.

These tables need no compiled map, so that a rule or an actor that does not fit is reported when the file is read.
"""

from __future__ import annotations

import inspect

from scenarios.schema.base import BEHIND_TURNS, COMPASS, EXITS
from scenarios.schema.map import MapModel
from sim.road.generators.registry import GENERATORS

# The kinds of decision points in words, for messages.
CALLED: dict[str, str] = {
    "t": "a T-junction", "x": "a crossing", "exits": "a road with exits", "legs": "two turns in a row",
    "passage": "a narrow passage", "bays": "a street with bays", "street": "a street",
}  # fmt: skip
_ARMS: dict[str, tuple[str, ...]] = {
    "t": ("south", "west", "east"),
    "x": COMPASS,
    "exits": ("south", "north", *EXITS),
    "legs": ("south", "west", "east", *BEHIND_TURNS),
    **dict.fromkeys(("passage", "bays", "street"), ("west", "east")),
}
_WAYS: dict[str, dict[str, tuple[str, ...]]] = {
    "t": {"south": ("left", "right"), "west": ("right", "straight"), "east": ("left", "straight")},
    "x": dict.fromkeys(COMPASS, ("left", "right", "straight")),
    "exits": {"south": ("straight", *(f"exit {k}" for k in range(1, len(EXITS) + 1)))},
    "legs": {"south": ("left then left", "left then right", "right then left", "right then right")},
    "bays": {"west": ("straight",)},
    **{kind: {"west": ("straight",), "east": ("straight",)} for kind in ("passage", "street")},
}


def arms_of(place: MapModel) -> tuple[str, ...]:
    """The arms on which ego, actors and signs may be, on every map that may be drawn."""
    arms = _ARMS[place.kind]
    return arms[: 2 + _exits(place)] if place.kind == "exits" else arms


def ways_of(place: MapModel) -> dict[str, tuple[str, ...]]:
    """Arm on which ego may start -> the decisions that the ways from it show, on every map that may be drawn."""
    ways = _WAYS[place.kind]
    return {arm: found[: 1 + _exits(place)] for arm, found in ways.items()} if place.kind == "exits" else ways


def _exits(place: MapModel) -> int:
    """The least number of exits that may be drawn; a map file is assumed to have them all."""
    if place.generate is None:
        return len(EXITS)
    drawn = place.parameters.get("exits")
    least = drawn.ends[0] if drawn else inspect.signature(GENERATORS[place.generate]).parameters["exits"].default
    return int(least)
