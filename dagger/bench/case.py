"""A benchmark case: what is measured, how often it is repeated, and what it is held against."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

Measure = Callable[[float], tuple[float, float]]  # seconds to spend -> (units done, seconds they took)


@dataclass(frozen=True)
class Case:
    """One thing to measure.

    Args:
        name: of the benchmark.
        unit: of its figure.
        target: to reach per core, None for none; `less` when a smaller figure is better.
        worlds: batch size, 0 where there is none.
        threads: that it may use.
        make: sets up and returns the measurement; late, so that one case's memory is gone before the next.
        note: what is and is not counted.
    """

    name: str
    unit: str
    target: float | None
    worlds: int
    threads: int
    make: Callable[[], Measure]
    less: bool = False
    note: str = ""


def repeated(once: Callable[[], int], prepare: Callable[[], object] = lambda: None) -> Measure:
    """A measurement that calls `once` (at least once) until its time is up; `prepare` is not timed."""

    def measure(seconds: float) -> tuple[float, float]:
        done, took = 0, 0.0
        while done == 0 or took < seconds:
            prepare()
            began = time.perf_counter()
            done += once()
            took += time.perf_counter() - began
        return float(done), took

    return measure
