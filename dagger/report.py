"""A run folder -> report.html: one file that says what was asked, what was found, and how far it may be believed.

Every number on the page is read from the folder's files; what a file does not hold is said to be missing, never
filled in.  The page stands alone: inline style, inline SVG, pictures as data, no scripts, no network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from dagger import figures
from dagger.figures import number
from dagger.page import STYLE, facts, flat, interval_text, missing, picture, strip, table, text
from dagger.runs import MetricsLog, write_atomically

ARMS = {"dagger": "DAgger (the expert corrects the learner's own drives)", "cloning": "behaviour cloning (expert drives only)"}
ARM_LEGENDS = {"dagger": "DAgger", "cloning": "behaviour cloning"}

# What each level asks, for a reader who meets it for the first time; the figures stand in the scorecard.
MEANING = {
    "imitates": "Does the car go where the rule says, in every combination of conditions? The worst combination counts, "
    "so that a rare one cannot hide behind the common ones.",
    "generalises": "When one fact of the world is flipped and nothing else changes, does the decision change exactly "
    "when the rule says so, under conditions never demonstrated too?",
    "encodes": "Of all formulas about the world, is the expert's the one that the network's latents describe in the "
    "fewest bits, and better than an untrained network or the bare pixels allow?",
    "uses": "If only the piece of the latent that says this fact is swapped with that of a twin world, does the car "
    "really turn the other way, and does it stay put when the rule says that nothing should change?",
    "recovered": "Is the rule read back out of interventions logically the same as the expert's, in every cell?",
}
LIMITS = (
    "Even “recovered” says only that the policy implements the rule on the conditions tried: not that it reasons, "
    "understands, or would hold elsewhere.",
    "Reading a proposition from a latent is cheap: untrained networks and bare pixels allow it too. Hence their values "
    "stand beside every figure, and a level is passed on the difference.",
    "Swaps are linear and of low rank by choice. A network that carries a fact in a twisted form counts as not using "
    "it; a net that fuses its premises early can fail the swap and still be right.",
    "The episode is the unit of every interval. One training seed says nothing about the next seed; run several.",
    "The world is simple: one junction, one decision, facts that a small camera can show.",
)


@dataclass(frozen=True)
class Record:
    """What a run folder holds.

    Args:
        name: of the folder.
        config, manifest, score: plain data, {} when the file is absent.
        rows: of metrics.jsonl.
        twins: arrays of twins.npz, or None.
        scenario: text of scenario.yaml, or "".
    """

    name: str
    config: Mapping[str, Any]
    manifest: Mapping[str, Any]
    score: Mapping[str, Any]
    rows: tuple[Mapping[str, Any], ...]
    twins: Mapping[str, np.ndarray] | None
    scenario: str


def read_record(folder: Path) -> Record:
    """Read the files of a run folder; absent ones are left empty.

    Raises:
        FileNotFoundError: when there is no such folder, or nothing of a run is in it.
        ValueError: naming a file that cannot be read as what it should be.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no run folder {folder}")
    known = ("config.yaml", "manifest.json", "metrics.jsonl", "scorecard.json")
    if not any((folder / name).exists() for name in known):
        raise FileNotFoundError(f"{folder} holds no run: none of {', '.join(known)} is in it")

    def mapping(name: str, parse: Callable[[str], Any]) -> Mapping[str, Any]:
        if not (folder / name).exists():
            return {}
        try:
            data = parse((folder / name).read_text())
        except (ValueError, yaml.YAMLError) as error:
            raise ValueError(f"{folder / name} cannot be read: {error}") from error
        if not isinstance(data, dict):
            raise ValueError(f"{folder / name} holds a {type(data).__name__}; a mapping is wanted")
        return data

    def from_json(words: str) -> Any:
        return json.loads(words, parse_constant=lambda _: None)  # NaN is a value that was not measured

    twins = None
    if (folder / "twins.npz").exists():
        with np.load(folder / "twins.npz", allow_pickle=False) as data:
            twins = {key: data[key] for key in data.files}
    scenario = folder / "scenario.yaml"
    return Record(
        folder.resolve().name, mapping("config.yaml", yaml.safe_load), mapping("manifest.json", from_json),
        mapping("scorecard.json", from_json), tuple(MetricsLog(folder / "metrics.jsonl").rows()), twins,
        scenario.read_text() if scenario.exists() else "",
    )  # fmt: skip


