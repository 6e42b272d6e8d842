"""Writes OpenDRIVE XML: roads of lines and arcs, lane sections, junctions, connecting roads, signals.

Map generators are built from these functions.  They avoid the traps of CARLA's parser: every connecting road is one-way
and has exactly one <connection>, every mark states whether lane changes over it are allowed (CARLA reads a missing
word as "both"), every signal states the lanes for which it is valid.  OpenDRIVE 1.4, frame x east, y north.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

GUTTER = 0.35  # [m] shoulder lane between the edge line and the kerb
PAVEMENT = 2.2  # [m] sidewalk lane
_GEO = "+proj=tmerc +lat_0=52 +lon_0=5 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m +no_defs"

Pose = tuple[float, float, float]  # x, y [m], heading [rad]
Piece = tuple[float, float]  # length [m], curvature [1/m]
Width = tuple[float, float, float, float, float]  # sOffset, a, b, c, d of OpenDRIVE's cubic


@dataclass(frozen=True)
class LaneStrip:
    """One lane of a cross-section.

    Args:
        kind: OpenDRIVE's lane type.
        width: [m], or the records of a width that varies.
        mark: type of the mark on its outer edge, or its records (sOffset, type).
        change: OpenDRIVE's laneChange over that mark.
        before, after: ids of the lanes that it is linked to at the smaller and the larger s.
    """

    kind: str
    width: float | tuple[Width, ...]
    mark: str | tuple[tuple[float, str], ...] = "none"
    change: str = "none"
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True)
class JunctionArm:
    """The end of a road at a junction, with the same number of lanes in and out.

    Args:
        road: its id; contact: "start" or "end", the end of the road that meets the junction.
        at: where its centre line ends, heading away from the junction.
        lanes: driving lanes per direction, each `width` wide [m].
    """

    road: int
    contact: str
    at: Pose
    lanes: int
    width: float

    def lane_in(self, k: int) -> int:
        """Id of the k-th lane from the centre (1 the innermost) that leads into the junction."""
        return k if self.contact == "start" else -k

    def lane_out(self, k: int) -> int:
        """Id of the k-th lane from the centre that leads out of the junction."""
        return -self.lane_in(k)

    def pose_in(self, k: int) -> Pose:
        """The left edge of the k-th inbound lane, heading into the junction."""
        x, y, heading = shifted(self.at, (k - 1) * self.width)
        return x, y, heading + math.pi

    def pose_out(self, k: int) -> Pose:
        """The left edge of the k-th outbound lane, heading away."""
        return shifted(self.at, -(k - 1) * self.width)


@dataclass(frozen=True)
class Connection:
    """A connecting road of one lane: from lane `lane_in` of one arm to lane `lane_out` of another.

    Lanes are counted from the centre. A `kerbed` one has the corner's gutter and sidewalk.
    """

    origin: JunctionArm
    lane_in: int
    target: JunctionArm
    lane_out: int
    kerbed: bool


# ---------------------------------------------------------------------------------------------------- lines
def shifted(pose: Pose, left: float) -> Pose:
    """A pose moved sideways [m]."""
    x, y, heading = pose
    return x - left * math.sin(heading), y + left * math.cos(heading), heading


def advanced(pose: Pose, piece: Piece) -> Pose:
    """The pose at the end of a line or arc."""
    (x, y, heading), (length, curvature) = pose, piece
    turn = length * curvature
    chord = length if abs(turn) < 1e-12 else 2.0 * math.sin(0.5 * turn) / curvature
    middle = heading + 0.5 * turn
    return x + chord * math.cos(middle), y + chord * math.sin(middle), heading + turn


def join(start: Pose, end: Pose) -> list[Piece]:
    """Lines and arcs from one pose to another: a line, an S of two arcs, or one arc between straight ends.

    Raises:
        ValueError: when one turn does not lead there.
    """
    forward, aside = _seen_from(start, end)
    turn = math.remainder(end[2] - start[2], 2.0 * math.pi)
    if abs(turn) < 1e-9:
        if forward <= 0.0:
            raise ValueError(f"no way from {start} to {end}: it lies behind")
        if abs(aside) < 1e-9:
            return [(forward, 0.0)]
        bend = 2.0 * math.atan2(aside, forward)  # each half is an arc of this turn over half the chord
        curvature = 4.0 * math.sin(0.5 * bend) / math.hypot(forward, aside)
        return [(bend / curvature, curvature), (bend / curvature, -curvature)]
    after = aside / math.sin(turn)  # from where the two lines meet to the end
    before = forward - after * math.cos(turn)
    tangent = min(before, after)
    if tangent <= 0.0:
        raise ValueError(f"no way from {start} to {end} in one turn")
    radius = tangent / math.tan(0.5 * abs(turn))
    pieces = [(before - tangent, 0.0), (radius * abs(turn), math.copysign(1.0 / radius, turn)), (after - tangent, 0.0)]
    return [piece for piece in pieces if piece[0] > 1e-6]


def _seen_from(start: Pose, end: Pose) -> tuple[float, float]:
    """How far ahead and to the left of `start` the position of `end` is [m]."""
    dx, dy, c, s = end[0] - start[0], end[1] - start[1], math.cos(start[2]), math.sin(start[2])
    return dx * c + dy * s, dy * c - dx * s


# ---------------------------------------------------------------------------------------------------- roads
def network(name: str, box: tuple[float, float, float, float]) -> ET.Element:
    """An empty network; `box` is west, south, east, north [m]."""
    west, south, east, north = (f"{v:.9g}" for v in box)
    root = ET.Element("OpenDRIVE")
    header = ET.SubElement(
        root, "header", revMajor="1", revMinor="4", name=name, version="1.00",
        north=north, south=south, east=east, west=west,
    )  # fmt: skip
    ET.SubElement(header, "geoReference").text = _GEO
    return root


def to_xml(root: ET.Element) -> str:
    """The network as OpenDRIVE text; controllers are moved before the junctions, as the schema requires."""
    for tag in ("controller", "junction"):
        for element in root.findall(tag):
            root.remove(element)
            root.append(element)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def road(
    root: ET.Element,
    road_id: int,
    start: Pose,
    pieces: Sequence[Piece],
    junction: int = -1,
    kind: str = "town",
    speed: tuple[int, str] = (30, "mph"),
) -> ET.Element:
    """Add a road without lanes: lines and arcs from `start` on, and the speed limit with its unit."""
    length = f"{sum(piece[0] for piece in pieces):.9g}"
    element = ET.SubElement(
        root, "road", name=f"road {road_id}", length=length, id=str(road_id), junction=str(junction)
    )
    ET.SubElement(element, "link")
    type_ = ET.SubElement(element, "type", s="0", type=kind)
    ET.SubElement(type_, "speed", max=str(speed[0]), unit=speed[1])
    plan, along = ET.SubElement(element, "planView"), 0.0
    for piece in pieces:
        geometry = ET.SubElement(
            plan, "geometry", s=f"{along:.9g}", x=f"{start[0]:.9g}", y=f"{start[1]:.9g}", hdg=f"{start[2]:.12g}",
            length=f"{piece[0]:.9g}",
        )  # fmt: skip
        if piece[1] == 0.0:
            ET.SubElement(geometry, "line")
        else:
            ET.SubElement(geometry, "arc", curvature=f"{piece[1]:.12g}")
        start, along = advanced(start, piece), along + piece[0]
    ET.SubElement(ET.SubElement(element, "elevationProfile"), "elevation", s="0", a="0", b="0", c="0", d="0")
    ET.SubElement(element, "lateralProfile")
    ET.SubElement(element, "lanes")
    return element


def link(element: ET.Element, side: str, kind: str, to: int, contact: str | None = None) -> None:
    """Link a road: side "predecessor" or "successor", kind "road" (with the contact) or "junction"."""
    made = ET.SubElement(_child(element, "link"), side, elementType=kind, elementId=str(to))
    if contact is not None:
        made.set("contactPoint", contact)


def section(
    element: ET.Element,
    right: Sequence[LaneStrip],
    left: Sequence[LaneStrip] = (),
    s: float = 0.0,
    centre: str | tuple[tuple[float, str], ...] = "none",
) -> None:
    """Add a lane section to a road: strips from the centre outwards, and the mark on the centre line."""
    made = ET.SubElement(_child(element, "lanes"), "laneSection", s=f"{s:.9g}")
    if left:
        side = ET.SubElement(made, "left")
        for k in range(len(left), 0, -1):
            _lane(side, k, left[k - 1])
    _lane(ET.SubElement(made, "center"), 0, LaneStrip("none", (), centre))
    side = ET.SubElement(made, "right")
    for k, strip in enumerate(right, 1):
        _lane(side, -k, strip)


def _lane(side: ET.Element, lane: int, strip: LaneStrip) -> None:
    element = ET.SubElement(side, "lane", id=str(lane), type=strip.kind, level="false")
    if strip.before is not None or strip.after is not None:
        links = ET.SubElement(element, "link")
        for tag, to in (("predecessor", strip.before), ("successor", strip.after)):
            if to is not None:
                ET.SubElement(links, tag, id=str(to))
    records = ((0.0, strip.width, 0.0, 0.0, 0.0),) if isinstance(strip.width, (int, float)) else strip.width
    for record in records:
        ET.SubElement(element, "width", {k: f"{v:.9g}" for k, v in zip(("sOffset", "a", "b", "c", "d"), record)})
    for s, mark in ((0.0, strip.mark),) if isinstance(strip.mark, str) else strip.mark:
        ET.SubElement(
            element, "roadMark", sOffset=f"{s:.9g}", type=mark, weight="standard", color="standard", width="0.12",
            laneChange=strip.change,
        )  # fmt: skip


def street(lanes: int, width: float) -> list[LaneStrip]:
    """One side of a street from the centre outwards: driving lanes with lane changes allowed, gutter, sidewalk."""
    inner = [LaneStrip("driving", width, "broken", "both")] * (lanes - 1)
    return [
        *inner,
        LaneStrip("driving", width, "solid"),
        LaneStrip("shoulder", GUTTER, "curb"),
        LaneStrip("sidewalk", PAVEMENT),
    ]


def _child(element: ET.Element, tag: str) -> ET.Element:
    found = element.find(tag)
    if found is None:
        found = ET.SubElement(element, tag)
    return found


# ------------------------------------------------------------------------------------------------- junctions
def connecting_road(
    root: ET.Element,
    road_id: int,
    junction: int,
    ends: tuple[tuple[int, str], tuple[int, str]],
    poses: tuple[Pose, Pose],
    right: Sequence[LaneStrip],
    left: Sequence[LaneStrip] = (),
    **said: object,
) -> None:
    """Add a one-way road through a junction from pose to pose; `ends` are the roads that it joins, with contacts."""
    element = road(root, road_id, poses[0], join(*poses), junction, **said)  # type: ignore[arg-type]
    link(element, "predecessor", "road", *ends[0])
    link(element, "successor", "road", *ends[1])
    section(element, right, left)


def add_connections(root: ET.Element, junction: int, first: int, ways: Sequence[Connection]) -> int:
    """Add the connecting roads of a junction, and the junction; `first` is the id of the first connecting road.

    Returns:
        The next free road id.
    """
    pairs = []
    for road_id, way in enumerate(ways, first):
        origin, target = way.origin, way.target
        strips = [LaneStrip("driving", origin.width)]
        if way.kerbed:
            strips += [LaneStrip("shoulder", GUTTER, "curb"), LaneStrip("sidewalk", PAVEMENT)]
        linked = [
            LaneStrip(
                s.kind, s.width, s.mark, s.change, origin.lane_in(way.lane_in + k), target.lane_out(way.lane_out + k)
            )
            for k, s in enumerate(strips)
        ]
        poses = origin.pose_in(way.lane_in), target.pose_out(way.lane_out)
        ends = (origin.road, origin.contact), (target.road, target.contact)
        connecting_road(root, road_id, junction, ends, poses, linked)
        pairs.append((origin.road, road_id, [(origin.lane_in(way.lane_in), -1)]))
    add_junction(root, junction, pairs)
    return first + len(ways)


def add_junction(
    root: ET.Element, junction: int, pairs: Sequence[tuple[int, int, list[tuple[int, int]]]], name: str = ""
) -> None:
    """Add a junction; `pairs` are incoming road, connecting road, and (from, to) of the lanes that they link."""
    element = ET.SubElement(root, "junction", id=str(junction), name=name or f"junction {junction}")
    for k, (incoming, connecting, lanes) in enumerate(pairs):
        connection = ET.SubElement(
            element, "connection", id=str(k), incomingRoad=str(incoming), connectingRoad=str(connecting),
            contactPoint="start",
        )  # fmt: skip
        for a, b in lanes:
            ET.SubElement(connection, "laneLink", {"from": str(a), "to": str(b)})


def crossing_connections(mouths: Sequence[JunctionArm]) -> list[Connection]:
    """The connections between all arms, given anticlockwise, without U-turns.

    With several lanes, left turns use the innermost lane, right turns the outermost, and every lane continues straight.
    """
    ways = []
    for i, origin in enumerate(mouths):
        for step in range(1, len(mouths)):
            target = mouths[(i + step) % len(mouths)]
            turn = math.remainder(target.at[2] - origin.at[2] - math.pi, 2.0 * math.pi)
            n = origin.lanes
            lanes = [1] if turn > 0.5 else [n] if turn < -0.5 else list(range(1, n + 1))
            ways += [Connection(origin, k, target, k, step == 1 and k == n) for k in lanes]
    return ways


# --------------------------------------------------------------------------------------- signals and objects
def signal(
    element: ET.Element,
    signal_id: int,
    kind: str,
    at: tuple[float, float],
    lanes: tuple[int, int],
    value: tuple[float, str] | None = None,
) -> None:
    """Add a sign or traffic light beside a road.

    Args:
        kind: CARLA's type, such as 1000001 for a light and 206 for a stop sign.
        at: s along and t to the left of the road [m].
        lanes: the least and the greatest id of the lanes that it applies to; their sign gives the direction it faces.
    """
    against = lanes[1] > 0  # applies to traffic that drives towards smaller s, and faces it
    made = ET.SubElement(
        _child(element, "signals"), "signal", id=str(signal_id), name=f"signal {signal_id}", s=f"{at[0]:.9g}",
        t=f"{at[1]:.9g}", zOffset="2.2", hOffset="0" if against else f"{math.pi:.12g}", pitch="0", roll="0",
        orientation="-" if against else "+", dynamic="yes" if kind.startswith("10000") else "no",
        country="OpenDRIVE", type=kind, subtype="-1", text="", height="0.9", width="0.4",
    )  # fmt: skip
    if value is not None:
        made.set("value", f"{value[0]:g}")
        made.set("unit", value[1])
    ET.SubElement(made, "validity", fromLane=str(lanes[0]), toLane=str(lanes[1]))


def controller(root: ET.Element, junction: int, controller_id: int, signals: Sequence[int]) -> None:
    """Add a controller: signals of a junction that change together."""
    made = ET.SubElement(root, "controller", id=str(controller_id), name=f"controller {controller_id}", sequence="0")
    for signal_id in signals:
        ET.SubElement(made, "control", signalId=str(signal_id), type="")
    for element in root.findall("junction"):
        if element.get("id") == str(junction):
            ET.SubElement(element, "controller", id=str(controller_id), type="", sequence="0")


def box_object(
    element: ET.Element, object_id: int, kind: str, at: tuple[float, float], size: tuple[float, float]
) -> None:
    """Add a rectangle on the ground: centre s, t and size along and across the road [m], outlined as CARLA reads it."""
    made = ET.SubElement(
        _child(element, "objects"), "object", id=str(object_id), name=f"{kind} {object_id}", type=kind,
        s=f"{at[0]:.9g}", t=f"{at[1]:.9g}", zOffset="0", hdg="0", pitch="0", roll="0", orientation="none",
        length=f"{size[0]:.9g}", width=f"{size[1]:.9g}", height="0",
    )  # fmt: skip
    outline = ET.SubElement(made, "outline")
    u, v = 0.5 * size[0], 0.5 * size[1]
    for a, b in ((-u, -v), (u, -v), (u, v), (-u, v), (-u, -v)):  # CARLA ends a polygon where the first corner repeats
        ET.SubElement(outline, "cornerLocal", u=f"{a:.9g}", v=f"{b:.9g}", z="0")
