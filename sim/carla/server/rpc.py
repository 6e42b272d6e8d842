"""The RPC port: msgpack-RPC calls of a client, answered strictly in the order in which they came.

A method that has to wait (a tick, a map) holds up its own client only.  Whatever goes wrong in a method becomes its
answer, whatever comes in that is no call is answered or ends the connection, and neither reaches anybody else.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgpack

from sim.carla.server import wire

LARGEST = 256 << 20  # [bytes] of one call: maps come as one string
log = logging.getLogger("homunculus.serve")


@dataclass(frozen=True)
class Method:
    """One RPC method.

    Args:
        name: on the wire.
        call: is given the server and the arguments; may be a coroutine function.
        answer: "value" (a Response<T>), "void" (a Response<void>) or "bare".
        does: "served", "ignored" (accepted, without effect) or "refused".
        says: what it does, or why not.
    """

    name: str
    call: Callable[..., Any]
    answer: str
    does: str
    says: str


class Refused(Exception):
    """A call that cannot be done; its sentence goes to the client."""


class Connection(asyncio.Protocol):
    """One client.

    Args:
        methods: by name. server: handed to every method.
        unknown: counts the names of methods that nobody knows.
    """

    def __init__(self, methods: Mapping[str, Method], server: Any, unknown: Counter[str]) -> None:
        self._methods, self._server, self._unknown = methods, server, unknown
        self._unpacker = msgpack.Unpacker(
            raw=False, strict_map_key=False, unicode_errors="surrogateescape", max_buffer_size=LARGEST
        )
        self._calls: deque[Any] = deque()
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Calls, or parts of calls."""
        try:
            self._unpacker.feed(data)
            self._calls.extend(self._unpacker)
        except (ValueError, msgpack.exceptions.UnpackException, RecursionError) as error:
            log.warning("a client sent what is no msgpack (%s); it is let go", type(error).__name__)
            self.end()
            return
        self._pump()

    def pause_writing(self) -> None:
        """The client does not read its answers: no more calls are taken from it until it does."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """The client has gone: what it asked for last is done, nobody is told."""
        self._transport = None
        self._calls.clear()
        self._server.connections.discard(self)

    def end(self) -> None:
        """Let the client go."""
        if self._transport is not None:
            self._transport.close()

    def _pump(self) -> None:
        while self._calls and self._task is None:
            call = self._calls.popleft()
            if not (isinstance(call, list) and len(call) == 4 and call[0] == 0 and isinstance(call[3], list)):
                log.warning("a client sent what is no call; it is let go")
                self.end()
                return
            _, number, name, arguments = call
            method = self._methods.get(name) if isinstance(name, str) else None
            if method is None:
                self._unknown[str(name)] += 1
                log.info("unknown method %s", name)
                self._reply(number, f"unknown method {name!r}", None)
                continue
            try:
                result = method.call(self._server, *arguments[1:])
            except Exception as error:
                self._fail(number, method, error)
                continue
            if inspect.isawaitable(result):
                self._task = asyncio.ensure_future(self._finish(number, method, result))
            else:
                self._succeed(number, method, result)

    async def _finish(self, number: int, method: Method, result: Any) -> None:
        try:
            self._succeed(number, method, await result)
        except Exception as error:
            self._fail(number, method, error)
        finally:
            self._task = None
            self._pump()

    def _succeed(self, number: int, method: Method, result: Any) -> None:
        if method.answer == "value":
            result = wire.value(result)
        elif method.answer == "void":
            result = wire.done()
        self._reply(number, None, result)

    def _fail(self, number: int, method: Method, error: Exception) -> None:
        """What a method could not do: a sentence for the client, and where it was no refusal a trace in the log."""
        if isinstance(error, Refused):
            why = str(error)
        else:
            why = f"{method.name}: {type(error).__name__}: {error}"
            log.warning("%s", why, exc_info=log.isEnabledFor(logging.DEBUG))
        answers = {"value": wire.refusal(why), "void": wire.undone(why)}
        if method.answer in answers:
            self._reply(number, None, answers[method.answer])
        else:
            self._reply(number, why, None)

    def _reply(self, number: int, error: str | None, result: Any) -> None:
        if self._transport is not None:
            self._transport.write(msgpack.packb([1, number, error, result], unicode_errors="surrogateescape"))
