"""Writes report.html of a run folder: what was asked, what was found, and how far it can be trusted.

Every number on the page is read from the folder's files; the page names what a file does not hold, and fills in
nothing. The page is self-contained: inline style, inline SVG, pictures as data, no scripts, no network.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from dagger.report import copying_section as copying_page
from dagger.report import sections as findings
from dagger.report import site_maps as places
from dagger.report.html import (
    STYLE,
    anchor,
    details,
    facts,
    folded,
    interval_text,
    missing,
    section,
    strip,
    table,
    text,
)
from dagger.runs.folder import training_parts
from dagger.runs.jsonl import KeyedLog
from sim.core.files import write_atomically

# What a baseline is, by the beginning of its name; only those that a scorecard has are explained.
BASELINES = {
    "untrained": "the same network before any training",
    "nearest neighbour": "repeats what the expert did in the most similar of its stored pictures",
    "memoriser": "repeats what the expert did in the most similar of its stored pictures",
    "best other single proposition": "a driver that obeys a single fact, which is not the expert's",
    "best single proposition": "a driver that obeys a single fact",
    "random variable": "a random direction of the latent is swapped",
    "wrong formula": "the part of the latent that encodes another fact is swapped",
    "full swap": "the whole latent is swapped; the most that a swap can do",
    "random labels": "labels drawn at random",
    "pixels": "read from the bare picture, without a network",
}
LIMITS = (
    "Even “recovered” says only that the policy implements the rule on the conditions tried: not that it reasons, "
    "understands, or would hold elsewhere.",
    "Reading a proposition from a latent is cheap: untrained networks and bare pixels allow it too. Their values are "
    "therefore given beside every figure, and a level is passed on the difference.",
    "Swaps are linear and of low rank by choice. A network that encodes a fact in a nonlinear form counts as not using "
    "it; a network that fuses its premises early can fail the swap and still be right.",
    "The episode is the unit of every interval. One training seed says nothing about the next seed; run several.",
    "The world is simple: one place, one decision, facts that a small camera can show.",
)


@dataclass(frozen=True)
class Record:
    """The contents of a run folder.

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
        FileNotFoundError: when the folder does not exist, or holds no file of a run.
        ValueError: naming a file that cannot be parsed.
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
        try:
            with np.load(folder / "twins.npz", allow_pickle=False) as data:
                twins = {key: data[key] for key in data.files}
        except (ValueError, OSError, zipfile.BadZipFile) as error:
            raise ValueError(f"{folder / 'twins.npz'} cannot be read: {error}") from error
    scenario = folder / "scenario.yaml"
    return Record(
        folder.resolve().name, mapping("config.yaml", yaml.safe_load), mapping("manifest.json", from_json),
        mapping("scorecard.json", from_json), tuple(KeyedLog(folder / "metrics.jsonl").rows()), twins,
        scenario.read_text() if scenario.exists() else "",
    )  # fmt: skip


def write_report(run_folder: Path) -> Path:
    """Write report.html into a run folder, from the folder's files alone.

    Returns:
        The path of the report.

    Raises:
        FileNotFoundError, ValueError: as `read_record`.
    """
    record = read_record(run_folder)
    name = record.score.get("scenario") or _scenario(record).get("name") or record.name
    body = "".join(_sections(record))
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(name)} · "
        f"Homunculus</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )
    path = Path(run_folder) / "report.html"
    write_atomically(path, page)
    return path


# ------------------------------------------------------------------------------------------------- the verdict
def verdict_sentence(score: Mapping[str, Any]) -> str:
    """The result of a run in one sentence."""
    levels = score.get("levels") or {}
    if not levels:
        return "This run has no scorecard yet, so nothing can be said about what the learner acquired."
    names = _names(score)
    passed = [name for name in names if (levels.get(name) or {}).get("passed")]
    unasked = [name for name in names if (levels.get(name) or {}).get("not_applicable")]
    undecided = [name for name in names if (levels.get(name) or {}).get("undecided")]
    open_ = [*unasked, *undecided]
    unknown = [n for n in names if (levels.get(n) or {}).get("passed") is None and n not in open_]
    failed = [name for name in names if name not in passed and name not in unknown and name not in open_]
    rule = f"the hidden rule “{score['rule']}”" if score.get("rule") else "the hidden rule"
    if len(passed) == len(names):
        whole = f"all {len(names)} levels of evidence are passed"
        return f"From behaviour alone the learner came to implement {rule}: {whole}."
    kinds = [(failed, "not passed"), (undecided, "left undecided"), (unknown, "not measured"), (unasked, "not asked")]
    rest = [f"{_listed(which)} {'was' if len(which) == 1 else 'were'} {how}" for which, how in kinds if which]
    if len(failed) == len(names):
        return f"It could not be shown that the learner acquired {rule}: none of the {len(names)} levels was passed."
    if not passed:
        return f"It could not be shown that the learner acquired {rule}: {', '.join(rest)}."
    if passed == ["imitates"]:
        return f"The learner behaves as {rule} asks, but that it thinks so was not shown: {', '.join(rest)}."
    return f"For {rule} the evidence reaches part of the way: {_listed(passed)} passed; {', '.join(rest)}."


