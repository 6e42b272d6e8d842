"""The declaration of a sensor: the protocol, the settings with their ranges, and the register that sensors enter.

A sensor is one file of this folder: a frozen dataclass whose fields are the settings, with the decorator `register`.
`sim.sensors.registry` imports every file of the folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from sim.core.errors import known_names
from sim.datatypes.camera import Camera
from sim.datatypes.world_state import World
from sim.road.map.map_batch import MapBatch

# Least and greatest value of every setting of a camera [px, deg, m]. A sensor with a field `camera` has these settings.
CAMERA_RANGES: dict[str, tuple[float, float]] = {
    "width": (2, 4096), "height": (2, 4096), "fov": (5.0, 150.0), "forward": (-50.0, 50.0), "left": (-10.0, 10.0),
    "up": (0.06, 100.0), "pitch": (-60.0, 60.0), "yaw": (-360.0, 360.0),
}  # fmt: skip
DEFAULT_CAMERA = Camera()


class Field(NamedTuple):
    """One world's reading: its shape, type and bounds (numbers, or arrays of that shape)."""

    shape: tuple[int, ...]
    dtype: type
    low: Any
    high: Any


class Sensor(Protocol):
    """The sensor interface: one array per world, read from ego. Row w of the readings depends on world w alone."""

    def field(self) -> Field:
        """Shape, type and bounds of one world's reading."""

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """Readings of every world: (B, *shape)."""


class Setting(NamedTuple):
    """A setting of a sensor: its default, its least and its greatest value. It is whole where the default is an int."""

    default: float
    low: float
    high: float

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are valid."""
        return isinstance(self.default, int)


@dataclass(frozen=True)
class SensorKind:
    """The declaration of a kind of sensor.

    Args:
        name: as scenario files write it.
        sensor: the frozen dataclass of the sensor.
        settings: by name; where the sensor has a field `camera`, the settings of the camera stand in its place.
    """

    name: str
    sensor: Callable[..., Sensor]
    settings: Mapping[str, Setting]

    @property
    def has_camera(self) -> bool:
        """Whether the settings of a camera are among the settings."""
        return _has_camera(self.sensor)

    @property
    def summary(self) -> str:
        """The first sentence of the sensor's docstring, for help and documentation."""
        return (self.sensor.__doc__ or "").partition("\n")[0]

    def build(self, settings: Mapping[str, float]) -> Sensor:
        """Build the sensor with these settings, the others at their defaults.

        Raises:
            TypeError: for an unknown setting. ValueError: for impossible settings.
        """
        if not self.has_camera:
            return self.sensor(**settings)
        camera = {k: v for k, v in settings.items() if k in CAMERA_RANGES}
        own = {k: v for k, v in settings.items() if k not in CAMERA_RANGES}
        return self.sensor(Camera(**camera), **own)  # type: ignore[arg-type]  # integers where the default is one


KINDS: dict[str, SensorKind] = {}  # filled by `register`, by name, whatever the order of imports
_S = TypeVar("_S", bound=type)


def register(name: str, ranges: Mapping[str, tuple[float, float]] | None = None) -> Callable[[_S], _S]:
    """Enter a sensor's dataclass in the register under a name; use as a decorator.

    Args:
        ranges: least and greatest value of every setting; a field `camera` needs none.

    Raises:
        ValueError: for a name that is taken, a setting without a range, a range without a setting, and a default that
            is missing or out of its range.
    """

    def enter(sensor: _S) -> _S:
        defaults = {f.name: f.default for f in fields(sensor) if f.name != "camera"}
        given = dict(ranges or {})
        if _has_camera(sensor):
            defaults = {**vars(DEFAULT_CAMERA), **defaults}
            given = {**CAMERA_RANGES, **given}
        if name in KINDS:
            raise ValueError(f"the sensor {name!r} is registered twice; the other one is {KINDS[name].sensor}")
        if set(defaults) != set(given):
            raise ValueError(
                f"the sensor {name!r} has the settings {known_names(defaults)} and ranges for {known_names(given)}; "
                "wanted a range for each setting"
            )
        settings = {}
        for key, default in defaults.items():
            low, high = given[key]
            if default is MISSING or not low <= default <= high:
                raise ValueError(f"the sensor {name!r} has {key}={default} as its default; wanted {low:g} to {high:g}")
            settings[key] = Setting(default, low, high)
        declared = sorted([*KINDS.items(), (name, SensorKind(name, sensor, settings))])
        KINDS.clear()
        KINDS.update(declared)
        return sensor

    return enter


def _has_camera(sensor: Any) -> bool:
    return any(f.name == "camera" for f in fields(sensor))
