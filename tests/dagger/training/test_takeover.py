"""Takeovers: what the expert would have done from a state that somebody else has led to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dagger.algorithms.base import BetaSchedule
from dagger.training.collect import collect
from dagger.training.demonstrations import Demonstration, DemonstrationStore
from dagger.training.futures import futures_of
from policies.expert.expert import Expert
from scenarios.sampling.sample import balanced_batch, decision, slots_needed
from scenarios.scenario import load_scenario
from sim.datatypes.action import Action
from sim.datatypes.vocabulary import DECISION
from sim.world.embedded import EmbeddedWorld
from tests.support.worlds import SMALL

ALONE = BetaSchedule("indicator")


class Weaver:
    """A learner that weaves straight ahead."""

    needs = "camera"

    def begin(self, worlds: int) -> np.ndarray:
        return np.zeros((worlds, 1), np.float32)

    def act(self, seen: Any, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        steer = 0.05 * np.sin(memory[:, 0] / 3.0)
        return Action(steer.astype(np.float32), np.full(len(steer), 0.2, np.float32)), memory + 1


def weaving(each: int, worlds: int = 8) -> list[Demonstration]:
    scenario = load_scenario("rain-turn")
    return collect(
        EmbeddedWorld(worlds, SMALL, slots_needed(scenario)), Expert.of(scenario), Weaver(),
        balanced_batch(scenario, range(8), "train"), ALONE, 1, "dagger", takeovers_each=each,
    )  # fmt: skip


@pytest.fixture(scope="module")
def taken() -> list[Demonstration]:
    return weaving(4)


def test_a_takeover_begins_where_the_drive_was_and_ends_where_the_rule_says(taken: list[Demonstration]) -> None:
    scenario = load_scenario("rain-turn")
    count = 0
    for d in taken:
        left = decision(scenario, d.episode) == DECISION["left"]
        for t in d.takeovers:
            place = [d.moving[k][t.tick, 0] for k in ("x", "y", "yaw", "speed")]
            np.testing.assert_array_equal(t.motion[0], np.array(place, np.float32))
            assert (futures_of(d).path[t.tick, -1, 1] > 0) == left
            turned = np.unwrap(t.motion[:, 2])
            assert (turned[-1] > d.moving["yaw"][0, 0]) == left
            count += 1
    assert count >= 12, f"{count} of 32 tries came to something"


def test_there_is_one_try_from_each_part_of_the_drive(taken: list[Demonstration]) -> None:
    for d in taken:
        parts = [4 * t.tick // len(d) for t in d.takeovers]
        assert len(set(parts)) == len(parts)


def test_a_drive_by_the_expert_alone_has_none_and_its_driving_is_not_touched(taken: list[Demonstration]) -> None:
    without = weaving(0)
    assert all(d.takeovers == () for d in without)
    for a, b in zip(taken, without):
        assert all(a.moving[k].tobytes() == b.moving[k].tobytes() for k in a.moving) and a.outcome == b.outcome


def test_takeovers_hang_on_the_episode_and_are_stored(taken: list[Demonstration], tmp_path: Path) -> None:
    apart = weaving(4, worlds=3)
    store = DemonstrationStore(tmp_path)
    store.append(apart, "dagger-1")
    for a, b in zip(taken, store.read()):
        assert [t.tick for t in a.takeovers] == [t.tick for t in b.takeovers]
        assert all(x.motion.tobytes() == y.motion.tobytes() for x, y in zip(a.takeovers, b.takeovers))
