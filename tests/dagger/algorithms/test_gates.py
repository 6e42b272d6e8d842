"""Gates: who drives at each tick, and that every gate can collect a round."""

from __future__ import annotations

import numpy as np
import pytest

from dagger.algorithms.base import GATES, BetaSchedule, GateInput
from dagger.algorithms.gates.disagreement import ACCELERATION, STEER
from dagger.algorithms.registry import gate_named
from dagger.training.collect import collect
from dagger.training.trainer import TrainSettings
from policies.expert.expert import Expert, Idle, Label
from scenarios.sampling.sample import balanced_batch, slots_needed
from scenarios.scenario import load_scenario
from sim.datatypes.action import Action
from sim.world.embedded import EmbeddedWorld

TICK, SEEDS = 0.1, np.arange(200)


def seen(tick: int, beta: float = 0.5, steer: float = 0.0, pull: float = 0.0, slots: np.ndarray = SEEDS) -> GateInput:
    """An expert that drives straight on, and a learner whose action differs by so much."""
    n = len(slots)
    nothing = np.zeros(n, np.float32)
    label = Label(Action(nothing, nothing), np.zeros(n, int), np.ones(n, bool), {})
    return GateInput(slots, tick, TICK, beta, label, Action(nothing + np.float32(steer), nothing + np.float32(pull)))


def drives(name: str, schedule: BetaSchedule, inputs: list[GateInput]) -> np.ndarray:
    """(T, S) bool: where the expert drives."""
    gate = gate_named(name)
    gate.begin(SEEDS, schedule)
    return np.stack([gate.expert_drives(now) for now in inputs])


def test_the_mixture_gives_the_expert_beta_of_the_segments_and_holds_each() -> None:
    found = drives("mixture", BetaSchedule(segment=1.0), [seen(t, 0.3) for t in range(40)])
    assert abs(found.mean() - 0.3) < 0.05
    assert (found.reshape(4, 10, -1) == found[::10][:, None]).all(), "the driver changed within a segment"
    each = drives("mixture", BetaSchedule(per="step"), [seen(t, 0.3) for t in range(40)])
    assert (each[1:] != each[:-1]).mean() > 0.3, "drawn per step, the driver changes often"


def test_the_mixture_of_a_world_does_not_depend_on_its_neighbours() -> None:
    whole = drives("mixture", BetaSchedule(), [seen(t) for t in range(40)])
    part = drives("mixture", BetaSchedule(), [seen(t, slots=SEEDS[50:60]) for t in range(40)])
    assert (whole[:, 50:60] == part).all()


def test_always_expert_never_lets_the_learner_drive() -> None:
    assert drives("always_expert", BetaSchedule(), [seen(0, beta=0.0, steer=1.0)]).all()


@pytest.mark.parametrize(("steer", "pull"), [(STEER * 1.1, 0.0), (0.0, ACCELERATION * 1.1), (-STEER * 1.1, 0.0)])
def test_disagreement_hands_control_over_for_a_segment(steer: float, pull: float) -> None:
    inputs = [seen(0), seen(1, steer=steer, pull=pull), *(seen(t) for t in range(2, 15))]
    found = drives("disagreement", BetaSchedule(segment=1.0), inputs)
    assert found.all(1).tolist() == [False, *[True] * 10, *[False] * 4] and (found.any(1) == found.all(1)).all()


def test_small_differences_are_the_learner_s_to_make() -> None:
    assert not drives("disagreement", BetaSchedule(), [seen(0, steer=STEER * 0.9, pull=ACCELERATION * 0.9)]).any()


def test_an_unknown_gate_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown gate 'mixtur'; known are .*disagreement.*did you mean 'mixture'"):
        gate_named("mixtur")
    with pytest.raises(ValueError, match=r"gate is 'expert'; wanted one of .*mixture"):
        TrainSettings(gate="expert")


@pytest.mark.parametrize("name", sorted(GATES))
def test_every_gate_collects_a_round(name: str) -> None:
    scenario = load_scenario("rain-turn")
    episodes = balanced_batch(scenario, range(4))
    backend = EmbeddedWorld(4, None, slots_needed(scenario))
    found = collect(backend, Expert.of(scenario), Idle(), episodes, BetaSchedule(), 1, "dagger", gate=name)
    share = np.concatenate([d.ticks["expert_used"] for d in found]).mean()
    assert share == 1.0 if name == "always_expert" else 0.0 < share < 1.0
