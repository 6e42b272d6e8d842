"""A chart of the self-motion check with a panel per scenario: docs/images/self-motion.png.

`dagger scenarios --markdown docs/reference/scenarios.md` draws it from the figures in self_motion.json beside the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dagger.diagnostics.self_motion import in_short
from sim.core.files import atomic_path
from sim.core.statistics import wilson_interval

COLUMNS, WIDTH, HEIGHT = 3, 13.0, 2.9  # panels in a row; [inches] of the chart and of a row
TOP = 0.95  # [inches] of the title and the legend
MOTION, CHANCE, SIGN, SEEN = "#0f766e", "#5a606a", "#e8871e", "#3b76c4"
BAR = 0.13  # height of a bar of evidence, where the accuracy axis is 1
_STYLE: Any = {
    "font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 10.5, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#c6cad0",
    "text.parse_math": False, "xtick.color": "#5a606a", "ytick.color": "#5a606a",
}  # fmt: skip


def draw_sheet(figures: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw a panel per scenario into a PNG; an existing file is replaced atomically.

    Args:
        figures: name -> what `dagger.diagnostics.self_motion.SelfMotion.to_dict` returns.

    Raises:
        ValueError: if there is nothing to draw.
    """
    if not figures:
        raise ValueError("no figures to draw; wanted those of one scenario or more")
    columns = min(COLUMNS, len(figures))
    rows = -(-len(figures) // columns)
    height = rows * HEIGHT + TOP
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH * columns / COLUMNS, height), dpi=110)
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, (name, found) in zip(panels, sorted(figures.items())):
            _panel(axes, name, found)
        for axes in panels[len(figures) :]:
            axes.set_axis_off()
        if columns == COLUMNS:
            _head(figure, height)
        figure.tight_layout(rect=(0, 0, 1, 1 - TOP / height))
        with atomic_path(path) as whole:
            figure.savefig(whole, format="png", metadata={"Software": None})


def _head(figure: Figure, height: float) -> None:
    """Draw the title and the legend."""
    figure.text(
        0.012, 1 - 0.1 / height, "How well the demonstrator's own motion tells its coming decision",
        fontsize=14, fontweight="bold", va="top",
    )  # fmt: skip
    signs = [
        Line2D([], [], color=MOTION, lw=2, label="share guessed right from own speed, turn, pedal, wheel"),
        Line2D([], [], color=MOTION, lw=0, marker="o", ms=7, label="first better than chance"),
        Line2D([], [], color=CHANCE, lw=1.3, ls=(0, (3, 2)), label="chance"),
        Patch(color=SIGN, alpha=0.3, label="the decision shows (5 to 95 % of drives; line: median)"),
        Patch(color=SEEN, alpha=0.35, label="evidence: from known to last in sight (medians)"),
    ]
    figure.legend(
        handles=signs, loc="upper left", bbox_to_anchor=(0.006, 1 - 0.36 / height), ncols=3, frameon=False, fontsize=9
    )


def _panel(axes: Axes, name: str, found: Mapping[str, Any]) -> None:
    """Draw one scenario: accuracy over time above the line, when each proposition was in sight below it."""
    time, right, chance = (np.array(found[k], float) for k in ("time", "accuracy", "chance"))
    early, middle, late = found["sign"]
    end = 1.05 * min(late, 1.2 * max(middle, *time)) + 0.1  # few drives take very long
    axes.set_title(name, pad=17)
    axes.text(0, 1.02, in_short(found), transform=axes.transAxes, fontsize=8.5, color="#444a52", va="bottom")
    axes.axvspan(early, late, color=SIGN, alpha=0.2, lw=0)
    axes.axvline(middle, color=SIGN, lw=1.5)
    if len(time):
        low, high = zip(*(wilson_interval(round(a * n), n) for a, n in zip(right, found["left"])))
        axes.fill_between(time, low, high, color=MOTION, alpha=0.16, lw=0)
        axes.plot(time, chance, color=CHANCE, lw=1.3, ls=(0, (3, 2)))
        axes.plot(time, right, color=MOTION, lw=2, marker=".", ms=5)
    if found["first"] is not None:
        first = found["time"].index(found["first"])
        axes.plot(time[first], right[first], "o", color=MOTION, ms=8)
    _evidence(axes, found["evidence"], end)
    axes.axhline(0, color="#c6cad0", lw=0.8)
    axes.set_xlim(0, end)
    axes.set_ylim(-BAR * (len(found["evidence"]) + 0.7), 1.03)
    axes.set_yticks([0, 0.5, 1])
    axes.spines["left"].set_bounds(0, 1)
    axes.set_xlabel("seconds after the start", fontsize=8, color="#5a606a", labelpad=1)


def _evidence(axes: Axes, evidence: Mapping[str, Any], end: float) -> None:
    """Draw a bar per proposition; its name is behind the bar if there is room, else on it."""
    for k, (what, seen) in enumerate(evidence.items()):
        y = -BAR * (k + 1) + 0.15 * BAR
        begin, stop = seen["known"][1], min(seen["last"][1], end)
        axes.barh(y, max(stop - begin, 0.008 * end), 0.82 * BAR, left=begin, color=SEEN, alpha=0.35, lw=0)
        share = "" if seen["share"] > 0.99 else f", in {100 * seen['share']:.0f} % of drives"
        behind = begin > 0.55 * end  # then there is more room before it
        axes.text(
            begin if behind else begin + 0.01 * end, y, f"{what}{share}{' ' if behind else ''}", fontsize=7.5,
            color="#1d3f6e", va="center_baseline", ha="right" if behind else "left",
        )  # fmt: skip
