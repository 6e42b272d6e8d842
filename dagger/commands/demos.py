"""`dagger demos`: records demonstrations of a scenario's expert, as states on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from dagger.backends import PORT, check_backend
from dagger.console import Bars, output, table
from dagger.options import UsageError, check_seed, with_rule

if TYPE_CHECKING:
    from sim.world.context import RunContext

SHARD = 256  # episodes per shard: the most that an interruption can lose
SEEDS = 7_000_000  # first seed; disjoint from the seeds of training, evaluation and probes


@dataclass(frozen=True)
class Options:
    """Record demonstrations of a scenario's expert: states and actions, from which pictures are rendered later.

    The same command continues an interrupted recording; a larger --episodes adds episodes to the folder.

    Args:
        scenario: name of a scenario (see `dagger scenarios`), or a path that ends in .yaml.
        episodes: number of episodes in the folder.
        out: folder to write to; by default demonstrations/SCENARIO-SEED.
        split: conditions to draw the episodes from: one of the scenario's splits, or "every" for all conditions.
        seed: seed of the episodes, 0 to 428.
        worlds: number of worlds that are simulated at once.
        threads: threads of the simulator.
        rule: rule in place of the scenario's, as in "left if raining and not night else right".
        maps: folder of OpenDRIVE files such as Town02.xodr; by default the environment variable HOMUNCULUS_MAPS.
        backend: where the worlds run: embedded (in this process) or carla (on CARLA servers, one world per server).
        host: host name or address of the CARLA servers, with --backend carla.
        port: RPC port of each CARLA server, with --backend carla; several ports are several servers.
        config: YAML file with these options; flags on the command line override it.
    """

    scenario: tyro.conf.Positional[str] = "rain-turn"
    episodes: int = 256
    out: Path | None = None
    split: str = "train"
    seed: int = 0
    worlds: int = 64
    threads: int = 2
    rule: str | None = None
    maps: Path | None = None
    backend: str = "embedded"
    host: str = "127.0.0.1"
    port: tuple[int, ...] = (PORT,)
    config: Path | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown backend and numbers out of range."""
        check_backend(self.backend, self.port)
        check_seed(self.seed)
        for name in ("episodes", "worlds", "threads"):
            if (value := getattr(self, name)) < 1:
                raise UsageError(f"--{name} was given {value}; wanted at least 1")


def main(options: Options, context: RunContext) -> int:
    """Drive the missing episodes, store them, and print the shards of the folder."""
    from dagger.algorithms.base import BetaSchedule
    from dagger.runs.folder import versions
    from dagger.training.collect import collect
    from dagger.training.demonstrations import DemonstrationStore
    from policies.expert.expert import Expert
    from scenarios.sampling.sample import balanced_batch, slots_needed
    from scenarios.scenario import load_scenario

    scenario = load_scenario(options.scenario, context.map_search)
    scenario = with_rule(scenario, options.rule)
    scenario.split(options.split)
    folder = options.out or Path("demonstrations") / f"{scenario.name}-{options.seed}"
    store = DemonstrationStore(folder)
    expert, said = Expert.of(scenario), list[str]()
    with Bars() as bars:
        bars.stage(f"{scenario.name}: demonstrating {options.episodes} episodes", options.episodes)
        for start in range(0, options.episodes, SHARD):
            stop = min(start + SHARD, options.episodes)
            first = options.seed * 10_000_000 + SEEDS
            tag = f"{scenario.name}-{scenario.digest()[:8]}-{options.split}-{first + start}-{first + stop}"
            if tag not in store.tags():
                episodes = balanced_batch(scenario, range(first + start, first + stop), options.split)
                with context.backend(context.at_once(stop - start), None, slots_needed(scenario)) as backend:
                    found = collect(
                        backend, expert, None, episodes, BetaSchedule(), 0,
                        "expert", versions=versions(), on_done=bars.advance,
                    )  # fmt: skip
                    said += [*backend.substitutions, *backend.recovered_errors]
                store.append(found, tag)
            else:
                bars.advance(stop - start)
    rows = [[str(e["tag"]), str(e["episodes"]), str(e["ticks"]), str(e["labels"])] for e in store.entries()]
    output().print(table(["shard", "episodes", "ticks", "labels"], rows, str(folder), numbers=(1, 2, 3)))
    for words in dict.fromkeys(said):
        output().print(words)
    return 0
