"""The same scenario, seed and driver in this process and through CARLA's wire: the same drive and the same pictures.

Poses travel as float32 in CARLA's frame, angles in degrees, and come back otherwise rounded: at 100 m from the map's
origin by 8e-6 m, so that a pixel on an edge may fall to the other side of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from policies.expert.expert import Expert
from scenarios.sampling.sample import sample, slots_needed
from scenarios.scenario import load_scenario
from sim.carla.client import CarlaWorld
from sim.datatypes.camera import Camera
from sim.datatypes.vocabulary import OUTCOME, PER_WORLD
from sim.world.backend import Backend
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import PrivilegedInput, observe_for
from tests.support.servers import served

CAMERA = Camera(width=96, height=64)
PLACE, TURN, SPEED = 5e-5, 2e-5, 2e-5  # [m, rad, m/s]; a drive of 30 s was seen to differ by 8e-6, 4e-6 and 2e-6
SAME_PIXELS = 0.998  # least share of a picture's pixels that are the same bytes; seen: 0.9989, and 0.99998 on average
MEAN_OFF = 0.05  # most that a picture's bytes differ by on average; seen: 0.022
CASES = [("rain-turn", 0), ("sign-and-weather", 1), ("busy-turn", 0), ("all-way-stop", 1), ("rule-switch", 0),
         ("parallel-parking", 0)]  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, int]]:
    with served() as (port, _):
        yield "127.0.0.1", port


class Drive:
    """The expert, who drives one world as it sees it."""

    def __init__(self, backend: Backend, driver: Expert) -> None:
        self.backend, self.driver, self.memory = backend, driver, driver.begin(1)

    def step(self) -> None:
        seen = observe_for(self.backend, "state", np.array([0]))
        assert isinstance(seen, PrivilegedInput)
        action, self.memory = self.driver.act(seen, self.memory)
        self.backend.step(action)


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_a_drive_is_the_same_here_and_through_the_wire(name: str, seed: int, server: tuple[str, int]) -> None:
    scenario = load_scenario(name)
    episode, room = sample(scenario, seed, "test"), slots_needed(scenario)
    here = EmbeddedWorld(1, CAMERA, room)
    with CarlaWorld(1, CAMERA, room, servers=[server]) as there:
        drives = [Drive(backend, Expert.of(scenario)) for backend in (here, there)]
        for drive in drives:
            drive.backend.reset([episode])
        mine, theirs = here.observe().camera, there.observe().camera
        assert mine.tobytes() == theirs.tobytes(), "the first picture"
        same = []
        while here.world.outcome[0] == OUTCOME["running"]:
            for drive in drives:
                drive.step()
            compare(here, there)
            if here.world.tick[0] % 5 == 0:
                mine, theirs = here.observe().camera, there.observe().camera
                same.append(float((mine == theirs).all(-1).mean()))
                assert np.abs(mine.astype(int) - theirs).mean() < MEAN_OFF, f"tick {here.world.tick[0]}"
        assert min(same) >= SAME_PIXELS and np.mean(same) > 0.9995
        assert here.world.shown_decision[0] >= 0, "a drive without a decision would compare little"
        assert there.recovered_errors == []


def compare(here: Backend, there: Backend) -> None:
    """Assert that two worlds are the same but for rounding."""
    one, other = here.world, there.world
    at = f"tick {one.tick[0]}"
    for name in PER_WORLD:
        assert getattr(one, name)[0] == getattr(other, name)[0], f"{name}, {at}"
    for name, most in (("x", PLACE), ("y", PLACE), ("yaw", TURN), ("speed", SPEED), ("steer", TURN), ("route_s", 1e-3)):
        off = np.abs(getattr(one, name) - getattr(other, name)).max()
        if name == "steer" and one.speed[0, 0] == other.speed[0, 0] == 0.0:
            continue  # who parks may be content with a place a tick later than where it is 6e-9 rad otherwise
        assert off <= most, f"{name} differs by {off}, {at}"
    assert (one.kind == other.kind).all() and (one.appearance == other.appearance).all(), at
    np.testing.assert_array_equal(one.weather, other.weather, at)
