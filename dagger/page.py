"""Pieces of an HTML page: escaping, tables, the evidence strip, pictures as data, and the style sheet.

A page asks the network for nothing: no scripts, no fonts, no addresses. Every piece of text that comes from a file
passes through `text`.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from dagger.figures import FONT, number

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
figure { margin:18px 0; } figure svg { display:block; height:auto; background:#fff; border:1px solid var(--line);
  border-radius:8px; padding:8px; } figcaption { margin-top:8px; }
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
.ladder li { background:#fff; border:1px solid var(--line); border-top:5px solid #b9bec6; border-radius:8px;
  padding:9px 12px 10px; } .ladder li.pass { border-top-color:var(--teal); }
.ladder li.fail { border-top-color:var(--red); } .ladder b { display:block; }
.ladder span { font-size:13px; color:var(--faint); } .ladder .pass span { color:var(--teal); }
.ladder .fail span { color:var(--red); }
.card { background:#fff; border:1px solid var(--line); border-radius:10px; padding:16px 20px 14px; margin:14px 0;
  display:grid; grid-template-columns:190px 1fr; gap:4px 18px; break-inside:avoid; }
.card h3 { margin:0; font-size:19px; } .big { font-size:34px; line-height:1.15; font-weight:650; margin:8px 0 0; }
.card .wide { grid-column:1/-1; margin:2px 0; max-width:none; }
.chip { display:inline-block; border-radius:99px; padding:1px 11px; font-size:13px; font-weight:600; color:#fff;
  background:#858c98; white-space:nowrap; } .chip.pass { background:var(--teal); } .chip.fail { background:var(--red); }
.interval { color:var(--faint); font-size:14px; }
table { border-collapse:collapse; font-size:14.5px; margin:10px 0; background:#fff; width:100%; break-inside:avoid; }
th, td { text-align:left; padding:6px 10px; border-bottom:1px solid var(--line); vertical-align:top; }
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
.strip { width:100%; height:auto; display:block; }
.film { width:100%; table-layout:fixed; } .film td, .film th { padding:3px; border:0; text-align:center; }
.film th { text-align:left; width:128px; vertical-align:middle; padding-right:10px; font-size:14px; color:var(--ink); }
.film img { width:100%; display:block; border-radius:4px; image-rendering:pixelated; }
.swatch { display:inline-block; width:22px; height:5px; border-radius:3px; vertical-align:middle; margin-right:7px; }
.stack { display:flex; height:14px; border-radius:4px; overflow:hidden; min-width:120px; background:#f0f1f3; }
.stack i { display:block; }
@media (max-width:700px) { .card { grid-template-columns:1fr; } .ladder { grid-template-columns:1fr 1fr; }
  .facts.two { columns:1; } }
@media print { body { background:#fff; font-size:11pt; } main { padding:0; max-width:none; }
  h2, h3 { break-after:avoid; } figure, .card, tr, .missing { break-inside:avoid; }
  * { print-color-adjust:exact; -webkit-print-color-adjust:exact; } @page { margin:16mm 14mm; } }
""".replace("FONT", FONT)


def text(value: Any) -> str:
    """Anything as text that cannot be read as HTML; numbers as `number` writes them."""
    return html.escape(number(value) if isinstance(value, (int, float)) or value is None else str(value), quote=True)


def missing(sentence: str) -> str:
    """A box that says what is not there; `sentence` is plain text."""
    return f'<p class="missing">{text(sentence)}</p>'


def section(title: str, intro: str, *parts: str) -> str:
    """A section; `title` and `intro` are plain text, the parts HTML."""
    return f"<section><h2>{text(title)}</h2><p>{text(intro)}</p>{''.join(parts)}</section>"


def figure(drawing: str, caption: str) -> str:
    """A drawing (HTML) with its caption (plain text)."""
    return f"<figure>{drawing}<figcaption>{text(caption)}</figcaption></figure>"


