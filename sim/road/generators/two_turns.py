"""Generates a road with two turns in a row."""

from __future__ import annotations

import math

from sim.road.generators.base import EAST, JUNCTIONS, MARGIN, NORTH, SOUTH, WEST, anticlockwise, two_way_road
from sim.road.opendrive.writer import JunctionArm, add_connections, crossing_connections, network, to_xml


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
