"""`dagger bench`: measures speed on this machine and compares it with the targets.

A benchmark is a row: its name, a figure for every batch size and thread count, and its target. Each is warmed up and
then repeated; the row has the median. Rows are only appended to the file, with the machine and the versions that they
were measured on.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from dagger.bench.case import Case
from dagger.console import Bars, output, table
from dagger.options import UsageError
from dagger.runs.folder import commit, versions
from dagger.runs.jsonl import JsonlLog
from sim.core.errors import did_you_mean, known_names


@dataclass(frozen=True)
class Options:
    """Measure speed on this machine: simulator, camera, loader, training, inference, start-up.

    Prints a table with the targets beside the figures, and appends the figures to a file of JSON lines.

    Args:
        benchmarks: benchmarks to run: step, town, camera, gym, loader, training, inference, carla, import, compile;
            without names all of them except compile.
        only: the same list, as a flag.
        seconds: time spent on each repeat [s].
        repeats: repeats of each benchmark; the table shows their median.
        worlds: batch sizes, in worlds that are stepped together.
        threads: number of threads to measure beside one thread; 1 measures one thread alone.
        cold: also measure how long all kernels take to compile from an empty cache (about a minute).
        out: file of JSON lines that the rows are appended to.
        config: YAML file with these options; flags on the command line override it.
    """

    benchmarks: tyro.conf.Positional[tuple[str, ...]] = ()
    only: tuple[str, ...] = ()
    seconds: float = 0.5
    repeats: int = 5
    worlds: tuple[int, ...] = (1, 64, 1024)
    threads: int = 2
    cold: bool = False
    out: Path = Path("benchmarks/results/bench.json")
    config: Path | None = None

    def __post_init__(self) -> None:
        """Refuse options that cannot be measured."""
        for name in ("repeats", "threads"):
            if (value := getattr(self, name)) < 1:
                raise UsageError(f"--{name} was given {value}; wanted at least 1")
        if not 0 < self.seconds <= 600:
            raise UsageError(f"--seconds was given {self.seconds}; wanted more than 0 and at most 600")
        if not self.worlds or min(self.worlds) < 1:
            raise UsageError(f"--worlds was given {self.worlds}; wanted batch sizes of at least 1")


def main(options: Options) -> int:
    """Measure, print the table, append the rows to the file."""
    from dagger.bench import measurements

    known, asked = measurements.NAMES, (*options.benchmarks, *options.only)
    if odd := next((n for n in asked if n not in known), None):
        raise UsageError(f"there is no benchmark '{odd}'; known are {known_names(known)}{did_you_mean(odd, known)}")
    chosen = [n for n in known if (n in asked if asked else n != "compile") or
              (n == "compile" and options.cold)]  # fmt: skip
    cases = [case for name in chosen for case in measurements.cases(name, options.worlds, options.threads)]
    about = machine()
    rows: list[dict[str, Any]] = []
    with Bars() as bars:
        for case in cases:
            batch = f" B={case.worlds}" if case.worlds else ""
            bars.stage(f"{case.name}{batch} threads={case.threads}", options.repeats)
            rows.append(run(case, options.seconds, options.repeats, bars.advance) | about)
    JsonlLog(options.out).append(rows)
    output().print(as_table(rows))
    print(options.out)
    return 0


def run(case: Case, seconds: float, repeats: int, advance: Callable[[float], None] = lambda by: None) -> dict[str, Any]:
    """Warm up a case, repeat it, and return a row with the median."""
    measure = case.make()
    measure(0.0)  # compiles, fills caches
    figures = []
    for _ in range(repeats):
        done, took = measure(seconds)
        figures.append(took / done if case.less else done / took)
        advance(1)
    return {
        "name": case.name, "worlds": case.worlds, "threads": case.threads, "unit": case.unit,
        "value": statistics.median(figures), "least": min(figures), "most": max(figures), "repeats": repeats,
        "target": case.target, "smaller_is_better": case.less, "note": case.note,
    }  # fmt: skip


def machine() -> dict[str, Any]:
    """The machine, the commit and the versions that figures are measured on."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "cores": os.cpu_count(), "cpu": cpu_model(),
        "load": load, "system": platform.platform(), "commit": commit(), "versions": versions(),
    }  # fmt: skip


def cpu_model() -> str:
    """The processor's name, if the system reports it."""

    def lines() -> Iterator[str]:
        if Path("/proc/cpuinfo").is_file():
            yield from Path("/proc/cpuinfo").read_text().splitlines()

    found = (line.partition(":")[2].strip() for line in lines() if line.startswith("model name"))
    return next(found, platform.processor() or platform.machine())


def as_table(rows: Sequence[dict[str, Any]]) -> Any:
    """The rows as a table for the terminal."""
    cells = []
    for row in rows:
        value, target = row["value"], row["target"]
        shown = [f"{x:,.2f}" if row["smaller_is_better"] else f"{x:,.0f}" for x in (value, row["least"], row["most"])]
        reached = ""
        if target is not None:
            ratio = target / value if row["smaller_is_better"] else value / target
            reached = f"{ratio:.2f} of target"
        aim = "–" if target is None else f"{'≤' if row['smaller_is_better'] else '≥'} {target:,g}"
        cells.append([row["name"], str(row["worlds"] or ""), str(row["threads"]), shown[0], f"{shown[1]} to {shown[2]}",
                      row["unit"], aim, reached, row["note"]])  # fmt: skip
    heads = ["benchmark", "worlds", "threads", "median", "range", "unit", "target per core", "reached", "counted"]
    about = f"{rows[0]['cores']} cores of {rows[0]['cpu']}, load {rows[0]['load']}" if rows else ""
    return table(heads, cells, about, numbers=(1, 2, 3, 6))
