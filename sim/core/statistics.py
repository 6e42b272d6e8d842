"""Confidence intervals and significance tests in which the episode is the unit.

Frames of one episode are near copies of each other: resampling frames gives a "95 %" interval that covers the truth
half of the time (tests/sim/core/test_statistics.py shows it).  So every function here resamples or permutes episodes.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np

Statistic = Callable[[np.ndarray], float]


def _level(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise ValueError(f"level is {level}; wanted a number between 0 and 1, such as 0.95")
    return level


def wilson_interval(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a proportion; valid also for 0 of n and n of n.

    Source: Wilson (1927), without continuity correction.

    Returns:
        Lowest and highest proportion that `successes` of `n` do not contradict; (0, 1) for n = 0.

    Raises:
        ValueError: unless 0 <= successes <= n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}; wanted a count between 0 and {n}")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + 0.5 * _level(level))
    share, spread = successes / n, z * z / n
    centre = (share + 0.5 * spread) / (1.0 + spread)
    half = z * (share * (1.0 - share) / n + spread / (4.0 * n)) ** 0.5 / (1.0 + spread)
    # The ends are exact in theory; rounding must not make 20 of 20 contradict a proportion of 1.
    return (0.0 if successes == 0 else centre - half), (1.0 if successes == n else centre + half)


def by_episode(values: np.ndarray, episodes: np.ndarray) -> np.ndarray:
    """Mean over the frames of each episode: from values (F, ...) and episode ids (F,) to (E, ...), ids ascending."""
    values, episodes = np.asarray(values, float), np.asarray(episodes)
    if values.shape[:1] != episodes.shape:
        raise ValueError(f"{values.shape[:1]} values for {episodes.shape} episode ids; wanted one id for each value")
    _, index, counts = np.unique(episodes, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), *values.shape[1:]))
    np.add.at(sums, index, values)
    means: np.ndarray = sums / counts.reshape(-1, *[1] * (values.ndim - 1))
    return means


def cluster_bootstrap(
    values: np.ndarray,
    statistic: Statistic | None,
    n: int,
    rng: np.random.Generator,
    level: float = 0.95,
    episodes: np.ndarray | None = None,
) -> tuple[float, float]:
    """Percentile bootstrap interval over whole episodes (Efron 1979).

    Args:
        values: (E, ...) one row per episode; or (F, ...) one row per frame when `episodes` is given.
        statistic: function of the rows drawn; None is the mean (and much faster).
        n: number of resamples, at least 100.
        episodes: (F,) id of each frame's episode; a drawn episode contributes all its frames.

    Raises:
        ValueError: for fewer than two episodes or too few resamples.
    """
    values = np.asarray(values, float)
    groups: list[np.ndarray] | None = None
    if episodes is not None:
        ids = np.asarray(episodes)
        if ids.shape != values.shape[:1]:
            raise ValueError(f"{values.shape[:1]} values for {ids.shape} episode ids; wanted one id for each value")
        groups = [np.flatnonzero(ids == one) for one in np.unique(ids)]
    units = len(values) if groups is None else len(groups)
    if units < 2 or n < 100:
        raise ValueError(f"a bootstrap of {units} episodes, {n} times; wanted at least 2 episodes and 100 times")
    draws = rng.integers(units, size=(n, units))
    if statistic is None and values.ndim == 1:
        sums = values if groups is None else np.array([values[rows].sum() for rows in groups])
        sizes = np.ones(units) if groups is None else np.array([len(rows) for rows in groups], float)
        results = sums[draws].sum(1) / sizes[draws].sum(1)
    else:
        measure: Statistic = (lambda rows: float(np.mean(rows))) if statistic is None else statistic
        picks = (draw if groups is None else np.concatenate([groups[i] for i in draw]) for draw in draws)
        results = np.array([measure(values[rows]) for rows in picks])
    tail = 0.5 * (1.0 - _level(level))
    low, high = np.quantile(results, (tail, 1.0 - tail))
    return float(low), float(high)


def max_t_permutation(
    statistic: Callable[[np.ndarray], np.ndarray], labels: np.ndarray, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """p-values over layers x time, corrected for their number (max-T, Westfall and Young 1993, single step).

    Each permutation permutes the labels across episodes, computes the statistic everywhere and records its maximum.
    The observed value at each place is compared with these maxima.

    Args:
        statistic: function from labels (E,) to an array of any shape (layers x time); greater means a stronger effect.
        labels: (E,) one per episode.
        n: number of permutations.

    Returns:
        The observed statistics, and p-values of the same shape, at least 1 / (n + 1).
    """
    observed = np.asarray(statistic(labels), float)
    best = np.array([np.max(statistic(rng.permutation(labels))) for _ in range(n)], float)
    beaten = (best.reshape(-1, *[1] * observed.ndim) >= observed).sum(0)
    return observed, (1.0 + beaten) / (n + 1.0)


def holm_bonferroni(pvalues: np.ndarray) -> np.ndarray:
    """p-values adjusted for their number (Holm 1979): reject where the result is at most the wanted error rate.

    Args:
        pvalues: (L,) in 0..1.
    """
    p = np.asarray(pvalues, float)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise ValueError(f"p-values are {pvalues}; wanted one row of numbers in 0..1")
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted
