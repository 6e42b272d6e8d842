"""A server for each module of these tests, and a real client of it for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import served


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
