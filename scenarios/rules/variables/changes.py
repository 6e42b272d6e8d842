"""Changes of the weather during an episode: `changes.<name>.<field>`, which no proposition reads."""

from __future__ import annotations

from typing import Any

from scenarios.rules.variables.base import Family, family, hide
from sim.datatypes.episode import Episode


def _drawn(episode: Episode, rest: str) -> Any:
    name, _, attribute = rest.partition(".")
    change = next((c for c in episode.changes if c.name == name), None)
    if change is None:
        raise ValueError(f"the episode has no change '{name}'; it has {[c.name for c in episode.changes]}")
    return {"after": change.at, "over": change.over, **dict(change.to)}[attribute]


CHANGES = family(Family("changes", "a change of the weather during an episode", order=80, drawn=_drawn))
hide(
    "changes.<name>.<field>",
    "is in the future, and no driver can know it; wanted a present value, such as 'weather.precipitation > 20'",
)
