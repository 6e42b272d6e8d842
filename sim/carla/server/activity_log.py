"""What a server has seen: clients, calls that it did not know or could not do; counted, and said a few times each."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

DISTINCT = 200  # names that are counted by themselves; whoever invents more is counted together
TIMES = 5  # that something of one kind is said
OTHERS = "(others)"
LONGEST = 80  # characters of a name that a client made up
log = logging.getLogger("homunculus.serve")


class ActivityLog:
    """Counts, which stay small whatever clients send.

    Attributes:
        unknown: names of methods that nobody knows; wrong: methods whose calls were refused or failed.
        clients: that have come; here: those who are connected.
    """

    def __init__(self) -> None:
        self.unknown: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self.clients = self.here = 0
        self._said: Counter[str] = Counter()

    def asked_in_vain(self, name: Any) -> None:
        """A client has asked for a method that nobody knows."""
        shown = ascii(name).strip("'")[:LONGEST]
        shown = _count(self.unknown, shown)
        self.say(f"unknown {shown}", logging.INFO, f"unknown method {shown}")

    def went_wrong(self, method: str, level: int, why: str) -> None:
        """A call was refused, or failed."""
        self.wrong[method] += 1
        self.say(f"wrong {method}", level, why)

    def came(self, who: Any) -> None:
        """A client has connected."""
        self.clients, self.here = self.clients + 1, self.here + 1
        log.info("a client has come from %s; %d are here", who, self.here)

    def went(self, who: Any) -> None:
        """A client has gone."""
        self.here -= 1
        log.info("the client from %s has gone; %d are here", who, self.here)

    def say(self, kind: str, level: int, text: str) -> None:
        """Log something, but of one kind the first TIMES only: a flood is no news, and nobody may read the log."""
        kind = _count(self._said, kind)
        if self._said[kind] <= TIMES:
            rest = "; more of this kind are counted in silence" if self._said[kind] == TIMES else ""
            log.log(level, "%s%s", text.encode("ascii", "backslashreplace").decode().replace("\n", " "), rest)


def _count(counter: Counter[str], name: str) -> str:
    """Count one more of a name, and return the name that it was counted under."""
    if name not in counter and len(counter) >= DISTINCT:
        name = OTHERS
    counter[name] += 1
    return name
