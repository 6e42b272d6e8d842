"""Slow textbook twins of the probes' statistics: loops, closed definitions, no cleverness."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np


def wilson(successes: int, n: int, z: float) -> tuple[float, float]:
    """By its definition: the p at which |successes/n - p| = z * sqrt(p (1 - p) / n), found by bisection."""

    def excess(p: float) -> float:
        return abs(successes / n - p) - z * math.sqrt(p * (1 - p) / n)

    ends = []
    for outside in (0.0, 1.0):
        inside = successes / n
        for _ in range(200):
            middle = 0.5 * (inside + outside)
            if excess(middle) > 0:
                outside = middle
            else:
                inside = middle
        ends.append(inside)
    return ends[0], ends[1]


def bootstrap_mean(values: list[list[float]], n: int, rng: np.random.Generator, level: float) -> tuple[float, float]:
    """Resample whole episodes (lists of frames), one at a time; the mean over all frames drawn."""
    draws = rng.integers(len(values), size=(n, len(values)))
    means = sorted(float(np.mean([frame for i in draw for frame in values[i]])) for draw in draws)
    return _quantile(means, 0.5 * (1 - level)), _quantile(means, 0.5 * (1 + level))


def _quantile(ascending: list[float], share: float) -> float:
    place = share * (len(ascending) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ascending) - 1)
    return ascending[low] + (place - low) * (ascending[high] - ascending[low])


def holm(pvalues: list[float]) -> list[float]:
    """Adjusted p of each: the greatest of (m - rank) * p over all p-values not above it, at most 1."""
    m = len(pvalues)
    ranked = sorted(range(m), key=lambda i: pvalues[i])
    adjusted = [0.0] * m
    for place, i in enumerate(ranked):
        adjusted[i] = min(1.0, max((m - rank) * pvalues[ranked[rank]] for rank in range(place + 1)))
    return adjusted


def permutation_max(
    statistic: Callable[[np.ndarray], np.ndarray], permutations: list[np.ndarray], observed: np.ndarray
) -> np.ndarray:
    """p of every place: how often the best anywhere reaches it, the observed labelling counted in."""
    p = np.ones(observed.shape)
    for labels in permutations:
        best = max(float(v) for v in statistic(labels).ravel())
        for place in np.ndindex(observed.shape):
            p[place] += best >= observed[place]
    return p / (len(permutations) + 1)


def code_bits(probability: float, label: bool) -> float:
    """Bits that a label costs."""
    return -math.log2(probability if label else 1.0 - probability)
