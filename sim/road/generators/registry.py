"""The registry of map generators and of decision points, filled by the files of this folder."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import sim.road.generators
from sim.core.discovery import import_all
from sim.road.generators.base import (  # re-exported: only here are they complete
    DECISION_POINTS,
    GENERATORS,
    DecisionPoint,
    MapGenerator,
    generators_with,
    named,
)

__all__ = ["DECISION_POINTS", "GENERATORS", "DecisionPoint", "MapGenerator", "generate", "generators_with", "named"]

import_all(sim.road.generators)


def generate(name: str, parameters: Iterable[tuple[str, float]] = ()) -> str:
    """The OpenDRIVE text of a named generator, cached.

    Raises:
        ValueError: for unknown names or values out of range.
    """
    return _generated(name, tuple(parameters))


@functools.lru_cache(maxsize=64)
def _generated(name: str, parameters: tuple[tuple[str, float], ...]) -> str:
    return named(name)(**dict(parameters))