def write_report(run_folder: Path) -> Path:
    """Write report.html into a run folder, from the folder's files alone.

    Returns:
        Where it was written.

    Raises:
        FileNotFoundError, ValueError: as `read_record`.
    """
    record = read_record(run_folder)
    name = record.score.get("scenario") or _scenario(record).get("name") or record.name
    body = "".join(section(record) for section in SECTIONS)
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(name)} · Homunculus</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )
    path = Path(run_folder) / "report.html"
    write_atomically(path, page)
    return path


def _section(title: str, intro: str, *parts: str) -> str:
    """A section; `title` and `intro` are plain text, the parts HTML."""
    return f"<section><h2>{text(title)}</h2><p>{text(intro)}</p>{''.join(parts)}</section>"


def _figure(drawing: str, caption: str) -> str:
    return f"<figure>{drawing}<figcaption>{text(caption)}</figcaption></figure>"


# ------------------------------------------------------------------------------------------------- the verdict
def verdict_sentence(score: Mapping[str, Any]) -> str:
    """The whole result in one plain sentence."""
    levels = score.get("levels") or {}
    if not levels:
        return "This run has no scorecard yet, so nothing can be said about what the learner acquired."
    passed = [name for name, level in levels.items() if level.get("passed")]
    unknown = [name for name, level in levels.items() if level.get("passed") is None]
    failed = [name for name in levels if name not in passed and name not in unknown]
    rule = f"the hidden rule “{score['rule']}”" if score.get("rule") else "the hidden rule"
    if len(passed) == len(levels):
        return f"From behaviour alone the learner acquired {rule}: it passed every level of evidence, {_listed(passed)}."
    rest = [f"{_listed(names)} {was} {how}" for names, how in ((failed, "not passed"), (unknown, "not measured"))
            if names for was in ["was" if len(names) == 1 else "were"]]  # fmt: skip
    if not passed:
        return f"It could not be shown that the learner acquired {rule}: {', '.join(rest)}."
    if passed == ["imitates"]:
        return f"The learner behaves as {rule} asks, but that it thinks so was not shown: {', '.join(rest)}."
    return f"For {rule} the evidence reaches part of the way: {_listed(passed)} passed; {', '.join(rest)}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _state(level: Mapping[str, Any]) -> tuple[str, str]:
    passed = level.get("passed")
    return ("", "not measured") if passed is None else ("pass", "passed") if passed else ("fail", "not passed")


def _verdict(record: Record) -> str:
    score = record.score
    levels = score.get("levels") or {}
    scenario = score.get("scenario") or _scenario(record).get("name") or record.name
    out = [
        '<header><p class="kicker">Homunculus · can we imitate thinking from only observing behaviour?</p>',
        f'<h1>{text(scenario)}</h1><p class="lead">{text(verdict_sentence(score))}</p></header>',
    ]
    if not levels:
        return "".join(out) + missing("scorecard.json is absent or has no levels: probe this run to fill it.")
    claimed = score.get("verdict")
    passed = [name for name, level in levels.items() if level.get("passed")]
    if claimed is not None and sorted(claimed) != sorted(passed):
        words = f"the scorecard contradicts itself: its verdict is {claimed}, its levels say {passed}"
        out.append(f'<p class="warning">{text(words)}</p>')
    out.append("<p>A driver obeyed a rule that nobody wrote down. The learner saw only pictures and what the driver did. "
               "Five questions, each harder than the one before, ask how much of the rule it took over:</p>")  # fmt: skip
    steps = []
    for name, level in levels.items():
        kind, words = _state(level)
        steps.append(f'<li class="{kind}"><b>{text(name)}</b><span>{words}</span></li>')
    out.append(f'<ol class="ladder">{"".join(steps)}</ol>')
    out.extend(_card(name, level) for name, level in levels.items())
    out.append('<p class="caption">Dots are measured values, bars their 95 % intervals over episodes; the dashed line is '
               "what is needed. Grey rows are baselines, measured in the same way: they show how much the task gives "
               "away for nothing.</p>")  # fmt: skip
    return "".join(out)


def _card(name: str, level: Mapping[str, Any]) -> str:
    kind, words = _state(level)
    colour = {"pass": "#0f7b6c", "fail": "#b23a3a"}.get(kind, "#676e7a")
    value = number(level.get("value")) if level.get("value") is not None else "not measured"
    interval = interval_text(level.get("interval"))
    around = f"95 % interval {interval}" if interval != "–" else "no interval was recorded"
    what = level.get("what")
    out = [
        f'<div class="card"><div><h3>{text(name)}</h3><span class="chip {kind}">{words}</span>',
        f'<p class="big">{text(value)}</p><span class="interval">{text(around)}</span></div>',
        f"<div>{strip(level, colour)}</div>",
        f'<p class="wide caption">{text(MEANING.get(name, ""))}</p>',
        f'<p class="wide">{text(what)}</p>' if what else "",
    ]
    if level.get("details"):
        out.append(f'<div class="wide">{facts(level["details"])}</div>')
    return "".join(out) + "</div>"


