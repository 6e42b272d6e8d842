"""What a scenario is asked depends on its rule, and what it cannot be asked is said and never passed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dagger.commands.run import quick_note
from dagger.console import scorecard
from dagger.report.record import verdict_sentence, write_report
from dagger.training.trainer import TrainSettings
from policies.learner import LearnerSettings
from policies.sites import IntervenablePolicy
from probes import applicability as asked
from probes.planted_models import Premises, RuleRegister, untrained
from probes.premise_swaps import Question, pairs_for
from probes.rule_recovery import recover
from probes.scorecard import score
from probes.study import ProbeSettings
from scenarios.rules.logic import all_cells
from scenarios.sampling.sample import decision, valuation
from scenarios.scenario import Scenario, load_scenario
from sim.datatypes.camera import Camera
from sim.datatypes.vocabulary import DECISIONS
from sim.world.context import RunContext
from tests.support import probe_questions as asking
from tests.support.run_folders import write_run

CAMERA = Camera(width=48, height=32)
SMALL = LearnerSettings(image=(32, 48), width=16, memory_width=16, head_width=16)
SETTINGS = ProbeSettings(
    per_cell=2, baseline_per_cell=1, draws=4, traced=48, fitted=3, pairs=4, remembered=0, worlds=128
)


def card(mind: IntervenablePolicy, scenario: Scenario) -> dict[str, Any]:
    return score(mind, scenario, SETTINGS, CAMERA, checkpoint="planted", untrained=untrained(SMALL, 1))


def page_of(folder: Path, found: dict[str, Any], scenario: Scenario) -> str:
    return write_report(write_run(folder, found, {"scenario": dict(scenario.data), "seed": 0}, full=False)).read_text()


# ---------------------------------------------------------------------------------------------- the question
@pytest.mark.parametrize(
    ("rule", "word", "formula"),
    [
        ("left if raining else right", "left", "raining"),
        ("right if night else left", "right", "night"),
        ("left if raining and night else right", "left", "raining and night"),
        ("left if raining or not raining and night else right", "left", "night or raining"),
    ],
)
def test_of_two_decisions_the_first_in_the_text_is_asked_for(rule: str, word: str, formula: str) -> None:
    scenario = load_scenario("rain-turn").with_rule(rule)
    assert asked.question(scenario) == word
    assert set(str(asked.formula(scenario)).split()) == set(formula.split())


def test_of_three_decisions_the_best_balanced_is_asked_for() -> None:
    scenario = asking.three_ways()
    assert asked.describe(scenario) == ("left", "straight", "right")
    assert asked.question(scenario) == "right" and str(asked.formula(scenario)) == "not raining"


def test_tables_have_columns_for_what_the_rule_can_say_and_not_for_all_words_there_are() -> None:
    assert asked.columns(load_scenario("rain-turn")) == ("left", "right", "straight")
    assert len(DECISIONS) > 10


def test_a_rule_that_names_a_proposition_without_need_does_not_lean_on_it() -> None:
    scenario = load_scenario("rain-turn").with_rule("left if raining or night and not night else right")
    assert asked.premises(scenario) == ("raining",)


# -------------------------------------------------------------------------------------------------- twins
def test_propositions_that_exclude_each_other_are_crossed_as_far_as_can_happen() -> None:
    scenario = asking.either_board()
    crossing = asked.FactorialDesign.of(scenario, scenario.proposition_names)
    assert crossing.settings == ((False, False), (False, True), (True, False)) and not crossing.full
    assert crossing.partner((False, True), 0) is None and crossing.partner((False, False), 0) == (True, False)
    for seed in range(4):
        values = [tuple(valuation(scenario, e).values()) for e in crossing.draw(seed)]
        assert values == list(crossing.settings)


def test_a_premise_that_another_one_excludes_is_flipped_in_draws_that_leave_it_free() -> None:
    scenario = asking.either_board()
    crossing = asked.FactorialDesign.of(scenario, ("to_left",))
    assert crossing.full and crossing.bases and asked.swap_design(scenario).names == ("to_left", "to_right")
    for seed in range(4):
        assert [DECISIONS[decision(scenario, e)] for e in crossing.draw(seed)] == ["right", "left"]


def test_swaps_are_asked_though_two_facts_exclude_each_other() -> None:
    scenario = asking.either_board()
    question = Question.of(scenario, CAMERA)
    flips, keeps = pairs_for(question, "to_left", 3, 0)
    assert len(flips) == len(keeps) == 3
    assert all(p.before != p.expected for p in flips) and all(p.before == p.expected for p in keeps)


def test_a_rule_is_recovered_from_the_cells_that_can_happen() -> None:
    scenario = asking.either_board()
    possible = all_cells(2)[:3]
    counts = {cell: (9, 0, 0, 0) if cell[0] else (0, 9, 0, 0) for cell in possible}
    assert recover(("to_left", "to_right"), counts).rule is None
    found = recover(("to_left", "to_right"), counts, possible=possible)
    assert found.same_as(scenario.rule) and str(found.rule) == "left if to_left else right"


# ------------------------------------------------------------------------------------------------ scorecards
def test_three_decisions_are_scored_and_read_back(tmp_path: Path) -> None:
    scenario = asking.three_ways()
    found = card(Premises(scenario), scenario)
    assert found["equivalent"] and found["levels"]["recovered"]["passed"] and found["question"] == "right"
    assert {way for row in found["truth_table"]["rows"] for way in row["counts"]} == {*asked.columns(scenario), "none"}
    assert found["levels"]["generalises"]["details"]["twins that turn where the rule flips"]["value"] == 1.0
    own = [row for row in found["interchange"] if row["what"] in ("raining", "night")]
    assert [row["flip"]["value"] for row in own] == [1.0, 1.0]
    page = page_of(tmp_path, found, scenario)
    assert "turns left when" not in page and "exit 1" not in page and "whether the rule decides “right”" in page


def test_where_nothing_is_held_out_generalising_is_not_asked(tmp_path: Path) -> None:
    scenario = asking.right_at_night()
    found = card(RuleRegister(scenario), scenario)
    level = found["levels"]["generalises"]
    assert level["passed"] is None and "nothing is held out" in level["not_applicable"] and level["details"]
    assert "generalises" not in found["verdict"] and found["recovered_rule"] == "right if night else left"
    assert [row["formula"] for row in found["league"] if row["true"]] == ["night"]
    assert "generalises was not asked" in verdict_sentence(found)
    assert "This scenario cannot be asked: nothing is held out" in page_of(tmp_path, found, scenario)
    assert "not asked" in [str(cell) for cell in scorecard(found).columns[1]._cells]


def test_a_rule_that_says_one_thing_is_asked_for_no_thought(tmp_path: Path) -> None:
    scenario = asking.constant()
    found = card(RuleRegister(scenario), scenario)
    unasked = {name for name, level in found["levels"].items() if level.get("not_applicable")}
    assert unasked == {"generalises", "encodes", "uses"} and found["question"] is None
    assert set(found["verdict"]) <= {"imitates", "recovered"} and found["recovered_rule"] == "left"
    assert "says left whatever is true" in page_of(tmp_path, found, scenario)


def test_a_majority_of_three_among_four_propositions_is_scored() -> None:
    scenario = asking.majority(20.0)
    found = card(Premises(scenario), scenario)
    assert found["equivalent"] and len(found["truth_table"]["rows"]) == 16
    true = [row["formula"] for row in found["league"] if row["true"]]
    assert true == ["raining and night or raining and oncoming or night and oncoming"]


# --------------------------------------------------------------------------------------------------- quick
def test_a_quick_look_takes_fewer_episodes_where_they_are_long_and_says_so() -> None:
    assert ProbeSettings.quick(20.0) == ProbeSettings.quick() and TrainSettings.quick(1.0) == TrainSettings.quick()
    long = ProbeSettings.quick(60.0)
    assert long.per_cell == 12 and TrainSettings.quick(1 / 3).episodes == 120
    assert quick_note(load_scenario("rain-turn"), ProbeSettings.quick()) == ""
    note = quick_note(asking.majority(60.0), long)
    assert "up to 60 s" in note and "33%" in note and "12 in every cell, too few for every level" in note


# ---------------------------------------------------------------------------------------- film and elsewhere
def test_a_long_rule_and_its_sub_rules_stand_under_the_film_s_title() -> None:
    from dataclasses import replace

    from dagger.commands.film import titled

    assert titled(load_scenario("rain-turn")) == ("rain-turn · the rule: left if raining else right", ())
    long = asking.majority()
    assert titled(long) == ("majority", (f"the rule: {long.rule}",))
    named = replace(long, data=dict(long.data) | {"where": {"slippery": "raining and night"}})
    assert titled(named)[1][-1] == "where slippery: raining and night"


def test_three_ways_are_not_taken_to_a_town_of_t_junctions(tmp_path: Path) -> None:
    from dagger.training.transfer import transfer
    from sim.road.generators.intersections import t_junction

    (tmp_path / "Tees.xodr").write_text(t_junction())
    scenario = asking.three_ways()
    context = RunContext(worlds=2, threads=1, map_search=(tmp_path,))
    found = transfer(Premises(scenario), scenario, CAMERA, 2, 0, context, "Tees.xodr")
    assert found["transfer"] == [] and found["transfer_note"].startswith("Not asked: Tees.xodr has T-junctions only")
