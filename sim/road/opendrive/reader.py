"""Reads OpenDRIVE text with CARLA's parser into right-handed numpy arrays of lanes.

`carla.Map` needs no server.  It flips y, accepts many errors and crashes on some (a controller that names a missing
signal kills the process), so the reader checks the XML first and the parser's output for NaN.  Lanes are enumerated
from the XML (ids, types, sections) and sampled with `get_waypoint_xodr`, which works for lanes of every type;
`generate_waypoints` works for driving lanes only.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sim.road.opendrive import carla_frame as frames
from sim.road.opendrive.repair import repair

NO_JUNCTION = -1
DRIVING_TYPES = ("driving", "bidirectional", "entry", "exit", "onRamp", "offRamp")
_STEP, _STEP_JUNCTION = 1.0, 0.25  # [m] between samples; curves are tight in junctions
_INSIDE = 1e-3  # [m] distance of samples from a lane section's ends, where CARLA may return the neighbouring section
_ACROSS = 0.05  # [m] past a lane's end, at which its successors are searched


@dataclass(frozen=True)
class Marking:
    """A painted line: kind as CARLA names it (none, solid, broken, solidsolid, curb, ...), colour, width [m]."""

    kind: str
    colour: str
    width: float


@dataclass(frozen=True)
class Lane:
    """One lane of one lane section, sampled in its direction of travel.

    Args:
        road, section, lane: OpenDRIVE's ids.
        type: OpenDRIVE's lane type, such as driving or sidewalk.
        junction: id of the junction it lies in, NO_JUNCTION if none.
        points: (K, 3) float64 x, y [m], yaw [rad] of the lane's centre; width: (K,) [m].
        left, right: the marking at each of the K points.
        open_start, open_end: whether the road ends there without a link.
        stations: OpenDRIVE's s at the first and the last point [m].
        change: (K, 2) bool, whether its marking allows a lane change to the left, to the right.
        successors, predecessors: indices of driving lanes that follow or precede it (driving lanes only).
    """

    road: int
    section: int
    lane: int
    type: str
    junction: int
    points: np.ndarray
    width: np.ndarray
    left: tuple[Marking, ...]
    right: tuple[Marking, ...]
    open_start: bool
    open_end: bool
    stations: tuple[float, float]
    change: np.ndarray
    successors: tuple[int, ...] = ()
    predecessors: tuple[int, ...] = ()

    @property
    def drives(self) -> bool:
        """Whether vehicles may use the lane."""
        return self.type in DRIVING_TYPES

    def edge(self, side: float) -> np.ndarray:
        """(K, 2) line at `side` half widths to the left of the centre (1 the left edge, -1 the right)."""
        x, y, yaw = self.points.T
        shift = 0.5 * side * self.width
        return np.stack([x - np.sin(yaw) * shift, y + np.cos(yaw) * shift], 1)


@dataclass(frozen=True)
class Network:
    """A whole map: its lanes, and crosswalks as closed polygons (K, 2) [m]."""

    name: str
    lanes: tuple[Lane, ...]
    crosswalks: tuple[np.ndarray, ...]

    def connectors(self) -> dict[int, list[int]]:
        """Driving lanes that enter a junction from outside it, by junction id."""
        found: dict[int, list[int]] = {}
        for i, lane in enumerate(self.lanes):
            if lane.drives and lane.junction != NO_JUNCTION:
                before = lane.predecessors
                if before and all(self.lanes[p].junction != lane.junction for p in before):
                    found.setdefault(lane.junction, []).append(i)
        return found


def read_network(opendrive: str, name: str) -> Network:
    """Parse an OpenDRIVE text with CARLA's parser and sample every lane of it.

    Raises:
        ValueError: one sentence naming the map and what is wrong with it.
    """
    return network_of(*open_map(opendrive, name), name)


def open_map(opendrive: str, name: str) -> tuple[ET.Element, Any]:
    """Check and repair an OpenDRIVE text; returns its XML and its `carla.Map`.

    Raises:
        ValueError: one sentence naming the map and what is wrong with it.
    """
    root, text = _readable(opendrive, name)
    import carla

    try:
        return root, carla.Map(name, text)
    except RuntimeError as error:
        raise ValueError(f"map {name}: CARLA's parser refuses it ({error})") from error


def network_of(root: ET.Element, carla_map: Any, name: str) -> Network:
    """Sample every lane of a map that `open_map` returned.

    Raises:
        ValueError: for lanes without a finite position, or a map without driving lanes.
    """
    lanes: list[Lane] = []
    for road in root.iter("road"):
        lanes.extend(_lanes_of_road(carla_map, road, name))
    if not any(lane.drives for lane in lanes):
        found = ", ".join(sorted({lane.type for lane in lanes}))
        instead = f"it has lanes, but no driving lanes (only {found})" if found else "it has no driving lanes"
        raise ValueError(f"map {name}: {instead}, so nothing can drive on it")
    return Network(name, _linked(carla_map, lanes), _crosswalks(carla_map))


def text_for_carla(opendrive: str, name: str) -> str:
    """The text repaired for CARLA (see `sim.road.opendrive.repair`); unchanged where no repair is needed.

    Raises:
        ValueError: as `read_network`, for a text that would crash CARLA's parser.
    """
    return _readable(opendrive, name)[1]


def _readable(opendrive: str, name: str) -> tuple[ET.Element, str]:
    root = _checked_xml(opendrive, name)
    return root, ET.tostring(root, encoding="unicode") if repair(root) else opendrive


def _checked_xml(opendrive: str, name: str) -> ET.Element:
    """Parse the XML and check that it does not crash CARLA's parser."""
    try:
        root = ET.fromstring(opendrive.encode() if isinstance(opendrive, str) else opendrive)
    except (ET.ParseError, ValueError) as error:
        raise ValueError(f"map {name}: not readable as XML ({error})") from error
    if root.tag != "OpenDRIVE":
        raise ValueError(f"map {name}: the root element is <{root.tag}>, wanted <OpenDRIVE>")
    roads = _ids(root.findall("road"), name, "road")
    junctions = _ids(root.findall("junction"), name, "junction")
    if not roads:
        raise ValueError(f"map {name}: it has no roads")
    signals = {str(s.get("id")) for s in root.iter("signal")}
    controllers = {str(c.get("id")) for c in root.findall("controller")}
    for reference in root.iter("signalReference"):
        _must_exist(reference.get("id"), signals, name, "a signalReference names signal")
    for control in root.iter("control"):
        _must_exist(control.get("signalId"), signals, name, "a controller names signal")
    for junction in root.findall("junction"):
        for controller in junction.findall("controller"):
            _must_exist(controller.get("id"), controllers, name, f"junction {junction.get('id')} names controller")
        for connection in junction.findall("connection"):
            _must_exist(connection.get("connectingRoad"), roads, name, f"junction {junction.get('id')} names road")
    for road in root.findall("road"):
        _check_road(road, roads, junctions, name)
    return root


