"""The RPC port: a client's msgpack-RPC calls, answered strictly in the order of their arrival.

A method that has to wait (a tick, a map) delays its own client only.  An error in a method becomes the answer of that
call; input that is no call is answered with an error or ends the connection; neither affects another client.  The
server stops reading a client that sends too much or does not read its answers, until it catches up.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgpack

from sim.carla.server import wire
from sim.carla.server.activity_log import ActivityLog

LARGEST = 256 << 20  # [bytes] of one call: maps come as one string
MOST = 1 << 20  # elements of one array: no honest client announces more
SLICE = 0.005  # [s] for one client's calls before other clients take turns
FAREWELL = 1.0  # [s] to send the last answers
SHOWN = 500  # characters of an error that are sent and logged
log = logging.getLogger("homunculus.serve")
_pack: Callable[[Any], bytes] = msgpack.Packer(unicode_errors="surrogateescape").pack


@dataclass(frozen=True)
class Method:
    """One RPC method.

    Args:
        name: on the wire.
        call: takes the server and the arguments; may be a coroutine function.
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
    """A call that cannot be done; the client receives its message."""


class Connection(asyncio.Protocol):
    """The RPC connection of one client.

    Args:
        methods: by name. server: passed to every method.
        tally: counts clients, unknown methods and errors.
    """

    def __init__(self, methods: Mapping[str, Method], server: Any, tally: ActivityLog) -> None:
        self._methods, self._server, self._tally = methods, server, tally
        self._unpacker = msgpack.Unpacker(
            raw=False, strict_map_key=False, unicode_errors="surrogateescape", max_buffer_size=LARGEST,
            max_array_len=MOST, max_map_len=MOST,
        )  # fmt: skip
        self._calls: deque[Any] = deque()
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._full = False  # the client does not read its answers
        self._resumed = False  # the loop will call `_pump` again
        self._reads = True
        self._who: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the client."""
        self._transport = cast(asyncio.Transport, transport)
        self._who = transport.get_extra_info("peername")
        self._server.connections.add(self)
        self._tally.connected(self._who)

    def data_received(self, data: bytes) -> None:
        """Parse calls, or parts of calls."""
        try:
            self._unpacker.feed(data)
            self._calls.extend(self._unpacker)
        except (ValueError, msgpack.exceptions.UnpackException, RecursionError) as error:
            self._let_go(f"is no msgpack ({type(error).__name__})")
            return
        self._pump()

    def pause_writing(self) -> None:
        """Stop working for a client that does not read its answers."""
        self._full = True

    def resume_writing(self) -> None:
        """Go on working for a client that reads again."""
        self._full = False
        self._pump()

    def connection_lost(self, error: Exception | None) -> None:
        """Unregister the client: a call in progress is finished, its answer is dropped."""
        self._transport = None
        self._calls.clear()
        self._server.connections.discard(self)
        self._tally.disconnected(self._who)

    def end(self) -> None:
        """Close the connection; last answers that the client does not read are dropped."""
        if self._transport is not None:
            self._transport.close()
            asyncio.get_running_loop().call_later(FAREWELL, self._transport.abort)

    def _let_go(self, why: str) -> None:
        self._tally.say("no call", logging.WARNING, f"a client sent data that {why}; it is disconnected")
        self._calls.clear()
        self.end()

    def _pump(self) -> None:
        """Do the pending calls until one has to wait, answers are not read, or the time slice is over."""
        calls = self._calls
        if calls and not self._resumed:
            until = time.perf_counter() + SLICE
            while calls and self._task is None and not self._full:
                self._do(calls.popleft())
                if calls and time.perf_counter() > until:
                    self._resumed = True
                    asyncio.get_running_loop().call_soon(self._resume)
                    break
        if self._reads == bool(calls or self._full) and self._transport is not None:
            self._reads = not self._reads
            (self._transport.resume_reading if self._reads else self._transport.pause_reading)()

    def _resume(self) -> None:
        self._resumed = False
        self._pump()

    def _do(self, call: Any) -> None:
        if not (isinstance(call, list) and len(call) == 4 and call[0] == 0 and isinstance(call[3], list)):
            self._let_go("is no call")
            return
        _, number, name, arguments = call
        if type(number) is not int or not 0 <= number < 1 << 32:
            self._let_go("is no number of a call")
            return
        method = self._methods.get(name) if isinstance(name, str) else None
        if method is None:
            self._tally.unanswered(name)
            self._reply(number, f"unknown method {name!r:.200}", None)
            return
        if not (arguments and isinstance(arguments[0], list)):
            self._fail(number, method, Refused(f"{name} came without metadata; wanted [asynchronous] before all else"))
            return
        try:
            result = method.call(self._server, *arguments[1:])
        except Exception as error:
            self._fail(number, method, error)
            return
        if inspect.iscoroutine(result):
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
        """Answer with an error message; log a trace unless the call was refused."""
        if isinstance(error, Refused):
            level, why = logging.INFO, str(error)[:SHOWN]
        else:
            level, why = logging.WARNING, f"{method.name}: {type(error).__name__}: {error}"[:SHOWN]
            log.debug("%s", method.name, exc_info=error)
        self._tally.failed(method.name, level, f"refused: {why}" if level == logging.INFO else why)
        answers = {"value": wire.refusal(why), "void": wire.undone(why)}
        if method.answer in answers:
            self._reply(number, None, answers[method.answer])
        else:
            self._reply(number, why, None)

    def _reply(self, number: int, error: str | None, result: Any) -> None:
        if self._transport is None:
            return
        try:
            answer = _pack([1, number, error, result])
        except (ValueError, TypeError, OverflowError) as wrong:  # no client could read it
            answer = _pack([1, number, f"the answer cannot be sent: {wrong}"[:SHOWN], None])
        self._transport.write(answer)
