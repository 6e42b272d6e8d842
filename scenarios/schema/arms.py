"""What a scenario's place of decision offers: its arms, and the ways out of it from each of them.

Said here before any map is compiled, so that a rule or an actor that does not fit is told of when the file is read.
"""

from __future__ import annotations

import inspect

from scenarios.schema.base import BEHIND_TURNS, COMPASS, EXITS
from scenarios.schema.map import MapModel
from sim.road.generators.registry import GENERATORS

# What the kinds of places are called in a sentence.
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
    """The arms on which ego, actors and signs may be, of every map that may be drawn."""
    arms = _ARMS[place.kind]
    return arms[: 2 + _exits(place)] if place.kind == "exits" else arms


def ways_of(place: MapModel) -> dict[str, tuple[str, ...]]:
    """Arm that ego may start on -> the decisions that its ways show, of every map that may be drawn."""
    ways = _WAYS[place.kind]
    return {arm: found[: 1 + _exits(place)] for arm, found in ways.items()} if place.kind == "exits" else ways


def _exits(place: MapModel) -> int:
    """How many exits there are at least; a file is thought to have them all."""
    if place.generate is None:
        return len(EXITS)
    drawn = place.parameters.get("exits")
    least = drawn.ends[0] if drawn else inspect.signature(GENERATORS[place.generate]).parameters["exits"].default
    return int(least)
