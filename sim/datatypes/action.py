"""Actions and observations of a batch of worlds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Observation:
    """The observation of a policy: camera image and ego's speed.

    Args:
        camera: (B, H, W, 3) uint8, RGB.
        speed: (B,) float32, of ego [m/s].
    """

    camera: np.ndarray
    speed: np.ndarray


@dataclass(frozen=True)
class Action:
    """The action of a policy: steering angle, acceleration and gear.

    Args:
        steer: (B,) float32, requested front wheel angle [rad], positive to the left.
        acceleration: (B,) float32, requested in the direction of the gear [m/s^2]; negative brakes, in either gear.
        reverse: (B,) bool, the gear: True drives backwards. None is forwards in every world.
    """

    steer: np.ndarray
    acceleration: np.ndarray
    reverse: np.ndarray | None = None

    def where(self, mask: np.ndarray, other: Action) -> Action:
        """This action where `mask` (B,) holds, `other` elsewhere."""
        gears = None
        if self.reverse is not None or other.reverse is not None:
            mine, theirs = (np.zeros(1, bool) if a.reverse is None else a.reverse for a in (self, other))
            gears = np.where(mask, mine, theirs)
        return replace(
            self,
            steer=np.where(mask, self.steer, other.steer).astype(np.float32),
            acceleration=np.where(mask, self.acceleration, other.acceleration).astype(np.float32),
            reverse=gears,
        )

    def spread(self, slots: np.ndarray, worlds: int) -> Action:
        """This action in the given slots (S,) of a batch of `worlds` worlds; steer and acceleration 0 in the others."""
        steer, acceleration = np.zeros(worlds, np.float32), np.zeros(worlds, np.float32)
        steer[slots], acceleration[slots] = self.steer, self.acceleration
        reverse = None
        if self.reverse is not None:
            reverse = np.zeros(worlds, bool)
            reverse[slots] = self.reverse
        return Action(steer, acceleration, reverse)
