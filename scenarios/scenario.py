"""A scenario: distributions of worlds, propositions about them, and the expert's hidden rule.

A scenario is one YAML file; `load_scenario` reads one by name or path and checks it as a whole. Every mistake is a
`ScenarioError` with file, line, what was found and the known names. Scenarios are frozen: `with_rule` and
`with_map` return changed copies, checked again. Arms are named as seen with the stem of the T at the bottom.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scenarios.reading.yaml import KeyPath, Lines, ScenarioError, check, read_yaml
from scenarios.rules.ast import Constant, Formula, Name, Rule
from scenarios.rules.numbers import Number
from scenarios.rules.parse import Definition, check_name, expanded, parse_formula, parse_rule
from scenarios.rules.propositions import Proposition, parse_proposition
from scenarios.schema.actors import ActorModel, DriverStateModel, TrafficModel
from scenarios.schema.base import options_of
from scenarios.schema.consistency import check_arms, check_decision, check_names, check_presences, check_times
from scenarios.schema.distributions import Distribution
from scenarios.schema.map import ChangeBase, FileModel, MapModel, SignModel
from scenarios.schema.variables import couplings_of, draws_of, more_of, unobservable_variables
from scenarios.schema.where import definitions_of
from sim.core.errors import did_you_mean, known_names
from sim.datatypes.episode import DecisionSpec
from sim.datatypes.world_state import World
from sim.sensors.base import Sensor

__all__ = ["ALL_EPISODES", "Scenario", "ScenarioError", "from_data", "from_text", "load_scenario", "scenario_names"]

ALL_EPISODES = "every"  # the split that every scenario has: all cells, as in the unsplit sampling
FOR_PEOPLE = ("description", "why_hard", "shown_by")  # keys that only people read


@dataclass(frozen=True, eq=False)
class Scenario:
    """A checked scenario.

    Args:
        name, description: for people; the name also seeds the draws.
        map: generator or file, and the junction's kind.
        actors: in the order of their slots.
        draws: variable -> its distribution, such as "weather.precipitation" -> Uniform(0, 70), in the order of drawing.
        couplings: weather variable, also of a change -> formula over other such; in an order that can be computed.
        presences: "actors.<name>.present" -> formula over propositions: correlated on purpose.
        propositions: Boolean conditions on an episode, in the order of a cell's entries.
        rule: the expert's hidden rule, with all defined names expanded.
        time_limit: [s]; finish: metres beyond the junction [m].
        balance: proposition -> its wanted frequency among the episodes of one decision; one half where not given.
        splits: name -> formula over propositions that admits cells.
        known_leaks: variables that are meant to predict the decision.
        data: the file's content, as plain data.
        folder: the file's folder, where map files are looked for first; None where there was no file.
        sensors: ego's sensors in Gymnasium's environments besides camera and speed, by name.
        signs: in the order of their slots, which follow the actors'.
        changes: of the weather; those of one field do not overlap and end within the time limit.
        traffic: other road users, in slots that follow the signs'; None for no traffic and traffic lights that are off.
        decision_spec: how a drive shows the decision; None where it is the way out.
        way: the decision of ego's only way; "" where ego chooses.
        driver_state: distributions of the demonstrator's state; None for an alert and calm one.
        definitions: name -> formula or rule of `where:`, in the file's order, as written; for people.
        why_hard: for people: what distinguishes reasoning from pattern matching here.
        shown_by: for people: proposition -> where the learner's sensors show it.
        map_search: folders where map files are looked for next; None for `sim.road.map.loading.default_search()`.
    """

    name: str
    description: str
    map: MapModel
    actors: tuple[ActorModel, ...]
    draws: Mapping[str, Distribution]
    couplings: Mapping[str, Number]
    presences: Mapping[str, Formula]
    propositions: tuple[Proposition, ...]
    rule: Rule
    time_limit: float
    finish: float
    balance: Mapping[str, float]
    splits: Mapping[str, Formula]
    known_leaks: tuple[str, ...]
    data: Mapping[str, Any] = field(repr=False)
    folder: Path | None = None
    sensors: Mapping[str, Sensor] = field(default_factory=dict)
    signs: tuple[SignModel, ...] = ()
    changes: tuple[ChangeBase, ...] = ()
    traffic: TrafficModel | None = None
    decision_spec: DecisionSpec | None = None
    way: str = ""
    driver_state: DriverStateModel | None = None
    definitions: Mapping[str, Definition] = field(default_factory=dict)
    why_hard: str = ""
    shown_by: Mapping[str, str] = field(default_factory=dict)
    map_search: tuple[Path, ...] | None = None

    @property
    def rule_text(self) -> str:
        """The rule as in the file, with defined names not expanded."""
        return str(parse_rule(self.data["rule"], None, self.definitions))

    @property
    def anger_trigger(self) -> Formula | None:
        """The formula over propositions that angers the demonstrator; None where nothing does."""
        if self.driver_state is None or not self.driver_state.angered_by:
            return None
        return expanded(Name(self.driver_state.angered_by), self.definitions)  # type: ignore[return-value]

    @property
    def proposition_names(self) -> tuple[str, ...]:
        """The propositions' names, in the order of a cell's entries."""
        return tuple(p.name for p in self.propositions)

    def proposition(self, name: str) -> Proposition:
        """The proposition of that name.

        Raises:
            ValueError: naming the known propositions.
        """
        for proposition in self.propositions:
            if proposition.name == name:
                return proposition
        known = self.proposition_names
        raise ValueError(
            f"scenario {self.name} has no proposition '{name}'; "
            f"known are {known_names(known)}{did_you_mean(name, known)}"
        )

    def split(self, name: str) -> Formula:
        """The formula that admits cells to a split; `every` admits all.

        Raises:
            ValueError: naming the known splits.
        """
        if name not in self.splits:
            known = known_names(self.splits)
            raise ValueError(
                f"scenario {self.name} has no split '{name}'; known are {known}{did_you_mean(name, self.splits)}"
            )
        return self.splits[name]

    def with_rule(self, text: str) -> Scenario:
        """The same scenario with another rule.

        Raises:
            ScenarioError: where the rule does not fit.
        """
        return self._changed({"rule": text})

    def with_map(self, data: Mapping[str, Any]) -> Scenario:
        """The same scenario on another map, such as `with_map({"file": "Town02.xodr", "junction": "t_junction"})`.

        Raises:
            ScenarioError: where the map is unknown.
        """
        return self._changed({"map": dict(data)})

    def with_name(self, name: str) -> Scenario:
        """The same scenario under another name, so that its draws differ.

        Raises:
            ScenarioError: for an invalid name.
        """
        return self._changed({"name": name})

    def _changed(self, data: Mapping[str, Any]) -> Scenario:
        return from_data({**self.data, **data}, self.folder, map_search=self.map_search)

    def digest(self) -> str:
        """SHA-256 of the meaning of the scenario: its data without FOR_PEOPLE, and its propositions' order."""
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        data = {k: v for k, v in self.data.items() if k not in FOR_PEOPLE}
        text = json.dumps([data, self.proposition_names], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scenario) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._digest)

    @property
    def _identity(self) -> tuple[object, ...]:
        return self._digest, self.folder, self.map_search


