"""Rank test: whether the true formula has the shortest code of all, paired over episodes.

A formula that is represented more clearly than another is learned from fewer episodes.  Once both are learned, their
codes are equally short; so a long code hardly distinguishes them, however many episodes there are.  Hence many *short*
codes, of random balanced subsets of the episodes, the same ones for all formulas as far as possible.  True and false
episodes alternate in them: a beginning that happens to be all true would lengthen the code of any formula.

A formula's code length is the mean over episodes, with equal weight of true and false ones.  Two formulas are compared
on the same episodes, and the null distribution comes from sign flips of whole episodes (a multiplier bootstrap, Wu
1986).  "The true formula is first" claims that it is shorter than *every* other one.  All of these must hold together,
so each is tested at the full level (an intersection-union test, Berger 1982).  "Some other formula is shorter" claims
*one* of many: its level is that of the largest difference (max-statistic).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from probes.mdl import common_size, online_codelength

SIZES = (24, 48, 96)  # episodes of a short code; the smallest from which a probe learns the true formula is used
TEACHES = 0.1  # share of the uniform code that it must then save
SHARES = (1 / 6, 0.25, 0.5, 1.0)  # of a code, at which its blocks end
# Weight of a uniform prediction mixed into every prediction. A probe trained on few episodes may be confident and
# wrong: without it a single label costs up to 100 bits, so that the worse a formula is coded, the harder it is to
# reject.
HEDGE = 0.05
COVERED = 8  # codes that each episode is part of, on average
# An episode also trains the probes that code the others, which sign flips of its own bits ignore. Measured on two
# formulas that are represented alike, 48 to 160 episodes: the spread over new draws is this multiple of the flips'.
SHARED = 1.5
LEVEL = 0.025  # significance level of a claim
FLIPS = 2000  # sign flips of the null distribution
POWER = 0.8  # probability with which the reported number of episodes would decide


@dataclass(frozen=True)
class Contest:
    """The result of the rank test of the true formula among the others.

    Args:
        verdict: "first", "beaten", or "undecided" if neither can be claimed.
        rival: the other formula that comes closest, or that is ahead by most.
        ahead: bits per episode by which the true formula's code is shorter than the rival's; negative: longer.
        interval: of `ahead`, at the contest's level.
        p_first, p_beaten: of the two claims, 1 / (FLIPS + 1) at least.
        episodes: about how many would decide an undecided contest with probability POWER; None if it is decided.
        bits: formula -> mean bits per episode over all codes.
    """

    verdict: str
    rival: str
    ahead: float
    interval: tuple[float, float]
    p_first: float
    p_beaten: float
    episodes: int | None
    bits: dict[str, float]


def short_codes(
    x: np.ndarray, tables: Mapping[str, np.ndarray], truth: str, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], int]:
    """Compute the bits per episode of each formula, as the mean over many short codes.

    Args:
        x: (N, D) latents, one row per episode.
        tables: (N,) bool truth of every formula in every episode.
        truth: the formula that determines how short the codes can be.

    Returns:
        Formula -> (N,) bits, nan where an episode was in none of the codes; and the number of episodes of a code.

    Raises:
        ValueError: for a formula that is (nearly) constant.
    """
    most = common_size(tables)
    sizes = [*(s for s in SIZES if s < most), most]
    for size in sizes:
        own = _coded(x, {truth: tables[truth]}, size, np.random.default_rng(rng.integers(2**32)))
        value, _ = _balanced(own[truth], np.asarray(tables[truth], bool))
        if value <= 1 - TEACHES:
            break
    return _coded(x, tables, size, rng), size


def _coded(
    x: np.ndarray, tables: Mapping[str, np.ndarray], size: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    sums = {name: np.zeros(len(x)) for name in tables}
    counts = {name: np.zeros(len(x)) for name in tables}
    order = np.arange(size)
    for _ in range(-(-COVERED * len(x) // size)):
        key = rng.permutation(len(x))
        for name, table in tables.items():
            labels = np.asarray(table, bool)
            classes = (np.flatnonzero(labels), np.flatnonzero(~labels))
            chosen = np.stack([members[np.argsort(key[members])][: size // 2] for members in classes], 1).ravel()
            code = online_codelength(x[chosen], labels[chosen, None], order=order, blocks=SHARES)
            sums[name][chosen] += -np.log2((1 - HEDGE) * np.exp2(-code.per_episode[:, 0]) + HEDGE / 2)
            counts[name][chosen] += 1
    return {n: np.where(counts[n] > 0, sums[n] / np.maximum(counts[n], 1), np.nan) for n in tables}


def _balanced(bits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean of bits (N,) with equal weight of both classes, and each episode's contribution to its error (N,)."""
    value, influence = 0.0, np.zeros(len(bits))
    for members in (labels, ~labels):
        coded = members & ~np.isnan(bits)
        mean = float(bits[coded].mean())
        value += 0.5 * mean
        influence[coded] = 0.5 * (bits[coded] - mean) / coded.sum()
    return value, influence


def contest(
    codes: Mapping[str, np.ndarray],
    tables: Mapping[str, np.ndarray],
    truth: str,
    rng: np.random.Generator,
    level: float = LEVEL,
) -> Contest:
    """Test whether `truth` has the shortest code.

    Args:
        codes: formula -> (N,) bits per episode, see `short_codes`; tables: formula -> (N,) bool.
        level: of each of the two claims.

    Raises:
        ValueError: without another formula, or if `truth` is not among them.
    """
    others = [name for name in codes if name != truth]
    if truth not in codes or not others:
        raise ValueError(f"a contest of {truth!r} among {list(codes)}; wanted it, and another formula at least")
    found = {name: _balanced(codes[name], np.asarray(tables[name], bool)) for name in codes}
    ahead = np.array([found[name][0] - found[truth][0] for name in others])
    terms = np.stack([found[name][1] - found[truth][1] for name in others], 1)
    terms *= SHARED
    error = np.maximum(np.sqrt((terms**2).sum(0)), 1e-12)
    signs = rng.choice(np.array([-1.0, 1.0]), size=(FLIPS, len(terms)))
    chance = signs @ terms / error  # (FLIPS, others)
    z = ahead / error
    p_first = float(((1 + (chance >= z).sum(0)) / (FLIPS + 1)).max())
    p_beaten = float((1 + (chance.max(1) >= -z.min()).sum()) / (FLIPS + 1))
    closest = int(z.argmin())
    reach = float(np.quantile(np.abs(chance[:, closest]), 1 - 2 * level)) * error[closest]
    verdict = "first" if p_first <= level else "beaten" if p_beaten <= level else "undecided"
    wanted = None
    if verdict == "undecided":
        needed = NormalDist().inv_cdf(1 - level) + NormalDist().inv_cdf(POWER)
        wanted = int(np.ceil(len(terms) * max(1.0, (needed / max(abs(z[closest]), 1e-3)) ** 2)))
    bits = {name: value for name, (value, _) in found.items()}
    gap = float(ahead[closest])
    return Contest(
        verdict, others[closest], gap, (gap - reach, gap + reach), p_first, p_beaten, wanted, bits
    )  # fmt: skip
