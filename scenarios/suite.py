"""Suites: named lists of scenarios, splits and numbers of episodes that are driven together.

A suite is one YAML file, checked as scenarios are. Town scenarios are left out of `first`: their maps do not come with
the package.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from scenarios.reading.yaml import Lines, ScenarioError, check, read_yaml
from scenarios.scenario import ALL_EPISODES, Scenario, load_scenario
from sim.core.errors import did_you_mean, known_names

ALL = "all"  # twins of every proposition


class Entry(BaseModel):
    """One line of a suite: a scenario by name or path, a split of it, how many episodes.

    `twins` names a proposition: every episode is then driven a second time with it, and nothing else, flipped. With
    `all` it is driven once more for every proposition that can flip alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    scenario: str
    split: str = ALL_EPISODES
    episodes: int = Field(100, ge=1, strict=True)
    twins: str | None = None


class Suite(BaseModel):
    """A named list of entries, and the baseline drivers that every other driver is compared with."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    description: str = ""
    baselines: list[str] = Field(default_factory=list)
    entries: list[Entry] = Field(min_length=1)


def suite_names() -> tuple[str, ...]:
    """Names of the suites that come with the package, sorted."""
    folder = importlib.resources.files("scenarios.suites")
    return tuple(sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml")))


def read_suite(name_or_path: str | Path) -> tuple[Suite, Lines]:
    """Read a suite as `load_suite` does, but without its scenarios, so that a bad one does not cost the others.

    Raises:
        ScenarioError: for an unknown name, a missing file, or any mistake in the file itself.
    """
    text = str(name_or_path)
    if text.endswith((".yaml", ".yml")):
        try:
            content = Path(text).read_text("utf-8")
        except OSError as error:
            raise ScenarioError(f"{text}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise ScenarioError(f"{text}: is not UTF-8 text: {error.reason} at byte {error.start}") from None
    elif text in suite_names():
        content = importlib.resources.files("scenarios.suites").joinpath(f"{text}.yaml").read_text("utf-8")
        text = f"{text}.yaml"
    else:
        raise ScenarioError(
            f"unknown suite '{text}'; known are {known_names(suite_names())}{did_you_mean(text, suite_names())}; "
            "a file is given by a path that ends in .yaml"
        )
    data, lines = read_yaml(content, text)
    return check(Suite, data, lines), lines


def scenario_of(entry: Entry, map_search: Sequence[Path] | None = None) -> Scenario:
    """Load the scenario of an entry and check that it has the entry's split and the proposition of its twins.

    Args:
        map_search: as for `load_scenario`.

    Raises:
        ValueError: where it cannot be read, or lacks one of them.
    """
    scenario = load_scenario(entry.scenario, map_search)
    scenario.split(entry.split)
    if entry.twins is not None:
        flipped_by(scenario, entry.twins)
    return scenario


def flipped_by(scenario: Scenario, twins: str) -> tuple[str, ...]:
    """The propositions that `twins` names: the one, or with `all` every one of the scenario.

    Raises:
        ValueError: for an unknown proposition, naming the known ones.
    """
    if twins == ALL and ALL not in scenario.proposition_names:
        return scenario.proposition_names
    return (scenario.proposition(twins).name,)


def load_suite(name_or_path: str | Path) -> Suite:
    """Read a suite of the package by name, or any suite file by path (what ends in .yaml or .yml).

    Raises:
        ScenarioError: for an unknown name, a missing file, or any mistake in it or in its scenarios.
    """
    suite, lines = read_suite(name_or_path)
    for i, entry in enumerate(suite.entries):
        try:
            scenario_of(entry)
        except ValueError as error:
            raise lines.error(("entries", i), str(error)) from None
    return suite
