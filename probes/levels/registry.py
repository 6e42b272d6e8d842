"""The registry of levels: it imports every file of this folder and puts the levels in their order."""

from __future__ import annotations

import probes.levels
from probes.levels.base import LEVELS, Level
from sim.core.discovery import import_all

import_all(probes.levels)


def levels() -> tuple[Level, ...]:
    """All levels, from the weakest evidence up."""
    return tuple(sorted(LEVELS.values(), key=lambda level: level.rank))
