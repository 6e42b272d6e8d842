"""Evaluation: roll out a policy on episodes of a scenario and compare its decisions with the rule's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from policies.base import Policy
from scenarios.sampling.sample import decision, slots_needed, valuation
from scenarios.scenario import Scenario
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import OUTCOME
from sim.world.context import RunContext
from sim.world.rollout import Trajectory, in_chunks, rollout

Cell = tuple[bool, ...]


@dataclass(frozen=True)
class EvaluationResult:
    """Results of n evaluation episodes.

    Args:
        names: the scenario's propositions.
        cells: (n, len(names)) bool, their values.
        wanted: (n,) int, the rule's decision.
        shown_decision: (n,) int, the decision shown, -1 for none.
        outcome: (n,) int, index into OUTCOMES.
        progress: (n,) share of the way to arrival that was covered.
        ticks: (n,) length of each episode.
        seeds: (n,) of the episodes.
    """

    names: tuple[str, ...]
    cells: np.ndarray
    wanted: np.ndarray
    shown_decision: np.ndarray
    outcome: np.ndarray
    progress: np.ndarray
    ticks: np.ndarray
    seeds: np.ndarray

    @property
    def agrees(self) -> np.ndarray:
        """(n,) bool: ego arrived and showed the rule's decision. A crash never agrees, before or after the turn."""
        return (self.shown_decision == self.wanted) & (self.outcome == OUTCOME["arrived"])

    @property
    def arrived(self) -> np.ndarray:
        """(n,) bool: ego arrived, whatever the decision."""
        return self.outcome == OUTCOME["arrived"]

    def by_cell(self, names: Sequence[str] | None = None) -> dict[Cell, np.ndarray]:
        """Truth-table cell of the given propositions -> its episode numbers, in the order of the table."""
        columns = [self.names.index(n) for n in (self.names if names is None else names)]
        keys = [tuple(bool(v) for v in row) for row in self.cells[:, columns]]
        return {cell: np.array([i for i, k in enumerate(keys) if k == cell]) for cell in sorted(set(keys))}


def evaluate(
    policy: Policy,
    scenario: Scenario,
    episodes: Sequence[Episode],
    camera: Camera | None = None,
    context: RunContext | None = None,
    on_trajectory: Callable[[Sequence[Episode], Trajectory], None] | None = None,
) -> EvaluationResult:
    """Roll out `policy` on `episodes` and collect the results.

    Args:
        context: where the worlds run; its progress advances by the episodes of every batch. By default `RunContext()`.
        on_trajectory: called with every batch's episodes and trajectory.
    """
    if not episodes:
        raise ValueError(f"no episodes of {scenario.name} to drive")
    shown_decision, outcome, progress, ticks = [], [], [], []
    context = context or RunContext()
    for chunk in in_chunks(episodes, context.at_once(len(episodes))):
        with context.backend(len(chunk), camera, slots_needed(scenario)) as backend:
            trajectory = rollout(backend, policy, chunk)
        shown_decision.append(trajectory.shown_decision)
        outcome.append(trajectory.outcome)
        progress.append(trajectory.progress)
        ticks.append(trajectory.ticks)
        if on_trajectory is not None:
            on_trajectory(chunk, trajectory)
        context.progress.advance(len(chunk))
    values = [valuation(scenario, e) for e in episodes]
    names = scenario.proposition_names
    return EvaluationResult(
        names=names,
        cells=np.array([[v[n] for n in names] for v in values], bool).reshape(len(values), len(names)),
        wanted=np.array([decision(scenario, e) for e in episodes]),
        shown_decision=np.concatenate(shown_decision),
        outcome=np.concatenate(outcome),
        progress=np.concatenate(progress),
        ticks=np.concatenate(ticks),
        seeds=np.array([e.seed for e in episodes]),
    )