def _check_road(road: ET.Element, roads: set[str], junctions: set[str], name: str) -> None:
    """Raise for a road whose links name missing elements or whose plan view has numbers that are not finite."""
    who = f"road {road.get('id')}"
    if (road.get("junction") or "-1") != "-1":
        _must_exist(road.get("junction"), junctions, name, f"{who} names junction")
    for side in ("predecessor", "successor"):
        for link in road.findall(f"link/{side}"):
            known = junctions if link.get("elementType") == "junction" else roads
            _must_exist(link.get("elementId"), known, name, f"the {side} of {who} is")
    for element in [road, *road.findall("planView/geometry"), *road.findall("lanes/laneSection")]:
        wanted = {"road": ("length",), "geometry": ("s", "x", "y", "hdg", "length"), "laneSection": ("s",)}[element.tag]
        for attribute in wanted:
            try:
                value = float(element.get(attribute, "nan"))
            except ValueError:
                value = float("nan")
            if not np.isfinite(value) or (attribute in ("s", "length") and value < 0.0):
                given = element.get(attribute)
                raise ValueError(f"map {name}: {who} has {attribute}={given!r} in <{element.tag}>, wanted a number")


def _ids(elements: list[ET.Element], name: str, kind: str) -> set[str]:
    ids = [str(e.get("id")) for e in elements]
    for text in ids:
        if not text.lstrip("-").isdigit():
            raise ValueError(f"map {name}: {kind} id {text!r} is not an integer, and CARLA would read it as 0")
    if len(set(ids)) < len(ids):
        raise ValueError(f"map {name}: two {kind}s share the id {next(i for i in ids if ids.count(i) > 1)}")
    return set(ids)


def _must_exist(wanted: str | None, known: set[str], name: str, sentence: str) -> None:
    if wanted not in known:
        shown = ", ".join(sorted(known)[:8]) + (", ..." if len(known) > 8 else "")
        raise ValueError(f"map {name}: {sentence} {wanted}, which does not exist (known: {shown or 'none'})")


