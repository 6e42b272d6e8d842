"""Decision points other than single junctions: exits in a row, two turns, a passage, bays, a stretch of street.

Each is a `sim.datatypes.road_map.Junction` like any other: arms on which actors and signs stand, and routes from an
arm, each of which shows a decision once ego has passed its end.  They are built on demand from the lane graph of a
generated map, without compiling the map again.  World frame as in `sim.datatypes.world_state`.
"""

from __future__ import annotations

import functools
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sim.actors.registry import BODIES
from sim.datatypes.episode import ActorSpec
from sim.datatypes.road_map import Arm, Junction, Path, RoadMap, Route
from sim.datatypes.vocabulary import DECISION, ROUTE_SPACING
from sim.road.generators.registry import DECISION_POINTS
from sim.road.graph.junctions import REACH_IN, path_from_points, rounded_path
from sim.road.graph.lane_graph import LaneGraph, lane_graph
from sim.road.graph.shortest_path import LaneInterval, centreline, shortest_path
from sim.road.opendrive.writer import Pose, advanced, shifted

_ASIDE, _LINED_UP = 17.0, 2.0  # [m] before a gap at which a car leaves its lane, and at which it is in the gap's middle
_PLAIN = 4.0  # [m] length of the stretch in the middle of a street without a crosswalk
_HEADER = re.compile(r'<header [^>]*?\bname="([^"]*)"')
_ROAD = re.compile(r'<road [^>]*?\blength="([^"]*)"')
_ENDS = {"left then left": "southwest", "left then right": "northwest", "right then left": "northeast",
         "right then right": "southeast"}  # fmt: skip
Point = tuple[float, float]


def decision_points(road_map: RoadMap, kind: str) -> tuple[Junction, ...]:
    """The decision points of a kind on a map: one, or none where the map's generator makes no such kind."""
    if _generator(road_map.opendrive) not in DECISION_POINTS[kind]:
        return ()
    return (_built(road_map.opendrive, road_map.name, kind),)


@functools.lru_cache(maxsize=256)
def _generator(opendrive: str) -> str:
    """The name in a map's header: that of the generator that made it, or any other word for a map from elsewhere."""
    found = _HEADER.search(opendrive)
    return found[1] if found else ""


@functools.lru_cache(maxsize=256)
def _built(opendrive: str, name: str, kind: str) -> Junction:
    graph = lane_graph(opendrive, name)
    if kind == "exits":
        return _exits(graph)
    if kind == "legs":
        return _legs(graph)
    return _stretch(graph, opendrive, kind)


# ----------------------------------------------------------------------------------------------- several turns
def _exits(graph: LaneGraph) -> Junction:
    """A main road with exits: it starts in the south, and the side roads are numbered from there."""
    roads = _two_way_roads(graph)
    outer = {road: graph.points_of(into)[0] for road, (into, _) in roads.items() if not _before(graph, into)}
    beside = sorted((r for r in outer if math.cos(outer[r][2]) < -0.5), key=lambda r: outer[r][1])
    south, north = sorted((r for r in outer if r not in beside), key=lambda r: outer[r][1])
    names = {south: "south", north: "north", **{r: f"exit{k}" for k, r in enumerate(beside, 1)}}
    arms = {name: _arm(graph, name, *roads[road]) for road, name in names.items()}
    decided = {r: f"exit {k}" for k, r in enumerate(beside, 1)} | {north: "straight"}
    routes = [
        _turning(graph, roads[south][0], roads[to][1], ("south", names[to]), word) for to, word in decided.items()
    ]
    return _place("exits", arms, routes)


def _legs(graph: LaneGraph) -> Junction:
    """Two turns in a row: the stem leads from the south to the origin, the roads between the turns lead away."""
    roads = _two_way_roads(graph)
    names, arms = {}, {}
    for road, (into, out) in roads.items():
        x, y = graph.points_of(into)[0, :2]
        sideways = "west" if x < 0.0 else "east"
        if _before(graph, into) and _before(graph, out):  # between two junctions: inbound leads to the second
            lanes = sorted((into, out), key=lambda lane: -abs(graph.points_of(lane)[-1, 0]))
            arms[sideways] = _arm(graph, sideways, *lanes)
            continue
        stem = abs(math.remainder(float(graph.points_of(into)[0, 2]) - 0.5 * math.pi, 2.0 * math.pi)) < 0.1
        between = abs(x) < graph.width.max()
        names[road] = "south" if stem and between else f"{'south' if y < 0.0 else 'north'}{sideways}"
        arms[names[road]] = _arm(graph, names[road], into, out)
    lane = {name: roads[road] for road, name in names.items()}
    routes = [_turning(graph, lane["south"][0], lane[to][1], ("south", to), word) for word, to in _ENDS.items()]
    return _place("legs", arms, routes)


