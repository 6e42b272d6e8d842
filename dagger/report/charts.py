"""The report's charts: matplotlib figures as SVG strings, to embed in the page.

All numbers come in as arguments. Text stays text (searchable, readable aloud, printable) in the page's own font:
matplotlib lays it out with DejaVu's metrics, which are among the widest, so no other font overflows. `$` is an ordinary
character here, as names come from files.
"""

from __future__ import annotations

import io
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from sim.core.statistics import wilson_interval

INK, FAINT, GRID = "#1d2330", "#676e7a", "#e4e6ea"
TEAL, ORANGE, OTHERS = "#0f7b6c", "#d97706", "#cfd6dc"
ARM_COLOURS = {"dagger": TEAL, "cloning": ORANGE}
RUN_COLOURS = ("#d98e04", "#1f6fb2", "#c2186b", "#0f8a6d", "#6e54aa", "#5a606a")
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, "DejaVu Sans", sans-serif'

# Drawn 8 inches wide, the letters are as large as the page's text on a wide screen and still 10 px on a narrow one.
WIDTH, WORDS = 8.0, 9.5  # [inches], [points]

_STYLE: Any = {
    "svg.fonttype": "none", "svg.hashsalt": "homunculus", "text.parse_math": False, "font.family": "DejaVu Sans",
    "font.size": WORDS, "axes.edgecolor": "#c6cad0", "axes.labelcolor": INK, "axes.titlesize": WORDS + 0.5,
    "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False,
    "xtick.color": FAINT, "ytick.color": FAINT, "text.color": INK, "axes.grid": False, "hatch.color": "#c3c7cd",
    "hatch.linewidth": 0.8, "axes.unicode_minus": True, "legend.frameon": False,
}  # fmt: skip


def number(value: Any) -> str:
    """A number as the whole report writes it: three decimals below 10, fewer above, whole numbers without."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value).replace("-", "−")
    if not isinstance(value, float):
        return str(value)
    if not math.isfinite(value):
        return str(value)
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 10 else 3
    return f"{value:.{digits}f}".replace("-", "−")


def _svg(figure: Figure, what: str) -> str:
    """The figure as an SVG element that scales with the page; `what` is its label for screen readers."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # The page's font in place of matplotlib's, which the reader's machine may not have.
    text = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", lambda _: FONT.replace('"', "'"), text)
    # Namespaces mean nothing inside an HTML page, and a page without addresses can be seen to ask for nothing.
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text)
    text = text.replace("xlink:href", "href")
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # the same in every figure, and an id may stand once in a page
    width, height = (float(v) for v in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text).groups())  # type: ignore[union-attr]
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    label = what.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    style = f"width:100%;max-width:{width * 1.65:.0f}px;aspect-ratio:{width:.2f}/{height:.2f}"
    return text.replace("<svg", f'<svg role="img" aria-label="{label}" style="{style}"', 1)


