"""Generated road networks: functions from a few numbers to OpenDRIVE text that CARLA's parser loads unchanged.

One junction in the middle of the world, arms as straight roads that leave it, right-hand traffic, one lane each
way with a gutter and a pavement on both sides.  Lines and arcs only: every turn is one arc whose reference line
joins the centre lines of two arms, so connecting roads are one-way and lie to its right.  CARLA's traps are
avoided by construction: integer ids, exactly one <connection> per connecting road, laneChange none on every mark
(a missing one means "both" to CARLA), junction and road ids apart, an explicit geoReference.
OpenDRIVE 1.4, frame x east, y north.
"""

from __future__ import annotations

import functools
import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable

_GUTTER = 0.35  # [m] shoulder lane between the edge line and the kerb
_PAVEMENT = 2.2  # [m] sidewalk lane
_JUNCTION_ID = 1000
_FIRST_CONNECTOR = 100
_GEO = "+proj=tmerc +lat_0=52 +lon_0=5 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m +no_defs"
_HEADING = {"south": -0.5 * math.pi, "east": 0.0, "north": 0.5 * math.pi, "west": math.pi}

# Generator -> parameter -> (least, most), so that a scenario can be checked before it is drawn.
_COMMON: dict[str, tuple[float, float]] = {"arm": (15.0, 200.0), "lane_width": (2.5, 5.0), "radius": (5.0, 25.0)}
RANGES: dict[str, dict[str, tuple[float, float]]] = {"t_junction": _COMMON, "crossroads": _COMMON}


def t_junction(arm: float = 50.0, lane_width: float = 3.5, radius: float = 9.0) -> str:
    """A T: a stem from the south meets a straight road from west to east.

    Args:
        arm: length of each road outside the junction [m].
        lane_width: [m].
        radius: of the right turn, along the middle of its lane [m]; left turns are a lane width wider.

    Returns:
        OpenDRIVE text.

    Raises:
        ValueError: for a parameter out of its range.
    """
    check("t_junction", {"arm": arm, "lane_width": lane_width, "radius": radius})
    return _network("t_junction", ("south", "west", "east"), arm, lane_width, radius)


def crossroads(arm: float = 50.0, lane_width: float = 3.5, radius: float = 9.0) -> str:
    """A crossing of four roads at right angles; parameters as for `t_junction`."""
    check("crossroads", {"arm": arm, "lane_width": lane_width, "radius": radius})
    return _network("crossroads", ("south", "east", "north", "west"), arm, lane_width, radius)


GENERATORS: dict[str, Callable[..., str]] = {"t_junction": t_junction, "crossroads": crossroads}


def check(name: str, parameters: dict[str, float] | Iterable[str]) -> None:
    """Refuse an unknown generator, an unknown parameter or a value out of range.

    Args:
        parameters: names alone, or names and values.

    Raises:
        ValueError: with what is known.
    """
    if name not in RANGES:
        raise ValueError(f"unknown map generator {name!r}; known are {', '.join(sorted(RANGES))}")
    ranges = RANGES[name]
    for parameter in parameters:
        if parameter not in ranges:
            known = ", ".join(f"{k} ({a:g} to {b:g})" for k, (a, b) in ranges.items())
            raise ValueError(f"map generator {name} has no parameter {parameter!r}; known are {known}")
    if isinstance(parameters, dict):
        for parameter, value in parameters.items():
            least, most = ranges[parameter]
            if not least <= value <= most:  # also refuses NaN
                raise ValueError(f"map generator {name}: {parameter} is {value}, wanted {least:g} to {most:g}")


def generate(name: str, parameters: Iterable[tuple[str, float]] = ()) -> str:
    """OpenDRIVE text of a named generator.

    Raises:
        ValueError: for unknown names or values out of range.
    """
    return _generated(name, tuple(parameters))


@functools.lru_cache(maxsize=64)
def _generated(name: str, parameters: tuple[tuple[str, float], ...]) -> str:
    values = dict(parameters)
    check(name, values)
    return GENERATORS[name](**values)


def _network(name: str, arms: tuple[str, ...], arm: float, lane_width: float, radius: float) -> str:
    """One junction at the origin with the named arms."""
    edge = radius + 0.5 * lane_width  # every turn's reference line is an arc of this radius
    root = ET.Element("OpenDRIVE")
    reach = f"{edge + arm:.9g}"
    header = ET.SubElement(
        root, "header", revMajor="1", revMinor="4", name=name, version="1.00",
        north=reach, south=f"-{reach}", east=reach, west=f"-{reach}",
    )  # fmt: skip
    ET.SubElement(header, "geoReference").text = _GEO
    for i, here in enumerate(arms):
        _arm_road(root, i + 1, _HEADING[here], edge, arm, lane_width)
    pairs = [(i, j) for i in range(len(arms)) for j in range(len(arms)) if i != j]
    for k, (i, j) in enumerate(pairs):
        _connecting_road(root, _FIRST_CONNECTOR + k, (i, j), arms, edge, lane_width)
    junction = ET.SubElement(root, "junction", id=str(_JUNCTION_ID), name="junction")
    for k, (i, _) in enumerate(pairs):
        connection = ET.SubElement(
            junction, "connection", id=str(k), incomingRoad=str(i + 1),
            connectingRoad=str(_FIRST_CONNECTOR + k), contactPoint="start",
        )  # fmt: skip
        ET.SubElement(connection, "laneLink", {"from": "1", "to": "-1"})
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _arm_road(root: ET.Element, road_id: int, heading: float, edge: float, arm: float, lane_width: float) -> None:
    """A straight road that leaves the junction: negative lanes lead away from it, positive ones towards it."""
    start = (edge * math.cos(heading), edge * math.sin(heading))
    road = _road(root, road_id, arm, "-1", start, heading, 0.0)
    ET.SubElement(road.find("link"), "predecessor", elementType="junction", elementId=str(_JUNCTION_ID))  # type: ignore[arg-type]
    section = ET.SubElement(ET.SubElement(road, "lanes"), "laneSection", s="0")
    left = ET.SubElement(section, "left")
    for lane, kind, width, mark in reversed(_cross_section(lane_width)):
        _lane(left, lane, kind, width, mark)
    _lane(ET.SubElement(section, "center"), 0, "none", None, "broken")
    right = ET.SubElement(section, "right")
    for lane, kind, width, mark in _cross_section(lane_width):
        _lane(right, -lane, kind, width, mark)


