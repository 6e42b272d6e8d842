"""Generates a street with a narrow passage."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np

from sim.datatypes.road_map import Junction, Route
from sim.datatypes.vocabulary import ROUTE_SPACING
from sim.road.generators.base import WIDTH, DecisionPoint, MapGenerator, register
from sim.road.generators.crosswalk import CROSSWALK
from sim.road.generators.roads import straight_street
from sim.road.graph.decision_points import Point, StraightStreet, point_of_routes, route_over
from sim.road.graph.lane_graph import LaneGraph
from sim.road.opendrive.writer import GUTTER, PAVEMENT, LaneStrip, Width, section, signal, to_xml

_SIGN = 0.5  # [m] from the kerb to a sign
_ASIDE, _LINED_UP = 17.0, 2.0  # [m] before a gap at which a car leaves its lane, and at which it is in the gap's middle


def narrow_passage(
    passage: float = 25.0,
    gap: float = 3.2,
    arm: float = 50.0,
    taper: float = 8.0,
    lane_width: float = 3.5,
    signs: float = 1,
) -> str:
    """A two-way street with a narrow passage, built out from the south side, through which only one car fits.

    Both lanes continue, each half the gap wide.  Westbound traffic has the right of way (sign 308), eastbound traffic
    gives way (sign 208).

    Args:
        passage: length of the narrow part [m].
        gap: width of the road there [m].
        arm: length of the street on either side, tapers included [m].
        taper: length over which the road narrows, and widens again [m].
        lane_width: elsewhere [m].
        signs: 0 leaves out the two signs.
    """
    root, element = straight_street("narrow_passage", 2.0 * arm + passage)
    stations = (arm - taper, arm, arm + passage, arm + passage + taper)
    lanes = ET.Element("lanes")
    # The north kerb stays where it is: the centre line moves north by the width that the northern lane loses.
    for record in _dip(stations, 0.0, lane_width - 0.5 * gap):
        ET.SubElement(lanes, "laneOffset", {k: f"{v:.9g}" for k, v in zip(("s", "a", "b", "c", "d"), record)})
    old = element.find("lanes")
    assert old is not None
    old.extend(lanes)
    drives = LaneStrip("driving", _dip(stations, lane_width, 0.5 * gap), "solid")
    gutter = LaneStrip("shoulder", GUTTER, "curb")
    built_out = LaneStrip("sidewalk", _dip(stations, PAVEMENT, PAVEMENT + 2.0 * lane_width - gap))
    centre = ((0.0, "broken"), (stations[0], "none"), (stations[3], "broken"))
    section(element, [drives, gutter, built_out], [drives, gutter, LaneStrip("sidewalk", PAVEMENT)], centre=centre)
    aside = lane_width + GUTTER + _SIGN
    if signs:
        signal(element, 1, "208", (stations[0], -aside), (-1, -1))
        signal(element, 2, "308", (stations[3], aside), (1, 1))
    return to_xml(root)


def _dip(stations: tuple[float, float, float, float], usual: float, within: float) -> tuple[Width, ...]:
    """Records of a value that changes smoothly from `usual` to `within` and back, between the four stations."""
    a, b, c, d = stations
    step, length = within - usual, b - a
    down, up = 3.0 * step / length**2, -2.0 * step / length**3
    return (
        (0.0, usual, 0.0, 0.0, 0.0),
        (a, usual, 0.0, down, up),
        (b, within, 0.0, 0.0, 0.0),
        (c, within, 0.0, -down, -up),
        (d, usual, 0.0, 0.0, 0.0),
    )


def _narrow_passage(graph: LaneGraph, opendrive: str) -> Junction:
    """The passage begins where vehicles leave their lane to drive through its middle, in either direction.

    A vehicle that waits there stands clear of the oncoming one.
    """
    road = StraightStreet.read(graph, opendrive)
    records = [record for lane in road.element.findall(".//right/lane[@id='-1']") for record in lane.findall("width")]
    least = min(range(len(records)), key=lambda i: float(records[i].get("a", "inf")))
    begin, end = (float(records[i].get("sOffset", "0")) for i in (least, least + 1))
    gap = road.at(begin), road.at(end)
    west, east = road.at(begin - _ASIDE), road.at(end + _ASIDE)
    coming, against = road.routes(begin - _ASIDE, end + _ASIDE)
    arms = road.arms(coming, against)
    middle = 0.5 * (_halfway(coming) + _halfway(against))
    coming = route_over(_through(road.lines["west"], gap[0], gap[1], middle), "west", west, east)
    against = route_over(_through(road.lines["east"], gap[1], gap[0], middle), "east", east, west)
    return point_of_routes("narrow_passage", arms, (coming, against))


def _halfway(route: Route) -> np.ndarray:
    """(2,) the point in the middle of a route's junction."""
    return route.path.points[round(0.5 * (route.junction_in + route.junction_out) / float(ROUTE_SPACING)), :2]


def _through(line: np.ndarray, begin: Point, end: Point, middle: np.ndarray) -> np.ndarray:
    """The line along a straight street that passes a gap in the gap's middle, and begins and ends in its lane.

    The lanes in the gap are half the gap wide, too narrow for a car. The line leaves its lane _ASIDE before the gap,
    and is back in it as far beyond.
    """
    ahead = (line[-1] - line[0]) / np.hypot(*(line[-1] - line[0]))
    left = np.array([-ahead[1], ahead[0]])
    stations = np.arange(0.0, float((line[-1] - line[0]) @ ahead) + 1e-6, float(ROUTE_SPACING))
    first, last = (float((np.asarray(point) - line[0]) @ ahead) for point in (begin, end))
    away = np.maximum(first - stations, stations - last)
    share = np.clip((_ASIDE - away) / (_ASIDE - _LINED_UP), 0.0, 1.0)
    aside = share**2 * (3.0 - 2.0 * share) * float((middle - line[0]) @ left)
    return line[0] + stations[:, None] * ahead + aside[:, None] * left


NARROW_PASSAGE = DecisionPoint(
    "narrow_passage",
    "a narrow passage",
    ("west", "east"),
    {"west": ("straight",), "east": ("straight",)},
    build=_narrow_passage,
)
register(
    MapGenerator(
        "narrow_passage",
        narrow_passage,
        {
            "passage": (5.0, 100.0), "gap": (2.6, 4.0), "arm": (30.0, 200.0), "taper": (5.0, 20.0),
            "lane_width": WIDTH, "signs": (0, 1),
        },
        whole=frozenset({"signs"}),
        decision_points=(NARROW_PASSAGE, CROSSWALK),
    )
)  # fmt: skip
