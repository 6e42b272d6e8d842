"""The findings of a run as sections of its report: what it learned, which rule was read back, where it sits.

Every function takes plain data out of the run's files and gives HTML; what is absent is said to be missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dagger import figures
from dagger.figures import number
from dagger.page import figure, flat, interval_text, missing, picture, section, table, text

ARM_LEGENDS = {"dagger": "DAgger", "cloning": "behaviour cloning"}
_ARM_WORDS = {"round": "both", "dagger": "DAgger", "cloning": "cloning"}


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
    heads = ["arm", "round", "labels", "last loss", "trained on: obeys", "arrives", "progress", "episodes",
             "all: obeys", "arrives", "progress", "episodes"]  # fmt: skip
    caption = (
        "Share of closed-loop episodes in which the car took the way that the rule asks for and got there in one "
        "piece, "
        "over the number of labels seen. Bands: 95 % (Wilson). Both arms start from the same round 0 and get the same "
        "number of labels; in DAgger the learner drives and the expert labels what it ran into, in behaviour "
        "cloning the expert drives all the time."
    )
    return section(
        "Learning",
        "DAgger beside behaviour cloning, at equal label budgets.",
        figure(figures.learning_curves(arms, ARM_LEGENDS), caption),
        table(heads, cells, range(1, len(heads)), "tight"),
    )


# ------------------------------------------------------------------------------------------- the rule, recovered
def _way(decision: Any) -> str:
    if decision is None:
        return '<span class="way undecided">undecided</span>'
    kind = decision if decision in ("left", "right", "straight") else "other"
    return f'<span class="way {kind}">{text(decision)}</span>'


_WAY_COLOURS = {"left": "#1f6fb2", "right": "#d97706", "straight": "#5b8c2a"}


def _truth_table(truth: Mapping[str, Any]) -> str:
    names = [str(n) for n in truth.get("names") or []]
    ways = list(dict.fromkeys(way for row in truth["rows"] for way in (row.get("counts") or {})))
    rows = []
    for row in truth["rows"]:
        counts = row.get("counts") or {}
        total = sum(counts.values())
        bar = "".join(
            f'<i style="flex:{counts.get(way, 0)};background:{_WAY_COLOURS.get(way, "#a3a9b3")}"></i>'
            for way in ways if counts.get(way)
        )  # fmt: skip
        agree = row.get("decided") == row.get("expert")
        mark = "" if row.get("decided") is None else "✓" if agree else "✗ differs"
        rows.append(
            [f"<b>{'yes' if v else 'no'}</b>" if v else "no" for v in row.get("cell") or []]
            + [_way(row.get("expert")), f"{_way(row.get('decided'))} {mark}"]
            + [text(counts.get(way, 0)) for way in ways]
            + [f'<div class="stack">{bar}</div>' if total else "no evidence"]
        )
    heads = [*names, "the expert", "read from the learner", *ways, "share"]
    return table(heads, rows, range(len(names) + 2, len(names) + 2 + len(ways)))


def recovered(score: Mapping[str, Any]) -> str:
    """The recovered rule, its forms and the truth table beside the expert's."""
    truth = score.get("truth_table") or {}
    out = []
    if score.get("recovered_rule"):
        out.append(
            f'<p>The rule that the interventions give back:</p><p class="rule">{text(score["recovered_rule"])}</p>'
        )
    else:
        out.append(missing("No rule was recovered: too many cells stayed undecided, or the level was not measured."))
    forms = score.get("forms") or {}
    if any(forms.values()):
        names = {"sop": "sum of products (either of these cases …)", "anf": "algebraic normal form (exclusive or of …)"}
        rows = [[text(names.get(k, k)), f"<code>{text(v)}</code>"] for k, v in forms.items() if v]
        out.append(table(["left, in its minimal", "formula"], rows) if rows else "")
    same = score.get("equivalent")
    out.append(missing("Whether it is equivalent to the expert's rule was not decided.") if same is None else
               f"<p>Equivalent to the expert’s rule (checked by SAT): <b>{text(bool(same))}</b>.</p>")  # fmt: skip
    if score.get("fused") is not None:
        words = (
            "Fused: the premises are joined so early that they cannot be swapped one by one. The decision may "
            "still be right."
            if score["fused"]
            else "Not fused: the premises can be swapped one by one."
        )
        out.append(f"<p>{words}</p>")
    if truth.get("rows"):
        out.append(_truth_table(truth))
        out.append('<p class="caption">One row per combination of facts. The learner’s column is what the car did when '
                   "its latent was made to say that combination; the counts are episodes. A cell with too little "
                   "evidence stays undecided rather than being guessed; “none” means that no way was taken in one "
                   "piece.</p>")  # fmt: skip
    else:
        out.append(missing("The truth table was not recorded."))
    return section(
        "The rule, read back", "What the learner does in every combination of facts, beside the expert.", *out
    )


