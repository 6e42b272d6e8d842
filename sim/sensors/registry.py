"""The registry of sensors: it imports every file of this folder, and reads all sensors of ego with one function.

SENSORS names the kinds as scenario files do. No sensor has noise.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sim.core.discovery import import_modules
from sim.datatypes.world_state import World
from sim.road.map.map_batch import MapBatch
from sim.sensors.base import KINDS, Sensor, SensorKind

RESERVED: tuple[str, ...] = ("camera", "speed")  # entries that every observation has

import_modules("sim.sensors")
SENSORS: Mapping[str, SensorKind] = KINDS


def settings_of(kind: str) -> dict[str, float]:
    """Names and defaults of the settings of a kind of sensor.

    Raises:
        KeyError: for an unknown kind.
    """
    return {name: setting.default for name, setting in SENSORS[kind].settings.items()}


def sensor_of(kind: str, settings: Mapping[str, float]) -> Sensor:
    """Build a sensor with these settings, the others at their defaults.

    Raises:
        KeyError: for an unknown kind. TypeError: for an unknown setting. ValueError: for impossible settings.
    """
    return SENSORS[kind].build(settings)


def sense(sensors: Mapping[str, Sensor], maps: MapBatch, world: World, threads: int = 1) -> dict[str, np.ndarray]:
    """Read every sensor in every world: name -> (B, *shape), in the order of `sensors`."""
    return {name: sensor.sense(maps, world, threads) for name, sensor in sensors.items()}
