"""Variables of ego: `ego.speed`."""

from __future__ import annotations

from typing import Any

from scenarios.rules.variables.base import Family, family, variable
from sim.datatypes.episode import Episode


def _drawn(episode: Episode, attribute: str) -> Any:
    return episode.arm if attribute == "start" else getattr(episode, attribute)


EGO = family(Family("ego", "the car that is driven", order=0, drawn=_drawn, names=lambda actors, signs, traffic: ("",)))

variable(
    EGO, "ego.speed", "its speed", "number", lambda scene, name: scene.world.speed[:, 0], unit="speed",
    on_approach=lambda approach, name: approach.speed,
)  # fmt: skip
