"""Minds that join their premises early, late, or hold everything: the whole scorecard judges each as it was built."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dagger.console import scorecard
from dagger.report.record import verdict_sentence
from policies.learner import LearnerSettings
from policies.sites import IntervenablePolicy
from probes.levels.registry import levels
from probes.planted_models import EarlyFusion, IdleEncoder, LateFusion, RuleRegister, untrained
from probes.premise_swaps import HELD
from probes.scorecard import score
from probes.study import ProbeSettings
from scenarios.scenario import Scenario, load_scenario
from sim.datatypes.camera import Camera

LEVELS = [level.name for level in levels()]

CAMERA = Camera(width=48, height=32)
SMALL = LearnerSettings(image=(32, 48), width=16, memory_width=16, head_width=16)
SETTINGS = ProbeSettings(
    per_cell=40, baseline_per_cell=4, draws=16, traced=128, fitted=8, pairs=40, remembered=0, worlds=128
)
RULES = ("left if raining and night else right", "left if raining xor night else right")


def card(mind: IntervenablePolicy, scenario: Scenario, settings: ProbeSettings = SETTINGS) -> dict[str, Any]:
    return score(mind, scenario, settings, CAMERA, checkpoint="planted", untrained=untrained(SMALL, 1))


def swaps(found: dict[str, Any]) -> dict[str, tuple[float, float]]:
    return {row["what"]: (row["flip"]["value"], row["keep"]["value"]) for row in found["interchange"]}


@pytest.fixture(params=RULES)
def ruled(request: pytest.FixtureRequest) -> Scenario:
    return load_scenario("rain-turn").with_rule(request.param)


def test_early_fusion_passes_every_level_with_its_premises_at_the_encoder(ruled: Scenario) -> None:
    found = card(EarlyFusion(ruled), ruled)
    assert found["verdict"] == LEVELS
    assert found["swapped_at"] == {"raining": ["encoder"], "night": ["encoder"]} and found["fused"] is None
    held = found["levels"]["encodes"]["details"]["held"]
    assert held["raining"].startswith("encoder") and held["the conclusion"] == "memory (-20 to -3 m)"
    known = swaps(found)
    assert known["the decision as a whole"] == (1.0, 1.0)
    assert [v for name, v in known.items() if HELD in name] == [(1.0, 1.0)] * 2


def test_late_fusion_passes_every_level_with_the_rule_at_the_head(ruled: Scenario) -> None:
    found = card(LateFusion(ruled), ruled)
    assert found["verdict"] == LEVELS
    assert found["swapped_at"] == {"raining": ["memory"], "night": ["memory"]}
    level = found["levels"]["encodes"]
    assert "'head'" in level["what"] and "not first" in level["details"]["at each site"]["memory"]


def test_an_encoder_that_shows_premises_to_no_purpose_does_not_use_them(ruled: Scenario) -> None:
    found = card(IdleEncoder(ruled), ruled)
    assert found["verdict"] == [level for level in LEVELS if level != "uses"] and found["fused"] is True
    assert found["levels"]["encodes"]["details"]["held"]["raining"].startswith("encoder")


def test_another_rule_than_the_asked_one_is_not_encoded() -> None:
    scenario = load_scenario("rain-turn")
    asked, other = (scenario.with_rule(rule) for rule in reversed(RULES))
    found = card(EarlyFusion(other), asked)
    assert found["verdict"] == []
    assert found["levels"]["encodes"]["passed"] is False


def test_a_loud_conclusion_beside_its_premises_is_undecided_with_few_episodes_and_first_with_more() -> None:
    xor = load_scenario("rain-turn").with_rule(RULES[1])
    few = replace(SETTINGS, per_cell=4, draws=4, pairs=4, traced=48)
    found = card(RuleRegister(xor), xor, few)
    level = found["levels"]["encodes"]
    assert level["passed"] is None and "cannot be told apart with 48 episodes" in level["undecided"]
    assert "encodes was left undecided" in verdict_sentence(found)
    assert "undecided" in [str(cell) for cell in scorecard(found).columns[1]._cells]
    named = int(level["undecided"].split("about ")[1].split(" ")[0].replace(",", ""))
    assert named > 48
    level = card(RuleRegister(xor), xor, replace(few, traced=320))["levels"]["encodes"]
    assert level["passed"] is True and "undecided" not in level
