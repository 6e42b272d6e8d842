"""Past-time metric temporal logic: the truth of conditions at every tick of whole traces.

A tick is the smallest unit of time. A trace has T ticks, 0 being the start. At tick t, `once[a, b] p` holds where p
held at some tick from b to a seconds before; `always[a, b] p` where it held at all such ticks that exist: at the start,
where none exist, it holds. `p since[a, b] q` holds where q held at such a tick and p at every tick after it, t
included. Without a window any tick up to t counts. `previously p` is false at tick 0. These are the semantics of
rtamt's discrete-time monitor (but for its `prev`, which holds at tick 0). `count(p)` is how often p has become true, a
p that is true at the start counting once; `count(p, q)` how many of these hold now. Window ends that are not multiples
of a tick are rounded inwards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from scenarios.rules.ast import (
    JUNCTION,
    JUNCTIONS,
    Comparison,
    Constant,
    Formula,
    Historically,
    Name,
    Not,
    Once,
    Previous,
    Since,
    TextComparison,
    Window,
)
from scenarios.rules.compile import BINARY, COMPARE, operation_of
from scenarios.rules.numbers import Number
from sim.core.errors import did_you_mean, known_names
from sim.datatypes.simulation import Simulation

TICK = Simulation.tick  # [s]
_NEVER = -(2**62)  # a tick before all ticks


def ticks_of(window: Window, tick: float) -> tuple[int, int]:
    """First and last age of a window in ticks.

    Raises:
        ValueError: for a window that no tick falls into.
    """
    first, last = math.ceil(window.first / tick - 1e-6), math.floor(window.last / tick + 1e-6)
    if last < first:
        raise ValueError(f"no tick of {tick:g} s falls into the window {window}; wanted a multiple of a tick within")
    return first, last


def evaluate_trace(tree: Formula, values: Mapping[str, Any], tick: float = TICK) -> np.ndarray:
    """The truth of a condition at every tick of B traces.

    Args:
        values: variable -> (B, T), or anything that broadcasts with the others to that; `ego.junctions` for
            `count(junction)`. See `scenarios.rules.visitors.reads`.
        tick: length of a tick [s].

    Returns:
        bool (B, T).

    Raises:
        ValueError: for a variable that has no values, and for a window that no tick falls into.
    """
    shape = np.broadcast_shapes((1, 1), *(np.shape(v) for v in values.values()))
    return np.broadcast_to(_Trace(values, shape, tick).truth(tree), shape).copy()


class _Trace:
    """Evaluates trees over values in time; all arrays broadcast to (B, T)."""

    def __init__(self, values: Mapping[str, Any], shape: tuple[int, ...], tick: float) -> None:
        self.values = values
        self.shape = shape
        self.tick = tick
        self.now = np.arange(shape[-1])

    def value(self, variable: str) -> np.ndarray:
        if variable not in self.values:
            told = (
                f"no values for '{variable}'; given are {known_names(self.values)}{did_you_mean(variable, self.values)}"
            )
            raise ValueError(told)
        return np.asarray(self.values[variable])

    def number(self, tree: Number) -> Any:
        match tree.operation:
            case "literal" | "measure":
                return tree.operands[-1]
            case "quantity":
                return self.value(tree.operands[0])
            case "count" if len(tree.operands) > 1:
                return sum(self.truth(o).astype(np.int64) for o in tree.operands)
            case "count":
                if tree.operands[0] == Name(JUNCTION):
                    return self.value(JUNCTIONS)
                truth = self.whole(tree.operands[0])
                return (truth & ~_delayed(truth, 1)).cumsum(-1)
        return operation_of(tree)(*map(self.number, tree.operands))

    def whole(self, tree: Formula) -> np.ndarray:
        """The truth of a tree, broadcast to every tick."""
        return np.broadcast_to(self.truth(tree), self.shape)

    def truth(self, tree: Formula) -> np.ndarray:
        match tree:
            case Constant(value):
                return np.bool_(value)  # type: ignore[return-value]
            case Not(operand):
                return ~self.truth(operand)
            case Name(name) if name == JUNCTION:
                passed = np.broadcast_to(self.value(JUNCTIONS), self.shape)
                return np.diff(passed, prepend=0, axis=-1) > 0
            case Name(name):
                return self.value(name)
            case TextComparison(variable, sign, words):
                return np.asarray(COMPARE[sign](self.value(variable), words))
            case Comparison():
                numbers = [self.number(n) for n in tree.numbers]
                pairs = zip(tree.signs, numbers[:-1], numbers[1:])
                return np.logical_and.reduce([np.broadcast_to(COMPARE[s](a, b), self.shape) for s, a, b in pairs])
            case Previous(operand):
                return _delayed(self.whole(operand), 1)
            case Once(operand, window):
                return self.once(self.whole(operand), window)
            case Historically(operand, window):
                return ~self.once(~self.whole(operand), window)
            case Since():
                return self.since(self.whole(tree.left), self.whole(tree.right), tree.window)
        return BINARY[type(tree)](self.truth(tree.left), self.truth(tree.right))  # type: ignore[attr-defined]

    def once(self, truth: np.ndarray, window: Window | None) -> np.ndarray:
        if window is None:
            return np.logical_or.accumulate(truth, -1)
        first, last = ticks_of(window, self.tick)
        return self.now - self.last(_delayed(truth, first)) <= last - first

    def last(self, truth: np.ndarray) -> np.ndarray:
        """The last tick up to now at which `truth` held; _NEVER where there was none."""
        return np.maximum.accumulate(np.where(truth, self.now, _NEVER), -1)

    def since(self, left: np.ndarray, right: np.ndarray, window: Window | None) -> np.ndarray:
        began, broken = self.last(right), self.last(~left)
        if window is None:
            return (began >= broken) & (began >= 0)
        first, last = ticks_of(window, self.tick)
        recent = (began >= broken) & (self.now - began <= last - first)
        return _delayed(recent, first) & (self.now - np.maximum(broken, -1) >= first)


def _delayed(truth: np.ndarray, ticks: int) -> np.ndarray:
    """The truth so many ticks ago; false before the start of the trace."""
    if ticks == 0:
        return truth
    late = np.zeros_like(truth)
    late[..., ticks:] = truth[..., :-ticks]
    return late
