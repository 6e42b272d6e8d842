"""A progress interface that library code reports to; the command line decides whether to show it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the progress of a long loop."""

    def stage(self, text: str, total: float) -> None:
        """Begin a new stage of `total` units."""

    def advance(self, by: float, note: str = "") -> None:
        """Report `by` more units as done."""


class NoProgress:
    """A `Progress` that shows nothing."""

    def stage(self, text: str, total: float) -> None:
        """Do nothing."""

    def advance(self, by: float, note: str = "") -> None:
        """Do nothing."""
