"""Level `encodes`: ranks formulas by how well a latent predicts them (MDL probes), against an untrained network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from policies.sites import IntervenablePolicy
from probes.applicability import NotApplicable, formula, place, question, read_at_junction
from probes.controls import gain, pixel_features, random_labels
from probes.levels.base import Level, register
from probes.localization import held_map
from probes.mdl import FormulaScore, common_size, online_codelength, rank_formulas
from probes.ranking import Contest, contest, short_codes
from probes.results import LevelResult
from probes.study import Study
from probes.trace import DECISION_STATION, STATIONS, Trace, trace
from scenarios.rules.ast import Formula
from scenarios.rules.compile import evaluate_formula
from scenarios.rules.logic import equivalent, formulas_of_two
from scenarios.rules.operators.negation import Not
from scenarios.sampling.sample import valuation
from scenarios.scenario import Scenario
from sim.datatypes.episode import Episode

FEWEST = 5  # fewest episodes in the rarer class of the true formula
RARE = 0.125  # share of its rarer class below which another formula is left out: all codes get one common size
RANDOM_LABELLINGS = 20
LEVEL = 0.05  # error probability over all sites together, half of it per tail
EARLY = tuple(s for s in STATIONS if s <= DECISION_STATION)  # stations at which decisions other than an exit are probed
MOST_NAMED = 10_000  # larger numbers of episodes are reported as "more than"


def probed_site(policy: IntervenablePolicy) -> str:
    """The first site that `encodes` probes: the last recurrent one, or the encoder of a network without memory."""
    return policy.recurrent_sites[-1] if policy.recurrent_sites else next(iter(policy.sites))


def tables(scenario: Scenario, episodes: list[Episode]) -> dict[str, np.ndarray]:
    """Truth tables (n,) over the episodes of every formula of at most two propositions, and of the true one.

    Formulas that are rarely true, or rarely false, in these episodes are left out.

    Raises:
        NotApplicable: if the true formula is one of them, or there is none.
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
        raise NotApplicable(
            f"'{own}' has {rarer[own]} of {len(episodes)} episodes in its rarer class, and {FEWEST} at least are "
            "wanted; trace more episodes (--probe.traced)"
        )
    return {name: table for name, table in found.items() if name == own or rarer[name] >= RARE * len(episodes)}


def _same(a: Formula, b: Formula) -> bool:
    return equivalent(a, b) or equivalent(Not(a), b)


def name_of_truth(scenario: Scenario) -> str:
    """The text of the true formula among the ranked ones (or of its negation, whose code is the same)."""
    truth = formula(scenario)
    for f in formulas_of_two(scenario.proposition_names):
        if _same(f, truth):
            return str(f)
    return str(truth)


@dataclass(frozen=True)
class AtSite:
    """The result of `encodes` at one site.

    Args:
        site: of the policy.
        contest: the rank of the true formula among the others.
        saved, interval: bits per episode that it saves over the best baseline.
        size: episodes of the short codes in the contest.
    """

    site: str
    contest: Contest
    saved: float
    interval: tuple[float, float]
    size: int

    @property
    def passed(self) -> bool | None:
        """Whether the true formula ranks first and beats the baselines; None if its rank is undecided."""
        if self.interval[0] <= 0 or self.contest.verdict == "beaten":
            return False
        return True if self.contest.verdict == "first" else None

    def summary(self) -> str:
        """The result as text for a table."""
        place = {"first": "first", "beaten": "not first", "undecided": "first or not: undecided"}[self.contest.verdict]
        return f"{place}; {self.saved:+.2f} bits over the best baseline, from {self.interval[0]:+.2f}"


def probed_sites(policy: IntervenablePolicy) -> tuple[str, ...]:
    """All sites in the order of the report: `probed_site` first, then the others from the last to the first."""
    first = probed_site(policy)
    return (first, *(s for s in reversed(list(policy.sites)) if s != first))


