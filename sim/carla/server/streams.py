"""The streaming port: a reader names a stream, then receives its frames, each after its length.

A slow reader loses the oldest of its waiting frames, which are counted, and delays no other reader.
"""

from __future__ import annotations

import asyncio
import math
import struct
from collections import deque
from typing import cast

WAITING = 8  # frames that wait for a slow reader at most
BUFFERED = 1 << 20  # [bytes] handed to the socket before a reader counts as slow
STALL_TIMEOUT = 0.25  # [s] that a tick waits for clients that have a stream's token and have not subscribed yet
MOST_EXPECTED = 256  # expected readers of one stream at once
MOST_ALIASES = 65536  # alias numbers that stay valid: an older client's reader cannot reconnect
CATCHING_UP = 20  # frames of a sensor during which a reader is young: it may be stopped at any moment
GRACE = 0.0004  # [s] that a young reader has for a frame before its client goes on
LINGER = 30.0  # [s] that readers of a stream that has ended stay connected
_LENGTH = struct.Struct("<I")


class Stream:
    """The readers of one stream, present and expected."""

    def __init__(self) -> None:
        self.sessions: set[Session] = set()
        self.promised: deque[float] = deque(
            maxlen=MOST_EXPECTED
        )  # when tokens were given whose readers have not come yet

    def forget(self, now: float) -> None:
        """Drop expected readers that have not come within STALL_TIMEOUT."""
        while self.promised and self.promised[0] + STALL_TIMEOUT <= now:
            self.promised.popleft()


class Streams:
    """All streams of a server.

    Attributes:
        sent: frames given to readers; dropped: those of them that slow readers lost.
    """

    def __init__(self) -> None:
        self._streams: dict[int, Stream] = {}
        self._aliases: dict[int, int] = {}  # other numbers of streams -> their own
        self._next = 1
        self._arrived = asyncio.Event()
        self._awaited: set[Stream] = set()  # those that expect readers
        self.sent = self.dropped = 0
        self.young = False  # whether a frame was sent to a young reader since `digest`

    def open(self) -> int:
        """Return the id of a new stream."""
        number, self._next = self._next, self._next + 1
        self._streams[number] = Stream()
        return number

    def alias(self, number: int) -> int:
        """Return another number for a stream; the latest MOST_ALIASES of these are valid.

        A client keeps its readers by their numbers. One that replaces a reader of snapshots by another of the same
        number may end the new one instead of the old one, and then crashes.
        """
        other, self._next = self._next, self._next + 1
        self._aliases[other] = number
        if len(self._aliases) > MOST_ALIASES:
            del self._aliases[next(iter(self._aliases))]
        return other

    def _find(self, number: int) -> Stream | None:
        return self._streams.get(self._aliases.get(number, number))

    def close(self, number: int) -> None:
        """End a stream: its readers receive nothing more, and close by themselves when their clients stop them.

        A client's reader connects again when its socket closes, and crashes its process if it is stopped in that
        moment; so the server closes sockets only after LINGER, when no client can be stopping them any longer.
        """
        stream = self._streams.pop(number, None)
        if stream is None:
            return
        self._awaited.discard(stream)
        for session in list(stream.sessions):
            self.dismiss(session)

    def dismiss(self, session: Session) -> None:
        """Close a reader's socket after LINGER seconds, if its client has not."""
        asyncio.get_running_loop().call_later(LINGER, session.end)

    def close_all(self) -> None:
        """End every stream, and every reader at once."""
        for stream in self._streams.values():
            for session in list(stream.sessions):
                session.end()
        self._streams.clear()

    def __contains__(self, number: int) -> bool:
        return self._find(number) is not None

    def __len__(self) -> int:
        return len(self._streams)

    def listens(self, number: int) -> bool:
        """Return whether a stream has a reader, or expects one."""
        stream = self._streams.get(number)
        if stream is None:
            return False
        if stream.promised:
            stream.forget(asyncio.get_running_loop().time())
        return bool(stream.sessions or stream.promised)

    def expect(self, number: int) -> None:
        """Expect one more reader of a stream: a client was given its token."""
        if (stream := self._find(number)) is not None:
            now = asyncio.get_running_loop().time()
            stream.forget(now)
            stream.promised.append(now)
            self._awaited.add(stream)

    async def settle(self) -> None:
        """Wait, STALL_TIMEOUT at most, for the expected readers: a client's `listen()` returns before they come."""
        loop = asyncio.get_running_loop()
        asked = loop.time()  # a reader whose token is newer has to wait for the next tick
        while True:
            now = loop.time()
            for stream in tuple(self._awaited):
                stream.forget(now)
                if not stream.promised:
                    self._awaited.discard(stream)
            first = min((s.promised[0] for s in self._awaited), default=math.inf)
            if first > asked:
                return
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), first + STALL_TIMEOUT - now)
            except asyncio.TimeoutError:
                continue

    @property
    def unsettled(self) -> bool:
        """Whether `settle` may have to wait."""
        return bool(self._awaited)

    def send(self, number: int, frame: bytes) -> None:
        """Send a frame to all readers of a stream."""
        stream = self._streams.get(number)
        if stream is None or not stream.sessions:
            return
        framed = _LENGTH.pack(len(frame)) + frame
        for session in tuple(stream.sessions):
            self.sent += 1
            session.send(framed)
            if session.sent < CATCHING_UP:
                session.sent += 1
                self.young = True

    async def digest(self) -> None:
        """Give young readers time to read their frames.

        A client that stops a reader in the middle of a frame may take the half frame for a whole one, and crash; and a
        client that listens for a tick or two stops right after the answer to the tick.
        """
        self.young = False
        await asyncio.sleep(GRACE)

    def joined(self, number: int, session: Session) -> bool:
        """Add a reader to a stream; returns False where there is no such stream."""
        stream = self._find(number)
        if stream is None:
            return False
        stream.sessions.add(session)
        if stream.promised:
            stream.promised.popleft()
            if not stream.promised:
                self._awaited.discard(stream)
        self._arrived.set()
        return True

    def left(self, number: int, session: Session) -> None:
        """Remove a reader from a stream."""
        if (stream := self._find(number)) is not None:
            stream.sessions.discard(session)


