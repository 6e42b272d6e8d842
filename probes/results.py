"""What every level of the scorecard is made of: a value, its interval, what it is held against."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from sim.core.statistics import wilson_interval

LEVELS: tuple[str, ...] = ("imitates", "generalises", "encodes", "uses", "recovered")
NEEDED = 0.90  # lower bound of what must agree
FALSE_FLIPS = 0.05  # most twins that may turn where the rule holds
MARGIN = 0.15  # how far above the best control an interchange must stand
QUICK_SECONDS = 20.0  # time limit up to which a quick look takes all its episodes; of longer ones it takes fewer


def quick_share(time_limit: float) -> float:
    """The share of its usual episodes that a quick look takes of a scenario with this time limit [s]."""
    return min(1.0, QUICK_SECONDS / time_limit)


@dataclass(frozen=True)
class Proportion:
    """A share of n independent episodes, with its Wilson 95 % interval.

    The Wilson interval stands where the design has an episode bootstrap: where all of n episodes agree, the
    bootstrap's interval has no width, whatever n is.
    """

    value: float
    interval: tuple[float, float]
    n: int

    @classmethod
    def of(cls, hits: np.ndarray) -> Proportion:
        """The share of true entries of `hits` (n,) bool, or the mean of (n,) shares, one an episode."""
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
    """One level of evidence.

    Args:
        value, interval: of the quantity that `what` describes.
        passed: None where it was not measured, or is undecided.
        threshold: that the lower bound must reach, if it is one number.
        baselines: name -> {"value", "interval"} in the same quantity.
        details: whatever else was measured.
        not_applicable: why the scenario cannot be asked this; "" where it was asked.
        undecided: what the evidence is too little to tell, and how much more would; "" where it tells.
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
        """A level that was not asked: no value, and neither passed nor failed."""
        return cls(None, None, None, f"not asked: {reason}", not_applicable=reason)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; `not_applicable` and `undecided` only where they say something."""
        data = asdict(self)
        return {k: v for k, v in data.items() if v or k not in ("not_applicable", "undecided")}


def cell_name(names: tuple[str, ...], cell: tuple[bool, ...]) -> str:
    """A truth-table cell in words: "raining, not night"."""
    return ", ".join(name if value else f"not {name}" for name, value in zip(names, cell))