def _names(score: Mapping[str, Any]) -> list[str]:
    """The levels that a scorecard should have, and any others that it has."""
    return list(dict.fromkeys([*(score.get("expected_levels") or ()), *(score.get("levels") or {})]))


def _count(number: int) -> str:
    """A small number as a word that begins a sentence."""
    words = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
    return words[number] if number < len(words) else str(number)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _state(level: Mapping[str, Any]) -> tuple[str, str]:
    passed = level.get("passed")
    if level.get("not_applicable"):
        return "", "not asked"
    if level.get("undecided"):
        return "", "undecided"
    return ("", "not measured") if passed is None else ("pass", "passed") if passed else ("fail", "not passed")


def _verdict(record: Record) -> str:
    score = record.score
    levels = score.get("levels") or {}
    scenario = score.get("scenario") or _scenario(record).get("name") or record.name
    out = [
        '<header><p class="kicker">Homunculus · can we imitate thinking from only observing behaviour?</p>',
        f'<h1>{text(scenario)}</h1><p class="lead">{text(verdict_sentence(score))}</p>',
        f'<p class="caption">{text(_in_brief(record))}</p></header>',
    ]
    if not levels:
        return "".join(out) + missing("scorecard.json is absent or has no levels: probe this run to fill it.")
    claimed = score.get("verdict")
    passed = [name for name, level in levels.items() if (level or {}).get("passed")]
    if claimed is not None and sorted(claimed) != sorted(passed):
        words = f"the scorecard contradicts itself: its verdict is {claimed}, its levels say {passed}"
        out.append(f'<p class="warning">{text(words)}</p>')
    out.append(
        "<p>The expert obeyed a rule that the learner was never given: it saw only pictures and the expert’s actions. "
        f"{_count(len(levels))} questions, each harder than the one before, ask how much of the rule it acquired:</p>"
    )
    steps = [
        _step(name, levels.get(name) or {}) for name in dict.fromkeys([*(score.get("expected_levels") or ()), *levels])
    ]
    out.append(f'<ol class="ladder">{"".join(steps)}</ol>')
    out.append(_contents())
    out.extend(_card(name, level or {}) for name, level in levels.items())
    out.append(
        '<p class="caption">Dots are measured values, bars their 95 % intervals over episodes. A level is passed when '
        "the lower end of the learner’s bar (its dot, if there is no bar) reaches the dashed line, and the other "
        "conditions in its text hold. Grey rows are baselines, measured in the same way: they show how much can be "
        "reached without learning the rule.</p>"
    )
    if said := _baselines_said(levels):
        out.append(f"<h3>What the baselines are</h3>{facts(said)}")
    return "".join(out)


def _in_brief(record: Record) -> str:
    """The run's name, seed, checkpoint, backend and duration, in a line."""
    score = record.score
    durations = [v for v in (score.get("durations") or {}).values() if v is not None]
    cores = record.manifest.get("cores")
    took = f"took {_spell(round(sum(durations)))}" if durations else "how long it took was not recorded"
    parts = [
        f"run {record.name}",
        f"seed {seed}" if (seed := score.get("seed", record.config.get("seed"))) is not None else "",
        str(score.get("checkpoint") or ""),
        f"worlds on {backend}" if (backend := record.config.get("backend")) else "",
        took + (f" on {cores} cores" if durations and cores else ""),
    ]
    return " · ".join(part for part in parts if part)


def _spell(seconds: float) -> str:
    """A duration in seconds, with minutes beside them if it is long."""
    exact = f"{round(seconds, 2):g} s" if seconds < 1000 else f"{seconds:.0f} s"
    return exact if seconds < 120 else f"{exact} ({seconds / 60:.1f} min)"


