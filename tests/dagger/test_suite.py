"""`dagger suite`: rows that are only added, failures that are rows, tallies that count them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from dagger import cli
from dagger.commands.suite import summary
from dagger.results import ResultsLog
from scenarios.spec import load_scenario
from sim.rollout import Truth
from sim.types import Action


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


def _rows(folder: str) -> list[dict[str, Any]]:
    return list(ResultsLog(Path(folder) / "results.jsonl").rows())


def _suite(*more: str) -> int:
    return cli.main(["suite", *more, "--threads", "1", "--out", "out"])


def test_the_expert_agrees_with_its_rule_and_every_episode_is_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert _suite("rain-turn", "--seeds", "6") == 0
    rows = _rows("out")
    assert len(rows) == 6 and all(r["agrees"] and r["branch"] == r["wanted"] for r in rows)
    assert {"outcome", "seed", "driver", "code", "commit", "metrics", "cell"} <= set(rows[0])
    (line,) = json.loads(Path("out/summary.json").read_text())["rows"]
    assert line["agreement"] == 1.0 and 0.5 < line["interval"][0] < 1.0 and line["interval"][1] == 1.0
    assert "agrees with the rule" in capsys.readouterr().out


def test_driving_again_adds_only_what_is_missing() -> None:
    _suite("rain-turn", "--seeds", "3")
    before = Path("out/results.jsonl").read_bytes()
    _suite("rain-turn", "--seeds", "5")
    after = Path("out/results.jsonl").read_bytes()
    assert after.startswith(before) and len(_rows("out")) == 5


def test_a_line_torn_by_a_kill_is_closed_off_and_driven_again() -> None:
    _suite("rain-turn", "--seeds", "3")
    path = Path("out/results.jsonl")
    torn = path.read_bytes()[:-20]
    path.write_bytes(torn)
    _suite("rain-turn", "--seeds", "3")
    assert path.read_bytes().startswith(torn + b"\n")
    assert len({r["seed"] for r in _rows("out")}) == 3


def test_a_missing_map_is_counted_and_the_suite_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HOMUNCULUS_MAPS", raising=False)
    assert _suite("rain-turn-town02", "rain-turn", "--seeds", "2") == 1
    said = capsys.readouterr()
    assert "Town02.xodr" in said.err and "2 episodes could not be driven" in said.out
    assert [r["outcome"] for r in _rows("out")] == ["skipped", "skipped", "arrived", "arrived"]
    town, generated = json.loads(Path("out/summary.json").read_text())["rows"]
    assert (town["skipped"], town["agreement"]) == (2, 0.0) and generated["agreement"] == 1.0


def test_one_episode_that_crashes_its_driver_costs_that_row_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = [6_000_000 + i for i in range(4)]
    (tmp_path / "brittle.py").write_text(
        "from tests.dagger.test_suite import Brittle\n"
        f"def driver():\n    return Brittle({seeds[2]})\n"
    )  # fmt: skip
    assert _suite("rain-turn", "--seeds", "4", "--driver", "brittle:driver") == 1
    outcomes = {r["seed"]: r["outcome"] for r in _rows("out")}
    assert [outcomes[s] == "error" for s in seeds] == [False, False, True, False]
    failed = next(r for r in _rows("out") if r["outcome"] == "error")
    assert failed["error"] == "RuntimeError: this one is too much" and failed["error"] in capsys.readouterr().err


class Brittle:
    """Stands still, and breaks at one world's seed."""

    needs = "state"

    def __init__(self, breaks_at: int) -> None:
        self.breaks_at = breaks_at

    def begin(self, worlds: int) -> np.ndarray:
        """No memory."""
        return np.zeros((worlds, 0), np.float32)

    def act(self, seen: Truth, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        """Brakes."""
        if self.breaks_at in seen.world.seed:
            raise RuntimeError("this one is too much")
        zeros = np.zeros(len(seen.slots), np.float32)
        return Action(zeros, zeros - 5), memory


def test_a_suite_file_and_a_scenario_file_are_told_apart() -> None:
    from dagger.commands.suite import entries_of

    Path("mine.yaml").write_text(yaml.safe_dump(dict(load_scenario("rain-turn").data) | {"name": "mine"}))
    Path("both.yaml").write_text("name: both\nentries:\n  - {scenario: mine.yaml, split: test, episodes: 3}\n")
    assert [(e.scenario, e.split, e.episodes) for e in entries_of("both.yaml")] == [("mine.yaml", "test", 3)]
    assert [e.scenario for e in entries_of("mine.yaml")] == ["mine.yaml"]


def test_an_error_counts_against_agreement() -> None:
    def row(outcome: str, agrees: bool) -> dict[str, Any]:
        return {"outcome": outcome, "agrees": agrees, "metrics": {"progress": 1.0}}

    rows: Sequence[dict[str, Any]] = [row("arrived", True), {"outcome": "error", "agrees": False, "error": "x"}]
    made = summary("s", "every", rows)
    assert made["agreement"] == 0.5 and made["errors"] == 1 and made["progress"] == 1.0


def test_demonstrations_are_added_to_and_never_driven_twice(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demos", "--episodes", "3", "--out", "demos", "--threads", "1"]) == 0
    index = Path("demos/index.jsonl").read_text()
    assert cli.main(["demos", "--episodes", "3", "--out", "demos", "--threads", "1"]) == 0
    assert Path("demos/index.jsonl").read_text() == index and index.count("\n") == 1
    assert json.loads(index)["episodes"] == 3


def test_a_film_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        cli.main(["film", "--driver", "left", "--cell", "raining=true", "--size", "320x180", "--out", "f/a.mp4"]) == 0
    )
    assert Path("f/a.mp4").stat().st_size > 10_000 and "frames" in capsys.readouterr().out


def test_the_list_of_scenarios_has_all_of_them_and_one_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    from scenarios.spec import scenario_names

    assert cli.main(["scenarios"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in scenario_names())
    assert cli.main(["scenarios", "rain-and-night"]) == 0
    said = capsys.readouterr().out
    assert "left if raining and night else right" in said and "truth table" in said