def _axes(width: float, height: float, columns: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    made = figure.subplots(1, columns, squeeze=False, **options)[0]
    return figure, list(made)


# ---------------------------------------------------------------------------------------------- learning curves
def learning_curves(arms: Mapping[str, Sequence[Mapping[str, Any]]], names: Mapping[str, str]) -> str:
    """Agreement over labels, a line per arm; panels: training conditions, all conditions.

    Args:
        arms: arm -> rows of `labels`, `train` and `test`, each of these with `agreement` and `episodes`.
        names: arm -> its name in the legend.
    """
    with matplotlib.rc_context(_STYLE):
        figure, panels = _axes(WIDTH, 3.0, 2, sharey=True)
        titles = {"train": "conditions it was trained on", "test": "all conditions, any held-out ones too"}
        for axes, (split, title) in zip(panels, titles.items()):
            axes.set_title(title)
            for k, (arm, rows) in enumerate(arms.items()):
                points = sorted(
                    (row["labels"], row[split]["agreement"], row[split].get("episodes") or 0)
                    for row in rows
                    if (row.get(split) or {}).get("agreement") is not None and row.get("labels") is not None
                )
                if not points:
                    continue
                x, y, n = (np.array(v, float) for v in zip(*points))
                colour = ARM_COLOURS.get(arm, RUN_COLOURS[k])
                if (n > 0).all():
                    low, high = zip(*(wilson_interval(round(s * t), int(t)) for s, t in zip(y, n)))
                    axes.fill_between(x, low, high, color=colour, alpha=0.13, linewidth=0)
                dash = "-" if arm == "dagger" else (0, (4, 2))
                axes.plot(x, y, color=colour, lw=2, marker="o", ms=4.5, ls=dash, label=names.get(arm, arm))
            axes.set_ylim(-0.02, 1.04)
            axes.set_yticks(np.linspace(0, 1, 6))
            axes.grid(axis="y", color=GRID, lw=0.8)
            axes.set_xlabel("labels seen (one per tick)")
            axes.xaxis.set_major_formatter(lambda v, _: f"{v / 1000:g} k" if abs(v) >= 2000 else f"{v:g}")
        panels[0].set_ylabel("share that obeys the rule")
        handles, labels = panels[0].get_legend_handles_labels()
        if handles:
            panels[0].legend(handles, labels, loc="lower right")
        return _svg(figure, "learning curves: agreement with the rule over the number of labels")


# ------------------------------------------------------------------------------------------------------- copying
def copying_curves(told: Mapping[str, Any]) -> str:
    """What the memory predicts of the decision before it shows, while watching the expert and while driving.

    Args:
        told: `leads` [s], `curves` (name -> one point a lead, `value` and `interval`, or None), `chance`.
    """
    lines = (
        ("watching", TEAL, "-", "watching the expert: the wanted decision"),
        ("driving", ORANGE, "-", "driving itself: the wanted decision"),
        ("own_way", "#6e54aa", (0, (4, 2)), "driving itself: the decision that it then takes"),
    )
    with matplotlib.rc_context(_STYLE):
        figure, (axes,) = _axes(WIDTH, 3.1)
        for name, colour, dash, label in lines:
            points = [(lead, p) for lead, p in zip(told["leads"], told["curves"].get(name) or []) if p]
            if not points:
                continue
            x = [lead for lead, _ in points]
            low, high = zip(*(p["interval"] for _, p in points))
            axes.fill_between(x, low, high, color=colour, alpha=0.13, linewidth=0)
            axes.plot(x, [p["value"] for _, p in points], color=colour, lw=2, ls=dash, label=label)
        axes.axhline(told["chance"], color=FAINT, lw=1, ls=(0, (1, 2)))
        axes.annotate("always the commonest", (1.0, told["chance"]), xycoords=("axes fraction", "data"), color=FAINT,
                      ha="right", va="top", xytext=(-2, -3), textcoords="offset points")  # fmt: skip
        axes.set_ylim(-0.02, 1.04)
        axes.grid(axis="y", color=GRID, lw=0.8)
        axes.set_xlabel("seconds before the first sign of the decision")
        axes.xaxis.set_major_formatter(lambda v, _: f"{abs(v):g}")
        axes.set_ylabel("share of drives")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.26), ncols=2, fontsize=WORDS - 0.5)
        return _svg(figure, "what the memory predicts of the coming decision, over time, watching and driving")


# --------------------------------------------------------------------------------------------------- the ranking
def _standing(row: Mapping[str, Any]) -> float:
    value = row.get("compression")
    return -math.inf if value is None else float(value)


