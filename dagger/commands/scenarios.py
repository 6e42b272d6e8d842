"""`dagger scenarios`: lists the scenarios, shows or checks some in full, or writes a page of them."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from dagger.console import Bars, has_width, output, table
from dagger.options import UsageError
from dagger.report.scenario_pages import (
    LEAKS,
    deciding_share,
    decision_point,
    decision_words,
    evidence_of,
    map_of,
    rule_of,
    sub_rules,
    write_page,
)
from scenarios.checks.lint import errors_in_file, report, warnings
from scenarios.reading.yaml import ScenarioError
from scenarios.sampling.plan import plan, satisfiable_cells
from scenarios.scenario import Scenario, load_scenario, scenario_names
from scenarios.schema.arms import ways_of
from scenarios.schema.base import options_of
from sim.datatypes.vocabulary import DECISIONS
from sim.world.context import RunContext


@dataclass(frozen=True)
class Options:
    """List the scenarios of the library, or show some in full: rule, propositions, truth table, splits.

    All mistakes in a scenario file are reported at once. `dagger scenarios export NAME` writes episodes for other
    simulators.

    Args:
        names: scenarios to show in full: names, or paths that end in .yaml; without names all are listed.
        long: list decisions, propositions, splits, map and description too.
        leaks: also check whether the decision can be guessed without the evidence, and from when on ego's own motion
            predicts it (10 to 20 s per scenario).
        markdown: Markdown page of the scenarios to write instead, a name that ends in .md; leaks.json, self_motion.json
            and a chart of the latter are written beside it.
        maps: folder of OpenDRIVE files such as Town02.xodr; by default the environment variable HOMUNCULUS_MAPS.
    """

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    long: bool = False
    leaks: bool = False
    markdown: Path | None = None
    maps: Path | None = None

    def __post_init__(self) -> None:
        """Refuse a page whose name does not end in .md."""
        if self.markdown is not None and self.markdown.suffix != ".md":
            raise UsageError(f"--markdown was given '{self.markdown}'; wanted a name that ends in .md")


def main(options: Options, context: RunContext) -> int:
    """Print the scenarios or write the page; returns 2 if a file cannot be used."""
    chosen = [s for name in options.names or scenario_names() if (s := _read(name, context)) is not None]
    if len(chosen) < len(options.names):
        return 2
    if options.markdown is not None:
        with Bars() as bars:
            bars.stage(f"writing {options.markdown}", len(chosen))
            write_page(options.markdown, chosen, options.leaks, bars.advance)
        print(options.markdown)
        return 0
    leaks: dict[str, tuple[str, str]] = {}
    motion: dict[str, tuple[str, str]] = {}
    if options.leaks:
        with Bars() as bars:
            bars.stage(f"checking {len(chosen)} scenarios for leaks", len(chosen))
            for scenario in chosen:
                leaks[scenario.name] = _leaks(scenario)
                bars.advance(LEAKS, scenario.name)
                motion[scenario.name] = _motion(scenario, context, bars)
    console = output()
    if options.names:
        for scenario in chosen:
            _whole(console, scenario, leaks.get(scenario.name, ("", ""))[1], motion.get(scenario.name, ("", ""))[1])
        return 0
    if not options.long and not options.leaks:
        wide = max(len(s.name) for s in chosen)
        for s in chosen:
            line = f"{s.name:<{wide}}  {rule_of(s)}"
            fits = has_width()  # a pipe gets whole lines
            console.print(line, markup=False, no_wrap=True, overflow="ellipsis" if fits else "ignore", crop=fits)
        console.print("`dagger scenarios NAME` shows one in full, --long all in a table.", markup=False)
        return 0
    heads = ["name", "rule", "decisions", "propositions", "splits", "map", "description, what tells thinking",
             *(["leaks", "own motion"] if options.leaks else [])]  # fmt: skip
    rows = [
        [s.name, "\n".join([rule_of(s), *(f"  {k}: {v}" for k, v in sub_rules(s).items())]),
         ", ".join(decision_words(s)), ", ".join(s.proposition_names), ", ".join(k for k in s.splits if k != "every"),
         map_of(s), "\n".join(part for part in (s.description, s.why_hard and f"why hard: {s.why_hard}") if part),
         *([leaks[s.name][0], motion[s.name][0]] if options.leaks else [])]
        for s in chosen
    ]  # fmt: skip
    console.print(table(heads, rows))
    console.print("`dagger scenarios NAME` shows one in full.", markup=False)
    return 0


def _read(name: str, context: RunContext) -> Scenario | None:
    """Load a scenario; if it has several mistakes, print them all and return None.

    Raises:
        ScenarioError: if there is only one mistake.
    """
    try:
        return load_scenario(name, context.map_search)
    except ScenarioError:
        found = errors_in_file(Path(name)) if Path(name).is_file() else []
        if len(found) < 2:
            raise
    print(f"dagger scenarios: {report(found, name)}", file=sys.stderr)
    return None


def _ways(scenario: Scenario) -> str:
    """The exits of the decision point, for each arm that ego may start on."""
    known = ways_of(scenario.map)
    return "; ".join(
        f"from the {arm}: {', '.join(known[arm])}" for arm in dict.fromkeys(options_of(scenario.draws["ego.start"]))
    )


def _leaks(scenario: Scenario) -> tuple[str, str]:
    from scenarios.checks.leak_check import check_leaks

    try:
        report = check_leaks(scenario)
    except FileNotFoundError as error:
        return "map missing", str(error)
    except ValueError as error:
        return "not checked", str(error)
    unsplit = report.unsplit
    declared = f" (declared: {', '.join(unsplit.known)})" if unsplit.known else ""
    said = f"LEAKS {', '.join(unsplit.leaks) or 'in combination'}"
    return f"none{declared}" if report.passed else said, str(report)


def _motion(scenario: Scenario, context: RunContext, bars: Bars) -> tuple[str, str]:
    """The self-motion check in a few words and in full; advances the bar to the end of the scenario."""
    from dagger.diagnostics.self_motion import check_self_motion, in_short, in_words

    try:
        found = check_self_motion(
            scenario, context=context, on_done=lambda share: bars.advance((1.0 - LEAKS) * share)
        ).to_dict()
    except FileNotFoundError as error:
        bars.advance(1.0 - LEAKS)
        return "map missing", str(error)
    return in_short(found), in_words(found)


def _whole(console: Console, scenario: Scenario, leaks: str, motion: str) -> None:
    """Print everything about one scenario."""
    names = scenario.proposition_names
    facts = [
        ("rule", rule_of(scenario)),
        *((f"where {name}", text) for name, text in sub_rules(scenario).items()),
        ("decisions", ", ".join(decision_words(scenario))),
        ("shown by", decision_point(scenario)),
        *([("why hard", scenario.why_hard)] if scenario.why_hard else []),
        ("map", map_of(scenario)),
        ("place", f"{scenario.map.point.noun}; {_ways(scenario)}"),
    ]
    wide = max(len(head) for head, _ in facts) + 2
    console.print(f"{scenario.name}", style="bold", markup=False)
    told_of = [f"{textwrap.fill(scenario.description, 100)}\n"] if scenario.description else []
    console.print("\n".join([*told_of, *(f"{head:<{wide}}{text}" for head, text in facts)]), markup=False)
    given, alone = scenario.data.get("propositions", {}), deciding_share(scenario)
    console.print(table(
        ["proposition", "is true when", "where sensors show it", "flips alone in twins"],
        [[n, str(given.get(n, "")), evidence_of(scenario, n), alone[n]] for n in names],
    ))  # fmt: skip
    worked, cells = plan(scenario), {}
    for split in (s for s in scenario.splits if s != "every"):
        try:
            cells[split] = set(satisfiable_cells(scenario, split))
        except ValueError:  # it admits no episode, which the warnings below report
            cells[split] = set()
    rows = [
        ["yes" if v else "no" for v in cell] + [DECISIONS[decision] if cell in worked.cells else "cannot happen"]
        + ["x" if cell in admits else "" for admits in cells.values()]
        for cell, decision in worked.decision.items()
    ]  # fmt: skip
    console.print(table([*names, "decision", *cells], rows, "truth table, and the splits that have each cell"))
    splits = scenario.data.get("splits", {})
    if splits:
        console.print(table(["split", "conditions"], [[k, str(v)] for k, v in splits.items()]))
    if leaks:
        console.print(f"leak check: {leaks}", markup=False)
        console.print(f"own motion: {motion}", markup=False)
    for doubt in warnings(scenario):
        console.print(f"warning: {doubt}", markup=False)
