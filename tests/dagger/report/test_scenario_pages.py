"""docs/reference/scenarios.md is what the files say; the command shows the same of one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagger import cli
from dagger.diagnostics import self_motion
from dagger.diagnostics.self_motion import drives_of, in_words
from dagger.report import scenario_pages
from dagger.report.scenario_pages import (
    DRAWS,
    SHEET,
    decision_point,
    leaks_of,
    motion_of,
    page,
    read_figures,
    rule_in_short,
    updated_leaks,
    updated_motion,
)
from scenarios.scenario import Scenario, from_data, load_scenario, scenario_names
from sim.datatypes.episode import DecisionSpec
from sim.world.decisions.registry import KINDS
from tests.support.source_tree import ROOT

DOCS = ROOT / "docs" / "reference"
REDO = "write it anew: dagger scenarios --markdown docs/reference/scenarios.md"
HIDDEN = """
name: thick-rain
description: One of two.
why_hard: a drizzle
weather: {precipitation: {choice: [0, 30, 80]}}
propositions:
  raining: weather.precipitation > 20
  heavy: weather.precipitation > 60
shown_by: {heavy: many streaks | long ones}
rule: left if heavy else right
splits: {train: not (raining and not heavy), test: true}
"""


@pytest.fixture
def hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scenario:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    Path("thick.yaml").write_text(HIDDEN)
    return load_scenario("thick.yaml")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Own motion is checked with few drives and trees."""
    monkeypatch.setattr(self_motion, "DRIVES", self_motion.FEW)
    monkeypatch.setattr(self_motion, "LEAST", self_motion.FEW)
    monkeypatch.setattr(self_motion, "TREES", 5)


def test_the_page_is_generated_from_the_files() -> None:
    scenarios = [load_scenario(name) for name in scenario_names()]
    assert (DOCS / "scenarios.md").read_text() == page(
        scenarios, read_figures(DOCS / "leaks.json"), DOCS, read_figures(DOCS / "self_motion.json")
    ), REDO


def test_the_figures_of_the_leak_check_are_of_the_files_as_they_are() -> None:
    kept = read_figures(DOCS / "leaks.json")
    scenarios = [s for name in scenario_names() if (s := load_scenario(name)).map.file is None]
    assert {s.name: s.digest() for s in scenarios} == {name: f["digest"] for name, f in kept.items()}, REDO
    assert all(f["draws"] == DRAWS for f in kept.values()), REDO


def test_the_figures_of_own_motion_are_of_the_files_as_they_are() -> None:
    kept = read_figures(DOCS / "self_motion.json")
    scenarios = [s for name in scenario_names() if (s := load_scenario(name)).map.file is None]
    wanted = {s.name: (s.digest(), drives_of(s)) for s in scenarios}
    assert wanted == {name: (f["digest"], f["drives"]) for name, f in kept.items()}, REDO
    assert (DOCS / SHEET).is_file(), REDO


@pytest.mark.parametrize("name", ["rain-turn", "rain-turn-shortcut"])
def test_the_figures_of_the_leak_check_are_what_it_finds(name: str) -> None:
    assert read_figures(DOCS / "leaks.json")[name] == leaks_of(load_scenario(name)), REDO


def test_the_leak_check_is_run_only_where_something_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []

    def counted(scenario: Scenario) -> dict[str, object]:
        checked.append(scenario.name)
        return {"digest": scenario.digest(), "draws": DRAWS}

    monkeypatch.setattr("dagger.report.scenario_pages.leaks_of", counted)
    scenarios = [load_scenario("rain-turn"), load_scenario("night-turn")]
    kept = updated_leaks(scenarios, {})
    assert checked == ["rain-turn", "night-turn"]
    assert updated_leaks([scenarios[0], scenarios[1].with_rule("left")], kept) != kept
    assert checked == ["rain-turn", "night-turn", "night-turn"]
    assert updated_leaks(scenarios, kept) == kept and len(checked) == 3


def test_the_leak_check_is_run_again_when_its_number_of_draws_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    def counted(scenario: Scenario) -> dict[str, object]:
        return {"digest": scenario.digest(), "draws": scenario_pages.DRAWS}

    monkeypatch.setattr(scenario_pages, "leaks_of", counted)
    scenarios = [load_scenario("rain-turn")]
    kept = updated_leaks(scenarios, {})
    monkeypatch.setattr(scenario_pages, "DRAWS", DRAWS + 1)
    assert updated_leaks(scenarios, kept)["rain-turn"]["draws"] == DRAWS + 1


def test_own_motion_is_checked_only_where_something_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []

    def counted(scenario: Scenario, on_done: object) -> dict[str, object]:
        checked.append(scenario.name)
        return {"digest": scenario.digest(), "drives": drives_of(scenario)}

    monkeypatch.setattr("dagger.report.scenario_pages.motion_of", counted)
    scenarios = [load_scenario("rain-turn"), load_scenario("rain-turn-town01")]
    kept = updated_motion(scenarios, {})
    assert updated_motion(scenarios, kept) == kept and checked == ["rain-turn", "rain-turn-town01"][: len(checked)]
    assert checked.count("rain-turn") == 1
    monkeypatch.setattr(self_motion, "DRIVES", 900)
    assert updated_motion(scenarios, kept) != kept


