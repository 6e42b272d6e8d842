"""Spawn traffic: lane drivers, parked cars, pedestrians on sidewalks, and scripted actors.

Placement depends on the episode alone: the same seed fills a map in the same way in every batch.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from sim.actors.base import Vehicle
from sim.actors.registry import ACTOR_KINDS, BODIES, KIND
from sim.datatypes.episode import ActorSpec, Script, TrafficSpec
from sim.datatypes.road_map import RoadMap
from sim.datatypes.world_state import World
from sim.road.graph.lane_graph import LaneGraph, lane_graph
from sim.road.map.lane_arrays import JUNCTION, LENGTH, NEXT, NEXT_END, ROW, ROWS, STEP, LaneArrays
from sim.traffic.right_of_way import LANE, MODE, NEXT1, NEXT2, NEXT3, OCCUPIED, PICKS, RESERVED, SINCE
from sim.traffic.scripted import AFTER, ALONG, NEVER, PACE, TRIGGER, VALUE, WITHIN
from sim.traffic.state import CAP, DRIVER, FACTOR, KEEP, MOST_POINTS, SCRIPTED, WALKER, S, TrafficState

APART = 4.0  # [m] between bumpers at the start
EGO_ROOM = 12.0  # [m] around ego that stays free of traffic at the start
TRIES = 60  # places tried for each vehicle
_HALF_PARKED = BODIES["van"].length / 2  # [m] of the longest vehicle that parks
_COLOURS = (0xB8BCC0, 0x23262B, 0xE8E8E4, 0x8C1D20, 0x1F3E6E, 0x4D5A52, 0x9A8F7C, 0x5B6E8C, 0xC0A030, 0x2E5D46)
_CLOTHES = (0x8A3B3B, 0x3B5C8A, 0x4A4A52, 0xC2A05A, 0x5B7F5B, 0x9C6B9C, 0xD0D0D0, 0x2E4A4A)
# A truck short enough for the bends of towns: the 8.2 m truck of named actors swings far into the other lane there.
_LORRY = Vehicle(length=6.4, width=2.2, height=3.0, wheelbase=3.6, overhang=1.4)


class _Taken:
    """Occupied circles x, y, radius [m], against which new placements are checked."""

    def __init__(self) -> None:
        self.circles: list[tuple[float, float, float]] = []

    def add(self, x: float, y: float, radius: float) -> None:
        self.circles.append((x, y, radius))

    def free(self, x: float, y: float, radius: float) -> bool:
        return all((x - a) ** 2 + (y - b) ** 2 > (radius + r) ** 2 for a, b, r in self.circles)


def spawn_traffic(
    world: World, traffic: TrafficState, first: int, spec: TrafficSpec, road_map: RoadMap, roads: LaneArrays,
    kept: Sequence[tuple[float, float, float]] = (),
) -> None:  # fmt: skip
    """Spawn traffic into slots `first` and on of a single world.

    Args:
        world, traffic: of one row, with ego in place.
        kept: circles x, y, radius [m] to leave free, besides ego's surroundings.

    Raises:
        ValueError: where the map has no room for an actor, or lacks the lanes that it needs.
    """
    rng = np.random.default_rng([int(world.seed[0]), 0x7AFF1C])
    taken = _Taken()
    (x,), (y,) = world.x[:, 0].tolist(), world.y[:, 0].tolist()
    taken.add(x, y, EGO_ROOM)
    for x, y, radius in kept:
        taken.add(x, y, radius + APART / 2)
    slot = first
    for _ in range(spec.parked):
        _park(world, slot, rng, taken, road_map)
        slot += 1
    rooms: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for kind in rng.choice(list(spec.mix()), spec.vehicles, p=list(spec.mix().values())):
        _place_driver(world, traffic, slot, str(kind), rng, taken, road_map, roads, rooms)
        slot += 1
    for _ in range(spec.walkers):
        _place_walker(world, traffic, slot, rng, road_map, roads)
        slot += 1
    traffic.busy[0] += spec.vehicles + spec.walkers


def write_actor(
    world: World, i: int, kind: str, x: float, y: float, yaw: float, colour: int, body: Vehicle | None = None
) -> None:
    """Write an actor of a kind of BODIES into slot i of a single world.

    Args:
        world: of one row. x, y, yaw: of its rear axle [m, rad].
        body: its size; the kind's by default.
    """
    body = body or BODIES[kind]
    world.kind[0, i], world.appearance[0, i] = KIND[kind], colour
    world.x[0, i], world.y[0, i], world.yaw[0, i] = x, y, np.arctan2(np.sin(yaw), np.cos(yaw))
    world.length[0, i], world.width[0, i], world.height[0, i] = body.length, body.width, body.height
    world.wheelbase[0, i], world.overhang[0, i] = body.wheelbase, body.overhang


def _place_driver(
    world: World, traffic: TrafficState, i: int, kind: str, rng: np.random.Generator, taken: _Taken,
    road_map: RoadMap, roads: LaneArrays, rooms: dict[str, tuple[np.ndarray, np.ndarray]],
) -> None:  # fmt: skip
    """Place a driver on a lane; rooms: results of `_room_for` by kind, computed at the first vehicle of the kind."""
    body, habits = _LORRY if kind == "truck" else BODIES[kind], ACTOR_KINDS[kind].lane_traffic
    assert habits is not None, f"lane traffic has no {kind}"
    if kind not in rooms:
        rooms[kind] = _room_for(int(world.map[0]), kind, body.length, road_map, roads)
    lanes, ends = rooms[kind]
    for _ in range(TRIES):
        lane = int(lanes[min(int(np.searchsorted(ends, rng.random() * ends[-1], "right")), len(lanes) - 1)])
        s = body.overhang + 1.0 + float(rng.random()) * float(roads.measure[lane, LENGTH] - body.length - 2.0)
        row = _row(roads, lane, s)
        x, y, yaw, pace = (float(v) for v in roads.points[row, :4])
        middle = body.length / 2 - body.overhang
        cx, cy = x + middle * np.cos(yaw), y + middle * np.sin(yaw)
        if taken.free(cx, cy, body.length / 2 + APART / 2):
            break
    else:
        raise ValueError(f"map {road_map.name} has no room for another {kind}; wanted fewer vehicles")
    taken.add(cx, cy, body.length / 2 + APART / 2)
    write_actor(world, i, kind, x, y, yaw, _one_of(rng, _COLOURS), body)
    driver, kinematics = traffic.driver, traffic.kinematics
    driver[0, i, MODE], driver[0, i, LANE], driver[0, i, PICKS] = DRIVER, lane, 3
    driver[0, i, RESERVED] = driver[0, i, OCCUPIED] = driver[0, i, SINCE] = -1
    for column in (NEXT1, NEXT2, NEXT3):
        ways = roads.successors[roads.link[lane, NEXT] : roads.link[lane, NEXT_END]]
        lane = _one_of(rng, ways) if lane >= 0 and len(ways) else -1
        driver[0, i, column] = lane
    kinematics[0, i, S], kinematics[0, i, FACTOR], kinematics[0, i, CAP] = s, rng.uniform(0.85, 1.08), habits.top_speed
    if habits.offset != 0.0:  # bicycles ride on the right of the lane
        kinematics[0, i, KEEP] = habits.offset
        world.x[0, i] -= habits.offset * np.sin(yaw)
        world.y[0, i] += habits.offset * np.cos(yaw)
    world.speed[0, i] = 0.6 * min(pace, habits.top_speed)


def _room_for(m: int, kind: str, length: float, road_map: RoadMap, roads: LaneArrays) -> tuple[np.ndarray, np.ndarray]:
    """The lanes of map m, and the running sum of the room [m] that each has for a vehicle of `length` [m]."""
    lanes = np.arange(*roads.lanes_of_map[m])
    room = roads.measure[lanes, LENGTH].astype(np.float64) - length - 2.0
    weight = np.where((roads.link[lanes, JUNCTION] < 0) & (room > 0.0), room, 0.0)
    if weight.sum() <= 0.0:
        raise ValueError(f"map {road_map.name} has no lane long enough for a {kind} of {length} m")
    return lanes, np.cumsum(weight)


def _one_of(rng: np.random.Generator, options: Sequence[int] | np.ndarray) -> int:
    """A uniform choice, as `rng.choice` without its overhead."""
    return int(options[int(rng.integers(len(options)))])


def _row(roads: LaneArrays, lane: int, s: float) -> int:
    return int(roads.link[lane, ROW] + min(int(s / roads.measure[lane, STEP] + 0.5), roads.link[lane, ROWS] - 1))


def _place_walker(
    world: World, traffic: TrafficState, i: int, rng: np.random.Generator, road_map: RoadMap, roads: LaneArrays
) -> None:
    m = int(world.map[0])
    feet = [f for f in range(*roads.feet_of_map[m]) if not roads.foot_crossing[f]]
    if not feet:
        raise ValueError(f"map {road_map.name} has no pavement; wanted one for walkers")
    sizes = np.array([roads.foot_start[f + 1] - roads.foot_start[f] - 1 for f in feet], np.float64)
    foot = int(feet[int(rng.choice(len(feet), p=sizes / sizes.sum()))])
    first, last = int(roads.foot_start[foot]), int(roads.foot_start[foot + 1]) - 1
    rows, back = last - first, int(rng.random() < 0.5)
    step = float(np.hypot(*(roads.foot_points[first + 1, :2] - roads.foot_points[first, :2])))
    at = float(rng.random()) * rows
    k = first + int(rows - at if back else at)
    x, y, yaw, room = (float(v) for v in roads.foot_points[k])
    keep, way = float(rng.random()), 1 - 2 * back
    side = -keep * room * way
    write_actor(world, i, "walker", x - side * np.sin(yaw), y + side * np.cos(yaw), yaw + np.pi * back,
             _one_of(rng, _CLOTHES))  # fmt: skip
    driver, kinematics = traffic.driver, traffic.kinematics
    driver[0, i, MODE], driver[0, i, LANE], driver[0, i, NEXT1], driver[0, i, PICKS] = WALKER, foot, back, 1
    driver[0, i, RESERVED] = driver[0, i, OCCUPIED] = -1
    kinematics[0, i, S], kinematics[0, i, KEEP], kinematics[0, i, CAP] = at * step, keep, rng.uniform(1.0, 1.7)
    world.speed[0, i] = kinematics[0, i, CAP]


@functools.lru_cache(maxsize=32)
def parking_places(graph_key: tuple[str, str]) -> np.ndarray:
    """(K, 3) x, y, yaw of parking spots along a map's parking lanes, one metre apart; key: (OpenDRIVE text, name).

    A car centred on a spot does not reach beyond the ends of its lane.
    """
    graph: LaneGraph = lane_graph(*graph_key)
    found = []
    for i in graph.lanes_of_kind("parking").tolist():
        points = graph.points_of(i)
        s = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points[:, :2], axis=0).T))])
        found.append(points[(s >= _HALF_PARKED) & (s <= s[-1] - _HALF_PARKED)][::2])
    return np.concatenate(found) if found else np.zeros((0, 3), np.float32)


def _park(world: World, i: int, rng: np.random.Generator, taken: _Taken, road_map: RoadMap) -> None:
    places = parking_places((road_map.opendrive, road_map.name))
    if not len(places):
        raise ValueError(f"map {road_map.name} has no parking lane; wanted one for parked cars")
    kind = "van" if rng.random() < 0.2 else "car"
    body = BODIES[kind]
    for _ in range(TRIES):
        x, y, yaw = (float(v) for v in places[int(rng.integers(len(places)))])
        if taken.free(x, y, body.length / 2 + 0.4):
            break
    else:
        raise ValueError(f"map {road_map.name} has no room for another parked {kind}; wanted fewer")
    taken.add(x, y, body.length / 2 + 0.4)
    middle = body.length / 2 - body.overhang
    write_actor(world, i, kind, x - middle * np.cos(yaw), y - middle * np.sin(yaw), yaw, _one_of(rng, _COLOURS))


def set_script(world: World, traffic: TrafficState, i: int, spec: ActorSpec) -> None:
    """Give the actor in slot i of a single world its script; the path starts at the actor, in its own frame.

    Raises:
        ValueError: for a path of too many points, or a number of speeds that is not the number of legs.
    """
    script: Script = spec.script  # type: ignore[assignment]
    if len(script.path) >= MOST_POINTS:
        raise ValueError(f"the script of {spec.name} has {len(script.path)} points; wanted at most {MOST_POINTS - 1}")
    x, y, yaw = float(world.x[0, i]), float(world.y[0, i]), float(world.yaw[0, i])
    c, s = np.cos(yaw), np.sin(yaw)
    path = [(0.0, 0.0), *script.path]
    if script.speeds and len(script.speeds) != len(script.path):
        raise ValueError(
            f"the script of {spec.name} has {len(script.speeds)} speeds for {len(script.path)} legs; wanted one each"
        )
    traffic.path[0, i, : len(path), :2] = [(x + f * c - left * s, y + f * s + left * c) for f, left in path]
    traffic.path[0, i, :, 2] = 0.0
    traffic.path[0, i, : len(script.speeds), 2] = script.speeds
    traffic.points[0, i] = len(path)
    traffic.trigger[0, i, TRIGGER] = NEVER
    if script.after is not None:
        traffic.trigger[0, i, TRIGGER], traffic.trigger[0, i, VALUE] = AFTER, script.after
    elif script.within is not None:
        traffic.trigger[0, i, TRIGGER], traffic.trigger[0, i, VALUE] = WITHIN, script.within
    elif script.near_junction is not None:
        traffic.trigger[0, i, TRIGGER], traffic.trigger[0, i, VALUE] = ALONG, -script.near_junction
    elif script.past is not None:
        traffic.trigger[0, i, TRIGGER], traffic.trigger[0, i, VALUE] = ALONG, script.past
    traffic.trigger[0, i, PACE] = script.speed
    traffic.driver[0, i, MODE] = SCRIPTED
    traffic.driver[0, i, RESERVED] = traffic.driver[0, i, OCCUPIED] = -1
    traffic.busy[0] += 1
