"""Drowsy steering: after an onset, slow swings are added to every steering angle that ego's driver requests.

The swings belong to the car and act on every policy: a learner that drives alone in a drowsy episode must be able to
notice the drowsiness, or the episode could not be told from its twin. The effect of drowsiness on decisions is part of
the expert (`policies.expert.driver_state`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.datatypes.episode import Episode
from sim.datatypes.simulation import Simulation

FALLS = 4.0  # [s] from the onset to full drowsiness
LATE = 0.5  # drowsiness, of 1, above which a driver reacts late
WEAVE = 0.05  # [rad] largest swing of the front wheels
PERIODS = (2.3, 3.7)  # [s] of two swings that never coincide
_TICK = Simulation().tick


def drowsiness(episodes: Sequence[Episode], tick: np.ndarray) -> np.ndarray:
    """(S,) float32 drowsiness of the drivers of some episodes at their ticks (S,): 0 to 1."""
    onset = np.array([e.driver_state.onset if e.driver_state and e.driver_state.drowsy else np.inf for e in episodes])
    return np.clip((tick * _TICK - onset) / FALLS, 0.0, 1.0).astype(np.float32)


def steering_swing(episodes: Sequence[Episode], tick: np.ndarray) -> np.ndarray:
    """(S,) float32 steering angle that drowsiness adds [rad]; the phases follow from each episode's seed."""
    phase = np.array([np.random.default_rng([e.seed, 0xD205]).random(2) for e in episodes]).reshape(-1, 2)
    swing = sum(np.sin(2.0 * np.pi * (tick * _TICK / p + phase[:, k])) for k, p in enumerate(PERIODS))
    return (0.5 * WEAVE * drowsiness(episodes, tick) * swing).astype(np.float32)