def test_a_section_says_what_the_file_says(hidden: Scenario) -> None:
    for name in ("films", "pages"):
        Path(name).mkdir()
    Path("films/thick-rain.webp").touch()
    said = page([hidden], {}, Path("pages"))
    assert "| [thick-rain](#thick-rain) | `left if heavy else right` | a drizzle |" in said
    assert "![a world of thick-rain beside its twin](../films/thick-rain.webp)" in said
    assert "| `heavy` | `weather.precipitation > 60` | many streaks \\| long ones | in 2 of 3 combinations |" in said
    assert "| train | `not (raining and not heavy)` | raining, not heavy |" in said
    assert "| no | no | right | x | x |" in said and "| no | yes |" not in said, "what cannot happen is left out"
    assert "films/" not in page([hidden], {}, Path("elsewhere"))


def test_sub_rules_and_ways_of_reading_a_decision_are_shown(hidden: Scenario) -> None:
    from dataclasses import replace

    told = replace(
        hidden,
        data=dict(hidden.data) | {"where": {"slippery": "raining or heavy"}},
        decision_spec=DecisionSpec("slow", begin=-25.0, end=3.0, below=3.0),
    )
    assert decision_point(told) == (
        "slow: ego is slower than 3 m/s somewhere from 25 m before to 3 m behind the edge of the place; else go"
    )
    assert "- **where** `slippery`: `raining or heavy`" in page([told], {}, Path())
    assert decision_point(hidden) == "the way out that ego takes"
    assert "before west, north and east" in decision_point(
        replace(told, decision_spec=DecisionSpec("order", ("west", "north", "east")))
    )
    for kind in (name for name in KINDS if name != "junction"):
        said = decision_point(replace(told, decision_spec=DecisionSpec(kind, ("leader",), -45.0, -10.0, 3.0)))
        assert said.startswith(KINDS[kind].words[0].split(" ")[0]) and "{" not in said


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("rain-turn", "left if raining else right"),
        ("count-junctions", "exit 3 if three else exit 2 if two else exit 1"),  # its only name is told at once
        ("nested-route", "to_school if school else to_harbour"),
    ],
)
def test_a_rule_in_short_says_more_than_a_bare_name(name: str, short: str) -> None:
    assert rule_in_short(load_scenario(name)) == short


def test_many_combinations_are_folded() -> None:
    data = dict(load_scenario("rain-turn").data)
    many = {**data["propositions"], "fast": "ego.speed > 6"}
    said = page([from_data(data | {"propositions": many})], {}, Path())
    assert "<details><summary>truth table: 16 combinations</summary>" in said


def test_the_command_writes_the_page_and_the_figures(
    hidden: Scenario, capsys: pytest.CaptureFixture[str], few: None
) -> None:
    assert cli.main(["scenarios", "thick.yaml", "--markdown", "a/page.md"]) == 0
    figures = read_figures(Path("a/leaks.json"))["thick-rain"]
    assert figures == leaks_of(hidden) and figures["passed"]
    motion = read_figures(Path("a/self_motion.json"))
    assert motion["thick-rain"] == motion_of(hidden)
    said = Path("a/page.md").read_text()
    assert said == page([hidden], {"thick-rain": figures}, Path("a"), motion)
    assert f"({SHEET})" in said and (Path("a") / SHEET).is_file()
    assert f"- **own motion**: {in_words(motion['thick-rain'])}" in said
    assert cli.main(["scenarios", "--markdown", "page.txt"]) == 2
    assert "ends in .md" in capsys.readouterr().err


def test_the_leak_check_says_what_own_motion_tells(
    hidden: Scenario, capsys: pytest.CaptureFixture[str], few: None
) -> None:
    assert cli.main(["scenarios", "thick.yaml", "--leaks"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "leak check: thick-rain passes" in said and "own motion: tells" in said
    assert "before the decision shows, at" in said and "evidence known to last seen: heavy 0.0 to" in said


def test_the_list_and_one_whole_show_what_is_for_people(hidden: Scenario, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scenarios", "--long"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "why hard: a held-out context" in said and "left, right" in said
    assert cli.main(["scenarios", "thick.yaml"]) == 0
    said = capsys.readouterr().out
    for text in ("a drizzle", "many streaks", "in 2 of 3 combinations", "the way out that ego takes", "cannot happen"):
        assert text in said
    assert "warning" not in said


def test_a_file_with_several_mistakes_is_told_all_and_with_one_a_sentence(
    hidden: Scenario, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("two.yaml").write_text(HIDDEN.replace("if heavy", "if havy").replace("not heavy)", "not hevy)"))
    assert cli.main(["scenarios", "two.yaml", "thick.yaml"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("dagger scenarios: two.yaml has 2 mistakes\n  two.yaml:10: rule: ") and not said.out
    assert "two.yaml:11: splits.train" in said.err
    Path("one.yaml").write_text(HIDDEN.replace("if heavy", "if havy"))
    assert cli.main(["scenarios", "one.yaml"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and lines[2].strip() == "^^^^"  # the sentence, the line, the carets


def test_what_loads_and_will_not_do_is_told_below(hidden: Scenario, capsys: pytest.CaptureFixture[str]) -> None:
    Path("dry.yaml").write_text(HIDDEN.replace("[0, 30, 80]", "[0, 30]"))
    assert cli.main(["scenarios", "dry.yaml"]) == 0
    assert "warning: the rule never comes to 'left'" in " ".join(capsys.readouterr().out.split())
