"""Gymnasium environments of scenarios: the entry points of `scenarios:homunculus/Drive-v0`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scenarios.sampling.sample import sample, slots_needed
from scenarios.scenario import Scenario, load_scenario
from sim.datatypes.camera import Camera
from sim.envs.driving_env import DrivingEnv, DrivingVectorEnv
from sim.world.decisions.registry import backs_up
from sim.world.embedded import EmbeddedWorld


def _parts(
    scenario: str | Path | Scenario, split: str, worlds: int, camera: Camera | None, threads: int
) -> tuple[EmbeddedWorld, Any, bool]:
    loaded = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    backend = EmbeddedWorld(worlds, camera, slots_needed(loaded), threads=threads, sensors=loaded.sensors)
    return backend, lambda seed: sample(loaded, seed, split), backs_up(loaded.decision_spec)


def make_drive(
    scenario: str | Path | Scenario = "rain-turn",
    split: str = "train",
    camera: Camera | None = None,
    render_mode: str | None = None,
) -> DrivingEnv:
    """One world of a scenario (a library name, a file, or a loaded one) as a `gymnasium.Env`."""
    backend, draw, can_reverse = _parts(scenario, split, 1, camera, 1)
    return DrivingEnv(backend, draw, render_mode, can_reverse)


def make_vector(
    num_envs: int = 1,
    scenario: str | Path | Scenario = "rain-turn",
    split: str = "train",
    camera: Camera | None = None,
    threads: int = 1,
    render_mode: str | None = None,
) -> DrivingVectorEnv:
    """`num_envs` worlds of a scenario as a `gymnasium.vector.VectorEnv`."""
    backend, draw, can_reverse = _parts(scenario, split, num_envs, camera, threads)
    return DrivingVectorEnv(backend, draw, render_mode, can_reverse)
