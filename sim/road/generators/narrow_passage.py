"""Generates a street with a narrow passage."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from sim.road.generators.base import straight_street
from sim.road.opendrive.writer import GUTTER, PAVEMENT, LaneStrip, Width, section, signal, to_xml

_SIGN = 0.5  # [m] from the kerb to a sign


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
