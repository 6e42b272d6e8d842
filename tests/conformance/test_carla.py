"""Worlds on CARLA servers keep the Backend contract: the real client, the real wire, `dagger serve` at its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import ClassVar

import pytest

from sim.carla.client import CarlaWorld
from sim.world.conformance import BackendConformance
from tests.support.servers import served
from tests.support.worlds import SMALL


class TestCarla(BackendConformance):
    """Three servers, which all tests use in turn: each must leave them so that the next one can."""

    servers: ClassVar[list[tuple[str, int]]] = []

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def three_servers(cls) -> Iterator[None]:
        """Servers for at most three worlds."""
        with ExitStack() as stack:
            cls.servers = [("127.0.0.1", stack.enter_context(served())[0]) for _ in range(3)]
            yield

    def make_backend(self, worlds: int) -> CarlaWorld:
        return CarlaWorld(worlds, SMALL, servers=self.servers)
