"""Distributions of a scenario's numbers and words: constant, uniform range, or choice from a list.

In a file `6` is a constant, `[4, 8]` a uniform range and `{choice: [0, 70]}` a list with equal chances. A draw is a
function of one uniform number in [0, 1), so that a sampler draws all random numbers of an episode in one call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.core.errors import did_you_mean, known_names

DECIMALS = 4  # draws are rounded, so that float32 worlds and float64 files agree about thresholds
GRID = 5.0  # [m]; map parameters are drawn on this grid, so that compiled maps are shared between episodes

COLOURS: dict[str, int] = {
    "white": 0xE8E8E6, "silver": 0xB4B8BC, "grey": 0x6E7378, "black": 0x1E2022, "red": 0xB02020, "maroon": 0x6A1B22,
    "orange": 0xD2691E, "yellow": 0xD8B021, "green": 0x2E6B3C, "blue": 0x24509C, "navy": 0x1B2A4A, "brown": 0x5C4330,
    "beige": 0xC9BCA0, "teal": 0x1F6F73,
}  # fmt: skip


@dataclass(frozen=True)
class Distribution:
    """A probability distribution; `pick(u)` draws from it, with u uniform in [0, 1)."""

    def pick(self, u: float) -> Any:
        """The value for one uniform number."""
        raise TypeError(f"{type(self).__name__} cannot be drawn from; use Constant, Uniform or Choice")

    def pick_many(self, u: np.ndarray) -> np.ndarray:
        """The values for many uniform numbers (n,), the same as one by one."""
        return np.array([self.pick(x) for x in u.tolist()])

    @property
    def fixed(self) -> bool:
        """Whether only one value is possible."""
        return False

    @property
    def ends(self) -> tuple[Any, Any]:
        """The least and the greatest possible value."""
        return self.pick(0.0), self.pick(0.0)


@dataclass(frozen=True)
class Constant(Distribution):
    """Always `value`."""

    value: Any

    def pick(self, u: float) -> Any:
        """The value."""
        return self.value

    @property
    def fixed(self) -> bool:
        """True."""
        return True


@dataclass(frozen=True)
class Uniform(Distribution):
    """Any number from low to high."""

    low: float
    high: float

    def pick(self, u: float) -> float:
        """low + (high - low) u, rounded."""
        return round(self.low + (self.high - self.low) * u, DECIMALS)

    @property
    def ends(self) -> tuple[float, float]:
        """low and high."""
        return self.low, self.high


@dataclass(frozen=True)
class Choice(Distribution):
    """One of `options`, with equal chances."""

    options: tuple[Any, ...]

    def pick(self, u: float) -> Any:
        """The option that u falls on."""
        return self.options[int(u * len(self.options))]

    @property
    def fixed(self) -> bool:
        """Whether there is a single option."""
        return len(self.options) == 1

    @property
    def ends(self) -> tuple[Any, Any]:
        """The least and the greatest option."""
        return min(self.options), max(self.options)


def read_number(raw: Any, low: float, high: float) -> Distribution:
    """Read a number, `[a, b]` or `{choice: [...]}` whose values lie in [low, high].

    Raises:
        ValueError: one sentence with what was found and what is wanted.
    """
    wanted = f"wanted a number, a range [a, b] or {{choice: [...]}} within {low:g} to {high:g}"
    if isinstance(raw, dict):
        return Choice(tuple(_number(option, low, high, wanted) for option in _options(raw, wanted)))
    if isinstance(raw, (list, tuple)):
        if len(raw) != 2:
            raise ValueError(f"a range has two ends, found {len(raw)} in {list(raw)}; {wanted}")
        a, b = (_number(end, low, high, wanted) for end in raw)
        if a >= b:
            raise ValueError(f"the range [{a:g}, {b:g}] is empty or backwards; wanted the smaller end first")
        return Uniform(a, b)
    return Constant(_number(raw, low, high, wanted))


def read_grid(raw: Any, low: float, high: float) -> Distribution:
    """Read a map parameter: as `read_number`, but a range becomes the points a, a + 5 m, ... up to b.

    Raises:
        ValueError: also where a range is narrower than the grid.
    """
    draw = read_number(raw, low, high)
    if not isinstance(draw, Uniform):
        return draw
    if draw.high - draw.low < GRID:
        sentence = f"the range [{draw.low:g}, {draw.high:g}] is narrower than the {GRID:g} m grid of map parameters"
        raise ValueError(f"{sentence}; wanted a wider range or {{choice: [...]}}")
    return Choice(tuple(float(x) for x in np.arange(draw.low, draw.high + 1e-9, GRID)))


def read_count(raw: Any, low: int, high: int) -> Distribution:
    """Read a whole number, `[a, b]` (every whole number from a to b) or `{choice: [...]}` within low to high.

    Raises:
        ValueError: one sentence with what was found and what is wanted.
    """
    draw = read_number(raw, low, high)
    ends: tuple[Any, ...] = draw.ends if isinstance(draw, Uniform) else getattr(draw, "options", (draw.pick(0.0),))
    if odd := next((n for n in ends if n != int(n)), None):
        raise ValueError(f"{odd:g} is no whole number; wanted one from {low} to {high}, a range or {{choice: [...]}}")
    whole = tuple(int(n) for n in ends)
    if isinstance(draw, Uniform):
        return Choice(tuple(range(whole[0], whole[1] + 1)))
    return Choice(whole) if isinstance(draw, Choice) else Constant(whole[0])


def read_word(raw: Any, known: Sequence[str]) -> Distribution:
    """Read a word or `{choice: [...]}` out of the known words.

    Raises:
        ValueError: one sentence with what was found and the known words.
    """
    wanted = f"known are {known_names(known)}"
    options = _options(raw, wanted) if isinstance(raw, dict) else [raw]
    for option in options:
        if option not in known:
            raise ValueError(f"unknown word {option!r}; {wanted}{did_you_mean(str(option), known)}")
    return Choice(tuple(options)) if isinstance(raw, dict) else Constant(raw)


def read_text(raw: Any, check: Callable[[Any], str]) -> Distribution:
    """Read a text or `{choice: [...]}` of texts; `check` returns the final form of each, or raises ValueError.

    Raises:
        ValueError: with the message of `check`.
    """
    if isinstance(raw, dict):
        return Choice(tuple(check(option) for option in _options(raw, "wanted words or {choice: [...]}")))
    return Constant(check(raw))


def read_colour(raw: Any) -> Distribution:
    """Read a colour name or "#rrggbb", or a choice of them, as packed 0xRRGGBB.

    Raises:
        ValueError: one sentence with what was found and the known names.
    """
    wanted = f'"#rrggbb" in quotes, or one of {known_names(COLOURS)}'

    def colour(option: Any) -> int:
        if isinstance(option, str) and option in COLOURS:
            return COLOURS[option]
        if isinstance(option, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", option):
            return int(option[1:], 16)
        raise ValueError(f"unknown colour {option!r}; wanted {wanted}{did_you_mean(str(option), COLOURS)}")

    if isinstance(raw, dict):
        return Choice(tuple(colour(option) for option in _options(raw, f"wanted {wanted}")))
    return Constant(colour(raw))


def read_truth(raw: Any) -> Distribution:
    """Read true, false or `{choice: [true, false]}`.

    Raises:
        ValueError: one sentence with what was found.
    """
    wanted = "wanted true, false, {choice: [true, false]} or a formula over propositions"
    options = _options(raw, wanted) if isinstance(raw, dict) else [raw]
    for option in options:
        if not isinstance(option, bool):
            raise ValueError(f"{option!r} is neither true nor false; {wanted}")
    return Choice(tuple(options)) if isinstance(raw, dict) else Constant(raw)


def _options(raw: dict[Any, Any], wanted: str) -> list[Any]:
    if set(raw) != {"choice"}:
        raise ValueError(f"unknown key {next((k for k in raw if k != 'choice'), None)!r}; known is choice; {wanted}")
    if not isinstance(raw["choice"], list) or not raw["choice"]:
        raise ValueError(f"choice holds {raw['choice']!r}; wanted a list with at least one entry")
    return raw["choice"]


def _number(raw: Any, low: float, high: float, wanted: str) -> float:
    if isinstance(raw, bool) or not isinstance(raw, (int, float)):
        raise ValueError(f"{raw!r} is no number; {wanted}")
    if not low <= raw <= high:  # refuses nan as well
        raise ValueError(f"{raw} is out of bounds; {wanted}")
    return round(float(raw), DECIMALS)