# ----------------------------------------------------------------------------------------------- reading
def truth_of(scenario: Scenario, world: World) -> dict[str, np.ndarray]:
    """The truth of every proposition in the rows of `world` now: name -> (B,) bool."""
    return {p.name: p.on_world(world) for p in scenario.propositions}


def scenario_names() -> tuple[str, ...]:
    """Names of the scenarios that come with the package, sorted."""
    library = importlib.resources.files("scenarios.library")
    return tuple(sorted(f.name.removesuffix(".yaml") for f in library.iterdir() if f.name.endswith(".yaml")))


def load_scenario(name_or_path: str | Path, map_search: Sequence[Path] | None = None) -> Scenario:
    """Read a scenario of the library by name, or any scenario file by path (what ends in .yaml or .yml).

    Args:
        map_search: folders of OpenDRIVE files, as in `Scenario`.

    Raises:
        ScenarioError: for an unknown name, a missing file, or any mistake in it, with file and line.
    """
    text, folders = str(name_or_path), None if map_search is None else tuple(map_search)
    if text.endswith((".yaml", ".yml")):
        path = Path(text)
        try:
            return from_text(path.read_text("utf-8"), text, path.resolve().parent, folders)
        except OSError as error:
            raise ScenarioError(f"{text}: cannot be read: {error.strerror}; known scenarios are {_known()}") from None
        except UnicodeDecodeError as error:
            raise ScenarioError(f"{text}: is not UTF-8 text: {error.reason} at byte {error.start}") from None
    if text not in scenario_names():
        raise ScenarioError(
            f"unknown scenario '{text}'; known are {_known()}{did_you_mean(text, scenario_names())}; "
            "a file is given by a path that ends in .yaml"
        )
    return _from_library(text, folders)


@functools.lru_cache(maxsize=64)
def _from_library(name: str, map_search: tuple[Path, ...] | None) -> Scenario:
    file = importlib.resources.files("scenarios.library").joinpath(f"{name}.yaml")
    return from_text(file.read_text("utf-8"), f"{name}.yaml", map_search=map_search)


def _known() -> str:
    return known_names(scenario_names())


def from_text(
    text: str, where: str = "scenario", folder: Path | None = None, map_search: tuple[Path, ...] | None = None
) -> Scenario:
    """Read a scenario from YAML text.

    Args:
        where: the file's name for messages.
        folder, map_search: where map files are looked for, as in `Scenario`.

    Raises:
        ScenarioError: for any mistake, with `where` and the line.
    """
    data, lines = read_yaml(text, where)
    return _build(data, lines, folder, map_search)


