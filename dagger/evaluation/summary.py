"""The summary of a suite's rows: shares and means with intervals, twin consistency, and the printed tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dagger.console import table
from scenarios.suite import ALL
from sim.core.statistics import cluster_bootstrap, wilson_interval
from sim.metrics.episode import KINDS_HERE, per_km

OUTCOMES = ("arrived", "collision", "off_road", "timeout", "deviated")
SCORES = ("driving_score", "driving_score_2_1", "route_completion", "penalty", "penalty_2_1")
METRICS = ("progress", "duration", "lateral_acceleration", "jerk", "comfort", "efficiency")
RESAMPLES = 1000


@dataclass(frozen=True)
class EpisodeResult:
    """The figures of a row that a summary needs; few, so that ten thousand rows take little memory."""

    __slots__ = (
        "agrees",
        "error",
        "infractions",
        "metrics",
        "outcome",
        "repetition",
        "route_length",
        "scores",
        "seed",
        "shown_decision",
        "success",
        "twin",
        "wall",
        "wanted",
    )  # fmt: skip
    seed: int | None
    repetition: int
    twin: str | None
    outcome: str
    agrees: bool
    shown_decision: str | None
    wanted: str | None
    success: bool
    infractions: tuple[str, ...]
    route_length: float
    scores: tuple[float, ...]
    metrics: tuple[float, ...]
    wall: float
    error: str | None


def episode_result(row: Mapping[str, Any]) -> EpisodeResult:
    """The figures of a row; a missing score is 0, a missing metric nan."""
    scores, metrics = row.get("scores", {}), row.get("metrics", {})
    return EpisodeResult(
        row.get("seed"), row.get("repetition", 0), row.get("twin"), row["outcome"], bool(row.get("agrees")),
        row.get("shown_decision"), row.get("wanted"), bool(row.get("success")),
        tuple(kind for kind, n in row.get("infractions", {}).items() for _ in range(n)),
        row.get("route_length", 0.0), tuple(scores.get(name, 0.0) for name in SCORES),
        tuple(metrics.get(name, math.nan) for name in METRICS), row.get("wall", 0.0), row.get("error"),
    )  # fmt: skip


def score(row: EpisodeResult, name: str) -> float:
    """The score of this name, out of SCORES."""
    return row.scores[SCORES.index(name)]


def summary(scenario: str, split: str, rows: Sequence[EpisodeResult], twins: Sequence[str] = ()) -> dict[str, Any]:
    """Shares and means over all episodes; an episode that could not be driven disagrees and scores 0.

    Twins count in `twins` alone. Intervals are of 95 %, with the episode as the unit: Wilson's of shares, else a
    bootstrap over seeds, which draws a seed with all its repetitions.
    """
    own = [r for r in rows if r.twin is None]
    covered = sum(r.route_length * score(r, "route_completion") / 100.0 for r in own)
    made: dict[str, Any] = {
        "scenario": scenario, "split": split, "episodes": len(own),
        "agreement": _share([r.agrees for r in own]), "interval": _interval([r.agrees for r in own], own),
        **{name: _share([r.outcome == name for r in own]) for name in OUTCOMES},
        **{f"{name}_interval": _interval([r.outcome == name for r in own], own) for name in OUTCOMES},
        "success": _share([r.success for r in own]), "success_interval": _interval([r.success for r in own], own),
    }  # fmt: skip
    for name in SCORES:
        values = [score(r, name) for r in own]
        made[name], made[f"{name}_interval"] = _mean(values), _interval(values, own)
    for i, name in enumerate(METRICS):
        known = [r for r in own if math.isfinite(r.metrics[i])]
        values = [r.metrics[i] for r in known]
        made[name], made[f"{name}_interval"] = _mean(values), _interval(values, known)
    made["km"] = round(covered / 1000.0, 4)
    made["per_km"] = {
        kind: round(per_km(sum(r.infractions.count(kind) for r in own), covered), 4) for kind in KINDS_HERE
    }  # fmt: skip
    for name, outcomes in (("errors", ("error", "unreadable")), ("skipped", ("skipped",)), ("killed", ("killed",)),
                           ("hung", ("hung",))):  # fmt: skip
        made[name] = sum(r.outcome in outcomes for r in rows)
    made["twins"] = twin_consistency(rows, twins) if twins else None
    return made


def failures(made: Mapping[str, Any]) -> int:
    """The number of episodes of a summary, twins included, that could not be driven."""
    return sum(made[name] for name in ("errors", "skipped", "killed", "hung"))


def twin_consistency(rows: Iterable[EpisodeResult], propositions: Sequence[str]) -> dict[str, Any]:
    """Whether the decision flips between an episode and its twins exactly where the rule's does.

    A pair is consistent if both drives show a decision and these differ exactly if the rule's decisions do; a pair of
    which one was not driven, or shows none, is not consistent. With several propositions, an episode without a twin in
    one of them makes no pair, as it cannot flip alone there.

    Returns:
        Pairs, the share that is consistent with its interval; how many flipped and how many held, of those that should
        and of those that should not; with several propositions, the same for each.
    """
    pairs: dict[tuple[Any, int], dict[str | None, EpisodeResult]] = {}
    for row in rows:
        if row.twin is None or row.twin in propositions:
            pairs.setdefault((row.seed, row.repetition), {})[row.twin] = row
    counts = {name: _Pairs() for name in propositions}
    every = _Pairs()
    for pair in pairs.values():
        for name in propositions:
            if len(propositions) == 1 or name in pair:
                for tallied in (counts[name], every):
                    tallied.add(pair.get(None), pair.get(name), next(iter(pair.values())))
    single = len(propositions) == 1
    made = {"proposition": propositions[0] if single else ALL, **every.figures()}
    return made if single else made | {"each": {name: tallied.figures() for name, tallied in counts.items()}}


class _Pairs:
    """Counts over pairs of an episode and its twin."""

    def __init__(self) -> None:
        self.consistent: list[bool] = []
        self.first: list[EpisodeResult] = []
        self.flipped = {True: [0, 0], False: [0, 0]}  # should flip -> [did, of]
        self.held = [0, 0]

    def add(self, a: EpisodeResult | None, b: EpisodeResult | None, first: EpisodeResult) -> None:
        """Count a pair, of which one episode may be missing."""
        good = False
        if a is not None and b is not None and a.wanted is not None and b.wanted is not None:
            should, did = a.wanted != b.wanted, a.shown_decision != b.shown_decision
            both = a.shown_decision is not None and b.shown_decision is not None
            self.flipped[should][0] += int(both and did)
            self.flipped[should][1] += 1
            good = both and did == should
            if not should:
                self.held[0] += int(good)
                self.held[1] += 1
        self.consistent.append(good)
        self.first.append(first)

    def figures(self) -> dict[str, Any]:
        """The counts and shares as plain data."""
        return {
            "pairs": len(self.consistent), "consistent": _share(self.consistent),
            "interval": _interval(self.consistent, self.first),
            "flipped_where_it_should": self.flipped[True], "flipped_where_it_should_not": self.flipped[False],
            "held_where_it_should": self.held,
        }  # fmt: skip


def _share(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else 0.0


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _interval(values: Sequence[bool] | Sequence[float], rows: Sequence[EpisodeResult]) -> list[float] | None:
    """The 95 % interval of a mean over episodes; None if there are too few."""
    if not values:
        return None
    seeds = np.array([-1 if r.seed is None else r.seed for r in rows])
    repeated = len(set(seeds.tolist())) < len(seeds)
    if not repeated and all(isinstance(v, bool) for v in values):
        return list(wilson_interval(sum(bool(v) for v in values), len(values)))
    if len(set(seeds.tolist())) < 2:
        return None
    found = cluster_bootstrap(
        np.array(values, float), None, RESAMPLES, np.random.default_rng(0), episodes=seeds if repeated else None
    )
    return [round(bound, 4) for bound in found]


# ------------------------------------------------------------------------------------------------- the table
def as_table(summaries: Sequence[Mapping[str, Any]], driver: str) -> Any:
    """The printed table of agreement, outcomes and twins."""
    heads = ["scenario", "split", "episodes", "agrees with the rule [95 %]", "arrived", "collision", "off road",
             "timeout", "failed", "twins flip with the rule [95 %]"]  # fmt: skip
    rows = []
    for s in summaries:
        shares = [f"{s[k]:.2f}" for k in OUTCOMES if k != "deviated"]  # it is in the other table, with wrong turns
        twins = "–" if s["twins"] is None else _with(s["twins"]["consistent"], s["twins"]["interval"], 3)
        agreement = _with(s["agreement"], s["interval"], 3)
        rows.append([s["scenario"], s["split"], str(s["episodes"]), agreement, *shares, str(failures(s)), twins])
    return table(heads, rows, f"driver: {driver}", numbers=range(2, len(heads)))


def score_table(summaries: Sequence[Mapping[str, Any]]) -> Any:
    """The printed table of driving scores, comfort and infractions, as other benchmarks define them."""
    heads = ["scenario", "split", "driving score 2.0 [95 %]", "2.1", "route [%]", "success", "comfort",
             "efficiency [%]", "crashes/km", "deviations/km", "progress", "lateral [m/s²]"]  # fmt: skip
    rows = []
    for s in summaries:
        plain = [_plain(s[k]) for k in ("driving_score_2_1", "route_completion", "success", "comfort", "efficiency")]
        driving = _with(s["driving_score"], s["driving_score_interval"], 1)
        events = [f"{s['per_km'][kind]:.2f}" for kind in ("collisions_vehicle", "route_dev")]
        rest = [_plain(s[k]) for k in ("progress", "lateral_acceleration")]
        rows.append([s["scenario"], s["split"], driving, *plain, *events, *rest])
    return table(heads, rows, numbers=range(2, len(heads)))


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _with(value: float | None, bounds: Sequence[float] | None, digits: int) -> str:
    if value is None:
        return "–"
    shown = f"{value:.{digits}f}"
    return shown if bounds is None else f"{shown} [{bounds[0]:.{digits}f}, {bounds[1]:.{digits}f}]"
