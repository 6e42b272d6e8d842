"""Suites: named lists of scenarios, splits and numbers of episodes that are driven together.

One YAML file a suite, checked as scenarios are. Town scenarios are left out of `first`: their maps do not come with
the package.
"""

from __future__ import annotations

import importlib.resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from scenarios.reading import ScenarioError, check, read_yaml
from scenarios.rules.parse import listed, nearest
from scenarios.spec import EVERY, load_scenario


class Entry(BaseModel):
    """One line of a suite: a scenario by name or path, a split of it, how many episodes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    scenario: str
    split: str = EVERY
    episodes: int = Field(100, ge=1, strict=True)


class Suite(BaseModel):
    """A named list of entries."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    description: str = ""
    entries: list[Entry] = Field(min_length=1)


def suite_names() -> tuple[str, ...]:
    """Names of the suites that come with the package, sorted."""
    folder = importlib.resources.files("scenarios.suites")
    return tuple(sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml")))


def load_suite(name_or_path: str | Path) -> Suite:
    """Read a suite of the package by name, or any suite file by path (what ends in .yaml or .yml).

    Raises:
        ScenarioError: for an unknown name, a missing file, or any mistake in it or in its scenarios.
    """
    text = str(name_or_path)
    if text.endswith((".yaml", ".yml")):
        try:
            content = Path(text).read_text("utf-8")
        except OSError as error:
            raise ScenarioError(f"{text}: cannot be read: {error.strerror}") from None
    elif text in suite_names():
        content = importlib.resources.files("scenarios.suites").joinpath(f"{text}.yaml").read_text("utf-8")
        text = f"{text}.yaml"
    else:
        raise ScenarioError(
            f"unknown suite '{text}'; known are {listed(suite_names())}{nearest(text, suite_names())}; "
            "a file is given by a path that ends in .yaml"
        )
    data, lines = read_yaml(content, text)
    suite = check(Suite, data, lines)
    for i, entry in enumerate(suite.entries):
        try:
            load_scenario(entry.scenario).split(entry.split)
        except ValueError as error:
            raise lines.error(("entries", i), str(error)) from None
    return suite