# --------------------------------------------------------------------------------------------- inside the network
def league(score: Mapping[str, Any]) -> str:
    """The formulas by what an online code saves on them."""
    rows = score.get("league") or []
    intro = "Which thought do the latents describe best? Every formula of the same kind competes with the expert’s."
    if not rows:
        return section("Formula league", intro, missing("The formula league was not recorded."))
    random = score.get("random_compression") or None
    caption = (
        "How many bits an online code saves when it predicts a formula’s truth from the latent (minimum description "
        "length): 1 means free, 0 means no better than a coin, below 0 worse. The true formula is green. "
        "Diamonds: the same from an "
        "untrained network; squares: from the bare pixels. "
    )
    caption += (
        f"Dashed: what labels drawn at random reach (mean {number(random.get('mean'))}, high "
        f"{number(random.get('high'))})."
        if random
        else "Labels drawn at random were not measured."
    )
    body = [
        [f"<code>{text(r.get('formula'))}</code>{' <b>true</b>' if r.get('true') else ''}",
         *(text(r.get(k)) for k in ("bits", "compression", "accuracy", "untrained", "pixels", "episodes"))]
        for r in sorted(rows, key=lambda r: -(r.get("compression") or 0.0))
    ]  # fmt: skip
    heads = ["formula", "bits per episode", "compression", "accuracy", "untrained", "pixels", "episodes"]
    return section("Formula league", intro, figure(figures.league(rows, random), caption),
                    table(heads, body, range(1, len(heads))))  # fmt: skip


def maps(score: Mapping[str, Any]) -> str:
    """What can be read where, and what is used where."""
    found = score.get("maps") or {}
    title, intro = (
        "Where and when",
        "The layers of the network, from the eye (below) to the hand (above), along the way.",
    )
    sites, stations = found.get("sites"), found.get("stations")
    if not sites or not stations:
        return section(title, intro, missing("The maps of layers and places were not recorded."))
    about = f" of “{found['proposition']}”" if found.get("proposition") else ""
    out = []
    limit = found.get("readable_threshold")
    if found.get("readable"):
        chance = (
            f"Grey cells stay under {number(limit)}, which shuffled labels reach somewhere on the map in one of "
            "twenty cases."
            if limit is not None
            else "What shuffled labels would reach was not recorded, so no cell can be called significant."
        )
        out.append(figure(
            figures.heat_map(found["readable"], sites, stations, f"What can be read{about}", limit),
            "Compression of the true formula at each site and place. " + chance,
        ))  # fmt: skip
    else:
        out.append(missing("What can be read where was not recorded."))
    if found.get("used"):
        out.append(figure(
            figures.heat_map(found["used"], sites, stations, f"What is used{about}", colour="#a8326b"),
            "Share of the steering difference between two twin worlds that is carried over when the latent of "
            "this site is "
            "swapped at this place alone. Hatched: not defined there, because the twins steer alike or the place "
            "was not "
            "reached. Readable but not used means: known, but no part of the decision.",
        ))  # fmt: skip
    else:
        out.append(missing("What is used where was not recorded."))
    return section(title, intro, *out)


