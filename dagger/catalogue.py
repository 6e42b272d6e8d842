"""What a scenario is, for people: its facts in words, and the page of all scenarios that is generated from the files.

What the leak check finds takes a while, so its figures stand in a file beside the page, under the digest of what they
were found for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dagger.runs import write_atomically
from scenarios.diagnosis import flipping, held_out
from scenarios.leaks import check_leaks
from scenarios.plan import admitted, plan
from scenarios.rules.syntax import Rule
from scenarios.spec import EVERY, Scenario
from sim.types import DECISIONS

DRAWS = 600  # episodes of the leak check
FEW = 8  # rows of a truth table that are shown unfolded
SAID = 4  # combinations that are named one by one
FILM = "films/{}.webp"  # beside the page; `python benchmarks/families.py` makes them
# How a decision is read, by the kind of `decision:` in a file.
READ: Mapping[str, str] = {
    "order": "go: ego enters the place before {actors}; else wait",
    "yield": "go: ego enters the place before {actors}; else yield",
    "place": "place k: k - 1 of {actors} enter the place before ego",
    "slow": "slow: ego is slower than {below} m/s {stretch}; else go",
    "stop": "stop: ego stands still {stretch}; else go",
    "reaction": "early: ego is slower than {below} m/s {stretch}; else late",
    "bay": "bay k: ego comes to stand in the k-th bay; go: it drives past them all",
    "lane": "lane k: the lane in which ego is {end} m from the place, counted from its own to the left",
}
Figures = dict[str, Any]  # of a leak check


# ------------------------------------------------------------------------------------------------- facts in words
def decision_words(scenario: Scenario) -> list[str]:
    """What the rule can come to, in the order of DECISIONS."""
    return [DECISIONS[d] for d in sorted(set(plan(scenario).decision.values()))]


def decision_point(scenario: Scenario) -> str:
    """How a drive shows its decision."""
    trial = scenario.trial
    if trial is None:
        return "the way out that ego takes"
    ends = [f"{abs(x):g} m {'before' if x < 0 else 'behind'}" for x in (trial.begin, trial.end)]
    stretch = f"somewhere from {ends[0]} to {ends[1]} the edge of the place"
    actors = " and ".join(part for part in (", ".join(trial.actors[:-1]), *trial.actors[-1:]) if part)
    return READ[trial.kind].format(actors=actors, stretch=stretch, below=f"{trial.below:g}", end=f"{-trial.end:g}")


def sub_rules(scenario: Scenario) -> dict[str, str]:
    """The rules that have names of their own, in the order of the file."""
    return {str(k): _plain(v) for k, v in (scenario.data.get("where") or {}).items()}


def map_of(scenario: Scenario) -> str:
    """t_junction, or Town02.xodr."""
    return str(scenario.map.generate or scenario.map.file)


def rule_of(scenario: Scenario) -> str:
    """The rule as the file has it, in one line."""
    return " ".join(str(scenario.data["rule"]).split())


def rule_in_short(scenario: Scenario) -> str:
    """The rule as the file has it; where that is but names of sub-rules, with what these are."""
    text = rule_of(scenario)
    said = [(name, str(tree)) for name, tree in scenario.definitions.items() if isinstance(tree, Rule)]
    named = [(name, tree) for name, tree in said if name in text.split()]
    if text == (named[0][0] if len(named) == 1 else ""):
        return named[0][1]
    bare = set(text.split()) <= {"then", *(name for name, _ in named)}
    return f"{text}, where {'; '.join(f'{name}: {tree}' for name, tree in named)}" if bare and named else text


def flips(scenario: Scenario) -> dict[str, str]:
    """Proposition -> whether a twin can flip it alone."""
    return {
        name: "not tried" if not of else "yes" if n == of else "no" if not n else f"in {n} of {of} combinations"
        for name, (n, of) in flipping(scenario).items()
    }


def evidence_of(scenario: Scenario, proposition: str) -> str:
    """Where sensors show it, or a dash."""
    return scenario.evidence.get(proposition, "–")


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_plain(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, value))
    return " ".join(str(value).split())


# ----------------------------------------------------------------------------------------------- the leak check
def leaks_of(scenario: Scenario) -> Figures | None:
    """The unsplit leak check in figures; None where the map does not come with the package."""
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
    """Name -> figures of the leak check: those that are kept where nothing has changed, else found anew."""
    found = {}
    for scenario in scenarios:
        old = kept.get(scenario.name)
        if old is not None and old["digest"] == scenario.digest() and old["draws"] == DRAWS:
            found[scenario.name] = old
        elif (new := leaks_of(scenario)) is not None:
            found[scenario.name] = new
        on_done(scenario.name)
    return found


def read_leaks(path: Path) -> dict[str, Figures]:
    """The figures that are kept; none where there is no file."""
    return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}


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
    on_done: Callable[[str], None] = lambda name: None,
) -> None:  # fmt: skip
    """Write the page, and the figures of the leak check as leaks.json beside it.

    Args:
        afresh: whether to check for leaks where nothing has changed too.
    """
    beside = path.parent / "leaks.json"
    leaks = renewed(scenarios, {} if afresh else read_leaks(beside), on_done)
    write_atomically(beside, json.dumps(leaks, indent=1, sort_keys=True) + "\n")
    write_atomically(path, page(scenarios, leaks, path.parent))


def page(scenarios: Sequence[Scenario], leaks: Mapping[str, Figures], folder: Path) -> str:
    """The page of these scenarios.

    Args:
        folder: where the page is to stand: films are looked for in films/ there.
    """
    rows = [[f"[{s.name}](#{s.name})", f"`{rule_of(s)}`", s.tells or "–"] for s in scenarios]
    parts = [
        "# Scenarios",
        "Generated from the files in scenarios/library by `dagger scenarios --markdown docs/scenarios.md`, and not "
        "written beside them.",
        "A twin is the same world with one proposition flipped and nothing else. The leak check guesses the decision "
        f"from all that chance chose in {DRAWS} episodes, except what the rule's propositions may lawfully show.",
        _table(["scenario", "hidden rule", "what tells thinking from matching"], rows),
        *(_section(s, leaks.get(s.name), folder) for s in scenarios),
    ]
    return "\n\n".join(parts) + "\n"


def _section(scenario: Scenario, leaks: Figures | None, folder: Path) -> str:
    """One scenario."""
    film = FILM.format(scenario.name)
    shown = f"![a world of {scenario.name} beside its twin]({film})" if (folder / film).exists() else ""
    carried = ", ".join(f"{name} ({type(s).__name__})" for name, s in scenario.sensors.items())
    facts = [
        f"- **rule**: `{rule_of(scenario)}`",
        *(f"- **where** `{name}`: `{text}`" for name, text in sub_rules(scenario).items()),
        *([f"- **what tells thinking from matching**: {scenario.tells}"] if scenario.tells else []),
        f"- **decisions**: {', '.join(decision_words(scenario))}",
        f"- **decision point**: {decision_point(scenario)}",
        f"- **map**: `{map_of(scenario)}`",
        f"- **sensors**: {carried or 'the camera and the speed'}",
        f"- **what could leak**: {_leaks_in_words(leaks)}",
    ]
    parts = [
        f"## {scenario.name}", scenario.description, shown, "\n".join(facts),
        _propositions(scenario), _splits(scenario), _truth_table(scenario),
    ]  # fmt: skip
    return "\n\n".join(p for p in parts if p)


def _propositions(scenario: Scenario) -> str:
    given, alone = scenario.data["propositions"], flips(scenario)
    rows = [[f"`{n}`", f"`{_plain(given[n])}`", evidence_of(scenario, n), alone[n]] for n in scenario.proposition_names]
    return _table(["proposition", "is true when", "where sensors show it", "flips alone in twins"], rows)


def _splits(scenario: Scenario) -> str:
    conditions, rows = scenario.data.get("splits", {}), []
    for name in scenario.splits:
        if name == EVERY:
            continue
        out = held_out(scenario, name)
        shown = (
            "; ".join(out[:SAID]) + (f"; and {len(out) - SAID} more" if len(out) > SAID else "") if out else "nothing"
        )
        rows.append([name, f"`{_plain(conditions.get(name, True))}`", shown])
    return _table(["split", "condition", "combinations held out"], rows)


def _truth_table(scenario: Scenario) -> str:
    """Every combination that can happen, what the rule says there, and the splits that have it."""
    worked, splits = plan(scenario), [s for s in scenario.splits if s != EVERY]
    inside = {s: set(admitted(scenario, s)) for s in splits}
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
