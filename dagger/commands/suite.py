"""`dagger suite`: let a driver drive, write down every episode, tally them.

An episode that fails, or a map that is not there, is a row like any other: it is counted and the suite goes on.
Rows are keyed by scenario, split, seed, driver and code, so the same command goes on where it was interrupted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from dagger.console import Bars, output, table
from dagger.drivers import DriverChoice, choose_driver, code_version
from dagger.options import BadInput, check_seed
from dagger.results import ResultsLog
from dagger.runs import commit, write_atomically
from policies.closed_loop import Tally, drive
from probes.statistics import wilson
from scenarios.reading import read_yaml
from scenarios.rules.parse import listed, nearest
from scenarios.sample import batch
from scenarios.spec import Scenario, load_scenario, scenario_names
from scenarios.suite import Entry, load_suite, suite_names
from sim.config import Episode, Simulation
from sim.metrics import measure
from sim.rollout import Trajectory
from sim.types import DECISIONS, NO_BRANCH, OUTCOMES

SEEDS = 6_000_000  # apart from the seeds of training, evaluation and probes
CHUNK = 4  # batches of worlds between two writes
KEY = ("scenario", "digest", "split", "seed", "driver_version", "code")


@dataclass(frozen=True)
class Options:
    """Let a driver drive a suite or scenarios, and tally how it went: agreement with the rule, crashes, comfort.

    One row per episode goes to results.jsonl, which is only ever added to; summary.json has the table.

    Args:
        targets: suites, scenarios, or paths of their files (.yaml).
        driver: expert, idle, left, right, straight, a checkpoint or run folder, or module:callable, where the
            callable takes nothing and returns a policy.
        seeds: episodes per scenario; by default what the suite says, 100 for a scenario by itself.
        seed: of the first episode.
        split: conditions to draw from; by default what the suite says, "every" for a scenario by itself.
        worlds: how many drive at once.
        threads: of the simulator and of the network.
        out: the folder; by default results/TARGET-DRIVER.
        maps: folder of OpenDRIVE files; otherwise HOMUNCULUS_MAPS names it.
        config: YAML file of these options; flags given here win over it.
    """

    targets: tyro.conf.Positional[tuple[str, ...]] = ("first",)
    driver: str = "expert"
    seeds: int | None = None
    seed: int = 0
    split: str | None = None
    worlds: int = 64
    threads: int = 2
    out: Path | None = None
    maps: Path | None = None
    config: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be driven."""
        check_seed(self.seed)
        for name in ("seeds", "worlds", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BadInput(f"--{name} was given {value}; wanted at least 1")


def entries_of(target: str) -> list[Entry]:
    """What a name or file stands for: a suite's entries, or one for a scenario.

    Raises:
        BadInput, ScenarioError: naming the known suites and scenarios.
    """
    if target.endswith((".yaml", ".yml")):
        path = Path(target)
        if not path.is_file():
            raise BadInput(f"there is no file {target}; wanted a suite or a scenario in YAML")
        if "entries" in read_yaml(path.read_text("utf-8"), target)[0]:
            return list(load_suite(target).entries)
        load_scenario(target)
        return [Entry.model_validate({"scenario": target})]
    if target in suite_names():
        return list(load_suite(target).entries)
    if target in scenario_names():
        return [Entry.model_validate({"scenario": target})]
    known = (*suite_names(), *scenario_names())
    raise BadInput(
        f"unknown suite or scenario '{target}'; known suites are {listed(suite_names())}, known scenarios are "
        f"{listed(scenario_names())}{nearest(target, known)}"
    )


def main(options: Options) -> int:
    """Drive everything; returns 1 when something could not be driven."""
    import torch

    entries = [entry for target in options.targets for entry in entries_of(target)]
    driver = choose_driver(options.driver)
    work = []
    for entry in entries:
        scenario = load_scenario(entry.scenario)
        split = options.split or entry.split
        scenario.split(split)
        work.append((scenario, split, options.seeds or entry.episodes))
    torch.set_num_threads(options.threads)
    name = "-".join(Path(t).stem for t in options.targets)
    folder = options.out or Path("results") / f"{name}-{Path(options.driver.replace(':', '-')).name}"
    log = ResultsLog(folder / "results.jsonl")
    code, source = code_version(), commit()
    summaries = []
    with Bars() as bars:
        for scenario, split, count in work:
            same = {"scenario": scenario.name, "digest": scenario.digest()[:16], "split": split, "driver": driver.name,
                    "driver_version": driver.version, "code": code, "commit": source}  # fmt: skip
            bars.stage(f"{scenario.name} [{split}]: {driver.name} drives {count} episodes", count)
            rows = _entry(scenario, split, count, driver, options, log, same, bars)
            summaries.append(summary(scenario.name, split, rows))
            for reason in sorted({r["error"] for r in rows if r["outcome"] in ("error", "skipped")}):
                bars.line(f"{scenario.name}: {reason}")
    write_atomically(folder / "summary.json", json.dumps(
        {"driver": driver.name, "driver_version": driver.version, "code": code, "commit": source,
         "targets": list(options.targets), "rows": summaries}, indent=1) + "\n")  # fmt: skip
    output().print(as_table(summaries, driver.name))
    failed = sum(s["errors"] + s["skipped"] for s in summaries)
    if failed:
        print(f"{failed} episodes could not be driven; they are rows in {log.path} and count as disagreement")
    print(folder / "summary.json")
    return 1 if failed else 0


def _entry(
    scenario: Scenario, split: str, count: int, driver: DriverChoice, options: Options, log: ResultsLog,
    same: dict[str, Any], bars: Bars,
) -> list[dict[str, Any]]:  # fmt: skip
    """Rows of one scenario: those that were there, and those that had to be driven."""
    first = options.seed * 10_000_000 + SEEDS
    seeds = range(first, first + count)
    key = {k: same[k] for k in KEY if k != "seed"}
    done = {r["seed"]: r for r in log.rows() if all(r.get(k) == v for k, v in key.items()) and
            r["outcome"] not in ("error", "skipped")}  # fmt: skip
    missing = [s for s in seeds if s not in done]
    bars.advance(count - len(missing))
    size = options.worlds * CHUNK
    for start in range(0, len(missing), size):
        chunk = missing[start : start + size]
        rows = [same | row for row in _drive(scenario, split, chunk, driver, options, bars)]
        log.append(rows)
        done |= {r["seed"]: r for r in rows}
    return [done[s] for s in seeds]


def _drive(
    scenario: Scenario, split: str, seeds: Sequence[int], driver: DriverChoice, options: Options, bars: Bars
) -> list[dict[str, Any]]:
    """Rows of these seeds, whatever happens."""
    try:
        episodes = batch(scenario, seeds, split)
        return _rows(scenario, episodes, driver, options, bars)
    except FileNotFoundError as error:
        bars.advance(len(seeds))
        return [{"seed": s, "outcome": "skipped", "agrees": False, "error": str(error)} for s in seeds]
    except Exception as error:  # one by one, so that only the culprit is lost; each failure is written down
        if len(seeds) > 1:
            return [row for s in seeds for row in _drive(scenario, split, [s], driver, options, bars)]
        bars.advance(1)
        words = f"{type(error).__name__}: {error}".split("\n")[0]
        return [{"seed": seeds[0], "outcome": "error", "agrees": False, "error": words}]


def _rows(
    scenario: Scenario, episodes: Sequence[Episode], driver: DriverChoice, options: Options, bars: Bars
) -> list[dict[str, Any]]:
    metrics: list[dict[str, float]] = []

    def on_trajectory(chunk: Sequence[Episode], trajectory: Trajectory) -> None:
        found = measure(trajectory, Simulation().tick)
        metrics.extend(
            {name: round(float(m.value[w]), 6) for name, m in found.items() if m.valid[w]} for w in range(len(chunk))
        )

    search = (options.maps,) if options.maps else ()
    tally = drive(
        driver.of(scenario), scenario, episodes, driver.camera, options.worlds, options.threads, search,
        on_trajectory=on_trajectory,
    )  # fmt: skip
    bars.advance(len(episodes))
    return [_row(tally, i, metrics[i]) for i in range(len(episodes))]


def _row(tally: Tally, i: int, metrics: dict[str, float]) -> dict[str, Any]:
    branch = int(tally.branch[i])
    return {
        "seed": int(tally.seeds[i]),
        "outcome": OUTCOMES[int(tally.outcome[i])],
        "branch": None if branch == NO_BRANCH else DECISIONS[branch],
        "wanted": DECISIONS[int(tally.wanted[i])],
        "agrees": bool(tally.agrees[i]),
        "ticks": int(tally.ticks[i]),
        "cell": {name: bool(v) for name, v in zip(tally.names, tally.cells[i])},
        "metrics": metrics,
    }


# ----------------------------------------------------------------------------------------------- the tally
def summary(scenario: str, split: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Shares over all rows; what could not be driven does not count as agreement."""

    def share(outcome: str) -> float:
        return sum(r["outcome"] == outcome for r in rows) / len(rows)

    def mean(name: str) -> float | None:
        values = [r["metrics"][name] for r in rows if name in r.get("metrics", {})]
        return round(sum(values) / len(values), 4) if values else None

    agrees = sum(r["agrees"] for r in rows)
    return {
        "scenario": scenario, "split": split, "episodes": len(rows),
        "agreement": agrees / len(rows), "interval": list(wilson(agrees, len(rows))),
        **{outcome: share(outcome) for outcome in ("arrived", "collision", "off_road", "timeout")},
        "errors": _count(rows, "error"), "skipped": _count(rows, "skipped"),
        **{name: mean(name) for name in ("progress", "duration", "lateral_acceleration", "jerk")},
    }  # fmt: skip


def _count(rows: Iterable[dict[str, Any]], outcome: str) -> int:
    return sum(r["outcome"] == outcome for r in rows)


def as_table(summaries: Sequence[dict[str, Any]], driver: str) -> Any:
    """The summaries as people read them."""
    heads = ["scenario", "split", "episodes", "agrees with the rule [95 %]", "arrived", "collision", "off road",
             "timeout", "errors", "progress", "lateral [m/s²]"]  # fmt: skip
    rows = []
    for s in summaries:
        low, high = s["interval"]
        shares = [f"{s[k]:.2f}" for k in ("arrived", "collision", "off_road", "timeout")]
        agreement = f"{s['agreement']:.3f} [{low:.3f}, {high:.3f}]"
        rest = ["–" if s[k] is None else f"{s[k]:.2f}" for k in ("progress", "lateral_acceleration")]
        rows.append([s["scenario"], s["split"], str(s["episodes"]), agreement, *shares, str(s["errors"] + s["skipped"]),
                     *rest])  # fmt: skip
    return table(heads, rows, f"driver: {driver}", numbers=range(2, len(heads)))
