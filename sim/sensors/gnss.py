"""GNSS: latitude, longitude and altitude of a place on a map."""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass

import numpy as np

from sim.core.kernel import kernel
from sim.datatypes.road_map import RoadMap
from sim.datatypes.world_state import World
from sim.road.map.map_batch import MapBatch
from sim.sensors.base import Field, register

EARTH = 6378137.0 * 0.9996  # [m] radius times the scale at the central meridian, regardless of +k
NOWHERE = (42.0, 2.0)  # latitude and longitude [deg] that CARLA assumes for a map without a readable geoReference


@functools.lru_cache(maxsize=64)
def _reference(opendrive: str) -> tuple[float, float]:
    text = re.search(r"<geoReference>(.*?)</geoReference>", opendrive, re.S)
    found = [re.search(rf"\+{name}=([-+\d.eE]+)", text.group(1)) if text else None for name in ("lat_0", "lon_0")]
    return (float(found[0].group(1)), float(found[1].group(1))) if found[0] and found[1] else NOWHERE


def geo_reference(road_map: RoadMap) -> tuple[float, float]:
    """Latitude and longitude [deg] of the map's origin; NOWHERE where its geoReference does not give them."""
    return _reference(road_map.opendrive)


@kernel
def _gnss(out, reference, number, x, y):
    # float64: a metre is 1e-5 degrees, and a float32 near 50 degrees has steps of 4e-6
    for w in range(out.shape[0]):
        north = math.radians(reference[number[w], 0]) + np.float64(y[w, 0]) / EARTH
        east = np.float64(x[w, 0]) / EARTH
        out[w, 0] = math.degrees(math.asin(math.sin(north) / math.cosh(east)))
        out[w, 1] = reference[number[w], 1] + math.degrees(math.atan(math.sinh(east) / math.cos(north)))
        out[w, 2] = 0.0


def gnss(maps: list[RoadMap], world: World) -> np.ndarray:
    """GNSS readings: (B, 3) float64 latitude, longitude [deg] and altitude [m] of ego's rear axle.

    CARLA 0.9.16's formula: the transverse Mercator projection of a sphere about the map's origin (Snyder, Map
    Projections, 1987, 8-6 and 8-7); of the geoReference only +lat_0 and +lon_0 count. East is x and north is y of the
    world, as in the OpenDRIVE file. The world is flat: altitude 0.
    """
    out = np.empty((len(world.tick), 3))
    reference = np.array([geo_reference(m) for m in maps] or [NOWHERE])
    _gnss(out, reference, world.map, world.x, world.y)
    return out


def geolocation(road_map: RoadMap, x: float, y: float) -> tuple[float, float]:
    """Latitude and longitude [deg] of a place on a map [m], by the formula of `gnss`."""
    out = np.empty((1, 3))
    at = np.array([[x]]), np.array([[y]])  # float64: the caller's coordinates may be finer than float32
    _gnss(out, np.array([geo_reference(road_map)]), np.zeros(1, np.int32), *at)
    return float(out[0, 0]), float(out[0, 1])


@register("gnss")
@dataclass(frozen=True)
class Gnss:
    """GNSS: latitude, longitude [deg] and altitude [m] of the rear axle, (3,) float64."""

    def field(self) -> Field:
        """The whole globe, and the range of heights of CARLA's maps."""
        most = np.array([90.0, 360.0, 1e5])
        return Field((3,), np.float64, -most, most)

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """(B, 3) float64."""
        return gnss(maps.maps, world)
