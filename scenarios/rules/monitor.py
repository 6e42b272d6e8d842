"""Online monitor of past-time conditions in batches of worlds, with a memory of a few numbers per world.

The semantics are those of `scenarios.rules.trace`. An unbounded operator stores one number and takes the same time at
every tick; a window that ends some time ago stores one number for every tick of that time, because what was true then
is needed later. Worlds may begin and end independently: a row of memory depends on its own past alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from scenarios.rules.ast import Formula, Name, Window
from scenarios.rules.numbers import Number
from scenarios.rules.trace import TICK, ticks_of
from scenarios.rules.variables import event_of
from scenarios.rules.visitors import reads
from sim.core.errors import did_you_mean, known_names

Values = Mapping[str, Any]


class Tick(NamedTuple):
    """One tick of S worlds: the variables' values, the memory before and after, and the truths computed so far."""

    values: Values
    before: np.ndarray
    after: np.ndarray
    known: dict[Formula, Any]


Part = Callable[[Tick], Any]  # -> truth or number (S,)


class Monitor:
    """Evaluates conditions tick by tick in many worlds.

    Args:
        trees: the conditions.
        tick: length of a tick [s].

    Raises:
        ValueError: for a window that no tick falls into.
    """

    def __init__(self, trees: Sequence[Formula], tick: float = TICK) -> None:
        self.tick = tick
        self.reads = reads(*trees)
        build = Builder(tick)
        self._parts = [build.formula(tree) for tree in trees]
        self._first = build.first
        self.width = len(self._first)

    def begin(self, n: int) -> np.ndarray:
        """The memory of n worlds before their first tick: float32 (n, width)."""
        return np.tile(np.array(self._first, np.float32), (n, 1))

    def step(self, values: Values, memory: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """Advance by one tick.

        Args:
            values: variable of `reads` -> (S,) at this tick.
            memory: float32 (S, width) from the tick before; it is not modified.

        Returns:
            The conditions' truths, bool (S,) each, and the new memory.

        Raises:
            ValueError: for a variable without values.
        """
        if lacking := next((v for v in self.reads if v not in values), None):
            told = f"no value for '{lacking}'; given are {known_names(values)}{did_you_mean(lacking, values)}"
            raise ValueError(told)
        tick = Tick(values, memory, memory.copy(), {})
        truths = (np.asarray(part(tick), bool) for part in self._parts)
        return tuple(np.broadcast_to(truth, len(memory)).copy() for truth in truths), tick.after


class Builder:
    """Turns trees into functions of one tick and lays out their memory; the nodes of a tree call it for their parts.

    Args:
        tick: length of a tick [s].
    """

    def __init__(self, tick: float) -> None:
        self.tick = tick
        self.first: list[float] = []  # the initial memory of a world, column by column
        self._known: dict[Formula, Part] = {}  # a part that two conditions share is evaluated once

    def formula(self, tree: Formula) -> Part:
        """The formula as a function of a tick; it is evaluated once a tick, however often it is asked for."""
        if tree not in self._known:
            part = tree.monitor(self)

            def once_a_tick(t: Tick) -> Any:
                if tree not in t.known:
                    t.known[tree] = part(t)
                return t.known[tree]

            self._known[tree] = once_a_tick
        return self._known[tree]

    def number(self, tree: Number) -> Part:
        """The number as a function of a tick."""
        return tree.monitor(self)

    def truth_of(self, name: str) -> Part:
        """The value of a truth; an event is true at the ticks at which its number rises."""
        if (number := event_of(name)) is None:
            return lambda t: np.asarray(t.values[name])
        return self._risen(lambda t: np.asarray(t.values[number]))

    def rising_edges(self, tree: Formula) -> Part:
        """How often a formula has become true; what is true at the start counts once."""
        if isinstance(tree, Name) and (number := event_of(tree.name)) is not None:
            return lambda t: np.asarray(t.values[number])
        rise = self._risen(self.formula(tree))
        total = self.column(0.0)

        def count(t: Tick) -> Any:
            t.after[:, total] = t.before[:, total] + rise(t)[:, None]
            return t.after[:, total][:, 0]

        return count

    # ----------------------------------------------------------------------------------- memory of the past
    def column(self, first: float, count: int = 1) -> slice:
        """Reserve memory for `count` numbers with the initial value `first`."""
        start = len(self.first)
        self.first.extend([first] * count)
        return slice(start, start + count)

    def ticks(self, window: Window) -> tuple[int, int]:
        """First and last age of a window in ticks; see `scenarios.rules.trace.ticks_of`."""
        return ticks_of(window, self.tick)

    def delayed(self, truth: Part, ticks: int) -> Part:
        """The truth so many ticks ago, false before the start; one number of memory for each of them."""
        if ticks == 0:
            return truth
        line = self.column(0.0, ticks)

        def holds(t: Tick) -> Any:
            kept = t.after[:, line]
            kept[:, 1:] = t.before[:, line][:, :-1]
            kept[:, 0] = truth(t)
            return t.before[:, line][:, -1] > 0

        return holds

    def age(self, truth: Part, runs: Part | None = None, start: float = np.inf) -> Part:
        """Ticks since `truth` last held; infinite where `runs` has been false since. One number of memory.

        Args:
            start: the age before the first tick: infinite where `truth` never held, 0 to count from the start.
        """
        at = self.column(start)

        def age(t: Tick) -> Any:
            older = t.before[:, at][:, 0] + np.float32(1)
            if runs is not None:
                older = np.where(runs(t), older, np.inf)
            t.after[:, at] = np.where(truth(t), 0, older)[:, None]
            return t.after[:, at][:, 0]

        return age

    def _risen(self, number: Part) -> Part:
        """Whether a number is greater than one tick ago, or than 0 at the start."""
        at = self.column(0.0)

        def holds(t: Tick) -> Any:
            t.after[:, at] = np.broadcast_to(number(t), len(t.before))[:, None]
            return (t.after[:, at] > t.before[:, at])[:, 0]

        return holds
