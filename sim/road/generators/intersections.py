"""Generates single intersections: T junctions and crossroads.

The map has one junction in its middle, with straight roads as arms, right-hand traffic, and one lane each way with a
gutter and a sidewalk on both sides.  It uses lines and arcs only: every turn is one arc whose reference line joins the
centre lines of two arms, so connecting roads are one-way and lie to its right.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

from sim.road.generators.base import add_lights, add_signs, checked
from sim.road.opendrive.writer import JunctionArm, LaneStrip, add_junction, link, network, road, section, street, to_xml

_JUNCTION_ID = 1000
_FIRST_CONNECTOR = 100
_HEADING = {"south": -0.5 * math.pi, "east": 0.0, "north": 0.5 * math.pi, "west": math.pi}
_T, _X = ("south", "west", "east"), ("south", "east", "north", "west")


@checked
def t_junction(arm: float = 50.0, lane_width: float = 3.5, radius: float = 9.0, stem: float = 0.0) -> str:
    """A T junction: a stem from the south meets a straight road from west to east.

    Args:
        arm: length of each road outside the junction [m].
        lane_width: [m].
        radius: of the right turn, along the middle of its lane [m]; left turns are a lane width wider.
        stem: length of the stem [m]; 0: it is as long as `arm`.

    Returns:
        OpenDRIVE text.

    Raises:
        ValueError: for a parameter out of its range.
    """
    return to_xml(_junction("t_junction", _T, arm, lane_width, radius, stem)[0])


@checked
def crossroads(arm: float = 50.0, lane_width: float = 3.5, radius: float = 9.0) -> str:
    """A junction of four roads at right angles, without signs; parameters as for `t_junction`."""
    return to_xml(_junction("crossroads", _X, arm, lane_width, radius)[0])


@checked
def crossroads_lights(arm: float = 50.0, lane_width: float = 3.5, radius: float = 9.0) -> str:
    """`crossroads` with a traffic light (1000001) on every arm; opposite arms share a controller."""
    root, mouths = _junction("crossroads_lights", _X, arm, lane_width, radius)
    add_lights(root, _JUNCTION_ID, mouths)
    return to_xml(root)


@checked
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
