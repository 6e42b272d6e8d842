"""CARLA's pedals and ours: there and back, signs, both pedals at once, gears."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.actors.registry import EGO, VEHICLES
from sim.carla.control import VehicleControl, action_of, control_of
from sim.datatypes.action import Action
from sim.dynamics.bicycle import drive_batch

shares = st.floats(0, 1, width=32)
CLOSE = 1e-6  # one division and one product in float32, of numbers up to 7


def ours(speed: float = 0.0, **control) -> Action:  # type: ignore[no-untyped-def]
    """The action of one car from some of CARLA's controls."""
    rest = {"throttle": 0.0, "brake": 0.0, "steer": 0.0, "hand_brake": False, "reverse": False}
    return action_of(**{**rest, **control}, vehicle=EGO, speed=speed)


@given(
    st.lists(st.tuples(st.floats(-0.6, 0.6), st.floats(-7, 3), st.booleans(), st.floats(-5, 20)), min_size=1),
    st.sampled_from(["car", "truck", "van"]),  # whose limits are those of the rows
)
def test_an_action_there_and_back_is_the_same(rows: list[tuple[float, float, bool, float]], kind: str) -> None:
    steer, acceleration, reverse, speed = (np.array(column) for column in zip(*rows))
    wanted = Action(steer.astype(np.float32), acceleration.astype(np.float32), reverse)
    found = action_of(**asdict(control_of(wanted, VEHICLES[kind])), vehicle=VEHICLES[kind], speed=speed)
    np.testing.assert_allclose(found.steer, wanted.steer, atol=CLOSE)
    np.testing.assert_allclose(found.acceleration, wanted.acceleration, atol=CLOSE)
    assert found.reverse is not None and (found.reverse == reverse).all()


@given(shares, st.floats(-1, 1, width=32), st.booleans(), st.booleans())
def test_controls_of_one_pedal_there_and_back_are_the_same(
    pedal: float, steer: float, brakes: bool, reverse: bool
) -> None:
    throttle, brake = (0.0, pedal) if brakes else (pedal, 0.0)
    back = control_of(ours(3.0, throttle=throttle, brake=brake, steer=steer, reverse=reverse), EGO)
    found = [float(a[0]) for a in (back.throttle, back.brake, back.steer)]
    np.testing.assert_allclose(found, [throttle, brake, steer], atol=CLOSE)
    assert bool(back.reverse[0]) == reverse and not back.hand_brake[0]


def test_carlas_wheel_is_positive_to_the_right() -> None:
    assert ours(steer=1.0).steer[0] == np.float32(-EGO.max_steer)
    assert control_of(Action(np.full(1, 0.3), np.zeros(1)), EGO).steer[0] == pytest.approx(-0.5)


def test_full_pedals_are_the_vehicles_limits_and_more_is_clipped() -> None:
    for full in (1.0, 7.0, np.inf):
        assert ours(throttle=full).acceleration[0] == np.float32(EGO.max_acceleration)
        assert ours(brake=full).acceleration[0] == -np.float32(EGO.max_braking)
        assert ours(steer=-full).steer[0] == np.float32(EGO.max_steer)
    assert ours(throttle=-1.0).acceleration[0] == 0.0, "a pedal cannot be lifted further than up"
    control = control_of(Action(np.full(2, -9.0), np.array([99.0, -99.0])), EGO)
    np.testing.assert_array_equal(control.throttle, [1, 0])
    np.testing.assert_array_equal(control.brake, [0, 1])
    np.testing.assert_array_equal(control.steer, [1, 1])


@given(shares, shares, st.booleans(), st.floats(-5, 20))
def test_the_hand_brake_brakes_fully_whatever_the_pedals(t: float, b: float, reverse: bool, speed: float) -> None:
    action = ours(speed, throttle=t, brake=b, reverse=reverse, hand_brake=True)
    assert action.acceleration[0] == -np.float32(EGO.max_braking)


@given(shares, shares, st.sampled_from([0.0, 4.0]))
def test_of_both_pedals_what_is_left_of_the_stronger_acts(throttle: float, brake: float, speed: float) -> None:
    wanted = throttle * EGO.max_acceleration - brake * EGO.max_braking
    assert ours(speed, throttle=throttle, brake=brake).acceleration[0] == pytest.approx(wanted, abs=CLOSE)
    assert ours(-speed, throttle=throttle, brake=brake, reverse=True).acceleration[0] == pytest.approx(
        wanted, abs=CLOSE
    )


@given(shares, st.floats(0.01, 1), st.booleans())
def test_both_pedals_slow_a_car_that_rolls_against_its_gear(throttle: float, brake: float, reverse: bool) -> None:
    speed = 3.0 if reverse else -3.0
    wanted = -min(throttle * EGO.max_acceleration + brake * EGO.max_braking, EGO.max_braking)
    action = ours(speed, throttle=throttle, brake=brake, reverse=reverse)
    assert action.acceleration[0] == pytest.approx(wanted, abs=CLOSE)
    after = drive_batch(
        (np.zeros((1, 3)), np.full(1, speed), np.zeros(1), np.zeros(1)), action.steer, action.acceleration,
        np.full(1, 0.85), 0.1, EGO, action.reverse,
    )[1]  # fmt: skip
    assert abs(after[0]) < abs(speed), "it is slowed, not driven on"


def test_the_engine_alone_turns_a_rolling_car_round() -> None:
    assert ours(3.0, throttle=0.5, reverse=True).acceleration[0] == pytest.approx(0.5 * EGO.max_acceleration)


@pytest.mark.parametrize("name", ["throttle", "brake", "steer"])
def test_a_control_that_is_no_number_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} of vehicle 1 is nan; a number in -?[01]..1 is wanted"):
        ours(**{name: np.array([0.0, np.nan])})
    with pytest.raises(ValueError, match="acceleration of vehicle 0 is nan"):
        control_of(Action(np.zeros(1), np.full(1, np.nan)), EGO)


def test_the_field_names_are_carlas() -> None:
    import carla

    control = control_of(Action(np.full(1, 0.1), np.full(1, -2.0), np.ones(1, bool)), EGO)
    theirs = carla.VehicleControl(**{name: values[0].item() for name, values in asdict(control).items()})
    assert theirs.reverse and theirs.brake == pytest.approx(2 / EGO.max_braking) and theirs.throttle == 0
    assert set(VehicleControl.__dataclass_fields__) == {"throttle", "steer", "brake", "hand_brake", "reverse"}


def test_one_number_serves_all_vehicles() -> None:
    action = action_of(np.array([0.0, 1.0]), 0.0, 0.5, False, True, EGO, 0.0)
    assert action.steer.shape == action.acceleration.shape == (2,)
    assert action.reverse is not None and action.reverse.tolist() == [True, True]
