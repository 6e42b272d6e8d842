"""DAgger's mixture: the expert drives with probability beta, drawn anew for every segment of a drive."""

from __future__ import annotations

import numpy as np

from dagger.algorithms.base import BetaSchedule, GateInput, gate

_STREAM = 7  # of an episode's random numbers


@gate("mixture")
class Mixture:
    """Draws the driver of each world with probability beta (Ross, Gordon and Bagnell 2011, section 3.3)."""

    def begin(self, seeds: np.ndarray, settings: BetaSchedule) -> None:
        """Start a batch of worlds."""
        self._chances = [np.random.default_rng([int(s), _STREAM]) for s in seeds]
        self._drives = np.ones(len(seeds), bool)
        self._settings = settings

    def expert_drives(self, now: GateInput) -> np.ndarray:
        """(S,) bool: the driver drawn for the present segment."""
        if now.tick % self._settings.segment_ticks(now.seconds) == 0:
            for w in now.slots:
                self._drives[w] = self._chances[w].random() < now.beta
        return self._drives[now.slots]
