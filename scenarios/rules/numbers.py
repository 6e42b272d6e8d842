"""Numbers in the rule language: literals, measures with units, variables, counts and arithmetic on them.

A `Number` is a tree, and its `operation` is the name of an `Operation`. Literals, measures and variables are declared
here; the others in `scenarios.rules.operators`.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sim.core.errors import did_you_mean, known_names

if TYPE_CHECKING:
    from scenarios.rules.compile import Compiler
    from scenarios.rules.monitor import Builder, Part
    from scenarios.rules.trace import Trace

ATOM = 3  # binding of what never needs brackets within arithmetic
OPERATIONS: dict[str, Operation] = {}  # filled by this module and by the files of scenarios/rules/operators


@dataclass(frozen=True)
class Number:
    """A number: a literal, a measure, a variable, a count, or an operation on others.

    Args:
        operation: name of an `Operation`: "literal", "measure", "quantity", "count", "least", "most", "negative",
            "add", "subtract", "multiply", "divide".
        operands: the value; the value as written, its unit and the value in the variable's own unit; the variable's
            name; the formulas that are counted (`scenarios.rules.ast.Formula`); or the operands.
    """

    operation: str
    operands: tuple[Any, ...]

    def __str__(self) -> str:
        return operation_of(self).text(self)

    @property
    def binding(self) -> int:
        """How tightly the operation binds, see ATOM."""
        return operation_of(self).binding

    @property
    def temporal(self) -> bool:
        """Whether the node itself is about the past."""
        return operation_of(self).is_temporal(len(self.operands))

    @property
    def parts(self) -> tuple[Any, ...]:
        """The direct subtrees, left to right: numbers, or counted formulas."""
        return () if operation_of(self).leaf else self.operands

    def with_parts(self, parts: Sequence[Any]) -> Number:
        """The same operation on other subtrees."""
        return replace(self, operands=tuple(parts))

    @property
    def variable_read(self) -> str | None:
        """The name whose value the node itself reads; None for none."""
        return self.operands[0] if self.operation == "quantity" else None

    def compile(self, to: Compiler) -> Callable[[Any], Any]:
        """The number as a function of one situation.

        Raises:
            TypeError: for a count over time, which no single situation determines.
        """
        return operation_of(self).compile(self, to)

    def trace(self, over: Trace) -> Any:
        """Its value at every tick: anything that broadcasts to (B, T)."""
        return operation_of(self).trace(self, over)

    def monitor(self, build: Builder) -> Part:
        """The number as a function of one tick of S worlds; `build` reserves its memory."""
        return operation_of(self).monitor(self, build)

    def variables(self) -> tuple[str, ...]:
        """Names of the variables in it, in order of first mention, without those of counted formulas."""
        if self.operation == "quantity":
            return self.operands
        parts = [v for o in self.operands if isinstance(o, Number) for v in o.variables()]
        return tuple(dict.fromkeys(parts))

    def counts(self) -> Iterator[Number]:
        """The counts in it, left to right."""
        if operation_of(self).of_formulas:
            yield self
        for operand in self.operands:
            if isinstance(operand, Number):
                yield from operand.counts()


class Operation(ABC):
    """The meaning of an operation in one situation, over whole traces, and tick by tick."""

    name: str
    leaf: ClassVar[bool] = False  # whether its operands are no subtrees
    binding: int = ATOM
    of_formulas: bool = False  # whether its operands are formulas

    def is_temporal(self, operands: int) -> bool:
        """Whether the operation on so many operands is about the past."""
        return False

    @abstractmethod
    def text(self, number: Number) -> str:
        """A number of this operation as it is written."""

    @abstractmethod
    def compile(self, number: Number, to: Compiler) -> Callable[[Any], Any]:
        """See `Number.compile`."""

    @abstractmethod
    def trace(self, number: Number, over: Trace) -> Any:
        """See `Number.trace`."""

    @abstractmethod
    def monitor(self, number: Number, build: Builder) -> Part:
        """See `Number.monitor`."""


def add_operation(operation: Operation) -> None:
    """Add an operation to the registry under its name.

    Raises:
        ValueError: for a name that is taken.
    """
    if operation.name in OPERATIONS:
        raise ValueError(f"the operation '{operation.name}' is declared already; wanted another name")
    OPERATIONS[operation.name] = operation


def operation_of(number: Number) -> Operation:
    """The operation of a number.

    Raises:
        ValueError: for an unknown one, with the known names.
    """
    name = number.operation
    if name not in OPERATIONS:
        importlib.import_module("scenarios.rules.operators")  # which declares the others
    if name not in OPERATIONS:
        raise ValueError(
            f"unknown operation '{name}'; known are {known_names(OPERATIONS)}{did_you_mean(name, OPERATIONS)}"
        )
    return OPERATIONS[name]


class _Value(Operation):
    """A literal or a measure: its last operand is its value."""

    leaf = True

    def __init__(self, name: str) -> None:
        self.name = name

    def text(self, number: Number) -> str:
        return " ".join((digits(number.operands[0]), *number.operands[1:2]))

    def compile(self, number: Number, to: Compiler) -> Callable[[Any], Any]:
        value = number.operands[-1]
        return lambda situation: value

    def trace(self, number: Number, over: Trace) -> Any:
        return number.operands[-1]

    def monitor(self, number: Number, build: Builder) -> Part:
        value = number.operands[-1]
        return lambda tick: value


class _Quantity(Operation):
    """A variable, by its name."""

    name = "quantity"
    leaf = True

    def text(self, number: Number) -> str:
        return str(number.operands[0])

    def compile(self, number: Number, to: Compiler) -> Callable[[Any], Any]:
        return to.quantity(number)

    def trace(self, number: Number, over: Trace) -> Any:
        return over.value(number.operands[0])

    def monitor(self, number: Number, build: Builder) -> Part:
        variable = number.operands[0]
        return lambda tick: np.asarray(tick.values[variable])


for _operation in (_Value("literal"), _Value("measure"), _Quantity()):
    add_operation(_operation)


def digits(value: float) -> str:
    """A number as text that is read back to the bit; whole numbers have no point."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
