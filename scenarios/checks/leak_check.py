"""Leak check: can a classifier predict the rule's decision from variables other than the rule's evidence?

The classifier gets every drawn variable of an episode except the legitimate channel (the variables of the
propositions that the rule uses, and the weather that follows them). Its accuracy must stay at chance. Each variable is
also tried alone, so that a leak has a name.

The verdict is about the unsplit sampling. A split that holds out a combination must correlate what it holds out
(without wet nights, night means dry): that is reported as "by the split" and fails nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scenarios.rules.ast import names
from scenarios.rules.variables import drawn_in
from scenarios.sampling.episode_builder import Count
from scenarios.sampling.plan import plan
from scenarios.sampling.sample import balanced_batch, decision
from scenarios.scenario import ALL_EPISODES, Scenario
from sim.datatypes.episode import Episode

ALPHA = 0.001  # chance of calling a clean scenario leaky, for the joint classifier and for all single variables at once
_FOLDS = 5
_FEW = 50  # episodes below which nothing can be learned, so that nothing can pass


@dataclass(frozen=True)
class Clue:
    """How well one variable alone predicts the decision.

    Args:
        variable: such as "actors.truck.present".
        accuracy: cross-validated share of right guesses.
        p_value: probability of at least that many right guesses when always naming the commonest decision.
    """

    variable: str
    accuracy: float
    p_value: float


@dataclass(frozen=True)
class LeakCheck:
    """The leak check of one split.

    Args:
        split: `every` is the unsplit sampling.
        episodes: how many were drawn.
        chance: share of the commonest decision, which a constant guess reaches.
        accuracy: cross-validated share of right guesses from all variables but the known leaks.
        p_value: probability of at least that many right guesses by chance (one-sided binomial).
        clues: every variable tried alone, the most predictive first, known leaks included.
        known: variables that the scenario declares as leaks.
    """

    split: str
    episodes: int
    chance: float
    accuracy: float
    p_value: float
    clues: tuple[Clue, ...]
    known: tuple[str, ...]

    @property
    def leaking_variables(self) -> tuple[Clue, ...]:
        """The clues that predict the decision significantly, known leaks included (Bonferroni over all clues)."""
        return tuple(c for c in self.clues if c.p_value * len(self.clues) < ALPHA)

    @property
    def leaks(self) -> tuple[str, ...]:
        """The variables that predict the decision and are not declared."""
        return tuple(c.variable for c in self.leaking_variables if c.variable not in self.known)

    @property
    def passed(self) -> bool:
        """Whether no undeclared variables predict the decision, alone or together."""
        return self.p_value >= ALPHA and not self.leaks

    def __str__(self) -> str:
        told = ", ".join(f"{c.variable} ({c.accuracy:.2f})" for c in self.leaking_variables) or "nothing alone"
        return (
            f"{self.split}: {self.accuracy:.3f} right against {self.chance:.3f} by chance in {self.episodes} episodes "
            f"(p = {self.p_value:.2g}); telling: {told}"
        )


@dataclass(frozen=True)
class LeakReport:
    """The leak check of a scenario.

    Args:
        scenario: its name.
        unsplit: the check that decides the verdict.
        by_split: the same check within each split, which shows what the split gives away.
    """

    scenario: str
    unsplit: LeakCheck
    by_split: tuple[LeakCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether the unsplit sampling has no undeclared leaks."""
        return self.unsplit.passed

    def __str__(self) -> str:
        verdict = "passes" if self.passed else f"LEAKS {', '.join(self.unsplit.leaks) or 'in combination'}"
        known = f" (declared: {', '.join(self.unsplit.known)})" if self.unsplit.known else ""
        lines = [
            f"{self.scenario} {verdict}{known}",
            f"  {self.unsplit}",
            *(f"  by the split {c}" for c in self.by_split),
        ]
        return "\n".join(lines)


def check_leaks(
    scenario: Scenario, episodes: int = 1500, seed: int = 0, splits: bool = True, junctions: Count | None = None
) -> LeakReport:
    """Run the leak check of a scenario.

    Args:
        episodes: how many to draw, per split.
        seed: of the first episode and of the classifier.
        splits: whether to look within the splits too.
        junctions: as for `scenarios.sampling.sample.sample`.

    Raises:
        ValueError: where there are too few episodes to learn from.
    """
    if episodes < _FEW:
        raise ValueError(f"{episodes} episodes are too few to find a leak in; wanted at least {_FEW}")
    inside = [s for s in scenario.splits if s != ALL_EPISODES] if splits else []
    checks = [_check(scenario, split, episodes, seed, junctions) for split in (ALL_EPISODES, *inside)]
    return LeakReport(scenario.name, checks[0], tuple(checks[1:]))


