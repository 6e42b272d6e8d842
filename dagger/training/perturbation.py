"""Perturbed demonstrations: steering and pedal offsets while the expert labels (DART; Laskey et al. 2017).

The motion of an unperturbed expert reveals its decision: it slows for the bend that it will take, and any drift points
that way. A network that learns from such drives may read its own motion instead of the scene. Offsets that the scene
does not explain make ego's motion uninformative, and show how the expert recovers.

An offset is drawn for every world every `hold` seconds, from the world's own seed, and held in between. The label is
what the expert would do; what is executed is the label plus the offset.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sim.datatypes.action import Action

STANDS = 0.5  # [m/s] below which the pedal is left alone: a stopped car must not creep over its line
CHANCES = 11  # with the world's seed, the seed of the generator of its offsets


@dataclass(frozen=True)
class Offsets:
    """Sizes and frequencies of the offsets.

    Args:
        steer: standard deviation of the steering offset [rad].
        acceleration: standard deviation of the pedal offset [m/s^2].
        hold: duration of an offset [s].
        steered, pushed: share of the holds with a steering offset, and with a pedal offset; the others have none.
        far: share of the steering offsets that are `times` as large: a learner's own errors add up over seconds, and it
            must have seen the recovery from them.
    """

    steer: float = 0.03
    acceleration: float = 0.4
    hold: float = 0.8
    steered: float = 0.6
    pushed: float = 0.7
    far: float = 0.15
    times: float = 4.0

    def scaled(self, strength: float) -> Offsets:
        """The offsets at `strength` times their size."""
        return replace(self, steer=self.steer * strength, acceleration=self.acceleration * strength)


class Perturbation:
    """The offsets of B worlds during their episodes.

    Args:
        offsets: their sizes and frequencies.
        seeds: (B,) int, of the worlds' episodes.
        tick: duration of a tick [s].
    """

    def __init__(self, offsets: Offsets, seeds: np.ndarray, tick: float) -> None:
        self.offsets = offsets
        self._hold = max(1, round(offsets.hold / tick))
        self._chances = [np.random.default_rng([int(s), CHANCES]) for s in seeds]
        self._steer = np.zeros(len(seeds), np.float32)
        self._push = np.zeros(len(seeds), np.float32)

    def apply(self, action: Action, slots: np.ndarray, speed: np.ndarray, tick: int) -> Action:
        """The perturbed action, which is executed in place of `action`.

        Args:
            action: (S,) of the worlds `slots` (S,).
            speed: (S,) of their egos [m/s].
            tick: since the start of the episodes.
        """
        if tick % self._hold == 0:
            for w in slots:
                steer, push, steered, pushed = self._draw(self._chances[w])
                self._steer[w] = steer if steered else 0.0
                self._push[w] = push if pushed else 0.0
        moving = np.abs(speed) >= STANDS
        return replace(
            action,
            steer=(action.steer + self._steer[slots]).astype(np.float32),
            acceleration=(action.acceleration + np.where(moving, self._push[slots], 0.0)).astype(np.float32),
        )

    def _draw(self, chance: np.random.Generator) -> tuple[float, float, bool, bool]:
        # All five are always drawn, so that a world's numbers are the same at any strength.
        steer, push = chance.normal(size=2)
        steered, pushed, far = chance.random(3)
        size = self.offsets
        steer *= size.times if far < size.far else 1.0
        return steer * size.steer, push * size.acceleration, steered < size.steered, pushed < size.pushed
