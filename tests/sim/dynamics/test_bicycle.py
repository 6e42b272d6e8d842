"""The bicycle: reversible, the same alone as in a traffic, on circles of the right size. Driving: lag, grip, gears."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.actors.base import Vehicle
from sim.actors.registry import VEHICLES
from sim.dynamics import bicycle as dynamics
from sim.dynamics.bicycle import DRY_GRIP, WET_GRIP, drive_batch, forward, friction_circle, grip_of, inverse

CAR = VEHICLES["car"]


@pytest.fixture
def traffic() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    n = 200
    return {
        "pose": np.column_stack([rng.uniform(-60, 60, (n, 2)), rng.uniform(-np.pi, np.pi, n)]).astype(np.float32),
        "speed": rng.uniform(2, 15, n).astype(np.float32),
        "steer": rng.uniform(-0.55, 0.55, n).astype(np.float32),
        "acceleration": rng.uniform(-6, 3, n).astype(np.float32),
    }


@pytest.mark.parametrize("vehicle", VEHICLES.values(), ids=VEHICLES)
def test_inverse_then_forward_returns_the_actions(vehicle: Vehicle, traffic: dict[str, np.ndarray]) -> None:
    pose, speed = forward(**traffic, dt=0.1, vehicle=vehicle)
    steer, acceleration = inverse(traffic["pose"], traffic["speed"], pose, speed, 0.1, vehicle)
    # A yaw of float32 near pi has steps of 2e-7; over 0.2 m of way and a wheelbase of 4.6 m that is 1e-5 rad of wheel.
    np.testing.assert_allclose(steer, traffic["steer"], atol=1e-4)
    # A speed of 15 m/s has steps of 1e-6; divided by 0.1 s.
    np.testing.assert_allclose(acceleration, traffic["acceleration"], atol=1e-4)


def test_forward_with_the_inverse_returns_the_logged_pose(traffic: dict[str, np.ndarray]) -> None:
    pose, speed = forward(**traffic, dt=0.1, vehicle=CAR)
    steer, acceleration = inverse(traffic["pose"], traffic["speed"], pose, speed, 0.1, CAR)
    again, speed_again = forward(traffic["pose"], traffic["speed"], steer, acceleration, 0.1, CAR)
    np.testing.assert_allclose(again, pose, atol=2e-5)  # float32 at 60 m has steps of 4e-6
    np.testing.assert_allclose(speed_again, speed, atol=1e-5)


def test_a_batch_moves_as_its_members_do_alone(traffic: dict[str, np.ndarray]) -> None:
    pose, speed = forward(**traffic, dt=0.1, vehicle=CAR)
    for i in range(0, 200, 7):
        alone = forward(**{name: values[i : i + 1] for name, values in traffic.items()}, dt=0.1, vehicle=CAR)
        assert alone[0].tobytes() == pose[i : i + 1].tobytes()
        assert alone[1].tobytes() == speed[i : i + 1].tobytes()


def test_forward_leaves_its_arguments_alone(traffic: dict[str, np.ndarray]) -> None:
    before = {name: values.copy() for name, values in traffic.items()}
    forward(**traffic, dt=0.1, vehicle=CAR)
    for name, values in traffic.items():
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


def test_mirrored_wheels_give_mirrored_ways(traffic: dict[str, np.ndarray]) -> None:
    traffic["pose"][:] = 0
    left, _ = forward(**traffic, dt=0.1, vehicle=CAR)
    right, _ = forward(**{**traffic, "steer": -traffic["steer"]}, dt=0.1, vehicle=CAR)
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


# ------------------------------------------------------------------------------------------------------- backwards
def test_inverse_then_forward_returns_the_actions_backwards(traffic: dict[str, np.ndarray]) -> None:
    traffic["speed"] = -traffic["speed"] / 5  # -3 .. -0.4 m/s
    traffic["acceleration"] /= 5
    reverse = np.ones(200, bool)
    pose, speed = forward(**traffic, dt=0.1, vehicle=CAR, reverse=reverse)
    assert (speed < 0).sum() > 150
    steer, acceleration = inverse(traffic["pose"], traffic["speed"], pose, speed, 0.1, CAR)
    moved = np.abs(traffic["speed"] + speed) > 0.2  # who hardly moves tells little of its wheel
    np.testing.assert_allclose(steer[moved], traffic["steer"][moved], atol=1e-3)  # 1e-2 m of way: see above
    np.testing.assert_allclose(acceleration, traffic["acceleration"], atol=1e-4)


def test_forward_gear_never_drives_backwards() -> None:
    pose, speed = forward(np.zeros((2, 3)), np.zeros(2), np.zeros(2), -np.ones(2), 0.1, CAR, np.array([True, False]))
    np.testing.assert_allclose(speed, [-0.1, 0.0], atol=1e-7)
    np.testing.assert_allclose(pose[:, 0], [-0.005, 0.0], atol=1e-7)


# ------------------------------------------------------------------------------------------------- a driven car
DRY, WET, TICK = float(DRY_GRIP), float(WET_GRIP), 0.1
State = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def at(speed: float | np.ndarray, steer: float = 0.0, acceleration: float = 0.0) -> State:
    """Cars at the origin."""
    v = np.atleast_1d(np.asarray(speed, np.float32))
    return np.zeros((len(v), 3), np.float32), v, np.full(len(v), steer), np.full(len(v), acceleration)


def pushed(state: State, steer: float, pedal: float, grip: float = DRY, reverse: bool = False, vehicle=CAR) -> State:
    """One tick of the same controls for everyone."""
    n = len(state[1])
    return drive_batch(
        state, np.full(n, steer), np.full(n, pedal), np.full(n, grip), TICK, vehicle, np.full(n, reverse)
    )  # fmt: skip


def braked(state: State, steer: float, pedal: float, **others) -> State:  # type: ignore[no-untyped-def]
    """Braked to a stand."""
    for _ in range(200):
        if state[1][0] == 0:
            return state
        state = pushed(state, steer, pedal, **others)
    raise AssertionError(f"still {state[1][0]} m/s after 20 s of braking")


def braking_way(grip: float, vehicle: Vehicle) -> float:
    return float(braked(at(15.0), 0.0, -99.0, grip=grip, vehicle=vehicle)[0][0, 0])


def test_a_wet_road_brakes_longer_by_the_ratio_of_grips() -> None:
    strong = replace(CAR, max_braking=12.0, lag=1e-6)  # brakes that are never what limits
    dry, wet = braking_way(DRY, strong), braking_way(WET, strong)
    # The tick in which it stops is rounded up by at most half its way: 0.04 m.
    assert dry == pytest.approx(15.0**2 / (2 * DRY * 9.81), abs=0.05)
    assert wet / dry == pytest.approx(DRY / WET, rel=0.005)


def test_a_lag_costs_its_time_of_braking_way() -> None:
    slow, quick = replace(CAR, lag=0.3), replace(CAR, lag=1e-6)
    # v * lag, less what the car is slower by when the brakes are there: a lag^2 / 2, and a lag tick / 2 for steps of a
    # tick. The tick in which it stops is rounded up by at most 0.04 m.
    wanted = 15.0 * 0.3 - 7.0 * 0.3 * (0.3 + TICK) / 2
    assert braking_way(DRY, slow) - braking_way(DRY, quick) == pytest.approx(wanted, abs=0.05)


@pytest.mark.parametrize("tick", [0.02, 0.05, 0.1, 0.2])
def test_the_pedal_is_followed_with_the_lag_however_long_the_tick(tick: float) -> None:
    state, seconds = at(5.0), 2.0
    seen = []
    for _ in range(round(seconds / tick)):
        state = drive_batch(state, np.zeros(1), np.full(1, 2.0), np.full(1, DRY), tick, CAR)
        seen.append(float(state[3][0]))
    share = CAR.lag / (CAR.lag + tick)
    # The acceleration is a difference of speeds near 9 m/s, which have steps of 1e-6.
    np.testing.assert_allclose(seen, 2.0 * (1 - share ** np.arange(1, len(seen) + 1)), atol=2e-6 / tick)
    assert state[1][0] == pytest.approx(5.0 + 2.0 * (seconds - CAR.lag), abs=1e-3)


def test_the_wheel_turns_no_faster_than_it_can_and_no_further() -> None:
    state, seen = at(3.0), [0.0]
    for asked in [9.0] * 6 + [-0.2] * 6:
        state = pushed(state, asked, 0.0)
        seen.append(float(state[2][0]))
    step = CAR.steer_rate * TICK
    wanted = [0, 0.16, 0.32, 0.48, 0.6, 0.6, 0.6, 0.44, 0.28, 0.12, -0.04, -0.2, -0.2]
    np.testing.assert_allclose(seen, wanted, atol=1e-6)
    assert np.abs(np.diff(seen)).max() <= step + 1e-6


@given(
    st.floats(-5, 20), st.floats(-0.6, 0.6), st.floats(-7, 3), st.floats(-0.7, 0.7), st.floats(-9, 5),
    st.floats(0.3, 1.0), st.booleans(),
)  # fmt: skip
def test_tyres_never_give_more_than_the_circle(
    speed: float, wheel: float, was: float, steer: float, pedal: float, grip: float, reverse: bool
) -> None:
    one = np.ones(1)
    pose, after, _, _ = drive_batch(
        at(speed, wheel, was), steer * one, pedal * one, grip * one, 0.05, CAR, reverse * one, 1
    )
    along = (after[0] - np.float32(speed)) / 0.05
    sideways = pose[0, 2] / 0.05 * (after[0] + np.float32(speed)) / 2
    assert math.hypot(along, sideways) <= grip * 9.81 + 1e-3  # speeds of float32, steps of 1e-6, over 0.05 s


@given(st.floats(0, 3), st.floats(0, 2))
def test_sharing_out_the_circle_gives_the_bend_first_and_keeps_some_for_the_brakes(
    wanted: float, braking: float
) -> None:
    sideways, left = friction_circle.py_func(np.float32(wanted), np.float32(braking))
    assert sideways <= np.float32(wanted)
    assert math.hypot(sideways, left) == pytest.approx(1.0, abs=1e-6) or wanted > 1
    assert math.hypot(sideways, left) <= 1 + 1e-6
    assert left >= min(braking, 0.4) - 1e-6
    if wanted < math.sqrt(1 - 0.4**2) - 1e-6:
        assert sideways == np.float32(wanted), "a bend that the tyres hold is driven as it was steered"


def test_a_bend_too_narrow_for_the_speed_is_driven_as_narrow_as_tyres_hold() -> None:
    for speed in (4.0, 8.0, 12.0, 16.0):
        pose, after, _, _ = pushed(at(speed, 0.3), 0.3, 0.0, WET)
        curvature = min(math.tan(0.3) / CAR.wheelbase, WET * 9.81 / speed**2)
        assert after[0] == np.float32(speed)
        assert pose[0, 2] / (speed * TICK) == pytest.approx(curvature, rel=1e-5)
        right = pushed(at(speed, -0.3), -0.3, 0.0, WET)[0]
        assert right[0, 2] == -pose[0, 2]


def test_brakes_still_slow_a_car_that_slides_past_its_bend() -> None:
    state = at(15.0, 0.6)
    for _ in range(70):
        state = pushed(state, 0.6, -7.0, WET)
    assert state[1][0] == 0.0


@given(st.floats(-5, 20), st.floats(-7, 3), st.floats(-0.6, 0.6), st.floats(-9, -1e-3), st.booleans())
def test_brakes_never_reverse_a_motion(speed: float, was: float, wheel: float, pedal: float, reverse: bool) -> None:
    state, sign = at(speed, wheel, was), np.sign(np.float32(speed))
    for _ in range(20):
        state = pushed(state, wheel, pedal, reverse=reverse)
        assert np.sign(state[1][0]) in (0.0, sign)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_standing_car_stays_where_it_is_unless_it_is_driven(reverse: bool) -> None:
    for pedal in (-5.0, 0.0):
        state = at(0.0, 0.3, -3.0)  # just come to a stand
        for _ in range(10):
            state = pushed(state, 0.3, pedal, reverse=reverse)
        assert state[0].tobytes() == np.zeros((1, 3), np.float32).tobytes() and state[1][0] == 0.0


def test_reverse_drives_back_as_fast_as_it_may() -> None:
    state = at(0.0)
    for _ in range(60):
        state = pushed(state, 0.0, 2.0, reverse=True)
    assert state[1][0] == -CAR.max_reverse_speed
    assert state[0][0, 0] < -15.0 and state[0][0, 1] == 0.0


@given(st.floats(-0.5, 0.5), st.lists(st.floats(-3, 3), min_size=1, max_size=20))
def test_what_was_driven_forwards_is_undone_in_reverse(wheel: float, pedals: list[float]) -> None:
    start = state = at(0.0, wheel)
    for pedal in pedals:
        state = pushed(state, wheel, pedal)
    state = braked(state, wheel, -3.0)
    stand = state[0].copy()
    # The same pedals in reverse gear are the mirrored way; taken from its end, they lead back on the same circle.
    for pedal in pedals:
        state = pushed(state, wheel, pedal, reverse=True)
    state = braked(state, wheel, -3.0, reverse=True)
    # Places reach 60 m and yaw a few turns, in float32, over up to 40 steps.
    np.testing.assert_allclose(state[0], start[0], atol=2e-3)
    assert np.abs(stand).max() < 200


def test_a_gear_changed_while_rolling_works_against_the_motion_and_then_through_a_stand() -> None:
    for sign in (1, -1):
        state, seen = at(2.0 * sign), []
        for _ in range(30):
            state = pushed(state, 0.0, 2.0, reverse=sign > 0)
            seen.append(sign * float(state[1][0]))
        assert (np.diff([2.0, *seen]) < 0).all(), "it slows, stands, and drives the other way"
        assert np.abs(np.diff(seen)).max() <= 2.0 * TICK + 1e-6, "never harder than the pedal"
        assert seen[-1] == pytest.approx(2.0 - 2.0 * (3.0 - CAR.lag), abs=2.0 * TICK)


def test_driven_cars_move_in_a_batch_as_they_do_alone(traffic: dict[str, np.ndarray]) -> None:
    rng = np.random.default_rng(3)
    state = (traffic["pose"], traffic["speed"] - 4, traffic["steer"], traffic["acceleration"])
    asked = [rng.uniform(-0.6, 0.6, 200), rng.uniform(-8, 4, 200), rng.uniform(0.5, 0.9, 200)]
    reverse = rng.random(200) < 0.4
    together = drive_batch(state, *asked, TICK, CAR, reverse)
    for i in range(0, 200, 7):
        one = slice(i, i + 1)
        alone = drive_batch(tuple(a[one] for a in state), *(a[one] for a in asked), TICK, CAR, reverse[one])  # type: ignore[arg-type]
        for mine, theirs in zip(alone, together):
            assert mine.tobytes() == theirs[one].tobytes()


def test_driving_holds_no_double_precision_arithmetic() -> None:
    fresh = numba.njit(fastmath=True, error_model="numpy", nogil=True)(dynamics._drive.py_func)
    f = [np.zeros(1, np.float32) for _ in range(6)]
    fresh(np.zeros((1, 3), np.float32), *f[:5], np.zeros(1, bool), np.ones(1, np.float32), dynamics.limits_of(CAR),
          np.float32(2.65), np.float32(0.1), 2)  # fmt: skip
    code = "".join(fresh.inspect_llvm().values())
    assert not re.findall(r"f(?:add|sub|mul|div|neg|cmp)[^\n]* double[^\n]*", code)


def test_grip_falls_from_dry_to_wet() -> None:
    assert grip_of(np.float32(0)) == DRY_GRIP and grip_of(np.float32(1)) == pytest.approx(WET, abs=1e-7)
    assert DRY_GRIP > grip_of(np.float32(0.5)) > WET_GRIP