def ranking(rows: Sequence[Mapping[str, Any]], random: Mapping[str, Any] | None) -> str:
    """Horizontal bars of compression, one per formula, the best on top, with the baselines as marks.

    Args:
        rows: scorecard rows with `formula`, `compression`, `true`, `untrained`, `pixels`.
        random: `mean` and `high` compression of labels drawn at random, or None.
    """
    ordered = sorted(rows, key=_standing, reverse=True)
    with matplotlib.rc_context(_STYLE):
        figure, (axes,) = _axes(WIDTH, 1.15 + 0.27 * len(ordered))
        places = np.arange(len(ordered))[::-1]
        beside = axes.get_yaxis_transform()  # x as a share of the axes: the numbers stand in a column of their own
        for place, row in zip(places, ordered):
            value, true = row.get("compression"), bool(row.get("true"))
            if value is not None:
                axes.barh(place, value, 0.66, color=TEAL if true else OTHERS)
            axes.text(1.09, place, number(value), transform=beside, va="center", ha="right",
                      color=INK if true else FAINT, weight="bold" if true else "normal")  # fmt: skip
            for key, mark, colour, _ in _MARKS:
                if row.get(key) is not None:
                    axes.plot(row[key], place, mark, color=colour, mec="white", mew=0.8, ms=6.5, zorder=3)
        axes.axvline(0, color="#9aa0aa", lw=1)
        keys: list[Any] = [Rectangle((0, 0), 1, 1, color=TEAL), Rectangle((0, 0), 1, 1, color=OTHERS)]
        words = ["the expert's formula", "other formulas"]
        for key, mark, colour, name in _MARKS:
            if any(row.get(key) is not None for row in ordered):
                keys.append(Line2D([], [], color=colour, marker=mark, ls="", ms=6.5))
                words.append(name)
        if random and random.get("high") is not None:
            keys.append(axes.axvline(random["high"], color=FAINT, lw=1, ls=(0, (3, 2)), zorder=0))
            words.append("random labels")
        figure.legend(keys, words, loc="outside upper left", ncols=len(keys), handlelength=1.4, handletextpad=0.5,
                      columnspacing=1.3, fontsize=WORDS - 0.5)  # fmt: skip
        axes.set_yticks(places, [textwrap.fill(str(r.get("formula", "?")), 36) for r in ordered])
        for tick, row in zip(axes.get_yticklabels(), ordered):
            tick.set_color(INK)
            tick.set_fontweight("bold" if row.get("true") else "normal")
        values = [row.get(k) for row in ordered for k in ("compression", "untrained", "pixels")]
        low = min([0.0, *(v for v in values if v is not None)])
        high = max([0.3, *(v for v in values if v is not None)])
        axes.set_xlim(low - 0.03 * (high - low), high + 0.03 * (high - low))
        axes.set_ylim(-0.6, len(ordered) - 0.4)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("share of bits saved by knowing the latent (1: free to read, 0: no better than a coin)")
        return _svg(figure, "formula ranking: compression per formula")


# What else is marked in the ranking: key of a row, marker, colour, name in the legend.
_MARKS = (("untrained", "D", ORANGE, "untrained network"), ("pixels", "s", "#6e54aa", "bare pixels"))


# ------------------------------------------------------------------------------------------------------ the maps
def heat_map(
    values: Sequence[Sequence[float | None]], sites: Sequence[str], stations: Sequence[float], title: str,
    threshold: float | None = None, colour: str = TEAL, place: str = "junction",
) -> str:  # fmt: skip
    """Sites (rows, the last on top) x stations (columns), the number in every cell.

    Args:
        values: (sites, stations); None where nothing is defined: hatched.
        stations: [m] from the edge of the place of decision.
        threshold: cells under it are greyed.
        place: what that place is called.

    Raises:
        ValueError: when the table's shape is not (sites, stations).
    """
    table = np.array([[np.nan if v is None else v for v in row] for row in values], float)
    if table.shape != (len(sites), len(stations)):
        raise ValueError(f"map {title!r} has shape {table.shape}; wanted {len(sites)} sites x {len(stations)} stations")
    shades = LinearSegmentedColormap.from_list("shades", ["#f4f6f6", colour])
    with matplotlib.rc_context(_STYLE):
        figure, (axes,) = _axes(WIDTH, 0.98 + 0.38 * len(sites))
        axes.set_title(title)
        for i, j in np.ndindex(*table.shape):
            value = table[i, j]
            defined = bool(np.isfinite(value))
            under = defined and threshold is not None and value < threshold
            strength = float(np.clip(value, 0, 1)) if defined else 0.0
            face = shades(strength) if defined and not under else "#f1f1ef" if under else "#ffffff"
            cell = Rectangle((j - 0.48, i - 0.46), 0.96, 0.92, facecolor=face, edgecolor="none", lw=0)
            if not defined:
                cell.set(hatch="////", edgecolor="#c9cdd3")
            axes.add_patch(cell)
            ink = FAINT if under or not defined else readable_on(face)
            axes.text(j, i, number(float(value)) if defined else "–", ha="center", va="center", color=ink,
                      bbox=None if defined else {"facecolor": "white", "edgecolor": "none", "pad": 1.5})  # fmt: skip
        axes.set_yticks(range(len(sites)), list(sites))
        _along(axes, stations, (-0.5, len(sites) - 0.5))
        axes.set_xlabel(f"metres from the {place}'s edge (before it: negative)")
        _place_begins(axes, stations, len(sites) - 0.42, place)
        return _svg(figure, title)


