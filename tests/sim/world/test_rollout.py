"""A rollout asks only about worlds that run, and writes down what was lived."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from policies.expert.expert import Fixed
from sim.datatypes.action import Action, Observation
from sim.datatypes.vocabulary import OUTCOME
from sim.world.conformance import actions
from sim.world.rollout import DYNAMIC_FIELDS, PrivilegedInput, in_chunks, observe_for, progress, rollout
from tests.support.worlds import SMALL, episode, started

EPISODES = [episode(1), episode(2, time_limit=1.0), episode(3, speed=3.0)]


class Counting:
    """Drives straight on and counts, in its memory, how often each world was asked about."""

    def __init__(self, needs: str) -> None:
        self.needs, self.seen = needs, []  # type: tuple[str, list[Any]]

    def begin(self, worlds: int) -> np.ndarray:
        self.last = np.zeros((worlds, 1), np.float32)
        return self.last

    def act(self, seen: Any, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        self.seen.append(seen)
        return Action(np.zeros(len(memory), np.float32), np.ones(len(memory), np.float32)), memory + 1


def test_a_driver_is_asked_about_running_worlds_only_and_keeps_each_ones_memory() -> None:
    driver = Counting("state")
    trajectory = rollout(started(EPISODES), driver, EPISODES)
    assert trajectory.ticks[1] == 10
    np.testing.assert_array_equal(driver.last[:, 0], trajectory.ticks)
    for tick, seen in enumerate(driver.seen):
        np.testing.assert_array_equal(seen.slots, np.flatnonzero(trajectory.valid[:, tick]))
        assert isinstance(seen, PrivilegedInput) and len(seen.world.tick) == len(seen.slots)


def test_a_camera_driver_is_shown_pictures_of_running_worlds_only() -> None:
    driver = Counting("camera")
    trajectory = rollout(started(EPISODES), driver, EPISODES)
    for tick, seen in enumerate(driver.seen):
        assert isinstance(seen, Observation)
        assert len(seen.camera) == len(seen.speed) == trajectory.valid[:, tick].sum()


def test_an_unknown_need_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'lidar'.*'camera' and 'state'"):
        rollout(started(EPISODES), Counting("lidar"), EPISODES)


def test_a_trajectory_has_one_state_more_than_actions_and_ends_where_the_world_is() -> None:
    backend = started(EPISODES)
    trajectory = rollout(backend, Fixed("right"), EPISODES)
    ticks = trajectory.valid.shape[1]
    assert trajectory.steer.shape == trajectory.acceleration.shape == (3, ticks)
    for name in DYNAMIC_FIELDS:
        assert trajectory.moving[name].shape == (3, ticks + 1, 4)
        np.testing.assert_array_equal(trajectory.moving[name][:, -1], getattr(backend.world, name))
    assert trajectory.outcome.tolist() == [OUTCOME["arrived"], OUTCOME["timeout"], OUTCOME["arrived"]]
    assert trajectory.ticks.max() == ticks
    assert (np.diff(trajectory.valid.astype(int), axis=1) <= 0).all(), "a world came back to life"
    assert (trajectory.steer[~trajectory.valid] == 0).all()


class Backing(Counting):
    """Drives world 2 backwards, the others forwards; says nothing of gears in the first tick."""

    def act(self, seen: Any, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        action, memory = super().act(seen, memory)
        return replace(action, reverse=seen.slots == 2 if len(self.seen) > 1 else None), memory


@pytest.mark.parametrize("driver", [Fixed("left"), Backing("state")], ids=["forwards", "backwards"])
def test_the_actions_written_down_lead_to_the_states_written_down(driver: Any) -> None:
    trajectory = rollout(started(EPISODES), driver, EPISODES)
    again = started(EPISODES)
    gears = trajectory.reverse
    for tick in range(trajectory.valid.shape[1]):
        np.testing.assert_array_equal(again.world.x, trajectory.moving["x"][:, tick])
        gear = None if gears is None else gears[:, tick]
        again.step(Action(trajectory.steer[:, tick], trajectory.acceleration[:, tick], gear))
    np.testing.assert_array_equal(again.world.yaw, trajectory.moving["yaw"][:, -1])
    assert ((trajectory.moving["speed"][:, :, 0] < 0).any(1) == [False, False, gears is not None]).all()


def test_an_action_out_of_two_takes_each_ones_gear_too() -> None:
    mask, zeros = np.array([True, False, True]), np.zeros(3, np.float32)
    plain, back = Action(zeros, zeros + 1), Action(zeros + 0.5, zeros, np.array([True, True, False]))
    mine, theirs = back.where(mask, plain), plain.where(mask, back)
    assert mine.reverse is not None and mine.reverse.tolist() == [True, False, False]
    assert theirs.reverse is not None and theirs.reverse.tolist() == [False, True, False]
    assert mine.steer.tolist() == [0.5, 0.0, 0.5] and mine.acceleration.tolist() == [0.0, 1.0, 0.0]
    assert plain.where(mask, plain).reverse is None


def test_progress_goes_from_nothing_to_all() -> None:
    backend, driver = started([episode(1)], SMALL), Fixed("left")
    found = [float(progress(backend)[0])]
    while backend.world.outcome[0] == OUTCOME["running"]:
        backend.step(driver.act(observe_for(backend, "state", np.arange(1)), np.zeros((1, 0)))[0])
        found.append(float(progress(backend)[0]))
    assert found[0] == 0.0 and found[-1] == 1.0
    # While both ways are equally near it may go over from the shorter to the longer: the left turn is 2.7 m longer.
    assert np.diff(found).min() > -0.05
    assert (np.diff(found) >= 0).mean() > 0.97


def test_on_tick_hears_of_every_tick_after_its_step() -> None:
    backend, heard = started(EPISODES), []
    rollout(
        backend, Fixed("left"), EPISODES, on_tick=lambda t, slots: heard.append((t, backend.world.tick[slots].tolist()))
    )
    assert [t for t, _ in heard] == list(range(1, len(heard) + 1))
    assert all(set(ticks) == {t} for t, ticks in heard)


def test_a_world_that_stands_still_is_as_good_as_one_that_runs_out_of_time() -> None:
    backend = started([episode(1, speed=0.0, time_limit=0.5)])
    for _ in range(5):
        backend.step(actions(1))
    assert backend.world.outcome[0] == OUTCOME["timeout"] and progress(backend)[0] == 0.0


def test_chunks_are_whole_but_for_the_last() -> None:
    assert [list(c) for c in in_chunks(range(7), 3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(in_chunks([], 3)) == []
