"""`dagger report`: a run's page, from the run's files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Options:
    """Write a run's report.html anew, from the files of its folder alone.

    Args:
        run: the run folder, as in runs/rain-turn-0.
    """

    run: tyro.conf.Positional[Path]


def starting(arguments: object) -> Options:
    """The folder has no default."""
    return Options(run=tyro.MISSING)


def main(options: Options) -> int:
    """Write it and print where it is."""
    from dagger.report.record import write_report

    print(write_report(options.run))
    return 0
