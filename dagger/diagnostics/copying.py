"""Copying: whether a policy's memory follows the scene, or only ego's own motion (causal confusion).

A network may be right while it watches the expert and wrong while it drives itself: its memory then follows the car's
own drift, which in demonstrations always goes the expert's way (de Haan, Jayaraman, Levine 2019: causal confusion). So
the hindsight head of the memory is read in two kinds of drives of the same episodes: the expert's, which the policy
watches, and the policy's own. The head chooses among typical futures; the decision that a future belongs to is learned
from other drives of the expert. Times count back from the first sign of the decision in each drive.

This is a diagnosis: it reads decisions, and training never does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from dagger.algorithms.base import BetaSchedule
from dagger.diagnostics.replay import Watched, watch
from dagger.training.collect import collect
from dagger.training.demonstrations import Demonstration
from dagger.training.futures import gathered
from dagger.training.loader import RenderingLoader
from policies.expert.expert import Expert
from policies.hindsight import Hindsight
from policies.learner import Learner
from scenarios.sampling.sample import balanced_batch, decision, slots_needed
from scenarios.scenario import Scenario
from sim.core.statistics import wilson_interval
from sim.datatypes.camera import Camera
from sim.datatypes.vocabulary import DECISIONS, OUTCOME
from sim.world.context import RunContext

SEEDS = 6_000_000  # first seed; disjoint from the seeds of training, evaluation, probes and transfer
BEFORE = 1.0  # [s] before the first sign of the decision, at which the two numbers are measured
LEADS = np.round(np.arange(-8.0, 0.01, 0.5), 1)  # [s] of the points of the curves
FEWEST = 8  # fewest drives for a point of a curve
TICK = 0.1  # [s]


def copying(
    learner: Learner,
    scenario: Scenario,
    camera: Camera,
    episodes: int,
    seed: int,
    context: RunContext,
) -> dict[str, Any]:
    """What the memory predicts of the decision while the policy watches the expert, and while it drives.

    Args:
        episodes: driven by each; three times as many are used to learn which decision a future belongs to.
        context: where the worlds run.

    Returns:
        {"copying": {...}}: the two numbers `watching` and `driving`, each {"value", "interval", "n"}, the share of
        drives in which the memory predicts the wanted decision BEFORE the first sign of one; `own_way`, the same share
        for the decision that the policy then took; and the curves. If it cannot be measured {"copying": {"note": why}}.
    """
    if learner.hindsight is None:
        return {"copying": {"note": "Not asked: the policy was trained without hindsight."}}
    first = seed * 10_000_000 + SEEDS
    drawn = balanced_batch(scenario, range(first, first + 4 * episodes), "train")
    wanted = np.array([decision(scenario, e) for e in drawn])
    known = sorted(set(wanted.tolist()))
    if len(known) < 2:
        return {"copying": {"note": f"Not asked: the expert always decides '{DECISIONS[known[0]]}'."}}
    context.progress.stage("copying: what the memory predicts while watching, and while driving", 5 * episodes)
    expert = Expert.of(scenario)
    with context.backend(context.at_once(episodes), camera, slots_needed(scenario)) as backend:
        if not backend.can_rerender:
            return {"copying": {"note": "Not asked: the pictures of this backend cannot be rendered again."}}
        advance = context.progress.advance
        shown = collect(backend, expert, None, drawn, BetaSchedule(), 0, "expert", on_done=advance)
        own = collect(
            backend, expert, learner, drawn[:episodes], BetaSchedule("indicator"), 1, "dagger", on_done=advance
        )
    table = _belongs(learner.hindsight, shown[episodes:], wanted[episodes:], known)
    arms = {}
    for name, drives in (("watching", shown[:episodes]), ("driving", own)):
        seen = watch(scenario, drives, context)
        said = _said(learner, RenderingLoader(drives, camera, context), table)
        arms[name] = _Arm(drives, seen, said, wanted[:episodes], np.array(known))
    return {"copying": _told(arms, [DECISIONS[d] for d in known])}


def _belongs(hindsight: Hindsight, drives: Sequence[Demonstration], wanted: np.ndarray, known: list[int]) -> np.ndarray:
    """(K, K, decisions) the share of each decision among futures with this path and this progress.

    Rare pairs of path and progress fall back on what each of the two predicts alone.
    """
    futures = gathered(drives)
    episode = np.repeat(np.arange(len(drives)), [len(d) for d in drives])
    k, size = hindsight.seen.anchors, len(known)
    flat = futures.path.reshape(len(futures.path), -1)
    path = _nearest(flat, hindsight.path_anchors.flatten(1).numpy())
    progress = _nearest(futures.progress, hindsight.progress_anchors.numpy())
    of = np.searchsorted(known, wanted[episode])
    rows = futures.known
    counts = np.zeros((k, k, size))
    np.add.at(counts, (path[rows], progress[rows], of[rows]), 1.0)
    prior = counts.sum((0, 1)) / counts.sum()

    def share(of: np.ndarray, before: np.ndarray) -> np.ndarray:
        return (of + 5.0 * before) / (of.sum(-1, keepdims=True) + 5.0)

    by_path, by_progress = share(counts.sum(1), prior), share(counts.sum(0), prior)
    alone = by_path[:, None] * by_progress[None] / prior
    return share(counts, alone / alone.sum(-1, keepdims=True))


def _nearest(values: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """(n,) the index of the anchor (K, d) that is nearest to each of the values (n, d)."""
    return np.concatenate(
        [
            np.square(part[:, None] - anchors).sum(-1).argmin(1)
            for part in np.array_split(values, len(values) // 4096 + 1)
        ]
    )


def _said(learner: Learner, loader: RenderingLoader, table: np.ndarray) -> list[np.ndarray]:
    """(T, decisions) for every drive: the probability of each decision at every tick, from the hindsight head."""
    assert learner.hindsight is not None
    found = []
    with torch.no_grad():
        for e, ticks in enumerate(loader.lengths.tolist()):
            episode, tick = np.full(ticks, e), np.arange(ticks)
            camera = torch.from_numpy(loader.draw(episode, tick))
            embedding = learner.embed(camera, torch.from_numpy(loader.speed(episode, tick)))
            held, _ = learner.memory.unroll(embedding[None], learner.begin(1))
            answer = learner.hindsight.remembered(held[0])
            path, progress = answer.path.exp().numpy(), answer.progress.exp().numpy()
            found.append(np.einsum("tk,tl,kld->td", path, progress, table))
    return found


class _Arm:
    """Drives of one kind: what was predicted in them, when they showed their decision, and how they ended."""

    def __init__(
        self,
        drives: Sequence[Demonstration],
        seen: Sequence[Watched],
        said: list[np.ndarray],
        wanted: np.ndarray,
        known: np.ndarray,
    ) -> None:
        self.answers, self.known, self.wanted = said, known, wanted
        self.taken = np.array([d.shown_decision for d in drives])
        self.arrived = np.array([d.outcome == OUTCOME["arrived"] for d in drives])
        self.sign = np.array([w.sign for w in seen])
        self.length = np.array([len(d) for d in drives])

    def at(self, lead: float) -> tuple[np.ndarray, np.ndarray]:
        """The drives (n,) that had begun `lead` (below 0) seconds from their first sign, and the predictions there."""
        tick = self.sign + round(lead / TICK)
        rows = np.flatnonzero((tick >= 0) & (tick < self.length) & (self.sign < self.length))
        said = np.array([self.known[self.answers[r][tick[r]].argmax()] for r in rows], int)
        return rows, said

    def share(self, lead: float, decisions: np.ndarray) -> tuple[int, int]:
        """The number of drives that predict `decisions` (one per drive) at this time, and the number of drives."""
        rows, said = self.at(lead)
        return int((said == decisions[rows]).sum()), len(rows)


def _told(arms: dict[str, _Arm], words: list[str]) -> dict[str, Any]:
    def number(arm: _Arm, decisions: np.ndarray) -> dict[str, Any]:
        hits, n = arm.share(-BEFORE, decisions)
        return {"value": hits / n if n else None, "interval": list(wilson_interval(hits, n)) if n else None, "n": n}

    watching, driving = arms["watching"], arms["driving"]
    curves = {
        name: [_point(arm.share(lead, decisions)) for lead in LEADS]
        for name, arm, decisions in (
            ("watching", watching, watching.wanted),
            ("driving", driving, driving.wanted),
            ("own_way", driving, driving.taken),
        )
    }
    wrong = driving.taken != driving.wanted
    return {
        "watching": number(watching, watching.wanted),
        "driving": number(driving, driving.wanted),
        "own_way": number(driving, driving.taken),
        "before": BEFORE,
        "leads": LEADS.tolist(),
        "curves": curves,
        "chance": float(np.max([np.mean(watching.wanted == d) for d in watching.known])),
        "took_another_way": int(wrong.sum()),
        "episodes": len(driving.taken),
        "decisions": words,
    }


def _point(share: tuple[int, int]) -> dict[str, Any] | None:
    hits, n = share
    return {"value": hits / n, "interval": list(wilson_interval(hits, n)), "n": n} if n >= FEWEST else None