def from_data(
    data: Mapping[str, Any], folder: Path | None = None, lines: Lines | None = None,
    map_search: tuple[Path, ...] | None = None,
) -> Scenario:  # fmt: skip
    """Build a scenario from plain data, as a YAML file would hold it.

    Args:
        folder, map_search: where map files are looked for, as in `Scenario`.
        lines: the lines of its keys in a text.

    Raises:
        ScenarioError: for any mistake.
    """
    return _build(dict(data), lines or Lines(f"scenario {data.get('name', '?')}"), folder, map_search)


# ------------------------------------------------------------------------------- checking the file as a whole
def _build(data: dict[str, Any], lines: Lines, folder: Path | None, map_search: tuple[Path, ...] | None) -> Scenario:
    model = check(FileModel, data, lines)
    check_names(model, lines)
    check_times(model, lines)
    propositions = _propositions(model, lines)
    known = tuple(p.name for p in propositions)
    defined = definitions_of(model.where, known, lines)
    rule = lines.at(("rule",), lambda: expanded(parse_rule(model.rule, known, defined), defined))
    check_decision(model, rule, lines)
    check_arms(model, lines)
    for name, share in model.balance.items():
        if name not in known:
            raise lines.error(
                ("balance", name),
                f"unknown proposition '{name}'; known are {known_names(known)}{did_you_mean(name, known)}",
            )
        if not 0.0 < share < 1.0:
            raise lines.error(("balance", name), f"found {share}; wanted a share between 0 and 1, both excluded")
    formulas = (*known, *(name for name, tree in defined.items() if isinstance(tree, Formula)))
    if model.driver_state is not None and (angers := model.driver_state.angered_by) not in ("", *formulas):
        told = f"unknown proposition '{angers}'; known are {known_names(formulas)}{did_you_mean(angers, formulas)}"
        raise lines.error(("driver_state", "angered_by"), told)
    for name in model.shown_by:
        if name not in known:
            raise lines.error(
                ("shown_by", name),
                f"unknown proposition '{name}'; known are {known_names(known)}{did_you_mean(name, known)}",
            )
    splits: dict[str, Formula] = {ALL_EPISODES: Constant(True)}
    for name, text in model.splits.items():
        if name == ALL_EPISODES:
            raise lines.error(("splits", name), f"the split '{ALL_EPISODES}' is always there; wanted another name")
        splits[name] = _formula(("splits", name), text, known, defined, lines)
    draws, couplings = draws_of(model), couplings_of(model, lines)
    presences = {
        f"actors.{a.name}.present": _formula(("actors", i, "present"), a.present, known, defined, lines)
        for i, a in enumerate(model.actors)
        if isinstance(a.present, str)
    }
    check_presences(propositions, presences, tuple(a.name for a in model.actors), lines)
    variables = {**draws, **couplings, **presences}
    for i, leak in enumerate(model.known_leaks):
        if leak not in variables:
            known_text = f"known are {known_names(variables)}{did_you_mean(leak, variables)}"
            raise lines.error(("known_leaks", i), f"unknown variable '{leak}'; {known_text}")
    return Scenario(
        model.name, model.description, model.map, tuple(model.actors), draws, couplings, presences, propositions, rule,
        model.time_limit, model.finish, dict(model.balance), splits, tuple(model.known_leaks), data, folder,
        {name: sensor.build() for name, sensor in model.sensors.items()}, tuple(model.signs),
        tuple(model.changes), model.traffic, model.decision.decision_spec, model.ego.way, model.driver_state, defined,
        model.why_hard, dict(model.shown_by), map_search,
    )  # fmt: skip


def _propositions(model: FileModel, lines: Lines) -> tuple[Proposition, ...]:
    actors, signs = [a.name for a in model.actors], [s.name for s in model.signs]
    options = {f"actors.{a.name}.{k}": options_of(getattr(a, k)) for a in model.actors for k in ("kind", "turn")}
    options |= {f"signs.{s.name}.{k}": options_of(getattr(s, k)) for s in model.signs for k in ("kind", "text")}
    untold, traffic = unobservable_variables(model), model.traffic is not None
    found: list[Proposition] = []
    for name, text in model.propositions.items():
        path: KeyPath = ("propositions", name)
        lines.at(path, functools.partial(check_name, name))
        earlier = {p.name: p.tree for p in found}
        read = functools.partial(
            parse_proposition, name, text, actors, signs, options, traffic, untold, earlier, more_of(model)
        )
        found.append(lines.at(path, read))
    return tuple(found)


def _formula(
    path: KeyPath, text: str | bool, known: tuple[str, ...], defined: Mapping[str, Definition], lines: Lines
) -> Formula:
    """The formula over propositions at a place of the file."""
    if isinstance(text, bool):
        return Constant(text)
    return lines.at(path, lambda: expanded(parse_formula(text, known, defined), defined))  # type: ignore
