"""Server statistics: counts of clients, unknown methods and failed calls, and rate-limited log messages."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

DISTINCT = 200  # names with a count of their own; all further names share one
TIMES = 5  # log messages of one kind
OTHERS = "(others)"
LONGEST = 80  # characters of a name that a client made up
log = logging.getLogger("homunculus.serve")


class ActivityLog:
    """Counts of bounded size, whatever clients send.

    Attributes:
        unknown: names of unknown methods; wrong: methods whose calls were refused or failed.
        clients: number of clients so far; here: number of connected clients.
    """

    def __init__(self) -> None:
        self.unknown: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self.clients = self.here = 0
        self._said: Counter[str] = Counter()

    def unanswered(self, name: Any) -> None:
        """Count a call of an unknown method."""
        shown = ascii(name).strip("'")[:LONGEST]
        shown = _count(self.unknown, shown)
        self.say(f"unknown {shown}", logging.INFO, f"unknown method {shown}")

    def failed(self, method: str, level: int, why: str) -> None:
        """Count a call that was refused or failed."""
        self.wrong[method] += 1
        self.say(f"wrong {method}", level, why)

    def connected(self, who: Any) -> None:
        """Count a new client."""
        self.clients, self.here = self.clients + 1, self.here + 1
        log.info("a client has connected from %s; %d are connected", who, self.here)

    def disconnected(self, who: Any) -> None:
        """Count a client that has disconnected."""
        self.here -= 1
        log.info("the client from %s has disconnected; %d remain", who, self.here)

    def say(self, kind: str, level: int, text: str) -> None:
        """Log a message, but of one kind the first TIMES only, so that a flood of calls does not flood the log."""
        kind = _count(self._said, kind)
        if self._said[kind] <= TIMES:
            rest = "; more of this kind are counted without a message" if self._said[kind] == TIMES else ""
            log.log(level, "%s%s", text.encode("ascii", "backslashreplace").decode().replace("\n", " "), rest)


def _count(counter: Counter[str], name: str) -> str:
    """Count one more of a name; returns the name that it was counted under."""
    if name not in counter and len(counter) >= DISTINCT:
        name = OTHERS
    counter[name] += 1
    return name
