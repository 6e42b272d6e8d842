"""Behaviour in closed loop: agreement with the rule cell by cell, twins, and the recovered truth table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from policies.evaluate import Cell, EvaluationResult
from probes.applicability import FactorialDesign, columns
from probes.results import Proportion, cell_name
from probes.rule_recovery import Recovered, recover
from scenarios.rules.ast import names as names_in
from scenarios.rules.compile import evaluate
from scenarios.rules.logic import valuation_of
from scenarios.sampling.sample import cells, sample
from scenarios.scenario import ALL_EPISODES, Scenario
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import DECISION, DECISIONS, OUTCOME, UNDECIDED

MOST_DRIVEN = 2560  # episodes of one split: 160 in each of 16 cells, and fewer a cell where there are more of them


def relevant(scenario: Scenario) -> tuple[str, ...]:
    """The propositions that define cells: those of the rule and of the splits, in the scenario's order."""
    wanted = set(names_in(scenario.rule)).union(*(names_in(f) for f in scenario.splits.values()))
    return tuple(n for n in scenario.proposition_names if n in wanted)


def test_split(scenario: Scenario) -> str:
    """The split with the held-out combinations: "test" where the scenario has one."""
    return "test" if "test" in scenario.splits else ALL_EPISODES


def train_split(scenario: Scenario) -> str:
    """The training split: "train" where the scenario has one."""
    return "train" if "train" in scenario.splits else ALL_EPISODES


test_split.__test__ = False  # type: ignore[attr-defined]  # not a test, although pytest would collect it by its name


