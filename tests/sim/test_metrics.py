"""Metrics on trajectories whose figures are known by hand."""

from __future__ import annotations

import math

import numpy as np

from policies.expert import Fixed
from sim.metrics import Metric, measure
from sim.rollout import MOVING, Trajectory, rollout
from sim.types import OUTCOME
from tests.worlds import episode, started


def made(speed: np.ndarray, yaw: np.ndarray, acceleration: np.ndarray, lived: int, outcome: str) -> Trajectory:
    """One episode of which `lived` ticks were lived; the rest is padding that must not count."""
    moving = {name: np.zeros((1, len(speed), 1), np.float32) for name in MOVING}
    moving["speed"][0, :, 0], moving["yaw"][0, :, 0], moving["acceleration"][0, :, 0] = speed, yaw, acceleration
    ticks = len(speed) - 1
    valid = (np.arange(ticks) < lived)[None]
    zeros = np.zeros((1, ticks), np.float32)
    return Trajectory(
        moving,
        zeros,
        zeros,
        valid,
        np.array([OUTCOME[outcome]]),
        np.array([-1]),
        np.array([0.4], np.float32),
        (episode(),),
    )


def test_lateral_acceleration_is_speed_times_turning_also_across_half_a_turn() -> None:
    yaw = np.array([3.1, 3.14, -3.1, -3.1, 0.0])
    found = measure(made(np.full(5, 5.0), yaw, np.zeros(5), 3, "timeout"), 0.1)["lateral_acceleration"]
    # The largest turn lived is from 3.14 to -3.1: 0.0432 rad in 0.1 s at 5 m/s. The jump to 0 is padding.
    assert math.isclose(found.value[0], 5.0 * (2 * math.pi - 6.24) / 0.1, rel_tol=1e-5)


def test_jerk_is_the_change_of_acceleration_and_padding_has_none() -> None:
    acceleration = np.array([9.0, 1.0, 1.5, 1.0, -80.0])  # the first is of before the first action, the last is padding
    found = measure(made(np.full(5, 5.0), np.zeros(5), acceleration, 3, "timeout"), 0.1)["jerk"]
    assert math.isclose(found.value[0], 5.0, rel_tol=1e-5)
    assert found.valid[0]


def test_an_episode_of_one_tick_has_no_jerk_to_speak_of() -> None:
    found = measure(made(np.full(2, 5.0), np.zeros(2), np.zeros(2), 1, "collision"), 0.1)
    assert not found["jerk"].valid[0]
    assert math.isnan(found["jerk"].mean)


def test_outcomes_are_counted_and_say_which_way_is_better() -> None:
    found = measure(made(np.full(5, 5.0), np.zeros(5), np.zeros(5), 3, "collision"), 0.1)
    assert {name: found[name].mean for name in ("arrived", "collision", "off_road", "timeout")} == {
        "arrived": 0.0, "collision": 1.0, "off_road": 0.0, "timeout": 0.0,
    }  # fmt: skip
    assert found["arrived"].better == found["progress"].better == "higher"
    assert all(found[name].better == "lower" for name in ("collision", "off_road", "duration", "jerk"))
    assert math.isclose(found["duration"].mean, 0.3)
    assert math.isclose(found["progress"].mean, 0.4, rel_tol=1e-6)


def test_a_mean_is_over_the_valid_alone() -> None:
    metric = Metric(np.array([1.0, 5.0, 3.0]), np.array([True, False, True]), "lower", "m")
    assert metric.mean == 2.0


def test_a_driven_episode_lasts_as_long_as_its_ticks_and_is_covered() -> None:
    trajectory = rollout(
        started([episode(1), episode(2, time_limit=2.0)]), Fixed("left"), [episode(1), episode(2, time_limit=2.0)]
    )
    found = measure(trajectory, 0.1)
    np.testing.assert_allclose(found["duration"].value, trajectory.ticks * 0.1)
    assert found["arrived"].value.tolist() == [1.0, 0.0]
    assert found["progress"].value[0] > 0.999 > 0.5 > found["progress"].value[1] > 0.1
