"""Generated single streets from west to east: a narrow passage, parking bays, a crosswalk.

Each function gives OpenDRIVE text; `sim.maps` registers them with the ranges of their numbers.  The reference line
is the middle of the street, so eastbound lanes have negative ids and lie on the south side.
"""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET

from sim.networks import (
    GUTTER,
    PAVEMENT,
    Strip,
    Width,
    box_object,
    network,
    road,
    section,
    signal,
    street,
    text_of,
)

SHORT = 4.7  # [m] length of a bay in which no car can park
_SIGN = 0.5  # [m] from the kerb to a sign


def crosswalk(arm: float = 50.0, lane_width: float = 3.5, crossing: float = 4.0) -> str:
    """A straight street with a crosswalk in the middle, from kerb to kerb.

    Args:
        arm: length of the street on either side [m].
        lane_width: [m].
        crossing: width of the crosswalk, along the street [m].
    """
    root, element = _straight("crosswalk", 2.0 * arm + crossing)
    section(element, street(1, lane_width), street(1, lane_width), centre="broken")
    box_object(element, 1, "crosswalk", (arm + 0.5 * crossing, 0.0), (crossing, 2.0 * (lane_width + GUTTER)))
    return text_of(root)


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
    """A straight street whose south side has bays to park in along the kerb, cut into the pavement.

    Args:
        bays: how many, one behind the other.
        bay: length of each, along the street [m].
        depth: width of the parking lane [m].
        arm: length of the street on either side of the bays [m].
        lane_width: [m].
        shortest, longest: between which each bay's length is drawn [m]; 0 where that is `bay`.
        seed: of the draw.
        short_1, ...: 1 makes that bay too short to park in, SHORT.
    """
    chance, ends = random.Random(round(seed)), sorted((shortest or bay, longest or bay))
    even = ends[0] == ends[1]
    lengths = [ends[0] if even else round(chance.uniform(*ends), 2) for _ in range(round(bays))]
    for k, short in enumerate((short_1, short_2, short_3, short_4)[: len(lengths)]):
        if short:
            lengths[k], even = SHORT, False
    starts = [k * ends[0] if even else sum(lengths[:k]) for k in range(len(lengths) + 1)]
    begin, end = arm, arm + starts[-1]
    root, element = _straight("parking_bays", end + arm)
    gutter, near = Strip("shoulder", GUTTER, "curb"), Strip("driving", lane_width, "solid")
    left = street(1, lane_width)
    for s, parks in ((0.0, False), (begin, True), (end, False)):
        first, last = s == 0.0, s == end
        kinds = [near, *([Strip("parking", depth, "none")] if parks else []), gutter]
        kinds.append(Strip("sidewalk", PAVEMENT if parks else PAVEMENT + depth))
        right = [_goes_on(strip, _other(k, parks), first, last) for k, strip in enumerate(kinds, 1)]
        section(element, right, [_goes_on(strip, k, first, last) for k, strip in enumerate(left, 1)], s, "broken")
    for k, length in enumerate(lengths):
        middle = (k + 0.5) * length if even else starts[k] + 0.5 * length
        at = (begin + middle, -(lane_width + 0.5 * depth))
        box_object(element, k + 1, "parkingSpace", at, (length, depth))
    return text_of(root)


def _other(k: int, parks: bool) -> int | None:
    """Which lane goes on from the k-th southern one beyond the bays' ends; the parking lane has none."""
    return {1: -1, 2: None, 3: -2, 4: -3}[k] if parks else {1: -1, 2: -3, 3: -4}[k]


def _goes_on(strip: Strip, other: int | None, first: bool, last: bool) -> Strip:
    """A strip of one of three sections, linked to its neighbours."""
    return Strip(strip.kind, strip.width, strip.mark, strip.change, None if first else other, None if last else other)


def narrow_passage(
    passage: float = 25.0,
    gap: float = 3.2,
    arm: float = 50.0,
    taper: float = 8.0,
    lane_width: float = 3.5,
    signs: float = 1,
) -> str:
    """A two-way street whose south side is built out, so that over a length only one car fits through.

    Both lanes go on, squeezed to half the gap each.  Eastbound traffic gives way (sign 208), westbound has priority
    (sign 308).

    Args:
        passage: length of the narrow part [m].
        gap: width of the road there [m].
        arm: length of the street on either side, tapers included [m].
        taper: length over which it narrows, and widens again [m].
        lane_width: elsewhere [m].
        signs: 0 leaves out the two signs.
    """
    root, element = _straight("narrow_passage", 2.0 * arm + passage)
    stations = (arm - taper, arm, arm + passage, arm + passage + taper)
    lanes = ET.Element("lanes")
    # The north kerb stays where it is: the middle moves north by what the northern lane loses.
    for record in _dip(stations, 0.0, lane_width - 0.5 * gap):
        ET.SubElement(lanes, "laneOffset", {k: f"{v:.9g}" for k, v in zip(("s", "a", "b", "c", "d"), record)})
    old = element.find("lanes")
    assert old is not None
    old.extend(lanes)
    drives = Strip("driving", _dip(stations, lane_width, 0.5 * gap), "solid")
    gutter = Strip("shoulder", GUTTER, "curb")
    built_out = Strip("sidewalk", _dip(stations, PAVEMENT, PAVEMENT + 2.0 * lane_width - gap))
    centre = ((0.0, "broken"), (stations[0], "none"), (stations[3], "broken"))
    section(element, [drives, gutter, built_out], [drives, gutter, Strip("sidewalk", PAVEMENT)], centre=centre)
    aside = lane_width + GUTTER + _SIGN
    if signs:
        signal(element, 1, "208", (stations[0], -aside), (-1, -1))
        signal(element, 2, "308", (stations[3], aside), (1, 1))
    return text_of(root)


def _dip(stations: tuple[float, float, float, float], usual: float, within: float) -> tuple[Width, ...]:
    """Records of a value that goes smoothly from `usual` to `within` and back, between the four stations."""
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


def _straight(name: str, length: float) -> tuple[ET.Element, ET.Element]:
    """A network of one road from west to east, its middle at the origin, without lanes yet."""
    root = network(name, (-0.5 * length, -20.0, 0.5 * length, 20.0))
    return root, road(root, 1, (-0.5 * length, 0.0, 0.0), [(length, 0.0)])
