"""Beta 1 in round 0 and 0 afterwards: the parameter-free choice of Ross, Gordon and Bagnell (2011)."""

from __future__ import annotations

from dagger.algorithms.base import BetaSchedule, schedule


@schedule("indicator")
def indicator(settings: BetaSchedule, round_: int) -> float:
    """0: the learner drives alone."""
    return 0.0
