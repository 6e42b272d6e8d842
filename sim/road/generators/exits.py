"""Generated roads with one turning after another: exits along a main road, and two turns in a row.

Each function gives OpenDRIVE text; `sim.road.generators.registry` registers them with the ranges of their numbers.
`sim.road.graph.decision_points` reads the ways through them as places of decision.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

from sim.road.opendrive.writer import Mouth, add_ways, crossing_ways, link, network, road, section, street, text_of

_JUNCTIONS = 100_000  # ids of junctions begin here, those of connecting roads at a tenth
_CORNER = 6.0  # [m] radius of the turn into an exit along the middle of its lane: exits may be 20 m apart
_MARGIN = 20.0  # [m] of world around the roads
_EAST, _NORTH, _WEST, _SOUTH = 0.0, 0.5 * math.pi, math.pi, -0.5 * math.pi
_HALF_TURN = math.pi


def exits(
    exits: float = 3,
    spacing: float = 45.0,
    shift: float = 0.0,
    arm: float = 60.0,
    side: float = 40.0,
    lane_width: float = 3.5,
) -> str:
    """A straight main road from south to north with side roads on its right, one after the other.

    Args:
        exits: how many side roads.
        spacing: from the middle of one to the middle of the next [m].
        shift: by which the first gap is longer, the second shorter, the third longer again [m].
        arm: length of the main road before the first side road and beyond the last [m].
        side: length of each side road [m].
        lane_width: [m].
    """
    n, edge = round(exits), _CORNER + 0.5 * lane_width
    middles = [0.0]
    for k in range(n - 1):
        middles.append(middles[-1] + spacing + (shift if k % 2 == 0 else -shift))
    first, last = middles[0] - edge - arm, middles[-1] + edge + arm
    root = network("exits", (-_MARGIN, first - _MARGIN, edge + side + _MARGIN, last + _MARGIN))
    ends: list[list[Mouth]] = [[] for _ in middles]
    begins = [first, *(y + edge for y in middles)]
    stops = [*(y - edge for y in middles), last]
    for i, (begin, stop) in enumerate(zip(begins, stops)):
        joins = (_JUNCTIONS + i - 1 if i else None, _JUNCTIONS + i if i < n else None)
        start, end = _two_way(root, i + 1, (0.0, begin, _NORTH), stop - begin, lane_width, joins)
        if i:
            ends[i - 1].append(start)
        if i < n:
            ends[i].append(end)
    for k, y in enumerate(middles):
        start, _ = _two_way(root, n + 2 + k, (edge, y, _EAST), side, lane_width, (_JUNCTIONS + k, None))
        ends[k].append(start)
    free = _JUNCTIONS // 10
    for k, around in enumerate(ends):
        free = add_ways(root, _JUNCTIONS + k, free, crossing_ways(_anticlockwise(around)))
    return text_of(root)


def _two_way(
    root: ET.Element,
    road_id: int,
    start: tuple[float, float, float],
    length: float,
    lane_width: float,
    joins: tuple[int | None, int | None],
) -> tuple[Mouth, Mouth]:
    """A straight street with a lane each way between the junctions that it joins; the mouths at its two ends."""
    element = road(root, road_id, start, [(length, 0.0)])
    for side, junction in zip(("predecessor", "successor"), joins):
        if junction is not None:
            link(element, side, "junction", junction)
    section(element, street(1, lane_width), street(1, lane_width), centre="broken")
    x, y, heading = start
    end = (x + length * math.cos(heading), y + length * math.sin(heading), heading + _HALF_TURN)
    return Mouth(road_id, "start", start, 1, lane_width), Mouth(road_id, "end", end, 1, lane_width)


def _anticlockwise(around: list[Mouth]) -> list[Mouth]:
    """The mouths of a T in the order in which `crossing_ways` wants them."""
    return sorted(around, key=lambda mouth: mouth.at[2] % (2.0 * math.pi))