def _two_way_roads(graph: LaneGraph) -> dict[int, tuple[int, int]]:
    """Road outside junctions -> its lane from the map's edge inwards (either where it has none), the other lane."""
    found: dict[int, list[int]] = {}
    for lane in graph.lanes_of_kind("driving").tolist():
        if graph.junction[lane] < 0:
            found.setdefault(int(graph.road[lane]), []).append(lane)
    ordered = {road: sorted(lanes, key=lambda lane: _before(graph, lane)) for road, lanes in found.items()}
    return {road: (lanes[0], lanes[1]) for road, lanes in ordered.items()}


def _before(graph: LaneGraph, lane: int) -> bool:
    """Whether another lane leads to this one; if none does, it begins at the map's edge."""
    return len(graph.predecessors_of(lane)) > 0


def _arm(graph: LaneGraph, name: str, into: int, out: int) -> Arm:
    width = float(graph.width[graph.start[into + 1] - 1])
    return Arm(name, _path(graph, into), _path(graph, out), width)


def _path(graph: LaneGraph, lane: int) -> Path:
    return path_from_points(graph.points_of(lane)[:, :2].astype(np.float64))


def _turning(graph: LaneGraph, origin: int, target: int, names: tuple[str, str], decision: str) -> Route:
    """The route between two lanes, from the edge of its first junction to the end of its last turn."""
    legs = _way(graph, origin, target)
    inside = [leg.lane for leg in legs if graph.junction[leg.lane] >= 0]
    begin, end = graph.points_of(inside[0])[0], graph.points_of(inside[-1])[-1]
    return _route(centreline(graph, legs), names, decision, begin, end)


def _way(graph: LaneGraph, origin: int, target: int) -> list[LaneInterval]:
    return shortest_path(graph, (origin, 0.0), (target, float(graph.length[target])))


def _route(line: np.ndarray, names: tuple[str, str], decision: str, begin: Point, end: Point) -> Route:
    path = rounded_path(line)
    return Route(path, *names, DECISION[decision], _station(path, begin), _station(path, end))


def _station(path: Path, point: Point) -> float:
    """The distance along a path of its place nearest to a point [m]."""
    x, y, yaw, _ = path.points.astype(np.float64).T
    k = int(np.argmin(np.hypot(x - point[0], y - point[1])))
    along = (point[0] - x[k]) * math.cos(yaw[k]) + (point[1] - y[k]) * math.sin(yaw[k])
    return float(k * ROUTE_SPACING) + float(np.clip(along, -ROUTE_SPACING, ROUTE_SPACING))


def _place(kind: str, arms: dict[str, Arm], routes: Sequence[Route]) -> Junction:
    """The decision point, with its centre in the middle of all the places where its routes enter and leave it."""
    ends = [r.path.points[round(s / float(ROUTE_SPACING)), :2] for r in routes for s in (r.junction_in, r.junction_out)]
    middle = 0.5 * (np.min(ends, axis=0) + np.max(ends, axis=0))
    return Junction(0, kind, (float(middle[0]), float(middle[1])), arms, tuple(routes))


# ----------------------------------------------------------------------------------------------- a single street
def _stretch(graph: LaneGraph, opendrive: str, kind: str) -> Junction:
    """A stretch of a straight street from west to east, with one route "straight" in each direction of travel over it.

    A passage begins where vehicles leave their lane to drive through it.
    """
    root = ET.fromstring(opendrive.encode())
    element = root.find("road")
    assert element is not None
    begin, end = _ends_of(element, kind)
    around = _ASIDE if kind == "passage" else 0.0  # a vehicle that waits at a gap stands clear of the oncoming one
    gap = [_on_road(element, s, 0.0)[:2] for s in (begin, end)]
    west, east = (_on_road(element, s, 0.0)[:2] for s in (begin - around, end + around))
    ways = {}
    for lane in graph.lanes_of_kind("driving").tolist():
        if not _before(graph, lane):
            sink = lane
            while len(after := graph.successors_of(sink)):
                sink = int(after[0])
            ways["west" if graph.points_of(lane)[0, 0] < 0.0 else "east"] = centreline(graph, _way(graph, lane, sink))
    coming, against = _over(ways["west"], "west", west, east), _over(ways["east"], "east", east, west)
    width = float(graph.width[graph.start[graph.lanes_of_kind("driving")[0]]])
    arms = {
        "west": Arm("west", *_parted(coming.path, coming.junction_in, against.path, against.junction_out), width),
        "east": Arm("east", *_parted(against.path, against.junction_in, coming.path, coming.junction_out), width),
    }
    if kind == "passage":
        middle = 0.5 * (_halfway(coming) + _halfway(against))
        coming = _over(_through(ways["west"], gap[0], gap[1], middle), "west", west, east)
        against = _over(_through(ways["east"], gap[1], gap[0], middle), "east", east, west)
    return _place(kind, arms, (coming,) if kind == "bays" else (coming, against))


