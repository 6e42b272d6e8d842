"""The slow twins of depth, semantic, lidar and bird's-eye kernels: one ray or one point at a time, float64.

They share no geometry with the kernels: rays are met with boxes and the ground one by one, places are looked up in the
map's own arrays. Objects are taken to be whole boxes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from sim.datatypes.road_map import RoadMap


class Solid(NamedTuple):
    """An upright box: its centre on the ground, yaw, size and the tag of what it belongs to; base above the ground."""

    x: float
    y: float
    yaw: float
    length: float
    width: float
    height: float
    tag: int
    base: float = 0.0


def enter(place: np.ndarray, ray: np.ndarray, box: Solid) -> float:
    """How many lengths of `ray` (3,) from `place` (3,) the box is entered; infinity where it is not."""
    c, s = math.cos(box.yaw), math.sin(box.yaw)
    turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    start, way = turn @ (place - [box.x, box.y, 0]), turn @ ray
    low = np.array([-box.length / 2, -box.width / 2, box.base])
    high = np.array([box.length / 2, box.width / 2, box.height])
    with np.errstate(divide="ignore"):
        a, b = (low - start) / way, (high - start) / way
    near, far = np.minimum(a, b).max(), np.maximum(a, b).min()
    return float(near) if 0 < near <= far else math.inf


def surface(road_map: RoadMap, x: float, y: float) -> int:
    """The class of the ground at a place; 0 beyond the map."""
    ground = road_map.ground
    j, i = (math.floor((v - o) / ground.surface_texel) for v, o in zip((x, y), ground.origin.tolist()))
    rows, columns = ground.surface.shape
    return int(ground.surface[i, j]) if 0 <= i < rows and 0 <= j < columns else 0


def redness(road_map: RoadMap, x: float, y: float) -> int:
    """Red of the ground's finest picture at a place; 0 beyond the map."""
    ground = road_map.ground
    j, i = (math.floor((v - o) / ground.texel) for v, o in zip((x, y), ground.origin.tolist()))
    rows, columns = ground.levels[0].shape[:2]
    return int(ground.levels[0][i, j, 0]) if 0 <= i < rows and 0 <= j < columns else 0


def first_hit(place: np.ndarray, ray: np.ndarray, boxes: list[Solid]) -> tuple[float, Solid | None]:
    """Lengths of the ray to what it meets first, and which box that is: None for the ground, infinity for nothing."""
    ground = -place[2] / ray[2] if ray[2] < -1e-9 else math.inf
    hits = [(enter(place, ray, box), i) for i, box in enumerate(boxes)]
    near, i = min(hits, default=(math.inf, -1))
    return (near, boxes[i]) if near < ground else (ground, None)
