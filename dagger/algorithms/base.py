"""DAgger's extension points: gates decide who drives at a tick, schedules set beta by round.

A gate, a schedule or an algorithm is one file in `gates/`, `schedules/` or this folder; it registers itself when it is
imported, and `dagger.algorithms.registry` imports all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Protocol, TypeVar

import numpy as np

from policies.expert.expert import Label
from sim.core.ranges import OutOfRangeError, Range, check_ranges
from sim.datatypes.action import Action

T = TypeVar("T")


@dataclass(frozen=True)
class BetaSchedule:
    """The expert's share of control (DAgger's beta), by round.

    Args:
        shape: how the share falls: "indicator" (1 in round 0, then 0, the paper's parameter-free choice), "exponential"
            (decay**round), "linear" (reaches 0 after `rounds` rounds) or "constant" (always `decay`, where 1 is
            behaviour cloning).
        decay: base of "exponential", or the value of "constant", 0 to 1.
        rounds: rounds after which "linear" reaches 0.
        per: how often the driver is drawn: "segment" draws it every `segment` seconds, so that a learner's errors have
            time to show; "step" draws it at every tick, as in the paper.
        segment: duration of a segment [s].
    """

    shape: str = "exponential"
    decay: Annotated[float, Range(0, 1)] = 0.5
    rounds: Annotated[int, Range(1)] = 4
    per: str = "segment"
    segment: Annotated[float, Range(0, above=True)] = 2.0

    def segment_ticks(self, tick: float) -> int:
        """The number of ticks of `tick` seconds between two draws of the driver."""
        return 1 if self.per == "step" else max(1, round(self.segment / tick))

    def __post_init__(self) -> None:
        if self.per not in ("step", "segment"):
            raise OutOfRangeError("per", self.per, "step or segment")
        check_ranges(self)


@dataclass(frozen=True)
class GateInput:
    """What a gate sees at a tick, for the S slots that are running.

    Args:
        slots: (S,) int, rows among all worlds.
        tick: number of the tick, from 0; seconds: duration of a tick.
        beta: the expert's share of control in this round.
        label: the expert's action and its validity.
        proposal: the learner's action.
    """

    slots: np.ndarray
    tick: int
    seconds: float
    beta: float
    label: Label
    proposal: Action


class Gate(Protocol):
    """Decides at every tick in which slots the expert drives. It may keep a state for each world."""

    def begin(self, seeds: np.ndarray, settings: BetaSchedule) -> None:
        """Start a batch of worlds.

        Args:
            seeds: (B,) int, of the episodes; random draws use a world's own seed, not its neighbours'.
        """

    def expert_drives(self, now: GateInput) -> np.ndarray:
        """(S,) bool: the slots in which the expert drives; where its label is invalid, the learner drives anyway."""


@dataclass(frozen=True)
class Algorithm:
    """An arm of a run: how the episodes of later rounds are driven.

    Args:
        name: of the arm, in file names and reports.
        uses_learner: whether the learner drives in later rounds, as the gate of the settings decides; otherwise they
            are demonstrations as in round 0.
        legend: its name in charts.
    """

    name: str
    uses_learner: bool
    legend: str


GATES: dict[str, Callable[[], Gate]] = {}
SCHEDULES: dict[str, Callable[[BetaSchedule, int], float]] = {}
ALGORITHMS: dict[str, Algorithm] = {}


def gate(name: str) -> Callable[[type[T]], type[T]]:
    """Register a class as a gate."""

    def register(cls: type[T]) -> type[T]:
        GATES[name] = cls  # type: ignore[assignment]
        return cls

    return register


def schedule(name: str) -> Callable[[Callable[[BetaSchedule, int], float]], Callable[[BetaSchedule, int], float]]:
    """Register a function (settings, round) -> the expert's share of control in rounds from 1 on."""

    def register(function: Callable[[BetaSchedule, int], float]) -> Callable[[BetaSchedule, int], float]:
        SCHEDULES[name] = function
        return function

    return register


def register(algorithm: Algorithm) -> Algorithm:
    """Register an algorithm; `dagger.algorithms.registry.ARMS` has those that a run trains."""
    ALGORITHMS[algorithm.name] = algorithm
    return algorithm
