"""The bicycle: reversible, the same alone as in a crowd, on circles of the right size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.config import VEHICLES, Vehicle
from sim.dynamics import forward, inverse

CAR = VEHICLES["car"]


@pytest.fixture
def crowd() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    n = 200
    return {
        "pose": np.column_stack([rng.uniform(-60, 60, (n, 2)), rng.uniform(-np.pi, np.pi, n)]).astype(np.float32),
        "speed": rng.uniform(2, 15, n).astype(np.float32),
        "steer": rng.uniform(-0.55, 0.55, n).astype(np.float32),
        "acceleration": rng.uniform(-6, 3, n).astype(np.float32),
    }


@pytest.mark.parametrize("vehicle", VEHICLES.values(), ids=VEHICLES)
def test_inverse_then_forward_returns_the_actions(vehicle: Vehicle, crowd: dict[str, np.ndarray]) -> None:
    pose, speed = forward(**crowd, dt=0.1, vehicle=vehicle)
    steer, acceleration = inverse(crowd["pose"], crowd["speed"], pose, speed, 0.1, vehicle)
    # A yaw of float32 near pi has steps of 2e-7; over 0.2 m of way and a wheelbase of 4.6 m that is 1e-5 rad of wheel.
    np.testing.assert_allclose(steer, crowd["steer"], atol=1e-4)
    # A speed of 15 m/s has steps of 1e-6; divided by 0.1 s.
    np.testing.assert_allclose(acceleration, crowd["acceleration"], atol=1e-4)


def test_forward_with_the_inverse_returns_the_logged_pose(crowd: dict[str, np.ndarray]) -> None:
    pose, speed = forward(**crowd, dt=0.1, vehicle=CAR)
    steer, acceleration = inverse(crowd["pose"], crowd["speed"], pose, speed, 0.1, CAR)
    again, speed_again = forward(crowd["pose"], crowd["speed"], steer, acceleration, 0.1, CAR)
    np.testing.assert_allclose(again, pose, atol=2e-5)  # float32 at 60 m has steps of 4e-6
    np.testing.assert_allclose(speed_again, speed, atol=1e-5)


def test_a_batch_moves_as_its_members_do_alone(crowd: dict[str, np.ndarray]) -> None:
    pose, speed = forward(**crowd, dt=0.1, vehicle=CAR)
    for i in range(0, 200, 7):
        alone = forward(**{name: values[i : i + 1] for name, values in crowd.items()}, dt=0.1, vehicle=CAR)
        assert alone[0].tobytes() == pose[i : i + 1].tobytes()
        assert alone[1].tobytes() == speed[i : i + 1].tobytes()


def test_forward_leaves_its_arguments_alone(crowd: dict[str, np.ndarray]) -> None:
    before = {name: values.copy() for name, values in crowd.items()}
    forward(**crowd, dt=0.1, vehicle=CAR)
    for name, values in crowd.items():
        np.testing.assert_array_equal(values, before[name])


@given(st.floats(0.05, 0.55), st.floats(1, 12))
def test_a_held_wheel_goes_round_a_circle_of_wheelbase_over_tangent(steer: float, speed: float) -> None:
    radius = CAR.wheelbase / math.tan(steer)
    pose, v = np.zeros((1, 3)), np.full(1, speed)
    for _ in range(20):
        pose, v = forward(pose, v, np.full(1, steer), np.zeros(1), 0.05, CAR)
        # The chord of a step is longer than the circle's by 1/24 of (turn a step)^2.
        slack = radius * (speed * 0.05 / radius) ** 2 / 8 + 1e-4
        assert abs(math.hypot(pose[0, 0], pose[0, 1] - radius) - radius) < slack


def test_mirrored_wheels_give_mirrored_ways(crowd: dict[str, np.ndarray]) -> None:
    crowd["pose"][:] = 0
    left, _ = forward(**crowd, dt=0.1, vehicle=CAR)
    right, _ = forward(**{**crowd, "steer": -crowd["steer"]}, dt=0.1, vehicle=CAR)
    np.testing.assert_allclose(left * [1, -1, -1], right, atol=1e-7)


def test_braking_ends_in_a_stand_and_never_in_reverse() -> None:
    pose, speed = np.zeros((1, 3)), np.array([1.0])
    for _ in range(10):
        pose, speed = forward(pose, speed, np.zeros(1), np.array([-5.0]), 0.1, CAR)
    assert speed[0] == 0.0
    np.testing.assert_allclose(pose[0, 0], 0.1, atol=0.03)  # 1 m/s, 5 m/s^2: 0.1 m, up to the tick in which it stops


def test_a_standing_vehicle_tells_no_steer() -> None:
    pose, speed = forward(np.zeros((1, 3)), np.zeros(1), np.array([0.4]), np.zeros(1), 0.1, CAR)
    steer, acceleration = inverse(np.zeros((1, 3)), np.zeros(1), pose, speed, 0.1, CAR)
    assert steer[0] == 0.0 and acceleration[0] == 0.0
    np.testing.assert_array_equal(pose, np.zeros((1, 3)))
