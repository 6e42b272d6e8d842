"""Variables of the weather: `weather.<field>`, the fields of CARLA's WeatherParameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scenarios.rules.variables.base import Approach, Family, Layout, Scene, family, variable
from sim.datatypes.vocabulary import WEATHER_FIELDS, WEATHER_INDEX
from sim.world.weather_schedule import ROUND

# Field -> family of units and what it is; fields that are not here are in percent.
_FIELDS: dict[str, tuple[str | None, str]] = {
    "cloudiness": ("percent", "cover of clouds"),
    "precipitation": ("percent", "rain that falls"),
    "precipitation_deposits": ("percent", "puddles on the ground"),
    "wind_intensity": ("percent", "strength of the wind"),
    "sun_azimuth_angle": ("angle", "direction of the sun"),
    "sun_altitude_angle": ("angle", "height of the sun, below 0 at night"),
    "fog_density": ("percent", "thickness of the fog"),
    "fog_distance": ("length", "distance at which the fog begins"),
    "fog_falloff": (None, "how quickly the fog thins with height"),
    "wetness": ("percent", "water on the road"),
    "scattering_intensity": (None, "light that fog scatters"),
    "mie_scattering_scale": (None, "scattering by large particles such as pollen"),
    "rayleigh_scattering_scale": (None, "scattering by air"),
    "dust_storm": ("percent", "strength of a dust storm"),
}

WEATHER = family(
    Family(
        "weather",
        "CARLA's WeatherParameters; in a draw, after all changes of the weather",
        order=40,
        drawn=lambda episode, field: getattr(episode.weather, field),
        names=lambda actors, signs, traffic: ("",),
    )
)


def _in_worlds(field: str) -> Callable[[Scene, str], np.ndarray]:
    index = WEATHER_INDEX[field]
    return lambda scene, name: scene.world.weather[:, index]


def _on_approach(field: str) -> Callable[[Approach, str], np.ndarray]:
    return lambda approach, name: weather_on(approach, field)


def _reads_on_approach(field: str) -> Callable[[str, Layout], tuple[str, ...]]:
    def reads(name: str, layout: Layout) -> tuple[str, ...]:
        changing = [change for change, fields in layout.changes if field in fields]
        return (f"weather.{field}", *(f"changes.{c}.{k}" for c in changing for k in ("after", "over", field)))

    return reads


def weather_on(approach: Approach, field: str) -> np.ndarray:
    """A weather field at every tick of nominal approaches: float32 (n, T).

    It equals `sim.world.weather_schedule.weather_at` where the changes of a field do not overlap.
    """
    value: Any = np.asarray(approach.drawn[f"weather.{field}"], float)
    for name, fields in approach.layout.changes:
        if field in fields:
            after, over, end = (approach.drawn[f"changes.{name}.{k}"] for k in ("after", "over", field))
            step = end - value
            if field in ROUND:
                step = (step + 180.0) % 360.0 - 180.0
            share = (approach.seconds - after) / np.where(over > 0, over, 1.0)
            share = np.where(over > 0, share, np.where(approach.seconds >= after, 1.0, -1.0))
            going = value + step * share
            going = going % 360.0 if field in ROUND else going
            value = np.where(approach.seconds < after, value, np.where(share >= 1.0, end, going))
    return np.asarray(value, np.float32)


for _field in WEATHER_FIELDS:
    _unit, _doc = _FIELDS.get(_field, ("percent", f"{_field.replace('_', ' ')}"))
    variable(
        WEATHER, f"weather.{_field}", _doc, "number", _in_worlds(_field), unit=_unit,
        on_approach=_on_approach(_field), reads_on_approach=_reads_on_approach(_field),
    )  # fmt: skip
