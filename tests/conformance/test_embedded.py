"""The embedded world keeps the Backend contract, on one thread and on two."""

from __future__ import annotations

from sim.world.conformance import BackendConformance
from sim.world.embedded import EmbeddedWorld
from tests.support.worlds import SMALL


class TestEmbedded(BackendConformance):
    """One thread."""

    def make_backend(self, worlds: int) -> EmbeddedWorld:
        return EmbeddedWorld(worlds, SMALL)


class TestEmbeddedOnTwoThreads(BackendConformance):
    """Two threads; three worlds are too few to be shared out, which must not show either."""

    def make_backend(self, worlds: int) -> EmbeddedWorld:
        return EmbeddedWorld(worlds, SMALL, threads=2)
