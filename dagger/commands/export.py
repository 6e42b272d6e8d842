"""`dagger scenarios export`: writes episodes of scenarios in formats that other simulators read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from dagger.options import UsageError, check_seed
from scenarios.scenario import ALL_EPISODES
from sim.core.files import write_atomically

if TYPE_CHECKING:
    from sim.world.context import RunContext


@dataclass(frozen=True)
class Options:
    """Write episodes of scenarios as files for other simulators.

    --openscenario writes one episode as ASAM OpenSCENARIO 1.0; the hidden rule, and everything else that the format
    cannot express, become properties of ego. --routes writes any number of episodes as route XML of the CARLA
    Leaderboard 2.0. Generated maps are written beside the file.

    Args:
        scenarios: names of scenarios (see `dagger scenarios`), or paths that end in .yaml.
        openscenario: OpenSCENARIO file to write; a name that ends in .xosc.
        routes: route file to write; a name that ends in .xml.
        seeds: episodes per scenario in the route file, the same as those of `dagger suite` with this --seed.
        seed: seed of the episode (--openscenario), or of the episodes as in `dagger suite` (--routes, 0 to 428).
        split: conditions to draw the episodes from: one of the scenario's splits, or "every" for all conditions.
        maps: folder of OpenDRIVE files such as Town02.xodr; by default the environment variable HOMUNCULUS_MAPS.
    """

    scenarios: tyro.conf.Positional[tuple[str, ...]] = ()
    openscenario: Path | None = None
    routes: Path | None = None
    seeds: int = 10
    seed: int = 0
    split: str = ALL_EPISODES
    maps: Path | None = None

    def __post_init__(self) -> None:
        """Refuse a number of episodes below 1."""
        if self.seeds < 1:
            raise UsageError(f"--seeds was given {self.seeds}; wanted at least 1")


def main(options: Options, context: RunContext) -> int:
    """Draw the episodes, write them, and print the files' paths."""
    if not options.scenarios or (options.openscenario is None and options.routes is None):
        raise UsageError(
            "export wants a scenario and a file to write, such as: export rain-turn --openscenario rain.xosc, or "
            "export rain-turn --routes rain.xml"
        )
    if options.openscenario is not None and len(options.scenarios) != 1:
        raise UsageError(f"--openscenario holds one episode; found the scenarios {', '.join(options.scenarios)}")
    if options.openscenario is not None:
        _openscenario(options, options.openscenario, context)
    if options.routes is not None:
        _routes(options, options.routes, context)
    return 0


def _openscenario(options: Options, place: Path, context: RunContext) -> None:
    from datetime import datetime

    from scenarios.export.openscenario import write_openscenario
    from scenarios.sampling.sample import sample
    from scenarios.scenario import load_scenario

    scenario = load_scenario(options.scenarios[0], context.map_search)
    episode = sample(scenario, options.seed, options.split)
    for path in write_openscenario(scenario, episode, place, datetime.now(), context.map_search):
        print(path)


def _routes(options: Options, place: Path, context: RunContext) -> None:
    from dagger.evaluation.plan import first_seed
    from scenarios.export.leaderboard_routes import export_routes
    from scenarios.sampling.sample import sample
    from scenarios.scenario import load_scenario

    check_seed(options.seed)  # a seed is a range of episodes here, as in a suite
    first = first_seed(options.seed)
    chosen = [load_scenario(name, context.map_search) for name in options.scenarios]
    drawn = [(s, sample(s, seed, options.split)) for s in chosen for seed in range(first, first + options.seeds)]
    made = export_routes(drawn, context.map_search)
    for name, text in made.maps.items():
        write_atomically(place.with_name(name), text)
    write_atomically(place, made.text)
    left = sum(map(bool, made.left_out))
    print(f"{place}: {len(drawn)} routes, {len(made.maps)} maps beside it; comments in it list what a route cannot "
          f"express, in {left} of the episodes")  # fmt: skip