def _over(line: np.ndarray, origin: str, begin: Point, end: Point) -> Route:
    """The route straight along a street, whose junction is the stretch abreast of and between two points."""
    path, target = rounded_path(line), "east" if origin == "west" else "west"
    ahead = (line[-1] - line[0]) / np.hypot(*(line[-1] - line[0]))
    stations, along = np.arange(len(path.points)) * float(ROUTE_SPACING), (path.points[:, :2] - line[0]) @ ahead
    ends = (float(np.interp((np.asarray(point) - line[0]) @ ahead, along, stations)) for point in (begin, end))
    return Route(path, origin, target, DECISION["straight"], *ends)


def _halfway(route: Route) -> np.ndarray:
    """(2,) the point in the middle of a route's junction."""
    return route.path.points[round(0.5 * (route.junction_in + route.junction_out) / float(ROUTE_SPACING)), :2]


def _through(line: np.ndarray, begin: Point, end: Point, middle: np.ndarray) -> np.ndarray:
    """The line along a straight street that passes a gap in the gap's middle, and begins and ends in its lane.

    The lanes in the gap are half the gap wide, too narrow for a car. The line leaves its lane _ASIDE before the gap,
    and is back in it as far beyond.
    """
    ahead = (line[-1] - line[0]) / np.hypot(*(line[-1] - line[0]))
    left = np.array([-ahead[1], ahead[0]])
    stations = np.arange(0.0, float((line[-1] - line[0]) @ ahead) + 1e-6, float(ROUTE_SPACING))
    first, last = (float((np.asarray(point) - line[0]) @ ahead) for point in (begin, end))
    away = np.maximum(first - stations, stations - last)
    share = np.clip((_ASIDE - away) / (_ASIDE - _LINED_UP), 0.0, 1.0)
    aside = share**2 * (3.0 - 2.0 * share) * float((middle - line[0]) @ left)
    return line[0] + stations[:, None] * ahead + aside[:, None] * left


def _parted(coming: Path, begin: float, going: Path, end: float) -> tuple[Path, Path]:
    """The part of one path up to `begin`, resampled so that it ends there, and the part of another from `end` on."""
    inbound, outbound = coming.points[:, :2].astype(np.float64), going.points[:, :2].astype(np.float64)
    return _cut(inbound[::-1], (len(inbound) - 1) * float(ROUTE_SPACING) - begin, True), _cut(outbound, end, False)


def _cut(line: np.ndarray, begin: float, backwards: bool) -> Path:
    """The part of a line (K, 2) of points ROUTE_SPACING apart from `begin` on [m]; `backwards` reverses it."""
    stations = np.arange(len(line)) * float(ROUTE_SPACING)
    kept = np.concatenate([[begin], stations[stations > begin + 1e-6]])
    part = np.column_stack([np.interp(kept, stations, line[:, k]) for k in (0, 1)])
    if not backwards:
        return path_from_points(part)
    whole = int((kept[-1] - begin) / float(ROUTE_SPACING)) * float(ROUTE_SPACING)  # so that it ends at `begin`
    kept = begin + np.arange(0.0, whole + 1e-6, float(ROUTE_SPACING))
    return path_from_points(np.column_stack([np.interp(kept, stations, line[:, k]) for k in (0, 1)])[::-1])


def _ends_of(element: ET.Element, kind: str) -> tuple[float, float]:
    """The distances along the road at which the stretch of a kind begins and ends [m]."""
    if kind == "passage":
        records = [record for lane in element.findall(".//right/lane[@id='-1']") for record in lane.findall("width")]
        least = min(range(len(records)), key=lambda i: float(records[i].get("a", "inf")))
        return float(records[least].get("sOffset", "0")), float(records[least + 1].get("sOffset", "0"))
    found = _boxes(element, "parkingSpace" if kind == "bays" else "crosswalk")
    if not found:
        middle = 0.5 * float(element.get("length", "0"))
        return middle - 0.5 * _PLAIN, middle + 0.5 * _PLAIN
    return min(s - 0.5 * length for s, _, length, _ in found), max(s + 0.5 * length for s, _, length, _ in found)


