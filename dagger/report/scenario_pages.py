"""Scenarios in words: their facts for tables, and the Markdown page of all of them, generated from the files.

The leak checks take a while, so their figures are stored in files beside the page, under the digest of the scenario
that they are of.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dagger.diagnostics.self_motion import AHEAD, check_self_motion, drives_of, in_words
from scenarios.checks.leak_check import check_leaks
from scenarios.checks.lint import flipping, held_out
from scenarios.rules.ast import Rule
from scenarios.sampling.plan import plan, satisfiable_cells
from scenarios.scenario import ALL_EPISODES, Scenario
from sim.core.files import write_atomically
from sim.datatypes.vocabulary import DECISIONS
from sim.world.decisions.registry import describe

DRAWS = 600  # episodes of the leak check
FEW = 8  # most rows of a truth table that is not folded
LEAKS = 0.2  # share of the leak check in the work on a scenario
DESCRIPTIONS = 4  # most combinations that are listed
SHEET = "../images/self-motion.png"  # from the page's folder
FILM = "../films/{}.webp"  # from the page's folder; `python benchmarks/families.py` makes them
OWN_MOTION = (
    "Own motion is checked too. Decision trees predict the decision from ego's speed, turn rate, pedal and wheel up to "
    "a time, in drives of the expert that have not yet shown it. An expert brakes for the bend that it will take, so "
    "this fails nothing; but a network that is trained on such drives can read its own speed instead of the scene. A "
    "way out shows where the ways part, by the turn of the wheel that leads there; a bay shows when ego reverses; any "
    "other decision shows when its detector reads it. The first drives to show it are the first 5 %. Each drive is "
    f"predicted {AHEAD:g} to {2 * AHEAD:g} s before it shows its decision, except late drives. Evidence is given from "
    "the time at which the expert knew it to the time at which it was last visible before the decision (medians)."
)
Figures = dict[str, Any]  # of a leak check


# ------------------------------------------------------------------------------------------------- facts in words
def decision_words(scenario: Scenario) -> list[str]:
    """The decisions that the rule can come to, in the order of DECISIONS."""
    return [DECISIONS[d] for d in sorted(set(plan(scenario).decision.values()))]


def decision_point(scenario: Scenario) -> str:
    """How a drive shows its decision."""
    return describe(scenario.decision_spec)


def sub_rules(scenario: Scenario) -> dict[str, str]:
    """The rules that have names of their own, in the order of the file."""
    return {str(k): _plain(v) for k, v in (scenario.data.get("where") or {}).items()}


def map_of(scenario: Scenario) -> str:
    """The map: t_junction, or Town02.xodr."""
    return str(scenario.map.generate or scenario.map.file)


def rule_of(scenario: Scenario) -> str:
    """The rule as the file has it, in one line."""
    return " ".join(str(scenario.data["rule"]).split())


def rule_in_short(scenario: Scenario) -> str:
    """The rule as the file has it; a rule of nothing but sub-rule names is followed by their rules."""
    text = rule_of(scenario)
    said = [(name, str(tree)) for name, tree in scenario.definitions.items() if isinstance(tree, Rule)]
    named = [(name, tree) for name, tree in said if name in text.split()]
    if text == (named[0][0] if len(named) == 1 else ""):
        return named[0][1]
    bare = set(text.split()) <= {"then", *(name for name, _ in named)}
    return f"{text}, where {'; '.join(f'{name}: {tree}' for name, tree in named)}" if bare and named else text


def deciding_share(scenario: Scenario) -> dict[str, str]:
    """Proposition -> whether a twin can flip it alone."""
    return {
        name: "not tried" if not of else "yes" if n == of else "no" if not n else f"in {n} of {of} combinations"
        for name, (n, of) in flipping(scenario).items()
    }


def evidence_of(scenario: Scenario, proposition: str) -> str:
    """Where sensors show a proposition, or a dash."""
    return scenario.shown_by.get(proposition, "–")


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_plain(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, value))
    return " ".join(str(value).split())


# ----------------------------------------------------------------------------------------------- the leak check
def leaks_of(scenario: Scenario) -> Figures | None:
    """The figures of the unsplit leak check; None if the map does not come with the package."""
    if scenario.map.file is not None:
        return None
    found = check_leaks(scenario, DRAWS, splits=False).unsplit
    return {
        "digest": scenario.digest(), "draws": DRAWS, "chance": round(found.chance, 3),
        "accuracy": round(found.accuracy, 3), "p": float(f"{found.p_value:.2g}"), "passed": found.passed,
        "telling": {c.variable: round(c.accuracy, 3) for c in found.telling}, "known": list(found.known),
    }  # fmt: skip


def renewed(
    scenarios: Iterable[Scenario], kept: Mapping[str, Figures], on_done: Callable[[str], None] = lambda name: None
) -> dict[str, Figures]:
    """Name -> figures of the leak check: the stored ones if nothing has changed, else new ones."""
    found = {}
    for scenario in scenarios:
        old = kept.get(scenario.name)
        if old is not None and old["digest"] == scenario.digest() and old["draws"] == DRAWS:
            found[scenario.name] = old
        elif (new := leaks_of(scenario)) is not None:
            found[scenario.name] = new
        on_done(scenario.name)
    return found


def motion_of(scenario: Scenario, on_done: Callable[[float], None] | None = None) -> Figures | None:
    """The figures of the self-motion check; None if the map does not come with the package."""
    if scenario.map.file is not None:
        return None
    return {"digest": scenario.digest(), **check_self_motion(scenario, on_done=on_done).to_dict()}


def renewed_motion(
    scenarios: Iterable[Scenario], kept: Mapping[str, Figures], on_done: Callable[[float], None] = lambda share: None
) -> dict[str, Figures]:
    """Name -> figures of the self-motion check: the stored ones if nothing has changed, else new ones."""
    found = {}
    for scenario in scenarios:
        old = kept.get(scenario.name)
        if old is not None and old["digest"] == scenario.digest() and old["drives"] == drives_of(scenario):
            found[scenario.name] = old
            on_done(1.0)
        elif (new := motion_of(scenario, on_done)) is not None:
            found[scenario.name] = new
        else:
            on_done(1.0)
    return found


def read_figures(path: Path) -> dict[str, Figures]:
    """The stored figures; none if the file does not exist."""
    return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}


def _motion_in_words(figures: Figures | None) -> str:
    return "not checked here: its map does not come with the package" if figures is None else in_words(figures)


def _leaks_in_words(figures: Figures | None) -> str:
    if figures is None:
        return "not checked here: its map does not come with the package"
    told = ", ".join(f"`{v}` ({a:.2f} right)" for v, a in figures["telling"].items())
    said = (
        f"{figures['accuracy']:.3f} of {figures['draws']} decisions guessed from everything but the evidence and known "
        f"leaks, {figures['chance']:.3f} by chance (p = {figures['p']:.2g})"
    )
    known = f"; declared: {', '.join(f'`{v}`' for v in figures['known'])}" if figures["known"] else ""
    return f"{'passes' if figures['passed'] else '**leaks**'}: {said}; telling alone: {told or 'nothing'}{known}"


# --------------------------------------------------------------------------------------------------- the page
def write_page(
    path: Path, scenarios: Sequence[Scenario], afresh: bool = False,
    on_done: Callable[[float, str], None] = lambda share, name: None,
) -> None:  # fmt: skip
    """Write the page; beside it the figures of the two checks, leaks.json and self_motion.json, and the latter's chart.

    Args:
        afresh: whether to check unchanged scenarios too.
        on_done: called with the share of a scenario that is done, and its name.
    """
    leaks_file, motion_file = path.parent / "leaks.json", path.parent / "self_motion.json"
    old_leaks, old_motion = ({}, {}) if afresh else (read_figures(leaks_file), read_figures(motion_file))
    leaks: dict[str, Figures] = {}
    motion: dict[str, Figures] = {}
    for scenario in scenarios:
        leaks |= renewed([scenario], old_leaks)
        on_done(LEAKS, scenario.name)
        motion |= renewed_motion([scenario], old_motion, functools.partial(_rest_of, scenario.name, on_done))
    write_atomically(leaks_file, json.dumps(leaks, indent=1, sort_keys=True) + "\n")
    lines = [f" {json.dumps(name)}: {json.dumps(found, sort_keys=True)}" for name, found in sorted(motion.items())]
    write_atomically(motion_file, "{\n" + ",\n".join(lines) + "\n}\n")
    if motion:
        from dagger.report.self_motion_chart import draw_sheet  # late: matplotlib is slow to import

        draw_sheet(motion, path.parent / SHEET)
    write_atomically(path, page(scenarios, leaks, path.parent, motion))


def _rest_of(name: str, on_done: Callable[[float, str], None], share: float) -> None:
    """Report a share of the work that follows the leak check."""
    on_done((1.0 - LEAKS) * share, name)


def page(
    scenarios: Sequence[Scenario],
    leaks: Mapping[str, Figures],
    folder: Path,
    motion: Mapping[str, Figures] | None = None,
) -> str:
    """The page of these scenarios.

    Args:
        folder: folder of the page, relative to which films are looked for.
        motion: name -> figures of the self-motion check.
    """
    motion = motion or {}
    rows = [[f"[{s.name}](#{s.name})", f"`{rule_of(s)}`", s.why_hard or "–"] for s in scenarios]
    sheet = f"![what own motion tells in every scenario, over time]({SHEET})"
    parts = [
        "# Scenarios",
        "Generated by `dagger scenarios --markdown docs/reference/scenarios.md` from the files in scenarios/library.",
        "A twin is the same world with one proposition flipped and nothing else changed. The leak check guesses the "
        f"decision from everything that chance chose in {DRAWS} episodes, except the evidence of the rule's own "
        "propositions.",
        OWN_MOTION,
        _table(["scenario", "hidden rule", "what tells thinking from matching"], rows),
        *([sheet] if motion and (folder / SHEET).exists() else []),
        *(_section(s, leaks.get(s.name), motion.get(s.name), folder) for s in scenarios),
    ]
    return "\n\n".join(parts) + "\n"


def _section(scenario: Scenario, leaks: Figures | None, motion: Figures | None, folder: Path) -> str:
    """One scenario."""
    film = FILM.format(scenario.name)
    shown = f"![a world of {scenario.name} beside its twin]({film})" if (folder / film).exists() else ""
    carried = ", ".join(f"{name} ({type(s).__name__})" for name, s in scenario.sensors.items())
    facts = [
        f"- **rule**: `{rule_of(scenario)}`",
        *(f"- **where** `{name}`: `{text}`" for name, text in sub_rules(scenario).items()),
        *([f"- **what tells thinking from matching**: {scenario.why_hard}"] if scenario.why_hard else []),
        f"- **decisions**: {', '.join(decision_words(scenario))}",
        f"- **decision point**: {decision_point(scenario)}",
        f"- **map**: `{map_of(scenario)}`",
        f"- **sensors**: {carried or 'the camera and the speed'}",
        f"- **what could leak**: {_leaks_in_words(leaks)}",
        f"- **own motion**: {_motion_in_words(motion)}",
    ]
    parts = [
        f"## {scenario.name}", scenario.description, shown, "\n".join(facts),
        _propositions(scenario), _splits(scenario), _truth_table(scenario),
    ]  # fmt: skip
    return "\n\n".join(p for p in parts if p)


def _propositions(scenario: Scenario) -> str:
    given, alone = scenario.data["propositions"], deciding_share(scenario)
    rows = [[f"`{n}`", f"`{_plain(given[n])}`", evidence_of(scenario, n), alone[n]] for n in scenario.proposition_names]
    return _table(["proposition", "is true when", "where sensors show it", "flips alone in twins"], rows)


def _splits(scenario: Scenario) -> str:
    conditions, rows = scenario.data.get("splits", {}), []
    for name in scenario.splits:
        if name == ALL_EPISODES:
            continue
        out = held_out(scenario, name)
        shown = (
            "; ".join(out[:DESCRIPTIONS]) + (f"; and {len(out) - DESCRIPTIONS} more" if len(out) > DESCRIPTIONS else "")
            if out
            else "nothing"
        )
        rows.append([name, f"`{_plain(conditions.get(name, True))}`", shown])
    return _table(["split", "condition", "combinations held out"], rows)


def _truth_table(scenario: Scenario) -> str:
    """Every combination that can happen, what the rule says there, and the splits that have it."""
    worked, splits = plan(scenario), [s for s in scenario.splits if s != ALL_EPISODES]
    inside = {s: set(satisfiable_cells(scenario, s)) for s in splits}
    rows = [
        [*("yes" if v else "no" for v in cell), DECISIONS[worked.decision[cell]],
         *("x" if cell in inside[s] else "" for s in splits)]
        for cell in worked.cells
    ]  # fmt: skip
    table = _table([*(f"`{n}`" for n in scenario.proposition_names), "decision", *splits], rows)
    if len(rows) <= FEW:
        return table
    return f"<details><summary>truth table: {len(rows)} combinations</summary>\n\n{table}\n\n</details>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(heads), ["---"] * len(heads), *map(list, rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
