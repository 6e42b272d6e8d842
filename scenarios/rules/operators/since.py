"""`p since q`: q held, and p at every tick after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scenarios.rules.ast import Window
from scenarios.rules.operators.base import Binary, Past, operator

if TYPE_CHECKING:
    from scenarios.rules.monitor import Builder, Part
    from scenarios.rules.trace import Trace


@operator(
    "since",
    "q held at some tick up to now, or at a tick of the window, and p at every tick after it",
    ('actors.van.present since sign("STOP")', "a board said STOP, and ever after the van was there"),
    ('actors.van.present since[1s, 5s] sign("STOP")', "the same, the board 5 s to 1 s ago"),
    binding=7,
)
@dataclass(frozen=True)
class Since(Binary, Past):
    """`left since right`: right held at some tick (within the window), and left at every tick after it up to now."""

    window: Window | None = None

    def trace(self, over: Trace) -> np.ndarray:
        """Whether the right side held no earlier than the left last failed."""
        left, right = over.whole(self.left), over.whole(self.right)
        began, broken = over.last(right), over.last(~left)
        if self.window is None:
            return np.asarray((began >= broken) & (began >= 0))
        first, last = over.ticks(self.window)
        recent = (began >= broken) & (over.now - began <= last - first)
        return over.delayed(recent, first) & (over.now - np.maximum(broken, -1) >= first)

    def monitor(self, build: Builder) -> Part:
        """Ticks since the right side held while the left did; with a window also ticks since the left failed."""
        left, right = build.formula(self.left), build.formula(self.right)
        begun = build.age(right, left)
        if self.window is None:
            return lambda tick: begun(tick) < np.inf
        first, last = build.ticks(self.window)
        recent = build.delayed(lambda tick: begun(tick) <= last - first, first)
        if first == 0:
            return recent
        broken = build.age(lambda tick: ~np.asarray(left(tick)))  # for so many ticks the left side has held
        return lambda tick: np.asarray(recent(tick)) & (broken(tick) >= first)
