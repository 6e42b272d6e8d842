"""Speedometer: ego's speed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.actors.registry import EGO
from sim.datatypes.world_state import World
from sim.road.map.map_batch import MapBatch
from sim.sensors.base import Field, register


@register("speedometer")
@dataclass(frozen=True)
class Speedometer:
    """Speedometer: ego's speed, (1,) float32 [m/s]."""

    def field(self) -> Field:
        """0 to the car's top speed."""
        return Field((1,), np.float32, 0.0, EGO.max_speed)

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """(B, 1) float32 [m/s]."""
        return np.clip(world.speed[:, :1], 0.0, EGO.max_speed).astype(np.float32)
