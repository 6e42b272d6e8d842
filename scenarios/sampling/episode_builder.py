"""Builds an episode from the values of a scenario's variables, and replaces variables of an episode."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scenarios.scenario import Scenario
from scenarios.schema.actors import ActorModel, DriverStateModel, TrafficModel
from scenarios.schema.map import SignModel
from sim.datatypes.episode import (
    ActorSpec,
    DriverState,
    Episode,
    MapSpec,
    Script,
    SignSpec,
    TrafficSpec,
    Weather,
    WeatherChange,
)

Count = Callable[[MapSpec], int]
_ACTOR_FIELDS = tuple(k for k in ActorModel.model_fields if k not in ("name", "script", "tailgates", "bay"))
_SIGN_FIELDS = tuple(k for k in SignModel.model_fields if k != "name")


def episode_of(scenario: Scenario, seed: int, values: Mapping[str, Any], u: float, junctions: Count) -> Episode:
    """Build the episode in which every variable of a scenario has the given value.

    Args:
        values: variable -> value, of all drawn variables and of those that follow from them.
        u: 0 to 1, chooses a junction where the scenario leaves it open; junctions: how many a map has.
    """
    actors = tuple(
        ActorSpec(
            a.name,
            **{k: values[f"actors.{a.name}.{k}"] for k in _ACTOR_FIELDS if getattr(a, k) is not None},
            script=_script(a, values),
            bay=a.bay,
            tailgates=None if a.tailgates is None else values[f"actors.{a.name}.tailgates.gap"],
        )
        for a in scenario.actors
    )
    signs = tuple(SignSpec(s.name, **{k: values[f"signs.{s.name}.{k}"] for k in _SIGN_FIELDS}) for s in scenario.signs)
    weather = Weather(**{k: values[f"weather.{k}"] for k in _WEATHER})
    changes = tuple(
        WeatherChange(
            values[f"changes.{c.name}.after"], values[f"changes.{c.name}.over"],
            tuple((f, values[f"changes.{c.name}.{f}"]) for f in c.fields), c.name,
        )
        for c in scenario.changes
    )  # fmt: skip
    return Episode(
        scenario.name, seed, _map(scenario, values, u, junctions), values["ego.start"], values["ego.distance"],
        values["ego.speed"], weather, actors, scenario.time_limit, scenario.finish, signs, changes,
        _traffic(scenario.traffic, values), way=scenario.way, decision_spec=scenario.decision_spec,
        driver_state=_mood(scenario.driver_state, values),
    )  # fmt: skip


def _script(actor: ActorModel, values: Mapping[str, Any]) -> Script | None:
    if actor.script is None:
        return None
    drawn = {k: values[f"actors.{actor.name}.script.{k}"] for k in actor.script.draws}
    return Script(actor.script.path, **drawn, speeds=actor.script.speeds)


def _traffic(model: TrafficModel | None, values: Mapping[str, Any]) -> TrafficSpec | None:
    return None if model is None else TrafficSpec(**{k: values[f"traffic.{k}"] for k in model.draws})


def _mood(model: DriverStateModel | None, values: Mapping[str, Any]) -> DriverState | None:
    return None if model is None else DriverState(**{k: values[f"driver_state.{k}"] for k in model.draws})


_WEATHER = tuple(vars(Weather()))


def _map(scenario: Scenario, values: Mapping[str, Any], u: float, junctions: Count) -> MapSpec:
    model = scenario.map
    index = model.junction.index if model.junction is not None else 0
    if model.generate is not None:
        parameters = tuple((k, values[f"map.{k}"]) for k in sorted(model.parameters))
        return MapSpec(model.generate, parameters, junction=index or 0, kind=model.kind)
    assert model.file is not None
    file, sha256 = identify_map(model.file, scenario.folder, scenario.map_search)
    spec = MapSpec(None, (), file, sha256, 0 if model.junction is None else index or 0, model.kind)
    if model.junction is not None and index is None:
        if (count := junctions(spec)) < 1:
            raise ValueError(f"map {file} has no junction of kind '{model.kind}'")
        return replace(spec, junction=int(u * count))
    return spec


def identify_map(file: str, folder: Path | None, search: Sequence[Path] | None = None) -> tuple[str, str]:
    """A map file's path and SHA-256. A file beside the scenario gets its full path, so that any reader finds it.

    Args:
        folder: the scenario's; search: folders to look in after it, None for `default_search()`.

    Raises:
        FileNotFoundError: listing where the file was looked for.
    """
    from sim.road.map.loading import default_search, find_file  # late: see count_junctions

    after = default_search() if search is None else search
    path = find_file(file, [*([folder] if folder else []), *after])
    beside = folder is not None and path.resolve() == (folder / file).resolve()
    stat = path.stat()
    return str(path.resolve()) if beside else file, _sha256(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=64)
def _sha256(path: Path, changed: int, size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ------------------------------------------------------------------------------------------------------- changes
def replaced(episode: Episode, values: Mapping[str, Any]) -> Episode:
    """The episode with some variables changed and all else unchanged."""

    def of(prefix: str) -> dict[str, Any]:
        return {v.removeprefix(prefix): x for v, x in values.items() if v.startswith(prefix)}

    changes = tuple(_turned(c, of(f"changes.{c.name}.")) for c in episode.changes)
    return replace(
        episode,
        weather=replace(episode.weather, **of("weather.")),
        actors=tuple(replace(a, **of(f"actors.{a.name}.")) for a in episode.actors),
        signs=tuple(replace(s, **of(f"signs.{s.name}.")) for s in episode.signs),
        changes=changes,
        traffic=replace(episode.traffic, **of("traffic.")) if episode.traffic else None,
        map=replace(episode.map, parameters=tuple((k, of("map.").get(k, v)) for k, v in episode.map.parameters)),
        driver_state=replace(episode.driver_state, **of("driver_state.")) if episode.driver_state else None,
        **of("ego."),
    )


def _turned(change: WeatherChange, new: Mapping[str, Any]) -> WeatherChange:
    """A weather change with some of its variables replaced."""
    to = tuple((field, new.get(field, value)) for field, value in change.to)
    return replace(change, at=new.get("after", change.at), over=new.get("over", change.over), to=to)
