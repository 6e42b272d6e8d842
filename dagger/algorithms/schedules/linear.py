"""Beta falls by the same amount each round."""

from __future__ import annotations

from dagger.algorithms.base import BetaSchedule, schedule


@schedule("linear")
def linear(settings: BetaSchedule, round_: int) -> float:
    """Reach 0 after `rounds` rounds."""
    return max(0.0, 1.0 - round_ / settings.rounds)