def _lanes_of_road(carla_map: Any, road: ET.Element, name: str) -> list[Lane]:
    """Every lane of a road that has a type and a width."""
    road_id, junction = int(str(road.get("id"))), int(road.get("junction") or "-1")
    length = float(str(road.get("length")))
    sections = road.findall("lanes/laneSection")
    starts = [float(str(s.get("s"))) for s in sections] + [length]
    step = _STEP if junction == NO_JUNCTION else _STEP_JUNCTION
    lanes = []
    for k, section in enumerate(sections):
        first, last = starts[k] + _INSIDE, starts[k + 1] - _INSIDE
        if last <= first:
            continue
        open_low = k == 0 and road.find("link/predecessor") is None
        open_high = k == len(sections) - 1 and road.find("link/successor") is None
        stations = np.linspace(first, last, max(2, int(np.ceil((last - first) / step)) + 1))
        for element in section.iter("lane"):
            lane_id, kind = int(str(element.get("id"))), str(element.get("type"))
            if lane_id == 0 or kind == "none":
                continue
            sampled = _sample(carla_map, road_id, lane_id, stations, name)
            if sampled is None:
                continue
            points, width, left, right, change = sampled
            along = np.diff(points[:2, :2], axis=0)[0]
            forwards = along[0] * np.cos(points[0, 2]) + along[1] * np.sin(points[0, 2]) >= 0.0
            if not forwards:  # a lane of the opposite direction: reverse the samples
                points, width, left, right = points[::-1].copy(), width[::-1].copy(), left[::-1], right[::-1]
                change = change[::-1].copy()
            ends = (open_low, open_high) if forwards else (open_high, open_low)
            span = (first, last) if forwards else (last, first)
            lanes.append(Lane(road_id, k, lane_id, kind, junction, points, width, left, right, *ends, span, change))
    return lanes


def _sample(
    carla_map: Any, road: int, lane: int, stations: np.ndarray, name: str
) -> tuple[np.ndarray, np.ndarray, tuple[Marking, ...], tuple[Marking, ...], np.ndarray] | None:
    """Centre, width, markings, changes at stations along the road; None where CARLA has no such lane, or no width."""
    waypoints = [carla_map.get_waypoint_xodr(road, lane, float(s)) for s in stations]
    if any(w is None for w in waypoints):
        return None
    width = np.array([w.lane_width for w in waypoints])
    raw = np.array([(w.transform.location.x, w.transform.location.y, w.transform.rotation.yaw) for w in waypoints])
    if not (np.isfinite(raw).all() and np.isfinite(width).all()):
        s = float(stations[~np.isfinite(raw).all(1)][0]) if not np.isfinite(raw).all() else float(stations[0])
        raise ValueError(
            f"map {name}: road {road}, lane {lane} has no finite position at s={s:.1f}; "
            "a spiral with equal curvatures at both ends does this in CARLA, write an arc instead"
        )
    if width.max() < 0.05:
        return None
    points = np.column_stack([frames.ours_from_carla_location(raw[:, :2]), frames.ours_from_carla_yaw(raw[:, 2])])
    left = tuple(_marking(w.left_lane_marking) for w in waypoints)
    right = tuple(_marking(w.right_lane_marking) for w in waypoints)
    allowed = [str(w.lane_change) for w in waypoints]
    change = np.array([(a in ("Left", "Both"), a in ("Right", "Both")) for a in allowed])
    return points, width, left, right, change


def _marking(mark: Any) -> Marking:
    if mark is None:  # the outermost lane of a side without a mark
        return Marking("none", "white", 0.0)
    return Marking(str(mark.type).lower(), str(mark.color).lower(), float(mark.width))


def _linked(carla_map: Any, lanes: list[Lane]) -> tuple[Lane, ...]:
    """The same lanes with successors and predecessors, which CARLA returns at the ends of every driving lane."""
    index = {(lane.road, lane.section, lane.lane): i for i, lane in enumerate(lanes) if lane.drives}
    after: dict[int, list[int]] = {i: [] for i in index.values()}
    before: dict[int, list[int]] = {i: [] for i in index.values()}

    def found(waypoints: Any) -> list[int]:
        keys = [(w.road_id, w.section_id, w.lane_id) for w in waypoints]
        return [index[k] for k in keys if k in index]

    for i in index.values():
        lane = lanes[i]
        first, last = (carla_map.get_waypoint_xodr(lane.road, lane.lane, s) for s in lane.stations)
        # In both directions: in some files CARLA finds a junction's connections from one side only.
        pairs = [(i, j) for j in found(last.next(_ACROSS))] + [(j, i) for j in found(first.previous(_ACROSS))]
        for a, b in pairs:
            if a != b and b not in after[a]:
                after[a].append(b)
                before[b].append(a)
    return tuple(
        replace(lane, successors=tuple(after.get(i, ())), predecessors=tuple(before.get(i, ())))
        for i, lane in enumerate(lanes)
    )


def _crosswalks(carla_map: Any) -> tuple[np.ndarray, ...]:
    """Polygons of the crosswalks; CARLA returns a flat list in which a repeated first corner closes each polygon."""
    polygons: list[np.ndarray] = []
    current: list[tuple[float, float]] = []
    for at in carla_map.get_crosswalks():
        corner = (at.x, at.y)
        if len(current) > 2 and np.hypot(corner[0] - current[0][0], corner[1] - current[0][1]) < 1e-3:
            polygons.append(frames.ours_from_carla_location(np.array(current)))
            current = []
        else:
            current.append(corner)
    return tuple(polygons)
