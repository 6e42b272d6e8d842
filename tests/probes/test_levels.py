"""Levels of the scorecard as an extension point: one registered level is measured, judged and explained everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagger.report.record import verdict_sentence
from probes.applicability import NotApplicable
from probes.levels.base import LEVELS, Level, register
from probes.levels.registry import levels
from probes.results import LevelResult
from probes.scorecard import card, measured
from probes.study import Findings


class Stub:
    """What `card` reads of a study, with nothing to drive."""

    def __init__(self) -> None:
        from probes.study import ProbeSettings
        from scenarios.scenario import load_scenario

        self.scenario, self.settings, self.seed = load_scenario("rain-turn"), ProbeSettings(), 0
        self.policy, self.findings = type("Policy", (), {"sites": {"memory": 4}})(), Findings()


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No level but those that a test registers."""
    kept = dict(LEVELS)
    LEVELS.clear()
    yield
    LEVELS.clear()
    LEVELS.update(kept)


def passes(of: Any) -> LevelResult:
    return LevelResult(1.0, None, True, "whether it starts")


def refuses(of: Any) -> LevelResult:
    raise NotApplicable("the rule says one thing only")


def test_the_five_levels_come_in_the_order_of_their_evidence() -> None:
    assert [level.name for level in levels()] == ["imitates", "generalises", "encodes", "uses", "recovered"]
    assert all(level.brief and level.question.endswith(("?", ".", ")")) for level in levels())


def test_a_registered_level_is_in_the_scorecard_with_its_words(only: None) -> None:
    register(Level("waits", 2, "waits for its turn", "Does it wait?", refuses))
    register(Level("starts", 1, "starts", "Does it start?", passes))
    found = card(Stub(), "it")  # type: ignore[arg-type]
    assert list(found["levels"]) == ["starts", "waits"] == list(found["durations"])
    assert found["verdict"] == ["starts"]
    assert found["levels"]["starts"]["question"] == "Does it start?"
    assert found["levels"]["waits"]["not_applicable"] == "the rule says one thing only"
    assert found["levels"]["waits"]["passed"] is None
    assert "starts passed; waits was not asked" in verdict_sentence(found)


def test_an_error_other_than_not_applicable_is_not_hidden(only: None) -> None:
    def fails(of: Any) -> LevelResult:
        raise ZeroDivisionError("in a level")

    with pytest.raises(ZeroDivisionError, match="in a level"):
        measured(register(Level("fails", 1, "", "", fails)), Stub())  # type: ignore[arg-type]


def test_every_level_is_a_file_of_its_name() -> None:
    import probes.levels

    files = {p.stem for p in Path(probes.levels.__path__[0]).glob("*.py")} - {"__init__", "base", "registry"}
    assert files == set(LEVELS)
