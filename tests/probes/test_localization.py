"""What is held where and when: minds whose sites are known are mapped as they are, and chance is outlined nowhere."""

from __future__ import annotations

import numpy as np
import pytest

from policies.learner import LearnerSettings
from policies.sites import IntervenablePolicy
from probes.applicability import factorial_design
from probes.levels.encodes import name_of_truth, tables
from probes.localization import CONCLUSION, Held, held_map, window_text
from probes.planted_models import VISIBLE, EarlyFusion, FusedRule, LateFusion, untrained
from probes.trace import STATIONS, Trace, trace
from scenarios.scenario import Scenario, load_scenario
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode

CAMERA = Camera(width=48, height=32)
SMALL = LearnerSettings(image=(32, 48), width=16, memory_width=16, head_width=16)
BEFORE = [s for s in STATIONS if s <= -3.0]


@pytest.fixture(scope="module")
def xor() -> Scenario:
    return load_scenario("rain-turn").with_rule("left if raining xor night else right")


@pytest.fixture(scope="module")
def episodes(xor: Scenario) -> list[Episode]:
    crossing = factorial_design(xor, 4)
    return [crossing.under(7_100_000 + i, crossing.settings[i % len(crossing.settings)]) for i in range(96)]


def read(mind: IntervenablePolicy, scenario: Scenario, episodes: list[Episode]) -> Trace:
    return trace(mind, scenario, episodes, CAMERA, passengers={"untrained": untrained(SMALL, 1)})


def mapped(mind: IntervenablePolicy, scenario: Scenario, episodes: list[Episode], seed: int = 0) -> Held:
    name = name_of_truth(scenario)
    truth = tables(scenario, episodes)[name]
    return held_map(mind, scenario, episodes, read(mind, scenario, episodes), truth, name, seed)


def test_premises_that_are_joined_early_stand_in_the_encoder_while_they_are_visible(
    xor: Scenario, episodes: list[Episode]
) -> None:
    found = mapped(EarlyFusion(xor), xor, episodes)
    assert found.variables == ("raining", "night", CONCLUSION) and found.what == "raining xor night"
    assert found.stretch("raining", "encoder") == (-20.0, VISIBLE)
    assert found.stretch("raining", "memory") is None and found.stretch("night", "memory") is None
    assert found.stretch(CONCLUSION, "memory") == (-20.0, -3.0)
    assert found.visible[0].tolist()[:3] == [True] * 3
    assert found.summary()["raining"] == "encoder (-20 to -10 m)"
    assert found.window("raining", ["encoder"]) == (-np.inf, -6.0)


def test_premises_that_are_joined_late_stand_in_the_memory_and_the_conclusion_in_the_head(
    xor: Scenario, episodes: list[Episode]
) -> None:
    found = mapped(LateFusion(xor), xor, episodes)
    assert found.stretch("raining", "memory") == (-20.0, -3.0)
    assert found.stretch(CONCLUSION, "head") is not None and found.stretch(CONCLUSION, "memory") is None
    assert found.stretch("raining", "head") is None and found.stretch("night", "head") is None


def test_a_fused_rule_holds_the_conclusion_alone(xor: Scenario, episodes: list[Episode]) -> None:
    found = mapped(FusedRule(xor), xor, episodes)
    assert found.stretch(CONCLUSION, "memory") == (-20.0, -3.0)
    assert found.summary()["raining"] == "nowhere"


def test_an_untrained_net_holds_nothing(xor: Scenario, episodes: list[Episode]) -> None:
    found = mapped(untrained(SMALL, 5), xor, episodes)
    assert not found.held.any()


def test_shuffled_episodes_hold_nothing(xor: Scenario, episodes: list[Episode]) -> None:
    """The latents of other episodes: what is readable in one map of twenty at most must not be held in one of six."""
    name = name_of_truth(xor)
    truth, mind = tables(xor, episodes)[name], EarlyFusion(xor)
    known = read(mind, xor, episodes)
    readable = 0
    for seed in range(6):
        order = np.random.default_rng(seed).permutation(len(episodes))
        mixed = Trace(
            known.stations, {s: z[order] for s, z in known.latents.items()}, known.reached, known.pictures, known.shown,
            known.shown_decision, known.outcome,
        )  # fmt: skip
        found = held_map(mind, xor, episodes, mixed, truth, name, seed)
        assert not found.held.any()
        readable += bool((found.saved > found.threshold).any())
    assert readable <= 2  # of 6 maps at 1 in 20: more than 2 happen once in 450


def test_a_rule_of_one_premise_has_one_map() -> None:
    scenario = load_scenario("rain-turn")
    crossing = factorial_design(scenario, 4)
    few = [crossing.under(7_200_000 + i, crossing.settings[i % len(crossing.settings)]) for i in range(48)]
    found = mapped(FusedRule(scenario), scenario, few)
    assert found.variables == ("raining",) and found.saved.shape == (1, 1, len(STATIONS))
    assert found.to_dict()["held"][0][0][: len(BEFORE)] == [True] * len(BEFORE)


def test_windows_are_said_in_metres() -> None:
    assert window_text(-np.inf, -6.0) == "until -6 m" and window_text(-15.0, np.inf) == "from -15 m"
    assert window_text(-15.0, -6.0) == "from -15 m to -6 m" and window_text(-np.inf, np.inf) == "all the way"