def _cross_section(lane_width: float) -> list[tuple[int, str, float, str]]:
    """Lanes from the centre outwards: id, type, width [m], mark on the outer edge."""
    return [
        (1, "driving", lane_width, "solid"),
        (2, "shoulder", _GUTTER, "curb"),
        (3, "sidewalk", _PAVEMENT, "none"),
    ]


def _connecting_road(
    root: ET.Element, road_id: int, pair: tuple[int, int], arms: tuple[str, ...], edge: float, lane_width: float
) -> None:
    """A one-way road from arm pair[0] to arm pair[1]; the outermost also carry the corner's gutter and pavement."""
    origin, target = arms[pair[0]], arms[pair[1]]
    inwards = _HEADING[origin] + math.pi
    turn = math.remainder(_HEADING[target] - inwards, 2.0 * math.pi)
    start = (edge * math.cos(_HEADING[origin]), edge * math.sin(_HEADING[origin]))
    straight = abs(turn) < 1e-6
    length = 2.0 * edge if straight else 0.5 * math.pi * edge
    curvature = 0.0 if straight else math.copysign(1.0 / edge, turn)
    road = _road(root, road_id, length, str(_JUNCTION_ID), start, inwards, curvature)
    link = road.find("link")
    ET.SubElement(link, "predecessor", elementType="road", elementId=str(pair[0] + 1), contactPoint="start")  # type: ignore[arg-type]
    ET.SubElement(link, "successor", elementType="road", elementId=str(pair[1] + 1), contactPoint="start")  # type: ignore[arg-type]
    section = ET.SubElement(ET.SubElement(road, "lanes"), "laneSection", s="0")
    to_the_right = {h: n for n, h in _HEADING.items()}[_nearest(inwards - 0.5 * math.pi)]
    outermost = turn < -1e-6 or (straight and to_the_right not in arms)
    # The centre line of a road that nothing crosses from the other side goes on through the junction.
    _lane(ET.SubElement(section, "center"), 0, "none", None, "broken" if straight and outermost else "none")
    right = ET.SubElement(section, "right")
    for lane, kind, width, mark in _cross_section(lane_width) if outermost else _cross_section(lane_width)[:1]:
        element = _lane(right, -lane, kind, width, "none" if lane == 1 else mark)
        link = ET.Element("link")
        element.insert(0, link)  # OpenDRIVE wants the link before the width
        ET.SubElement(link, "predecessor", id=str(lane))
        ET.SubElement(link, "successor", id=str(-lane))


def _nearest(heading: float) -> float:
    """The compass heading that a heading equals, up to whole turns and rounding."""
    return min(_HEADING.values(), key=lambda h: abs(math.remainder(heading - h, 2.0 * math.pi)))


def _road(
    root: ET.Element,
    road_id: int,
    length: float,
    junction: str,
    start: tuple[float, float],
    heading: float,
    curvature: float,
) -> ET.Element:
    """An empty road of one geometry, a line or an arc [1/m]."""
    name, size = f"road {road_id}", f"{length:.9g}"
    road = ET.SubElement(root, "road", name=name, length=size, id=str(road_id), junction=junction)
    ET.SubElement(road, "link")
    kind = ET.SubElement(road, "type", s="0", type="town")
    ET.SubElement(kind, "speed", max="30", unit="mph")
    geometry = ET.SubElement(
        ET.SubElement(road, "planView"), "geometry", s="0", x=f"{start[0]:.9g}", y=f"{start[1]:.9g}",
        hdg=f"{heading:.12g}", length=size,
    )  # fmt: skip
    if curvature == 0.0:
        ET.SubElement(geometry, "line")
    else:
        ET.SubElement(geometry, "arc", curvature=f"{curvature:.12g}")
    ET.SubElement(ET.SubElement(road, "elevationProfile"), "elevation", s="0", a="0", b="0", c="0", d="0")
    ET.SubElement(road, "lateralProfile")
    return road


def _lane(side: ET.Element, lane: int, kind: str, width: float | None, mark: str) -> ET.Element:
    """A lane of constant width with one mark on its outer edge."""
    element = ET.SubElement(side, "lane", id=str(lane), type=kind, level="false")
    if width is not None:
        ET.SubElement(element, "width", sOffset="0", a=f"{width:.9g}", b="0", c="0", d="0")
    ET.SubElement(
        element, "roadMark", sOffset="0", type=mark, weight="standard", color="standard", width="0.12",
        laneChange="none",
    )  # fmt: skip
    return element
