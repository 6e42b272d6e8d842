"""Gymnasium environments of any backend: `DrivingEnv` for one world, `DrivingVectorEnv` for B worlds.

Observation: {"camera": (H, W, 3) uint8, "speed": (1,) float32 [m/s]}, and an entry for each of the backend's sensors
(`sim.sensors.registry`) by its name.  Action: (2,) float32 in [-1, 1]: steer as a share of the greatest wheel angle
(positive to the left) and acceleration as a share of the greatest acceleration or braking.  Where an environment
`can_reverse`, the acceleration is signed along the heading and selects the gear (`sim.dynamics.signed_acceleration`),
and speeds may be below 0.  The reward is progress towards arrival, whatever the shown decision: the hidden rule is not
part of the reward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from sim.actors.registry import EGO
from sim.datatypes.action import Action
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import DECISIONS, OUTCOME, OUTCOMES
from sim.dynamics.signed_acceleration import STANDS, action_from_signed_acceleration
from sim.sensors.base import Sensor
from sim.sensors.registry import RESERVED
from sim.world.backend import Backend
from sim.world.rollout import progress

Draw = Callable[[int], Episode]  # a seed -> its episode

CRASHES = ("collision", "off_road")
CRASH_PENALTY = 1.0  # subtracted on collision and on leaving the road; covering the whole route earns 1


def observation_space(
    camera: Camera, sensors: Mapping[str, Sensor] | None = None, can_reverse: bool = False
) -> gym.spaces.Dict:
    """The observation space of one world.

    Args:
        can_reverse: whether ego may drive backwards.

    Raises:
        ValueError: for a sensor with the name of an entry that every observation has.
    """
    found = {name: sensor.field() for name, sensor in (sensors or {}).items()}
    if taken := [name for name in RESERVED if name in found]:
        raise ValueError(f"a sensor is named {taken[0]!r}; every observation has {', '.join(RESERVED)} already")
    spaces: dict[str, gym.spaces.Space[Any]] = {
        "camera": gym.spaces.Box(0, 255, (camera.height, camera.width, 3), np.uint8),
        "speed": gym.spaces.Box(-EGO.max_reverse_speed if can_reverse else 0.0, EGO.max_speed, (1,), np.float32),
    }
    for name, f in found.items():
        spaces[name] = gym.spaces.Box(f.low, f.high, f.shape, f.dtype)
    return gym.spaces.Dict(spaces)


def action_space() -> gym.spaces.Box:
    """The action space of one world."""
    return gym.spaces.Box(-1.0, 1.0, (2,), np.float32)


def to_action(normalised: np.ndarray, speed: np.ndarray | None = None) -> Action:
    """Map (B, 2) in [-1, 1] to SI units; given speeds (B,) [m/s] of cars that may reverse, also select the gear."""
    asked = np.clip(np.asarray(normalised, np.float32).reshape(-1, 2), -1.0, 1.0)
    steer = asked[:, 0] * np.float32(EGO.max_steer)
    rolls = 1.0 if speed is None else np.where(np.abs(speed) < STANDS, np.sign(asked[:, 1]), np.sign(speed))
    forward = np.where(asked[:, 1] * rolls > 0, EGO.max_acceleration, EGO.max_braking)
    acceleration = (asked[:, 1] * forward).astype(np.float32)
    return Action(steer, acceleration) if speed is None else action_from_signed_acceleration(steer, acceleration, speed)


def _observation(backend: Backend, can_reverse: bool) -> dict[str, np.ndarray]:
    seen, least = backend.observe(), -EGO.max_reverse_speed if can_reverse else 0.0
    found = {"camera": seen.camera, "speed": np.clip(seen.speed[:, None], least, EGO.max_speed).astype(np.float32)}
    return found | backend.sense() if _sensors(backend) else found  # type: ignore[attr-defined]


def _sensors(backend: Backend) -> Mapping[str, Sensor]:
    """The sensors of a backend's egos besides the camera; not every backend supports them."""
    return getattr(backend, "sensors", {})


def _truth(backend: Backend, w: int) -> dict[str, Any]:
    shown_decision = int(backend.world.shown_decision[w])
    return {
        "outcome": OUTCOMES[int(backend.world.outcome[w])],
        "shown_decision": DECISIONS[shown_decision] if shown_decision >= 0 else "none",
        "progress": float(progress(backend)[w]),
    }


