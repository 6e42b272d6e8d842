"""`dagger suite`: rows that are only added, failures that are rows, tallies that count them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from dagger import cli
from dagger.evaluation.summary import episode_result, summary
from dagger.runs.jsonl import JsonlLog
from scenarios.scenario import load_scenario
from sim.datatypes.action import Action
from sim.road.generators.intersections import t_junction
from sim.world.rollout import PrivilegedInput


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


def _rows(folder: str) -> list[dict[str, Any]]:
    return list(JsonlLog(Path(folder) / "results.jsonl").rows())


def _suite(*more: str) -> int:
    return cli.main(["suite", *more, "--threads", "1", "--out", "out"])


def test_the_expert_agrees_with_its_rule_and_every_episode_is_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert _suite("rain-turn", "--seeds", "6") == 0
    rows = _rows("out")
    assert len(rows) == 6 and all(r["agrees"] and r["shown_decision"] == r["wanted"] for r in rows)
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


def test_other_code_drives_every_episode_again_and_its_summary_counts_its_own_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for version in ("old", "new", "new"):
        monkeypatch.setattr("dagger.commands.suite.code_version", lambda version=version: version)
        assert _suite("rain-turn", "--seeds", "2") == 0
    assert [r["code"] for r in _rows("out")] == ["old", "old", "new", "new"]
    (line,) = json.loads(Path("out/summary.json").read_text())["rows"]
    assert line["episodes"] == 2


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


@pytest.mark.parametrize("how", [(), ("--isolate",)])
def test_the_folder_of_maps_reaches_this_process_and_workers_and_no_environment(
    how: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option wins over the variable, which stays as it was."""
    Path("maps").mkdir()
    Path("maps/Small.xodr").write_text(t_junction())
    data = dict(load_scenario("rain-turn").data) | {"name": "small"}
    data |= {"map": {"file": "Small.xodr", "junction": "t_junction"}}
    Path("small.yaml").write_text(yaml.safe_dump(data))
    monkeypatch.setenv("HOMUNCULUS_MAPS", "nowhere")
    before = dict(os.environ)
    assert _suite("small.yaml", "--seeds", "2", "--maps", "maps", *how) == 0
    assert dict(os.environ) == before
    assert [r["outcome"] for r in _rows("out")] == ["arrived", "arrived"]


