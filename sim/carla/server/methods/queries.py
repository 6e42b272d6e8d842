"""RPC methods about the environment: ray casts, and the scenery object by object.

Scenery is all that the map arrays list, including traffic lights. An object has its tag, its box in the world, and an
id that is the same whenever the map is.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sim.actors.registry import KINDS
from sim.actors.tags import TAG_OF_KIND
from sim.carla.server.registry import served
from sim.carla.server.rpc import Refused
from sim.sensors.raycast import cast_rays, cast_through

ANY = 255  # the tag of everything
_FIRST = 1 << 32  # ids of scenery begin beyond those of actors
_MIRROR = np.array([1.0, -1.0, 1.0])


def _point(name: str, location: list[float]) -> np.ndarray:
    at = np.array(location, np.float64)
    if at.shape != (3,) or not np.isfinite(at).all():
        raise Refused(f"{name} is {location}; wanted three finite numbers")
    return at


@served("cast_ray", "value")
def cast_ray(server: Any, start: list[float], end: list[float]) -> list[list[Any]]:
    """Return the labelled points where a ray enters obstacles, in their order."""
    a, b = _point("the start of a ray", start), _point("its end", end)
    world = server.world
    distances, tags = cast_through(world.maps, world.fleet.world, a * _MIRROR, b * _MIRROR)
    way = (b - a) / max(float(np.linalg.norm(b - a)), 1e-9)
    return [[(a + way * d).tolist(), int(t)] for d, t in zip(distances, tags)]


@served("project_point", "value")
def project_point(server: Any, location: list[float], direction: list[float], distance: float) -> list[Any]:
    """Return whether a ray from a place hits something within a distance, and the labelled point."""
    at, way = _point("a location", location), _point("a direction", direction)
    length = float(np.linalg.norm(way))
    if not 0.0 < length or not 0.0 <= float(distance) < math.inf:
        raise Refused(f"direction is {direction} and distance {distance}; wanted a vector that is not 0 and metres")
    world = server.world
    met = cast_rays(world.maps, world.fleet.world, at[None] * _MIRROR, way[None] / length * _MIRROR, float(distance))
    if not met.tag[0]:
        return [False, [[0.0, 0.0, 0.0], 0]]
    return [True, [(at + way / length * float(met.distance[0])).tolist(), int(met.tag[0])]]


def _pieces(server: Any, tag: int) -> list[tuple[int, int, np.ndarray]]:
    """Return number, tag and row (SCENERY_COLUMNS) of the scenery objects of a tag, or of all."""
    out = []
    for i, row in enumerate(server.world.maps.arrays.scenery):
        its = int(TAG_OF_KIND[abs(int(row[0]))])
        if row[0] != 0 and tag in (ANY, its):
            out.append((i, its, row))
    return out


def _name(number: int, row: np.ndarray) -> str:
    return f"{KINDS[abs(int(row[0]))]}_{number}"


def _box(row: np.ndarray) -> list[Any]:
    """Return a BoundingBox in the world."""
    x, y, yaw, length, width, height = (float(v) for v in row[1:7])
    return [[x, -y, height / 2.0], [length / 2.0, width / 2.0, height / 2.0], [0.0, -math.degrees(yaw), 0.0], 0]


@served("get_all_level_BBs", "value")
def get_all_level_boxes(server: Any, tag: int) -> list[list[Any]]:
    """Return the bounding boxes of the scenery of a tag, in the world."""
    return [_box(row) for _, _, row in _pieces(server, tag)]


@served("get_environment_objects", "value")
def get_environment_objects(server: Any, tag: int) -> list[list[Any]]:
    """Return the scenery objects of a tag."""
    out = []
    for i, its, row in _pieces(server, tag):
        box = _box(row)
        place = [[box[0][0], box[0][1], 0.0], box[2]]
        out.append([place, box, _FIRST + i, _name(i, row), its])
    return out


@served("get_names_of_all_objects", "value")
def get_names_of_all_objects(server: Any) -> list[str]:
    """Return the names of all scenery objects."""
    return [_name(i, row) for i, _, row in _pieces(server, ANY)]


@served("enable_environment_objects")
def enable_environment_objects(server: Any, ids: list[int], enable: bool) -> None:
    """Show or hide scenery objects: sensors do not see hidden ones, but vehicles still collide with them."""
    scenery = server.world.maps.arrays.scenery
    for number in ids:
        i = int(number) - _FIRST
        if not 0 <= i < len(scenery):
            raise Refused(f"there is no environment object {number}; get_environment_objects() lists them")
        scenery[i, 0] = abs(scenery[i, 0]) if enable else -abs(scenery[i, 0])
