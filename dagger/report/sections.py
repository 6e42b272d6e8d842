"""Sections of the report: learning curves, the recovered rule, formula ranking, interventions, twins, transfer.

Every function takes plain data from the run's files and returns HTML; it names what is absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dagger.algorithms.base import ALGORITHMS
from dagger.algorithms.registry import ARMS
from dagger.report import charts as figures
from dagger.report.charts import number
from dagger.report.html import figure, flat, folded, interval_text, missing, picture, section, table, text

TITLES = (
    "What was asked", "A pair of twins", "Learning", "The recovered rule", "Formula ranking",
    "Where and when facts are encoded", "Interchange interventions", "Copying: the scene, or its own motion",
    "Transfer to other maps", "How it was made", "Limits",
)  # fmt: skip
ARM_LEGENDS = {name: ALGORITHMS[name].legend for name in ARMS}
_ARM_WORDS = {"round": "both", **ARM_LEGENDS}


# ------------------------------------------------------------------------------------------------- the training
def learning(metrics: Sequence[Mapping[str, Any]]) -> str:
    """Learning curves and their table, from the rows of metrics.jsonl."""
    rows = [r for r in metrics if str(r.get("key", "")).startswith("evaluate/")]
    if not rows:
        return section("Learning", "How well the learner drove after each round.",
                        missing("metrics.jsonl holds no evaluation: no learning curve can be drawn."))  # fmt: skip
    shared = [r for r in rows if r.get("arm") == "round"]
    arms = {arm: [*shared, *(r for r in rows if r.get("arm") == arm)] for arm in ARM_LEGENDS}
    arms = {arm: found for arm, found in arms.items() if len(found) > len(shared)} or {"dagger": shared}
    losses = {(r.get("arm"), r.get("round")): r.get("losses") for r in metrics if str(r.get("key")).startswith("fit/")}
    cells = []
    for row in rows:
        loss = losses.get((row.get("arm"), row.get("round"))) or [None]
        line = [text(_ARM_WORDS.get(row.get("arm", ""), row.get("arm"))),
                text(row.get("round")), text(row.get("labels")), text(loss[-1])]  # fmt: skip
        for split in ("train", "test"):
            part = row.get(split) or {}
            line += [text(part.get(k)) for k in ("agreement", "arrived", "progress", "episodes")]
        cells.append(line)
    share = ["obeys", "arrives", "progress", "n"]
    heads = ["arm", "round", "labels", "last loss", *share, *share]
    groups = [("", 4), ("conditions it was trained on", 4), ("all conditions", 4)]
    caption = (
        "Share of closed-loop episodes (the learner alone drives) in which the car did what the rule asks for "
        "and arrived, over the number of labels seen. Bands: 95 % (Wilson). Both arms start from the same round 0 and "
        "use the same episodes after it. In behaviour cloning the expert drives them; in DAgger the learner drives "
        "more of them from round to round, and the expert labels every state that it reaches."
    )
    under = (
        "Labels: ticks with an action of the expert to imitate. Last loss: negative log-likelihood of these, which "
        "falls below 0 where the learner is certain. Obeys: did as the rule says and arrived. Arrives: with any "
        "decision. Progress: share of the route covered, on average. n: episodes driven."
    )
    return section(
        "Learning",
        "DAgger (imitation with corrections) beside behaviour cloning (imitation alone), with as many episodes.",
        figure(figures.learning_curves(arms, ARM_LEGENDS), caption),
        table(heads, cells, range(1, len(heads)), "tight", groups),
        f'<p class="caption">{under}</p>',
    )


# ------------------------------------------------------------------------------------------- the rule, recovered
def _way(decision: Any, inks: Mapping[str, str]) -> str:
    if decision is None:
        return '<span class="way undecided">undecided</span>'
    if decision in _WAY_COLOURS:
        return f'<span class="way {decision}">{text(decision)}</span>'
    look = f"border-bottom:3px solid {inks.get(decision, _NO_WAY)}"
    return f'<span class="way other" style="{look}">{text(decision)}</span>'


_WAY_COLOURS = {"left": "#1f6fb2", "right": "#d97706", "straight": "#5b8c2a"}
_MORE_COLOURS = ("#1f6fb2", "#d97706", "#5b8c2a", "#8a4fbf", "#0f8a8a", "#c2186b", "#7a5230", "#49566b", "#b8a000")
_NO_WAY = "#c3c7ce"  # of episodes that showed no decision


def _ways(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The decisions that the expert took or that occurred -> colour; a turn has a fixed colour, "none" is last."""
    found = list(dict.fromkeys(way for row in rows for way in (row.get("counts") or {})))
    wanted = {row.get("expert") for row in rows}
    used = [w for w in found if w == "none" or w in wanted or any((row.get("counts") or {}).get(w) for row in rows)]
    others = [c for c in _MORE_COLOURS if c not in {_WAY_COLOURS.get(way) for way in used}]
    free = iter(others * (1 + len(used) // len(others)))
    return {way: _NO_WAY if way == "none" else _WAY_COLOURS.get(way) or next(free) for way in used}


def _truth_table(truth: Mapping[str, Any]) -> str:
    names = [str(n) for n in truth.get("names") or []]
    inks = _ways(truth["rows"])
    ways, rows = list(inks), []
    for row in truth["rows"]:
        counts = row.get("counts") or {}
        total = sum(counts.values())
        bar = "".join(
            f'<i style="flex:{counts.get(way, 0)};background:{inks[way]}"></i>'
            for way in ways if counts.get(way)
        )  # fmt: skip
        agree = row.get("decided") == row.get("expert")
        mark = "" if row.get("decided") is None else "&nbsp;✓" if agree else "&nbsp;✗&nbsp;differs"
        rows.append(
            [f"<b>{'yes' if v else 'no'}</b>" if v else "no" for v in row.get("cell") or []]
            + [
                _way(row.get("expert"), inks),
                f"<span style='white-space:nowrap'>{_way(row.get('decided'), inks)}{mark}</span>",
            ]
            + [text(counts.get(way, 0)) for way in ways]
            + [f'<div class="stack">{bar}</div>' if total else "no evidence"]
        )
    heads = [*names, "the expert", "the learner", *ways, "share of each"]
    groups = [
        ("facts of the world", len(names)),
        ("decision", 2),
        ("the learner’s episodes, by decision", len(ways) + 1),
    ]
    return table(heads, rows, range(len(names) + 2, len(names) + 2 + len(ways)), "tight", groups)


def _colour_key(inks: Mapping[str, str]) -> str:
    def square(way: str, ink: str) -> str:
        look = f"width:12px;height:12px;margin-right:5px;background:{ink}"
        return f'<span class="swatch" style="{look}"></span>{text(way)}'

    return "Bars: " + " &nbsp; ".join(square(way, ink) for way, ink in inks.items()) + ". "


def why_not(score: Mapping[str, Any], level: str, otherwise: str = "the level was not measured.") -> str:
    """The reason why a level was not asked, as the end of a sentence; `otherwise` if it was."""
    reason = ((score.get("levels") or {}).get(level) or {}).get("not_applicable")
    return f"this scenario cannot be asked, for {str(reason).rstrip('.')}." if reason else otherwise


def recovered(score: Mapping[str, Any]) -> str:
    """The section of the recovered rule: the rule, its forms, and the truth table beside the expert's."""
    truth = score.get("truth_table") or {}
    out = []
    rows = truth.get("rows") or []
    undecided = sum(row.get("decided") is None for row in rows)
    if score.get("recovered_rule"):
        rule = text(score["recovered_rule"])
        out.append(f'<p>The rule, as recovered from the learner’s decisions:</p><p class="rule">{rule}</p>')
    else:
        out.append(missing("No rule was recovered: " + (
            f"{undecided} of {len(rows)} cells stayed undecided." if undecided else why_not(score, "recovered")
        )))  # fmt: skip
    forms = score.get("forms") or {}
    if any(forms.values()):
        names = {"sop": "sum of products (either of these cases …)", "anf": "algebraic normal form (exclusive or of …)"}
        lines = [[text(names.get(k, k)), f"<code>{text(v)}</code>"] for k, v in forms.items() if v]
        out.append(table(["form of the rule", "formula"], lines, look="narrow"))
    same = score.get("equivalent")
    if same is None and why_not(score, "recovered", "") == "":
        out.append(missing("Whether it is equivalent to the expert's rule was not decided."))
    elif score.get("recovered_rule"):
        whole = len(rows) >= 2 ** len(truth.get("names") or [])
        words = "Logically the same as the expert’s rule (" + (
            "proved by a SAT solver)" if whole else "in every combination of facts that can happen)"
        )
        out.append(f"<p>{words}: <b>{text(bool(same))}</b>.</p>")
    if score.get("fused") is not None:
        words = (
            "Fused: the premises are joined so early that they cannot be swapped one by one. The decision may "
            "still be right."
            if score["fused"]
            else "Not fused either: swapping the decision as a whole does not change what the car does."
        )
        out.append(f"<p>{words}</p>")
    if rows:
        out.append(_truth_table(truth))
        caption = (
            "One row per combination of facts (a cell). The same draws of the world are set to every combination in "
            "turn, the learner drives each, and the counts say what it decided. A cell with too little evidence "
            "stays undecided rather than being guessed; “none” means that an episode showed no decision, or failed."
        )
        if len(rows) < 2 ** len(truth.get("names") or []):
            caption += " Combinations that cannot happen have no row."
        out.append(f'<p class="caption">{_colour_key(_ways(rows))}{caption}</p>')
    elif not why_not(score, "recovered", ""):
        out.append(missing("The truth table was not recorded."))
    return section(
        "The recovered rule", "What the learner does in every combination of facts, beside the expert.", *out
    )


# --------------------------------------------------------------------------------------------- inside the network
def ranking(score: Mapping[str, Any]) -> str:
    """The section of the formula ranking: the share of bits that an online code saves on each formula."""
    rows = score.get("league") or []
    intro = "Which formula do the latents encode best? Every formula of the same kind is compared with the expert’s."
    asked = score.get("question")
    if asked is not None:
        intro += (
            f" The expert’s formula says whether the rule decides “{asked}”; its negation has the same code length."
        )
    if not rows:
        why = why_not(score, "encodes", "")
        absent = f"No formulas were compared: {why}" if why else "The formula ranking was not recorded."
        return section("Formula ranking", intro, missing(absent))
    random = score.get("random_compression") or None
    caption = (
        "Minimum description length: an online code predicts, episode by episode, whether a formula is true, knowing "
        "only the latent. The bar is the share of bits that this saves: 1 means free, 0 no better than a coin, below 0 "
        "worse than a coin. A formula that the network encodes is cheap to read, and cheaper than from an untrained "
        "network (diamonds) or from the bare pixels (squares). "
    )
    caption += (
        f"Labels drawn at random save {number(random.get('mean'))} on average; one in twenty of them does better than "
        f"{number(random.get('high'))} (dashed)."
        if random
        else "Labels drawn at random were not measured."
    )
    if random and random.get("labellings") is not None:
        caption += f" {random['labellings']} such labellings were tried."
    ordered = sorted(rows, key=lambda r: -(r.get("compression") or 0.0))
    body = [
        [f"<code>{text(r.get('formula'))}</code>{' the expert’s' if r.get('true') else ''}",
         *(text(r.get(k)) for k in ("compression", "untrained", "pixels", "bits", "accuracy", "episodes"))]
        for r in ordered
    ]  # fmt: skip
    heads = ["formula", "learner", "untrained", "pixels", "code length [bits]", "accuracy", "episodes"]
    groups = [("", 1), ("share of bits saved", 3), ("the learner’s code", 3)]
    if all(r.get("short") is not None for r in ordered):
        heads, groups = [*heads, "bits an episode"], [*groups, ("short codes", 1)]
        body = [[*line, text(r["short"])] for line, r in zip(body, ordered)]
        caption += (
            " Whether the expert’s formula is first is tested with many short codes, since a formula that is encoded "
            "more clearly is learned from fewer episodes; the table has them."
        )
    marked = [i for i, r in enumerate(ordered) if r.get("true")]
    numbers = table(heads, body, range(1, len(heads)), "tight", groups, marked)
    drawing = figure(figures.ranking(rows, random), caption)
    return section("Formula ranking", intro, drawing, folded("The same as a table", numbers))


def interchange(score: Mapping[str, Any]) -> str:
    """The section of the interchange interventions and their controls, with flips and keeps apart."""
    rows = score.get("interchange") or []
    intro = "The latents of two twin worlds are exchanged, fact by fact, while the car drives."
    if not rows:
        why = why_not(score, "uses", "")
        absent = f"Nothing was swapped: {why}" if why else "Interchange interventions were not recorded."
        return section("Interchange interventions", intro, missing(absent))

    def cells(row: Mapping[str, Any], which: str) -> list[str]:
        part = row.get(which) or {}
        return [text(part.get("value")), text(interval_text(part.get("interval"))), text(part.get("n"))]

    body = [[f"<b>{text(r.get('what'))}</b>", *cells(r, "flip"), *cells(r, "keep")] for r in rows]
    heads = ["what is swapped", "share", "95 % interval", "pairs", "share", "95 % interval", "pairs"]
    groups = [("", 1), ("changes when it should (flip)", 3), ("stays when it should (keep)", 3)]
    caption = (
        "Two numbers, never their mean: a swap without effect keeps every decision, and one that breaks the policy "
        "may flip them all. Rows that name a random variable, a wrong formula or an untrained net are controls, which "
        "should change nothing; the full swap exchanges the whole latent and is the most that a swap can do. In "
        "brackets: the fact in which the two worlds differ."
    )
    where = "; ".join(f"“{p}” at the {', '.join(sites)}" for p, sites in (score.get("swapped_at") or {}).items())
    if where:
        caption += (
            f" Swapped here: {where}. A fact that is swapped at the encoder is combined with others when it is seen; "
            "one that is swapped at the memory is remembered separately."
        )
    numbers = table(heads, body, range(1, 7), "tight", groups)
    return section("Interchange interventions", intro, numbers, f'<p class="caption">{text(caption)}</p>')


# ------------------------------------------------------------------------------------------------------- twins
def twins(
    record: Mapping[str, np.ndarray] | None, camera: tuple[int, int] | None = None, unasked: str = ""
) -> str:  # fmt: skip
    """The film strip of a pair of twins, its steering and its paths.

    Args:
        record: contents of twins.npz.
        camera: width and height of the learner's pictures [px], if known.
        unasked: why the scenario has no such twins, if it has none.
    """
    intro = (
        "Two worlds that differ in one fact and in nothing else; and then the first world again, while the part of the "
        "latent that encodes this fact is taken from the other one, tick by tick."
    )
    if record is None and unasked:
        return section("A pair of twins", intro, missing(f"None were recorded: {unasked}."))
    if record is None:
        return section("A pair of twins", intro, missing("This section was not recorded: the run has no twins.npz."))
    labels = [str(v) for v in record.get("labels", ())]
    place = str(record.get("place", "junction"))
    out = []
    if said := _twins_said(record, labels):
        out.append(said)
    if "frames" in record and len(labels):
        places = [f"{'+' if p > 0 else ''}{float(p):g} m".replace("-", "−") for p in record.get("places", ())]
        rows = []
        for i, label in enumerate(labels):
            swatch = (
                f'<span class="swatch" style="background:{figures.RUN_COLOURS[i % len(figures.RUN_COLOURS)]}"></span>'
            )
            frames = record["frames"][i]
            cells = "".join(f"<td>{picture(f, f'{label}, picture {k + 1}')}</td>" for k, f in enumerate(frames))
            rows.append(f"<tr><th>{swatch}<br>{text(label)}</th>{cells}</tr>")
        under = "".join(f"<td>{text(p)}</td>" for p in places)
        caption = (
            f"The road from the learner’s own camera{_sharper(record['frames'].shape, camera)}, at the same distances "
            f"from the {place}’s edge (before it: negative); a car that ended earlier shows its last picture."
        )
        out.append(figure(f'<table class="film">{"".join(rows)}<tr><th></th>{under}</tr></table>', caption))
    else:
        out.append(missing("The pictures of the twins were not recorded."))
    names = [f"{kind}_{i}" for kind in ("steer", "xy") for i in range(len(labels))]
    if labels and "tick" in record and all(name in record for name in names):
        count = len(labels)
        steers, paths = [record[n] for n in names[:count]], [record[n] for n in names[count:]]
        extent = [float(v) for v in record["map_extent"]] if "map_extent" in record else None
        drawing = figures.twins(labels, steers, paths, float(record["tick"]), record.get("map_picture"), extent)
        caption = (
            "Left: the angle of the front wheels. Right: the paths taken, drawn on the map; the dot is where the drive "
            "ended. If the swap transfers the fact, the third line follows the second one although the camera shows "
            "the first world."
        )
        out.append(figure(drawing, caption))
    else:
        out.append(missing("The paths and steering of the twins were not recorded."))
    return section("A pair of twins", intro, *out)


def _twins_said(record: Mapping[str, np.ndarray], labels: Sequence[str]) -> str:
    """A table of the rule's and the car's decision in each world, with what holds in all; "" if not recorded."""
    if "wanted" not in record or "decided" not in record:
        return ""
    given = ", ".join(str(v) for v in record.get("given", ()))
    inks = {str(v): _NO_WAY for v in record["wanted"]}
    inks |= dict(zip((w for w in inks if w not in _WAY_COLOURS), _MORE_COLOURS[3:]))
    rows = []
    for label, wanted, decided in zip(labels, record["wanted"], record["decided"]):
        mark = "&nbsp;✓" if str(wanted) == str(decided) else "&nbsp;✗"
        rows.append([f"<b>{text(label)}</b>", _way(str(wanted), inks), f"{_way(str(decided), inks)}{mark}"])
    shared = f'<p class="caption">In all of them: {text(given)}.</p>' if given else ""
    return table(["world", "the rule’s decision", "what the car did"], rows, look="tight narrow") + shared


def _sharper(shape: Sequence[int], camera: tuple[int, int] | None) -> str:
    """A remark that frames (R, K, H, W, 3) have another size than the learner's pictures; "" if they do not."""
    if camera is None or (shape[3], shape[2]) == camera:
        return ""
    return f", drawn at {shape[3]} × {shape[2]} pixels (the learner sees {camera[0]} × {camera[1]})"


def transfer(score: Mapping[str, Any]) -> str:
    """The section of the same learner on other maps."""
    rows, note = score.get("transfer") or [], score.get("transfer_note")
    intro = "The same learner, without further training, on maps that it has never seen."
    if not rows:
        return section(
            "Transfer to other maps", intro, missing(str(note or "Transfer to other maps was not recorded."))
        )
    body = [
        [f"<b>{text(r.get('where'))}</b>", text(r.get("value")), text(interval_text(r.get("interval"))),
         text(r.get("arrived")), text(r.get("episodes"))]
        for r in rows
    ]  # fmt: skip
    heads = ["map", "obeys the rule", "95 % interval", "arrives", "episodes"]
    out = [table(heads, body, range(1, len(heads)))]
    for r in rows:
        if cells := list(flat(r.get("cells") or {})):
            lines = [[text(k), text(v)] for k, v in cells]
            out.append(table([f"{r.get('where')}, by conditions", "obeys the rule"], lines, (1,), "tight narrow"))
    if note:
        out.append(f"<p>{text(note)}</p>")
    return section("Transfer to other maps", intro, *out)
