"""The registry of gates, schedules and algorithms: it imports their files, and reads a round's share of control."""

from __future__ import annotations

import dagger.algorithms
import dagger.algorithms.gates
import dagger.algorithms.schedules
from dagger.algorithms.base import GATES, SCHEDULES, BetaSchedule, Gate
from sim.core.discovery import import_all
from sim.core.errors import did_you_mean, known_names

import_all(dagger.algorithms)
import_all(dagger.algorithms.gates)
import_all(dagger.algorithms.schedules)
ARMS: tuple[str, ...] = ("dagger", "cloning")  # in the order in which they are trained and shown


def gate_named(name: str) -> Gate:
    """Make a gate.

    Raises:
        ValueError: for an unknown name, with the known ones.
    """
    if name not in GATES:
        raise ValueError(f"unknown gate {name!r}; known are {known_names(GATES)}{did_you_mean(name, GATES)}")
    return GATES[name]()


def beta(settings: BetaSchedule, round_: int) -> float:
    """The expert's share of control in a round; always 1 in round 0, which is behaviour cloning.

    Raises:
        ValueError: for an unknown shape, with the known ones.
    """
    if settings.shape not in SCHEDULES:
        known = f"known are {known_names(SCHEDULES)}{did_you_mean(settings.shape, SCHEDULES)}"
        raise ValueError(f"unknown beta shape {settings.shape!r}; {known}")
    return 1.0 if round_ == 0 else SCHEDULES[settings.shape](settings, round_)
