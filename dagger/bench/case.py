"""A benchmark case: a measurement, with its settings and its target."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

Measure = Callable[[float], tuple[float, float]]  # seconds to spend -> (units done, seconds they took)


@dataclass(frozen=True)
class Case:
    """One measurement of a benchmark.

    Args:
        name: of the benchmark.
        unit: of its figure.
        target: figure to reach per core, None for none; less: whether a smaller figure is better.
        worlds: batch size, 0 if it has none.
        threads: number of threads it may use.
        make: sets up and returns the measurement; called late, so that one case's memory is freed before the next.
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