def by_cells(scenario: Scenario, split: str, per_cell: int, first_seed: int) -> list[Episode]:
    """Draw episodes: `per_cell` (within MOST_DRIVEN) in every cell of the relevant propositions in the split."""
    places = [scenario.proposition_names.index(n) for n in relevant(scenario)]
    groups: dict[Cell, list[Cell]] = {}
    for cell in cells(scenario, split):
        groups.setdefault(tuple(cell[c] for c in places), []).append(cell)
    per_cell = min(per_cell, max(1, MOST_DRIVEN // len(groups)))
    found: list[Episode] = []
    for group in groups.values():
        for i in range(per_cell):
            found.append(sample(scenario, first_seed + len(found), split, cell=group[i % len(group)]))
    return found


@dataclass(frozen=True)
class Agreement:
    """A policy's agreement with the rule, cell by cell. `worst` is the cell with the lowest lower bound."""

    cells: dict[str, Proportion]

    @property
    def worst(self) -> tuple[str, Proportion]:
        """Name and share of the worst cell."""
        return min(self.cells.items(), key=lambda item: (item[1].interval[0], item[1].value))


def agreement(scenario: Scenario, tally: EvaluationResult) -> Agreement:
    """Compute the agreement with the rule in every cell of the relevant propositions."""
    names = relevant(scenario)
    return Agreement({cell_name(names, c): Proportion.of(tally.agrees[i]) for c, i in tally.by_cell(names).items()})


# ------------------------------------------------------------------------------------------------ twins
@dataclass(frozen=True)
class Twins:
    """A factorial experiment: every base episode under every possible setting of the propositions.

    Args:
        crossing: the propositions that were set, and their C settings.
        way: (n, C) the decision shown where ego arrived, -1 otherwise.
        wanted: (n, C) the rule's decision.
    """

    crossing: FactorialDesign
    way: np.ndarray
    wanted: np.ndarray

    @property
    def names(self) -> tuple[str, ...]:
        """The propositions that were set."""
        return self.crossing.names

    def flips(self, proposition: int) -> tuple[np.ndarray, np.ndarray]:
        """For one proposition: per base episode, the share of twin pairs whose decisions differ, where the rule flips
        (n,) and where it does not (n,); nan where a base has no such pair."""
        at = {setting: c for c, setting in enumerate(self.crossing.settings)}
        pairs = [(c, at[other]) for setting, c in at.items()
                 if not setting[proposition] and (other := self.crossing.partner(setting, proposition))]  # fmt: skip
        off, on = [c for c, _ in pairs], [c for _, c in pairs]
        a, b = self.way[:, off], self.way[:, on]
        changes = self.wanted[:, off] != self.wanted[:, on]
        turned = (a != b) & (a >= 0) & (b >= 0)
        unsteady = (a != b) | (a < 0)  # a twin that does not arrive counts as a change too
        return _mean_where(turned, changes), _mean_where(unsteady, ~changes)


def _mean_where(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    count = mask.sum(1)
    return np.where(count > 0, (values & mask).sum(1) / np.maximum(count, 1), np.nan)


def twin_episodes(crossing: FactorialDesign, count: int, first_seed: int) -> list[list[Episode]]:
    """Draw `count` base episodes of all cells, each under every setting.

    Raises:
        NotApplicable: if a twin cannot be drawn.
    """
    return [crossing.draw(first_seed + i) for i in range(count)]


def twins_of(crossing: FactorialDesign, tally: EvaluationResult, count: int) -> Twins:
    """Arrange the evaluation of `twin_episodes` (base by base) as a factorial."""
    shape = (count, len(crossing.settings))
    way = np.where(tally.outcome == OUTCOME["arrived"], tally.shown_decision, UNDECIDED)
    return Twins(crossing, way.reshape(shape), tally.wanted.reshape(shape))


def held_out(scenario: Scenario) -> tuple[str, ...]:
    """The cells of the relevant propositions that are in the test split and not in the training split."""
    test, train = _split_cells(scenario, test_split(scenario)), set(_split_cells(scenario, train_split(scenario)))
    return tuple(c for c in test if c not in train)


def per_base(columns: list[np.ndarray]) -> np.ndarray:
    """Each base episode's mean share over propositions (n,); episodes that are nan in every column are left out."""
    if not columns:
        return np.zeros(0)
    stacked = np.stack(columns, 1)
    kept = ~np.isnan(stacked).all(1)
    return np.nanmean(stacked[kept], 1)


def _split_cells(scenario: Scenario, split: str) -> tuple[str, ...]:
    names = relevant(scenario)
    places = [scenario.proposition_names.index(n) for n in names]
    return tuple(dict.fromkeys(cell_name(names, tuple(c[i] for i in places)) for c in cells(scenario, split)))


# -------------------------------------------------------------------------------------------- the truth table
def counted(twins: Twins) -> tuple[str, ...]:
    """The decisions that a truth table counts: those of the rule, and all others that were shown."""
    wanted = set(columns(twins.crossing.scenario)) | {DECISIONS[d] for d in np.unique(twins.way) if d != UNDECIDED}
    return tuple(d for d in DECISIONS if d in wanted)


def truth_table_of(twins: Twins) -> Recovered:
    """Recover the rule from the twins' decisions in every cell."""
    known, crossing = counted(twins), twins.crossing
    indices = (*(DECISION[d] for d in known), UNDECIDED)
    counts = {s: tuple(int((twins.way[:, c] == d).sum()) for d in indices) for c, s in enumerate(crossing.settings)}
    return recover(twins.names, counts, known, None if crossing.full else crossing.settings)


def table_rows(scenario: Scenario, found: Recovered) -> list[dict[str, Any]]:
    """The recovered truth table beside the expert's, as plain data."""
    rows = []
    for verdict in found.cells:
        expert = int(evaluate(scenario.rule, valuation_of(found.propositions, [verdict.cell]))[0])
        rows.append(
            {
                "cell": list(verdict.cell),
                "expert": DECISIONS[expert],
                "decided": None if verdict.decision is None else DECISIONS[verdict.decision],
                "counts": dict(zip((*found.counted, "none"), verdict.counts)),
            }
        )
    return rows
