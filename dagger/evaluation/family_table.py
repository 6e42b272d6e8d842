"""The table of a suite with baselines: a family per row, its driver beside drivers that ignore the rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from dagger.console import table
from dagger.evaluation.summary import failures
from dagger.report.scenario_pages import rule_in_short
from scenarios.scenario import Scenario

WIDE = 140  # width of the console from which a family's texts have columns of their own [columns]


@dataclass(frozen=True)
class FamilyRow:
    """A family's row of the table.

    Args:
        family, rule, why_hard: texts to print.
        made: its summary from `dagger.evaluation.summary.summary`, with its baselines.
        alone: proposition that cannot flip alone -> number of episodes, and the reason.
    """

    family: str
    rule: str
    why_hard: str
    made: Mapping[str, Any]
    alone: Mapping[str, tuple[int, str]]

    @classmethod
    def of(cls, scenario: Scenario, made: Mapping[str, Any], alone: Mapping[str, tuple[int, str]]) -> FamilyRow:
        """The row of a scenario."""
        return cls(scenario.name, rule_in_short(scenario), scenario.why_hard, made, alone)

    def figures(self, baselines: Sequence[str]) -> list[str]:
        """Episodes, success, rule accuracy; twins that flip and that hold; rule accuracy of the baselines."""
        low, high = self.made["interval"] or (float("nan"), float("nan"))
        twins = self.made["twins"]
        pairs = (
            ["–", "–"] if twins is None else [_of(twins["flipped_where_it_should"]), _of(twins["held_where_it_should"])]
        )
        found = self.made.get("baselines", {})
        others = [f"{found[b]['agreement']:.3f}" if b in found else "–" for b in baselines]
        accuracy = f"{self.made['agreement']:.3f} [{low:.3f}, {high:.3f}]"
        return [str(self.made["episodes"]), f"{self.made['success']:.3f}", accuracy, *pairs, *others]


def _of(pair: Sequence[int]) -> str:
    return f"{pair[0]}/{pair[1]}" if pair[1] else "–"


def show(console: Console, thoughts: Sequence[FamilyRow], driver: str) -> None:
    """Print the table at the console's width; on a narrow console a family's texts are below its name."""
    baselines = list(dict.fromkeys(b for t in thoughts for b in t.made.get("baselines", {})))
    words, rows = (_apart if console.width >= WIDE else _together)(thoughts)
    heads = [*words, "n", "success", "rule accuracy [95 %]", "twins flip", "twins hold",
             *(b.replace("-", " ") for b in baselines)]  # fmt: skip
    cells = [[*row, *t.figures(baselines)] for row, t in zip(rows, thoughts)]
    made = table(heads, cells, f"driver: {driver}", numbers=range(len(words), len(heads)))
    made.show_lines, made.padding = True, (0, 1, 0, 0)
    for column, width in zip(made.columns, _widths(heads, cells, len(words), console.width)):
        column.width = width
    console.print(made)
    console.print(
        "n: episodes without twins. Success: arrived without an infraction. Rule accuracy: decided as the rule does "
        "and arrived. Twins: flips where the rule flips, holds where it holds. "
        + ("Beside them: rule accuracy of baselines that ignore the rule; best-single obeys the best rule of one "
           "proposition other than the hidden one." if baselines else ""), markup=False,
    )  # fmt: skip
    for thought in thoughts:
        if failed := failures(thought.made):
            console.print(f"{thought.family}: {failed} of its episodes and twins could not be driven", markup=False)
        for name, (episodes, why) in thought.alone.items():
            console.print(f"{thought.family}: '{name}' cannot flip alone in {episodes} of {thought.made['episodes']} "
                          f"episodes ({why})", markup=False)  # fmt: skip


def _widths(heads: Sequence[str], cells: Sequence[Sequence[Any]], words: int, width: int) -> list[int]:
    """The width of each column: figures are as wide as their longest word, and texts share the rest."""

    def longest(i: int) -> int:
        return max(len(word) for text in (heads[i], *(row[i] for row in cells)) for word in str(text).split())

    figures = [longest(i) for i in range(words, len(heads))]
    left = width - sum(figures) - 2 * len(heads)
    if words == 1:
        return [max(left, longest(0)), *figures]
    figures[2] = max(len(row[words + 2]) for row in cells)  # the interval beside its share
    left = width - sum(figures) - 2 * len(heads) - longest(0)
    return [longest(0), *(max(left // (words - 1), longest(i)) for i in range(1, words)), *figures]


def _apart(thoughts: Sequence[FamilyRow]) -> tuple[list[str], list[list[Any]]]:
    heads = ["family", "hidden rule", "what tells thinking from matching"]
    return heads, [[t.family, t.rule, t.why_hard] for t in thoughts]


def _together(thoughts: Sequence[FamilyRow]) -> tuple[list[str], list[list[Any]]]:
    def words(t: FamilyRow) -> Text:
        return Text.assemble((t.family, "bold"), "\n", t.rule, *((("\n", t.why_hard)) if t.why_hard else ()))

    return ["family, hidden rule, what tells thinking from matching"], [[words(t)] for t in thoughts]
