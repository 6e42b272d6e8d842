"""One pedal for both ways: what is said along the heading drives as the gear and pedal that it stands for."""

from __future__ import annotations

import numpy as np
import pytest

from scenarios.gym.environments import make_drive
from sim.actors.registry import EGO
from sim.datatypes.action import Action
from sim.dynamics.bicycle import drive_batch
from sim.dynamics.signed_acceleration import action_from_signed_acceleration, along_heading

SPEEDS = np.array([-3.0, -0.5, 0.0, 0.5, 6.0], np.float32)


def afterwards(action: Action) -> np.ndarray:
    """The speeds after a tick, from SPEEDS on."""
    n = len(SPEEDS)
    state = (np.zeros((n, 3), np.float32), SPEEDS, np.zeros(n, np.float32), np.zeros(n, np.float32))
    grip = np.ones(n, np.float32)
    return drive_batch(state, action.steer, action.acceleration, grip, 0.1, EGO, action.reverse)[1]


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("pedal", [-3.0, 0.0, 1.2])
def test_what_is_said_along_the_heading_drives_as_gear_and_pedal_do(back: bool, pedal: float) -> None:
    n = len(SPEEDS)
    action = Action(np.zeros(n, np.float32), np.full(n, pedal, np.float32), np.full(n, back))
    again = action_from_signed_acceleration(action.steer, along_heading(action, SPEEDS), SPEEDS)
    np.testing.assert_allclose(afterwards(again), afterwards(action), atol=1e-6)


def test_in_a_stand_the_sign_says_which_way_a_car_sets_off_and_nothing_keeps_it_there() -> None:
    stand = np.zeros(3, np.float32)
    action = action_from_signed_acceleration(stand, np.array([-1.0, 0.0, 1.0]), stand)
    assert action.reverse is not None and action.reverse.tolist() == [True, False, False]
    assert action.acceleration.tolist() == [1.0, 0.0, 1.0]


def test_an_environment_backs_up_where_its_scenario_parks_and_nowhere_else() -> None:
    for name, backs in (("parallel-parking", True), ("rain-turn", False)):
        env = make_drive(name)
        seen, _ = env.reset(seed=0)
        for _ in range(80):  # to a stand, and then on with the same foot
            seen, _, ended, late, _ = env.step(np.array([0.0, -0.5], np.float32))
            assert env.observation_space["speed"].contains(seen["speed"])  # type: ignore[index]
            if ended or late:
                break
        assert (seen["speed"][0] < -0.5) == backs
