"""`dagger suite thinking`: twins of every proposition, drivers that do not think, one table that folds."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dagger import cli
from dagger.evaluation.family_table import FamilyRow, show
from dagger.evaluation.plan import Wanted, baselines_of, plan
from dagger.evaluation.summary import episode_result, twin_consistency
from dagger.runs.jsonl import JsonlLog
from scenarios.sampling.sample import balanced_batch, twin, unflippable
from scenarios.scenario import from_text
from scenarios.suite import load_suite

HEAVY = """
name: heavy-rain
why_hard: a drizzle
weather: {precipitation: {choice: [0, 30, 80]}}
propositions:
  raining: weather.precipitation > 20
  heavy: weather.precipitation > 60
rule: left if heavy else right
"""


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("heavy.yaml").write_text(HEAVY)
    Path("mine.yaml").write_text(
        "name: mine\nbaselines: [leak-only, best-single]\nentries:\n"
        "  - {scenario: rain-and-night, split: test, twins: all, episodes: 6}\n"
        "  - {scenario: heavy.yaml, twins: all, episodes: 9}\n"
    )


def _rows(driver: str) -> list[dict[str, Any]]:
    return [r for r in JsonlLog(Path("out/results.jsonl")).rows() if r["driver"] == driver]


def _suite(*more: str) -> int:
    return cli.main(["suite", *more, "--threads", "1", "--out", "out"])


def test_one_command_drives_who_is_asked_and_the_baselines_and_prints_one_table(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _suite("mine.yaml") == 0
    said = capsys.readouterr().out
    assert len(_rows("leak-only")) == len(_rows("best-single")) == 15, "a baseline drives no twins"
    assert all(r["twin"] is None and r["outcome"] == "arrived" for r in _rows("leak-only") + _rows("best-single"))
    first, second = json.loads(Path("out/summary.json").read_text())["rows"]
    assert first["agreement"] == second["agreement"] == 1.0
    for line in (first, second):
        for name in ("leak-only", "best-single"):
            mine = [r for r in _rows(name) if r["scenario"] == line["scenario"]]
            assert line["baselines"][name]["agreement"] == sum(r["agrees"] for r in mine) / len(mine)
    assert said.count("driver: expert") == 1 and "driving score" not in said
    assert all(
        word in said for word in ("rain-and-night", "left if raining and night else right", "a drizzle", "twins")
    )
    before = Path("out/results.jsonl").read_bytes()
    assert _suite("mine.yaml") == 0
    assert Path("out/results.jsonl").read_bytes() == before, "what was driven is not driven again"


def test_twins_of_all_propositions_are_those_that_can_flip_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert _suite("mine.yaml") == 0
    first, second = json.loads(Path("out/summary.json").read_text())["rows"]
    assert first["twins"]["pairs"] == 18 and set(first["twins"]["each"]) == {"raining", "night", "oncoming"}
    assert first["twins"]["each"]["oncoming"]["held_where_it_should"] == [6, 6] and "cannot_flip_alone" not in first
    rows = [r for r in _rows("expert") if r["scenario"] == "heavy-rain"]
    own = [r for r in rows if r["twin"] is None]
    dry, heavy = (sum(r["cell"]["raining"] == r["cell"]["heavy"] == v for r in own) for v in (False, True))
    assert 0 < dry and 0 < heavy and sum(r["twin"] == "heavy" for r in rows) == 9 - dry
    assert second["cannot_flip_alone"]["heavy"]["episodes"] == dry
    assert second["cannot_flip_alone"]["raining"]["episodes"] == heavy
    assert second["twins"]["pairs"] == sum(r["twin"] is not None for r in rows) == 18 - dry - heavy
    assert second["twins"]["consistent"] == 1.0
    said = " ".join(capsys.readouterr().out.split())
    assert f"heavy-rain: 'heavy' cannot flip alone in {dry} of 9 episodes" in said


def test_unflippable_says_what_twin_says_in_every_episode() -> None:
    scenario = from_text(HEAVY)
    drawn = balanced_batch(scenario, range(12), "test")
    found = unflippable(scenario, drawn, scenario.proposition_names)
    for name in scenario.proposition_names:
        for i, episode in enumerate(drawn):
            if i in found[name]:
                with pytest.raises(ValueError, match="found no draw"):
                    twin(scenario, episode, name)
            else:
                twin(scenario, episode, name)


def test_pairs_that_hold_are_counted_apart_from_those_that_flip() -> None:
    def row(seed: int, twin: str | None, wanted: str, shown_decision: str | None) -> Any:
        return episode_result(
            {"seed": seed, "twin": twin, "wanted": wanted, "shown_decision": shown_decision, "outcome": "arrived"}
        )

    rows = [
        row(0, None, "left", "left"), row(0, "a", "right", "right"), row(0, "b", "left", "left"),
        row(1, None, "left", "left"), row(1, "a", "right", "left"), row(1, "b", "left", None),
        row(2, None, "left", "left"), row(2, "b", "left", "right"),
        row(3, None, "left", None), row(3, "b", "left", None),
    ]  # fmt: skip
    made = twin_consistency(rows, ("a", "b"))
    assert made["flipped_where_it_should"] == [1, 2] and made["flipped_where_it_should_not"] == [1, 4]
    assert made["held_where_it_should"] == [1, 4], "who shows nothing holds nothing"
    assert made["pairs"] == 6 and made["consistent"] == pytest.approx(2 / 6)
    assert made["each"]["a"]["pairs"] == 2 and made["each"]["a"]["held_where_it_should"] == [0, 0]


def test_all_on_the_command_line_is_every_proposition() -> None:
    (job,), _ = plan(["rain-turn"], Wanted(seeds=2, twins="all"))
    assert [t.twin for t in job.tasks] == [None, "raining", "night", "oncoming"] * 2


def test_an_unknown_baseline_is_refused_before_anything_is_driven(capsys: pytest.CaptureFixture[str]) -> None:
    Path("wrong.yaml").write_text("name: w\nbaselines: [leek-only]\nentries: [{scenario: rain-turn, episodes: 1}]\n")
    assert _suite("wrong.yaml") == 2 and not Path("out").exists()
    assert "did you mean 'leak-only'" in capsys.readouterr().err
    assert baselines_of("rain-turn") == ()


def test_the_suite_of_thinking_twins_everything_and_knows_its_baselines() -> None:
    suite = load_suite("thinking")
    assert suite.baselines == ["leak-only", "best-single"]
    assert all((e.split, e.twins, e.episodes) == ("test", "all", 200) for e in suite.entries)


@pytest.mark.parametrize("width", [80, 100, 160, 240])
def test_the_table_fits_and_breaks_no_word(width: int) -> None:
    figures = {
        "episodes": 200, "success": 0.995, "agreement": 0.99, "interval": [0.961, 0.998],
        "twins": {"flipped_where_it_should": [199, 200], "held_where_it_should": [400, 400]},
        "baselines": {"leak-only": {"agreement": 0.48}, "best-single": {"agreement": 0.75}},
        "errors": 1, "skipped": 2, "killed": 0, "hung": 0,
    }  # fmt: skip
    tells = "held-out combinations and contexts; irrelevant propositions, recombined sub-goals and permuted arrivals"
    thought = FamilyRow("occluded-pedestrian", "slow if cue since previously crossing else go", tells, figures, {})
    stream = io.StringIO()
    show(Console(file=stream, width=width), [thought, thought], "expert")
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    words = stream.getvalue().split()
    assert "occluded-pedestrian: 3 of its episodes and twins could not be driven" in " ".join(words)
    wanted = "occluded-pedestrian 0.995 0.990 199/200 400/400 0.480 0.750 [0.961, 0.998]".split() + tells.split()
    assert not set(wanted) - set(words), "a word was broken or cut"
