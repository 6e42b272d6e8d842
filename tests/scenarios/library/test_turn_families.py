"""Families in which turns are taken: at an all-way stop, before an oncoming car, in a passage, and in anger."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from policies.expert.approach import place_of
from policies.expert.expert import Expert
from scenarios.checks.leak_check import check_leaks
from scenarios.reading.yaml import ScenarioError
from scenarios.sampling.sample import balanced_batch, decision, slots_needed, twin, valuation
from scenarios.scenario import Scenario, from_text, load_scenario
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import DECISION, OUTCOME
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import PrivilegedInput, observe_for, rollout

FAMILIES = ("all-way-stop", "gap-acceptance", "narrow-passage", "raging-driver")
# Cells whose twins in the proposition change the decision.
TELLING = {
    "all-way-stop": {"west_first": {}, "north_first": {}, "east_first": {}},
    "gap-acceptance": {
        "long": {"fast": True, "wet": False}, "longer": {"long": True, "fast": True, "wet": True},
        "fast": {"long": True, "longer": False, "wet": True}, "wet": {"long": False, "fast": False},
    },
    "narrow-passage": {
        "inside": {"far": False, "truck": False, "priority": True}, "far": {"inside": False, "priority": False},
        "truck": {"inside": False, "far": False, "priority": True},
        "priority": {"inside": False, "far": False, "truck": False},
    },
    "raging-driver": {
        "medium": {"long": False, "cut_in": True}, "long": {"medium": True, "tailgated": False, "cut_in": False},
        "tailgated": {"medium": True, "long": False, "cut_in": False},
        "cut_in": {"medium": True, "long": False, "tailgated": False},
    },
}  # fmt: skip


def driven(scenario: Scenario, episodes: list[Episode]) -> tuple[np.ndarray, np.ndarray]:
    """The decisions that the expert's drives show, and which of them arrive without a fault."""
    backend = EmbeddedWorld(len(episodes), None, slots_needed(scenario))
    found = rollout(backend, Expert.of(scenario), episodes)
    return found.shown_decision, (found.outcome == OUTCOME["arrived"]) & (found.red_lights + found.stop_signs == 0)


def telling(scenario: Scenario, episodes: list[Episode], proposition: str, cell: dict[str, bool]) -> list[Episode]:
    """The episodes of a cell that have a twin in the proposition."""
    found = []
    for episode in episodes:
        values = valuation(scenario, episode)
        if all(values[name] == value for name, value in cell.items()):
            try:
                twin(scenario, episode, proposition)
            except ValueError:
                continue
            found.append(episode)
    return found


@pytest.mark.parametrize("name", FAMILIES)
def test_the_expert_decides_as_the_rule_does_and_arrives_without_a_fault(name: str) -> None:
    scenario = load_scenario(name)
    episodes = balanced_batch(scenario, range(16), "test")
    shown, arrived = driven(scenario, episodes)
    assert shown.tolist() == [decision(scenario, e) for e in episodes]
    assert arrived.all()


@pytest.mark.parametrize("name", FAMILIES)
def test_twins_flip_where_the_rule_does_and_the_expert_with_them(name: str) -> None:
    scenario = load_scenario(name)
    episodes = balanced_batch(scenario, range(160), "test")
    for proposition, cell in TELLING[name].items():
        ones = telling(scenario, episodes, proposition, cell)[:3]
        assert len(ones) == 3, f"{proposition} has too few twins"
        others = [twin(scenario, e, proposition) for e in ones]
        shown, _ = driven(scenario, ones + others)
        assert (shown[:3] != shown[3:]).all(), f"{proposition} flips nothing"
        assert shown.tolist() == [decision(scenario, e) for e in ones + others]


@pytest.mark.parametrize("name", FAMILIES)
def test_what_has_no_say_changes_nothing(name: str) -> None:
    scenario = load_scenario(name)
    (idle,) = set(scenario.proposition_names) - set(TELLING[name]) - {"raining"} or {"raining"}
    ones = telling(scenario, balanced_batch(scenario, range(40), "test"), idle, {})[:6]
    shown, arrived = driven(scenario, ones + [twin(scenario, e, idle) for e in ones])
    assert len(ones) == 6 and (shown[:6] == shown[6:]).all() and arrived.all()


