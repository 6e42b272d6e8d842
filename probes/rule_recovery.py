"""Rule recovery: from decision counts in every truth-table cell to a minimal rule, compared with the expert's.

A full factorial of interventions gives, per truth-table cell, the number of times each decision was shown. A cell is
*decided* only if the majority is clear (lower end of the Wilson score interval above a half, and a share of at least
four in five); other cells stay undecided and are never guessed. The minimal formula of a complete table is the
recovered rule.

The Wilson interval: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scenarios.rules.ast import IfElse, Rule, names
from scenarios.rules.logic import Cell, all_cells, anf, describe_cell, equivalent, rule_from_table, truth_table, when
from sim.core.statistics import wilson_interval
from sim.datatypes.vocabulary import DECISION, TURNS

LEAST_SHARE = 0.8  # of the majority, for a cell to count as decided
Outcomes = Mapping[Cell, Sequence[int]]  # cell -> number of runs with each decision, and last with none


@dataclass(frozen=True)
class CellVerdict:
    """The decision of one cell, from its runs.

    Args:
        cell: the setting of the propositions.
        counts: number of runs with each of the counted decisions, and last with none.
        decision: index into `sim.datatypes.vocabulary.DECISIONS`; None if undecided.
        share: of the majority among all runs, those without a decision included; 0 without runs.
        lower, upper: Wilson 95 % interval of that share; (0, 1) without runs.
    """

    cell: Cell
    counts: tuple[int, ...]
    decision: int | None
    share: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Recovered:
    """A rule recovered from behaviour.

    Args:
        propositions: names, in the order of a cell's entries.
        cells: the verdict on every possible cell, false before true.
        rule: the minimal rule; None while a cell is undecided. It may decide impossible cells either way.
        sop: its conditions as sums of products, "decision: formula" joined by "; ".
        anf: the same as algebraic normal forms.
        used: the propositions that the rule depends on.
        counted: the decisions of a cell's counts, in order.
    """

    propositions: tuple[str, ...]
    cells: tuple[CellVerdict, ...]
    rule: Rule | None
    sop: str | None
    anf: str | None
    used: tuple[str, ...]
    counted: tuple[str, ...] = TURNS

    @property
    def undecided(self) -> tuple[str, ...]:
        """The undecided cells as text."""
        return tuple(describe_cell(self.propositions, c.cell) for c in self.cells if c.decision is None)

    @property
    def complete(self) -> bool:
        """Whether every cell is decided."""
        return self.rule is not None

    def same_as(self, rule: Rule) -> bool:
        """Whether the recovered rule is SAT-equivalent to `rule`; False while a cell is undecided.

        If some cells are impossible: whether it makes the same decisions in all possible cells.
        """
        if self.rule is None:
            return False
        if len(self.cells) < 2 ** len(self.propositions):
            return not self.disagreements(rule)
        return equivalent(self.rule, rule)

    def disagreements(self, rule: Rule) -> tuple[str, ...]:
        """The decided cells, as text, in which `rule` decides otherwise.

        Raises:
            ValueError: if `rule` names a proposition that was not set.
        """
        table = truth_table(rule, self.propositions)
        return tuple(
            describe_cell(self.propositions, c.cell)
            for c in self.cells
            if c.decision is not None and c.decision != table[c.cell]
        )

    def __str__(self) -> str:
        if self.rule is None:
            open_cells = "; ".join(self.undecided)
            return f"not recovered: {len(self.undecided)} of {len(self.cells)} cells undecided ({open_cells})"
        return str(self.rule)


def recover(
    propositions: Sequence[str],
    outcomes: Outcomes,
    counted: Sequence[str] = TURNS,
    possible: Sequence[Cell] | None = None,
) -> Recovered:
    """Recover a rule from the number of times each decision was shown in each cell.

    Args:
        propositions: names, in the order of a cell's entries.
        outcomes: cell -> a count for each of `counted`, and last of the runs without a decision; a missing cell is
            undecided.
        counted: the counted decisions, out of `sim.datatypes.vocabulary.DECISIONS`.
        possible: the possible cells; None for all.

    Raises:
        ValueError: for a cell of another length, or invalid counts.
    """
    columns = tuple(propositions)
    cells = all_cells(len(columns)) if possible is None else list(possible)
    for cell, counts in outcomes.items():
        if len(cell) != len(columns):
            raise ValueError(f"cell {cell} has {len(cell)} values; wanted one for each of {columns}")
        if len(counts) != len(counted) + 1 or min(counts) < 0:
            raise ValueError(
                f"cell {cell} has counts {tuple(counts)}; wanted ({', '.join(counted)}, none), none below 0"
            )
    nothing = (0,) * (len(counted) + 1)
    verdicts = tuple(_verdict(cell, tuple(int(n) for n in outcomes.get(cell, nothing)), counted) for cell in cells)
    if any(v.decision is None for v in verdicts):
        return Recovered(columns, verdicts, None, None, None, (), tuple(counted))
    rule = rule_from_table(columns, {v.cell: v.decision for v in verdicts}, undecided_free=possible is not None)
    sums, normal = _formulas(rule)
    return Recovered(columns, verdicts, rule, sums, normal, names(rule), tuple(counted))


def _verdict(cell: Cell, counts: tuple[int, ...], counted: Sequence[str]) -> CellVerdict:
    runs, ways = sum(counts), counts[:-1]
    majority = max(range(len(ways)), key=lambda d: ways[d])
    lower, upper = wilson_interval(ways[majority], runs)
    share = ways[majority] / runs if runs else 0.0
    decided = lower > 0.5 and share >= LEAST_SHARE
    return CellVerdict(cell, counts, DECISION[counted[majority]] if decided else None, share, lower, upper)


def _formulas(rule: Rule) -> tuple[str, str]:
    """The rule's conditions as text, as sums of products and as algebraic normal forms."""
    if not isinstance(rule, IfElse):
        return f"{rule}: true", f"{rule}: true"
    sums, normal, step = [], [], rule
    while True:  # a minimal rule is a chain: each condition is already the shortest sum of products
        sums.append(f"{step.then}: {step.condition}")
        normal.append(f"{step.then}: {anf(when(rule, str(step.then)))}")
        if not isinstance(step.otherwise, IfElse):
            return "; ".join(sums), "; ".join(normal)
        step = step.otherwise
