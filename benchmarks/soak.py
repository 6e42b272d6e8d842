"""Soak test of `dagger suite`: does its memory grow over ten thousand episodes in one process?

    python benchmarks/soak.py
    python benchmarks/soak.py --episodes 2000 --driver runs/rain-turn-0

Prints the resident memory after the first 500 episodes and after all of them; the target is less than 5 % between the
two. The second figure includes the summary of all rows.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
import time
from pathlib import Path

from dagger import cli

FIRST, MOST_GROWTH = 500, 0.05


def resident() -> float:
    """Resident memory of this process [MB], from /proc, which Linux has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def drive(scenario: str, driver: str, episodes: int, folder: Path) -> float:
    """Run a suite up to so many episodes; returns the seconds that it took."""
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status = cli.main(["suite", scenario, "--driver", driver, "--seeds", str(episodes), "--out", str(folder)])
    if status == cli.BAD:
        raise SystemExit(f"dagger suite {scenario} --driver {driver} was refused")
    return time.perf_counter() - began


def main() -> None:
    """Drive, and print both figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--scenario", default="rain-turn")
    parser.add_argument("--driver", default="expert")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        drive(options.scenario, options.driver, FIRST, Path(folder))
        before = resident()
        print(f"after {FIRST} episodes: {before:.0f} MB")
        took = drive(options.scenario, options.driver, options.episodes, Path(folder))
        after = resident()
    growth = after / before - 1.0
    verdict = "within" if growth < MOST_GROWTH else "more than"
    print(
        f"after {options.episodes} episodes: {after:.0f} MB, {growth:+.1%} ({verdict} {MOST_GROWTH:.0%}); {took:.0f} s"
    )


if __name__ == "__main__":
    main()
