"""`always p`: p held at every time up to now (historically, in temporal logic)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scenarios.rules.ast import Window
from scenarios.rules.operators.base import Past, Unary, operator
from scenarios.rules.operators.once import held_in, monitor_held_in

if TYPE_CHECKING:
    from scenarios.rules.monitor import Builder, Part
    from scenarios.rules.trace import Trace


@operator(
    "always",
    "p held at every tick up to now, or at all ticks of the window that there were",
    ("always weather.precipitation > 20", "at every tick up to now"),
    ("always[0s, 3s] ego.speed < 5 m/s", "at every tick of the last 3 s that there was"),
)
@dataclass(frozen=True)
class Historically(Unary, Past):
    """`always operand`: it held at every tick up to now, or at all existing ticks within the window."""

    window: Window | None = None

    def trace(self, over: Trace) -> np.ndarray:
        """Not once not."""
        return ~held_in(over, ~over.whole(self.operand), self.window)

    def monitor(self, build: Builder) -> Part:
        """Not once not, with the memory of once."""
        holds = build.formula(self.operand)
        failed = monitor_held_in(build, lambda tick: ~np.asarray(holds(tick)), self.window)
        return lambda tick: ~np.asarray(failed(tick))
