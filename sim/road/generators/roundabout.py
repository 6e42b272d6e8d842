"""Generates a roundabout with three or four arms."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

from sim.road.generators.base import WIDTH, MapGenerator, register
from sim.road.opendrive.writer import (
    GUTTER,
    PAVEMENT,
    JunctionArm,
    LaneStrip,
    Pose,
    add_junction,
    connecting_road,
    link,
    network,
    road,
    section,
    signal,
    street,
    to_xml,
)

_JUNCTIONS = 100_000  # ids of junctions begin here, ids of connecting roads at a tenth of it
_SIGNALS = 1


def roundabout(arms: float = 4, radius: float = 18.0, arm: float = 50.0, lane_width: float = 3.5) -> str:
    """A one-lane roundabout, driven anticlockwise; traffic on the ring has the right of way (sign 205 on the arms).

    Every arm meets the ring in a junction of its own, with three connecting roads: in, out, and along the ring.

    Args:
        arms: number of arms, 3 or 4.
        radius: of the ring along the middle of its lane [m].
        arm: length of each road outside [m].
        lane_width: [m].
    """
    n, inner = round(arms), radius - 0.5 * lane_width
    half = _half_angle(inner, lane_width)
    edge = inner / math.cos(half) + inner * math.tan(half)  # where the roads outside begin
    headings = [2.0 * math.pi * k / n - 0.5 * math.pi for k in range(n)]
    reach = edge + arm + 10.0
    root = network("roundabout", (-reach, -reach, reach, reach))
    mouths = []
    for k, heading in enumerate(headings):
        start = (edge * math.cos(heading), edge * math.sin(heading), heading)
        element = road(root, k + 1, start, [(arm, 0.0)])
        link(element, "predecessor", "junction", _JUNCTIONS + k)
        section(element, street(1, lane_width), street(1, lane_width), centre="broken")
        signal(element, _SIGNALS + k, "205", (0.5, lane_width + GUTTER + 0.5), (1, 1))
        mouths.append(JunctionArm(k + 1, "start", start, 1, lane_width))
    kerb = [LaneStrip("shoulder", GUTTER, "curb")]
    ring = 2.0 * math.pi / n - 2.0 * half
    for k, heading in enumerate(headings):  # the ring between this arm and the next
        element = road(root, n + k + 1, _on_ring(inner, heading + half), [(inner * ring, 1.0 / inner)])
        link(element, "predecessor", "junction", _JUNCTIONS + k)
        link(element, "successor", "junction", _JUNCTIONS + (k + 1) % n)
        section(element, street(1, lane_width), kerb, centre="solid")
    for k, heading in enumerate(headings):
        _ring_junction(root, k, n, mouths[k], (inner, heading, half), lane_width)
    return to_xml(root)


def _half_angle(inner: float, lane_width: float) -> float:
    """Half the angle of the ring that a junction takes: the smallest with comfortable turns, at most 35 degrees."""
    wanted, low, high = 13.0 + lane_width, 0.05, math.radians(35.0)
    for _ in range(50):
        middle = 0.5 * (low + high)
        enough = inner * math.tan(middle) / math.tan(0.25 * math.pi - 0.5 * middle) > wanted
        low, high = (low, middle) if enough else (middle, high)
    return high


def _on_ring(inner: float, angle: float) -> Pose:
    return inner * math.cos(angle), inner * math.sin(angle), angle + 0.5 * math.pi


def _ring_junction(
    root: ET.Element, k: int, n: int, mouth: JunctionArm, where: tuple[float, float, float], lane_width: float
) -> None:
    """Add the junction of arm k: the roads into the ring, out of it and along it."""
    inner, heading, half = where
    before, after = (n + (k - 1) % n + 1, "end"), (n + k + 1, "start")
    arrives, leaves = _on_ring(inner, heading - half), _on_ring(inner, heading + half)
    arm = (mouth.road, "start")
    kinds = [("driving", lane_width, "none"), ("shoulder", GUTTER, "curb"), ("sidewalk", PAVEMENT, "none")]
    enter = [LaneStrip(a, w, m, "none", k, -k) for k, (a, w, m) in enumerate(kinds, 1)]
    leave = [LaneStrip(a, w, m, "none", -k, -k) for k, (a, w, m) in enumerate(kinds, 1)]
    first, junction = _JUNCTIONS // 10 + 3 * k, _JUNCTIONS + k
    connecting_road(root, first, junction, (arm, after), (mouth.pose_in(1), leaves), enter)
    connecting_road(root, first + 1, junction, (before, arm), (arrives, mouth.pose_out(1)), leave)
    element = road(root, first + 2, arrives, [(2.0 * half * inner, 1.0 / inner)], junction)
    link(element, "predecessor", "road", *before)
    link(element, "successor", "road", *after)
    section(element, [LaneStrip("driving", lane_width, "none", "none", -1, -1)],
            [LaneStrip("shoulder", GUTTER, "curb", "none", 1, 1)], centre="solid")  # fmt: skip
    pairs = [(mouth.road, first, [(1, -1)]), (before[0], first + 1, [(-1, -1)]), (before[0], first + 2, [(-1, -1)])]
    add_junction(root, junction, pairs)


register(
    MapGenerator(
        "roundabout",
        roundabout,
        {"arms": (3, 4), "radius": (12.0, 40.0), "arm": (15.0, 200.0), "lane_width": WIDTH},
        whole=frozenset({"arms"}),
    )
)
