"""Small worlds for tests: one T-junction, plain weather, and a world's bytes without the numbers of its neighbours."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sim.datatypes.camera import Camera
from sim.datatypes.episode import ActorSpec, Episode, MapSpec
from sim.datatypes.simulation import Simulation
from sim.datatypes.world_state import World
from sim.road.map.map_batch import path_points
from sim.world.backend import Backend
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import PrivilegedInput

T = MapSpec("t_junction", (("arm", 40.0),))
SMALL = Camera(width=48, height=32)
PARKED = ActorSpec("parked", "van", arm="west", lane="outbound", distance=12.0, side=3.6)
ONCOMING = ActorSpec("oncoming", "truck", 0xB03020, lane="outbound", distance=8.0, speed=6.0)
MAPS = os.environ.get("HOMUNCULUS_MAPS")
needs_maps = pytest.mark.skipif(not MAPS, reason="set HOMUNCULUS_MAPS to a folder with Town01.xodr and Town02.xodr")


def episode(seed: int = 1, **changes: Any) -> Episode:
    """An episode at the stem of a T, nobody else about."""
    return replace(Episode("test", seed, map=T, distance=25.0, speed=6.0), **changes)


def started(episodes: Sequence[Episode], camera: Camera = SMALL, actors: int = 4, threads: int = 1) -> EmbeddedWorld:
    """A world for each of the episodes, reset to them."""
    backend = EmbeddedWorld(len(episodes), camera, Simulation(actors=actors), threads=threads)
    backend.reset(episodes)
    return backend


def truth(backend: Backend) -> PrivilegedInput:
    """What a privileged driver is given of every world, a copy."""
    episodes = tuple(e for e in backend.episodes if e is not None)
    return PrivilegedInput(backend.world.copy(), backend.maps, np.arange(backend.worlds), backend.camera, episodes)


def row_bytes(backend: Backend, w: int) -> dict[str, bytes]:
    """Every field of world w as bytes.

    The numbers of maps and paths count what a fleet's bank holds, so they are replaced by what they stand for.
    """
    world, bank = backend.world, backend.maps.arrays
    found = {name: array[w].tobytes() for name, array in world._asdict().items()}
    found["map"] = backend.maps.maps[world.map[w]].digest.encode()
    for name in ("route", "path"):
        numbers = getattr(world, name)[w]
        found[name] = b"|".join(path_points(bank, q).tobytes() if q >= 0 else b"-" for q in numbers)
    return found


def rows(world: World, chosen: Any) -> World:
    """Some rows of a world, copied."""
    return World(*(array[chosen].copy() for array in world))