def interchange(score: Mapping[str, Any]) -> str:
    """Swaps and their controls, flip and keep apart."""
    rows = score.get("interchange") or []
    intro = "The latents of two twin worlds are exchanged, fact by fact, while the car drives."
    if not rows:
        return section("Swapping thoughts", intro, missing("Interchange interventions were not recorded."))

    def cells(row: Mapping[str, Any], which: str) -> list[str]:
        part = row.get(which) or {}
        return [text(part.get("value")), text(interval_text(part.get("interval"))), text(part.get("n"))]

    body = [[f"<b>{text(r.get('what'))}</b>", *cells(r, "flip"), *cells(r, "keep")] for r in rows]
    heads = ["what is swapped", "flips when it should", "95 %", "n", "stays when it should", "95 %", "n"]
    caption = (
        "Two numbers, never their mean: a swap that does nothing keeps every decision, and one that breaks everything "
        "may flip them all. Random, wrong and untrained rows are controls; the full swap is the ceiling."
    )
    return section("Swapping thoughts", intro, table(heads, body, range(1, 7)), f'<p class="caption">{caption}</p>')


# ------------------------------------------------------------------------------------------------------- twins
def twins(record: Mapping[str, np.ndarray] | None) -> str:
    """The film strip of a twin pair, its steering and its ways; `record` is what twins.npz holds."""
    intro = "One seed, one fact flipped, all else the same to the byte: and then the same world with another thought."
    if record is None:
        return section("A pair of twins", intro, missing("This section was not recorded: the run has no twins.npz."))
    labels = [str(v) for v in record.get("labels", ())]
    out = []
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
        out.append(f'<figure><table class="film">{"".join(rows)}<tr><th></th>{under}</tr></table><figcaption>What the '
                   "camera showed, pixel for pixel as the learner saw it, at the same distances from the "
                   "junction’s edge "
                   "(before it: negative).</figcaption></figure>")  # fmt: skip
    else:
        out.append(missing("The pictures of the twins were not recorded."))
    names = [f"{kind}_{i}" for kind in ("steer", "xy") for i in range(len(labels))]
    if labels and "tick" in record and all(name in record for name in names):
        count = len(labels)
        steers, paths = [record[n] for n in names[:count]], [record[n] for n in names[count:]]
        extent = [float(v) for v in record["map_extent"]] if "map_extent" in record else None
        drawing = figures.twins(labels, steers, paths, float(record["tick"]), record.get("map_picture"), extent)
        caption = (
            "Left: the angle of the front wheels. Right: the ways taken, drawn on the map; the dot is where the drive "
            "ended. A swap that carries the thought makes the car go the other way although its camera shows the same "
            "world."
        )
        out.append(figure(drawing, caption))
    else:
        out.append(missing("The paths and steering of the twins were not recorded."))
    return section("A pair of twins", intro, *out)


def transfer(score: Mapping[str, Any]) -> str:
    """The same learner on other maps."""
    rows, note = score.get("transfer") or [], score.get("transfer_note")
    intro = "The same learner, without further training, on maps that it has never seen."
    if not rows:
        return section("Elsewhere", intro, missing(str(note or "Transfer to other maps was not recorded.")))
    body = [
        [f"<b>{text(r.get('where'))}</b>", text(r.get("value")), text(interval_text(r.get("interval"))),
         text(r.get("episodes")), "<br>".join(f"{text(k)}: {text(v)}" for k, v in flat(r.get("cells") or {})) or "–"]
        for r in rows
    ]  # fmt: skip
    heads = ["map", "agreement", "95 %", "episodes", "by cell"]
    return section("Elsewhere", intro, table(heads, body, (1, 2, 3)), f"<p>{text(note)}</p>" if note else "")
