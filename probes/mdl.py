"""Minimum description length probing: online codelength of formulas given latents, and their ranking.

The labels are coded block by block for a receiver that has the features: the first block costs one bit per label, every
later block is coded by a linear probe trained on all blocks before (Voita and Titov 2020, section 2.2).  A probe that
needs many examples pays for them, which accuracy hides: this distinguishes AND from XOR in a network that knows both.

Formulas are compared on equal terms: the same order of episodes, equal numbers of true and false, the same number of
labels (`matched`), hence the same uniform code of n bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from probes.logistic import code_bits, fit_logistic

# Shares of the labels at which a block ends; the first is coded uniformly.
BLOCKS: tuple[float, ...] = (0.06, 0.1, 0.16, 0.25, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Code:
    """The online code of L labels over n episodes.

    Args:
        bits: (L,) total length; n bits is the length of the uniform code, without knowledge.
        per_episode: (n, L) bits by label, in the episodes' own order, not the coding order.
        accuracy: (L,) share of correct predictions, over the episodes after the first block.
    """

    bits: np.ndarray
    per_episode: np.ndarray
    accuracy: np.ndarray


@dataclass(frozen=True)
class FormulaScore:
    """The code length of one formula given the latent.

    Args:
        name: the formula.
        bits: of its online code; compression: bits / n, 1 for no knowledge.
        accuracy: of the online predictions after the first block.
        n: episodes coded, half of them true.
        episodes: (n,) their indices; per_episode: (n,) bits of each.
    """

    name: str
    bits: float
    compression: float
    accuracy: float
    n: int
    episodes: np.ndarray
    per_episode: np.ndarray


def _edges(n: int, blocks: Sequence[float]) -> np.ndarray:
    """The ends of blocks, as counts: strictly ascending, the last is n."""
    if not blocks or list(blocks) != sorted(set(blocks)) or blocks[0] <= 0 or blocks[-1] != 1.0:
        raise ValueError(f"blocks are {tuple(blocks)}; wanted ascending shares that end in 1.0")
    return np.unique(np.maximum(1, np.round(np.asarray(blocks) * n).astype(int)))


def online_codelength(
    x: np.ndarray,
    y: np.ndarray,
    rng: np.random.Generator | None = None,
    blocks: Sequence[float] = BLOCKS,
    order: np.ndarray | None = None,
    strength: float = 1.0,
) -> Code:
    """Compute the online codelength of L labels given the same features.

    Args:
        x: (n, D) one row per episode.
        y: (n, L) bool.
        rng: draws the order of the episodes (the same for every label), unless `order` (n,) is given.
        blocks: shares of n at which blocks end.
        strength: of the probe's penalty.

    Raises:
        ValueError: for shapes that do not fit, or neither `rng` nor `order`.
    """
    x, y = np.asarray(x, float), np.asarray(y, bool)
    n = len(x)
    if x.ndim != 2 or y.ndim != 2 or len(y) != n or n < 2:
        raise ValueError(f"features {x.shape} and labels {y.shape}; wanted (n, D) and (n, L) with n > 1")
    if order is None:
        if rng is None:
            raise ValueError("neither rng nor order was given; the order of the episodes must come from one of them")
        order = rng.permutation(n)
    if sorted(np.asarray(order).tolist()) != list(range(n)):
        raise ValueError(f"order is not a permutation of 0..{n - 1}")
    x, y = x[order], y[order]
    edges = _edges(n, blocks)
    bits = np.ones(y.shape)  # the first block: one bit a label
    right = np.zeros(y.shape, bool)
    for start, stop in pairwise(edges.tolist()):
        logits = fit_logistic(x[:start], y[:start], strength).logits(x[start:stop])
        bits[start:stop] = code_bits(logits, y[start:stop])
        right[start:stop] = (logits > 0) == y[start:stop]
    later = right[edges[0] :]
    accuracy = later.mean(0) if len(later) else np.full(y.shape[1], np.nan)
    per_episode = np.empty_like(bits)
    per_episode[order] = bits
    return Code(bits.sum(0), per_episode, accuracy)


def common_size(tables: Mapping[str, np.ndarray]) -> int:
    """The greatest even n such that every formula has n / 2 episodes of either class.

    Raises:
        ValueError: for a formula that is (nearly) constant, with its name, or tables of different lengths.
    """
    lengths = {len(table) for table in tables.values()}
    if len(lengths) != 1:
        raise ValueError(f"{len(tables)} formulas over {sorted(lengths)} episodes; wanted some, over one common number")
    fewest = {name: int(min(np.sum(table), np.sum(~np.asarray(table, bool)))) for name, table in tables.items()}
    name = min(fewest, key=lambda key: fewest[key])
    if fewest[name] < 2:
        raise ValueError(f"formula {name!r} has {fewest[name]} episodes of its rarer class; wanted at least 2")
    return 2 * fewest[name]


def matched(labels: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Indices (n,) of a random subsample with n / 2 true and n / 2 false labels, in random order.

    Args:
        labels: (N,) bool.
        n: even; see `common_size` for the greatest that fits all formulas.

    Raises:
        ValueError: if either class is too small.
    """
    labels = np.asarray(labels, bool)
    true, false = np.flatnonzero(labels), np.flatnonzero(~labels)
    if n % 2 or min(len(true), len(false)) < n // 2:
        raise ValueError(f"{len(true)} true and {len(false)} false labels; wanted at least {n / 2:g} of each")
    half = n // 2
    chosen = np.concatenate((rng.permutation(true)[:half], rng.permutation(false)[:half]))
    return rng.permutation(chosen)


def rank_formulas(
    x: np.ndarray,
    tables: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    blocks: Sequence[float] = BLOCKS,
    strength: float = 1.0,
) -> list[FormulaScore]:
    """Rank formulas by code length, shortest first, all on n bits of uniform code.

    One key per episode is drawn for all formulas: each takes its first n / 2 true and false ones by that key, so that
    formulas share as many episodes as possible. A formula and its negation get the same code.

    Args:
        x: (N, D) latents, one row per episode.
        tables: (N,) bool truth of every formula in every episode.

    Raises:
        ValueError: for a formula that is (nearly) constant, or tables of another length than x.
    """
    names = list(tables)
    size = common_size(tables)
    if len(x) != len(tables[names[0]]):
        raise ValueError(f"{len(x)} rows of latents for formulas over {len(tables[names[0]])} episodes; wanted as many")
    key = rng.permutation(len(x))
    order = rng.permutation(size)
    scores = []
    for name in names:
        labels = np.asarray(tables[name], bool)
        classes = (np.flatnonzero(labels), np.flatnonzero(~labels))
        chosen = np.concatenate([members[np.argsort(key[members])][: size // 2] for members in classes])
        chosen = chosen[np.argsort(key[chosen])]
        code = online_codelength(x[chosen], labels[chosen, None], order=order, blocks=blocks, strength=strength)
        bits = float(code.bits[0])
        scores.append(
            FormulaScore(name, bits, bits / size, float(code.accuracy[0]), size, chosen, code.per_episode[:, 0])
        )
    return sorted(scores, key=lambda score: score.bits)
