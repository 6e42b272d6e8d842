"""Beta is the same in every round; 1 is behaviour cloning."""

from __future__ import annotations

from dagger.algorithms.base import BetaSchedule, schedule


@schedule("constant")
def constant(settings: BetaSchedule, round_: int) -> float:
    """Return `decay` itself."""
    return settings.decay