def test_one_episode_that_crashes_its_driver_costs_that_row_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = [6_000_000 + i for i in range(4)]
    (tmp_path / "brittle.py").write_text(
        "from tests.dagger.evaluation.test_suite import Brittle\n"
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

    def act(self, seen: PrivilegedInput, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        """Brakes."""
        if self.breaks_at in seen.world.seed:
            raise RuntimeError("this one is too much")
        zeros = np.zeros(len(seen.slots), np.float32)
        return Action(zeros, zeros - 5), memory


def test_a_suite_file_and_a_scenario_file_are_told_apart() -> None:
    from dagger.evaluation.plan import entries_of

    Path("mine.yaml").write_text(yaml.safe_dump(dict(load_scenario("rain-turn").data) | {"name": "mine"}))
    Path("both.yaml").write_text("name: both\nentries:\n  - {scenario: mine.yaml, split: test, episodes: 3}\n")
    assert [(e.scenario, e.split, e.episodes) for e in entries_of("both.yaml")] == [("mine.yaml", "test", 3)]
    assert [e.scenario for e in entries_of("mine.yaml")] == ["mine.yaml"]


def test_an_error_counts_against_agreement() -> None:
    def row(outcome: str, agrees: bool) -> dict[str, Any]:
        return {"outcome": outcome, "agrees": agrees, "metrics": {"progress": 1.0}}

    rows: Sequence[dict[str, Any]] = [row("arrived", True), {"outcome": "error", "agrees": False, "error": "x"}]
    made = summary("s", "every", [episode_result(r) for r in rows])
    assert made["agreement"] == 0.5 and made["errors"] == 1 and made["progress"] == 1.0


def _told(folder: str) -> list[str]:
    """The lines of a results file without what a clock or a checkout says."""
    rows = [{k: v for k, v in row.items() if k not in ("wall", "commit", "code")} for row in _rows(folder)]
    return [json.dumps(row) for row in rows]


def test_worlds_and_workers_change_no_byte() -> None:
    asked = ("rain-turn", "rain-and-night", "--seeds", "9", "--twins", "raining", "--threads", "1")
    for worlds, workers in ((64, 1), (1, 1), (5, 2)):
        more = ("--worlds", str(worlds), "--workers", str(workers), "--out", f"{worlds}-{workers}")
        assert cli.main(["suite", *asked, *more]) == 0
    first = _told("64-1")
    assert len(first) == 2 * 2 * 9 and len(set(first)) == len(first)
    assert first == _told("1-1") == _told("5-2")


def test_twins_are_driven_beside_their_episodes_and_say_whether_the_turn_flips() -> None:
    assert _suite("rain-turn", "--seeds", "6", "--twins", "raining") == 0
    rows = _rows("out")
    assert [r["twin"] for r in rows] == [None, "raining"] * 6
    for one, other in zip(rows[::2], rows[1::2]):
        flipped = {k for k in one["cell"] if one["cell"][k] != other["cell"][k]}
        assert one["seed"] == other["seed"] and flipped == {"raining"}
    (line,) = json.loads(Path("out/summary.json").read_text())["rows"]
    assert line["episodes"] == 6 and line["twins"]["pairs"] == 6 and line["twins"]["consistent"] == 1.0
    assert line["twins"]["flipped_where_it_should"] == [6, 6]
    # Whoever always turns left obeys the rule half the time, and never flips.
    assert cli.main(["suite", "rain-turn", "--seeds", "6", "--twins", "raining", "--driver", "left", "--out", "l"]) == 0
    (line,) = json.loads(Path("l/summary.json").read_text())["rows"]
    assert line["twins"]["consistent"] == 0.0 and line["twins"]["flipped_where_it_should"] == [0, 6]


def test_a_suite_file_names_its_twins_and_an_unknown_one_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.yaml").write_text(
        "name: mine\nentries:\n  - {scenario: rain-turn, twins: night, episodes: 2}\n"
        "  - {scenario: rain-turn, twins: snowing}\n"
    )
    assert _suite("mine.yaml") == 1
    assert [(r["twin"], r["outcome"] == "unreadable") for r in _rows("out")] == [
        (None, True), (None, False), ("night", False), (None, False), ("night", False),
    ]  # fmt: skip
    assert "no proposition 'snowing'" in capsys.readouterr().err
    assert _suite("rain-turn", "--twins", "snowing") == 2
    assert "no proposition 'snowing'" in capsys.readouterr().err


def test_the_same_episode_named_twice_is_driven_once() -> None:
    assert _suite("rain-turn", "rain-turn", "--seeds", "3") == 0
    assert len(_rows("out")) == 3
    lines = json.loads(Path("out/summary.json").read_text())["rows"]
    assert [line["episodes"] for line in lines] == [3, 3]


def test_repetitions_are_rows_and_the_interval_knows_that_they_are_one_episode() -> None:
    assert _suite("rain-turn", "--seeds", "3", "--repetitions", "2", "--driver", "left") == 0
    assert [r["repetition"] for r in _rows("out")] == [0, 0, 0, 1, 1, 1]
    rows = [
        episode_result({"outcome": "arrived", "agrees": s > 1, "seed": s, "repetition": r})
        for s in range(4)
        for r in (0, 1)
    ]
    # Two of four seeds agree: a resample of seeds is none of them or all once in sixteen; of eight rows, hardly ever.
    assert summary("s", "every", rows)["interval"] == [0.0, 1.0]


def test_the_leaderboard_file_has_the_layout_that_tools_read() -> None:
    assert _suite("rain-turn", "--seeds", "8", "--driver", "left", "--twins", "raining") == 0
    data = json.loads(Path("out/leaderboard.json").read_text())
    assert {"_checkpoint", "entry_status", "eligible", "sensors", "values", "labels"} == set(data)
    assert len(data["values"]) == len(data["labels"]) == 15 and data["_checkpoint"]["progress"] == [8, 8]
    records, overall = data["_checkpoint"]["records"], data["_checkpoint"]["global_record"]
    assert [r["index"] for r in records] == list(range(8))
    right = [r for r in _rows("out") if r["twin"] is None and r["wanted"] == "right"]
    assert 0 < len(right) < 8
    for record, row in zip(records, [r for r in _rows("out") if r["twin"] is None]):
        assert int(record["route_id"].split("_")[1]) == record["index"]  # as the leaderboard sorts them
        assert record["scores"]["score_composed"] == row["scores"]["driving_score"]
        assert record["num_infractions"] == sum(map(len, record["infractions"].values()))
        assert record["status"] == ("Perfect" if row["agrees"] else "Failed - Agent deviated from the route")
        assert (record["scores"]["score_route"] == 100.0) == row["agrees"]
    assert len(overall["meta"]["exceptions"]) == len(right)
    mean = sum(r["scores"]["score_composed"] for r in records) / 8
    assert abs(overall["scores_mean"]["score_composed"] - mean) < 1e-5
    covered = sum(r["meta"]["route_length"] * r["scores"]["score_route"] / 1e5 for r in records)
    assert abs(overall["infractions"]["route_dev"] - len(right) / covered) < 1e-2


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


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_list_of_scenarios_has_a_line_each_as_wide_as_columns_says(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from scenarios.scenario import scenario_names

    monkeypatch.setenv("COLUMNS", str(columns))
    assert cli.main(["scenarios"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[: len(scenario_names())]] == list(scenario_names())
    assert max(map(len, lines)) <= columns


def test_a_piped_list_of_scenarios_cuts_no_rule(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert cli.main(["scenarios"]) == 0
    assert any(
        line.split(maxsplit=1) == ["logic-majority", "left if count(raining, night, truck) >= 2 else right"]
        for line in capsys.readouterr().out.splitlines()
    )


def test_resuming_a_suite_where_there_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["suite", "rain-turn", "--resume", "--out", "nothing-here"]) == 2
    assert "--resume: nothing-here has no suite.yaml; wanted" in capsys.readouterr().err
    assert not Path("nothing-here").exists()


def test_the_list_of_scenarios_has_all_of_them_and_one_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    from scenarios.scenario import scenario_names

    assert cli.main(["scenarios"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in scenario_names())
    assert cli.main(["scenarios", "rain-and-night"]) == 0
    said = capsys.readouterr().out
    assert "left if raining and night else right" in said and "truth table" in said