def legitimate(scenario: Scenario) -> frozenset[str]:
    """The variables that may carry the rule's propositions: their own, and the weather that follows them."""
    worked = plan(scenario)
    roots = frozenset().union(*(worked.roots_of(scenario.proposition(n)) for n in names(scenario.rule)))
    return roots | {c.variable for c in worked.couplings if c.roots & roots}


def suspects(scenario: Scenario) -> tuple[str, ...]:
    """The variables that are drawn or follow a formula and that must not predict the decision."""
    worked = plan(scenario)
    open_junction = scenario.map.junction is not None and scenario.map.junction.index is None
    found = [
        *(["map.junction"] if scenario.map.file is not None and open_junction else []),
        *worked.free,
        *(c.variable for c in worked.couplings),
        *worked.presences,
    ]
    legal = legitimate(scenario)
    return tuple(v for v in found if v not in legal)


def _check(scenario: Scenario, split: str, count: int, seed: int, junctions: Count | None) -> LeakCheck:
    drawn = balanced_batch(scenario, range(seed, seed + count), split, junctions)
    answers = np.array([decision(scenario, e) for e in drawn])
    variables = suspects(scenario)
    chance = float(np.bincount(answers).max() / count)
    if chance == 1.0 or not variables:  # one decision only, or nothing to guess from
        return LeakCheck(split, count, chance, chance, 1.0, (), scenario.known_leaks)
    table = table_of(scenario, drawn, variables)
    guess = _Guesser(answers, seed)
    clues = [Clue(v, *guess.alone(table[:, [i]])) for i, v in enumerate(variables)]
    unknown = [i for i, v in enumerate(variables) if v not in scenario.known_leaks]
    accuracy, p_value = guess.together(table[:, unknown]) if unknown else (chance, 1.0)
    clues.sort(key=lambda c: (c.p_value, c.variable))
    return LeakCheck(split, count, chance, accuracy, p_value, tuple(clues), scenario.known_leaks)


class _Guesser:
    """Cross-validated classifiers of the answers (n,), with the p-value of their number of hits."""

    def __init__(self, answers: np.ndarray, seed: int) -> None:
        from sklearn.model_selection import KFold  # late: slow to import

        self.answers = answers
        self.seed = seed
        self.chance = np.bincount(answers).max() / len(answers)
        self.folds = list(KFold(_FOLDS, shuffle=True, random_state=seed).split(answers))

    def alone(self, column: np.ndarray) -> tuple[float, float]:
        """Accuracy and p-value of a small tree on one variable (n, 1)."""
        from sklearn.tree import DecisionTreeClassifier

        leaf = max(5, len(self.answers) // 100)  # smaller leaves chase noise and hide a real leak
        return self._score(DecisionTreeClassifier(max_depth=3, min_samples_leaf=leaf, random_state=self.seed), column)

    def together(self, columns: np.ndarray) -> tuple[float, float]:
        """Accuracy and p-value of a forest on all variables (n, k): finds combinations too."""
        return self._score(forest(self.seed), columns)

    def _score(self, model: Any, columns: np.ndarray) -> tuple[float, float]:
        from scipy.stats import binom

        hits = 0
        for train, test in self.folds:
            hits += int(
                (model.fit(columns[train], self.answers[train]).predict(columns[test]) == self.answers[test]).sum()
            )
        n = len(self.answers)
        return hits / n, float(binom.sf(hits - 1, n, self.chance))


def forest(seed: int) -> Any:
    """A random forest that guesses from all variables at once, so that it finds combinations too."""
    from sklearn.ensemble import RandomForestClassifier  # late: slow to import

    return RandomForestClassifier(60, max_features=None, max_samples=0.5, min_samples_leaf=5, random_state=seed)


def table_of(scenario: Scenario, drawn: Sequence[Episode], variables: Sequence[str]) -> np.ndarray:
    """(episodes, variables) float64; words and colours become their index in the scenario's list."""
    worked, columns = plan(scenario), []
    for variable in variables:
        options = getattr(worked.draws.get(variable), "options", None)
        values = [drawn_in(episode, variable) for episode in drawn]
        columns.append([options.index(v) for v in values] if options else [float(v) for v in values])
    return np.array(columns, float).T
