"""Measures how reliable the expert is: the share of episodes in which it arrives as its rule decides, by map.

    python benchmarks/expert.py --episodes 2000
    HOMUNCULUS_MAPS=/folder/of/xodr python benchmarks/expert.py

Each rate has its 95 % Wilson interval and the smoothness of the expert's driving beside it. Scenarios whose map file is
not found are named and left out.
"""

from __future__ import annotations

import argparse
import collections
import time
from collections.abc import Sequence

import numpy as np

from policies.evaluate import evaluate
from policies.expert.expert import Expert
from scenarios.sampling.sample import balanced_batch
from scenarios.scenario import load_scenario
from sim.core.statistics import wilson_interval
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import OUTCOMES
from sim.metrics.episode import measure
from sim.world.context import RunContext
from sim.world.rollout import Trajectory

SCENARIOS = ("rain-turn", "night-turn", "rain-xor-night", "rain-and-night", "rain-turn-town01", "rain-turn-town02")


def run(name: str, count: int, first: int) -> None:
    """Drive one scenario and print the results."""
    scenario = load_scenario(name)
    try:
        episodes = balanced_batch(scenario, range(first, first + count), "test")
    except FileNotFoundError as error:
        print(f"{name:22} left out: {error}")
        return
    gentleness: dict[str, list[float]] = collections.defaultdict(list)

    def keep(chunk: Sequence[Episode], trajectory: Trajectory) -> None:
        for key, metric in measure(trajectory, 0.1).items():
            gentleness[key].extend(metric.value.tolist())

    begin = time.perf_counter()
    tally = evaluate(Expert.of(scenario), scenario, episodes, Camera(), RunContext(worlds=256), on_trajectory=keep)
    took = time.perf_counter() - begin
    low, high = wilson_interval(int(tally.agrees.sum()), count)
    counts = collections.Counter(OUTCOMES[o] for o in tally.outcome)
    lateral, jerk = gentleness["lateral_acceleration"], gentleness["jerk"]
    print(
        f"{name:22} {tally.agrees.mean():8.2%} as the rule says [{low:.2%}, {high:.2%}] of {count}   {dict(counts)}   "
        f"median / worst: lateral {np.median(lateral):.1f} / {max(lateral):.1f} m/s^2, "
        f"jerk {np.median(jerk):.1f} / {max(jerk):.1f} m/s^3   {took:.1f} s"
    )
    maps = [e.map for e in episodes]
    places = np.array([f"{m.file or m.generate} {m.junction} {dict(m.parameters) or ''}" for m in maps])
    for place in sorted(set(places)):
        here = places == place
        if not tally.agrees[here].all():
            seeds = tally.seeds[here & ~tally.agrees][:8].tolist()
            print(f"    {place}: {tally.agrees[here].sum()} of {here.sum()}; failed with seeds {seeds}")


def main() -> None:
    """Drive every scenario that can be driven here."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=2000, help="number of episodes of each scenario")
    parser.add_argument("--first", type=int, default=5_000_000, help="seed of the first episode")
    parser.add_argument("scenarios", nargs="*", default=list(SCENARIOS))
    options = parser.parse_args()
    for name in options.scenarios:
        run(name, options.episodes, options.first)


if __name__ == "__main__":
    main()
