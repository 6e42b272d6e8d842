"""`dagger scenarios export`: one episode of a scenario in a format that other simulators read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from dagger.options import BadInput


@dataclass(frozen=True)
class Options:
    """Write one episode of a scenario for other simulators, as ASAM OpenSCENARIO 1.0.

    A generated map is written beside it. The hidden rule, and all else that the format has no word for, are properties
    of ego.

    Args:
        scenario: a name out of `dagger scenarios`, or a path that ends in .yaml.
        openscenario: the file to write; a name that ends in .xosc.
        split: conditions to draw from: one of the scenario's splits, or "every".
        seed: of the episode.
        maps: folder of OpenDRIVE files; otherwise HOMUNCULUS_MAPS names it.
    """

    scenario: tyro.conf.Positional[str] = "rain-turn"
    openscenario: Path | None = None
    split: str = "every"
    seed: int = 0
    maps: Path | None = None


def main(options: Options) -> int:
    """Draw the episode, write it, and print the files' paths."""
    from datetime import datetime

    from scenarios.openscenario import write_openscenario
    from scenarios.sample import sample
    from scenarios.spec import load_scenario

    if options.openscenario is None:
        raise BadInput("nothing to write; wanted a format and its file, such as --openscenario episode.xosc")
    scenario = load_scenario(options.scenario)
    episode = sample(scenario, options.seed, options.split)
    search = (options.maps,) if options.maps else ()
    for path in write_openscenario(scenario, episode, options.openscenario, datetime.now(), search):
        print(path)
    return 0
