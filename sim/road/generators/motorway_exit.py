"""Generates a motorway with an exit: a deceleration lane that leaves as a ramp."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from sim.datatypes.road_map import Arm, Junction
from sim.road.generators.base import WIDTH, DecisionPoint, MapGenerator, register
from sim.road.generators.roads import (
    HARD_SHOULDER,
    JUNCTIONS,
    LANE_CHANGE,
    LEFT_EDGE,
    MARGIN,
    MOTORWAY,
    RAMP_ANGLE,
    add_motorway,
    carriageway,
)
from sim.road.graph.decision_points import arm_of_lanes, has_predecessor, point_of_routes, route_between
from sim.road.graph.lane_graph import LaneGraph
from sim.road.opendrive.writer import (
    LaneStrip,
    Pose,
    add_junction,
    advanced,
    join,
    link,
    network,
    road,
    section,
    shifted,
    to_xml,
)

_RADIUS = 80.0  # [m] of the arc with which the ramp leaves
_BEND = 60.0  # [m] radius of the ramp's bend beyond the nose, where drivers are slow enough for it


def motorway_exit(lanes: float = 2, deceleration: float = 80.0, arm: float = 80.0, lane_width: float = 3.5) -> str:
    """A one-way main road from west to east that a ramp leaves to the right, with a speed limit of 80 km/h.

    A deceleration lane opens to the right of the outermost lane; lane changes between them are allowed along it. At its
    end it leaves as the ramp, which bends away to the south.

    Args:
        lanes: of the main road, 2 or 3.
        deceleration: length of the deceleration lane, without its opening [m].
        arm: length of the main road before and after, and of the ramp [m].
        lane_width: [m].
    """
    n, nose = round(lanes), _RADIUS * math.sin(RAMP_ANGLE)
    stations = (0.0, LANE_CHANGE, LANE_CHANGE + deceleration, LANE_CHANGE + deceleration + nose)
    parts = shifted((stations[2], 0.0, 0.0), -n * lane_width)
    ramp = advanced(parts, (_RADIUS * RAMP_ANGLE, -1.0 / _RADIUS))
    bend = [(0.4 * arm, 0.0), (min(0.6 * arm, _BEND), -1.0 / _BEND)]
    if arm - sum(length for length, _ in bend) > 1.0:
        bend.append((arm - sum(length for length, _ in bend), 0.0))
    end: Pose = ramp
    for piece in bend:
        end = advanced(end, piece)
    east = max(stations[3] + arm, end[0]) + MARGIN
    root = network("motorway_exit", (-arm - MARGIN, end[1] - MARGIN, east, MARGIN))
    add_motorway(root, ((-arm, arm, n), (LANE_CHANGE, deceleration, n + 1), (stations[3], arm, n)), lane_width)
    element = road(root, 4, ramp, bend, **MOTORWAY)
    link(element, "predecessor", "junction", JUNCTIONS + 1)
    section(element, carriageway(1, lane_width), LEFT_EDGE, centre="solid")
    opens = (shifted((0.0, 0.0, 0.0), -(n - 1) * lane_width), shifted((LANE_CHANGE, 0.0, 0.0), -n * lane_width))
    # The hard shoulder begins at the nose and widens no faster than the ramp bends away from it.
    gore = LaneStrip("shoulder", ((0.0, 0.0, 0.0, HARD_SHOULDER / nose**2, 0.0),), "none", "none", None, -n - 1)
    for k, poses, (lane_in, lane_out), target in ((0, opens, (n, n + 1), 2), (1, (parts, ramp), (n + 1, 1), 4)):
        first, junction = JUNCTIONS // 10 + 2 * k, JUNCTIONS + k
        ends = (stations[2 * k], 0.0, 0.0), (stations[2 * k + 1], 0.0, 0.0)
        marks = ["broken"] * (n - 1) + ["solid" if k else "broken"]
        through = [LaneStrip("driving", lane_width, mark, "none", -i, -i) for i, mark in enumerate(marks, 1)]
        _connect(root, first, junction, (k + 1, k + 2), ends, [*through, gore] if k else through, LEFT_EDGE)
        strips = [
            LaneStrip(s.kind, s.width, s.mark, "none", -lane_in - i, -lane_out - i)
            for i, s in enumerate(carriageway(1, lane_width))
        ]
        _connect(root, first + 1, junction, (k + 1, target), poses, strips, ())
        straight = [(-i, -i) for i in range(1, n + 1)]
        add_junction(root, junction, [(k + 1, first, straight), (k + 1, first + 1, [(-lane_in, -1)])])
    return to_xml(root)


def _connect(
    root: ET.Element,
    road_id: int,
    junction: int,
    roads: tuple[int, int],
    poses: tuple[Pose, Pose],
    right: Sequence[LaneStrip],
    left: Sequence[LaneStrip],
) -> None:
    """Add a road through a junction, from the end of one road to the start of another, with a line on its left edge."""
    element = road(root, road_id, poses[0], join(*poses), junction, **MOTORWAY)
    link(element, "predecessor", "road", roads[0], "end")
    link(element, "successor", "road", roads[1], "start")
    section(element, right, left, centre="none" if junction == JUNCTIONS and not left else "solid")


def _exit(graph: LaneGraph, opendrive: str) -> Junction:
    """Ego comes from the west in the outermost lane; the ways part where the deceleration lane opens.

    The roads are one-way, so that both lanes of an arm are the same.
    """
    outside = [lane for lane in graph.lanes_of_kind("driving").tolist() if graph.junction[lane] < 0]
    begins = [lane for lane in outside if not has_predecessor(graph, lane)]
    ends = [lane for lane in outside if not len(graph.successors_of(lane))]
    rightmost = {"west": begins, "east": [i for i in ends if graph.road[i] == 3], "exit1": ends}
    lanes = {name: min(found, key=lambda i: _southing(graph, i)) for name, found in rightmost.items()}
    arms: dict[str, Arm] = {name: arm_of_lanes(graph, name, lane, lane) for name, lane in lanes.items()}
    routes = [
        route_between(graph, lanes["west"], lanes[to], ("west", to), word)
        for to, word in (("east", "straight"), ("exit1", "exit 1"))
    ]
    return point_of_routes("motorway_exit", arms, routes)


def _southing(graph: LaneGraph, lane: int) -> float:
    """The y [m] of a lane's end."""
    _, y, _ = graph.points_of(lane)[-1]
    return float(y)


MOTORWAY_EXIT = DecisionPoint(
    "motorway_exit",
    "a motorway with an exit",
    ("west", "east", "exit1"),
    {"west": ("straight", "exit 1")},
    build=_exit,
)
register(
    MapGenerator(
        "motorway_exit",
        motorway_exit,
        {"lanes": (2, 3), "deceleration": (30.0, 300.0), "arm": (30.0, 300.0), "lane_width": WIDTH},
        whole=frozenset({"lanes"}),
        decision_points=(MOTORWAY_EXIT,),
    )
)