# ----------------------------------------------------------------------------------------------- what was asked
def _scenario(record: Record) -> Mapping[str, Any]:
    """What the folder says of the scenario: its own file, else the settings."""
    if record.scenario:
        try:
            data = yaml.safe_load(record.scenario)
        except yaml.YAMLError as error:
            raise ValueError(f"scenario.yaml of {record.name} cannot be read: {error}") from error
        if isinstance(data, dict):
            return data
    found = record.config.get("scenario")
    return found if isinstance(found, dict) else {"name": found} if found else {}


def _asked(record: Record) -> str:
    scenario, score = _scenario(record), record.score
    rule = score.get("rule") or scenario.get("rule")
    out = []
    if scenario.get("description"):
        out.append(f"<p>{text(scenario['description'])}</p>")
    out.append(f'<p>The rule in the driver’s head:</p><p class="rule">{text(rule)}</p>' if rule
               else missing("The expert's rule was not recorded."))  # fmt: skip
    propositions = scenario.get("propositions")
    if isinstance(propositions, dict) and propositions:
        rows = [[f"<b>{text(k)}</b>", f"<code>{text(v)}</code>"] for k, v in propositions.items()]
        out.append("<h3>What the driver knows</h3>" + table(["proposition", "is true when"], rows))
    elif names := (score.get("truth_table") or {}).get("names"):
        out.append(f"<p>Propositions: {text(_listed([str(n) for n in names]))}. How each is computed was not recorded.</p>")
    else:
        out.append(missing("The propositions were not recorded."))
    splits = scenario.get("splits")
    if isinstance(splits, dict) and splits:
        rows = [[f"<b>{text(k)}</b>", f"<code>{text(v)}</code>"] for k, v in splits.items()]
        out.append("<h3>What was shown, what was held out</h3>" + table(["split", "episodes where"], rows))
    else:
        out.append(missing("The splits (which conditions were trained on, which held out) were not recorded."))
    if "map" in scenario:
        out.append(f"<h3>Where</h3>{facts({'map': scenario['map']})}")
    intro = "The scenario, as its file says it. The learner is given none of these words."
    return _section("What was asked", intro, *out)


