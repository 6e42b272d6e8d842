"""Claims about interventions where few worlds can be at once: the same results, to the byte, and nothing left open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from policies.learner import LearnerSettings, build
from probes import premise_swaps
from probes.applicability import NotApplicable
from probes.effects import used_map
from probes.interventions import Factorial, PairedWorlds, Subspace, interchange
from probes.planted_models import WIDTH, Premises
from probes.premise_swaps import Interchange, Question, choose_place, pairs_for, premise_subspace, sites_swapped, study
from probes.results import Proportion
from probes.trace import trace
from scenarios.sampling.sample import balanced_batch
from scenarios.scenario import Scenario, load_scenario
from sim.world.context import RunContext
from tests.support.stand_in_backend import ElsewhereWorlds
from tests.support.worlds import SMALL

DRAWS, SEED = 3, 77


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario("rain-turn")


@pytest.fixture(scope="module")
def question(scenario: Scenario) -> Question:
    return Question.of(scenario, SMALL)


@pytest.fixture(scope="module")
def mind(scenario: Scenario) -> Premises:
    made = Premises(scenario)
    made._rotation = torch.eye(WIDTH)  # of other matrices, products may round by the size of the batch
    return made


@pytest.fixture(scope="module")
def latents(question: Question, mind: Premises) -> dict[str, Factorial]:
    return study(mind, question, DRAWS, SEED)


@pytest.mark.parametrize("most", [1, 2, 5])
def test_shadows_are_read_as_well_a_few_at_a_time(
    question: Question, mind: Premises, latents: dict[str, Factorial], most: int
) -> None:
    worlds = ElsewhereWorlds(most, tint=False)
    found = study(mind, replace(question, context=RunContext(make_backend=worlds)), DRAWS, SEED)
    for site, whole in latents.items():
        assert found[site].latents.tobytes() == whole.latents.tobytes()
        np.testing.assert_array_equal(found[site].frame_episode, whole.frame_episode)
    assert worlds.open == 0 and worlds.peak <= most


@pytest.mark.parametrize("most", [2, 5])
def test_swaps_send_the_same_cars_the_same_ways_a_few_at_a_time(
    question: Question, mind: Premises, latents: dict[str, Factorial], most: int
) -> None:
    premise, sites = question.rule_names[0], sites_swapped(mind)
    flips, keeps = pairs_for(question, premise, 2, SEED)
    pairs = [*flips, *keeps]
    own = [premise_subspace(latents[s], question, premise) for s in sites]
    swaps = [own, [Subspace(s.site, np.zeros_like(s.basis), "nothing") for s in own]]
    asked = (mind, question.scenario, [p.base for p in pairs], [p.source for p in pairs], swaps, SMALL)
    whole = interchange(*asked)
    worlds = ElsewhereWorlds(most, tint=False)
    parts = interchange(*asked, RunContext(make_backend=worlds))
    for one, other in zip(whole, parts):
        np.testing.assert_array_equal(one.shown_decision, other.shown_decision)
        np.testing.assert_array_equal(one.outcome, other.outcome)
    assert worlds.open == 0 and worlds.peak <= most
    assert whole[0].way.tolist() == [p.expected for p in pairs] and whole[1].way.tolist() != whole[0].way.tolist()


def test_a_swap_acts_within_its_window_alone(question: Question, mind: Premises, latents: dict[str, Factorial]) -> None:
    """A memory that senses anew at every tick decides by what stands in it from shortly before the junction on."""
    premise, sites = question.rule_names[0], sites_swapped(mind)
    flips, _ = pairs_for(question, premise, 3, SEED)
    own = [premise_subspace(latents[s], question, premise) for s in sites]
    windows = [None, (-np.inf, np.inf), (-np.inf, -1000.0), (-8.0, np.inf), (-np.inf, -20.0)]
    swaps = [[replace(s, window=w) for s in own] for w in windows]
    found = interchange(mind, question.scenario, [p.base for p in flips], [p.source for p in flips], swaps, SMALL)
    swapped, untouched = [p.expected for p in flips], [p.before for p in flips]
    assert [f.way.tolist() for f in found] == [swapped, swapped, untouched, swapped, untouched]


def test_where_a_swap_carries_is_summed_up_alike_a_few_at_a_time(
    question: Question, mind: Premises, latents: dict[str, Factorial]
) -> None:
    whole = used_map(mind, question, latents, 4, SEED)
    worlds = ElsewhereWorlds(3, tint=False)
    few = replace(question, context=RunContext(make_backend=worlds))
    assert used_map(mind, few, latents, 4, SEED) == whole
    assert worlds.open == 0 and any(v is not None for row in whole[1] for v in row)


def test_latents_along_the_way_are_read_alike_a_few_at_a_time(scenario: Scenario, mind: Premises) -> None:
    episodes = balanced_batch(scenario, range(4), "test")
    whole = trace(mind, scenario, episodes, SMALL)
    worlds = ElsewhereWorlds(2, tint=False)
    parts = trace(mind, scenario, episodes, SMALL, RunContext(make_backend=worlds))
    assert all(whole.latents[site].tobytes() == parts.latents[site].tobytes() for site in whole.latents)
    assert worlds.open == 0 and worlds.peak == 2


def test_the_camera_of_the_worlds_is_what_a_learner_is_probed_with(scenario: Scenario) -> None:
    learner = build(LearnerSettings(image=(SMALL.height, SMALL.width)), 3)
    episodes = balanced_batch(scenario, range(2), "test")
    house = trace(learner, scenario, episodes, SMALL)
    elsewhere = trace(learner, scenario, episodes, SMALL, RunContext(make_backend=ElsewhereWorlds(2)))
    assert not np.array_equal(house.images, elsewhere.images)


def test_a_car_beside_its_twin_is_not_asked_for_where_there_is_one_world(
    scenario: Scenario, question: Question
) -> None:
    worlds = ElsewhereWorlds(1)
    context = RunContext(make_backend=worlds)
    with pytest.raises(NotApplicable, match="needs two worlds, and the backend is limited to 1"):
        Question.of(scenario, SMALL, context)
    episode = question.draw(1)[0]
    with pytest.raises(ValueError, match="2 worlds; 1 allowed"):
        PairedWorlds(scenario, [episode], [episode], SMALL, context)
    assert worlds.open == 0


@pytest.mark.parametrize(
    ("scores", "chosen"), [((0.9, 1.0), ("encoder",)), ((1.0, 1.0), ("memory",)), ((0.3, 0.2), ("memory",))]
)
def test_a_premise_is_swapped_where_that_does_most_and_of_equals_at_the_memory(
    question: Question, monkeypatch: pytest.MonkeyPatch, scores: tuple[float, float], chosen: tuple[str, ...]
) -> None:
    learner = build(replace(LearnerSettings(), image=(SMALL.height, SMALL.width)), 0)
    latents = study(learner, question, DRAWS, SEED)

    def run(policy: object, question: object, flips: object, keeps: object, swaps: dict[str, object]) -> list[object]:
        return [
            Interchange(what, Proportion(s, (0, 1), 8), Proportion(1.0, (0, 1), 8)) for what, s in zip(swaps, scores)
        ]

    monkeypatch.setattr(premise_swaps, "run_pairs", run)
    assert choose_place(learner, question, latents, "raining", 8, SEED) == chosen
