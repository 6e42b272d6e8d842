"""Generates single intersections: T junctions and crossroads.

The map has one junction in its middle, with straight roads as arms, right-hand traffic, and one lane each way with a
gutter and a sidewalk on both sides.  It uses lines and arcs only: every turn is one arc whose reference line joins the
centre lines of two arms, so connecting roads are one-way and lie to its right.
"""

from __future__ import annotations

import functools
import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np

from sim.datatypes.road_map import Junction, Path, RoadMap
from sim.datatypes.vocabulary import ROUTE_SPACING, TURNS
from sim.road.generators.base import DecisionPoint, MapGenerator, generator_of, register
from sim.road.generators.roads import add_lights, add_signs
from sim.road.graph.junctions import REACH_IN
from sim.road.opendrive.writer import JunctionArm, LaneStrip, add_junction, link, network, road, section, street, to_xml

_JUNCTION_ID = 1000
_FIRST_CONNECTOR = 100
_HEADING = {"south": -0.5 * math.pi, "east": 0.0, "north": 0.5 * math.pi, "west": math.pi}
_T, _X = ("south", "west", "east"), ("south", "east", "north", "west")
_ROAD = re.compile(r'<road [^>]*?\blength="([^"]*)"')


def t_junction(arm: float = 50.0, lane_width: float = 3.5, radius: float = 9.0, stem: float = 0.0) -> str:
    """A T junction: a stem from the south meets a straight road from west to east.

    Args:
        arm: length of each road outside the junction [m].
        lane_width: [m].
        radius: of the right turn, along the middle of its lane [m]; left turns are a lane width wider.
        stem: length of the stem [m]; 0: it is as long as `arm`.

    Returns:
        OpenDRIVE text.
    """
    return to_xml(_junction("t_junction", _T, arm, lane_width, radius, stem)[0])


def crossroads(arm: float = 50.0, lane_width: float = 3.5, radius: float = 9.0) -> str:
    """A junction of four roads at right angles, without signs; parameters as for `t_junction`."""
    return to_xml(_junction("crossroads", _X, arm, lane_width, radius)[0])


def crossroads_lights(arm: float = 50.0, lane_width: float = 3.5, radius: float = 9.0) -> str:
    """`crossroads` with a traffic light (1000001) on every arm; opposite arms share a controller."""
    root, mouths = _junction("crossroads_lights", _X, arm, lane_width, radius)
    add_lights(root, _JUNCTION_ID, mouths)
    return to_xml(root)


def crossroads_stop(arm: float = 50.0, lane_width: float = 3.5, radius: float = 9.0) -> str:
    """`crossroads` as an all-way stop: a stop sign (206) on every arm."""
    root, mouths = _junction("crossroads_stop", _X, arm, lane_width, radius)
    add_signs(root, "206", mouths)
    return to_xml(root)


def _junction(
    name: str, arms: tuple[str, ...], arm: float, lane_width: float, radius: float, stem: float = 0.0
) -> tuple[ET.Element, list[JunctionArm]]:
    """One junction at the origin with the named arms; returns the network and the arms.

    `stem` is the length of the first arm, where it is not 0.
    """
    edge = radius + 0.5 * lane_width  # every turn's reference line is an arc of this radius
    reach = edge + arm
    root = network(name, (-reach, -max(reach, edge + stem), reach, reach))
    mouths = []
    for i, here in enumerate(arms):
        heading = _HEADING[here]
        start = (edge * math.cos(heading), edge * math.sin(heading), heading)
        element = road(root, i + 1, start, [(stem if stem and not i else arm, 0.0)])
        link(element, "predecessor", "junction", _JUNCTION_ID)
        section(element, street(1, lane_width), street(1, lane_width), centre="broken")
        mouths.append(JunctionArm(i + 1, "start", start, 1, lane_width))
    pairs = [(i, j) for i in range(len(arms)) for j in range(len(arms)) if i != j]
    for k, (i, j) in enumerate(pairs):
        _connecting_road(root, _FIRST_CONNECTOR + k, (i, j), arms, edge, lane_width)
    ways = [(i + 1, _FIRST_CONNECTOR + k, [(1, -1)]) for k, (i, _) in enumerate(pairs)]
    add_junction(root, _JUNCTION_ID, ways, "junction")
    return root, mouths


