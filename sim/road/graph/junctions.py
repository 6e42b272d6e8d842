"""Builds junctions from sampled lanes: arms, and routes resampled at ROUTE_SPACING.

A route is the inbound lane (up to REACH_IN before the junction), the connecting lanes and the outbound lane (up to
REACH_OUT beyond it) as one line.  Its yaw and curvature come from the resampled positions, not from the file's
headings, so that small gaps between a file's roads become small bends and never jumps.  World frame, SI units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.datatypes.road_map import Arm, Junction, Path, Route
from sim.datatypes.vocabulary import DECISION, ROUTE_SPACING
from sim.road.opendrive.reader import Network

REACH_IN = 70.0  # [m] of lane before a junction
REACH_OUT = 50.0  # [m] of lane beyond it
_TURN = math.radians(45.0)  # a connector that turns by less is "straight"
_U_TURN = math.radians(150.0)
_ROUNDINGS = (0.6, 1.0, 1.5, 2.2)  # [m] widths of the filter that rounds kinks where roads meet, tried in turn
_STEEPEST = 0.14  # [rad] of yaw between neighbouring points (a radius of 3.6 m) that a car can still follow
_FINE = 0.25  # [m] point spacing of the filter


@dataclass(frozen=True)
class _Way:
    """One way through a junction, before resampling: three lines (K, 2), the turn [rad] and the lanes at its ends."""

    before: np.ndarray
    inside: np.ndarray
    after: np.ndarray
    turn: float
    lane_in: int
    lane_out: int


def path_from_points(points: np.ndarray) -> Path:
    """Resample a line (K, 2) at ROUTE_SPACING from its first point on, with yaw and curvature.

    The last point may be up to ROUTE_SPACING short of the line's end.
    """
    along = _along(points)
    stations = np.arange(0.0, along[-1] + 5e-3, float(ROUTE_SPACING))
    x, y = np.interp(stations, along, points[:, 0]), np.interp(stations, along, points[:, 1])
    if len(stations) < 3:
        yaw = np.full(len(stations), math.atan2(points[-1, 1] - points[0, 1], points[-1, 0] - points[0, 0]))
        return Path(np.column_stack([x, y, yaw, np.zeros_like(yaw)]).astype(np.float32))
    yaw = np.unwrap(np.arctan2(np.gradient(y), np.gradient(x)))
    curvature = _smooth(np.gradient(yaw, float(ROUTE_SPACING)))
    return Path(np.column_stack([x, y, yaw, curvature]).astype(np.float32))


def _along(points: np.ndarray) -> np.ndarray:
    """(K,) distance of each point along a line [m]."""
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])


def _rounded(points: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Round the kinks of a line; returns the new line, and the distance along the old line of each new point.

    The filter is a Gaussian of `width` [m] over the positions; it cuts a bend of radius R by width**2 / (2 R).
    """
    along = _along(points)
    fine = np.append(np.arange(0.0, along[-1], _FINE), along[-1])
    line = np.column_stack([np.interp(fine, along, points[:, 0]), np.interp(fine, along, points[:, 1])])
    reach = int(np.ceil(3.0 * width / _FINE))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) * _FINE / width) ** 2)
    weights /= weights.sum()
    # The ends are extended by point reflection, so that the first and last points stay where they were.
    head, tail = 2.0 * line[0] - line[reach:0:-1], 2.0 * line[-1] - line[-2 : -reach - 2 : -1]
    padded = np.concatenate([head, line, tail])
    smooth = np.column_stack([np.convolve(padded[:, k], weights, "valid") for k in (0, 1)])
    return smooth, fine


def rounded_path(points: np.ndarray) -> Path:
    """Make a line (K, 2) a path that a car can follow: its kinks are rounded, as on the routes of a junction."""
    return _drivable(points)[0]


def _drivable(points: np.ndarray) -> tuple[Path, np.ndarray, np.ndarray]:
    """The path, the rounded line from which it was made, and the distance along `points` of each point of that line."""
    for width in _ROUNDINGS:
        line, fine = _rounded(points, width)
        path = path_from_points(line)
        if np.abs(np.diff(path.points[:, 2])).max() < _STEEPEST:
            break
    return path, line, fine


