"""Road parts that map generators share: straight streets, arms of junctions, lights and signs."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

from sim.road.opendrive.writer import GUTTER, JunctionArm, controller, link, network, road, section, signal, street

EAST, NORTH, WEST, SOUTH = 0.0, 0.5 * math.pi, math.pi, -0.5 * math.pi  # headings of roads [rad]
JUNCTIONS = 100_000  # ids of junctions begin here, ids of connecting roads at a tenth of it
MARGIN = 20.0  # [m] of world around the roads


def straight_street(name: str, length: float) -> tuple[ET.Element, ET.Element]:
    """A network of one road from west to east, its middle at the origin, without lanes yet."""
    root = network(name, (-0.5 * length, -20.0, 0.5 * length, 20.0))
    return root, road(root, 1, (-0.5 * length, 0.0, 0.0), [(length, 0.0)])


def two_way_road(
    root: ET.Element,
    road_id: int,
    start: tuple[float, float, float],
    length: float,
    lane_width: float,
    joins: tuple[int | None, int | None],
) -> tuple[JunctionArm, JunctionArm]:
    """Add a straight street with a lane each way between the junctions that it joins; returns its two ends as arms."""
    element = road(root, road_id, start, [(length, 0.0)])
    for side, junction in zip(("predecessor", "successor"), joins):
        if junction is not None:
            link(element, side, "junction", junction)
    section(element, street(1, lane_width), street(1, lane_width), centre="broken")
    x, y, heading = start
    end = (x + length * math.cos(heading), y + length * math.sin(heading), heading + math.pi)
    return JunctionArm(road_id, "start", start, 1, lane_width), JunctionArm(road_id, "end", end, 1, lane_width)


def anticlockwise(around: list[JunctionArm]) -> list[JunctionArm]:
    """The arms of a T junction in the order that `crossing_connections` expects."""
    return sorted(around, key=lambda mouth: mouth.at[2] % (2.0 * math.pi))


def add_lights(root: ET.Element, junction: int, around: list[JunctionArm]) -> None:
    """Add a traffic light at each of four arms (anticlockwise); opposite arms share a controller."""
    made = add_signs(root, "1000001", around)
    first = 1 + len(root.findall("controller"))
    for k in (0, 1):
        controller(root, junction, first + k, [made[k], made[k + 2]])


def add_signs(root: ET.Element, kind: str, around: list[JunctionArm]) -> list[int]:
    """Add a sign or light of one type at the right-hand side of every arm; returns their ids."""
    roads = {element.get("id"): element for element in root.findall("road")}
    first = 1 + sum(1 for _ in root.iter("signal"))
    for signal_id, mouth in enumerate(around, first):
        element = roads[str(mouth.road)]
        from_start, aside = mouth.contact == "start", mouth.lanes * mouth.width + GUTTER + 0.5
        s = 0.5 if from_start else float(str(element.get("length"))) - 0.5
        lanes = (1, mouth.lanes) if from_start else (-mouth.lanes, -1)
        signal(element, signal_id, kind, (s, aside if from_start else -aside), lanes)
    return list(range(first, first + len(around)))
