"""`once p`: p held at some time up to now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scenarios.rules.ast import Window
from scenarios.rules.operators.base import Past, Unary, operator

if TYPE_CHECKING:
    from scenarios.rules.monitor import Builder, Part
    from scenarios.rules.trace import Trace


@operator(
    "once",
    "p held at some tick up to now, or at a tick of the window",
    ('once sign("DETOUR")', "a board with that word or phrase could be read at some time up to now"),
    ('once[0s, 10s] sign("DETOUR")', "in the last 10 s; `s`, `ms`, `min`, `h`, or seconds without a unit"),
    ('once[2s, 10s] sign("DETOUR")', "from 10 s to 2 s ago"),
)
@dataclass(frozen=True)
class Once(Unary, Past):
    """`once operand`: it held at some tick up to now, or at one within the window."""

    window: Window | None = None

    def trace(self, over: Trace) -> np.ndarray:
        """Whether the last tick at which the operand held lies in the window."""
        return held_in(over, over.whole(self.operand), self.window)

    def monitor(self, build: Builder) -> Part:
        """One number of memory: ticks since the operand held; and one for every tick until the window begins."""
        return monitor_held_in(build, build.formula(self.operand), self.window)


def held_in(over: Trace, truth: np.ndarray, window: Window | None) -> np.ndarray:
    """Whether `truth` (B, T) held at a tick of the window, or at any tick up to now."""
    if window is None:
        return np.logical_or.accumulate(truth, -1)  # type: ignore[no-any-return]
    first, last = over.ticks(window)
    return np.asarray(over.now - over.last(over.delayed(truth, first)) <= last - first)


def monitor_held_in(build: Builder, truth: Part, window: Window | None) -> Part:
    """The same tick by tick."""
    if window is None:
        age = build.age(truth)
        return lambda tick: age(tick) < np.inf
    first, last = build.ticks(window)
    age = build.age(build.delayed(truth, first))
    return lambda tick: age(tick) <= last - first
