"""The instrument is calibrated on minds whose working is known: what construction demands, the interchange must say."""

from __future__ import annotations

import numpy as np
import pytest

from policies.evaluate import evaluate
from probes.applicability import FactorialDesign
from probes.behaviour import truth_table_of, twin_episodes, twins_of
from probes.interventions import leading_directions
from probes.planted_models import FusedRule, Memoriser, PlantedModel, RuleRegister, Shortcut
from probes.premise_swaps import Question, pairs_for, run_pairs, sites_swapped, study
from probes.rule_recovery import Recovered
from scenarios.sampling.sample import balanced_batch, decision
from scenarios.scenario import Scenario, load_scenario
from sim.datatypes.camera import Camera

PAIRS, DRAWS = 24, 6


@pytest.fixture(scope="module")
def xor() -> Scenario:
    return load_scenario("rain-turn").with_rule("left if raining xor night else right")


def swap_of(mind: PlantedModel, scenario: Scenario, premise: str) -> tuple[float, float]:
    """Share of pairs that flip and that keep as they should when one premise is swapped."""
    question = Question.of(scenario, Camera())
    latents = study(mind, question, DRAWS, 3_000_000)
    column = question.names.index(premise)
    swap = [leading_directions(s, latents[s].main_effect(column), premise) for s in sites_swapped(mind)]
    flips, keeps = pairs_for(question, premise, PAIRS, 3_100_000)
    (found,) = run_pairs(mind, question, flips, keeps, {premise: swap})
    return found.flip.value, found.keep.value


def test_registers_turn_the_car_when_one_premise_is_swapped(xor: Scenario) -> None:
    flip, keep = swap_of(RuleRegister(xor), xor, "raining")
    assert flip == keep == 1.0


def test_a_fused_rule_does_not_pass_for_one_that_holds_its_premises(xor: Scenario) -> None:
    assert min(swap_of(FusedRule(xor), xor, "raining")) < 0.8


def recovered_from(mind: PlantedModel, scenario: Scenario) -> Recovered:
    crossing = FactorialDesign.of(scenario, scenario.proposition_names)
    groups = twin_episodes(crossing, 16, 4_000_000)
    flat = [e for group in groups for e in group]
    return truth_table_of(twins_of(crossing, evaluate(mind, scenario, flat), len(groups)))


def test_interventions_read_the_rule_back_from_registers_and_from_a_fused_rule(xor: Scenario) -> None:
    for mind in (RuleRegister(xor), FusedRule(xor)):
        assert recovered_from(mind, xor).same_as(xor.rule)


def test_a_shortcut_gives_back_its_distractor_and_not_the_rule() -> None:
    scenario = load_scenario("rain-turn")
    found = recovered_from(Shortcut(scenario, "oncoming"), scenario)
    assert str(found.rule) == "left if oncoming else right" and not found.same_as(scenario.rule)


def test_a_memoriser_is_right_on_training_episodes_and_at_chance_elsewhere() -> None:
    scenario = load_scenario("rain-turn")
    shown, fresh = balanced_batch(scenario, range(32)), balanced_batch(scenario, range(5000, 5064))
    mind = Memoriser(scenario, {e.seed: decision(scenario, e) for e in shown})
    assert evaluate(mind, scenario, shown).agrees.all()
    assert 0.2 < np.mean(evaluate(mind, scenario, fresh).agrees) < 0.8
