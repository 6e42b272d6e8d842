"""`throughout[a, b] p`: p held at every tick of a window that lies wholly after the start."""

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
    "throughout",
    "p held at every tick of the window; false while the window reaches back before the start, where `always` is true",
    ("throughout[0s, 3s] ego.speed < 0.5 m/s", "ego has stood for 3 s; false in the first 3 s"),
    ("throughout[1s, 3s] actors.van.present", "the van was there from 3 s to 1 s ago"),
    window_needed=True,
)
@dataclass(frozen=True)
class Throughout(Unary, Past):
    """`throughout[a, b] operand`: it held at every tick of the window, which lies wholly after the start.

    It says for how long something has lasted. `always` with the same window differs at the start only, where it ignores
    the ticks that there were not.
    """

    window: Window

    def trace(self, over: Trace) -> np.ndarray:
        """Whether the operand had held for the window's length when the window ended."""
        first, last = over.ticks(self.window)
        failed = np.maximum(over.last(~over.whole(self.operand)), -1)
        return over.delayed(over.now - failed > last - first, first)

    def monitor(self, build: Builder) -> Part:
        """One number of memory: ticks since the operand failed; and one for every tick until the window begins."""
        holds = build.formula(self.operand)
        first, last = build.ticks(self.window)
        held_for = build.age(lambda tick: ~np.asarray(holds(tick)), start=0.0)
        return build.delayed(lambda tick: held_for(tick) > last - first, first)
