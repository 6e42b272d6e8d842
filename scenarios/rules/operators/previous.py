"""`previously p`: p held one tick ago."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scenarios.rules.operators.base import Past, Unary, operator

if TYPE_CHECKING:
    from scenarios.rules.monitor import Builder, Part
    from scenarios.rules.trace import Trace


@operator(
    "previously",
    "p held one tick ago; false at the first tick",
    ("previously actors.van.present", "one tick, .1 s, ago; false at the start"),
)
class Previous(Unary, Past):
    """`previously operand`: it held one tick ago; false at the first tick."""

    def trace(self, over: Trace) -> np.ndarray:
        """The operand, one tick later."""
        return over.delayed(over.whole(self.operand), 1)

    def monitor(self, build: Builder) -> Part:
        """One number of memory: the operand's truth."""
        return build.delayed(build.formula(self.operand), 1)