def _step(name: str, level: Mapping[str, Any]) -> str:
    """A level in the ladder: its question in a few words, its verdict, its value and interval."""
    kind, words = _state(level)
    sign = {"pass": "✓ ", "fail": "✗ "}.get(kind, "")
    interval = interval_text(level.get("interval"))
    value = "" if level.get("value") is None else f"<br>{text(level['value'])}"
    around = "" if interval == "–" else f" {text(interval)}"
    return (
        f'<li class="{kind}"><b>{text(name)}</b><em>{text(level.get("brief", ""))}</em>'
        f"<span><i>{sign}{words}</i>{value}{around}</span></li>"
    )


def _contents() -> str:
    links = (f'<a href="#{anchor(title)}">{text(title)}</a>' for title in findings.TITLES)
    return f'<p class="contents">Further down: {" ".join(links)}</p>'


def _baselines_said(levels: Mapping[str, Any]) -> dict[str, str]:
    """The explanations of the baselines that this scorecard has."""
    names = [str(n).replace("_", " ") for level in levels.values() for n in (level or {}).get("baselines") or {}]
    return {k: v for k, v in BASELINES.items() if any(n.startswith(k) for n in names)}


def _card(name: str, level: Mapping[str, Any]) -> str:
    kind, words = _state(level)
    colour = {"pass": "#0f7b6c", "fail": "#b23a3a"}.get(kind, "#676e7a")
    interval = interval_text(level.get("interval"))
    around = (
        f"95 % {interval}" if interval != "–" else "" if level.get("not_applicable") else "no interval was recorded"
    )
    out = [
        f'<div class="card"><div class="title"><h3>{text(name)}</h3><span class="chip {kind}">{words}</span>',
        "" if level.get("not_applicable") else f'<span class="big">{text(level.get("value"))}</span>',
        f'<span class="interval">{text(around)}</span></div>',
        f'<p class="caption">{text(level.get("question", ""))}</p>',
    ]
    if level.get("not_applicable"):
        out.append(missing(f"This scenario cannot be asked: {str(level['not_applicable']).rstrip('.')}."))
        return "".join(out) + (details(level["details"]) if level.get("details") else "") + "</div>"
    out += [
        f"<p>Measured: {text(str(level['what']).rstrip('.'))}.</p>" if level.get("what") else "",
        missing(f"Undecided: {str(level['undecided']).rstrip('.')}.") if level.get("undecided") else "",
        strip(level, colour),
    ]
    if level.get("details"):
        out.append(details(level["details"]))
    return "".join(out) + "</div>"


# ----------------------------------------------------------------------------------------------- what was asked
def _scenario(record: Record) -> Mapping[str, Any]:
    """The scenario's data: from its own file in the folder, else from the settings."""
    if record.scenario:
        try:
            data = yaml.safe_load(record.scenario)
        except yaml.YAMLError as error:
            raise ValueError(f"scenario.yaml of {record.name} cannot be read: {error}") from error
        if isinstance(data, dict):
            return data
    found = record.config.get("scenario")
    return found if isinstance(found, dict) else {"name": found} if found else {}


def _camera(record: Record) -> tuple[int, int] | None:
    """Width and height of the learner's pictures, if the settings have them."""
    train = record.config.get("train")
    camera = train.get("camera") if isinstance(train, dict) else None
    if not isinstance(camera, dict) or not {"width", "height"} <= set(camera):
        return None
    return int(camera["width"]), int(camera["height"])


