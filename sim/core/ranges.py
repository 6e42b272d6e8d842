"""Ranges of settings: a field of a settings class declares the values that it may have, as part of its type.

    window: Annotated[int, Range(1)] = 64
    memory: Annotated[str, Known(MEMORIES)] = "gru"

`check_ranges` refuses all others when an object is made, and the command line's help shows them.
"""

from __future__ import annotations

import functools
import math
import typing
from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import Any

from sim.core.errors import did_you_mean, known_names


@dataclass(frozen=True)
class Range:
    """The values that a number may have.

    Args:
        low, high: the least and the greatest one.
        above: whether `low` itself is left out.
        below: whether `high` itself is left out.
    """

    low: float
    high: float = math.inf
    above: bool = False
    below: bool = False

    def __contains__(self, value: Any) -> bool:
        """Whether a value is allowed; NaN and infinities are not."""
        if not math.isfinite(value):
            return False
        return (value > self.low if self.above else value >= self.low) and (
            value < self.high if self.below else value <= self.high
        )

    def __str__(self) -> str:
        """In words: "1 to 4096", "at least 1", "more than 0 and at most 1"."""
        low, high = (f"{end:.15g}" for end in (self.low, self.high))
        if math.isinf(self.high):
            return f"more than {low}" if self.above else f"at least {low}"
        if not (self.above or self.below):
            return f"{low} to {high}"
        first, last = "more than" if self.above else "at least", "less than" if self.below else "at most"
        return f"{first} {low} and {last} {high}"


@dataclass(frozen=True, eq=False)
class Known:
    """The names that a setting may have: those of a registry, as it is when it is asked.

    Args:
        registry: a mapping or another collection of names.
    """

    registry: Collection[str]

    def __contains__(self, value: Any) -> bool:
        """Whether a name is known."""
        return value in self.registry

    def __str__(self) -> str:
        """In words: "one of gru, none"."""
        return f"one of {known_names(self.registry)}"


class OutOfRangeError(ValueError):
    """A setting is outside its range.

    Args:
        name: of the field; value: that it was given; allowed: in words.
    """

    def __init__(self, name: str, value: object, allowed: str) -> None:
        super().__init__(f"{name} is {value!r}; wanted {allowed}")
        self.name, self.value, self.allowed = name, value, allowed


def range_of(hint: Any) -> Range | Known | None:
    """The range, or the known names, that an annotated type declares."""
    return next((part for part in getattr(hint, "__metadata__", ()) if isinstance(part, (Range, Known))), None)


@functools.cache
def _ranges(cls: Hashable) -> dict[str, tuple[type, Range | Known]]:
    """Field -> its type and its range, of the fields of a class that declare one."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {name: (typing.get_args(hint)[0], found) for name, hint in hints.items() if (found := range_of(hint))}


def check_ranges(settings: Any) -> None:
    """Check every field of a dataclass that declares a range or known names.

    Raises:
        OutOfRangeError: naming the field, its value and what was wanted.
    """
    cls: Any = type(settings)
    for name, (kind, found) in _ranges(cls).items():
        value: Any = getattr(settings, name)
        kinds = (int, float) if kind is float else (kind,)
        if isinstance(value, bool) or not isinstance(value, kinds) or value not in found:
            raise refusal(name, value, found, kind)


def refusal(name: str, value: object, found: Range | Known, kind: type = str) -> OutOfRangeError:
    """The error for a value of a field that is not in a range, or not known.

    Args:
        kind: of numbers, int or float.
    """
    if isinstance(found, Known):
        return OutOfRangeError(name, value, f"{found}{did_you_mean(str(value), found.registry)}")
    return OutOfRangeError(name, value, f"{'a whole number' if kind is int else 'a number'} of {found}")
