"""A server for each module of these tests, and a real client of it for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.servers import served


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server of this module."""
    with served() as (port, _):
        yield port


@pytest.fixture
def client(port: int) -> Iterator[object]:
    """A real client of it, in a fresh asynchronous world."""
    import carla

    made = carla.Client("127.0.0.1", port)
    made.set_timeout(20.0)
    made.load_world("grid_town")
    yield made
    settings = made.get_world().get_settings()
    settings.synchronous_mode = False
    made.get_world().apply_settings(settings)


@pytest.fixture(scope="module")
def resident(port: int) -> object:
    """One client for all tests of a module."""
    import carla

    made = carla.Client("127.0.0.1", port)
    made.set_timeout(60.0)
    return made


@pytest.fixture
def alone(resident: Any) -> Iterator[Any]:
    """That client, in a world without anybody, which goes on by itself."""
    yield resident
    world = resident.get_world()
    settings = world.get_settings()
    settings.synchronous_mode = False
    world.apply_settings(settings)
    world.wait_for_tick()
    kinds = ("vehicle.", "walker.", "static.", "sensor.", "controller.")
    for actor in world.get_actors():
        if actor.type_id.startswith(kinds):
            actor.destroy()
    world.reset_all_traffic_lights()
    world.freeze_all_traffic_lights(False)
