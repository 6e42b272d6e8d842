"""Probe controls for claims about a latent: random labels, pixels, and an untrained network.

A probe that learns random labels as well as true ones measures itself (selectivity: Hewitt and Liang 2019); a
formula that can be read from pixels or random weights as well was not learned.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.core.statistics import cluster_bootstrap


def random_labels(n: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """(n, k) bool: k random labellings of n episodes, each half true (n // 2), constant within an episode."""
    base = np.arange(n) < n // 2
    labels: np.ndarray = rng.permuted(np.tile(base[:, None], (1, k)), axis=0)
    return labels


def pixel_features(images: np.ndarray, components: int, cells: tuple[int, int] = (16, 24)) -> np.ndarray:
    """Principal components of the downscaled pictures, fitted without labels: the baseline without a network.

    Args:
        images: (n, H, W, 3) uint8 or float.
        components: their number (D); those beyond the span of n pictures are zero.
        cells: rows and columns to which a picture is averaged; H and W are cropped to whole cells.

    Returns:
        (n, components) float64.

    Raises:
        ValueError: for pictures of another shape, or smaller than the cells.
    """
    if images.ndim != 4 or images.shape[3] != 3 or images.shape[1] < cells[0] or images.shape[2] < cells[1]:
        raise ValueError(f"pictures have shape {images.shape}; wanted (n, H, W, 3) with at least {cells} pixels")
    rows, columns = images.shape[1] // cells[0], images.shape[2] // cells[1]
    cut = images[:, : rows * cells[0], : columns * cells[1]]
    small = cut.reshape(len(images), cells[0], rows, cells[1], columns, 3).mean((2, 4), dtype=np.float64)
    flat = small.reshape(len(images), -1)
    left, scale, right = np.linalg.svd(flat - flat.mean(0), full_matrices=False)
    kept = min(components, len(scale))
    # A component's sign is arbitrary; it is fixed here, independent of the linear algebra library.
    sign = np.sign(right[np.arange(kept), np.abs(right[:kept]).argmax(1)])
    features = np.zeros((len(images), components))
    features[:, :kept] = left[:, :kept] * scale[:kept] * sign
    return features


def gain(
    trained: np.ndarray,
    baselines: Sequence[np.ndarray],
    rng: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
) -> tuple[float, tuple[float, float]]:
    """Bits per episode that the trained network saves over the best baseline, with an episode-bootstrap interval.

    The best baseline is chosen anew in every resample, or the choice would bias the comparison.

    Args:
        trained: (n,) bits per episode; baselines: (n,) each, of the same episodes and formula (`rank_formulas` takes
            the same ones for a generator of the same seed).

    Returns:
        The saving (positive is good) and its lower and upper bound.

    Raises:
        ValueError: without a baseline, or for other episodes.
    """
    rows = [np.asarray(trained, float), *(np.asarray(bits, float) for bits in baselines)]
    if len(rows) < 2 or any(row.shape != rows[0].shape or row.ndim != 1 for row in rows):
        shapes = [row.shape for row in rows]
        raise ValueError(f"codes have shapes {shapes}; wanted the trained one and at least one baseline, (n,) each")
    table = np.stack(rows, 1)

    def saved(drawn: np.ndarray) -> float:
        means = drawn.mean(0)
        return float(means[1:].min() - means[0])

    return saved(table), cluster_bootstrap(table, saved, resamples, rng, level)