def _smooth(values: np.ndarray) -> np.ndarray:
    """Apply the binomial filter 1-2-1 twice, with repeated end values: about 1 m wide."""
    for _ in range(2):
        padded = np.concatenate([values[:1], values, values[-1:]])
        values = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    return values


def build_junctions(network: Network) -> tuple[Junction, ...]:
    """Every junction of a network with at least three arms that have a lane in and a lane out, ordered by id."""
    junctions = []
    for junction_id, entries in sorted(network.connectors().items()):
        ways = [way for entry in entries for way in _ways(network, entry)]
        junction = _junction(network, junction_id, ways)
        if junction is not None:
            junctions.append(junction)
    return tuple(junctions)


def _ways(network: Network, entry: int) -> list[_Way]:
    """The ways through a junction that begin with the connecting lane `entry`, one per inbound and outbound lane."""
    lanes = network.lanes
    chain = [entry]
    while len(lanes[chain[-1]].successors) == 1 and len(chain) < 16:
        following = lanes[chain[-1]].successors[0]
        if lanes[following].junction != lanes[entry].junction:
            break
        chain.append(following)
    exits = [s for s in lanes[chain[-1]].successors if lanes[s].junction != lanes[entry].junction]
    inside = np.concatenate([lanes[i].points for i in chain])
    yaw = np.unwrap(inside[:, 2])
    turn = float(yaw[-1] - yaw[0])
    return [
        _Way(_upstream(network, p), inside[:, :2], _downstream(network, e), turn, p, e)
        for p in lanes[entry].predecessors
        for e in exits
        if abs(turn) < _U_TURN and lanes[p].road != lanes[e].road
    ]


def _upstream(network: Network, lane: int) -> np.ndarray:
    """(K, 2) line of up to REACH_IN that ends where `lane` ends, through earlier lanes while there is only one."""
    parts: list[np.ndarray] = []
    length, seen = 0.0, set()
    while lane not in seen:
        seen.add(lane)
        points = network.lanes[lane].points[:, :2]
        parts.insert(0, points)
        length += float(np.hypot(*np.diff(points, axis=0).T).sum())
        before = network.lanes[lane].predecessors
        if length >= REACH_IN or len(before) != 1:
            break
        lane = before[0]
    return _cut(np.concatenate(parts)[::-1], REACH_IN)[::-1]


def _downstream(network: Network, lane: int) -> np.ndarray:
    """(K, 2) line of up to REACH_OUT that begins where `lane` begins, through later lanes while there is only one."""
    parts: list[np.ndarray] = []
    length, seen = 0.0, set()
    while lane not in seen:
        seen.add(lane)
        points = network.lanes[lane].points[:, :2]
        parts.append(points)
        length += float(np.hypot(*np.diff(points, axis=0).T).sum())
        after = network.lanes[lane].successors
        if length >= REACH_OUT or len(after) != 1:
            break
        lane = after[0]
    return _cut(np.concatenate(parts), REACH_OUT)


def _cut(points: np.ndarray, reach: float) -> np.ndarray:
    """The first `reach` metres of a line, in whole multiples of ROUTE_SPACING."""
    along = _along(points)
    whole = math.floor(along[-1] / float(ROUTE_SPACING) + 0.01) * float(ROUTE_SPACING)  # samples stop 1 mm short
    end = min(reach, whole, along[-1])
    last = np.array([np.interp(end, along, points[:, 0]), np.interp(end, along, points[:, 1])])
    return np.concatenate([points[along < end - 1e-6], last[None]])