def interval_text(interval: Any) -> str:
    """ "[0.91, 0.99]" or, without one, a dash."""
    if not interval or len(interval) != 2 or interval[0] is None or interval[1] is None:
        return "–"
    return f"[{number(float(interval[0]))}, {number(float(interval[1]))}]"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[int] = (), look: str = "") -> str:
    """A table; cells are HTML already, heads are plain text.

    Args:
        numeric: columns that are set flush right.
        look: class of the table in the style sheet.
    """
    kind = ['class="n"' if i in numeric else "" for i in range(len(heads))]
    head = "".join(f"<th {k}>{text(h)}</th>" for k, h in zip(kind, heads))
    body = "".join("<tr>" + "".join(f"<td {k}>{c}</td>" for k, c in zip(kind, row)) + "</tr>" for row in rows)
    return f'<table class="{look}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


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
        return "[" + ", ".join(_plain(v) for v in value) + "]"
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


def strip(level: Mapping[str, Any], colour: str) -> str:
    """The learner and its baselines on one axis: dots, 95 % intervals, the threshold as a line.

    Args:
        level: as the scorecard has it; rows without a value say so.
        colour: of the learner's row.
    """
    rows: list[tuple[str, Any, Any]] = [("this learner", level.get("value"), level.get("interval"))]
    for name, row in (level.get("baselines") or {}).items():
        row = row if isinstance(row, Mapping) else {"value": row}
        rows.append((str(name), row.get("value"), row.get("interval")))
    threshold = level.get("threshold")
    ends = [v for _, value, interval in rows for v in (value, *(interval or ())) if v is not None]
    ends += [threshold] if threshold is not None else []
    low, high = min([0.0, *ends]), max([1.0, *ends])
    bottom = _TOP + _STEP * len(rows)

    def at(value: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * (value - low) / (high - low)

    out = []
    for mark in np.arange(np.ceil(low / _GRID), np.floor(high / _GRID) + 1) * _GRID:
        out.append(_line(at(mark), _TOP - 4, at(mark), bottom, "#e4e6ea"))
        out.append(_words(at(mark), bottom + 15, f"{mark + 0.0:g}".replace("-", "−"), "#767c86", "middle"))
    if threshold is not None:
        x = at(threshold)
        out.append(_line(x, _TOP - 6, x, bottom, "#1d2330", 'stroke-width="1.4" stroke-dasharray="4 3"'))
        out.append(_words(x, _TOP - 9, f"needed: {threshold:g}", "#1d2330", "middle"))
    for i, (name, value, interval) in enumerate(rows):
        y = _TOP + _STEP * (i + 0.5)
        ink, thick, size = (colour, 7, 6.5) if i == 0 else ("#8a909b", 3, 4.5)
        out.append(_words(_LEFT - 14, y + 4.5, _short(name.replace("_", " ")), "#1d2330", "end", bold=i == 0))
        if value is None:
            out.append(_words(_RIGHT + 14, y + 4.5, "not measured", "#767c86", "start"))
            continue
        if interval_text(interval) != "–":
            look = f'stroke-opacity=".32" stroke-width="{thick}" stroke-linecap="round"'
            out.append(_line(at(interval[0]), y, at(interval[1]), y, ink, look))
        out.append(f'<circle cx="{at(value):.1f}" cy="{y:.1f}" r="{size}" fill="{ink}" stroke="#fff"/>')
        said = f"{number(value)} {interval_text(interval)}" if interval_text(interval) != "–" else number(value)
        out.append(_words(_RIGHT + 14, y + 4.5, said, "#1d2330" if i == 0 else "#676e7a", "start", bold=i == 0))
    return (
        f'<svg class="strip" role="img" aria-label="learner and baselines" viewBox="0 0 {_WIDE} {bottom + 20}" '
        f'font-size="12.5">{"".join(out)}</svg>'
    )


_LEFT, _RIGHT, _WIDE, _STEP, _TOP = 172, 545, 735, 22, 20  # of the strip
_GRID = 0.25


def _line(x1: float, y1: float, x2: float, y2: float, ink: str, look: str = "") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{ink}" {look}/>'


def _words(x: float, y: float, words: str, ink: str, anchor: str, bold: bool = False) -> str:
    weight = ' font-weight="700"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{ink}" text-anchor="{anchor}"{weight}>{text(words)}</text>'


def _short(name: str, most: int = 24) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
