"""What the car feels and where it believes to be: IMU and GNSS, without noise.

The IMU sits on the rear axle. Its frame is the house's (x forward, y left, z up; right-handed): CARLA's left-handed
numbers are (ax, -ay, az) and (-wx, wy, -wz). The compass is CARLA's as it stands: 0 at north, clockwise.
"""

from __future__ import annotations

import functools
import math
import re

import numpy as np

from sim.config import GRAVITY
from sim.dynamics import grip_of, held
from sim.geometry import PI, TAU
from sim.kernel import kernel
from sim.types import RoadMap, World
from sim.weather import wetness_of

EARTH = 6378137.0 * 0.9996  # [m] radius times the scale at the central meridian, whatever +k says
NOWHERE = (42.0, 2.0)  # latitude and longitude [deg] that CARLA takes where a map has no geoReference that it can read
IMU: tuple[str, ...] = (
    "acceleration_x", "acceleration_y", "acceleration_z", "gyroscope_x", "gyroscope_y", "gyroscope_z", "compass",
)  # fmt: skip
_F = np.float32
_0, _1, _QUARTER, _G = _F(0.0), _F(1.0), _F(np.pi / 2), _F(GRAVITY)


@kernel
def _imu(out, yaw, speed, steer, acceleration, wheelbase, weather):
    for w in range(out.shape[0]):
        bend = math.tan(steer[w, 0]) / wheelbase[w, 0]
        bend, _ = held(bend, speed[w, 0], abs(acceleration[w, 0]), grip_of(wetness_of(weather[w])) * _G)
        turn = speed[w, 0] * bend
        compass = _QUARTER - yaw[w, 0]
        compass -= TAU * math.floor(compass / TAU)
        out[w, 0], out[w, 1], out[w, 2] = acceleration[w, 0], speed[w, 0] * turn, _G
        out[w, 3], out[w, 4], out[w, 5] = _0, _0, turn
        out[w, 6] = min(max(compass, _0), _F(2.0) * PI)


def imu(world: World, row: int = 0) -> np.ndarray:
    """(B, 7) float32 by IMU's names: acceleration with gravity [m/s^2], turning [rad/s], compass [rad] in 0..2 pi.

    Of ego, or of whoever is in another row.

    A standing car feels (0, 0, 9.81), as CARLA's does. The rear axle cannot slip, so what it feels sideways is speed
    times yaw rate, at this moment and not as a mean over ticks, and no more than the tyres hold.
    Compass: between north and the car's nose, clockwise.
    """
    out = np.empty((len(world.tick), len(IMU)), np.float32)
    rows = (world.yaw, world.speed, world.steer, world.acceleration, world.wheelbase)
    _imu(out, *(rows if row == 0 else (np.ascontiguousarray(a[:, row:]) for a in rows)), world.weather)
    return out


@functools.lru_cache(maxsize=64)
def _reference(opendrive: str) -> tuple[float, float]:
    text = re.search(r"<geoReference>(.*?)</geoReference>", opendrive, re.S)
    found = [re.search(rf"\+{name}=([-+\d.eE]+)", text.group(1)) if text else None for name in ("lat_0", "lon_0")]
    return (float(found[0].group(1)), float(found[1].group(1))) if found[0] and found[1] else NOWHERE


def geo_reference(road_map: RoadMap) -> tuple[float, float]:
    """Latitude and longitude [deg] of the map's origin; NOWHERE where its geoReference does not say."""
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
    """(B, 3) float64 latitude, longitude [deg] and altitude [m] of ego's rear axle.

    CARLA 0.9.16's formula: the transverse Mercator projection of a sphere about the map's origin (Snyder, Map
    Projections, 1987, 8-6 and 8-7), of whose geoReference only +lat_0 and +lon_0 count. East is x and north is y of the
    world, as in the OpenDRIVE file. The world is flat: altitude 0.
    """
    out = np.empty((len(world.tick), 3))
    reference = np.array([geo_reference(m) for m in maps] or [NOWHERE])
    _gnss(out, reference, world.map, world.x, world.y)
    return out


def geolocation(road_map: RoadMap, x: float, y: float) -> tuple[float, float]:
    """Latitude and longitude [deg] of a place on a map [m], as `gnss` has it."""
    out = np.empty((1, 3))
    at = np.array([[x]]), np.array([[y]])  # float64: whoever asks may know better than a float32
    _gnss(out, np.array([geo_reference(road_map)]), np.zeros(1, np.int32), *at)
    return float(out[0, 0]), float(out[0, 1])
