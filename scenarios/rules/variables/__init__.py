"""Variables that propositions may read, and their values in a concrete draw and in running worlds.

Each family of variables is one file, which declares everything about them; importing this package registers them all.
docs/reference/rule-language.md has the table of all variables, and docs/how-to/add-a-variable.md says how to add one.

In a draw, variables have their values at the time of the decision, with the weather after all its changes. In a running
world they have their values now. A board is readable while it is 5 to 10 m ahead of ego's camera. An absent actor or
sign has speed and weathering 0, no words, and kind "none".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from scenarios.rules.variables.base import (
    FAMILIES,
    VARIABLES,
    Approach,
    Boards,
    Family,
    Layout,
    Lookup,
    Scene,
    Variable,
    find,
    hidden,
)
from scenarios.rules.variables.words import number_in, text_equals
from sim.core.discovery import import_modules
from sim.datatypes.episode import Episode
from sim.datatypes.road_map import MapArrays
from sim.datatypes.world_state import World
from sim.world.weather_schedule import settled

__all__ = [
    "conditions_of",
    "declared",
    "drawn_in",
    "event_of",
    "family_named",
    "family_of",
    "functions",
    "hidden_variables",
    "known_variables",
    "number_in",
    "reads_of",
    "reads_on_approach",
    "shown",
    "text_equals",
    "type_of",
    "value_in",
    "value_on",
    "value_on_approach",
    "variables_of",
]  # fmt: skip

import_modules(__name__)


# ------------------------------------------------------------------------------------------------- what there is
def variables_of(head: str) -> tuple[Variable, ...]:
    """The declared variables of a family, without functions."""
    return tuple(v for v in VARIABLES.values() if v.family.head == head and not v.function)


def known_variables(actors: Sequence[str], signs: Sequence[str] = (), traffic: bool = False) -> tuple[str, ...]:
    """Every variable that a proposition may read where the scenario has these actors and signs, and any traffic."""
    return tuple(
        v.named(name)
        for family in sorted(FAMILIES.values(), key=lambda family: family.order)
        for name in family.names(actors, signs, traffic)
        for v in variables_of(family.head)
    )


def functions() -> dict[str, Variable]:
    """The functions of words and of signs, such as `sign("DETOUR")`, by name."""
    return {v.function: v for v in VARIABLES.values() if v.function}


def declared(variable: str) -> Variable | None:
    """The declaration of a variable; None for a drawn variable that no proposition reads."""
    return find(variable).declared


def family_named(variable: str) -> Family:
    """The family that a variable belongs to, readable or not.

    Raises:
        KeyError: for a variable of no family.
    """
    found = find(variable).declared
    return found.family if found else FAMILIES[variable.partition(".")[0]]


def event_of(name: str) -> str | None:
    """The number variable that rises when an event such as `junction` happens; None for what is no event."""
    found = VARIABLES.get(name)
    return found.rises_with or None if found else None


def family_of(variable: str) -> str | None:
    """The family of units (`scenarios.rules.units`) that a variable is measured in; None for a bare number."""
    found = find(variable).declared
    return found.unit if found else None


def type_of(variable: str) -> str:
    """The type of the variable's values: "truth", "words" or "number"."""
    found = find(variable).declared
    return found.type if found else "number"


def conditions_of(variable: str) -> Mapping[str, Any]:
    """Values that other variables must have for this one to be observable: an absent sign has no text."""
    return find(variable).conditions


def reads_of(variable: str, boards: Boards) -> tuple[str, ...]:
    """The drawn variables that determine a variable."""
    found = find(variable)
    if found.declared is None or found.declared.reads is None:
        return (variable,)
    return tuple(found.declared.reads(found.name, boards))


def reads_on_approach(variable: str, layout: Layout) -> tuple[str, ...]:
    """The drawn variables that a variable depends on during the approach, besides ego's own."""
    found = find(variable)
    if found.declared is not None and found.declared.reads_on_approach is not None:
        return tuple(found.declared.reads_on_approach(found.name, layout))
    return (*reads_of(variable, layout), *found.conditions)


def hidden_variables(model: Any, drawn: Iterable[str]) -> dict[str, str]:
    """Variables that no proposition of a file may read, each with the reason and what is wanted.

    Args:
        model: the file, a `scenarios.schema.map.FileModel`.
        drawn: the file's drawn variables.
    """
    found = {variable: told for variable in drawn if (told := hidden(variable))}
    for v in VARIABLES.values():
        if v.refused is not None:
            for name, thing in v.family.things(model).items():
                if told := v.refused(thing, model):
                    found[v.named(name)] = told
    return found


# ------------------------------------------------------------------------------------------------- values in a draw
def shown(variable: str, drawn: Lookup) -> Any:
    """The value of a variable that a driver can observe, given the drawn values.

    Args:
        drawn: variable -> its drawn value, a scalar or (n,), whether or not it is observable.
    """
    found, _, conditions = find(variable)
    if found is None:
        return drawn(variable)
    value = drawn(variable) if found.in_draw is None else found.in_draw(variable, drawn)
    for other, wanted in conditions.items():
        shows = drawn(other) == wanted
        value = np.where(shows, value, found.absent) if np.ndim(shows) else value if shows else found.absent
    return value


def drawn_in(episode: Episode, variable: str) -> Any:
    """The drawn value of any variable of a scenario, also of `changes.<name>.<field>`, `ego.start` and the map.

    The weather is that of the start.

    Raises:
        ValueError: for an actor, a script, a sign, a change or traffic that the episode lacks.
    """
    head, _, tail = variable.partition(".")
    return FAMILIES[head].drawn(episode, tail)


def value_in(episode: Episode, variable: str) -> Any:
    """The value of a proposition's variable in a concrete draw, at the time of the decision.

    Raises:
        ValueError: for an actor or a sign that the episode lacks.
    """
    last = replace(episode, weather=settled(episode)) if episode.changes else episode
    return shown(variable, lambda other: drawn_in(last, other))


def value_on_approach(variable: str, approach: Approach) -> Any:
    """The value of a variable along nominal approaches: anything that broadcasts to (n, T)."""
    found, name, _ = find(variable)
    if found is not None and found.on_approach is not None:
        return found.on_approach(approach, name)
    return shown(variable, approach.drawn.__getitem__)


# ---------------------------------------------------------------------------------------------- values in worlds
def value_on(
    world: World, variable: str, actors: Sequence[str], signs: Sequence[str], bank: MapArrays | None = None,
    seen: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """The value of a proposition's variable in B running worlds now: (B,).

    Args:
        actors, signs: names, in the order of their slots.
        bank: arrays of the maps, for `ego.junctions`.
        seen: (B, N - 1) bool by slot, as in `sim.perception.visibility.Sight`: an occluded board cannot be read.
            None occludes no board.

    Raises:
        ValueError: where the worlds have no slot for the actor or the sign, for junctions without a bank, and for a
            variable that no world shows.
    """
    found, name, _ = find(variable)
    if found is None:
        raise ValueError(f"{variable} is a drawn variable that no world shows")
    return np.asarray(found.in_worlds(Scene(world, actors, signs, bank, seen), name))
