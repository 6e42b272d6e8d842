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

from scenarios.rules.ast import Formula, Name, Window
from scenarios.rules.numbers import Number
from scenarios.rules.variables import event_of
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
    return np.broadcast_to(Trace(values, shape, tick).truth(tree), shape).copy()


class Trace:
    """Evaluates trees over values in time; the nodes of a tree call it for their parts. All arrays broadcast to (B, T).

    Args:
        values: variable -> its values.
        shape: (B, T).
        tick: length of a tick [s].
    """

    def __init__(self, values: Mapping[str, Any], shape: tuple[int, ...], tick: float) -> None:
        self.values = values
        self.shape = shape
        self.tick = tick
        self.now = np.arange(shape[-1])  # the number of every tick

    def truth(self, tree: Formula) -> np.ndarray:
        """The truth of a formula at every tick."""
        return tree.trace(self)

    def whole(self, tree: Formula) -> np.ndarray:
        """The truth of a formula, broadcast to (B, T)."""
        return np.broadcast_to(tree.trace(self), self.shape)

    def number(self, tree: Number) -> Any:
        """The value of a number at every tick."""
        return tree.trace(self)

    def value(self, variable: str) -> np.ndarray:
        """The values of a variable.

        Raises:
            ValueError: for a variable that has none.
        """
        if variable not in self.values:
            told = (
                f"no values for '{variable}'; given are {known_names(self.values)}{did_you_mean(variable, self.values)}"
            )
            raise ValueError(told)
        return np.asarray(self.values[variable])

    def truth_of(self, name: str) -> np.ndarray:
        """The values of a truth; an event is true at the ticks at which its number rises."""
        if (number := event_of(name)) is None:
            return self.value(name)
        counted = np.broadcast_to(self.value(number), self.shape)
        return np.diff(counted, prepend=0, axis=-1) > 0

    def rising_edges(self, tree: Formula) -> np.ndarray:
        """How often a formula has become true; what is true at the start counts once."""
        if isinstance(tree, Name) and (number := event_of(tree.name)) is not None:
            return self.value(number)
        truth = self.whole(tree)
        return (truth & ~self.delayed(truth, 1)).cumsum(-1)

    def ticks(self, window: Window) -> tuple[int, int]:
        """First and last age of a window in ticks; see `ticks_of`."""
        return ticks_of(window, self.tick)

    def last(self, truth: np.ndarray) -> np.ndarray:
        """The last tick up to now at which `truth` held; far below 0 where there was none."""
        return np.maximum.accumulate(np.where(truth, self.now, _NEVER), -1)

    def delayed(self, truth: np.ndarray, ticks: int) -> np.ndarray:
        """The truth so many ticks ago; false before the start of the trace."""
        if ticks == 0:
            return truth
        late = np.zeros_like(truth)
        late[..., ticks:] = truth[..., :-ticks]
        return late
