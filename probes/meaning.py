"""`encodes`: which formula a latent explains best, and whether training has anything to do with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from policies.sites import Sited
from probes.asked import NotAsked, formula, place
from probes.controls import gain, pixel_features, random_labels
from probes.evidence import Level
from probes.mdl import FormulaScore, common_size, matched, online_codelength, rank_formulas
from probes.trace import STATIONS, Trace
from scenarios.rules.evaluate import evaluate_formula
from scenarios.rules.logic import equivalent, formulas_of_two
from scenarios.rules.syntax import Formula, Not
from scenarios.sample import valuation
from scenarios.spec import Scenario
from sim.config import Episode

FEWEST = 5  # episodes of its rarer class without which the true formula is not coded
RARE = 0.125  # share of its rarer class below which another formula is left out of the league: all are cut to one size
RANDOM_LABELLINGS = 20
MAP_BLOCKS = (0.12, 0.25, 0.5, 1.0)  # coarser than the league's: a map is 24 codes of 40 labellings each
PERMUTATIONS = 39  # for the map's threshold: the highest of 39 has a chance of 1 in 40 of being beaten


@dataclass(frozen=True)
class Readable:
    """Where the true formula can be read.

    Args:
        sites: in order; stations: [m].
        saved: (sites, stations) share of the uniform code that is saved, 1 is free, below 0 worse than guessing.
        threshold: what the largest cell of a map of permuted labels reaches in 1 of 40 draws.
    """

    sites: tuple[str, ...]
    stations: tuple[float, ...]
    saved: np.ndarray
    threshold: float


def site_asked(policy: Sited) -> str:
    """The site that `encodes` is asked of: the last recurrent one, or the encoder of a net without memory."""
    return policy.recurrent_sites[-1] if policy.recurrent_sites else next(iter(policy.sites))


def tables(scenario: Scenario, episodes: list[Episode]) -> dict[str, np.ndarray]:
    """Every formula of at most two propositions, and the true one, with its truth in every episode (n,).

    Left out is what is hardly ever true, or hardly ever false, in these episodes.

    Raises:
        NotAsked: where that holds of the true formula, or there is none.
    """
    values = [valuation(scenario, e) for e in episodes]
    columns = {n: np.array([v[n] for v in values], bool) for n in scenario.proposition_names}
    truth = formula(scenario)
    league = formulas_of_two(scenario.proposition_names)
    if not any(_same(f, truth) for f in league):
        league.append(truth)
    found = {str(f): evaluate_formula(f, columns) for f in league}
    own = name_of_truth(scenario)
    rarer = {name: int(min(table.sum(), (~table).sum())) for name, table in found.items()}
    if rarer[own] < FEWEST:
        raise NotAsked(
            f"'{own}' has {rarer[own]} of {len(episodes)} episodes in its rarer class, and {FEWEST} at least are "
            "wanted; trace more episodes (--probe.traced)"
        )
    return {name: table for name, table in found.items() if name == own or rarer[name] >= RARE * len(episodes)}


def _same(a: Formula, b: Formula) -> bool:
    return equivalent(a, b) or equivalent(Not(a), b)


def name_of_truth(scenario: Scenario) -> str:
    """How the league spells the true formula (or its negation, whose code is the same)."""
    truth = formula(scenario)
    for f in formulas_of_two(scenario.proposition_names):
        if _same(f, truth):
            return str(f)
    return str(truth)


def encodes(
    policy: Sited, scenario: Scenario, episodes: list[Episode], trace: Trace, seed: int, passenger: str = "untrained"
) -> tuple[Level, list[dict[str, Any]], dict[str, float]]:
    """Rank of the true formula, and the bits it saves over the best of the untrained net and bare pixels.

    Returns:
        The level, the league (rows of plain data, best first) and the compression of random labels.

    Raises:
        NotAsked: where there is no formula to be found, too few episodes tell it, or no place to ask for it.
    """
    site, station = site_asked(policy), trace.undecided_at
    if station is None:
        raise NotAsked(
            f"the drives show their decision before latents are read ({abs(STATIONS[0]):g} m before the "
            f"{place(scenario)} at the earliest)"
        )
    latents = trace.at(site, station)
    formulas = tables(scenario, episodes)
    truth = name_of_truth(scenario)
    other = next((s for s in trace.latents if s == f"{passenger}:{site}"), None)
    other = other or next(s for s in trace.latents if s.startswith(f"{passenger}:"))
    features = {
        "trained": latents,
        "untrained": trace.at(other, station),
        "pixels": pixel_features(trace.pictures[station], latents.shape[1]),
    }
    scores: dict[str, dict[str, FormulaScore]] = {
        who: {s.name: s for s in rank_formulas(x, formulas, np.random.default_rng([seed, 1]))}
        for who, x in features.items()
    }
    ranking = sorted(scores["trained"].values(), key=lambda s: s.bits)
    rank = 1 + [s.name for s in ranking].index(truth)
    rng = np.random.default_rng([seed, 2])
    saved, interval = gain(
        scores["trained"][truth].per_episode, [scores[w][truth].per_episode for w in ("untrained", "pixels")], rng
    )
    n = common_size(formulas)
    chance = online_codelength(latents[:n], random_labels(min(n, len(latents)), RANDOM_LABELLINGS, rng), rng)
    random = {
        "mean": float(1 - chance.bits.mean() / n),
        "high": float(1 - np.quantile(chance.bits, 0.05) / n),
        "labellings": RANDOM_LABELLINGS,
    }
    runner_up = next((s for s in ranking if s.name != truth), ranking[0])
    level = Level(
        value=saved,
        interval=interval,
        passed=bool(rank == 1 and interval[0] > 0),
        what=f"bits an episode that the true formula's code at {site!r} saves over the best baseline "
        f"({abs(station):g} m before the {place(scenario)}); it must also rank first",
        threshold=0.0,
        baselines={},
        details={
            "rank of the true formula": rank,
            "formulas": len(formulas),
            "best other formula": f"{runner_up.name} ({1 - runner_up.compression:+.3f} saved)",
            "true formula saves": 1 - scores["trained"][truth].compression,
            "untrained net saves": 1 - scores["untrained"][truth].compression,
            "pixels save": 1 - scores["pixels"][truth].compression,
            "random labels save": random["mean"],
            "episodes coded": n,
        },
    )
    league = [
        {
            "formula": s.name, "bits": s.bits, "episodes": s.n, "compression": 1 - s.compression,
            "accuracy": s.accuracy, "true": s.name == truth,
            "untrained": 1 - scores["untrained"][s.name].compression,
            "pixels": 1 - scores["pixels"][s.name].compression,
        }
        for s in ranking
    ]  # fmt: skip
    return level, league, random


def readable(policy: Sited, scenario: Scenario, episodes: list[Episode], trace: Trace, seed: int) -> Readable:
    """Code the true formula at every site and station, beside permutations of its labels across episodes."""
    labels = tables(scenario, episodes)[name_of_truth(scenario)]
    rng = np.random.default_rng([seed, 3])
    chosen = matched(labels, 2 * int(min(labels.sum(), (~labels).sum())), rng)
    y = labels[chosen][:, None]
    shuffled = rng.permuted(np.repeat(y, PERMUTATIONS, 1), axis=0)
    order = rng.permutation(len(chosen))
    sites = tuple(policy.sites)
    saved = np.zeros((len(sites), len(trace.stations)))
    chance = np.full(PERMUTATIONS, -np.inf)
    for i, site in enumerate(sites):
        for k in range(len(trace.stations)):
            coded = np.concatenate([y, shuffled], 1)
            code = online_codelength(trace.latents[site][chosen, k], coded, blocks=MAP_BLOCKS, order=order)
            share = 1 - code.bits / len(chosen)
            saved[i, k] = share[0]
            chance = np.maximum(chance, share[1:])
    return Readable(sites, tuple(float(s) for s in trace.stations), saved, float(chance.max()))