class DrivingEnv(gym.Env[dict[str, np.ndarray], np.ndarray]):
    """One world as a `gymnasium.Env`.

    Args:
        backend: of one world.
        draw: maps a seed to its episode.
        render_mode: None or "rgb_array" (the camera's picture).
        can_reverse: whether ego may drive backwards, see the module.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 (Gymnasium's own convention)

    def __init__(self, backend: Backend, draw: Draw, render_mode: str | None = None, can_reverse: bool = False) -> None:
        if backend.worlds != 1:
            raise ValueError(f"DrivingEnv was given a backend of {backend.worlds} worlds; it drives exactly 1")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode={render_mode!r}; known are None and {self.metadata['render_modes']}")
        self.backend, self.draw, self.render_mode, self.can_reverse = backend, draw, render_mode, can_reverse
        # Gymnasium types the space of a dictionary observation by the dictionary; its own Dict space does not fit.
        self.observation_space = observation_space(backend.camera, _sensors(backend), can_reverse)  # type: ignore[assignment]
        self.action_space = action_space()
        self._covered = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Start an episode: `options["episode"]` if given, else one drawn from the environment's seed."""
        super().reset(seed=seed)
        episode = (options or {}).get("episode") or self.draw(int(self.np_random.integers(2**31)))
        self.backend.reset([episode])
        self._covered = float(progress(self.backend)[0])
        return self._seen(), _truth(self.backend, 0)

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Advance one tick. Terminates on arrival, deviation, collision and leaving the road; truncates on timeout."""
        self.backend.step(to_action(action, self.backend.world.speed[:, 0] if self.can_reverse else None))
        info = _truth(self.backend, 0)
        reward = info["progress"] - self._covered - CRASH_PENALTY * (info["outcome"] in CRASHES)
        self._covered = info["progress"]
        terminated = info["outcome"] in ("arrived", "deviated", *CRASHES)
        return self._seen(), float(reward), terminated, info["outcome"] == "timeout", info

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """The camera's picture (H, W, 3) uint8 when render_mode is "rgb_array"."""
        return self._seen()["camera"] if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Close the backend."""
        self.backend.close()

    def _seen(self) -> dict[str, np.ndarray]:
        return {name: array[0] for name, array in _observation(self.backend, self.can_reverse).items()}


class DrivingVectorEnv(VectorEnv[dict[str, np.ndarray], np.ndarray, np.ndarray]):
    """B worlds as a `gymnasium.vector.VectorEnv` with next-step autoreset.

    The step after an episode's end ignores that world's action, returns its new episode's first observation, a
    reward of 0 and neither flag (AutoresetMode.NEXT_STEP).

    Args:
        backend: of B worlds.
        draw: maps a seed to its episode.
        render_mode: None or "rgb_array" (a tuple of the cameras' pictures).
        can_reverse: whether ego may drive backwards, see the module.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10, "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(self, backend: Backend, draw: Draw, render_mode: str | None = None, can_reverse: bool = False) -> None:
        self.backend, self.draw, self.render_mode, self.can_reverse = backend, draw, render_mode, can_reverse
        self.num_envs = backend.worlds
        self.single_observation_space = observation_space(backend.camera, _sensors(backend), can_reverse)
        self.single_action_space = action_space()
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._chances = [np.random.default_rng(i) for i in range(self.num_envs)]
        self._ended = np.zeros(self.num_envs, bool)
        self._covered = np.zeros(self.num_envs)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Start an episode in every world; world i uses seed + i, as Gymnasium's own vector environments do.

        `options["reset_mask"]` (B,) bool restricts the reset to some worlds.
        """
        super().reset(seed=seed if isinstance(seed, int) else None)
        seeds = seed if isinstance(seed, list) else [None if seed is None else seed + i for i in range(self.num_envs)]
        if len(seeds) != self.num_envs:
            raise ValueError(f"{len(seeds)} seeds for {self.num_envs} worlds; one each is wanted")
        mask = np.asarray((options or {}).get("reset_mask", np.ones(self.num_envs, bool)), bool)
        for i in np.flatnonzero(mask):
            if seeds[i] is not None:
                self._chances[i] = gym.utils.seeding.np_random(seeds[i])[0]
        self._start(np.flatnonzero(mask))
        return _observation(self.backend, self.can_reverse), self._info()

    def _start(self, slots: np.ndarray) -> None:
        episodes = [self.draw(int(self._chances[i].integers(2**31))) for i in slots]
        self.backend.reset(episodes, list(slots))
        self._covered[slots] = progress(self.backend)[slots]
        self._ended[slots] = False

    def _info(self) -> dict[str, Any]:
        world = self.backend.world
        every = np.ones(self.num_envs, bool)
        return {
            "outcome": np.array([OUTCOMES[o] for o in world.outcome]), "_outcome": every,
            "shown_decision": np.array([DECISIONS[b] if b >= 0 else "none" for b in world.shown_decision]),
            "_shown_decision": every,
            "progress": progress(self.backend).astype(np.float64), "_progress": every,
        }  # fmt: skip

    def step(
        self, actions: np.ndarray
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Advance every world one tick; worlds that ended last tick start a new episode instead."""
        fresh = np.flatnonzero(self._ended)
        self.backend.step(to_action(actions, self.backend.world.speed[:, 0] if self.can_reverse else None))
        if len(fresh):
            self._start(fresh)
        outcome = self.backend.world.outcome
        covered = progress(self.backend).astype(np.float64)  # so that the difference equals DrivingEnv's to the bit
        crashed = (outcome == OUTCOME["collision"]) | (outcome == OUTCOME["off_road"])
        reward = covered - self._covered - CRASH_PENALTY * crashed
        reward[fresh] = 0.0
        self._covered = covered
        terminated = crashed | (outcome == OUTCOME["arrived"]) | (outcome == OUTCOME["deviated"])
        truncated = outcome == OUTCOME["timeout"]
        self._ended = terminated | truncated
        return _observation(self.backend, self.can_reverse), reward, terminated, truncated, self._info()

    def render(self) -> tuple[np.ndarray, ...] | None:
        """The cameras' pictures when render_mode is "rgb_array"."""
        return tuple(self.backend.observe().camera) if self.render_mode == "rgb_array" else None

    def close_extras(self, **kwargs: Any) -> None:
        """Close the backend."""
        self.backend.close()
