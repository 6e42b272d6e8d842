"""Perturbed demonstrations: other drives, the same labels' meaning, and an expert that still arrives."""

from __future__ import annotations

import numpy as np
import pytest

from dagger.algorithms.base import BetaSchedule
from dagger.training.collect import collect
from dagger.training.demonstrations import Demonstration
from dagger.training.perturbation import Offsets, Perturbation
from dagger.training.pilot import bounded
from policies.expert.expert import Expert
from scenarios.sampling.sample import balanced_batch, decision, slots_needed, valuation
from scenarios.scenario import Scenario, load_scenario
from sim.datatypes.action import Action
from sim.datatypes.camera import Camera
from sim.datatypes.vocabulary import OUTCOME
from sim.world.context import RunContext
from sim.world.embedded import EmbeddedWorld
from tests.support.worlds import SMALL

FEW = RunContext(worlds=24, threads=1)


def driven(
    scenario: Scenario, offsets: Offsets | None, count: int = 24, worlds: int = 24, camera: Camera = SMALL
) -> list[Demonstration]:
    return collect(
        EmbeddedWorld(worlds, camera, slots_needed(scenario)), Expert.of(scenario), None,
        balanced_batch(scenario, range(count), "train"), BetaSchedule(), 0, "expert", offsets=offsets,
    )  # fmt: skip


def test_what_is_executed_is_the_label_and_an_offset_that_is_held() -> None:
    for d in driven(load_scenario("rain-turn"), Offsets(), 8, 8):
        offset = d.ticks["executed_steer"] - d.ticks["expert_steer"]
        assert d.ticks["expert_used"].all() and np.abs(offset).max() > 0.0
        for hold in range(0, len(d) - 8, 8):
            assert np.ptp(offset[hold : hold + 8]) < 1e-6


def test_offsets_have_the_asked_size_and_share() -> None:
    seeds = np.arange(4000)
    offsets = Offsets(steer=0.05, acceleration=0.5, steered=0.6, pushed=0.7, far=0.0)
    perturbation = Perturbation(offsets, seeds, 0.1)
    zeros = np.zeros(4000, np.float32)
    found = perturbation.apply(Action(zeros, zeros), np.arange(4000), zeros + 5.0, 0)
    for values, size, share in ((found.steer, 0.05, 0.6), (found.acceleration, 0.5, 0.7)):
        assert np.mean(values != 0) == pytest.approx(share, abs=0.03)
        assert np.std(values[values != 0]) == pytest.approx(size, rel=0.05)


def test_a_share_of_the_steering_offsets_is_far_larger() -> None:
    seeds, zeros = np.arange(4000), np.zeros(4000, np.float32)
    steer = {
        share: Perturbation(Offsets(far=share, times=3.0), seeds, 0.1)
        .apply(Action(zeros, zeros), np.arange(4000), zeros + 5.0, 0)
        .steer
        for share in (0.0, 0.2, 1.0)
    }
    assert np.allclose(steer[1.0], 3.0 * steer[0.0])
    steered = steer[0.0] != 0
    larger = np.isclose(steer[0.2], steer[1.0])[steered]
    assert np.mean(larger) == pytest.approx(0.2, abs=0.03)
    assert np.allclose(steer[0.2][steered][~larger], steer[0.0][steered][~larger])


def test_a_stopped_car_is_not_pushed_over_its_line() -> None:
    perturbation = Perturbation(Offsets(pushed=1.0), np.arange(64), 0.1)
    zeros = np.zeros(64, np.float32)
    found = perturbation.apply(Action(zeros, zeros), np.arange(64), zeros + 0.1, 0)
    assert (found.acceleration == 0).all() and (found.steer != 0).any()


def test_offsets_hang_on_the_episode_and_not_on_its_neighbours() -> None:
    scenario = load_scenario("rain-turn")
    together, apart = driven(scenario, Offsets(), 6, 6), driven(scenario, Offsets(), 6, 2)
    for a, b in zip(together, apart):
        assert a.ticks["executed_steer"].tobytes() == b.ticks["executed_steer"].tobytes()


@pytest.mark.parametrize("name", ["rain-turn", "logic-xor", "sign-and-weather", "parallel-parking"])
def test_a_perturbed_expert_keeps_its_cells_its_evidence_and_its_decision(name: str) -> None:
    """What it knows when it decides is what is true: no offset has pushed the evidence out of sight."""
    scenario = load_scenario(name)
    episodes = balanced_batch(scenario, range(100, 124), "train")
    strength = bounded(Expert.of(scenario), scenario, episodes, 1.0, Camera(), FEW)["strength"]
    assert strength > 0.0
    found = driven(scenario, Offsets().scaled(strength), camera=Camera())  # what the expert reads hangs on it
    right = [d.outcome == OUTCOME["arrived"] and d.shown_decision == decision(scenario, d.episode) for d in found]
    assert np.mean(right) >= 0.95, f"{np.sum(right)} of {len(found)} at strength {strength}"
    for d, good in zip(found, right):
        true = valuation(scenario, d.episode)
        assert not good or {name: bool(values[-1]) for name, values in d.propositions.items()} == true


def test_the_pilot_halves_what_is_too_strong() -> None:
    scenario = load_scenario("rain-turn")
    episodes = balanced_batch(scenario, range(24), "train")
    row = bounded(Expert.of(scenario), scenario, episodes, 16.0, Camera(), FEW)
    assert row["asked"] == 16.0 and row["strength"] < 16.0
    assert [t["strength"] for t in row["tried"]] == [16.0, 8.0, 4.0][: len(row["tried"])]
    assert all(t["right"] < 0.98 for t in row["tried"][:-1])
    assert bounded(Expert.of(scenario), scenario, episodes, 1.0, Camera(), FEW)["strength"] == 1.0