def _junction(network: Network, junction_id: int, ways: list[_Way]) -> Junction | None:
    """The junction, or None where fewer than three arms have both a lane in and a lane out."""
    roads_in = {network.lanes[w.lane_in].road for w in ways}
    roads_out = {network.lanes[w.lane_out].road for w in ways}
    roads = sorted(roads_in & roads_out)
    best: dict[tuple[int, int], _Way] = {}
    for way in ways:
        key = (network.lanes[way.lane_in].road, network.lanes[way.lane_out].road)
        if key[0] in roads and key[1] in roads and _better(network, way, best.get(key)):
            best[key] = way
    if len(roads) < 3:
        return None
    inbound = {r: next(w for k, w in best.items() if k[0] == r) for r in roads if any(k[0] == r for k in best)}
    outbound = {r: next(w for k, w in best.items() if k[1] == r) for r in roads if any(k[1] == r for k in best)}
    if len(inbound) < len(roads) or len(outbound) < len(roads):
        return None
    edges = {r: 0.5 * (inbound[r].before[-1] + outbound[r].after[0]) for r in roads}
    centre = np.mean(list(edges.values()), axis=0)
    kind, names = _names(roads, best, edges, centre)
    arms = {
        names[r]: Arm(
            names[r],
            path_from_points(inbound[r].before),
            path_from_points(outbound[r].after),
            float(network.lanes[inbound[r].lane_in].width[-1]),
        )
        for r in sorted(roads, key=lambda r: list(names).index(r))
    }
    routes = tuple(_route(way, names[a], names[b]) for (a, b), way in sorted(best.items()))
    return Junction(junction_id, kind, (float(centre[0]), float(centre[1])), arms, routes)


def _better(network: Network, way: _Way, other: _Way | None) -> bool:
    """Whether `way` starts from the better lane: next to the centre for a left turn, the outermost otherwise."""
    if other is None:
        return True
    mine, theirs = abs(network.lanes[way.lane_in].lane), abs(network.lanes[other.lane_in].lane)
    return mine < theirs if way.turn > _TURN else mine > theirs


def turn_of(turn: float) -> int:
    """Index into DECISIONS of a change of heading [rad]: left above +45 degrees, right below -45, else straight."""
    return DECISION["left" if turn > _TURN else "right" if turn < -_TURN else "straight"]


def _route(way: _Way, origin: str, target: str) -> Route:
    """The resampled route with rounded kinks, and the stations at which its junction begins and ends."""
    parts = (way.before, way.inside, way.after)
    raw = np.concatenate(parts)
    begin, end = len(way.before), len(way.before) + len(way.inside) - 1
    path, line, fine = _drivable(raw)
    junction_in, junction_out = np.interp(_along(raw)[[begin, end]], fine, _along(line))
    return Route(path, origin, target, turn_of(way.turn), float(junction_in), float(junction_out))


def _names(
    roads: list[int], ways: dict[tuple[int, int], _Way], edges: dict[int, np.ndarray], centre: np.ndarray
) -> tuple[str, dict[int, str]]:
    """The kind of a junction and the name of every arm, with the stem (or the first arm) at the bottom of the page."""
    options = {r: {turn_of(w.turn): b for (a, b), w in ways.items() if a == r} for r in roads}
    left, right, straight = DECISION["left"], DECISION["right"], DECISION["straight"]
    stems = [r for r in roads if set(options[r]) == {left, right}]
    others_go_on = all(straight in options[r] and len(options[r]) == 2 for r in roads if r not in stems)
    if len(roads) == 3 and len(stems) == 1 and others_go_on:
        stem = stems[0]
        return "t_junction", {stem: "south", options[stem][left]: "west", options[stem][right]: "east"}
    first = math.atan2(*(edges[roads[0]] - centre)[::-1])
    angle = {r: (math.atan2(*(edges[r] - centre)[::-1]) - first) % (2.0 * math.pi) for r in roads}
    order = sorted(roads, key=lambda r: angle[r])  # anticlockwise from the south: east, north, west
    if len(roads) == 4:
        return "crossroads", dict(zip(order, ("south", "east", "north", "west")))
    names = {order[0]: "south"}
    for n, road in enumerate(order[1:], 1):
        name = ("south", "east", "north", "west")[round(angle[road] / (0.5 * math.pi)) % 4]
        names[road] = name if name not in names.values() else f"arm{n}"
    return "other", names
