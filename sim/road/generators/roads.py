"""Road parts that map generators share: straight streets, motorways, arms of junctions, lights and signs."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from typing import Any

from sim.road.opendrive.writer import (
    GUTTER,
    JunctionArm,
    LaneStrip,
    controller,
    link,
    network,
    road,
    section,
    signal,
    street,
)

EAST, NORTH, WEST, SOUTH = 0.0, 0.5 * math.pi, math.pi, -0.5 * math.pi  # headings of roads [rad]
JUNCTIONS = 100_000  # ids of junctions begin here, ids of connecting roads at a tenth of it
MARGIN = 20.0  # [m] of world around the roads
MOTORWAY: dict[str, Any] = {"kind": "motorway", "speed": (80, "km/h")}  # attributes of a motorway's roads
HARD_SHOULDER = 2.0  # [m] width at the right of a motorway; half of it at the left
LEFT_EDGE = [LaneStrip("shoulder", 0.5 * HARD_SHOULDER, "none")]
RAMP_ANGLE = 0.25  # [rad] between a ramp and the main road, where they meet or part
LANE_CHANGE = 35.0  # [m] length over which a motorway's lane opens or ends


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


def carriageway(lanes: int, width: float) -> list[LaneStrip]:
    """The lanes of one direction of a motorway, with its hard shoulder, from the middle outwards."""
    inner = [LaneStrip("driving", width, "broken", "both")] * (lanes - 1)
    return [*inner, LaneStrip("driving", width, "solid"), LaneStrip("shoulder", HARD_SHOULDER)]


def add_motorway(root: ET.Element, pieces: Iterable[tuple[float, float, int]], lane_width: float) -> None:
    """Add a motorway from west to east along y = 0 as roads 1 to 3, with junctions JUNCTIONS and JUNCTIONS + 1 between.

    Args:
        pieces: start [m], length [m] and number of lanes of each road.
    """
    for road_id, (x, length, lanes) in enumerate(pieces, 1):
        element = road(root, road_id, (x, 0.0, 0.0), [(length, 0.0)], **MOTORWAY)
        if road_id > 1:
            link(element, "predecessor", "junction", JUNCTIONS + road_id - 2)
        if road_id < 3:
            link(element, "successor", "junction", JUNCTIONS + road_id - 1)
        section(element, carriageway(lanes, lane_width), LEFT_EDGE, centre="solid")


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
