"""Metrics on trajectories whose figures are known by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from policies.expert.expert import Fixed
from sim.datatypes.vocabulary import OUTCOME
from sim.metrics.episode import (
    COEFFICIENTS_2_1,
    FACTORS_2_0,
    INFRACTIONS,
    Metric,
    _savitzky_golay,
    comfort,
    driving_score,
    efficiency,
    infractions_of,
    measure,
    penalty_2_0,
    penalty_2_1,
    per_km,
    route_completion,
    succeeded,
)
from sim.world.rollout import DYNAMIC_FIELDS, Trajectory, rollout
from tests.support.worlds import episode, started


def made(speed: np.ndarray, yaw: np.ndarray, acceleration: np.ndarray, lived: int, outcome: str) -> Trajectory:
    """One episode of which `lived` ticks were lived; the rest is padding that must not count."""
    moving = {name: np.zeros((1, len(speed), 1), np.float32) for name in DYNAMIC_FIELDS}
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
        *np.zeros((3, 1), np.int32),
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


# ----------------------------------------------------------------------------------------- others' benchmarks
def test_the_penalty_of_2_0_is_a_product_and_that_of_2_1_one_over_a_sum() -> None:
    counts = {"collisions_vehicle": 1, "red_light": 1}
    assert math.isclose(penalty_2_0(counts), 0.6 * 0.7)
    assert math.isclose(penalty_2_1(counts), 1 / (1 + 0.7 + 0.4))
    assert math.isclose(penalty_2_0({"red_light": 3}), 0.343)
    assert math.isclose(penalty_2_1({"red_light": 3}), 1 / 2.2)
    assert penalty_2_0({}) == penalty_2_1({}) == 1.0
    assert math.isclose(penalty_2_0(counts, 0.5), 0.21) and math.isclose(penalty_2_1(counts, 0.5), 0.5 / 2.1)


def test_what_ends_a_route_costs_what_was_not_driven_and_no_factor() -> None:
    for kind in ("route_dev", "route_timeout", "vehicle_blocked", "outside_route_lanes"):
        assert penalty_2_0({kind: 1}) == penalty_2_1({kind: 1}) == 1.0
    assert set(FACTORS_2_0) == set(COEFFICIENTS_2_1) < set(INFRACTIONS)


def test_who_takes_another_way_has_covered_what_lies_before_the_junction() -> None:
    assert route_completion(0.5, False, 20.0, 50.0) == 50.0
    assert route_completion(1.0, True, 20.0, 50.0) == 40.0
    assert driving_score(40.0, penalty_2_0(infractions_of("arrived", True))) == 40.0
    assert driving_score(80.0, penalty_2_0(infractions_of("collision", False))) == 48.0


def test_success_is_a_whole_route_without_any_infraction_but_low_speed() -> None:
    assert succeeded(100.0, infractions_of("arrived", False)) and succeeded(100.0, {"min_speed_infractions": 2})
    assert not succeeded(99.9, {}) and not succeeded(100.0, infractions_of("arrived", True))
    assert not succeeded(100.0, {"collisions_vehicle": 1})


def test_infractions_a_kilometre_are_over_what_was_covered() -> None:
    assert per_km(3, 500.0) == 6.0 and per_km(0, 0.0) == 0.0 and per_km(1, 0.0) == 1000.0


@pytest.mark.parametrize(("ticks", "derivative"), [(20, 0), (20, 1), (5, 0), (5, 1), (3, 1)])
def test_smoothing_is_that_of_scipy(ticks: int, derivative: int) -> None:
    filters = pytest.importorskip("scipy.signal")
    signal = np.random.default_rng(0).normal(size=ticks)
    window = min(7, ticks)
    wanted = filters.savgol_filter(signal, window, 2, deriv=derivative, delta=0.1)
    if window % 2:
        np.testing.assert_allclose(_savitzky_golay(ticks, derivative, 0.1) @ signal, wanted, atol=1e-9)


def test_comfort_is_the_share_of_segments_within_all_bounds() -> None:
    still, straight = np.zeros(60), np.zeros(61)
    assert comfort(still, np.full(60, 5.0), straight, 0.1) == 1.0
    braking = still.copy()
    braking[25:35] = -5.0  # harder than -4.05 in the second segment alone
    assert math.isclose(comfort(braking, np.full(60, 5.0), straight, 0.1), 2 / 3)
    turning = np.concatenate([np.zeros(21), np.cumsum(np.full(40, 0.11))])  # 1.1 rad/s, more than 0.95
    assert math.isclose(comfort(still, np.full(60, 0.1), turning, 0.1), 1 / 3)
    assert comfort(np.append(still, [-6.0] * 19), np.full(79, 5.0), np.zeros(80), 0.1) == 1.0  # no whole segment
    assert math.isnan(comfort(np.zeros(2), np.ones(2), np.zeros(3), 0.1))


@pytest.mark.parametrize("ticks", [3, 4])
def test_comfort_of_an_episode_of_three_or_four_ticks_is_that_of_its_one_segment(ticks: int) -> None:
    speed, straight = np.full(ticks, 5.0), np.zeros(ticks + 1)
    assert comfort(np.zeros(ticks), speed, straight, 0.1) == 1.0
    assert comfort(np.full(ticks, -5.0), speed, straight, 0.1) == 0.0  # harder than -4.05


def test_efficiency_is_ones_speed_against_that_of_moving_others() -> None:
    ego, others = np.full(10, 6.0), np.zeros((10, 3))
    assert math.isnan(efficiency(ego, others))  # all parked
    others[:, 1] = 8.0
    assert math.isclose(efficiency(ego, others), 75.0)
    others[:, 1] = 0.1
    assert math.isnan(efficiency(ego, others))  # sixty times as fast is no figure
