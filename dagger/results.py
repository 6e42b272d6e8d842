"""Rows of JSON that are only ever added: the results of suites and benchmarks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


class ResultsLog:
    """A file of JSON lines. A line that a kill tore is closed off and passed over, never rewritten.

    Args:
        path: made, with its folder, at the first row.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def rows(self) -> Iterator[dict[str, Any]]:
        """All whole rows, oldest first."""
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8") as stream:
            for line in stream:
                try:
                    row = json.loads(line)
                except json.JSONDecodeError:
                    continue
                if isinstance(row, dict):
                    yield row

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows in one write, and see it to the disk."""
        if not rows:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as stream:
            if stream.seek(0, os.SEEK_END):
                stream.seek(-1, os.SEEK_END)
                if stream.read(1) != b"\n":
                    stream.write(b"\n")
            stream.write("".join(json.dumps(row, sort_keys=True) + "\n" for row in rows).encode())
            stream.flush()
            os.fsync(stream.fileno())
