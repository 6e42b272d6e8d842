"""`dagger scenarios`: what there is, and one of them whole."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from dagger.console import Bars, output, table
from scenarios.plan import admitted
from scenarios.rules.logic import truth_table
from scenarios.spec import Scenario, load_scenario, scenario_names
from sim.types import DECISIONS


@dataclass(frozen=True)
class Options:
    """List the scenarios that come with the program, or show some whole: rule, propositions, truth table.

    `dagger scenarios export NAME` writes one of its episodes for other simulators.

    Args:
        names: scenarios, or paths that end in .yaml, to show whole; none lists all.
        leaks: also check that the answer cannot be told without the evidence (some seconds each).
        maps: folder of OpenDRIVE files; otherwise HOMUNCULUS_MAPS names it.
    """

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    leaks: bool = False
    maps: Path | None = None


def main(options: Options) -> int:
    """Print them."""
    chosen = [load_scenario(name) for name in options.names or scenario_names()]
    leaks: dict[str, tuple[str, str]] = {}
    if options.leaks:
        with Bars() as bars:
            bars.stage(f"checking {len(chosen)} scenarios for leaks", len(chosen))
            for scenario in chosen:
                leaks[scenario.name] = _leaks(scenario)
                bars.advance(1, scenario.name)
    console = output()
    if options.names:
        for scenario in chosen:
            _whole(console, scenario, leaks.get(scenario.name, ("", ""))[1])
        return 0
    heads = ["name", "rule", "propositions", "splits", "map", "description", *(["leaks"] if options.leaks else [])]
    rows = [
        [s.name, str(s.rule), ", ".join(s.proposition_names), ", ".join(k for k in s.splits if k != "every"),
         map_of(s), s.description, *([leaks[s.name][0]] if options.leaks else [])]
        for s in chosen
    ]  # fmt: skip
    console.print(table(heads, rows))
    console.print("`dagger scenarios NAME` shows one whole.", markup=False)
    return 0


def map_of(scenario: Scenario) -> str:
    """t_junction, or Town02.xodr."""
    return str(scenario.map.generate or scenario.map.file)


def _leaks(scenario: Scenario) -> tuple[str, str]:
    from scenarios.leaks import check_leaks

    try:
        report = check_leaks(scenario)
    except FileNotFoundError as error:
        return "map missing", str(error)
    except ValueError as error:
        return "not checked", str(error)
    unsplit = report.unsplit
    declared = f" (declared: {', '.join(unsplit.known)})" if unsplit.known else ""
    told = f"LEAKS {', '.join(unsplit.leaks) or 'in combination'}"
    return f"none{declared}" if report.passed else told, str(report)


def _whole(console: Console, scenario: Scenario, leaks: str) -> None:
    """Everything about one scenario."""
    names = scenario.proposition_names
    console.print(f"{scenario.name}", style="bold", markup=False)
    facts = f"\n\nrule   {scenario.rule_text}\nmap    {map_of(scenario)}"
    console.print(textwrap.fill(scenario.description, 100) + facts, markup=False)
    given = scenario.data.get("propositions", {})
    console.print(table(["proposition", "is true when"], [[n, str(given.get(n, ""))] for n in names]))
    if scenario.definitions:
        rows = [[name, str(tree)] for name, tree in scenario.definitions.items()]
        console.print(table(["where", "is"], [*rows, ["the rule", str(scenario.rule)]]))
    cells = {split: set(admitted(scenario, split)) for split in scenario.splits if split != "every"}
    heads = [*names, "decision", *cells]
    rows = [
        ["yes" if v else "no" for v in cell] + [DECISIONS[decision]] + ["x" if cell in admits else "" for admits in
                                                                       cells.values()]
        for cell, decision in truth_table(scenario.rule, names).items()
    ]  # fmt: skip
    console.print(table(heads, rows, "truth table, and the splits that have each cell"))
    splits = scenario.data.get("splits", {})
    if splits:
        console.print(table(["split", "conditions"], [[k, str(v)] for k, v in splits.items()]))
    if leaks:
        console.print(f"leak check: {leaks}", markup=False)
