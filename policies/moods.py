"""How a demonstrator is, beside what it thinks: drowsy, in a hurry, angry. It shows in how it drives, and nowhere else.

Drowsiness comes over it from an onset on: its hands weave, and it heeds a line when it is near. Anger rises while it is
provoked and passes slowly: it pulls away and brakes harder. Who is in a hurry drives faster, and that is all. What a
mood makes of decisions is the rule's affair.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from policies.controller import Manner, control
from sim.config import HURRY, Episode, Mood, Simulation
from sim.types import Action, Bank, World

FALLS = 4.0  # [s] in which alertness is lost
RISES, PASSES = 1.0, 60.0  # [s] time constants of anger
WEAVE = 0.022  # [rad] of the front wheels, at most
PERIODS = (2.3, 3.7)  # [s] of two swings that never fall together
HEED = 10.0  # [m] from a line at which who is drowsy begins to brake for it
ANGRY = 0.5  # of 1 that is anger
_TICK = Simulation().tick
CALM = Mood()


def drowsiness(episodes: tuple[Episode, ...], tick: np.ndarray) -> np.ndarray:
    """(S,) float32 how drowsy the demonstrators are, 0 to 1."""
    moods = [e.mood or CALM for e in episodes]
    onset = np.array([m.onset if m.drowsy else np.inf for m in moods])
    return np.clip((tick * _TICK - onset) / FALLS, 0.0, 1.0).astype(np.float32)


def angrier(anger: np.ndarray, provoked: np.ndarray) -> np.ndarray:
    """(S,) anger a tick later, 0 to 1."""
    towards, time = np.where(provoked, 1.0, 0.0), np.where(provoked, RISES, PASSES)
    return (anger + (towards - anger) * (_TICK / time)).astype(np.float32)


def weave(episodes: tuple[Episode, ...], tick: np.ndarray, drowsy: np.ndarray) -> np.ndarray:
    """(S,) what a drowsy hand adds to the wheel [rad]; each episode swings in its own way."""
    phase = np.array([np.random.default_rng([e.seed, 0xD205]).random(2) for e in episodes]).reshape(-1, 2)
    swing = sum(np.sin(2.0 * np.pi * (tick * _TICK / p + phase[:, k])) for k, p in enumerate(PERIODS))
    return (0.5 * WEAVE * drowsy * swing).astype(np.float32)


def manners_of(
    calm: Manner, drowsy: np.ndarray, anger: np.ndarray, hurry: np.ndarray
) -> list[tuple[np.ndarray, Manner]]:
    """Which rows (S,) drive in which manner, where moods differ."""
    late, cross = drowsy > 0.5, anger > ANGRY
    found = []
    for code in np.unique(late + 2 * cross + 4 * hurry):
        manner = calm
        if code & 1:
            manner = replace(manner, heed=HEED)
        if code & 2:
            manner = replace(manner, pull=1.6 * manner.pull, braking=1.6 * manner.braking)
        if code & 4:
            manner = replace(manner, cruise=HURRY * manner.cruise)
        found.append((late + 2 * cross + 4 * hurry == code, manner))
    return found


def control_by(bank: Bank, world: World, target: np.ndarray, ways: list[tuple[np.ndarray, Manner]]) -> Action:
    """`policies.controller.control` with each row in its own manner."""
    action = control(bank, world, target, ways[0][1])
    for rows, manner in ways[1:]:
        action = control(bank, world, target, manner).where(rows, action)
    return action
