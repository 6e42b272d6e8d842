"""Servers of `dagger serve` for the tests: each in a process of its own, on whichever ports are free."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgpack

from sim.carla.load_clients import Server

ROOT = Path(__file__).resolve().parents[2]


class Raw:
    """A client that speaks the wire itself, and may say what no client says.

    Args:
        port: of a server's RPC.
    """

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self._unpacker = msgpack.Unpacker(raw=False, unicode_errors="surrogateescape")
        self._calls = 0

    def send(self, method: Any, *arguments: Any) -> int:
        """Ask for something; the number of the call."""
        self._calls += 1
        self.socket.sendall(
            msgpack.packb([0, self._calls, method, [[False], *arguments]], unicode_errors="surrogateescape")
        )
        return self._calls

    def answer(self) -> list[Any]:
        """What comes next: [1, number, error, result]."""
        while True:
            for found in self._unpacker:
                return list(found)
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionError("the server has let go")
            self._unpacker.feed(data)

    def call(self, method: Any, *arguments: Any) -> Any:
        """Ask and wait: error and result."""
        number = self.send(method, *arguments)
        answer = self.answer()
        assert answer[:2] == [1, number]
        return answer[2], answer[3]

    def value(self, method: str, *arguments: Any) -> Any:
        """Ask for a value that must come."""
        error, result = self.call(method, *arguments)
        assert error is None and result[0][0] == 1, (method, error, result)
        return result[0][1]

    def subscribe(self, stream: int, port: int) -> socket.socket:
        """A reader of a stream; `port` is that of the streams."""
        made = socket.create_connection(("127.0.0.1", port), 20)
        made.sendall(struct.pack("<I", stream))
        return made


def refusals(error: Any, result: Any) -> list[str]:
    """Why a call was not done, from what `Raw.call` gives: nothing where it was done, a reason for each of a batch.

    A value that was found is [[1, value]] and one that was not [[0, [why]]]; what was done is [[False]], what was not
    [[True, [why]]]; a batch is a list of values.
    """
    if error is not None:
        return [str(error)]
    found = []
    for answer in result:
        kind = answer[0]
        if isinstance(kind, list):  # one of a batch
            kind, answer = kind[0], kind
        if kind is True or (type(kind) is int and kind == 0):
            found.append(str(answer[1][0]))
    return found


def attended(function: str, port: int, seconds: float = 120.0, attempts: int = 3) -> str:
    """What became of "module:function", driving against a server in a process of its own: "done", or its last words.

    It is begun again where it hangs, not where it fails: CARLA's client can wait for itself for ever where its Traffic
    Manager is synchronous, as its loop and the tick that wakes it miss each other, with any server.
    """
    module, _, name = function.partition(":")
    code = f"import sys; from {module} import {name}; {name}(int(sys.argv[1]))"
    for _ in range(attempts):
        try:
            ended = subprocess.run(
                [sys.executable, "-c", code, str(port)], cwd=ROOT, capture_output=True, text=True, timeout=seconds
            )
        except subprocess.TimeoutExpired:
            continue
        return "done" if ended.returncode == 0 else f"it ended with {ended.returncode}: {ended.stderr[-2000:]}"
    return f"it hung {attempts} times for {seconds:g} s"


def visited(port: int) -> Any:
    """A client of a server, in a fresh town that goes on by itself."""
    import carla

    made = carla.Client("127.0.0.1", port)
    made.set_timeout(20.0)
    made.load_world("grid_town")
    return made


@contextmanager
def served(*options: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A running server: its RPC port and its process."""
    with Server(*options) as server:
        yield server.port, server.process
