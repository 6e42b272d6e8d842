"""`dagger scenarios export`: episodes of scenarios in formats that other simulators read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from dagger.options import UsageError, check_seed
from scenarios.scenario import ALL_EPISODES
from sim.core.files import write_atomically


@dataclass(frozen=True)
class Options:
    """Write episodes of scenarios for other simulators.

    As ASAM OpenSCENARIO 1.0: one episode. The hidden rule, and all else that the format has no word for, are properties
    of ego. As route XML of the CARLA Leaderboard 2.0: any number. Maps that a generator drew are written beside.

    Args:
        scenarios: names out of `dagger scenarios`, or paths that end in .yaml.
        openscenario: the file to write; a name that ends in .xosc.
        routes: the file to write; a name that ends in .xml.
        seeds: with --routes: episodes per scenario; they are those that `dagger suite` drives.
        seed: of the first episode.
        split: conditions to draw from: one of the scenario's splits, or "every".
        maps: folder of OpenDRIVE files; otherwise HOMUNCULUS_MAPS names it.
    """

    scenarios: tyro.conf.Positional[tuple[str, ...]] = ()
    openscenario: Path | None = None
    routes: Path | None = None
    seeds: int = 10
    seed: int = 0
    split: str = ALL_EPISODES
    maps: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what is no number of episodes."""
        if self.seeds < 1:
            raise UsageError(f"--seeds was given {self.seeds}; wanted at least 1")


def main(options: Options) -> int:
    """Draw the episodes, write them, and print the files' paths."""
    if not options.scenarios or (options.openscenario is None and options.routes is None):
        raise UsageError(
            "export wants a scenario and a file to write, such as: export rain-turn --openscenario rain.xosc, or "
            "export rain-turn --routes rain.xml"
        )
    if options.openscenario is not None and len(options.scenarios) != 1:
        raise UsageError(f"--openscenario holds one episode; found the scenarios {', '.join(options.scenarios)}")
    if options.openscenario is not None:
        _openscenario(options, options.openscenario)
    if options.routes is not None:
        _routes(options, options.routes)
    return 0


def _openscenario(options: Options, place: Path) -> None:
    from datetime import datetime

    from scenarios.export.openscenario import write_openscenario
    from scenarios.sampling.sample import sample
    from scenarios.scenario import load_scenario

    scenario = load_scenario(options.scenarios[0])
    episode = sample(scenario, options.seed, options.split)
    search = (options.maps,) if options.maps else ()
    for path in write_openscenario(scenario, episode, place, datetime.now(), search):
        print(path)


def _routes(options: Options, place: Path) -> None:
    from dagger.evaluation.plan import first_seed
    from scenarios.export.leaderboard_routes import export_routes
    from scenarios.sampling.sample import sample
    from scenarios.scenario import load_scenario

    check_seed(options.seed)  # a seed is a range of episodes here, as in a suite
    first = first_seed(options.seed)
    chosen = [load_scenario(name) for name in options.scenarios]
    drawn = [(s, sample(s, seed, options.split)) for s in chosen for seed in range(first, first + options.seeds)]
    made = export_routes(drawn)
    for name, text in made.maps.items():
        write_atomically(place.with_name(name), text)
    write_atomically(place, made.text)
    left = sum(map(bool, made.left_out))
    print(f"{place}: {len(drawn)} routes, {len(made.maps)} maps beside it; comments in it say what {left} of the "
          "episodes have that a route cannot say")  # fmt: skip
