"""The optical flow camera of a served world."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sim.carla.server import wire
from sim.carla.server.actors import turned
from sim.carla.server.sensors.cameras import ImageSensor
from sim.carla.server.sensors.rolled import Upright
from sim.datatypes.camera import Camera
from sim.sensors.optical_flow import MOST_FLOW, optical_flow, to_carla_flow


class OpticalFlowCamera(ImageSensor):
    """Optical flow over the last tick: two float32 a pixel, in CARLA's units, see `sim.sensors.optical_flow`."""

    number = wire.SENSOR_NUMBER["optical_flow"]

    def draw(self, world: Any, camera: Camera) -> np.ndarray:
        """Return (H, W, 2) float32: half pictures, to the right and upwards."""
        return to_carla_flow(optical_flow(world.maps, world.fleet.world, camera, world.delta)[0])

    def roll(self, drawn: np.ndarray, level: Upright, roll: float) -> np.ndarray:
        """Resample, and turn the vectors with the picture."""
        focal, larger = (
            0.5 * width / math.tan(math.radians(fov) / 2.0)
            for width, fov in ((self.width, self.fov), (level.width, level.fov))
        )
        pixels = super().roll(drawn, level, roll) * [level.width, level.height] * (focal / larger)
        level_from_rolled = turned([0.0, 0.0, roll])[1:, 1:]  # right and up, as in `rolled.upright`
        rolled = pixels @ level_from_rolled / [self.width, self.height]
        return np.clip(rolled, -MOST_FLOW, MOST_FLOW).astype(np.float32)