# ------------------------------------------------------------------------------------------------- the training
def _learning(record: Record) -> str:
    rows = [r for r in record.rows if str(r.get("key", "")).startswith("evaluate/")]
    if not rows:
        return _section("Learning", "How well the learner drove after each round.",
                        missing("metrics.jsonl holds no evaluation: no learning curve can be drawn."))  # fmt: skip
    shared = [r for r in rows if r.get("arm") == "round"]
    arms = {arm: [*shared, *(r for r in rows if r.get("arm") == arm)] for arm in ARMS}
    arms = {arm: found for arm, found in arms.items() if len(found) > len(shared)} or {"dagger": shared}
    losses = {(r.get("arm"), r.get("round")): r.get("losses") for r in record.rows if str(r.get("key")).startswith("fit/")}
    cells = []
    for row in rows:
        loss = losses.get((row.get("arm"), row.get("round"))) or [None]
        line = [text({"round": "both"}.get(row.get("arm", ""), ARM_LEGENDS.get(row.get("arm", ""), row.get("arm")))),
                text(row.get("round")), text(row.get("labels")), text(loss[-1])]  # fmt: skip
        for split in ("train", "test"):
            part = row.get(split) or {}
            line += [text(part.get(k)) for k in ("agreement", "arrived", "progress", "episodes")]
        cells.append(line)
    heads = ["arm", "round", "labels", "last loss", "agrees (trained)", "arrived", "progress", "episodes",
             "agrees (all)", "arrived", "progress", "episodes"]  # fmt: skip
    caption = (
        "Share of closed-loop episodes in which the car took the way that the rule asks for and got there in one piece, "
        "over the number of labels seen. Bands: 95 % (Wilson). Both arms start from the same round 0 and get the same "
        "number of labels; in DAgger the learner drives and the expert labels what it ran into, in behaviour "
        "cloning the expert drives all the time."
    )
    return _section(
        "Learning",
        "DAgger beside behaviour cloning, at equal label budgets.",
        _figure(figures.learning_curves(arms, ARM_LEGENDS), caption),
        table(heads, cells, range(1, len(heads))),
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


def _recovered(record: Record) -> str:
    score = record.score
    truth = score.get("truth_table") or {}
    out = []
    if score.get("recovered_rule"):
        out.append(f'<p>The rule that the interventions give back:</p><p class="rule">{text(score["recovered_rule"])}</p>')
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
            "Fused: the premises are joined so early that they cannot be swapped one by one. The decision may still be right."
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
    return _section("The rule, read back", "What the learner does in every combination of facts, beside the expert.", *out)


# --------------------------------------------------------------------------------------------- inside the network
def _league(record: Record) -> str:
    rows = record.score.get("league") or []
    intro = "Which thought do the latents describe best? Every formula of the same kind competes with the expert’s."
    if not rows:
        return _section("Formula league", intro, missing("The formula league was not recorded."))
    random = record.score.get("random_compression") or None
    caption = (
        "How many bits an online code saves when it predicts a formula’s truth from the latent (minimum description "
        "length): 1 means free, 0 means no better than a coin, below 0 worse. The true formula is green. Diamonds: the same from an "
        "untrained network; squares: from the bare pixels. "
    )
    caption += (
        f"Dashed: what labels drawn at random reach (mean {number(random.get('mean'))}, high {number(random.get('high'))})."
        if random
        else "Labels drawn at random were not measured."
    )
    body = [
        [f"<code>{text(r.get('formula'))}</code>{' <b>true</b>' if r.get('true') else ''}",
         *(text(r.get(k)) for k in ("bits", "compression", "accuracy", "untrained", "pixels", "episodes"))]
        for r in rows
    ]  # fmt: skip
    heads = ["formula", "bits per episode", "compression", "accuracy", "untrained", "pixels", "episodes"]
    return _section("Formula league", intro, _figure(figures.league(rows, random), caption),
                    table(heads, body, range(1, len(heads))))  # fmt: skip


def _maps(record: Record) -> str:
    maps = record.score.get("maps") or {}
    title, intro = "Where and when", "The layers of the network, from the eye (below) to the hand (above), along the way."
    sites, stations = maps.get("sites"), maps.get("stations")
    if not sites or not stations:
        return _section(title, intro, missing("The maps of layers and places were not recorded."))
    about = f" of “{maps['proposition']}”" if maps.get("proposition") else ""
    out = []
    limit = maps.get("readable_threshold")
    if maps.get("readable"):
        chance = (
            f"Grey cells stay under {number(limit)}, which shuffled labels reach somewhere on the map in one of twenty cases."
            if limit is not None
            else "What shuffled labels would reach was not recorded, so no cell can be called significant."
        )
        out.append(_figure(
            figures.heat_map(maps["readable"], sites, stations, f"What can be read{about}", limit),
            "Compression of the true formula at each site and place. " + chance,
        ))  # fmt: skip
    else:
        out.append(missing("What can be read where was not recorded."))
    if maps.get("used"):
        out.append(_figure(
            figures.heat_map(maps["used"], sites, stations, f"What is used{about}", colour="#a8326b"),
            "Share of the steering difference between two twin worlds that is carried over when the latent of this site is "
            "swapped at this place alone. Hatched: not defined there, because the twins steer alike or the place was not "
            "reached. Readable but not used means: known, but no part of the decision.",
        ))  # fmt: skip
    else:
        out.append(missing("What is used where was not recorded."))
    return _section(title, intro, *out)


def _interchange(record: Record) -> str:
    rows = record.score.get("interchange") or []
    intro = "The latents of two twin worlds are exchanged, fact by fact, while the car drives."
    if not rows:
        return _section("Swapping thoughts", intro, missing("Interchange interventions were not recorded."))

    def part(row: Mapping[str, Any], which: str) -> list[str]:
        found = row.get(which) or {}
        return [text(found.get("value")), text(interval_text(found.get("interval"))), text(found.get("n"))]

    body = [[f"<b>{text(r.get('what'))}</b>", *part(r, "flip"), *part(r, "keep")] for r in rows]
    heads = ["what is swapped", "flips when it should", "95 %", "n", "stays when it should", "95 %", "n"]
    caption = (
        "Two numbers, never their mean: a swap that does nothing keeps every decision, and one that breaks everything "
        "may flip them all. Random, wrong and untrained rows are controls; the full swap is the ceiling."
    )
    return _section("Swapping thoughts", intro, table(heads, body, range(1, 7)), f'<p class="caption">{caption}</p>')


# ------------------------------------------------------------------------------------------------------- twins
def _twins(record: Record) -> str:
    twins = record.twins
    intro = "One seed, one fact flipped, all else the same to the byte: and then the same world with another thought."
    if twins is None:
        return _section("A pair of twins", intro, missing("This section was not recorded: the run has no twins.npz."))
    labels = [str(v) for v in twins.get("labels", ())]
    out = []
    if "frames" in twins and len(labels):
        places = [f"{float(p):+g} m".replace("-", "−") for p in twins.get("places", ())]
        rows = []
        for i, label in enumerate(labels):
            swatch = f'<span class="swatch" style="background:{figures.RUN_COLOURS[i % len(figures.RUN_COLOURS)]}"></span>'
            frames = twins["frames"][i]
            cells = "".join(f"<td>{picture(f, f'{label}, picture {k + 1}')}</td>" for k, f in enumerate(frames))
            rows.append(f"<tr><th>{swatch}<br>{text(label)}</th>{cells}</tr>")
        under = "".join(f"<td>{text(p)}</td>" for p in places)
        out.append(f'<figure><table class="film">{"".join(rows)}<tr><th></th>{under}</tr></table><figcaption>What the '
                   "camera showed, pixel for pixel as the learner saw it, at the same distances from the junction’s edge "
                   "(before it: negative).</figcaption></figure>")  # fmt: skip
    else:
        out.append(missing("The pictures of the twins were not recorded."))
    steers = [twins.get(f"steer_{i}") for i in range(len(labels))]
    paths = [twins.get(f"xy_{i}") for i in range(len(labels))]
    if labels and all(s is not None for s in steers) and all(p is not None for p in paths) and "tick" in twins:
        drawing = figures.twins(labels, steers, paths, float(twins["tick"]), twins.get("map_picture"), twins.get("map_extent"))
        out.append(_figure(drawing, "Left: the angle of the front wheels. Right: the ways taken, drawn on the map; the dot "
                           "is where the drive ended. A swap that carries the thought makes the car go the other way "
                           "although its camera shows the same world."))  # fmt: skip
    else:
        out.append(missing("The paths and steering of the twins were not recorded."))
    return _section("A pair of twins", intro, *out)


def _transfer(record: Record) -> str:
    rows, note = record.score.get("transfer") or [], record.score.get("transfer_note")
    intro = "The same learner, without further training, on maps that it has never seen."
    if not rows:
        return _section("Elsewhere", intro, missing(str(note or "Transfer to other maps was not recorded.")))
    body = [
        [f"<b>{text(r.get('where'))}</b>", text(r.get("value")), text(interval_text(r.get("interval"))),
         text(r.get("episodes")), "<br>".join(f"{text(k)}: {text(v)}" for k, v in flat(r.get("cells") or {})) or "–"]
        for r in rows
    ]  # fmt: skip
    heads = ["map", "agreement", "95 %", "episodes", "by cell"]
    return _section("Elsewhere", intro, table(heads, body, (1, 2, 3)), f"<p>{text(note)}</p>" if note else "")


# ------------------------------------------------------------------------------------------------ how it was made
def _made(record: Record) -> str:
    score, manifest = record.score, dict(record.manifest)
    command = manifest.pop("command", None) or record.config.get("command")
    out = [f"<pre>{text(command if isinstance(command, str) else ' '.join(map(str, command)))}</pre>" if command
           else missing("The command was not recorded.")]  # fmt: skip
    head = {"run folder": record.name, "checkpoint": score.get("checkpoint"), "seed": score.get("seed", record.config.get("seed"))}
    out.append(facts({k: "not recorded" if v is None else v for k, v in head.items()}))
    durations = score.get("durations") or {}
    if durations:
        total = sum(v for v in durations.values() if v is not None)
        rows = [[text(k), f"{text(v)} s"] for k, v in durations.items()] + [["<b>in all</b>", f"<b>{text(total)} s</b>"]]
        out.append("<h3>Durations</h3>" + table(["stage", "took"], rows, (1,)))
    else:
        out.append(missing("Durations were not recorded."))
    out.append("<h3>Machine and versions</h3>" + (facts(manifest, True) if manifest else missing("manifest.json is absent.")))
    settings = {**({"run": record.config} if record.config else {}), **({"probing": s} if (s := score.get("settings")) else {})}
    out.append("<h3>All settings</h3>" + (facts(settings, True) if settings else missing("config.yaml is absent.")))
    return _section("How it was made", "What somebody else needs to repeat it.", *out)


def _limits(record: Record) -> str:
    items = "".join(f"<li>{text(line)}</li>" for line in LIMITS)
    return _section("What this does not say", "Read before quoting.", f"<ul>{items}</ul>")


SECTIONS: tuple[Callable[[Record], str], ...] = (
    _verdict, _asked, _twins, _learning, _recovered, _league, _maps, _interchange, _transfer, _made, _limits,
)  # fmt: skip
