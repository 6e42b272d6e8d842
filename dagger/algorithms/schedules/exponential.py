"""Beta falls by a factor each round."""

from __future__ import annotations

from dagger.algorithms.base import BetaSchedule, schedule


@schedule("exponential")
def exponential(settings: BetaSchedule, round_: int) -> float:
    """decay ** round."""
    return settings.decay**round_
