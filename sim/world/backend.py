"""The `Backend` interface, implemented by the embedded world (in-process) and CARLA (a separate server)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from sim.datatypes.action import Action, Observation
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.simulation import Simulation
from sim.datatypes.world_state import World
from sim.perception.ground_truth import GroundTruth
from sim.road.map.map_batch import MapBatch


@runtime_checkable
class Backend(Protocol):
    """B worlds that advance together.

    `world` is the live ground truth: its arrays change at the next `step` or `reset`; `world.copy()` preserves them.
    A world whose outcome is no longer "running" stands still until it is reset.
    `sim.world.conformance.BackendConformance` is the contract in executable form: a backend's test class inherits it.

    `can_rerender`: whether `sim.render.rgb.render` reproduces the backend's pictures from its `world`, to the byte.
    `recovered_errors` and `substitutions`: errors that the backend recovered from, and features that it implements
    differently from the embedded world.
    """

    can_rerender: bool
    worlds: int

    @property
    def simulation(self) -> Simulation:
        """Tick length, substeps, and number of actor slots."""

    @property
    def camera(self) -> Camera:
        """The camera of every ego."""

    @property
    def maps(self) -> MapBatch:
        """All maps in use so far."""

    @property
    def world(self) -> World:
        """The live ground truth."""

    @property
    def episodes(self) -> list[Episode | None]:
        """The episode of each world, None before its first reset."""

    @property
    def recovered_errors(self) -> list[str]:
        """Errors that the backend recovered from, in order of occurrence."""

    @property
    def versions(self) -> dict[str, str]:
        """Versions of external software that the worlds run on, by name."""

    @property
    def substitutions(self) -> list[str]:
        """Features that differ from the embedded world, each listed once."""

    def reset(self, episodes: Sequence[Episode], slots: Sequence[int] | None = None) -> None:
        """Start `episodes` in the given slots (all slots when None), one each.

        Raises:
            ValueError: if the numbers of episodes and slots differ, or an episode cannot be placed on its map.
        """

    def step(self, action: Action) -> None:
        """Advance every running world one tick; its weather becomes `weather_schedule.weather_at` of the new tick.

        Raises:
            ValueError: if the shape of a part of the action is not (B,), or it is not finite in a running world.
        """

    def observe(self, slots: np.ndarray | None = None) -> Observation:
        """The current observation of each ego; of the given slots only, in their order, if any are given."""

    def sense(self, slots: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Current readings of each ego's further sensors: name -> (B, ...); of the given slots only, if any."""

    def state(self, slots: np.ndarray | None = None) -> GroundTruth:
        """The current ground truth in each ego's frame; of the given slots only, if any are given."""

    def sync_ego(self, other: World) -> None:
        """Copy every ego's pose, motion, progress and outcome from another world of the same shape."""

    def close(self) -> None:
        """Release all resources; a second call does nothing."""
