"""Drowsy hands: from an onset on, whatever is asked of ego's wheel is overlaid with slow swings.

They belong to the car that is lent, whoever drives it, and not to one driver: a learner that drives alone in a drowsy
episode must be able to feel it, or nobody could tell such an episode from its twin. What drowsiness makes of decisions
is the driver's affair (`policies.expert.driver_state`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.datatypes.episode import Episode
from sim.datatypes.simulation import Simulation

FALLS = 4.0  # [s] in which alertness is lost
LATE = 0.5  # of 1 that is drowsy: who is, reacts late
WEAVE = 0.05  # [rad] of the front wheels, at most
PERIODS = (2.3, 3.7)  # [s] of two swings that never fall together
_TICK = Simulation().tick


def drowsiness(episodes: Sequence[Episode], tick: np.ndarray) -> np.ndarray:
    """(S,) float32 how drowsy the drivers of some episodes are at their ticks (S,): 0 to 1."""
    onset = np.array([e.driver_state.onset if e.driver_state and e.driver_state.drowsy else np.inf for e in episodes])
    return np.clip((tick * _TICK - onset) / FALLS, 0.0, 1.0).astype(np.float32)


def steering_swing(episodes: Sequence[Episode], tick: np.ndarray) -> np.ndarray:
    """(S,) float32 what drowsy hands add to the wheel [rad]; each episode swings in its own way."""
    phase = np.array([np.random.default_rng([e.seed, 0xD205]).random(2) for e in episodes]).reshape(-1, 2)
    swing = sum(np.sin(2.0 * np.pi * (tick * _TICK / p + phase[:, k])) for k, p in enumerate(PERIODS))
    return (0.5 * WEAVE * drowsiness(episodes, tick) * swing).astype(np.float32)
