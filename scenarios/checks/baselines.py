"""Baselines that decide without the hidden rule: a leak-only classifier and the best single-proposition rule.

Suites and the scorecard use them. Neither sees an image: both get the drawn values themselves, so that their accuracy
is an upper bound for such a driver.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from scenarios.checks.leak_check import forest, suspects, table_of
from scenarios.rules.ast import Decision, IfElse, Name, Rule
from scenarios.rules.compile import evaluate
from scenarios.rules.logic import Cell, valuation_of
from scenarios.sampling.plan import plan
from scenarios.sampling.sample import balanced_batch, decision, shares
from scenarios.scenario import ALL_EPISODES, Scenario
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import DECISIONS

LEARNT = 400  # draws that the leak-only classifier is trained on
SEEDS = 9_000_000  # of the first draw; disjoint from the seeds of training, suites, evaluation and probes


class ContextGuess:
    """Predicts the decision from all drawn variables except those that the rule's propositions may read.

    It is trained on draws of the split "train" (of all draws where there is no such split). It also learns what that
    split gives away: without wet nights in training, night means dry. Declared leaks are among its inputs.
    """

    def __init__(self, scenario: Scenario, draws: int = LEARNT, seed: int = SEEDS) -> None:
        self.scenario = scenario
        self.variables = suspects(scenario)
        drawn = balanced_batch(
            scenario, range(seed, seed + draws), "train" if "train" in scenario.splits else ALL_EPISODES
        )
        answers = np.array([decision(scenario, e) for e in drawn])
        self._commonest = int(np.bincount(answers).argmax())
        self._forest = None
        if self.variables and len(set(answers.tolist())) > 1:
            self._forest = forest(0).fit(table_of(scenario, drawn, self.variables), answers)

    def __call__(self, episodes: Sequence[Episode]) -> np.ndarray:
        """(n,) int, index into DECISIONS."""
        if self._forest is None or not episodes:
            return np.full(len(episodes), self._commonest)
        return np.asarray(self._forest.predict(table_of(self.scenario, episodes, self.variables)), int)


def single_rules(scenario: Scenario) -> list[Rule]:
    """All rules that read at most one proposition and are not equivalent to the scenario's own rule."""
    worked = plan(scenario)
    every = list(worked.decision)
    own = np.array([worked.decision[c] for c in every])
    ways = [Decision(DECISIONS[d]) for d in dict.fromkeys(own.tolist())]
    rules: list[Rule] = list(ways)
    rules += [
        IfElse(condition=Name(n), then=a, otherwise=b)
        for n in scenario.proposition_names
        for a in ways
        for b in ways
        if a != b
    ]
    return [rule for rule in rules if (_decided(scenario, rule, every) != own).any()]


def agreement(scenario: Scenario, rule: Rule, cells: Sequence[Cell]) -> np.ndarray:
    """(cells,) bool: whether a rule decides as the scenario's own rule does."""
    own = plan(scenario).decision
    return _decided(scenario, rule, cells) == np.array([own[c] for c in cells])


def best_single(scenario: Scenario, split: str = ALL_EPISODES) -> Rule:
    """The rule of `single_rules` that agrees most often with the scenario's own in episodes of a split.

    Ties go to the rule whose text comes last, as in the scorecard.
    """
    weights = shares(scenario, split)
    cells = list(weights)
    often = np.array([weights[c] for c in cells])
    scored = [(round(float(often @ agreement(scenario, r, cells)), 9), str(r), r) for r in single_rules(scenario)]
    return max(scored, key=lambda s: s[:2])[2]


def _decided(scenario: Scenario, rule: Rule, cells: Iterable[Cell]) -> np.ndarray:
    cells = list(cells)
    return np.broadcast_to(evaluate(rule, valuation_of(scenario.proposition_names, cells)), len(cells))
