"""Families whose premises are hidden for a while: behind a van, in a bay, in the demonstrator's own head."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from policies.expert.expert import Expert, Label
from scenarios.checks.leak_check import check_leaks
from scenarios.sampling.sample import balanced_batch, decision, slots_needed, twin, valuation
from scenarios.scenario import load_scenario
from sim.datatypes.action import Action
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import OUTCOME
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import PrivilegedInput, observe_for, rollout

FAMILIES = ("drowsy-driver", "occluded-pedestrian", "parallel-parking")
RUNNING = OUTCOME["running"]


def shown_by(name: str, episodes: Sequence[Episode], driver: object | None = None) -> np.ndarray:
    """What the expert, or another driver, shows in some episodes of a family: indices into DECISIONS."""
    scenario = load_scenario(name)
    backend = EmbeddedWorld(len(episodes), None, slots_needed(scenario))
    trajectory = rollout(backend, driver or Expert.of(scenario), episodes)  # type: ignore[arg-type]
    fouls = trajectory.red_lights + trajectory.stop_signs
    return np.where((trajectory.outcome == OUTCOME["arrived"]) & (fouls == 0), trajectory.shown_decision, -1)


def hidden_taken_away(seen: PrivilegedInput, shown: np.ndarray) -> PrivilegedInput:
    """The rows without whatever ego's camera has not shown yet; `shown` (worlds, N) bool is kept up to date."""
    now = np.ones(seen.world.kind.shape, bool)
    now[:, 1:] = seen.state.actors.visible | seen.state.signs.pictured
    shown[seen.slots] |= now
    world = seen.world._replace(kind=np.where(shown[seen.slots], seen.world.kind, 0))
    return dataclasses.replace(seen, world=world)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_expert_decides_as_the_rule_does(name: str) -> None:
    scenario = load_scenario(name)
    episodes = balanced_batch(scenario, range(16), "test")
    assert shown_by(name, episodes).tolist() == [decision(scenario, e) for e in episodes]


@pytest.mark.parametrize("name", FAMILIES)
def test_twins_show_another_decision_where_the_rule_has_one(name: str) -> None:
    scenario = load_scenario(name)
    pairs = [
        (e, twin(scenario, e, p))
        for p in scenario.proposition_names
        for e in balanced_batch(scenario, range(6), "test")
    ]
    wanted = np.array([[decision(scenario, e) for e in pair] for pair in pairs])
    shown = shown_by(name, [b for _, b in pairs])
    np.testing.assert_array_equal(shown, wanted[:, 1])
    assert (wanted[:, 0] != wanted[:, 1]).any()


@pytest.mark.parametrize("name", FAMILIES)
def test_nothing_but_the_evidence_tells_the_decision(name: str) -> None:
    assert check_leaks(load_scenario(name), 400).passed


@pytest.mark.parametrize("name", FAMILIES[1:])
def test_labels_are_the_same_when_all_that_was_not_seen_yet_is_taken_away(name: str) -> None:
    scenario = load_scenario(name)
    episodes = balanced_batch(scenario, range(12), "test")
    backend = EmbeddedWorld(len(episodes), None, slots_needed(scenario))
    backend.reset(episodes)
    expert = Expert.of(scenario)
    memory = expert.begin(len(episodes))
    bare = memory.copy()
    hid, shown = False, np.zeros(backend.world.kind.shape, bool)
    while (backend.world.outcome == RUNNING).any():
        slots = np.flatnonzero(backend.world.outcome == RUNNING)
        seen = observe_for(backend, "state", slots)
        assert isinstance(seen, PrivilegedInput)
        less = hidden_taken_away(seen, shown)
        hid |= bool((less.world.kind != seen.world.kind).any())
        label, other = expert.label(seen, memory[slots]), expert.label(less, bare[slots])
        equal(label, other)
        memory[slots], bare[slots] = label.memory, other.memory
        backend.step(label.action.spread(slots, len(episodes)))
    assert hid, "nothing was ever hidden: this showed nothing"


def equal(a: Label, b: Label) -> None:
    """Two labels say the same."""
    np.testing.assert_array_equal(a.decision, b.decision)
    np.testing.assert_array_equal(a.action.steer, b.action.steer)
    np.testing.assert_array_equal(a.action.acceleration, b.action.acceleration)
    for name, truth in a.facts.items():
        np.testing.assert_array_equal(truth, b.facts[name])


def test_a_ball_is_known_of_once_it_has_rolled_out_and_not_before() -> None:
    scenario = load_scenario("occluded-pedestrian")
    episodes = [e for e in balanced_batch(scenario, range(24), "test") if valuation(scenario, e)["ball"]][:8]
    backend = EmbeddedWorld(len(episodes), None, slots_needed(scenario))
    backend.reset(episodes)
    expert, ball = Expert.of(scenario), 2
    memory, hid = expert.begin(len(episodes)), backend.world.y[:, ball].copy()
    first = np.full(len(episodes), np.nan)
    while (backend.world.outcome == RUNNING).any():
        slots = np.flatnonzero(backend.world.outcome == RUNNING)
        label = expert.label(observe_for(backend, "state", slots), memory[slots])  # type: ignore[arg-type]
        memory[slots] = label.memory
        fresh = slots[label.facts["ball"] & np.isnan(first[slots])]
        first[fresh] = (backend.world.y[:, ball] - hid)[fresh]
        backend.step(label.action.spread(slots, len(episodes)))
    assert (first > 0.5).all() and (first < 2.5).all(), first


class Steady:
    """Holds the wheel straight and the speed."""

    needs = "camera"

    def begin(self, worlds: int) -> np.ndarray:
        """No memory."""
        return np.zeros((worlds, 0), np.float32)

    def act(self, seen: object, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        """Nothing is asked for."""
        zeros = np.zeros(len(memory), np.float32)
        return Action(zeros, zeros.copy()), memory


def test_a_drowsy_car_swings_under_every_driver_and_its_twin_does_not() -> None:
    scenario = load_scenario("drowsy-driver")
    drowsy = [e for e in balanced_batch(scenario, range(12), "test") if e.driver_state and e.driver_state.drowsy][:4]
    backend = EmbeddedWorld(8, None, slots_needed(scenario))
    trajectory = rollout(backend, Steady(), [*drowsy, *(twin(scenario, e, "drowsy") for e in drowsy)])
    swings = np.ptp(trajectory.moving["yaw"][:, :60, 0], axis=1)
    assert (swings[:4] > 0.02).all() and (swings[4:] < 1e-5).all(), swings