def held_maps(
    held: Mapping[str, Any], sites: Sequence[str], stations: Sequence[float], titles: Sequence[str],
    place: str = "junction",
) -> str:  # fmt: skip
    """A map of sites x stations for every variable, one below the other; the row below each marks evidence in view.

    Args:
        held: `saved`, `held` (variables, sites, stations), `visible` (variables, stations), `threshold` and, where
            it is known, `until`, as `probes.localization.Held.to_dict` gives them.
        stations: [m] from the edge of the place of decision.
        titles: of the maps.
        place: what that place is called.

    Raises:
        ValueError: when a table has another shape.
    """
    saved, mark = np.array(held["saved"], float), np.array(held["held"], bool)
    seen, rows = np.array(held["visible"], bool), len(sites)
    if not saved.shape == mark.shape == (len(titles), rows, len(stations)) or seen.shape != saved[:, 0].shape:
        raise ValueError(f"maps have shapes {saved.shape}, {mark.shape} and {seen.shape}; "
                         f"wanted {len(titles)} variables x {rows} sites x {len(stations)} stations")  # fmt: skip
    shades = LinearSegmentedColormap.from_list("shades", ["#e3efec", TEAL])
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, 0.95 + len(titles) * (0.62 + 0.3 * rows)), layout="constrained")
        panels = figure.subplots(len(titles), 1, squeeze=False, sharex=True)[:, 0]
        for v, (axes, title) in enumerate(zip(panels, titles)):
            axes.set_title(title)
            for i, j in np.ndindex(rows, len(stations)):
                readable = saved[v, i, j] > held["threshold"]
                face = shades(float(np.clip(saved[v, i, j], 0, 1))) if readable else "#f1f1ef"
                edge, width = (INK, 1.8) if mark[v, i, j] else ("none", 0.0)
                axes.add_patch(Rectangle((j - 0.46, i - 0.42), 0.92, 0.84, facecolor=face, edgecolor=edge, lw=width))
                said = f"{saved[v, i, j]:.2f}".replace("-", "−")
                pale = held.get("until") is not None and stations[j] > held["until"]
                axes.text(j, i, said if readable else "·", ha="center", va="center", zorder=4,
                          color=readable_on(face) if readable and not pale else FAINT)  # fmt: skip
            for j in np.flatnonzero(seen[v]):
                axes.add_patch(Rectangle((j - 0.5, -0.92), 1.0, 0.22, facecolor=ORANGE, edgecolor="none"))
            labels = ["in view", *sites] if seen[v].any() else list(sites)
            axes.set_yticks([-0.81, *range(rows)] if seen[v].any() else range(rows), labels)
            _along(axes, stations, (-1.0, rows - 0.45))
            _veiled(axes, stations, held.get("until"), rows - 0.42, v == 0)
        _place_begins(panels[0], stations, rows - 0.42, place)
        panels[-1].set_xlabel(f"metres from the {place}'s edge (before it: negative)")
        keys = [Rectangle((0, 0), 1, 1, facecolor=shades(0.8), edgecolor=INK, lw=1.8),
                Rectangle((0, 0), 1, 1, facecolor=shades(0.8)), Rectangle((0, 0), 1, 1, facecolor="#f1f1ef"),
                Rectangle((0, 0), 1, 1, facecolor=ORANGE)]  # fmt: skip
        words = ["held (more than untrained)", "readable", "not readable", "evidence in view"]
        figure.legend(keys, words, loc="outside upper left", ncols=4, handlelength=1.4, handletextpad=0.5,
                      columnspacing=1.5, fontsize=WORDS - 0.5)  # fmt: skip
        return _svg(figure, "what is encoded where and when: " + "; ".join(titles))


def _veiled(axes: Axes, stations: Sequence[float], until: float | None, height: float, said: bool) -> None:
    """Fade the columns where the drive has shown its decision: there, a latent may reflect the path taken."""
    shown = [j for j, station in enumerate(stations) if until is not None and station > until]
    if shown:
        axes.add_patch(Rectangle((shown[0] - 0.5, -0.5), len(shown), height + 0.5, facecolor="white", alpha=0.6,
                                 edgecolor="none", zorder=3))  # fmt: skip
        if said:
            axes.text(len(stations) - 0.5, height, "pale: the decision shows", ha="right", va="bottom", color=FAINT)


