"""Generates a street with parking bays along its south side.

The reference line is the middle of the street, so eastbound lanes have negative ids and lie on the south side.
"""

from __future__ import annotations

import random

from sim.datatypes.road_map import Junction
from sim.datatypes.vocabulary import DECISIONS
from sim.road.generators.base import WIDTH, DecisionPoint, MapGenerator, register
from sim.road.generators.crosswalk import CROSSWALK
from sim.road.generators.roads import straight_street
from sim.road.graph.decision_points import StraightStreet, point_of_routes
from sim.road.graph.lane_graph import LaneGraph
from sim.road.opendrive.writer import (
    GUTTER,
    PAVEMENT,
    LaneStrip,
    box_object,
    section,
    street,
    to_xml,
)

SHORT = 4.7  # [m] length of a bay in which no car can park


def parking_bays(
    bays: float = 6,
    bay: float = 6.0,
    depth: float = 2.3,
    arm: float = 40.0,
    lane_width: float = 3.5,
    shortest: float = 0.0,
    longest: float = 0.0,
    seed: float = 0,
    short_1: float = 0,
    short_2: float = 0,
    short_3: float = 0,
    short_4: float = 0,
) -> str:
    """A straight street whose south side has parking bays along the kerb, cut into the sidewalk.

    Args:
        bays: number of bays, one behind the other.
        bay: length of each, along the street [m].
        depth: width of the parking lane [m].
        arm: length of the street on either side of the bays [m].
        lane_width: [m].
        shortest, longest: range from which each bay's length is drawn [m]; 0 stands for `bay`.
        seed: of the draw.
        short_1, ...: 1 gives that bay the length SHORT, too short to park in.
    """
    chance, ends = random.Random(round(seed)), sorted((shortest or bay, longest or bay))
    even = ends[0] == ends[1]
    lengths = [ends[0] if even else round(chance.uniform(*ends), 2) for _ in range(round(bays))]
    for k, short in enumerate((short_1, short_2, short_3, short_4)[: len(lengths)]):
        if short:
            lengths[k], even = SHORT, False
    starts = [k * ends[0] if even else sum(lengths[:k]) for k in range(len(lengths) + 1)]
    begin, end = arm, arm + starts[-1]
    root, element = straight_street("parking_bays", end + arm)
    gutter, near = LaneStrip("shoulder", GUTTER, "curb"), LaneStrip("driving", lane_width, "solid")
    left = street(1, lane_width)
    for s, parks in ((0.0, False), (begin, True), (end, False)):
        first, last = s == 0.0, s == end
        kinds = [near, *([LaneStrip("parking", depth, "none")] if parks else []), gutter]
        kinds.append(LaneStrip("sidewalk", PAVEMENT if parks else PAVEMENT + depth))
        right = [_goes_on(strip, _other(k, parks), first, last) for k, strip in enumerate(kinds, 1)]
        section(element, right, [_goes_on(strip, k, first, last) for k, strip in enumerate(left, 1)], s, "broken")
    for k, length in enumerate(lengths):
        middle = (k + 0.5) * length if even else starts[k] + 0.5 * length
        at = (begin + middle, -(lane_width + 0.5 * depth))
        box_object(element, k + 1, "parkingSpace", at, (length, depth))
    return to_xml(root)


def _other(k: int, parks: bool) -> int | None:
    """The lane that continues the k-th southern one beyond the bays' ends; the parking lane has none."""
    return {1: -1, 2: None, 3: -2, 4: -3}[k] if parks else {1: -1, 2: -3, 3: -4}[k]


def _goes_on(strip: LaneStrip, other: int | None, first: bool, last: bool) -> LaneStrip:
    """A strip of one of three sections, linked to the lanes that it continues."""
    return LaneStrip(
        strip.kind, strip.width, strip.mark, strip.change, None if first else other, None if last else other
    )


def _parking_bays(graph: LaneGraph, opendrive: str) -> Junction:
    """The stretch of street beside the bays, with one route from the west over it."""
    road = StraightStreet.read(graph, opendrive)
    bays = road.objects("parkingSpace")
    begin, end = min(s - 0.5 * length for s, _, length, _ in bays), max(s + 0.5 * length for s, _, length, _ in bays)
    coming, against = road.routes(begin, end)
    return point_of_routes("parking_bays", road.arms(coming, against), (coming,))


PARKING_BAYS = DecisionPoint(
    "parking_bays",
    "a street with bays",
    ("west", "east"),
    {"west": ("straight",)},
    build=_parking_bays,
    most={"bays": sum(word.startswith("bay ") for word in DECISIONS)},
)
register(
    MapGenerator(
        "parking_bays",
        parking_bays,
        {
            "bays": (1, 20), "bay": (5.0, 8.0), "depth": (2.0, 2.8), "arm": (15.0, 200.0), "lane_width": WIDTH,
            "shortest": (0.0, 12.0), "longest": (0.0, 12.0), "seed": (0, 1_000_000),
            "short_1": (0, 1), "short_2": (0, 1), "short_3": (0, 1), "short_4": (0, 1),
        },
        whole=frozenset({"bays", "seed", "short_1", "short_2", "short_3", "short_4"}),
        decision_points=(PARKING_BAYS, CROSSWALK),
    )
)  # fmt: skip