class Session(asyncio.Protocol):
    """The connection of one reader."""

    def __init__(self, streams: Streams) -> None:
        self._streams, self._stream = streams, 0
        self.sent = 0  # frames, up to CATCHING_UP
        self._begin = b""
        self._waiting: deque[bytes] = deque()
        self._slow = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept a socket; the number of its stream comes next."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=BUFFERED)

    def data_received(self, data: bytes) -> None:
        """Read the four bytes that name the stream; a client sends nothing after them."""
        if self._stream or self._transport is None:
            return
        self._begin += data
        if len(self._begin) >= _LENGTH.size:
            (self._stream,) = _LENGTH.unpack_from(self._begin)
            if not self._streams.joined(self._stream, self):
                self._streams.dismiss(self)

    def send(self, framed: bytes) -> None:
        """Write a frame with its length, or queue it where the reader is slow."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._slow:
            if len(self._waiting) >= WAITING:
                self._waiting.popleft()
                self._streams.dropped += 1
            self._waiting.append(framed)
        else:
            self._transport.write(framed)

    def pause_writing(self) -> None:
        """Mark the reader as slow."""
        self._slow = True

    def resume_writing(self) -> None:
        """Send the queued frames of a reader that has caught up."""
        self._slow = False
        while self._waiting and not self._slow:
            self.send(self._waiting.popleft())

    def connection_lost(self, error: Exception | None) -> None:
        """Remove the reader."""
        self._streams.left(self._stream, self)
        self._transport = None
        self._waiting.clear()

    def end(self) -> None:
        """Close the connection; unread frames are lost."""
        if self._transport is not None:
            self._transport.abort()
