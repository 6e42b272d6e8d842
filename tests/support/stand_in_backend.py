"""A second kind of world for tests: few at once, with pictures that cannot be drawn again, and a count of the open."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sim.datatypes.action import Action, Observation
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.simulation import Simulation
from sim.datatypes.world_state import World
from sim.perception.ground_truth import GroundTruth
from sim.world.embedded import EmbeddedWorld

TINT = np.array([3, 2, 1], np.uint8)  # R, G, B: what its camera adds to the house's own picture


class Elsewhere:
    """A Backend that has an EmbeddedWorld do its work, as a server would, and is not one."""

    can_rerender = False

    def __init__(self, inner: EmbeddedWorld, maker: ElsewhereWorlds) -> None:
        self._inner, self._maker = inner, maker
        self.worlds, self.simulation, self.camera = inner.worlds, inner.simulation, inner.camera
        self.maps, self.episodes = inner.maps, inner.episodes
        self.recovered_errors: list[str] = []
        self.substitutions = ["stands in for a server"]
        self.versions = {"elsewhere": "1"}

    @property
    def world(self) -> World:
        """The truth, live."""
        return self._inner.world

    def reset(self, episodes: Sequence[Episode], slots: Sequence[int] | None = None) -> None:
        """As the contract says; one fault is mended on the way."""
        self._inner.reset(episodes, slots)
        self.recovered_errors.append("was away for a moment")

    def step(self, action: Action) -> None:
        """As the contract says."""
        self._inner.step(action)

    def observe(self, slots: np.ndarray | None = None) -> Observation:
        """The house's picture with a tint, so that one drawn from the state is another."""
        seen = self._inner.observe(slots)
        return Observation(camera=np.minimum(seen.camera, 250) + self._maker.tint, speed=seen.speed)

    def sense(self, slots: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """As the contract says."""
        return self._inner.sense(slots)

    def state(self, slots: np.ndarray | None = None) -> GroundTruth:
        """As the contract says."""
        return self._inner.state(slots)

    def sync_ego(self, other: World) -> None:
        """As the contract says."""
        self._inner.sync_ego(other)

    def close(self) -> None:
        """Give the worlds back."""
        self._maker.open -= self.worlds
        self._maker.closed += 1


class ElsewhereWorlds:
    """Makes such worlds, `most` at once.

    Attributes:
        open: how many are in use; peak: the most that ever were; closed: how many backends were closed.
    """

    def __init__(self, most: int, tint: bool = True) -> None:
        self.most: int | None = most
        self.tint = TINT if tint else np.zeros(3, np.uint8)
        self.open = self.peak = self.closed = 0

    def __call__(
        self, worlds: int, camera: Camera | None = None, simulation: Simulation | None = None, *,
        threads: int = 1, search: Sequence[Path] | None = None, sensors: Any = None,
    ) -> Elsewhere:  # fmt: skip
        """A backend of so many worlds, where there are so many left."""
        assert self.most is not None
        if self.open + worlds > self.most:
            raise ValueError(f"{worlds} worlds beside {self.open}; there can be {self.most}")
        self.open += worlds
        self.peak = max(self.peak, self.open)
        return Elsewhere(EmbeddedWorld(worlds, camera, simulation, threads, search, sensors), self)
