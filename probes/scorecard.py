"""The scorecard: five levels of evidence about one policy, reported separately and never as one number.

imitates     decides as the rule in every cell of the training split
generalises  also in held-out combinations, and flips on twins exactly where the rule does
encodes      a latent predicts the rule better than any other formula, and better than without training
uses         swapping one premise's latent changes the decision as the rule says
recovered    interventions on the world give a complete truth table, equivalent to the rule

A level that does not apply to a scenario (`probes.applicability`) is neither passed nor failed: it reports the reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from policies.base import Policy
from policies.evaluate import EvaluationResult, evaluate
from policies.learner import Learner, LearnerSettings, build, untrained_twin
from policies.sites import IntervenablePolicy
from probes.applicability import (
    FactorialDesign,
    NotApplicable,
    control,
    factorial_design,
    place,
    question,
    read_at_junction,
)
from probes.baselines import NearestNeighbour, best_single_proposition
from probes.effects import used_map
from probes.interventions import Factorial
from probes.levels.behaviour import (
    agreement,
    by_cells,
    generalises,
    imitates,
    table_rows,
    test_split,
    train_split,
    truth_table_of,
    twin_episodes,
    twins_of,
)
from probes.levels.encodes import encodes, name_of_truth, tables
from probes.levels.uses import Question, Swaps, study, uses
from probes.localization import Held, held_map
from probes.results import LEVELS, QUICK_SECONDS, LevelResult, quick_share
from probes.rule_recovery import Recovered
from probes.trace import DECISION_STATION, STATIONS, trace
from probes.twin_recording import record_twins as _record
from scenarios.sampling.sample import cells
from scenarios.scenario import Scenario
from sim.core.progress import NoProgress, Progress
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode

# First seed of the scorecard's draws; those of training are far below (dagger.training.trainer).
SEEDS = 2_000_000
MOST_SET = 4  # propositions that a full factorial sets, unless the rule has more: 16 twins of every draw
EARLY = tuple(s for s in STATIONS if s <= DECISION_STATION)  # stations at which decisions other than an exit are probed


@dataclass(frozen=True)
class ProbeSettings:
    """Settings of the scorecard: the numbers of episodes, draws and pairs per level.

    Args:
        per_cell: closed-loop episodes in every truth-table cell, for `imitates` and `generalises`.
        baseline_per_cell: the same for each baseline.
        draws: base draws of the full factorial of twins.
        traced: episodes whose latents are recorded.
        fitted: draws for fitting subspaces.
        pairs: interchanges of each kind (flip, keep) for each premise.
        remembered: frames of the nearest-neighbour baseline.
        worlds: number of worlds at once.
    """

    per_cell: int = 160
    baseline_per_cell: int = 32
    draws: int = 48
    traced: int = 320
    fitted: int = 24
    pairs: int = 96
    remembered: int = 6000
    worlds: int = 128

    @classmethod
    def quick(cls, time_limit: float = QUICK_SECONDS) -> ProbeSettings:
        """The least settings with which every level can pass; even less for long episodes, so that it ends in minutes.

        Args:
            time_limit: of an episode [s]; the numbers are reduced only above QUICK_SECONDS.
        """
        few = cls(per_cell=36, baseline_per_cell=6, draws=12, traced=96, fitted=6, pairs=36, remembered=2000)
        share = quick_share(time_limit)
        least = {"per_cell": 8, "baseline_per_cell": 3, "draws": 4, "traced": 64, "fitted": 4, "pairs": 8}
        return replace(few, **{k: max(n, round(share * vars(few)[k])) for k, n in least.items()})


class Shown(Protocol):
    """The part of a demonstration that the baselines need (`dagger.training.demonstrations.Demonstration`)."""

    episode: Episode
    moving: dict[str, np.ndarray]
    ticks: dict[str, np.ndarray]


Draw = Callable[[Sequence[Shown], int], tuple[np.ndarray, ...]]


class Scoring:
    """The scoring of one policy: shared state of all levels.

    Args:
        policy: with sites; a learner, or a planted model.
        scenario: the source of the rule.
        settings: the amount of evidence.
        camera: of the policy.
        untrained: the untrained twin; by default built from the policy's own settings if it is a learner.
        frames: data of the nearest-neighbour baseline: camera, speed, steer, acceleration (n, ...), or None.
        seed: of all draws; threads: of the worlds; search: folders of OpenDRIVE files.
        progress: receives every stage.
    """

    def __init__(
        self,
        policy: IntervenablePolicy,
        scenario: Scenario,
        settings: ProbeSettings,
        camera: Camera,
        untrained: IntervenablePolicy | None = None,
        frames: tuple[np.ndarray, ...] | None = None,
        seed: int = 0,
        threads: int = 2,
        search: tuple[Path, ...] = (),
        progress: Progress | None = None,
    ) -> None:
        self.policy, self.scenario, self.settings, self.camera = policy, scenario, settings, camera
        if untrained is None:
            untrained = (
                untrained_twin(policy, seed + 1)
                if isinstance(policy, Learner)
                else build(LearnerSettings(image=(camera.height, camera.width)), seed + 1)
            )
        self.untrained, self.frames = untrained, frames
        self.seed, self.threads, self.search = seed, threads, search
        self.progress = progress or NoProgress()
        self.durations: dict[str, float] = {}
        self._studied: dict[str, Factorial] = {}
        self._first = seed * 10_000_000 + SEEDS

    def card(self, checkpoint: str) -> dict[str, Any]:
        """Compute the whole scorecard as plain data."""
        levels: dict[str, LevelResult] = {}
        levels["imitates"] = self._timed("imitates", self._imitates)
        levels["generalises"], found, levels["recovered"] = self._timed("generalises", self._generalises)
        levels["encodes"], league, random, where = self._timed("encodes", self._encodes)
        levels["uses"], swaps, used = self._timed("uses", lambda: self._uses(where))
        recovered: dict[str, Any] = {
            "recovered_rule": None, "forms": {}, "equivalent": None, "truth_table": {},
        } if found is None else {
            "recovered_rule": None if found.rule is None else str(found.rule),
            "forms": {"sop": found.sop, "anf": found.anf},
            "equivalent": found.same_as(self.scenario.rule),
            "truth_table": {"names": list(found.propositions), "rows": table_rows(self.scenario, found)},
        }  # fmt: skip
        return {
            "scenario": self.scenario.name,
            "rule": str(self.scenario.rule),
            "checkpoint": checkpoint,
            "verdict": [name for name in LEVELS if levels[name].passed],
            "levels": {name: levels[name].to_dict() for name in LEVELS},
            "recovered_rule": recovered["recovered_rule"],
            "forms": recovered["forms"],
            "equivalent": recovered["equivalent"],
            "fused": None if swaps is None else swaps.fused,
            "swapped_at": {} if swaps is None else {p: list(sites) for p, sites in swaps.places.items()},
            "truth_table": recovered["truth_table"],
            "league": league,
            "random_compression": random,
            "maps": {
                "sites": list(self.policy.sites), "stations": list(STATIONS),
                "readable": None if where is None else where.conclusion.tolist(),
                "readable_threshold": None if where is None else where.threshold,
                "held": None if where is None else where.to_dict(),
                "used": used[1], "proposition": used[0], "control": control(self.scenario),
            },
            "question": self._question(), "place": place(self.scenario),
            "interchange": [] if swaps is None else [s.to_dict() for s in swaps.all],
            "settings": asdict(self.settings),
            "seed": self.seed,
            "durations": {k: round(v, 1) for k, v in self.durations.items()},
        }  # fmt: skip

    def _timed(self, name: str, work: Callable[[], Any]) -> Any:
        begun = time.perf_counter()
        result = work()
        self.durations[name] = time.perf_counter() - begun
        return result

    def _drive(self, policy: Policy, episodes: list[Episode], what: str) -> EvaluationResult:
        self.progress.stage(what, len(episodes))
        return evaluate(
            policy, self.scenario, episodes, self.camera, self.settings.worlds, self.threads, self.search,
            on_done=self.progress.advance,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------- the levels
    def _baselines(self, split: str, first_seed: int) -> dict[str, dict[str, Any]]:
        """Untrained network, nearest neighbour and best single proposition in the worst cell of a split."""
        episodes = by_cells(self.scenario, split, self.settings.baseline_per_cell, first_seed)
        found: dict[str, dict[str, Any]] = {}
        others: dict[str, Policy] = {"untrained": self.untrained}
        if self.frames is not None:
            others["nearest neighbour"] = NearestNeighbour(*self.frames)
        for name, policy in others.items():
            tally = self._drive(policy, episodes, f"{split} split: {name}")
            _, share = agreement(self.scenario, tally).worst
            found[name] = {"value": share.value, "interval": list(share.interval)}
        if (best := best_single_proposition(self.scenario, cells(self.scenario, split))) is not None:
            found["best other single proposition"] = best
        return found

    def _crossing(self) -> FactorialDesign:
        """The factorial design: the rule's propositions, and others up to MOST_SET."""
        return factorial_design(self.scenario, MOST_SET)

    def _question(self) -> str | None:
        try:
            return question(self.scenario)
        except NotApplicable:
            return None

    def _imitates(self) -> LevelResult:
        split = train_split(self.scenario)
        episodes = by_cells(self.scenario, split, self.settings.per_cell, self._first)
        tally = self._drive(self.policy, episodes, "imitates: driving the training split")
        return imitates(self.scenario, tally, self._baselines(split, self._first + 100_000))

    def _generalises(self) -> tuple[LevelResult, Recovered | None, LevelResult]:
        """The level, the rule recovered from twins, and the level `recovered`."""
        try:
            crossing = self._crossing()
            groups = twin_episodes(crossing, self.settings.draws, self._first + 300_000)
        except NotApplicable as reason:
            return LevelResult.unasked(str(reason)), None, LevelResult.unasked(str(reason))
        split = test_split(self.scenario)
        episodes = by_cells(self.scenario, split, self.settings.per_cell, self._first + 200_000)
        tally = self._drive(self.policy, episodes, "generalises: driving the test split")
        flat = [e for group in groups for e in group]
        twins = twins_of(crossing, self._drive(self.policy, flat, "generalises: twins"), len(groups))
        found = truth_table_of(twins)
        try:
            level = generalises(self.scenario, tally, twins, self._baselines(split, self._first + 400_000))
        except NotApplicable as reason:
            level = LevelResult.unasked(str(reason))
        return level, found, self._recovered(found)

    def _encodes(self) -> tuple[LevelResult, list[dict[str, Any]], dict[str, float] | None, Held | None]:
        try:
            return self._encoded()
        except NotApplicable as reason:
            return LevelResult.unasked(str(reason)), [], None, None

    def _encoded(self) -> tuple[LevelResult, list[dict[str, Any]], dict[str, float], Held]:
        # Set by twins, not drawn: propositions that always coincide in a scenario (a shortcut) must be separated here.
        question(self.scenario)
        crossing = self._crossing()
        settings = crossing.settings
        episodes = [
            crossing.under(self._first + 500_000 + i, settings[i % len(settings)]) for i in range(self.settings.traced)
        ]
        truth = name_of_truth(self.scenario)
        labels = tables(self.scenario, episodes)[truth]  # raises before any rollout
        self.progress.stage("encodes: reading latents", len(episodes))
        read = trace(
            self.policy, self.scenario, episodes, self.camera, self.settings.worlds, self.threads, self.search,
            self.progress.advance, {"untrained": self.untrained},
            pictured=(DECISION_STATION,) if read_at_junction(self.scenario) else EARLY,
        )  # fmt: skip
        self.progress.stage("encodes: coding every formula", 2)
        level, league, random = encodes(self.policy, self.scenario, episodes, read, self.seed)
        self.progress.advance(1)
        where = held_map(self.policy, self.scenario, episodes, read, labels, truth, self.seed)
        self.progress.advance(1)
        return replace(level, details=level.details | {"held": where.said()}), league, random, where

    def _uses(self, where: Held | None) -> tuple[LevelResult, Swaps | None, Any]:
        try:
            return self._swapped(Question.of(self.scenario, self.camera, self.threads, self.search), where)
        except NotApplicable as reason:
            return LevelResult.unasked(str(reason)), None, (None, None)

    def _swapped(self, question: Question, where: Held | None) -> tuple[LevelResult, Swaps, Any]:
        stages = 1 + 3 * len(question.rule_names) + 1
        self.progress.stage("uses: swapping latents in closed loop", stages)
        level, swaps, latents = uses(
            self.policy, self.untrained, question, self.settings.pairs, self.settings.fitted, self._first + 600_000,
            self.progress.advance, where,
        )  # fmt: skip
        self._studied = latents
        used = used_map(self.policy, question, latents, self.settings.fitted, self._first + 800_000)
        self.progress.advance(1)
        return level, swaps, used

    def twins(self, path: Path) -> None:
        """Write twins.npz after `card`, as `record_twins` does; nothing if the scenario has no such twins."""
        if self._studied:
            asked = Question.of(self.scenario, self.camera, self.threads, self.search)
            _record(self.policy, asked, self._studied, path, self._first + 950_000)

    def _recovered(self, found: Recovered) -> LevelResult:
        same = found.same_as(self.scenario.rule)
        rows = table_rows(self.scenario, found)
        right = np.array([r["decided"] == r["expert"] for r in rows], float)
        undecided = [r for r in rows if r["decided"] is None]
        return LevelResult(
            value=float(right.mean()),
            interval=None,
            passed=bool(same),
            what="share of the truth table's cells that interventions decide as the expert does; all must, so that the "
            "recovered rule is SAT-equivalent to the expert's",
            threshold=1.0,
            baselines={},
            details={
                "rule": None if found.rule is None else str(found.rule),
                "cells": len(rows),
                "undecided cells": len(undecided), "propositions that it needs": list(found.used),
            },
        )  # fmt: skip


