"""An append-only file of JSON lines that survives kills and full disks: metrics, results, index of shards."""

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
        rows: number of whole rows that are in memory and not in the file.
    """

    def __init__(self, rows: int, reason: str) -> None:
        super().__init__(reason)
        self.rows = rows


class JsonlLog:
    """A file of JSON lines to which rows are only ever added.

    A line torn by a kill is terminated before the next row and skipped by `rows`; nothing is rewritten. Rows that a
    full disk did not take stay in memory, and the next write continues at the same byte: the file then holds what it
    would have held without the interruption.

    Args:
        path: the file; it and its folder are created with the first row.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._owed = b""
        self._amid = False  # whether the file ends within a row of this log

    def rows(self, strict: bool = False) -> Iterator[dict[str, Any]]:
        """Yield all whole rows, oldest first.

        Args:
            strict: whether a damaged line is an error; a last line without its end never is.

        Raises:
            ValueError: with `strict`, naming the file and the line.
        """
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8", errors="replace") as stream:
            for number, line in enumerate(stream, 1):
                try:
                    row = json.loads(line)
                except json.JSONDecodeError:
                    if strict and line.endswith("\n") and line.strip():
                        raise ValueError(f"{self.path}:{number} is not JSON: {line[:60].rstrip()!r}") from None
                    continue
                if isinstance(row, dict):
                    yield row

    @property
    def pending(self) -> int:
        """Number of rows in memory that could not be written yet."""
        return self._owed.count(b"\n")

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows and flush them to the disk.

        Raises:
            OSError: when not all could be written; the missing bytes are written before the next rows.
        """
        if not rows:
            return
        self._owed += "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows).encode()
        self._flush()

    def append_with_retries(self, rows: Sequence[dict[str, Any]], waits: Sequence[float] | None = None) -> None:
        """Add rows; while the disk is full, retry after increasing waits.

        Raises:
            DiskFull: when it is still full after the last wait. OSError: for any other failure.
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
        raise DiskFull(self.pending, reason)

    def cut_torn_line(self) -> None:
        """Make the file end with the end of a line: remove a last line that is no JSON, terminate one that is."""
        data = self.path.read_bytes() if self.path.exists() else b""
        _, _, rest = data.rpartition(b"\n")
        if not rest:
            return
        try:
            json.loads(rest)
        except ValueError:
            with self.path.open("r+b") as stream:
                stream.truncate(len(data) - len(rest))
        else:
            with self.path.open("ab") as stream:
                stream.write(b"\n")

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


class KeyedLog(JsonlLog):
    """A JSON-lines file whose rows have a `key`; a row whose key is already in the file is not written again."""

    def has(self, key: str) -> bool:
        """Return whether a row of this key was written."""
        return any(row["key"] == key for row in self.rows())

    def add(self, key: str, row: dict[str, Any]) -> None:
        """Add a row unless its key is in the file."""
        if not self.has(key):
            self.append([{"key": key, **row}])