def encodes(
    policy: IntervenablePolicy,
    scenario: Scenario,
    episodes: list[Episode],
    trace: Trace,
    seed: int,
    passenger: str = "untrained",
) -> tuple[LevelResult, list[dict[str, Any]], dict[str, float]]:
    """Test whether the true formula ranks first at some site, and the bits saved over untrained network and pixels.

    All sites are tested, each at an equal share of the error (Bonferroni). First rank is tested statistically
    (`probes.ranking`); if it can be neither claimed nor rejected, the level is undecided.

    Returns:
        The level, the ranking at its site (rows of plain data, best first), and the compression of random labels
        there.

    Raises:
        NotApplicable: if there is no formula to find, too few episodes, or no station before the decision shows.
    """
    station = trace.undecided_at
    if station is None:
        raise NotApplicable(
            f"the drives show their decision before latents are read ({abs(STATIONS[0]):g} m before the "
            f"{place(scenario)} at the earliest)"
        )
    formulas = tables(scenario, episodes)
    truth = name_of_truth(scenario)
    sites = probed_sites(policy)
    asked = _at_sites(sites, trace, station, formulas, truth, seed, passenger)
    best = next((a for wanted in (True, None) for a in asked if a.passed is wanted), asked[0])
    features = _features(trace, best.site, station, passenger)
    league = _league(features, formulas, best.contest, truth, seed)
    n = common_size(formulas)
    random = _random(features["trained"][:n], seed)
    own = next(row for row in league if row["true"])
    count = f" among {len(sites)} tested sites" if len(sites) > 1 else ""
    level = LevelResult(
        value=best.saved,
        interval=best.interval,
        passed=best.passed,
        what=f"bits an episode that the true formula's code at {best.site!r} saves over the best baseline "
        f"({abs(station):g} m before the {place(scenario)}{count}); it must also rank first",
        threshold=0.0,
        baselines={},
        details={
            "rank of the true formula": 1 + sorted(best.contest.bits, key=lambda f: best.contest.bits[f]).index(truth),
            "formulas": len(formulas),
            **_standing(best.contest, best.size),
            "true formula saves": own["compression"],
            "untrained net saves": own["untrained"],
            "pixels save": own["pixels"],
            "random labels save": random["mean"],
            "episodes coded": n,
            "at each site": {a.site: a.summary() for a in asked},
        },
        undecided="" if best.passed is not None else _undecided(best.contest, truth, len(episodes)),
    )
    return level, league, random


def _at_sites(
    sites: tuple[str, ...], trace: Trace, station: float, formulas: dict[str, np.ndarray], truth: str, seed: int,
    passenger: str,
) -> list[AtSite]:  # fmt: skip
    """Test the sites in order, up to the first one that passes."""
    asked: list[AtSite] = []
    for site in sites:
        features = _features(trace, site, station, passenger)
        # The gain is cheap, and a site without one cannot pass: only the first site is ranked anyway, for the report.
        saved, interval = _gain(features, formulas[truth], len(sites), seed)
        if interval[0] > 0 or not asked:
            codes, size = short_codes(features["trained"], formulas, truth, np.random.default_rng([seed, 1]))
            found = contest(codes, formulas, truth, np.random.default_rng([seed, 4]), LEVEL / 2 / len(sites))
            asked.append(AtSite(site, found, saved, interval, size))
        if asked[-1].passed:  # one is enough; the localization map covers the others
            break
    return asked


def _features(trace: Trace, site: str, station: float, passenger: str) -> dict[str, np.ndarray]:
    """Probe inputs: the latents, the untrained network's latents at the same site (or its first), and the pixels."""
    other = next((s for s in trace.latents if s == f"{passenger}:{site}"), None)
    other = other or next(s for s in trace.latents if s.startswith(f"{passenger}:"))
    latents = trace.at(site, station)
    return {
        "trained": latents,
        "untrained": trace.at(other, station),
        "pixels": pixel_features(trace.pictures[station], latents.shape[1]),
    }


def _gain(
    features: dict[str, np.ndarray], labels: np.ndarray, sites: int, seed: int
) -> tuple[float, tuple[float, float]]:
    """Bits per episode that the true formula saves over the best baseline, with an interval corrected for `sites`."""
    own = {"own": labels}
    rows = {w: rank_formulas(x, own, np.random.default_rng([seed, 1]))[0].per_episode for w, x in features.items()}
    baselines = [rows[w] for w in ("untrained", "pixels")]
    return gain(rows["trained"], baselines, np.random.default_rng([seed, 2]), level=1 - LEVEL / sites)


