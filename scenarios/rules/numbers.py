"""Numbers in the rule language: literals, measures with units, variables, counts and arithmetic on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_INFIX: dict[str, tuple[str, int]] = {"add": ("+", 1), "subtract": ("-", 1), "multiply": ("*", 2), "divide": ("/", 2)}
_CALLS: dict[str, str] = {"least": "min", "most": "max", "count": "count"}


@dataclass(frozen=True)
class Number:
    """A number: a literal, a measure, a variable, a count, or an operation on others.

    Args:
        operation: "literal", "measure", "quantity", "count", "least", "most", "negative", "add", "subtract",
            "multiply" or "divide".
        operands: the value; the value as written, its unit and the value in the variable's own unit; the variable's
            name; the formulas that are counted (`scenarios.rules.ast.Formula`); or the operands.
    """

    operation: str
    operands: tuple[Any, ...]

    def __str__(self) -> str:
        if self.operation in _INFIX:
            sign, binding = _INFIX[self.operation]
            left, right = self.operands
            return f"{_brackets_of_number(left, binding)} {sign} {_brackets_of_number(right, binding + 1)}"
        if self.operation in _CALLS:
            return f"{_CALLS[self.operation]}({', '.join(map(str, self.operands))})"
        if self.operation == "negative":
            return f"-{_brackets_of_number(self.operands[0], 3)}"
        if self.operation == "measure":
            return f"{digits(self.operands[0])} {self.operands[1]}"
        return digits(self.operands[0]) if self.operation == "literal" else str(self.operands[0])

    def variables(self) -> tuple[str, ...]:
        """Names of the variables in it, in order of first mention, without those of counted formulas."""
        if self.operation == "quantity":
            return self.operands
        parts = [v for o in self.operands if isinstance(o, Number) for v in o.variables()]
        return tuple(dict.fromkeys(parts))

    def counts(self) -> Iterator[Number]:
        """The counts in it, left to right."""
        if self.operation == "count":
            yield self
        for operand in self.operands:
            if isinstance(operand, Number):
                yield from operand.counts()


def digits(value: float) -> str:
    """A number as text that is read back to the bit; whole numbers have no point."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _brackets_of_number(number: Number, least: int) -> str:
    binding = _INFIX[number.operation][1] if number.operation in _INFIX else 3
    return str(number) if binding >= least else f"({number})"
