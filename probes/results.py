"""Result types of the scorecard's levels: a value, its confidence interval, and its baselines."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from sim.core.statistics import wilson_interval

NEEDED = 0.90  # lower bound of agreement that a level must reach
FALSE_FLIPS = 0.05  # largest share of twins that may flip where the rule does not
MARGIN = 0.15  # by which an interchange must exceed the best control
QUICK_SECONDS = 20.0  # time limit up to which a quick run takes all its episodes; of longer ones it takes fewer


def quick_share(time_limit: float) -> float:
    """The share of its usual episodes that a quick run takes of a scenario with this time limit [s]."""
    return min(1.0, QUICK_SECONDS / time_limit)


@dataclass(frozen=True)
class Proportion:
    """A share of n independent episodes, with its Wilson 95 % interval.

    The Wilson interval replaces an episode bootstrap: if all n episodes agree, a bootstrap interval has width zero,
    whatever n is.
    """

    value: float
    interval: tuple[float, float]
    n: int

    @classmethod
    def of(cls, hits: np.ndarray) -> Proportion:
        """The share of true entries of `hits` (n,) bool, or the mean of (n,) shares, one per episode."""
        n = len(hits)
        if not n:
            return cls(float("nan"), (0.0, 1.0), 0)
        value = float(np.mean(hits))
        return cls(value, wilson_interval(round(value * n), n), n)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"value": self.value, "interval": list(self.interval), "n": self.n}


@dataclass(frozen=True)
class LevelResult:
    """The result of one level of evidence.

    Args:
        value, interval: of the quantity that `what` describes.
        passed: None if not measured or undecided.
        threshold: the value that the lower bound must reach, if it is one number.
        baselines: name -> {"value", "interval"} of the same quantity.
        details: further measurements.
        not_applicable: the reason why the level does not apply to the scenario; "" if it does.
        undecided: what the evidence cannot decide, and how much evidence would; "" if decided.
    """

    value: float | None
    interval: tuple[float, float] | None
    passed: bool | None
    what: str
    threshold: float | None = None
    baselines: dict[str, dict[str, Any]] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    not_applicable: str = ""
    undecided: str = ""

    @classmethod
    def unasked(cls, reason: str) -> LevelResult:
        """Create the result of a level that does not apply: no value, and neither passed nor failed."""
        return cls(None, None, None, f"not asked: {reason}", not_applicable=reason)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; `not_applicable` and `undecided` only if not empty."""
        data = asdict(self)
        return {k: v for k, v in data.items() if v or k not in ("not_applicable", "undecided")}


def cell_name(names: tuple[str, ...], cell: tuple[bool, ...]) -> str:
    """A truth-table cell in words: "raining, not night"."""
    return ", ".join(name if value else f"not {name}" for name, value in zip(names, cell))
