"""The extension point of the scorecard: a level asks one question about a policy; one file declares all about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from probes.results import LevelResult
from probes.study import Study


@dataclass(frozen=True)
class Level:
    """One level of evidence.

    Args:
        name: in the scorecard and the report.
        rank: its place in the scorecard, from the weakest evidence up.
        brief: what a policy that passes does, in a few words.
        question: what the level asks, in sentences for a new reader.
        measure: computes the result; it raises `probes.applicability.NotApplicable` where the scenario cannot be asked.
            What other levels or the report need of it goes into `Study.findings`.
    """

    name: str
    rank: int
    brief: str
    question: str
    measure: Callable[[Study], LevelResult]


LEVELS: dict[str, Level] = {}


def register(level: Level) -> Level:
    """Register a level: every scorecard has it from now on."""
    LEVELS[level.name] = level
    return level
