"""Generates a road with two turns in a row."""

from __future__ import annotations

import math

from sim.datatypes.road_map import Junction
from sim.road.generators.base import WIDTH, DecisionPoint, MapGenerator, register
from sim.road.generators.intersections import T_JUNCTION
from sim.road.generators.roads import EAST, JUNCTIONS, MARGIN, NORTH, SOUTH, WEST, anticlockwise, two_way_road
from sim.road.graph.decision_points import (
    arm_of_lanes,
    has_predecessor,
    point_of_routes,
    route_between,
    two_way_roads,
)
from sim.road.graph.lane_graph import LaneGraph
from sim.road.opendrive.writer import JunctionArm, add_connections, crossing_connections, network, to_xml

_ENDS = {"left then left": "southwest", "left then right": "northwest", "right then left": "northeast",
         "right then right": "southeast"}  # fmt: skip


def two_turns(
    arm: float = 50.0, leg: float = 50.0, side: float = 40.0, lane_width: float = 3.5, radius: float = 9.0
) -> str:
    """A T junction whose left and right roads each lead to another T junction with a left and a right turn.

    Args:
        arm: length of the stem from the south [m].
        leg: length of the road between the first turn and the second, on either side [m].
        side: length of the roads after the second turn [m].
        lane_width: [m].
        radius: of every right turn along the middle of its lane [m].
    """
    edge = radius + 0.5 * lane_width
    far = 2.0 * edge + leg  # from the middle of the first T to that of the second
    first, west, east = JUNCTIONS, JUNCTIONS + 1, JUNCTIONS + 2
    reach, down = far + MARGIN, edge + max(arm, side) + MARGIN
    root = network("two_turns", (-reach, -down, reach, edge + side + MARGIN))
    stem, _ = two_way_road(root, 1, (0.0, -edge, SOUTH), arm, lane_width, (first, None))
    ends: dict[int, list[JunctionArm]] = {first: [stem], west: [], east: []}
    road_id = 2
    for there, way, x in ((west, WEST, -far), (east, EAST, far)):
        begin = (math.copysign(edge, x), 0.0, way)
        near, beyond = two_way_road(root, road_id, begin, leg, lane_width, (first, there))
        ends[first].append(near)
        ends[there].append(beyond)
        for k, (heading, y) in enumerate(((SOUTH, -edge), (NORTH, edge)), 1):
            start, _ = two_way_road(root, road_id + k, (x, y, heading), side, lane_width, (there, None))
            ends[there].append(start)
        road_id += 3
    free = JUNCTIONS // 10
    for junction, around in ends.items():
        free = add_connections(root, junction, free, crossing_connections(anticlockwise(around)))
    return to_xml(root)


def _two_turns(graph: LaneGraph, opendrive: str) -> Junction:
    """The stem leads from the south to the origin; the roads between the turns lead away from it."""
    roads = two_way_roads(graph)
    names, arms = {}, {}
    for road, (into, out) in roads.items():
        x, y, heading = (float(v) for v in graph.points_of(into)[0])
        sideways = "west" if x < 0.0 else "east"
        if has_predecessor(graph, into) and has_predecessor(graph, out):  # between two junctions: inbound leads on
            inwards, outwards = (abs(x) for x, *_ in (graph.points_of(lane)[-1] for lane in (into, out)))
            arms[sideways] = arm_of_lanes(graph, sideways, *((into, out) if inwards >= outwards else (out, into)))
            continue
        stem = abs(math.remainder(heading - 0.5 * math.pi, 2.0 * math.pi)) < 0.1
        between = abs(x) < graph.width.max()
        names[road] = "south" if stem and between else f"{'south' if y < 0.0 else 'north'}{sideways}"
        arms[names[road]] = arm_of_lanes(graph, names[road], into, out)
    lane = {name: roads[road] for road, name in names.items()}
    routes = [route_between(graph, lane["south"][0], lane[to][1], ("south", to), word) for word, to in _ENDS.items()]
    return point_of_routes("two_turns", arms, routes)


TWO_TURNS = DecisionPoint(
    "two_turns",
    "two turns in a row",
    ("south", "west", "east", *_ENDS.values()),
    {"south": tuple(_ENDS)},
    build=_two_turns,
)
register(
    MapGenerator(
        "two_turns",
        two_turns,
        {
            "arm": (15.0, 200.0), "leg": (15.0, 120.0), "side": (15.0, 100.0), "lane_width": WIDTH,
            "radius": (5.0, 15.0),
        },
        decision_points=(TWO_TURNS, T_JUNCTION),
    )
)  # fmt: skip
