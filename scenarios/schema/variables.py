"""Variables of a scenario file: distributions, weather formulas, and variables that no proposition may read."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from scenarios.reading.yaml import KeyPath, Lines
from scenarios.rules.conditions import parse_number
from scenarios.rules.numbers import Number
from scenarios.rules.propositions import renamed
from scenarios.rules.variables import hidden_variables, variables_of
from scenarios.schema.actors import LATER
from scenarios.schema.distributions import Distribution
from scenarios.schema.map import FileModel
from sim.core.errors import known_names
from sim.datatypes.vocabulary import WEATHER_FIELDS


def draws_of(model: FileModel) -> dict[str, Distribution]:
    """Every drawn variable of a file with its distribution, in the order of drawing.

    Keys that were added to the file format later are drawn later, so that the draws of older files do not change.
    """
    found: dict[str, Distribution] = {f"map.{k}": v for k, v in sorted(model.map.parameters.items())}
    found |= {f"ego.{k}": getattr(model.ego, k) for k in ("start", "distance", "speed")}
    for name in WEATHER_FIELDS:
        value = getattr(model.weather, name)
        if isinstance(value, Distribution):
            found[f"weather.{name}"] = value
    for actor in model.actors:
        values = {k: getattr(actor, k) for k in type(actor).model_fields if k != "name" and k not in LATER}
        found |= {f"actors.{actor.name}.{k}": v for k, v in values.items() if isinstance(v, Distribution)}
    for sign in model.signs:
        found |= {f"signs.{sign.name}.{k}": getattr(sign, k) for k in type(sign).model_fields if k != "name"}
    for change in model.changes:
        values = {k: getattr(change, k) for k in ("after", "over", *change.fields)}
        found |= {f"changes.{change.name}.{k}": v for k, v in values.items() if isinstance(v, Distribution)}
    if model.traffic is not None:
        found |= {f"traffic.{k}": v for k, v in model.traffic.draws.items()}
    for actor in model.actors:
        if actor.script is not None:
            found |= {f"actors.{actor.name}.script.{k}": v for k, v in actor.script.draws.items()}
    for actor in model.actors:
        later = {k: getattr(actor, k) for k in LATER}
        found |= {f"actors.{actor.name}.{k}": v for k, v in later.items() if v is not None}
        if actor.tailgates is not None:
            found[f"actors.{actor.name}.tailgates.gap"] = actor.tailgates.gap
    if model.driver_state is not None:
        found |= {f"driver_state.{k}": v for k, v in model.driver_state.draws.items()}
    return found


def more_of(model: FileModel) -> tuple[str, ...]:
    """Variables that only this file has: its map's parameters, and the demonstrator's driver state."""
    state = variables_of("driver_state") if model.driver_state is not None else ()
    return (*(f"map.{k}" for k in sorted(model.map.parameters)), *(v.pattern for v in state))


def unobservable_variables(model: FileModel) -> dict[str, str]:
    """Variables that no proposition may read, each with the reason: a draw or a world does not show their value."""
    return hidden_variables(model, draws_of(model))


def couplings_of(model: FileModel, lines: Lines) -> dict[str, Number]:
    """The weather formulas by variable name, each after those that it depends on.

    In the formulas of a change, a name means the field's value after the change. For a field that the change leaves
    alone, and for the formula's own field, it means the value before the change.

    Raises:
        ScenarioError: for a formula that cannot be read, or formulas that depend on each other.
    """
    before = {n: f"weather.{n}" for n in WEATHER_FIELDS}
    found = _ordered(model.weather, ("weather",), "weather", before, lines)
    for i, change in enumerate(model.changes):
        after = before | {n: f"changes.{change.name}.{n}" for n in change.fields}
        found |= _ordered(change, ("changes", i), f"changes.{change.name}", after, lines, before)
        before = after
    return found


def _ordered(
    values: Any, path: KeyPath, prefix: str, now: Mapping[str, str], lines: Lines,
    before: Mapping[str, str] | None = None,
) -> dict[str, Number]:  # fmt: skip
    """The formulas of one weather by variable name, each after those that it depends on.

    Args:
        now: field -> variable; before: the same for a formula's own field, which only a change may read.
    """
    numbers: dict[str, Number] = {}
    for n in WEATHER_FIELDS:
        if isinstance(text := getattr(values, n), str):
            number = lines.at((*path, n), functools.partial(parse_number, text, WEATHER_FIELDS))
            own = {n: before[n]} if before else {}
            numbers[f"{prefix}.{n}"] = renamed(number, {**now, **own}.__getitem__)
    ordered: dict[str, Number] = {}
    while len(ordered) < len(numbers):
        ready = [n for n in numbers if n not in ordered and all(v not in numbers or v in ordered
                 for v in numbers[n].variables())]  # fmt: skip
        if not ready:
            stuck = [n.rpartition(".")[2] for n in numbers if n not in ordered]
            raise lines.error((*path, stuck[0]), f"{known_names(stuck)} depend on each other; wanted no circle")
        ordered |= {n: numbers[n] for n in ready}
    return ordered
