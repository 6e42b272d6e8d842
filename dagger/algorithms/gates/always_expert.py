"""The expert drives always, and the learner's proposals change nothing: behaviour cloning on new episodes."""

from __future__ import annotations

import numpy as np

from dagger.algorithms.base import BetaSchedule, GateInput, gate


@gate("always_expert")
class AlwaysExpert:
    """Lets the expert drive."""

    def begin(self, seeds: np.ndarray, settings: BetaSchedule) -> None:
        """Start a batch of worlds; nothing is kept."""

    def expert_drives(self, now: GateInput) -> np.ndarray:
        """(S,) bool: all true."""
        return np.ones(len(now.slots), bool)
