"""Parts of decision points that no single junction makes: arms, routes and stretches, read from a lane graph.

The files of `sim.road.generators` build their decision points from these. A decision point is a
`sim.datatypes.road_map.Junction` like any other: arms on which actors and signs stand, and routes from an arm, each of
which shows a decision once ego has passed its end. It is built on demand from the lane graph of a generated map,
without compiling the map again. World frame as in `sim.datatypes.world_state`.
"""

from __future__ import annotations

import functools
import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.actors.registry import BODIES
from sim.datatypes.episode import ActorSpec
from sim.datatypes.road_map import Arm, Junction, Path, RoadMap, Route
from sim.datatypes.vocabulary import DECISION, ROUTE_SPACING
from sim.road.graph.junctions import path_from_points, rounded_path
from sim.road.graph.lane_graph import LaneGraph
from sim.road.graph.shortest_path import LaneInterval, centreline, shortest_path
from sim.road.opendrive.writer import Pose, advanced, shifted

Point = tuple[float, float]


# ------------------------------------------------------------------------------------------------- arms and routes
def two_way_roads(graph: LaneGraph) -> dict[int, tuple[int, int]]:
    """Road outside junctions -> its lane from the map's edge inwards (either where it has none), the other lane."""
    found: dict[int, list[int]] = {}
    for lane in graph.lanes_of_kind("driving").tolist():
        if graph.junction[lane] < 0:
            found.setdefault(int(graph.road[lane]), []).append(lane)
    ordered = {road: sorted(lanes, key=lambda lane: has_predecessor(graph, lane)) for road, lanes in found.items()}
    return {road: (lanes[0], lanes[1]) for road, lanes in ordered.items()}


def has_predecessor(graph: LaneGraph, lane: int) -> bool:
    """Whether another lane leads to this one; if none does, it begins at the map's edge."""
    return len(graph.predecessors_of(lane)) > 0


def arm_of_lanes(graph: LaneGraph, name: str, into: int, out: int) -> Arm:
    """The arm whose lane towards the decision point is `into` and whose lane away from it is `out`."""
    width = float(graph.width[graph.start[into + 1] - 1])
    return Arm(name, _path(graph, into), _path(graph, out), width)


def _path(graph: LaneGraph, lane: int) -> Path:
    return path_from_points(graph.points_of(lane)[:, :2].astype(np.float64))


def route_between(graph: LaneGraph, origin: int, target: int, names: tuple[str, str], decision: str) -> Route:
    """The shortest route between two lanes; its junction is from the edge of the first one to the end of the last turn.

    Args:
        names: of the arms that the lanes belong to.
        decision: that it shows, a word of DECISIONS.
    """
    legs = _way(graph, origin, target)
    inside = [leg.lane for leg in legs if graph.junction[leg.lane] >= 0]
    begin, end = graph.points_of(inside[0])[0], graph.points_of(inside[-1])[-1]
    path = rounded_path(centreline(graph, legs))
    return Route(path, *names, DECISION[decision], _station(path, begin), _station(path, end))


def _way(graph: LaneGraph, origin: int, target: int) -> list[LaneInterval]:
    return shortest_path(graph, (origin, 0.0), (target, float(graph.length[target])))


def _station(path: Path, point: Point) -> float:
    """The distance along a path of its place nearest to a point [m]."""
    x, y, yaw, _ = path.points.astype(np.float64).T
    k = int(np.argmin(np.hypot(x - point[0], y - point[1])))
    along = (point[0] - x[k]) * math.cos(yaw[k]) + (point[1] - y[k]) * math.sin(yaw[k])
    return float(k * ROUTE_SPACING) + float(np.clip(along, -ROUTE_SPACING, ROUTE_SPACING))


def point_of_routes(kind: str, arms: dict[str, Arm], routes: Sequence[Route]) -> Junction:
    """The decision point, with its centre in the middle of all the places where its routes enter and leave it."""
    ends = [r.path.points[round(s / float(ROUTE_SPACING)), :2] for r in routes for s in (r.junction_in, r.junction_out)]
    middle = 0.5 * (np.min(ends, axis=0) + np.max(ends, axis=0))
    return Junction(0, kind, (float(middle[0]), float(middle[1])), arms, tuple(routes))


# ----------------------------------------------------------------------------------------------- a single street
@dataclass(frozen=True, eq=False)
class StraightStreet:
    """A map of one straight street from west to east, with a lane in each direction.

    Args:
        element: the OpenDRIVE road.
        lines: "west", "east" -> (K, 2) the centreline of the lane that begins there [m].
        lane_width: [m].
    """

    element: ET.Element
    lines: dict[str, np.ndarray]
    lane_width: float

    @classmethod
    def read(cls, graph: LaneGraph, opendrive: str) -> StraightStreet:
        """The street of a generated map."""
        element = ET.fromstring(opendrive.encode()).find("road")
        assert element is not None
        lines = {}
        for lane in graph.lanes_of_kind("driving").tolist():
            if not has_predecessor(graph, lane):
                sink = lane
                while len(after := graph.successors_of(sink)):
                    sink = int(after[0])
                side = "west" if graph.points_of(lane)[0, 0] < 0.0 else "east"
                lines[side] = centreline(graph, _way(graph, lane, sink))
        return cls(element, lines, float(graph.width[graph.start[graph.lanes_of_kind("driving")[0]]]))

    def objects(self, kind: str) -> list[tuple[float, float, float, float]]:
        """s, t of the centre, length and width [m] of the road's objects of a kind, in the order of s."""
        return _boxes(self.element, kind)

    def at(self, s: float) -> Point:
        """The position `s` [m] along the road."""
        return _on_road(self.element, s, 0.0)[:2]

    def routes(self, begin: float, end: float) -> tuple[Route, Route]:
        """The routes from the west and from the east over the stretch from `begin` to `end` [m] along the road."""
        west, east = self.at(begin), self.at(end)
        return route_over(self.lines["west"], "west", west, east), route_over(self.lines["east"], "east", east, west)

    def arms(self, coming: Route, against: Route) -> dict[str, Arm]:
        """The arms west and east of a stretch, from the routes over it in both directions."""
        width = self.lane_width
        return {
            "west": Arm("west", *_parted(coming.path, coming.junction_in, against.path, against.junction_out), width),
            "east": Arm("east", *_parted(against.path, against.junction_in, coming.path, coming.junction_out), width),
        }


def route_over(line: np.ndarray, origin: str, begin: Point, end: Point) -> Route:
    """The route straight along a street, whose junction is the stretch abreast of and between two points."""
    path, target = rounded_path(line), "east" if origin == "west" else "west"
    ahead = (line[-1] - line[0]) / np.hypot(*(line[-1] - line[0]))
    stations, along = np.arange(len(path.points)) * float(ROUTE_SPACING), (path.points[:, :2] - line[0]) @ ahead
    ends = (float(np.interp((np.asarray(point) - line[0]) @ ahead, along, stations)) for point in (begin, end))
    return Route(path, origin, target, DECISION["straight"], *ends)


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
