"""Building blocks of the report's HTML: escaping, tables, the evidence strip, pictures as data, the style sheet.

A page loads nothing from the network: no scripts, no fonts, no addresses. Every piece of text that comes from a file
passes through `text`.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from dagger.report.charts import FONT, number

STYLE = """
:root { --ink:#1d2330; --faint:#676e7a; --line:#dfe2e6; --paper:#fbfaf7; --teal:#0f7b6c; --red:#b23a3a; }
* { box-sizing:border-box; }
body { margin:0; background:var(--paper); color:var(--ink); font:16px/1.55 FONT; }
main { max-width:1000px; margin:0 auto; padding:40px 28px 64px; }
header { border-bottom:3px solid var(--ink); padding-bottom:18px; margin-bottom:28px; }
.kicker { text-transform:uppercase; letter-spacing:.09em; font-size:12.5px; color:var(--faint); margin:0 0 6px; }
h1 { font-size:31px; line-height:1.2; margin:0 0 10px; letter-spacing:-.01em; }
h2 { font-size:22px; margin:52px 0 6px; padding-top:14px; border-top:1px solid var(--line); letter-spacing:-.01em; }
h3 { font-size:16px; margin:24px 0 6px; }
p { margin:8px 0; max-width:76ch; }
.lead { font-size:19px; line-height:1.5; }
.caption, figcaption { font-size:14px; line-height:1.5; color:var(--faint); max-width:86ch; }
figure { margin:18px 0; overflow-x:auto; } figure svg { display:block; height:auto; min-width:560px; background:#fff;
  border:1px solid var(--line); border-radius:8px; padding:8px; } figcaption { margin-top:8px; }
code, pre { font:14px/1.5 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { background:#efeee8; border-radius:4px; padding:1px 5px; overflow-wrap:anywhere; }
pre { background:#fff; border:1px solid var(--line); border-radius:8px; padding:12px 14px; white-space:pre-wrap;
  overflow-wrap:anywhere; }
.rule { display:inline-block; background:#fff; border:1px solid var(--line); border-left:4px solid var(--teal);
  border-radius:6px; padding:6px 14px; font:600 18px/1.4 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  overflow-wrap:anywhere; }
.missing { border:1px dashed #b9bec6; border-radius:8px; padding:10px 14px; color:var(--faint); font-size:15px;
  background:#fff; }
.warning { border-left:4px solid var(--red); background:#fff; padding:10px 14px; border-radius:6px; }
.ladder { display:grid; grid-template-columns:repeat(5,1fr); gap:8px; margin:20px 0 4px; padding:0; list-style:none; }
.ladder em { display:block; font-style:normal; font-size:13.5px; line-height:1.35; margin:2px 0 6px; }
.ladder li { background:#fff; border:1px solid var(--line); border-top:5px solid #b9bec6; border-radius:8px;
  padding:9px 12px 10px; } .ladder li.pass { border-top-color:var(--teal); }
.ladder li.fail { border-top-color:var(--red); } .ladder b { display:block; }
.ladder span { font-size:13px; color:var(--faint); font-variant-numeric:tabular-nums; } .ladder i { font-style:normal;
  font-weight:700; } .ladder .pass i { color:var(--teal); } .ladder .fail i { color:var(--red); }
.contents { font-size:14px; line-height:1.9; max-width:none; } .contents a { color:var(--ink);
  margin-right:14px; white-space:nowrap; }
.card { background:#fff; border:1px solid var(--line); border-radius:10px; padding:16px 20px 14px; margin:14px 0; }
.card h3 { margin:0; font-size:19px; } .card > p { max-width:none; margin:4px 0; }
.title { display:flex; flex-wrap:wrap; align-items:baseline; gap:4px 12px; break-after:avoid; }
.big { font-size:27px; line-height:1.15; font-weight:650; margin-left:auto; font-variant-numeric:tabular-nums; }
.chip { display:inline-block; border-radius:99px; padding:1px 11px; font-size:13px; font-weight:600; color:#fff;
  background:#858c98; white-space:nowrap; } .chip.pass { background:var(--teal); } .chip.fail { background:var(--red); }
.interval { color:var(--faint); font-size:14px; }
table { border-collapse:collapse; font-size:14.5px; margin:10px 0; background:#fff; width:100%; break-inside:avoid; }
.beside { display:flex; flex-wrap:wrap; gap:0 32px; align-items:flex-start; }
.scroll { overflow-x:auto; max-width:100%; } table.narrow { width:auto; min-width:min(400px,100%); }
th, td { text-align:left; padding:6px 10px; border-bottom:1px solid var(--line); vertical-align:middle; }
th.group { text-align:center; border-bottom:2px solid #c6cad0; } td code { white-space:nowrap; overflow-wrap:normal; }
tr.marked td { background:#e6f2ef; font-weight:600; }
details { margin:12px 0; } summary { cursor:pointer; font-size:15px; font-weight:600; padding:4px 0; }
th { font-size:12.5px; color:var(--faint); font-weight:600; vertical-align:bottom; }
td.n, th.n { text-align:right; font-variant-numeric:tabular-nums; }
td.n { white-space:nowrap; } .tight th, .tight td { padding:5px 7px; font-size:13.5px; }
td.yes { color:var(--teal); font-weight:600; } td.no { color:#8a909b; }
.way { display:inline-block; min-width:96px; padding:2px 10px; border-radius:6px; font-weight:600; text-align:center; }
.left { background:#d8e7f5; color:#164f82; } .right { background:#fbe3c2; color:#8a4b02; }
.straight { background:#dfecd0; color:#3d6118; } .other { background:#e8e8ea; color:#40454f; }
.undecided { color:#767c86; border:1px dashed #aab0b9; font-weight:500;
  background:repeating-linear-gradient(135deg,#fff 0 5px,#eef0f2 5px 10px); }
.facts { display:grid; grid-template-columns:max-content 1fr; gap:3px 18px; font-size:14px; margin:8px 0; }
.facts dt { color:var(--faint); overflow-wrap:anywhere; } .facts dd { margin:0; overflow-wrap:anywhere;
  font-variant-numeric:tabular-nums; }
.facts.two { columns:2; column-gap:36px; display:block; } .facts.two div { display:flex; justify-content:space-between;
  gap:12px; border-bottom:1px solid #eceef0; padding:2px 0; break-inside:avoid; } .facts.two dd { text-align:right; }
.facts.two dt { flex:none; max-width:60%; }
.strip { table-layout:auto; margin:8px 0 2px; } .strip td { border:0; padding:0; font-size:13.5px; height:25px; }
.strip td.name { white-space:nowrap; padding-right:14px; } .strip small { display:block; color:var(--faint);
  font-size:12px; line-height:1.2; } .strip .plot { width:100%; min-width:150px; height:25px; }
.strip .said { white-space:nowrap; padding-left:16px; color:var(--faint); font-variant-numeric:tabular-nums; }
.strip .learner td { font-weight:650; color:var(--ink); } .strip svg { display:block; width:100%; height:25px;
  overflow:visible; font-size:12px; font-weight:400; } .strip tr.tall .plot, .strip tr.tall svg { height:38px; }
.film { width:100%; table-layout:fixed; } .film td, .film th { padding:3px; border:0; text-align:center; }
.film th { text-align:left; width:128px; vertical-align:middle; padding-right:10px; font-size:14px; color:var(--ink); }
.film img { width:100%; display:block; border-radius:4px; image-rendering:pixelated; }
.swatch { display:inline-block; width:22px; height:5px; border-radius:3px; vertical-align:middle; margin-right:7px; }
.stack { display:flex; height:14px; border-radius:4px; overflow:hidden; min-width:120px; background:#f0f1f3; }
.stack i { display:block; }
@media (max-width:800px) { main { padding:28px 18px 48px; } .ladder { grid-template-columns:1fr; }
  .ladder li { display:grid; grid-template-columns:110px 1fr max-content; gap:12px; align-items:baseline;
  border-top-width:1px; border-left:5px solid #b9bec6; }
  .ladder li.pass { border-color:var(--line); border-left-color:var(--teal); }
  .ladder li.fail { border-color:var(--line); border-left-color:var(--red); } .ladder em { margin:0; }
  .facts.two { columns:1; } .film th { width:96px; font-size:13px; }
  .tight th, .tight td { padding:4px; font-size:12px; }
  .way { min-width:66px; padding:2px 4px; } .stack { min-width:56px; } }
@media (max-width:560px) { .strip td.name { white-space:normal; } .ladder li { grid-template-columns:1fr; gap:2px; } }
@media print { body { background:#fff; font-size:11pt; } main { padding:0; max-width:none; }
  h2, h3 { break-after:avoid; } figure, .card, tr, .missing { break-inside:avoid; }
  details::details-content { content-visibility:visible; } .contents, summary { display:none; }
  figure, .scroll { overflow:visible; } figure svg { min-width:0; }
  * { print-color-adjust:exact; -webkit-print-color-adjust:exact; } @page { margin:16mm 14mm; } }
""".replace("FONT", FONT)


def text(value: Any) -> str:
    """A value as escaped HTML text; numbers are written by `number`."""
    return html.escape(number(value) if isinstance(value, (int, float)) or value is None else str(value), quote=True)


def missing(sentence: str) -> str:
    """A box that names what is absent; `sentence` is plain text."""
    return f'<p class="missing">{text(sentence)}</p>'


def section(title: str, intro: str, *parts: str) -> str:
    """A section; `title` and `intro` are plain text, the parts HTML."""
    return f'<section id="{anchor(title)}"><h2>{text(title)}</h2><p>{text(intro)}</p>{"".join(parts)}</section>'


def anchor(title: str) -> str:
    """The id of the section of this title, for links within the page."""
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())


def folded(summary: str, inner: str) -> str:
    """HTML that unfolds at a click (and in print); `summary` is plain text."""
    return f"<details><summary>{text(summary)}</summary>{inner}</details>"


def figure(drawing: str, caption: str) -> str:
    """A drawing (HTML) with its caption (plain text)."""
    return f"<figure>{drawing}<figcaption>{text(caption)}</figcaption></figure>"


def interval_text(interval: Any) -> str:
    """ "[0.91, 0.99]" or, without one, a dash."""
    if not interval or len(interval) != 2 or interval[0] is None or interval[1] is None:
        return "–"
    return f"[{number(float(interval[0]))}, {number(float(interval[1]))}]"


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    numeric: Sequence[int] = (),
    look: str = "",
    groups: Sequence[tuple[str, int]] = (),
    marked: Sequence[int] = (),
) -> str:
    """A table; cells are HTML already, heads are plain text. A table that is too wide scrolls by itself, not the page.

    Args:
        numeric: columns that are right-aligned.
        look: class of the table in the style sheet.
        groups: heads over the heads, as (plain text, columns).
        marked: rows that are highlighted.
    """
    kind = ['class="n"' if i in numeric else "" for i in range(len(heads))]
    over = "".join(f'<th colspan="{n}" {_GROUP if title else ""}>{text(title)}</th>' for title, n in groups)
    head = "".join(f"<th {k}>{text(h)}</th>" for k, h in zip(kind, heads))
    body = "".join(
        f"<tr{_MARKED if i in marked else ''}>" + "".join(f"<td {k}>{c}</td>" for k, c in zip(kind, row)) + "</tr>"
        for i, row in enumerate(rows)
    )
    return (
        f'<div class="scroll"><table class="{look}"><thead>{f"<tr>{over}</tr>" if over else ""}<tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


_GROUP, _MARKED = 'class="group"', ' class="marked"'


def flat(value: Any, name: str = "", joined: bool = True) -> Iterator[tuple[str, str]]:
    """Nested plain data as (dotted name, text) pairs.

    A list of plain values stays one pair, and so does a mapping of them where `joined`.
    """
    if isinstance(value, Mapping):
        if name and joined and all(_simple(v) for v in value.values()):
            yield name, ", ".join(f"{k} {_plain(v)}" for k, v in value.items()) or "none"
            return
        for key, inner in value.items():
            yield from flat(inner, f"{name} · {key}" if name else str(key), joined)
    elif isinstance(value, (list, tuple)) and not _simple(value):
        for i, inner in enumerate(value):
            yield from flat(inner, f"{name} · {i}" if name else str(i), joined)
    else:
        yield name, _plain(value)


def _simple(value: Any) -> bool:
    """Whether a value can stand in running text: a scalar, or a list of scalars."""
    if isinstance(value, (list, tuple)):
        return not any(isinstance(v, (Mapping, list, tuple)) for v in value)
    return not isinstance(value, Mapping)


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        plain = [_plain(v) for v in value]
        return "[" + ", ".join(f"“{v}”" if ", " in v else v for v in plain) + "]" if plain else "none"
    return value if isinstance(value, str) else number(value)


def facts(data: Mapping[str, Any], columns: bool = False) -> str:
    """A list of names and values."""
    pairs = [f"<dt>{text(k)}</dt><dd>{text(v)}</dd>" for k, v in flat(data, joined=not columns)]
    if columns:
        return '<dl class="facts two">' + "".join(f"<div>{p}</div>" for p in pairs) + "</dl>"
    return '<dl class="facts">' + "".join(pairs) + "</dl>"


def picture(pixels: np.ndarray, alt: str) -> str:
    """An image inside the page, as PNG.

    Raises:
        ValueError: when pixels are not (H, W, 3) uint8.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"a picture is {pixels.shape} {pixels.dtype}; wanted (H, W, 3) uint8")
    done, data = cv2.imencode(".png", pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not done:
        raise ValueError(f"OpenCV cannot encode a picture of shape {pixels.shape}")
    return f'<img alt="{text(alt)}" src="data:image/png;base64,{base64.b64encode(data.tobytes()).decode()}">'


def details(data: Mapping[str, Any]) -> str:
    """The other figures of a level: shares as tables (a row each, a table a group), everything else as facts."""
    loose = {k: v for k, v in data.items() if not _tabular(v)}
    shares = {k: v for k, v in data.items() if _share(v)}
    out = [_shares("", shares)] if shares else []
    out += [_shares(str(k), v) for k, v in data.items() if _tabular(v) and not _share(v)]
    return f'<div class="beside">{"".join(out)}</div>' + (facts(loose) if loose else "")


def _share(value: Any) -> bool:
    return isinstance(value, Mapping) and "value" in value and set(value) <= {"value", "interval", "n"}


def _tabular(value: Any) -> bool:
    """A share, or a mapping whose leaves are shares."""
    return _share(value) or (isinstance(value, Mapping) and bool(value) and all(_tabular(v) for v in value.values()))


def _shares(title: str, data: Mapping[str, Any], before: str = "") -> str:
    def rows(group: Mapping[str, Any], before: str) -> Iterator[list[str]]:
        for name, row in group.items():
            if not _share(row):
                yield from rows(row, f"{before}{name}: ")
            elif row.get("n") == 0:  # no episode was of this kind: its interval says nothing
                yield [text(before + str(name)), "none of this kind", "–", "0"]
            else:
                yield [text(before + str(name)), text(row["value"]), text(interval_text(row.get("interval"))),
                       text(row.get("n"))]  # fmt: skip

    return table([title, "share", "95 % interval", "episodes"], list(rows(data, before)), (1, 2, 3), "tight narrow")


def strip(level: Mapping[str, Any], colour: str) -> str:
    """The learner and its baselines on one axis: dots, 95 % intervals, the threshold as a line.

    A table whose middle column is drawn in percent of its width, so that letters keep their size on any screen.

    Args:
        level: as the scorecard has it; rows without a value are marked as not measured. A baseline may name its `rule`.
        colour: of the learner's row.
    """
    rows: list[tuple[str, Any, Any, Any]] = [("this learner", level.get("value"), level.get("interval"), None)]
    for name, found in (level.get("baselines") or {}).items():
        found = found if isinstance(found, Mapping) else {"value": found}
        rows.append((str(name), found.get("value"), found.get("interval"), found.get("rule")))
    threshold = level.get("threshold")
    ends = [v for _, value, interval, _ in rows for v in (value, *(interval or ())) if v is not None]
    ends += [threshold] if threshold is not None else []
    low, high = min([0.0, *ends]), max([1.0, *ends])
    step = next((s for s in (0.25, 0.5, 1.0, 2.0, 5.0, 10.0) if (high - low) / s <= 6), (high - low) / 5)
    marks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step

    def at(value: float) -> float:
        return 2 + 96 * (value - low) / (high - low)

    def row(name: str, plot: str, said: str, look: str = "") -> str:
        return (
            f'<tr class="{look}"><td class="name">{name}</td><td class="plot"><svg>{plot}</svg></td>'
            f'<td class="said">{said}</td></tr>'
        )

    dashed = 'stroke-width="1.4" stroke-dasharray="4 3"'
    grid = "".join(_line(at(mark), at(mark), "0", "100%", "#e4e6ea") for mark in marks)
    grid += "" if threshold is None else _line(at(threshold), at(threshold), "0", "100%", "#1d2330", dashed)
    out = []
    if threshold is not None:
        out.append(row("", _words(at(threshold), 18, f"needed: {threshold:g}", "#1d2330"), ""))
    for i, (name, value, interval, rule) in enumerate(rows):
        ink, thick, size = (colour, 7, 6.5) if i == 0 else ("#767c86", 3, 4.5)
        named = text(name.replace("_", " ")) + (f"<small>{text(rule)}</small>" if rule else "")
        look = " ".join(["learner"] * (i == 0) + ["tall"] * bool(rule))
        if value is None:
            out.append(row(named, grid, "not measured", look))
            continue
        plot, said = grid, number(value)
        if interval_text(interval) != "–":
            bar = f'stroke-opacity=".4" stroke-width="{thick}" stroke-linecap="round"'
            plot += _line(at(interval[0]), at(interval[1]), "50%", "50%", ink, bar)
            said += f" {interval_text(interval)}"
        plot += f'<circle cx="{at(value):.2f}%" cy="50%" r="{size}" fill="{ink}" stroke="#fff"/>'
        out.append(row(named, plot, text(said), look))
    axis = "".join(_words(at(mark), 15, f"{mark + 0.0:g}".replace("-", "−"), "#676e7a") for mark in marks)
    out.append(row("", axis, ""))
    return f'<table class="strip" aria-label="learner and baselines"><tbody>{"".join(out)}</tbody></table>'


def _line(x1: float, x2: float, y1: str, y2: str, ink: str, look: str = "") -> str:
    """A line; x in percent of the width."""
    return f'<line x1="{x1:.2f}%" y1="{y1}" x2="{x2:.2f}%" y2="{y2}" stroke="{ink}" {look}/>'


def _words(x: float, y: float, words: str, ink: str) -> str:
    return f'<text x="{x:.2f}%" y="{y:g}" fill="{ink}" text-anchor="middle">{text(words)}</text>'