def frames_of(
    demonstrations: Sequence[Shown], images: Callable[[np.ndarray, np.ndarray], np.ndarray], most: int, seed: int
) -> tuple[np.ndarray, ...]:
    """The data of the nearest-neighbour baseline: at most `most` labelled frames, drawn without repetition.

    Args:
        images: (episodes (n,), ticks (n,)) -> (n, H, W, 3): the rendering loader's `draw`.
    """
    places = [(e, t) for e, d in enumerate(demonstrations) for t in np.flatnonzero(d.ticks["valid"])]
    chosen = np.random.default_rng([seed, 8]).permutation(len(places))[:most]
    episode = np.array([places[i][0] for i in chosen])
    tick = np.array([places[i][1] for i in chosen])
    pick = [demonstrations[e] for e in episode]
    return (
        images(episode, tick),
        np.array([d.moving["speed"][t, 0] for d, t in zip(pick, tick)], np.float32),
        np.array([d.ticks["expert_steer"][t] for d, t in zip(pick, tick)], np.float32),
        np.array([d.ticks["expert_acceleration"][t] for d, t in zip(pick, tick)], np.float32),
    )


def score(
    policy: IntervenablePolicy,
    scenario: Scenario,
    settings: ProbeSettings,
    camera: Camera,
    *,
    checkpoint: str,
    frames: tuple[np.ndarray, ...] | None = None,
    untrained: IntervenablePolicy | None = None,
    seed: int = 0,
    threads: int = 2,
    search: tuple[Path, ...] = (),
    progress: Progress | None = None,
    twins: Path | None = None,
) -> dict[str, Any]:
    """Compute the scorecard of a policy as plain, JSON-able data.

    Args:
        checkpoint: its name in the scorecard.
        frames: see `frames_of`; without it there is no nearest-neighbour baseline.
        twins: file for the recording of a pair of twins, see `record_twins`; None for no recording.
    """
    scoring = Scoring(policy, scenario, settings, camera, untrained, frames, seed, threads, search, progress)
    card = scoring.card(checkpoint)
    if twins is not None:
        scoring.twins(twins)
    return card


def record_twins(
    policy: IntervenablePolicy,
    scenario: Scenario,
    camera: Camera,
    path: Path,
    seed: int = 0,
    threads: int = 2,
    search: tuple[Path, ...] = (),
    draws: int = 16,
) -> None:
    """Write twins.npz: a draw, its twin in one premise, and the draw with that premise's latent swapped in.

    Raises:
        NotApplicable: if the scenario has no such twins.
    """
    asked = Question.of(scenario, camera, threads, search)
    first = seed * 10_000_000 + SEEDS + 900_000
    latents = study(policy, asked, draws, first)
    _record(policy, asked, latents, path, first + 50_000)
