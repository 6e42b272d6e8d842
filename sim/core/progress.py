"""How long work says how far it is, without knowing whether anybody looks."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Where a loop says how far it is."""

    def stage(self, text: str, total: float) -> None:
        """A new stage of `total` units begins."""

    def advance(self, by: float, note: str = "") -> None:
        """So many units more are done."""


class NoProgress:
    """A `Progress` that says nothing."""

    def stage(self, text: str, total: float) -> None:
        """Nothing."""

    def advance(self, by: float, note: str = "") -> None:
        """Nothing."""