def _boxes(element: ET.Element, kind: str) -> list[tuple[float, float, float, float]]:
    """s, t of the centre, length and width [m] of a road's objects of a kind, in the order of s."""
    named = ("s", "t", "length", "width")
    objects = [o for o in element.findall("objects/object") if o.get("type") == kind]
    return sorted(tuple(float(o.get(key, "0")) for key in named) for o in objects)  # type: ignore[misc]


def _on_road(element: ET.Element, s: float, t: float) -> Pose:
    """The pose `s` along and `t` to the left of a road of lines and arcs [m]."""
    geometry = [g for g in element.findall("planView/geometry") if float(g.get("s", "0")) <= s + 1e-9][-1]
    begin = tuple(float(geometry.get(key, "0")) for key in ("x", "y", "hdg"))
    arc = geometry.find("arc")
    curvature = float(arc.get("curvature", "0")) if arc is not None else 0.0
    return shifted(advanced(begin, (s - float(geometry.get("s", "0")), curvature)), t)  # type: ignore[arg-type]


def bays_of(road_map: RoadMap) -> np.ndarray:
    """(K, 5) float64 x, y of the centre [m], yaw [rad], length, width [m] of the parking bays, in ego's direction.

    Ego's direction is that of the lane beside them. K is 0 for a map without parking bays.
    """
    return _bays(road_map.opendrive).copy()


def parked_in(spec: ActorSpec, road_map: RoadMap) -> tuple[float, float, float]:
    """Pose of the rear axle of an actor that is parked in a bay: x, y [m], yaw [rad].

    Raises:
        ValueError: where the map has no such bay.
    """
    bays = bays_of(road_map)
    if not 1 <= spec.bay <= len(bays):
        raise ValueError(f"actor {spec.name} stands in bay {spec.bay}; map {road_map.name} has {len(bays)} bays")
    x, y, yaw = (float(v) for v in bays[spec.bay - 1, :3])
    body = BODIES[spec.kind]
    middle = 0.5 * body.length - body.overhang
    return x - middle * math.cos(yaw), y - middle * math.sin(yaw), yaw


@functools.lru_cache(maxsize=256)
def _bays(opendrive: str) -> np.ndarray:
    rows = []
    for element in ET.fromstring(opendrive.encode()).findall("road"):
        found = [(*_on_road(element, s, t), length, width) for s, t, length, width in _boxes(element, "parkingSpace")]
        rows += found
    return np.array(rows, np.float64).reshape(-1, 5)


# --------------------------------------------------------------------------------------------------- a long stem
def extend_approach(road_map: RoadMap, junction: Junction) -> Junction:
    """Extend the routes of a `t_junction` with a long stem to the whole length of the stem.

    Compiled junctions contain only REACH_IN of an arm; a sign that the driver must remember stands farther away. The
    stem is straight, and the rest of each route stays as compiled. Any other junction is returned unchanged.
    """
    lengths = _lengths(road_map.opendrive)
    if not lengths or lengths[0] <= lengths[1]:
        return junction
    return _stretched(road_map.digest, lengths[0], _Junction(junction))


class _Junction:
    """A junction as an argument that a cache does not compare: the map's digest identifies it."""

    def __init__(self, junction: Junction) -> None:
        self.junction = junction

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Junction)

    def __hash__(self) -> int:
        return 0


@functools.lru_cache(maxsize=256)
def _lengths(opendrive: str) -> tuple[float, ...]:
    """The lengths of a `t_junction`'s stem and of its western arm [m]; empty for any other map."""
    if _generator(opendrive) != "t_junction":
        return ()
    return tuple(float(length) for length in _ROAD.findall(opendrive)[:2])


@functools.lru_cache(maxsize=256)
def _stretched(digest: str, stem: float, of: _Junction) -> Junction:
    junction = of.junction
    more = int((stem - REACH_IN) / float(ROUTE_SPACING) + 0.01)  # points
    if more <= 0:
        return junction
    south = junction.arms["south"]
    arms = {**junction.arms, "south": replace(south, inbound=_prolonged(south.inbound, more))}
    away = more * float(ROUTE_SPACING)
    routes = [
        replace(r, path=_prolonged(r.path, more), junction_in=r.junction_in + away, junction_out=r.junction_out + away)
        if r.origin == "south"
        else r
        for r in junction.routes
    ]
    return replace(junction, arms=arms, routes=tuple(routes))


def _prolonged(path: Path, more: int) -> Path:
    """The path with `more` points in a straight line before its first."""
    x, y, yaw, _ = (float(v) for v in path.points[0])
    back = -float(ROUTE_SPACING) * np.arange(more, 0, -1)
    straight = np.column_stack([x + back * math.cos(yaw), y + back * math.sin(yaw), np.full(more, yaw), 0.0 * back])
    return Path(np.concatenate([straight.astype(np.float32), path.points]))
