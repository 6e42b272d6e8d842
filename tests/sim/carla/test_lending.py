"""Servers that several backends share: each is lent once, and is free again after its backend is closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest

from probes.applicability import NotApplicable
from probes.planted_models import Premises
from probes.premise_swaps import Question, study
from scenarios.sampling.sample import sample, slots_needed
from scenarios.scenario import load_scenario
from sim.carla.client import CarlaServers
from sim.world.context import RunContext
from tests.support.servers import served
from tests.support.worlds import SMALL


@pytest.fixture(scope="module")
def ports() -> Iterator[list[int]]:
    """Two servers."""
    with ExitStack() as stack:
        yield [stack.enter_context(served())[0] for _ in range(2)]


def test_a_server_is_lent_to_one_backend_at_a_time(ports: list[int]) -> None:
    scenario = load_scenario("rain-turn")
    servers, episode = CarlaServers("127.0.0.1", ports), sample(scenario, 1, "test")
    one, other = (servers(1, SMALL, slots_needed(scenario)) for _ in range(2))
    try:
        for backend in (one, other):
            backend.reset([episode])
        assert one.versions == {"carla server": "0.9.16"}
        with pytest.raises(ValueError, match="of 2, 0 are free"):
            servers(1)
        one.close()
        servers(1).close()
        assert (other.observe().camera > 0).any()  # it still has its own
    finally:
        one.close()
        other.close()
    servers(2).close()


def test_shadows_on_servers_have_the_latents_of_shadows_here(ports: list[int]) -> None:
    scenario = load_scenario("rain-turn")
    question, mind = Question.of(scenario, SMALL), Premises(scenario)
    (here,) = study(mind, question, 2, 77).values()
    servers = RunContext(make_backend=CarlaServers("127.0.0.1", ports))
    (there,) = study(mind, replace(question, context=servers), 2, 77).values()
    assert servers.log.versions == {"carla server": "0.9.16"} and not servers.log.recovered_errors
    np.testing.assert_array_equal(here.frame_episode, there.frame_episode)
    np.testing.assert_allclose(there.latents, here.latents, atol=1e-3)  # poses are float32 and degrees on the wire


def test_one_server_has_no_room_for_a_twin(ports: list[int]) -> None:
    servers = RunContext(make_backend=CarlaServers("127.0.0.1", ports[:1]))
    with pytest.raises(NotApplicable, match="one more --port"):
        Question.of(load_scenario("rain-turn"), SMALL, servers)
