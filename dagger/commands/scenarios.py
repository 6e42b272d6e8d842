"""`dagger scenarios`: what there is, one of them whole, and their episodes in the files of others."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from dagger.console import Bars, output, table
from dagger.options import BadInput, check_seed
from dagger.runs import write_atomically
from dagger.suites.plan import first_seed
from scenarios.plan import admitted
from scenarios.route_export import export_routes
from scenarios.rules.logic import truth_table
from scenarios.sample import sample
from scenarios.spec import EVERY, Scenario, load_scenario, scenario_names
from sim.types import DECISIONS

EXPORT = "export"  # the word in front of the scenarios that are to be written down


@dataclass(frozen=True)
class Options:
    """List the scenarios that come with the program, show some whole (rule, propositions, truth table), or export some.

    Args:
        names: scenarios, or paths that end in .yaml, to show whole; none lists all. After the word export, as in
            `dagger scenarios export rain-turn --routes rain.xml`: scenarios whose episodes are written to files.
        routes: with export: the file to write, as route XML of the CARLA Leaderboard 2.0; maps that a generator drew
            are written beside it.
        seeds: with export: episodes per scenario; they are those that `dagger suite` drives.
        seed: with export: of the first episode.
        split: with export: conditions to draw from.
        leaks: also check that the answer cannot be told without the evidence (some seconds each).
        maps: folder of OpenDRIVE files; otherwise HOMUNCULUS_MAPS names it.
    """

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    routes: Path | None = None
    seeds: int = 10
    seed: int = 0
    split: str = EVERY
    leaks: bool = False
    maps: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what is no number of episodes, and options of an export where there is none."""
        check_seed(self.seed)
        if self.seeds < 1:
            raise BadInput(f"--seeds was given {self.seeds}; wanted at least 1")
        if self.routes is not None and self.names[:1] != (EXPORT,):
            raise BadInput(f"--routes {self.routes} was given; wanted the word export and scenarios with it")


def main(options: Options) -> int:
    """Print them, or write them down."""
    if options.names[:1] == (EXPORT,):
        return _export(options)
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


def _export(options: Options) -> int:
    """Write episodes of scenarios to the files that were asked for."""
    if options.routes is None or len(options.names) < 2:
        raise BadInput("export wants scenarios and a file to write, such as: export rain-turn --routes rain.xml")
    first = first_seed(options.seed)
    chosen = [load_scenario(name) for name in options.names[1:]]
    drawn = [(s, sample(s, seed, options.split)) for s in chosen for seed in range(first, first + options.seeds)]
    made = export_routes(drawn)
    for name, text in made.maps.items():
        write_atomically(options.routes.with_name(name), text)
    write_atomically(options.routes, made.text)
    left = sum(map(bool, made.left_out))
    print(f"{options.routes}: {len(drawn)} routes, {len(made.maps)} maps beside it; comments in it say what {left} of "
          "the episodes have that a route cannot say")  # fmt: skip
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
    console.print(textwrap.fill(scenario.description, 100) + f"\n\nrule   {scenario.rule}\nmap    {map_of(scenario)}",
                  markup=False)  # fmt: skip
    given = scenario.data.get("propositions", {})
    console.print(table(["proposition", "is true when"], [[n, str(given.get(n, ""))] for n in names]))
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
