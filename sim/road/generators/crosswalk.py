"""Generates a street with a crosswalk."""

from __future__ import annotations

from sim.datatypes.road_map import Junction
from sim.road.generators.base import WIDTH, DecisionPoint, MapGenerator, register
from sim.road.generators.roads import straight_street
from sim.road.graph.decision_points import StraightStreet, point_of_routes
from sim.road.graph.lane_graph import LaneGraph
from sim.road.opendrive.writer import GUTTER, box_object, section, street, to_xml

_PLAIN = 4.0  # [m] length of the stretch in the middle of a street without a crosswalk


def crosswalk(arm: float = 50.0, lane_width: float = 3.5, crossing: float = 4.0) -> str:
    """A straight street with a crosswalk in the middle, from kerb to kerb.

    Args:
        arm: length of the street on either side [m].
        lane_width: [m].
        crossing: width of the crosswalk, along the street [m].
    """
    root, element = straight_street("crosswalk", 2.0 * arm + crossing)
    section(element, street(1, lane_width), street(1, lane_width), centre="broken")
    box_object(element, 1, "crosswalk", (arm + 0.5 * crossing, 0.0), (crossing, 2.0 * (lane_width + GUTTER)))
    return to_xml(root)


def _crosswalk(graph: LaneGraph, opendrive: str) -> Junction:
    """The crosswalk, or the middle of a street without one, with a route in each direction of travel over it."""
    road = StraightStreet.read(graph, opendrive)
    if found := road.objects("crosswalk"):
        begin = min(s - 0.5 * length for s, _, length, _ in found)
        end = max(s + 0.5 * length for s, _, length, _ in found)
    else:
        middle = 0.5 * float(road.element.get("length", "0"))
        begin, end = middle - 0.5 * _PLAIN, middle + 0.5 * _PLAIN
    routes = road.routes(begin, end)
    return point_of_routes("crosswalk", road.arms(*routes), routes)


# A place where pedestrians cross: parking_bays and narrow_passage have one as well, in the middle of their street.
CROSSWALK = DecisionPoint(
    "crosswalk",
    "a stretch of street",
    ("west", "east"),
    {"west": ("straight",), "east": ("straight",)},
    build=_crosswalk,
)
register(
    MapGenerator(
        "crosswalk",
        crosswalk,
        {"arm": (15.0, 200.0), "lane_width": WIDTH, "crossing": (2.5, 8.0)},
        decision_points=(CROSSWALK,),
    )
)
