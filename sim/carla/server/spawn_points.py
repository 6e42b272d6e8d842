"""Recommended spawn points of vehicles: on a map's lanes, away from junctions and from one another."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.carla.server.spawning import jittered
from sim.datatypes.road_map import RoadMap
from sim.road.graph.lane_graph import LANE_KIND, lane_graph

APART = 12.0  # [m] between points of a lane
EDGE = 4.0  # [m] from a lane's ends
HEIGHT = 0.3  # [m] above the road, as CARLA's are
JITTER = 0.05  # [m] to either side, so that no two lie exactly behind one another


def spawn_points(road_map: RoadMap) -> list[Any]:
    """Return the spawn points as encoded transforms, in CARLA's frame."""
    graph = lane_graph(road_map.opendrive, road_map.name)
    found: list[Any] = []
    for lane in np.flatnonzero((graph.kind == LANE_KIND["driving"]) & (graph.junction < 0)):
        length = float(graph.length[lane])
        if length < 2.0 * EDGE:
            continue
        points = graph.points[graph.start[lane] : graph.start[lane + 1]]
        for share in np.linspace(EDGE, length - EDGE, max(1, int((length - 2.0 * EDGE) // APART))) / length:
            x, y, yaw = (float(v) for v in points[round(float(share) * (len(points) - 1))])
            degrees = float(np.degrees(-np.arctan2(np.sin(yaw), np.cos(yaw))))
            found.append(jittered([[x, -y, HEIGHT], [0.0, degrees, 0.0]], JITTER, len(found) + 1))
    return found