def _along(axes: Axes, stations: Sequence[float], rows: tuple[float, float]) -> None:
    """The frame of a map: stations in metres below it, a dashed line where the place of decision begins, no spines."""
    axes.set_xlim(-0.5, len(stations) - 0.5)
    axes.set_ylim(*rows)
    axes.set_xticks(range(len(stations)), [f"{'+' if s > 0 else '−' if s < 0 else ''}{abs(s):g}" for s in stations])
    axes.tick_params(length=0, labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if (edge := _edge(stations)) is not None:
        axes.axvline(edge, color=INK, lw=1.2, ls=(0, (2, 2)))


def _edge(stations: Sequence[float]) -> float | None:
    """The position between columns at which the place of decision begins; None if the map ends before."""
    if len(stations) < 2 or not min(stations) < 0 < max(stations):
        return None
    edge = float(np.interp(0.0, stations, range(len(stations))))
    return edge - 0.5 if 0.0 in stations else edge


def _place_begins(axes: Axes, stations: Sequence[float], height: float, place: str) -> None:
    if (edge := _edge(stations)) is not None:
        axes.text(edge, height, f"the {place} begins", ha="center", va="bottom", color=INK)


def contrast(one: Any, other: Any) -> float:
    """Contrast of two colours, 1 to 21 (WCAG 2, section 1.4.3)."""

    def luminance(colour: Any) -> float:
        parts = np.array(to_rgb(colour))
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def readable_on(face: Any) -> str:
    """White or ink: the one with the higher contrast on a colour."""
    return max(("white", INK), key=lambda ink: contrast(face, ink))


# ----------------------------------------------------------------------------------------------------- the twins
def twins(
    labels: Sequence[str], steers: Sequence[np.ndarray], paths: Sequence[np.ndarray], tick: float,
    ground: np.ndarray | None, extent: Sequence[float] | None,
) -> str:  # fmt: skip
    """Steering over time, and the paths from above.

    Args:
        labels: (R,); steers: (T_i,) each [rad]; paths: (T_i, 2) each [m]; tick: [s].
        ground: (H, W, 3) picture under the paths, row 0 on top, or None; extent: its x0, x1, y0, y1 [m].
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, 3.5), layout="constrained")
        time, above = figure.subplots(1, 2, width_ratios=[1.55, 1])
        time.set_title("angle of the front wheels")
        above.set_title("paths taken, from above")
        if ground is not None and extent is not None:
            above.imshow(ground, extent=tuple(float(v) for v in extent), origin="upper", interpolation="bilinear")
        for i, (label, steer, path) in enumerate(zip(labels, steers, paths)):
            colour, dash = RUN_COLOURS[i % len(RUN_COLOURS)], "-" if i < 2 else (0, (4, 1.5))
            time.plot(np.arange(len(steer)) * tick, np.degrees(steer), color=colour, lw=2.2, ls=dash, label=label)
            if len(path):
                above.plot(path[:, 0], path[:, 1], color="white", lw=6, solid_capstyle="round", zorder=2)
                above.plot(path[:, 0], path[:, 1], color=colour, lw=3, ls=dash, zorder=3)
                above.plot(*path[-1], "o", color=colour, mec="white", ms=7, zorder=4 + i)
        time.axhline(0, color="#c6cad0", lw=1, zorder=0)
        time.set_xlabel("seconds")
        time.set_ylabel("degrees, left is up")
        time.grid(axis="y", color=GRID, lw=0.8)
        low, high = time.get_ylim()
        time.set_ylim(low - 0.02 * (high - low), high + 0.12 * len(labels) * (high - low))
        time.legend(loc="upper left", handlelength=2.6)
        above.set_aspect("equal")
        if extent is not None:
            above.set_xlim(float(extent[0]), float(extent[1]))
            above.set_ylim(float(extent[2]), float(extent[3]))
        above.set_xticks([])
        above.set_yticks([])
        return _svg(figure, "twins: steering over time and the paths taken, seen from above")
