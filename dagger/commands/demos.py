"""`dagger demos`: demonstrations of a scenario's expert, as states on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from dagger.backends import PORT, check_backend
from dagger.console import Bars, output, table
from dagger.options import UsageError, check_seed

SHARD = 256  # episodes in a shard: what an interruption can cost
SEEDS = 7_000_000  # apart from the seeds of training, evaluation and probes


@dataclass(frozen=True)
class Options:
    """Store demonstrations of a scenario's expert: states and actions, from which pictures are redrawn.

    The same command goes on where it was interrupted; a larger --episodes adds to what is there.

    Args:
        scenario: a name out of `dagger scenarios`, or a path that ends in .yaml.
        episodes: how many.
        out: the folder; by default demonstrations/SCENARIO-SEED.
        split: conditions to draw from: one of the scenario's splits, or "every".
        seed: of the episodes.
        worlds: how many drive at once.
        threads: of the simulator.
        rule: replaces the scenario's rule.
        maps: folder of OpenDRIVE files; otherwise HOMUNCULUS_MAPS names it.
        backend: where worlds run: embedded, in this process, or carla, on CARLA servers, a world each.
        host: of the CARLA servers.
        port: of each CARLA server.
        config: YAML file of these options; flags given here win over it.
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
        """Refuse what cannot be driven."""
        check_backend(self.backend, self.port)
        check_seed(self.seed)
        for name in ("episodes", "worlds", "threads"):
            if (value := getattr(self, name)) < 1:
                raise UsageError(f"--{name} was given {value}; wanted at least 1")


def main(options: Options) -> int:
    """Drive, store, and say what is there."""
    from dagger.algorithms.schedules import BetaSchedule
    from dagger.runs.folder import versions
    from dagger.training.collect import collect
    from dagger.training.demonstrations import DemonstrationStore
    from policies.expert.expert import Expert
    from scenarios.sampling.sample import balanced_batch, slots_needed
    from scenarios.scenario import load_scenario
    from sim.world.backends import max_at_once, new_worlds

    scenario = load_scenario(options.scenario)
    scenario = scenario if options.rule is None else scenario.with_rule(options.rule)
    scenario.split(options.split)
    folder = options.out or Path("demonstrations") / f"{scenario.name}-{options.seed}"
    store = DemonstrationStore(folder)
    expert, search = Expert.of(scenario), (options.maps,) if options.maps else ()
    said: list[str] = []
    with Bars() as bars:
        bars.stage(f"{scenario.name}: demonstrating {options.episodes} episodes", options.episodes)
        for start in range(0, options.episodes, SHARD):
            stop = min(start + SHARD, options.episodes)
            first = options.seed * 10_000_000 + SEEDS
            tag = f"{scenario.name}-{scenario.digest()[:8]}-{options.split}-{first + start}-{first + stop}"
            if tag not in store.tags():
                episodes = balanced_batch(scenario, range(first + start, first + stop), options.split)
                with new_worlds(
                    max_at_once(min(options.worlds, stop - start)), None, slots_needed(scenario),
                    threads=options.threads, search=search,
                ) as backend:  # fmt: skip
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
