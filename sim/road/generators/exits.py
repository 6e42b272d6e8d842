"""Generates a main road with several exits, one after another."""

from __future__ import annotations

import math

from sim.datatypes.road_map import Junction
from sim.road.generators.base import WIDTH, DecisionPoint, MapGenerator, register
from sim.road.generators.intersections import T_JUNCTION
from sim.road.generators.roads import EAST, JUNCTIONS, MARGIN, NORTH, anticlockwise, two_way_road
from sim.road.graph.decision_points import (
    arm_of_lanes,
    has_predecessor,
    point_of_routes,
    route_between,
    two_way_roads,
)
from sim.road.graph.lane_graph import LaneGraph
from sim.road.opendrive.writer import JunctionArm, add_connections, crossing_connections, network, to_xml

_CORNER = 6.0  # [m] radius of the turn into an exit along the middle of its lane: small, so that exits fit 20 m apart
_MOST = 4  # exits


def exits(
    exits: float = 3,
    spacing: float = 45.0,
    shift: float = 0.0,
    arm: float = 60.0,
    side: float = 40.0,
    lane_width: float = 3.5,
) -> str:
    """A straight main road from south to north with side roads on its right, one after the other.

    Args:
        exits: number of side roads.
        spacing: from the middle of one to the middle of the next [m].
        shift: length by which the first gap is longer, the second shorter, the third longer again [m].
        arm: length of the main road before the first side road and beyond the last [m].
        side: length of each side road [m].
        lane_width: [m].
    """
    n, edge = round(exits), _CORNER + 0.5 * lane_width
    middles = [0.0]
    for k in range(n - 1):
        middles.append(middles[-1] + spacing + (shift if k % 2 == 0 else -shift))
    first, last = middles[0] - edge - arm, middles[-1] + edge + arm
    root = network("exits", (-MARGIN, first - MARGIN, edge + side + MARGIN, last + MARGIN))
    ends: list[list[JunctionArm]] = [[] for _ in middles]
    begins = [first, *(y + edge for y in middles)]
    stops = [*(y - edge for y in middles), last]
    for i, (begin, stop) in enumerate(zip(begins, stops)):
        joins = (JUNCTIONS + i - 1 if i else None, JUNCTIONS + i if i < n else None)
        start, end = two_way_road(root, i + 1, (0.0, begin, NORTH), stop - begin, lane_width, joins)
        if i:
            ends[i - 1].append(start)
        if i < n:
            ends[i].append(end)
    for k, y in enumerate(middles):
        start, _ = two_way_road(root, n + 2 + k, (edge, y, EAST), side, lane_width, (JUNCTIONS + k, None))
        ends[k].append(start)
    free = JUNCTIONS // 10
    for k, around in enumerate(ends):
        free = add_connections(root, JUNCTIONS + k, free, crossing_connections(anticlockwise(around)))
    return to_xml(root)


def _exits(graph: LaneGraph, opendrive: str) -> Junction:
    """The main road starts in the south; the side roads are numbered from there."""
    roads = two_way_roads(graph)
    outer = {road: graph.points_of(into)[0] for road, (into, _) in roads.items() if not has_predecessor(graph, into)}
    beside = sorted((r for r in outer if math.cos(outer[r][2]) < -0.5), key=lambda r: outer[r][1])
    south, north = sorted((r for r in outer if r not in beside), key=lambda r: outer[r][1])
    names = {south: "south", north: "north", **{r: f"exit{k}" for k, r in enumerate(beside, 1)}}
    arms = {name: arm_of_lanes(graph, name, *roads[road]) for road, name in names.items()}
    decided = {r: f"exit {k}" for k, r in enumerate(beside, 1)} | {north: "straight"}
    routes = [
        route_between(graph, roads[south][0], roads[to][1], ("south", names[to]), word) for to, word in decided.items()
    ]
    return point_of_routes("exits", arms, routes)


EXITS = DecisionPoint(
    "exits",
    "a road with exits",
    ("south", "north", *(f"exit{k}" for k in range(1, _MOST + 1))),
    {"south": ("straight", *(f"exit {k}" for k in range(1, _MOST + 1)))},
    build=_exits,
    counted_by="exits",
)
register(
    MapGenerator(
        "exits",
        exits,
        {
            "exits": (2, _MOST), "spacing": (30.0, 80.0), "shift": (-10.0, 10.0), "arm": (15.0, 200.0),
            "side": (15.0, 100.0), "lane_width": WIDTH,
        },
        whole=frozenset({"exits"}),
        decision_points=(EXITS, T_JUNCTION),
    )
)  # fmt: skip
