"""Rollouts: a driver in a backend's worlds -> trajectories.

An object with `needs`, `begin` and `act` can drive (see `policies.base.Policy`): the simulator imports no policies.
Worlds that have ended are not rendered, and their slots get no action.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from sim.datatypes.action import Action, Observation
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import OUTCOME
from sim.datatypes.world_state import World
from sim.perception.ground_truth import GroundTruth, ground_truth
from sim.road.map.map_batch import MapBatch, start_distance
from sim.world.backend import Backend

_CAMERA = Camera()
# The fields of a world's row that change from tick to tick, and the types in which they are stored per tick. The kind
# is among them because actors spawn and despawn.
DYNAMIC_FIELDS: dict[str, type] = {
    "x": np.float32, "y": np.float32, "yaw": np.float32, "speed": np.float32, "steer": np.float32,
    "acceleration": np.float32, "kind": np.int8,
}  # fmt: skip


@dataclass(frozen=True)
class PrivilegedInput:
    """The input of a privileged driver, in place of an observation: rows of the true state.

    Args:
        world: rows of the acting slots only, in their order.
        maps: the maps whose path numbers `world.route` refers to.
        slots: (S,) the backend's slot of each row.
        camera: of every ego; it determines visibility.
        episodes: (S) the episode of each row, for baselines that guess from it; empty where unknown.
    """

    world: World
    maps: MapBatch
    slots: np.ndarray
    camera: Camera = _CAMERA
    episodes: tuple[Episode, ...] = ()

    @functools.cached_property
    def state(self) -> GroundTruth:
        """Ground truth of the rows, computed on first access; `state.visible_only()` leaves out what is occluded."""
        return ground_truth(self.world, self.maps, self.camera)


class Driver(Protocol):
    """The driver interface of `rollout`. Memory is an array or tensor whose first axis is the slot."""

    needs: str  # "camera" or "state"

    def begin(self, worlds: int) -> Any:
        """Return the initial memory of `worlds` episodes."""

    def act(self, seen: Any, memory: Any) -> tuple[Action, Any]:
        """Return the action for an input, and the next memory."""


@dataclass(frozen=True)
class Trajectory:
    """The states, actions and outcomes of B worlds over up to T ticks; `valid` masks the ticks of each episode.

    Args:
        moving: name out of DYNAMIC_FIELDS -> (B, T + 1, N) of its type.
        steer, acceleration: (B, T) actions executed [rad, m/s^2].
        valid: (B, T) bool, whether the world was running when the action was taken.
        outcome, shown_decision: (B,) at the end; collided_with, red_lights, stop_signs: (B,) likewise, see `World`.
        progress: (B,) share of the way to arrival that was covered, on the route of the shown decision, else on the
            route nearest to ego.
        episodes: the episodes that were driven.
        reverse: (B, T) bool, whether reverse gear was engaged; None where the driver never named a gear.
    """

    moving: dict[str, np.ndarray]
    steer: np.ndarray
    acceleration: np.ndarray
    valid: np.ndarray
    outcome: np.ndarray
    shown_decision: np.ndarray
    progress: np.ndarray
    episodes: tuple[Episode, ...]
    collided_with: np.ndarray
    red_lights: np.ndarray
    stop_signs: np.ndarray
    reverse: np.ndarray | None = None

    @property
    def ticks(self) -> np.ndarray:
        """(B,) length of each episode in ticks."""
        return self.valid.sum(1)


def observe_for(backend: Backend, needs: str, slots: np.ndarray) -> Observation | PrivilegedInput:
    """Return the input of a driver with these needs for the given slots: an observation or the ground truth.

    Raises:
        ValueError: when `needs` is neither "camera" nor "state".
    """
    if needs == "camera":
        return backend.observe(slots)
    if needs == "state":
        episodes = tuple(e for w in slots.tolist() if (e := backend.episodes[w]) is not None)
        return PrivilegedInput(World(*(a[slots] for a in backend.world)), backend.maps, slots, backend.camera, episodes)
    raise ValueError(f"a driver that needs {needs!r} cannot be served; known are 'camera' and 'state'")


def progress(backend: Backend) -> np.ndarray:
    """(B,) share of the way from start to arrival, on the route of the shown decision or else the nearest."""
    world, bank = backend.world, backend.maps.arrays
    result = np.zeros(len(world.tick), np.float32)
    for w, episode in enumerate(backend.episodes):
        routes = [r for r in range(world.route.shape[1]) if world.route[w, r] >= 0]
        if episode is None or not routes:
            continue
        taken = [r for r in routes if bank.decision[world.route[w, r]] == world.shown_decision[w]]
        r = taken[0] if taken else min(routes, key=lambda r: abs(world.route_offset[w, r]))
        q = world.route[w, r]
        start, finish = bank.junction_in[q], 0.0  # for a route through many junctions
        if not episode.route:
            start = start - start_distance([bank.junction_in[p] for p in world.route[w, routes]], episode.distance)
            finish = episode.finish
        whole = bank.junction_out[q] + finish - start
        result[w] = np.clip((world.route_s[w, r] - start) / whole, 0.0, 1.0)
    return result


def _moving(world: World) -> dict[str, np.ndarray]:
    return {name: getattr(world, name).astype(kind) for name, kind in DYNAMIC_FIELDS.items()}


def rollout(
    backend: Backend,
    driver: Driver,
    episodes: Sequence[Episode],
    on_tick: Callable[[int, np.ndarray], None] | None = None,
) -> Trajectory:
    """Roll out `episodes`, one per slot, until the last has ended.

    Args:
        episodes: as many as the backend has worlds.
        on_tick: called with (tick, running slots) after each step.
    """
    backend.reset(episodes)
    memory = driver.begin(backend.worlds)
    frames = [_moving(backend.world)]
    steers, accelerations, gears, valid = [], [], [], []
    tick = 0
    while (backend.world.outcome == OUTCOME["running"]).any():
        slots = np.flatnonzero(backend.world.outcome == OUTCOME["running"])
        action, after = driver.act(observe_for(backend, driver.needs, slots), memory[slots])
        memory[slots] = after
        whole = action.spread(slots, backend.worlds)
        backend.step(whole)
        running = np.zeros(backend.worlds, bool)
        running[slots] = True
        steers.append(whole.steer)
        accelerations.append(whole.acceleration)
        gears.append(whole.reverse)
        valid.append(running)
        frames.append(_moving(backend.world))
        tick += 1
        if on_tick is not None:
            on_tick(tick, slots)
    forwards = np.zeros(backend.worlds, bool)
    named = any(gear is not None for gear in gears)
    return Trajectory(
        moving={name: np.stack([f[name] for f in frames], 1) for name in DYNAMIC_FIELDS},
        steer=np.stack(steers, 1),
        acceleration=np.stack(accelerations, 1),
        valid=np.stack(valid, 1),
        outcome=backend.world.outcome.copy(),
        shown_decision=backend.world.shown_decision.copy(),
        progress=progress(backend),
        episodes=tuple(episodes),
        collided_with=backend.world.collided_with.copy(),
        red_lights=backend.world.red_lights.copy(),
        stop_signs=backend.world.stop_signs.copy(),
        reverse=np.stack([forwards if gear is None else gear for gear in gears], 1) if named else None,
    )


def in_chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Consecutive slices of at most `size` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
