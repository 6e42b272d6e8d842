"""Places the poles of traffic lights beside a map's roads."""

from __future__ import annotations

import math

import numpy as np

from sim.actors.registry import KIND
from sim.datatypes.road_map import Ground
from sim.datatypes.vocabulary import DRIVABLE
from sim.road.graph.lane_graph import LIGHTS, LaneGraph
from sim.road.graph.traffic_lights import signal_plans

_LIGHT = KIND["light"]

STANDING = (0.7, 0.95, 4.6)  # length, width (of the plate), height of a whole light [m]: larger than real ones
_ROOM = 0.45  # [m] least distance of a pole from drivable ground
_APART = 1.2  # [m] least distance between two poles
_STEP, _FARTHEST = 0.25, 20.0  # [m] step and range of the search for a free place


def light_rows(graph: LaneGraph, ground: Ground) -> np.ndarray:
    """(K, 8) float64 rows of scenery (SCENERY_COLUMNS), one for each traffic light; the appearance is its signal plan.

    A light stands where the map has it. Where that is on the road, it stands beside the road, to the right as seen by
    approaching traffic.

    Raises:
        ValueError: for a junction with more phases than a cycle can hold.
    """
    rows: list[tuple[float, ...]] = []
    plans = signal_plans(graph)
    for g, kind in enumerate(graph.signal_types):
        if kind in LIGHTS:
            x, y, yaw = (float(v) for v in graph.signal_pose[g])
            x, y = _beside(ground, x, y, yaw, [row[1:3] for row in rows])
            rows.append((_LIGHT, x, y, yaw, *STANDING, float(plans[g])))
    return np.array(rows, np.float64).reshape(-1, 8)


def _beside(ground: Ground, x: float, y: float, yaw: float, taken: list[tuple[float, ...]]) -> tuple[float, float]:
    """The nearest free place off the road, to the right of the traffic that the light faces, else to its left."""
    right = (-math.sin(yaw), math.cos(yaw))  # the light faces the traffic: the traffic's right is the light's left
    for side in (1.0, -1.0):
        for far in np.arange(0.0, _FARTHEST, _STEP):
            px, py = x + side * far * right[0], y + side * far * right[1]
            free = all(math.hypot(px - other[0], py - other[1]) >= _APART for other in taken)
            if free and not _on_road(ground, px, py):
                return px, py
    return x, y


def _on_road(ground: Ground, x: float, y: float) -> bool:
    """Whether there is drivable ground within _ROOM of a place."""
    size = ground.surface_texel
    column, row = ((np.array([x, y]) - ground.origin) / size).astype(int)
    reach = math.ceil(_ROOM / size)
    near = ground.surface[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
    return bool(np.isin(near, DRIVABLE).any())
