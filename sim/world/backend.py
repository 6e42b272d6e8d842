"""The contract that every world meets: embedded (in this process) and CARLA (a server elsewhere)."""

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

    `world` is the truth, live: its arrays change at the next `step` or `reset`; `world.copy()` keeps them.
    A world whose outcome is no longer "running" stands still until it is reset.
    `sim.world.conformance.BackendConformance` is the contract in executable form: a backend's test class inherits it.

    `can_rerender`: whether `sim.render.rgb.render` gives the backend's pictures from its `world` again, to the byte.
    `recovered_errors` and `substitutions`: what went wrong and was mended, and what is done in another way than in the
    embedded world.
    """

    can_rerender: bool
    worlds: int

    @property
    def simulation(self) -> Simulation:
        """Tick, substeps, and room for actors."""

    @property
    def camera(self) -> Camera:
        """On every ego."""

    @property
    def maps(self) -> MapBatch:
        """Every map that was driven on."""

    @property
    def world(self) -> World:
        """The truth, live."""

    @property
    def episodes(self) -> list[Episode | None]:
        """What runs in every world."""

    @property
    def recovered_errors(self) -> list[str]:
        """What went wrong and was mended, in the order of events."""

    @property
    def versions(self) -> dict[str, str]:
        """Versions of what the worlds run on outside this process, by name."""

    @property
    def substitutions(self) -> list[str]:
        """What is done in another way than in the embedded world, each said once."""

    def reset(self, episodes: Sequence[Episode], slots: Sequence[int] | None = None) -> None:
        """Start `episodes` in the given slots (all slots when None), one each.

        Raises:
            ValueError: when the numbers of episodes and slots differ, or an episode cannot be placed on its map.
        """

    def step(self, action: Action) -> None:
        """Advance every running world one tick; its weather becomes `sim.world.weather_schedule.weather_at` of that
        tick.

        Raises:
            ValueError: when the shape of a part of the action is not (B,), or it is not finite in a running world.
        """

    def observe(self, slots: np.ndarray | None = None) -> Observation:
        """What each ego's sensors show now; of the given slots only, in their order, if any are given."""

    def sense(self, slots: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """What each ego's further sensors show now: name -> (B, ...); of the given slots only, if any are given."""

    def state(self, slots: np.ndarray | None = None) -> GroundTruth:
        """What is true of the worlds now, as each ego meets it; of the given slots only, if any are given."""

    def sync_ego(self, other: World) -> None:
        """Put every ego where it is in another world of the same shape, with its motion, progress and outcome."""

    def close(self) -> None:
        """Leave nothing behind; closing twice is closing once."""