def _connecting_road(
    root: ET.Element, road_id: int, pair: tuple[int, int], arms: tuple[str, ...], edge: float, lane_width: float
) -> None:
    """A one-way road from arm pair[0] to arm pair[1]; the outermost also have the corner's gutter and sidewalk."""
    origin, target = arms[pair[0]], arms[pair[1]]
    inwards = _HEADING[origin] + math.pi
    turn = math.remainder(_HEADING[target] - inwards, 2.0 * math.pi)
    start = (edge * math.cos(_HEADING[origin]), edge * math.sin(_HEADING[origin]), inwards)
    straight = abs(turn) < 1e-6
    length = 2.0 * edge if straight else 0.5 * math.pi * edge
    curvature = 0.0 if straight else math.copysign(1.0 / edge, turn)
    element = road(root, road_id, start, [(length, curvature)], _JUNCTION_ID)
    link(element, "predecessor", "road", pair[0] + 1, "start")
    link(element, "successor", "road", pair[1] + 1, "start")
    to_the_right = {h: n for n, h in _HEADING.items()}[_nearest(inwards - 0.5 * math.pi)]
    outermost = turn < -1e-6 or (straight and to_the_right not in arms)
    strips = [
        LaneStrip(s.kind, s.width, "none" if k == 1 else s.mark, "none", k, -k)
        for k, s in enumerate(street(1, lane_width), 1)
    ]
    # The centre line of a road without an arm on its other side continues through the junction.
    section(element, strips if outermost else strips[:1], centre="broken" if straight and outermost else "none")


def _nearest(heading: float) -> float:
    """The compass heading that a heading equals, up to whole turns and rounding."""
    return min(_HEADING.values(), key=lambda h: abs(math.remainder(heading - h, 2.0 * math.pi)))


# --------------------------------------------------------------------------------------------------- a long stem
def _extend_approach(road_map: RoadMap, junction: Junction) -> Junction:
    """Extend the routes of a `t_junction` with a long stem to the whole length of the stem.

    Compiled junctions contain only REACH_IN of an arm; a sign that the driver must remember stands farther away. The
    stem is straight, and the rest of each route stays as compiled. Any other junction is returned unchanged.
    """
    lengths = _lengths(road_map.opendrive)
    if not lengths or lengths[0] <= lengths[1]:
        return junction
    return _stretched(road_map.digest, lengths[0], _Junction(junction))


class _Junction:
    """A junction as an argument that a cache does not compare: the map's digest identifies it."""

    def __init__(self, junction: Junction) -> None:
        self.junction = junction

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Junction)

    def __hash__(self) -> int:
        return 0


@functools.lru_cache(maxsize=256)
def _lengths(opendrive: str) -> tuple[float, ...]:
    """The lengths of a `t_junction`'s stem and of its western arm [m]; empty for any other map."""
    if generator_of(opendrive) != "t_junction":
        return ()
    return tuple(float(length) for length in _ROAD.findall(opendrive)[:2])


@functools.lru_cache(maxsize=256)
def _stretched(digest: str, stem: float, of: _Junction) -> Junction:
    junction = of.junction
    more = int((stem - REACH_IN) / float(ROUTE_SPACING) + 0.01)  # points
    if more <= 0:
        return junction
    south = junction.arms["south"]
    arms = {**junction.arms, "south": replace(south, inbound=_prolonged(south.inbound, more))}
    away = more * float(ROUTE_SPACING)
    routes = [
        replace(r, path=_prolonged(r.path, more), junction_in=r.junction_in + away, junction_out=r.junction_out + away)
        if r.origin == "south"
        else r
        for r in junction.routes
    ]
    return replace(junction, arms=arms, routes=tuple(routes))


def _prolonged(path: Path, more: int) -> Path:
    """The path with `more` points in a straight line before its first."""
    x, y, yaw, _ = (float(v) for v in path.points[0])
    back = -float(ROUTE_SPACING) * np.arange(more, 0, -1)
    straight = np.column_stack([x + back * math.cos(yaw), y + back * math.sin(yaw), np.full(more, yaw), 0.0 * back])
    return Path(np.concatenate([straight.astype(np.float32), path.points]))


# ------------------------------------------------------------------------------------------------- declarations
T_JUNCTION = DecisionPoint(
    "t_junction",
    "a T-junction",
    ("south", "west", "east"),
    {"south": ("left", "right"), "west": ("right", "straight"), "east": ("left", "straight")},
    refine=_extend_approach,
)
_COMPASS = ("south", "west", "north", "east")
CROSSROADS = DecisionPoint("crossroads", "a crossroads", _COMPASS, dict.fromkeys(_COMPASS, TURNS))
_RANGES = {"arm": (15.0, 200.0), "lane_width": (2.5, 5.0), "radius": (5.0, 25.0)}

register(MapGenerator("t_junction", t_junction, {**_RANGES, "stem": (0.0, 400.0)}, decision_points=(T_JUNCTION,)))
for _function in (crossroads, crossroads_lights, crossroads_stop):
    register(MapGenerator(_function.__name__, _function, _RANGES, decision_points=(CROSSROADS,)))
