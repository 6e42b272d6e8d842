"""The streaming port: whoever connects names a stream and is then sent its frames, each with its length before it.

A reader that is too slow loses the oldest of the frames that wait for it, which is counted, and holds up nobody.
"""

from __future__ import annotations

import asyncio
import math
import struct
from collections import deque
from typing import cast

WAITING = 8  # frames that wait for a slow reader at most
BUFFERED = 1 << 20  # [bytes] handed to the socket before a reader counts as slow
STALL_TIMEOUT = 0.25  # [s] that a tick waits for whoever has just asked for a stream's token and has not subscribed yet
MOST_EXPECTED = 256  # tokens of one stream that are waited for at once
MOST_ALIASES = 65536  # so many clients may have come since one whose reader comes a second time
CATCHING_UP = 20  # frames that a reader has had, of a sensor's, while it may be stopped at any moment
GRACE = 0.0004  # [s] that a young reader has for a frame before its client goes on
LINGER = 30.0  # [s] that readers of a stream that has ended stay connected
_LENGTH = struct.Struct("<I")


class Stream:
    """The readers of one stream, and those who are on their way."""

    def __init__(self) -> None:
        self.sessions: set[Session] = set()
        self.promised: deque[float] = deque(
            maxlen=MOST_EXPECTED
        )  # when tokens were given that nobody has come with yet

    def forget(self, now: float) -> None:
        """Whoever has not come in time has changed its mind."""
        while self.promised and self.promised[0] + STALL_TIMEOUT <= now:
            self.promised.popleft()


class Streams:
    """All streams of a server.

    Attributes:
        sent: frames that were given to readers; dropped: those of them that slow readers have lost.
    """

    def __init__(self) -> None:
        self._streams: dict[int, Stream] = {}
        self._aliases: dict[int, int] = {}  # other numbers of streams -> their own
        self._next = 1
        self._arrived = asyncio.Event()
        self._awaited: set[Stream] = set()  # those that have promised
        self.sent = self.dropped = 0
        self.young = False  # whether a frame was sent to a young reader since this was last looked at

    def open(self) -> int:
        """Id of a new stream."""
        number, self._next = self._next, self._next + 1
        self._streams[number] = Stream()
        return number

    def alias(self, number: int) -> int:
        """A new number by which a stream can be asked for, too; of those the latest MOST_ALIASES are known.

        A client keeps its readers by their numbers. One that gives up a reader of snapshots for another of the same
        number may end the new one in place of the old one, and then crashes.
        """
        other, self._next = self._next, self._next + 1
        self._aliases[other] = number
        if len(self._aliases) > MOST_ALIASES:
            del self._aliases[next(iter(self._aliases))]
        return other

    def _find(self, number: int) -> Stream | None:
        return self._streams.get(self._aliases.get(number, number))

    def close(self, number: int) -> None:
        """End a stream: its readers hear nothing more, and close by themselves what their clients have stopped.

        A client's reader whose socket is closed under it connects again, and crashes its process if it is stopped in
        that moment; so sockets are closed here only once nobody can be stopping any longer.
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
        """Whether anybody reads the stream, or is about to."""
        stream = self._streams.get(number)
        if stream is None:
            return False
        if stream.promised:
            stream.forget(asyncio.get_running_loop().time())
        return bool(stream.sessions or stream.promised)

    def promise(self, number: int) -> None:
        """Somebody has been given the stream's token and will come."""
        if (stream := self._find(number)) is not None:
            now = asyncio.get_running_loop().time()
            stream.forget(now)
            stream.promised.append(now)
            self._awaited.add(stream)

    async def settle(self) -> None:
        """Wait, PATIENCE at most, until whoever has a token by now reads: a client's `listen()` returns before that."""
        loop = asyncio.get_running_loop()
        asked = loop.time()  # who is given a token later has to wait for the next tick
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
        """Give a frame to all readers of a stream."""
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
        """Give young readers time for their frames.

        A client that stops a reader which is in the middle of a frame may take the half of it for a whole one, and end
        over it; and who listens for a tick or two stops right after the answer to the tick.
        """
        self.young = False
        await asyncio.sleep(GRACE)

    def joined(self, number: int, session: Session) -> bool:
        """A reader has come; False where there is no such stream."""
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
        """A reader has gone."""
        if (stream := self._find(number)) is not None:
            stream.sessions.discard(session)


class Session(asyncio.Protocol):
    """One reader's connection."""

    def __init__(self, streams: Streams) -> None:
        self._streams, self._stream = streams, 0
        self.sent = 0  # frames, up to YOUNG
        self._begin = b""
        self._waiting: deque[bytes] = deque()
        self._slow = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A socket is there; which stream it wants comes next."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=BUFFERED)

    def data_received(self, data: bytes) -> None:
        """Four bytes name the stream; a client says nothing after that."""
        if self._stream or self._transport is None:
            return
        self._begin += data
        if len(self._begin) >= _LENGTH.size:
            (self._stream,) = _LENGTH.unpack_from(self._begin)
            if not self._streams.joined(self._stream, self):
                self._streams.dismiss(self)

    def send(self, framed: bytes) -> None:
        """Write a frame with its length, or let it wait where the reader is slow."""
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
        """The reader does not keep up."""
        self._slow = True

    def resume_writing(self) -> None:
        """The reader has caught up: whatever waits goes out."""
        self._slow = False
        while self._waiting and not self._slow:
            self.send(self._waiting.popleft())

    def connection_lost(self, error: Exception | None) -> None:
        """The reader has gone."""
        self._streams.left(self._stream, self)
        self._transport = None
        self._waiting.clear()

    def end(self) -> None:
        """Let the reader go; what it has not read by now it never will."""
        if self._transport is not None:
            self._transport.abort()
