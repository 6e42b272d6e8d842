"""Generates a street with a crosswalk."""

from __future__ import annotations

from sim.road.generators.base import straight_street
from sim.road.opendrive.writer import GUTTER, box_object, section, street, to_xml


def crosswalk(arm: float = 50.0, lane_width: float = 3.5, crossing: float = 4.0) -> str:
    """A straight street with a crosswalk in the middle, from kerb to kerb.

    Args:
        arm: length of the street on either side [m].
        lane_width: [m].
        crossing: width of the crosswalk, along the street [m].
    """
    root, element = straight_street("crosswalk", 2.0 * arm + crossing)
    section(element, street(1, lane_width), street(1, lane_width), centre="broken")
    box_object(element, 1, "crosswalk", (arm + 0.5 * crossing, 0.0), (crossing, 2.0 * (lane_width + GUTTER)))
    return to_xml(root)