def _asked(record: Record) -> str:
    scenario, score = _scenario(record), record.score
    rule = score.get("rule") or scenario.get("rule")
    out = []
    if scenario.get("description"):
        out.append(f"<p>{text(scenario['description'])}</p>")
    out.append(f'<p>The expert’s hidden rule:</p><p class="rule">{text(rule)}</p>' if rule
               else missing("The expert's rule was not recorded."))  # fmt: skip
    propositions = scenario.get("propositions")
    if isinstance(propositions, dict) and propositions:
        rows = [[f"<b>{text(k)}</b>", f"<code>{text(v)}</code>"] for k, v in propositions.items()]
        out.append("<h3>Propositions</h3>" + table(["proposition", "is true when"], rows))
        if isinstance(sub_rules := scenario.get("where"), dict) and sub_rules:
            rows = [[f"<b>{text(k)}</b>", f"<code>{text(v)}</code>"] for k, v in sub_rules.items()]
            out.append("<h3>Sub-rules</h3>" + table(["sub-rule", "is true when"], rows))
    elif names := (score.get("truth_table") or {}).get("names"):
        out.append(
            f"<p>Propositions: {text(', '.join(str(n) for n in names))}. How each is computed was not recorded.</p>"
        )
    else:
        out.append(missing("The propositions were not recorded."))
    splits = scenario.get("splits")
    if isinstance(splits, dict) and splits:
        said_of = {True: "any combination holds", False: "no combination holds"}
        rows = [
            [f"<b>{text(k)}</b>", said_of[v] if isinstance(v, bool) else f"<code>{text(v)}</code>"]
            for k, v in splits.items()
        ]
        out.append("<h3>Training and held-out conditions</h3>" + table(["split", "episodes where"], rows))
        out.append('<p class="caption">The learner is trained on the split “train” alone; conditions that another '
                   "split admits and “train” does not are held out.</p>")  # fmt: skip
        if isinstance(shares := scenario.get("balance"), dict) and shares:
            said = ", ".join(f"{text(k)} in {text(v)}" for k, v in shares.items())
            out.append('<p class="caption">Decisions are drawn equally often, and so are the conditions within one, '
                       "except that these hold in a given share of its episodes, where the split leaves a choice: "
                       f"{said}.</p>")  # fmt: skip
    else:
        out.append(missing("The splits (which conditions were trained on, which held out) were not recorded."))
    if "map" in scenario:
        out.append(f"<h3>Where</h3>{facts({'map': scenario['map']})}")
        out.append('<p class="caption">Two numbers in brackets are a range from which every episode draws.</p>')
    intro = "The scenario, as its file says it. The learner is given none of it."
    return section(findings.TITLES[0], intro, *out)


# ------------------------------------------------------------------------------------------------ how it was made
def _made(record: Record) -> str:
    score, manifest = record.score, dict(record.manifest)
    command = manifest.pop("command", None) or record.config.get("command")
    out = [f"<pre>{text(command if isinstance(command, str) else ' '.join(map(str, command)))}</pre>" if command
           else missing("The command was not recorded.")]  # fmt: skip
    head = {
        "run folder": record.name,
        "checkpoint": score.get("checkpoint"),
        "seed": score.get("seed", record.config.get("seed")),
    }
    head |= training_parts(record.config.get("train") or {}, record.rows)
    out.append(facts({k: "not recorded" if v is None else v for k, v in head.items()}))
    durations = score.get("durations") or {}
    if durations:
        total = sum(v for v in durations.values() if v is not None)
        rows = [[text(k), "–" if v is None else text(_spell(v))] for k, v in durations.items()]
        rows.append(["<b>in all</b>", f"<b>{text(_spell(total))}</b>"])
        out.append("<h3>Durations</h3>" + table(["stage", "took"], rows, (1,), "narrow"))
    else:
        out.append(missing("Durations were not recorded."))
    out.append(
        "<h3>Machine and versions</h3>" + (facts(manifest, True) if manifest else missing("manifest.json is absent."))
    )
    settings = {
        **({"run": record.config} if record.config else {}),
        **({"probing": s} if (s := score.get("settings")) else {}),
    }
    out.append(
        "<h3>All settings</h3>" + folded("Every number and name that was set", facts(settings, True))
        if settings
        else missing("config.yaml is absent.")
    )
    return section(findings.TITLES[-2], "Everything that is needed to repeat the run.", *out)


def _limits() -> str:
    items = "".join(f"<li>{text(line)}</li>" for line in LIMITS)
    return section(findings.TITLES[-1], "Read before quoting.", f"<ul>{items}</ul>")


def _twins(record: Record) -> str:
    reason = ((record.score.get("levels") or {}).get("uses") or {}).get("not_applicable")
    return findings.twins(record.twins, _camera(record), str(reason or ""))


def _sections(record: Record) -> tuple[str, ...]:
    """The page, top to bottom."""
    score = record.score
    return (
        _verdict(record), _asked(record), _twins(record), findings.learning(record.rows),
        findings.recovered(score), findings.ranking(score), places.maps(score), findings.interchange(score),
        copying_page.copying(score), findings.transfer(score), _made(record), _limits(),
    )  # fmt: skip
