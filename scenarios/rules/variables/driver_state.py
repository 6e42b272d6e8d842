"""Variables of the demonstrator's state: `driver_state.drowsy` and `driver_state.hurry`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scenarios.rules.variables.base import DROWSINESS, GIVEN, Family, Scene, family, variable
from sim.datatypes.episode import Episode


def _drawn(episode: Episode, attribute: str) -> Any:
    if episode.driver_state is None:
        raise ValueError(f"the episode has no driver state, so there is no driver_state.{attribute}")
    return getattr(episode.driver_state, attribute)


def _in_worlds(attribute: str) -> Callable[[Scene, str], np.ndarray]:
    def raises(scene: Scene, name: str) -> np.ndarray:
        raise ValueError(f"driver_state.{attribute} is known only in an episode, not in the arrays of a world")

    return raises


DRIVER_STATE = family(
    Family("driver_state", "the demonstrator, where the scenario gives its state", order=70, drawn=_drawn)
)

variable(
    DRIVER_STATE, "driver_state.drowsy", "whether the demonstrator is drowsy; only in draws", "truth",
    _in_worlds("drowsy"), known_by=DROWSINESS,
)  # fmt: skip
variable(
    DRIVER_STATE, "driver_state.hurry", "whether the demonstrator is in a hurry; only in draws", "truth",
    _in_worlds("hurry"), known_by=GIVEN,
)  # fmt: skip