def _league(
    features: dict[str, np.ndarray], formulas: dict[str, np.ndarray], found: Contest, truth: str, seed: int
) -> list[dict[str, Any]]:
    """A row for each formula, best first: one long code of as many class-balanced episodes as possible."""
    scores: dict[str, dict[str, FormulaScore]] = {
        who: {s.name: s for s in rank_formulas(x, formulas, np.random.default_rng([seed, 1]))}
        for who, x in features.items()
    }
    rows = [
        {
            "formula": name, "bits": own.bits, "episodes": own.n, "compression": 1 - own.compression,
            "accuracy": own.accuracy, "true": name == truth, "short": found.bits[name],
            "untrained": 1 - scores["untrained"][name].compression, "pixels": 1 - scores["pixels"][name].compression,
        }
        for name, own in scores["trained"].items()
    ]  # fmt: skip
    return sorted(rows, key=lambda row: float(row["bits"]))


def _random(latents: np.ndarray, seed: int) -> dict[str, float]:
    """The compression of random labels from latents (n, D)."""
    rng, n = np.random.default_rng([seed, 5]), len(latents)
    chance = online_codelength(latents, random_labels(n, RANDOM_LABELLINGS, rng), rng)
    return {
        "mean": float(1 - chance.bits.mean() / n),
        "high": float(1 - np.quantile(chance.bits, 0.05) / n),
        "labellings": RANDOM_LABELLINGS,
    }


def _standing(found: Contest, size: int) -> dict[str, Any]:
    """The contest for the first rank, as report details."""
    low, high = found.interval
    words = {
        "first": "shorter than every other formula's",
        "beaten": f"longer than that of {found.rival}",
        "undecided": f"not told apart from that of {found.rival}",
    }
    return {
        f"the true formula's code of {size} episodes is": words[found.verdict],
        f"bits an episode ahead of {found.rival}": f"{found.ahead:+.3f}, from {low:+.3f} to {high:+.3f}",
        "chance of so clear a first place if it were none": f"{found.p_first:.3g}",
    }


def _undecided(found: Contest, truth: str, traced: int) -> str:
    """The message of an undecided level: the formulas not told apart, and the number of episodes that would decide."""
    wanted = found.episodes or traced
    many = f"about {wanted:,}" if wanted <= MOST_NAMED else f"more than {MOST_NAMED:,}"
    return (
        f"the codes of {truth!r} and {found.rival!r} cannot be told apart with {traced} episodes; {many} would decide "
        "it (--probe.traced)"
    )


def measure(study: Study) -> LevelResult:
    """Record latents at stations along the way, code every formula from them, and map what is encoded where."""
    # Set by twins, not drawn: propositions that always coincide in a scenario (a shortcut) must be separated here.
    question(study.scenario)
    crossing = study.crossing()
    settings = crossing.settings
    episodes = [
        crossing.under(study.first + 500_000 + i, settings[i % len(settings)]) for i in range(study.settings.traced)
    ]
    truth = name_of_truth(study.scenario)
    labels = tables(study.scenario, episodes)[truth]  # raises before any rollout
    study.context.progress.stage("encodes: reading latents", len(episodes))
    read = trace(
        study.policy, study.scenario, episodes, study.camera, study.context, {"untrained": study.untrained},
        pictured=(DECISION_STATION,) if read_at_junction(study.scenario) else EARLY,
    )  # fmt: skip
    study.context.progress.stage("encodes: coding every formula", 2)
    level, league, random = encodes(study.policy, study.scenario, episodes, read, study.seed)
    study.context.progress.advance(1)
    held = held_map(study.policy, study.scenario, episodes, read, labels, truth, study.seed)
    study.context.progress.advance(1)
    study.findings.league, study.findings.random, study.findings.held = league, random, held
    return replace(level, details=level.details | {"held": held.summary()})


ENCODES = register(Level("encodes", 3, "the network encodes the rule’s facts", (
    "Of all formulas about the world, is the expert's the one that the network's latents describe in the "
    "fewest bits, and better than an untrained network or the bare pixels allow? First place is tested "
    "over episodes; formulas that cannot be distinguished are undecided. (Latents are the activations "
    "that the network passes on from one layer, or one tick, to the next.)"
), measure))  # fmt: skip
