"""`dagger report`: writes the report.html of a run from the files of its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Options:
    """Write the report.html of a run again, from the files of its folder alone.

    Args:
        run: run folder, as in runs/rain-turn-0.
    """

    run: tyro.conf.Positional[Path]


def starting(arguments: object) -> Options:
    """The default options; the run folder has no default."""
    return Options(run=tyro.MISSING)


def main(options: Options) -> int:
    """Write the report, and print its path."""
    from dagger.report.record import write_report

    print(write_report(options.run))
    return 0
