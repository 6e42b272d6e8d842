"""Every planted mind gets the verdict that its construction demands, from the whole scorecard."""

from __future__ import annotations

from typing import Any

import pytest

from policies.learner import LearnerSettings
from policies.sites import IntervenablePolicy
from probes.levels.registry import levels
from probes.planted_models import FusedRule, Memoriser, Premises, RuleRegister, Shortcut, untrained
from probes.scorecard import score
from probes.study import ProbeSettings
from scenarios.sampling.sample import balanced_batch, decision
from scenarios.scenario import Scenario, load_scenario
from sim.datatypes.camera import Camera

LEVELS = [level.name for level in levels()]

CAMERA = Camera(width=48, height=32)
SMALL = LearnerSettings(image=(32, 48), width=16, memory_width=16, head_width=16)
SETTINGS = ProbeSettings(
    per_cell=40, baseline_per_cell=4, draws=16, traced=128, fitted=8, pairs=40, remembered=0, worlds=128
)


@pytest.fixture(scope="module")
def conjunction() -> Scenario:
    return load_scenario("rain-turn").with_rule("left if raining and night else right")


def card(mind: IntervenablePolicy, scenario: Scenario) -> dict[str, Any]:
    return score(mind, scenario, SETTINGS, CAMERA, checkpoint="planted", untrained=untrained(SMALL, 1))


def test_a_rule_register_passes_every_level(conjunction: Scenario) -> None:
    found = card(RuleRegister(conjunction), conjunction)
    assert found["verdict"] == LEVELS
    assert found["recovered_rule"] == "left if raining and night else right" and found["equivalent"]


def test_a_mind_of_premises_alone_passes_all_but_encodes(conjunction: Scenario) -> None:
    found = card(Premises(conjunction), conjunction)
    assert found["verdict"] == [level for level in LEVELS if level != "encodes"]
    # A single premise has the shorter code: the conjunction stands nowhere in the state.
    assert found["levels"]["encodes"]["details"]["rank of the true formula"] > 1


def test_a_fused_rule_passes_all_but_uses_and_is_called_fused(conjunction: Scenario) -> None:
    found = card(FusedRule(conjunction), conjunction)
    assert found["verdict"] == [level for level in LEVELS if level != "uses"]
    assert found["fused"] is True


def test_a_shortcut_imitates_and_nothing_else() -> None:
    scenario = load_scenario("rain-turn-shortcut")
    found = card(Shortcut(scenario, "truck"), scenario)
    assert found["verdict"] == ["imitates"]
    assert found["recovered_rule"] == "left if truck else right" and not found["equivalent"]


def test_a_memoriser_passes_nothing_on_fresh_episodes(conjunction: Scenario) -> None:
    shown = balanced_batch(conjunction, range(64), "train")
    mind = Memoriser(conjunction, {e.seed: decision(conjunction, e) for e in shown})
    assert card(mind, conjunction)["verdict"] == []


def test_an_untrained_net_passes_nothing(conjunction: Scenario) -> None:
    found = card(untrained(SMALL, 5), conjunction)
    assert found["verdict"] == [] and found["recovered_rule"] is None
