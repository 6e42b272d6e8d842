"""Rows of JSON that are only ever added: the results of suites and benchmarks."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

FULL = (errno.ENOSPC, errno.EDQUOT)
WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # [s] between tries while a disk is full: half a minute in all


class DiskFull(Exception):
    """The disk stayed full.

    Args:
        rows: how many whole rows are kept in memory and are not in the file.
    """

    def __init__(self, rows: int, reason: str) -> None:
        super().__init__(reason)
        self.rows = rows


class ResultsLog:
    """A file of JSON lines. A line that a kill tore is closed off and passed over, never rewritten.

    What a full disk did not take is kept, and the next write goes on at the very byte: the file then holds what it
    would have held without the interruption.

    Args:
        path: made, with its folder, at the first row.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._owed = b""
        self._amid = False  # whether the file ends within a row of ours

    def rows(self) -> Iterator[dict[str, Any]]:
        """All whole rows, oldest first."""
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8", errors="replace") as stream:
            for line in stream:
                try:
                    row = json.loads(line)
                except json.JSONDecodeError:
                    continue
                if isinstance(row, dict):
                    yield row

    @property
    def owed(self) -> int:
        """How many rows are kept in memory because they could not be written."""
        return self._owed.count(b"\n")

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows, and see them to the disk.

        Raises:
            OSError: when not all could be written; what is missing is written before the next rows.
        """
        if not rows:
            return
        self._owed += "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows).encode()
        self._flush()

    def append_patiently(self, rows: Sequence[dict[str, Any]], waits: Sequence[float] | None = None) -> None:
        """Add rows; while the disk is full, try again after ever longer waits.

        Raises:
            DiskFull: when it is still full after the last wait. OSError: for anything else that is wrong.
        """
        try:
            return self.append(rows)
        except OSError as error:
            if error.errno not in FULL:
                raise
            reason = error.strerror or str(error)
        for wait in WAITS if waits is None else waits:
            time.sleep(wait)
            try:
                return self._flush()
            except OSError as error:
                if error.errno not in FULL:
                    raise
        raise DiskFull(self.owed, reason)

    def _flush(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            size = os.fstat(handle).st_size
            if not self._amid and size and os.pread(handle, 1, size - 1) != b"\n":
                os.write(handle, b"\n")
            while self._owed:
                landed = os.write(handle, self._owed)
                self._amid = self._owed[landed - 1 : landed] != b"\n"
                self._owed = self._owed[landed:]
            os.fsync(handle)
        finally:
            os.close(handle)
