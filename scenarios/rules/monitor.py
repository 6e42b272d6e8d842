"""Online monitor of past-time conditions in batches of worlds, with a memory of a few numbers per world.

The semantics are those of `scenarios.rules.trace`. An unbounded operator stores one number and takes the same time at
every tick; a window that ends some time ago stores one number for every tick of that time, because what was true then
is needed later. Worlds may begin and end independently: a row of memory depends on its own past alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

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
from scenarios.rules.trace import TICK, ticks_of
from scenarios.rules.visitors import reads
from sim.core.errors import did_you_mean, known_names

Values = Mapping[str, Any]


class _Tick(NamedTuple):
    """One tick of S worlds: the variables' values, the memory before and after, and the truths computed so far."""

    values: Values
    before: np.ndarray
    after: np.ndarray
    known: dict[Formula, Any]


Part = Callable[[_Tick], Any]  # -> truth or number (S,)


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
        self._first: list[float] = []  # the initial memory of a world, column by column
        self._known: dict[Formula, Part] = {}  # a part that two conditions share is evaluated once
        self._parts = [self._formula(tree) for tree in trees]
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
        tick = _Tick(values, memory, memory.copy(), {})
        truths = (np.asarray(part(tick), bool) for part in self._parts)
        return tuple(np.broadcast_to(truth, len(memory)).copy() for truth in truths), tick.after

    # ----------------------------------------------------------------------------------------- building
    def _column(self, first: float, count: int = 1) -> slice:
        """Reserve memory for `count` numbers with the initial value `first`."""
        start = len(self._first)
        self._first.extend([first] * count)
        return slice(start, start + count)

    def _formula(self, tree: Formula) -> Part:
        if tree not in self._known:
            part = self._build(tree)

            def once_a_tick(t: _Tick) -> Any:
                if tree not in t.known:
                    t.known[tree] = part(t)
                return t.known[tree]

            self._known[tree] = once_a_tick
        return self._known[tree]

    def _build(self, tree: Formula) -> Part:
        match tree:
            case Constant(value):
                return lambda t: np.bool_(value)
            case Not(operand):
                f = self._formula(operand)
                return lambda t: ~np.asarray(f(t))
            case Name(name) if name == JUNCTION:
                return self._risen(lambda t: np.asarray(t.values[JUNCTIONS]))
            case Name(name):
                return lambda t: np.asarray(t.values[name])
            case TextComparison(variable, sign, words):
                return lambda t: np.asarray(COMPARE[sign](np.asarray(t.values[variable]), words))
            case Comparison():
                return self._comparison(tree)
            case Previous(operand):
                return self._delayed(self._formula(operand), 1)
            case Once(operand, window):
                return self._once(self._formula(operand), window)
            case Historically(operand, window):
                f = self._formula(operand)
                sometimes = self._once(lambda t: ~np.asarray(f(t)), window)
                return lambda t: ~np.asarray(sometimes(t))
            case Since():
                return self._since(self._formula(tree.left), self._formula(tree.right), tree.window)
        left, right, join = self._formula(tree.left), self._formula(tree.right), BINARY[type(tree)]  # type: ignore
        return lambda t: join(np.asarray(left(t)), np.asarray(right(t)))

    def _comparison(self, tree: Comparison) -> Part:
        numbers = [self._number(n) for n in tree.numbers]

        def holds(t: _Tick) -> Any:
            found = [n(t) for n in numbers]
            return np.logical_and.reduce([
                np.broadcast_to(COMPARE[s](x, y), len(t.before)) for s, x, y in zip(tree.signs, found[:-1], found[1:])
            ])  # fmt: skip

        return holds

    def _number(self, tree: Number) -> Part:
        match tree.operation:
            case "literal" | "measure":
                return lambda t: tree.operands[-1]
            case "quantity":
                return lambda t: np.asarray(t.values[tree.operands[0]])
            case "count" if len(tree.operands) > 1:
                counted = [self._formula(o) for o in tree.operands]
                return lambda t: sum(np.asarray(f(t)).astype(np.int64) for f in counted)
            case "count":
                if tree.operands[0] == Name(JUNCTION):
                    return lambda t: np.asarray(t.values[JUNCTIONS])
                return self._rises(self._formula(tree.operands[0]))
        parts, operation = [self._number(o) for o in tree.operands], operation_of(tree)
        return lambda t: operation(*(part(t) for part in parts))

    # --------------------------------------------------------------------------- past-time operators
    def _risen(self, number: Part) -> Part:
        """Whether a number is greater than one tick ago, or than 0 at the start."""
        at = self._column(0.0)

        def holds(t: _Tick) -> Any:
            t.after[:, at] = np.broadcast_to(number(t), len(t.before))[:, None]
            return (t.after[:, at] > t.before[:, at])[:, 0]

        return holds

    def _rises(self, f: Part) -> Part:
        """How often `f` has become true."""
        rise, total = self._risen(f), self._column(0.0)

        def count(t: _Tick) -> Any:
            t.after[:, total] = t.before[:, total] + rise(t)[:, None]
            return t.after[:, total][:, 0]

        return count

    def _delayed(self, f: Part, ticks: int) -> Part:
        """The truth of `f` so many ticks ago, false before the start."""
        if ticks == 0:
            return f
        line = self._column(0.0, ticks)

        def holds(t: _Tick) -> Any:
            kept = t.after[:, line]
            kept[:, 1:] = t.before[:, line][:, :-1]
            kept[:, 0] = f(t)
            return t.before[:, line][:, -1] > 0

        return holds

    def _age(self, f: Part, runs: Part | None = None) -> Part:
        """Ticks since `f` last held; infinite where it never did, or where `runs` has been false since."""
        at = self._column(np.inf)

        def age(t: _Tick) -> Any:
            older = t.before[:, at][:, 0] + np.float32(1)
            if runs is not None:
                older = np.where(runs(t), older, np.inf)
            t.after[:, at] = np.where(f(t), 0, older)[:, None]
            return t.after[:, at][:, 0]

        return age

    def _once(self, f: Part, window: Window | None) -> Part:
        if window is None:
            age = self._age(f)
            return lambda t: age(t) < np.inf
        first, last = ticks_of(window, self.tick)
        age = self._age(self._delayed(f, first))
        return lambda t: age(t) <= last - first

    def _since(self, left: Part, right: Part, window: Window | None) -> Part:
        begun = self._age(right, left)
        if window is None:
            return lambda t: begun(t) < np.inf
        first, last = ticks_of(window, self.tick)
        recent = self._delayed(lambda t: begun(t) <= last - first, first)
        if first == 0:
            return recent
        broken = self._age(lambda t: ~np.asarray(left(t)))  # for so many ticks the left side has held
        return lambda t: np.asarray(recent(t)) & (broken(t) >= first)
