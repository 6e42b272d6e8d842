"""Variables of the map: `map.<parameter>`, the parameters of its generator that the scenario gives."""

from __future__ import annotations

from typing import Any

import numpy as np

from scenarios.rules.variables.base import GIVEN, Family, Scene, family, variable
from sim.datatypes.episode import Episode


def _drawn(episode: Episode, parameter: str) -> Any:
    return episode.map.junction if parameter == "junction" else dict(episode.map.parameters)[parameter]


def _in_worlds(scene: Scene, parameter: str) -> np.ndarray:
    raise ValueError(f"map.{parameter} is known only in an episode, not in the arrays of a world")


MAP = family(Family("map", "the map, where the scenario generates it", order=60, drawn=_drawn))

variable(
    MAP, "map.<field>", "a parameter of the map's generator, where the scenario gives it", "number", _in_worlds,
    known_by=GIVEN,
)  # fmt: skip
