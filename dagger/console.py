"""Terminal output of commands: a progress bar on a terminal, plain lines elsewhere, and tables of results.

Progress goes to stderr and results to stdout, so that a result can be piped.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

HEARTBEAT = 10.0  # [s] between two lines about the same stage if stderr is no terminal
PLAIN_WIDTH = 160  # width of tables if stdout is no terminal [columns]


def output() -> Console:
    """The console for results, as wide as the terminal, or as COLUMNS says."""
    return Console(soft_wrap=False, highlight=False, width=None if has_width() else PLAIN_WIDTH)


def has_width() -> bool:
    """Whether results have a given width: that of a terminal, or COLUMNS."""
    return sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()


def seconds(duration: float) -> str:
    """A duration as text: 4.2 s, 1 min 12 s."""
    return f"{duration:.1f} s" if duration < 60 else f"{int(duration // 60)} min {duration % 60:.0f} s"


class Bars(AbstractContextManager["Bars"]):
    """A `sim.core.progress.Progress` on the terminal; each finished stage stays as one line.

    Args:
        clock: returns seconds that only increase.
    """

    def __init__(self, clock: Any = time.monotonic) -> None:
        self._clock = clock
        self._console = Console(stderr=True, highlight=False)
        self._live: Progress | None = None
        self._task: TaskID | None = None
        self._text, self._note = "", ""
        self._done = self._total = 0.0
        self._began = self._spoke = 0.0

    def __enter__(self) -> Bars:
        if self._console.is_terminal:
            self._live = Progress(
                TextColumn("{task.description}"), BarColumn(bar_width=28), TextColumn("{task.percentage:>3.0f} %"),
                TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
                console=self._console,
            )  # fmt: skip
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(whole=kind is None)
        if self._live is not None:
            self._live.stop()

    def stage(self, text: str, total: float) -> None:
        """Begin a new stage of `total` units, which ends the one before."""
        self._close(whole=True)
        self._text, self._note, self._total, self._done = text, "", max(total, 1e-9), 0.0
        self._began = self._spoke = self._clock()
        if self._live is not None:
            self._task = self._live.add_task(text, total=self._total, note="")

    def advance(self, by: float, note: str = "") -> None:
        """Report that `by` more units are done."""
        self._done += by
        self._note = note or self._note
        if self._live is not None and self._task is not None:
            self._live.update(self._task, completed=self._done, note=self._note)
        elif self._live is None and self._text and self._clock() - self._spoke > HEARTBEAT:
            self._spoke = self._clock()
            self._say(f"{self._text} … {100 * min(self._done / self._total, 1):.0f} % {self._note}")

    def line(self, text: str) -> None:
        """Print a line that stays above the bar."""
        self._say(text)

    def _say(self, text: str) -> None:
        self._console.print(Text(text.rstrip()), soft_wrap=True)

    def _close(self, whole: bool) -> None:
        if not self._text:
            return
        if self._live is not None and self._task is not None:
            self._live.remove_task(self._task)
        took = seconds(self._clock() - self._began)
        end = took if whole else f"stopped after {took} at {100 * min(self._done / self._total, 1):.0f} %"
        self._say("  ".join(part for part in (self._text, end, self._note) if part))
        self._text, self._task = "", None


# ------------------------------------------------------------------------------------------------- tables
def table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "", numbers: Sequence[int] = ()) -> Table:
    """A table of plain-text cells; columns whose places are in `numbers` are right-aligned."""
    made = Table(title=Text(title) if title else None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(columns):
        made.add_column(Text(name), justify="right" if i in numbers else "left", overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    return made


def figure(value: Any) -> str:
    """A figure as text: 0.93, or "–" if it was not measured."""
    return "–" if value is None or value != value else f"{value:.2f}"


def interval(bounds: Sequence[float | None] | None) -> str:
    """An interval as text: [0.91, 0.97], or nothing."""
    return f"[{figure(bounds[0])}, {figure(bounds[1])}]" if bounds else ""


def scorecard(score: Mapping[str, Any]) -> Table:
    """The five levels of evidence of a scorecard as a table, a row each."""
    rows = []
    for name, level in (score.get("levels") or {}).items():
        passed = level.get("passed")
        unknown = "not asked" if level.get("not_applicable") else "undecided" if level.get("undecided") else "–"
        word = (
            Text(unknown, "dim") if passed is None else Text("passed", "green") if passed else Text("not passed", "red")
        )
        baselines = []
        for key, other in (level.get("baselines") or {}).items():
            value = other.get("value") if isinstance(other, Mapping) else other
            baselines.append(f"{str(key).replace('_', ' ')} {figure(value)}")
        value = f"{figure(level.get('value'))} {interval(level.get('interval'))}".strip()
        what = "; ".join(str(level[k]) for k in ("what", "undecided") if level.get(k))
        rows.append([name, word, value, what, ", ".join(baselines)])
    title = f"{score.get('scenario', '')}: {score.get('rule', '')}"
    return table(["level", "", "value [95 %]", "of what", "baselines"], rows, title)
