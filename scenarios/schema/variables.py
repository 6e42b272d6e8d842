"""Variables of a scenario file: distributions, weather formulas, and variables that no proposition may read."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from scenarios.reading.yaml import KeyPath, Lines
from scenarios.rules.conditions import parse_number
from scenarios.rules.numbers import Number
from scenarios.rules.propositions import renamed
from scenarios.schema.actors import LATER, ActorModel
from scenarios.schema.distributions import Constant, Distribution
from scenarios.schema.map import FileModel
from sim.core.errors import known_names
from sim.datatypes.vocabulary import WEATHER_FIELDS

_COUNTS = "traffic.vehicles, traffic.walkers or traffic.lights"


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
    moods = ("driver_state.drowsy", "driver_state.hurry") if model.driver_state is not None else ()
    return (*(f"map.{k}" for k in sorted(model.map.parameters)), *moods)


def unobservable_variables(model: FileModel) -> dict[str, str]:
    """Variables that no proposition may read, each with the reason: a draw or a world does not show their value."""
    found: dict[str, str] = {}
    for variable in draws_of(model):
        if variable.startswith("changes."):
            told = "is in the future, and no driver can know it; wanted a present value"
            found[variable] = f"{told}, such as 'weather.precipitation > 20'"
        elif variable.endswith((".stop_duration", ".takes_turns", ".yield_timeout", ".tailgates.gap")):
            actor = variable.split(".")[1]
            found[variable] = f"is how the actor drives, which no world shows; wanted 'actors.{actor}.turn'"
        elif ".script." in variable:
            actor = variable.split(".")[1]
            found[variable] = (
                f"is what the actor waits for or will do, which no world shows; wanted 'actors.{actor}.present'"
            )
    for named in model.actors:
        if not _stands_ahead(named, model):
            told = "changes on the way, so that no draw determines it at the time of the decision"
            wanted = "wanted an actor that stands still on ego's own lane"
            found[f"actors.{named.name}.distance"] = f"{told}; {wanted}, or 'actors.{named.name}.present'"
        if named.script is not None:
            told = "follows a script, so that no draw determines it at the time of the decision"
            found[f"actors.{named.name}.speed"] = f"{told}; wanted 'actors.{named.name}.present'"
        elif (
            any(x is not None for x in (named.tailgates, named.stop_duration, named.yield_timeout))
            or named.takes_turns.ends[1]
        ):
            told = "depends on other road users, so that no draw determines it at the time of the decision"
            found[f"actors.{named.name}.speed"] = f"{told}; wanted 'actors.{named.name}.present'"
        told = "is known only in a running world, and no draw determines it"
        found[f"actors.{named.name}.halted"] = f"{told}; wanted 'actors.{named.name}.present'"
    if model.traffic is not None:
        for field in ("vans", "trucks", "bicycles"):
            found[f"traffic.{field}"] = f"is a share and not a number of vehicles; wanted {_COUNTS}"
        found["traffic.parked"] = f"cannot be seen in a world: a parked car looks like a waiting one; wanted {_COUNTS}"
        if model.traffic.parked.ends[1] > 0:
            told = "cannot be counted in a world with parked cars, which look like waiting ones"
            found["traffic.vehicles"] = f"{told}; wanted 'parked: 0', or 'traffic.walkers'"
    return found


def _stands_ahead(actor: ActorModel, model: FileModel) -> bool:
    """Whether an actor always stands still on the lane on which ego approaches, whatever is drawn."""
    same = actor.arm.fixed and model.ego.start.fixed and actor.arm.ends == model.ego.start.ends
    return same and actor.script is None and actor.speed == Constant(0.0) and actor.lane == Constant("inbound")


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
