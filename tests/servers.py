"""Servers of `dagger serve` for the tests: each in a process of its own, on whichever ports are free."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def served(*options: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A running server: its RPC port and its process."""
    command = [sys.executable, "-u", "-m", "dagger.cli", "serve", "--port", "0", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            said = []
            for line in process.stdout:
                said.append(line)
                if found := re.search(r"serving .* on \S+:(\d+)", line):
                    yield int(found.group(1)), process
                    break
            else:
                pytest.fail("the server did not start: " + "".join(said))
        finally:
            process.terminate()
            process.communicate(timeout=20)
