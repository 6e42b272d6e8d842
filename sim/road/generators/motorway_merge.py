"""Generates a motorway with an on-ramp that merges."""

from __future__ import annotations

import math

from sim.road.generators.base import WIDTH, MapGenerator, register
from sim.road.generators.roads import JUNCTIONS, LANE_CHANGE, LEFT_EDGE, MOTORWAY, RAMP_ANGLE, add_motorway, carriageway
from sim.road.opendrive.writer import (
    LaneStrip,
    add_junction,
    connecting_road,
    link,
    network,
    road,
    section,
    shifted,
    to_xml,
)


def motorway_merge(lanes: float = 2, acceleration: float = 80.0, arm: float = 80.0, lane_width: float = 3.5) -> str:
    """A one-way main road from west to east that a ramp joins from the right, with a speed limit of 80 km/h.

    The ramp continues as an acceleration lane beside the others, along which lane changes are allowed. At its end that
    lane merges into the outermost lane, so that every lane has a successor.

    Args:
        lanes: of the main road, 1 to 3.
        acceleration: length of the acceleration lane [m].
        arm: length of the main road before and after, and of the ramp [m].
        lane_width: [m].
    """
    n, radius = round(lanes), 80.0
    nose = radius * math.sin(RAMP_ANGLE)  # the ramp's last arc lies within the first junction
    stations = (0.0, nose, nose + acceleration, nose + acceleration + LANE_CHANGE)
    root = network("motorway_merge", (-arm - 10.0, -arm * 0.5 - 20.0, stations[3] + arm + 10.0, 20.0))
    add_motorway(root, ((-arm, arm, n), (nose, acceleration, n + 1), (stations[3], arm, n)), lane_width)
    target = (nose, -n * lane_width, 0.0)
    begin = (0.0, target[1] - radius * (1.0 - math.cos(RAMP_ANGLE)), RAMP_ANGLE)
    far = (begin[0] - arm * math.cos(RAMP_ANGLE), begin[1] - arm * math.sin(RAMP_ANGLE), RAMP_ANGLE)
    ramp = road(root, 4, far, [(arm, 0.0)], **MOTORWAY)
    link(ramp, "successor", "junction", JUNCTIONS)
    section(ramp, carriageway(1, lane_width), LEFT_EDGE, centre="solid")
    for k, x in ((0, 0.0), (1, stations[2])):
        first, junction = JUNCTIONS // 10 + 2 * k, JUNCTIONS + k
        poses = (x, 0.0, 0.0), (stations[2 * k + 1], 0.0, 0.0)
        through = [
            LaneStrip("driving", lane_width, "broken" if i < n else "none", "none", -i, -i) for i in range(1, n + 1)
        ]
        connecting_road(
            root, first, junction, ((k + 1, "end"), (k + 2, "start")), poses, through, LEFT_EDGE, **MOTORWAY
        )
        joins = (begin, target) if k == 0 else (shifted((x, 0.0, 0.0), -n * lane_width),
                                                shifted((stations[3], 0.0, 0.0), -(n - 1) * lane_width))  # fmt: skip
        origin, lane_in, lane_out = ((4, "end"), 1, n + 1) if k == 0 else ((2, "end"), n + 1, n)
        strips = [LaneStrip(s.kind, s.width, "none", "none", -lane_in - i, -lane_out - i)
                  for i, s in enumerate(carriageway(1, lane_width))]  # fmt: skip
        connecting_road(root, first + 1, junction, (origin, (k + 2, "start")), joins, strips, (), **MOTORWAY)
        pairs = [(k + 1, first, [(-i, -i) for i in range(1, n + 1)]), (origin[0], first + 1, [(-lane_in, -1)])]
        add_junction(root, junction, pairs)
    return to_xml(root)


register(
    MapGenerator(
        "motorway_merge",
        motorway_merge,
        {"lanes": (1, 3), "acceleration": (30.0, 300.0), "arm": (30.0, 300.0), "lane_width": WIDTH},
        whole=frozenset({"lanes"}),
    )
)
