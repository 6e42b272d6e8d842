"""The expert drives where the learner's action is far from its own, as in SafeDAgger (Zhang and Cho 2017).

SafeDAgger learns a classifier of that distance; here the expert is a program that can be asked at every tick, so that
the distance itself is used.
"""

from __future__ import annotations

import numpy as np

from dagger.algorithms.base import BetaSchedule, GateInput, gate

STEER = 0.1  # [rad] of difference between the wheel angles from which the expert drives
ACCELERATION = 2.0  # [m/s^2] of difference between the accelerations


@gate("disagreement")
class Disagreement:
    """Hands control to the expert once the actions differ, for the rest of the segment.

    The expert keeps control until the segment ends, so that it has time to bring ego back; beta is not used.
    """

    def begin(self, seeds: np.ndarray, settings: BetaSchedule) -> None:
        """Start a batch of worlds: the learner drives."""
        self._until = np.zeros(len(seeds), int)  # first tick at which the learner drives again
        self._settings = settings

    def expert_drives(self, now: GateInput) -> np.ndarray:
        """(S,) bool: the slots where the actions differ, or have differed within the segment."""
        steer = np.abs(now.label.action.steer - now.proposal.steer)
        pull = np.abs(now.label.action.acceleration - now.proposal.acceleration)
        apart = (steer > STEER) | (pull > ACCELERATION)
        self._until[now.slots[apart]] = now.tick + self._settings.segment_ticks(now.seconds)
        return self._until[now.slots] > now.tick
