"""The registry of sensors: it imports every file of this folder, and reads all sensors of ego with one function.

SENSORS names the kinds as scenario files do. No sensor has noise.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping

import numpy as np

import sim.sensors
from sim.datatypes.camera import Camera
from sim.datatypes.world_state import World
from sim.road.map.map_batch import MapBatch
from sim.sensors.base import CAMERA_RANGES, KINDS, Sensor, SensorKind

RESERVED: tuple[str, ...] = ("camera", "speed")  # entries that every observation has

for _module in sorted(m.name for m in pkgutil.iter_modules(sim.sensors.__path__)):
    if f"sim.sensors.{_module}" != __name__:
        importlib.import_module(f"sim.sensors.{_module}")
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


def sensor_table() -> str:
    """All kinds of sensors as a Markdown table, for documentation: name, reading, settings with their ranges."""
    rows = ["| kind | reading | settings: default (least to greatest) |", "|---|---|---|"]
    for kind in SENSORS.values():
        own = [
            f"`{name}` {setting.default:g} ({setting.low:g} to {setting.high:g})"
            for name, setting in kind.settings.items()
            if not (kind.has_camera and name in CAMERA_RANGES)
        ]
        rows.append(f"| `{kind.name}` | {kind.summary} | {'; '.join(['a camera', *own] if kind.has_camera else own)} |")
    camera = (f"`{n}` {getattr(Camera, n):g} ({low:g} to {high:g})" for n, (low, high) in CAMERA_RANGES.items())
    return "\n".join(rows) + f"\n\nThe settings of a camera: {'; '.join(camera)}.\n"