@pytest.mark.parametrize("name", FAMILIES)
def test_what_cannot_be_seen_does_not_count(name: str) -> None:
    scenario = load_scenario(name)
    episodes = balanced_batch(scenario, range(12), "test")
    slots = np.arange(len(episodes))
    backend = EmbeddedWorld(len(episodes), None, slots_needed(scenario))
    backend.reset(episodes)
    expert = Expert.of(scenario)
    told, kept = expert.begin(len(episodes)), expert.begin(len(episodes))
    hidden = 0
    for _ in range(300):
        truth = observe_for(backend, "state", slots)
        assert isinstance(truth, PrivilegedInput)
        kind = truth.world.kind.copy()
        seen = truth.state.actors.visible | truth.state.signs.visible
        kind[:, 1:] = np.where(seen, kind[:, 1:], 0)
        hidden += int((kind != truth.world.kind).sum())
        with_all = expert.label(truth, told)
        visible = truth.world._replace(kind=kind, absent_kind=np.zeros_like(kind))
        with_seen = expert.label(replace(truth, world=visible), kept)
        assert with_all.decision.tolist() == with_seen.decision.tolist()
        np.testing.assert_array_equal(with_all.action.acceleration, with_seen.action.acceleration)
        told, kept = with_all.memory, with_seen.memory
        backend.step(with_all.action)
        if backend.world.outcome.all():
            break
    assert hidden > 20  # an actor that has yet to come is not hidden: it is not there


@pytest.mark.parametrize("name", FAMILIES)
def test_nothing_but_the_evidence_tells_the_answer(name: str) -> None:
    assert check_leaks(load_scenario(name), 600, splits=False).passed


def test_who_is_provoked_brakes_and_pulls_harder_and_who_is_in_a_hurry_drives_faster() -> None:
    scenario = load_scenario("raging-driver")
    calm = telling(scenario, balanced_batch(scenario, range(200), "train"), "cut_in",
                   {"tailgated": False, "hurry": False, "cut_in": False, "long": True})[:4]  # fmt: skip
    angry, hurried = ([twin(scenario, e, p) for e in calm] for p in ("tailgated", "hurry"))
    backend = EmbeddedWorld(12, None, slots_needed(scenario))
    found = rollout(backend, Expert.of(scenario), calm + angry + hurried)
    asked = np.where(found.valid, found.acceleration, 0.0)
    pull, brake, fastest = asked.max(1), -asked.min(1), found.moving["speed"][:, :, 0].max(1)
    assert (pull[4:8] > pull[:4] + 0.5).all() and (brake[4:8] > brake[:4] + 0.5).all()
    assert (fastest[8:] > fastest[:4] + 1.0).all() and (pull[8:] < pull[:4] + 0.1).all()


def test_in_the_passage_one_comes_out_before_the_other_goes_in() -> None:
    scenario = load_scenario("narrow-passage")
    episodes = [e for e in balanced_batch(scenario, range(60), "test") if e.actors[0].present][:24]
    backend = EmbeddedWorld(len(episodes), None, slots_needed(scenario))
    backend.reset(episodes)
    expert, slots = Expert.of(scenario), np.arange(len(episodes))
    memory, both = expert.begin(len(episodes)), 0
    for _ in range(400):
        truth = observe_for(backend, "state", slots)
        inside = place_of(truth).left + 1.0 < 0  # their fronts are in by more than a metre
        both += int((inside[:, 0] & inside[:, 1] & (truth.state.routes.to_junction_end[:, 0] > 0)).sum())
        action, memory = expert.act(truth, memory)
        backend.step(action)
    assert both == 0
    assert (backend.world.outcome == OUTCOME["arrived"]).all()


def test_the_last_of_four_goes_when_three_have_gone() -> None:
    scenario = load_scenario("all-way-stop")
    episodes = [e for e in balanced_batch(scenario, range(80), "test") if decision(scenario, e) == DECISION["place 4"]][
        :6
    ]
    shown, arrived = driven(scenario, episodes)
    assert (shown == DECISION["place 4"]).all() and arrived.all()


def test_an_unknown_provocation_is_refused_with_the_formulas_that_there_are() -> None:
    text = """
name: cross
driver_state: {angered_by: provokd}
propositions: {raining: weather.precipitation > 20}
where: {provoked: not raining}
rule: left if raining else right
"""
    with pytest.raises(ScenarioError, match="unknown proposition 'provokd'; known are raining, provoked; did you mean"):
        from_text(text)
    assert str(from_text(text.replace("provokd", "provoked")).anger_trigger) == "not raining"
