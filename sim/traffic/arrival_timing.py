"""Arrival timing: place actors on scripted routes so that they reach the junction when the episode says.

An `arrival_offset` counts from when ego *nominally* comes to its line: from its start speed ego accelerates with
min(1.5, 7 - v) m/s^2 towards 7 m/s (9.1 in a hurry) and brakes with 1.8 m/s^2 to a stop with its front at the line.
The actor's own drive is simulated with the law that moves it
(`sim.traffic.route_follower.unobstructed_arrival_time`), and its start is moved until it arrives on time; where its
lane is too short, the actor spawns later, at the lane's beginning.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numpy as np

from sim.actors.registry import BODIES, EGO, VEHICLES
from sim.datatypes.episode import HURRY_FACTOR, ActorSpec, Episode
from sim.datatypes.road_map import Junction, RoadMap, Route
from sim.datatypes.vocabulary import DECISION, DECISIONS, ROUTE_SPACING, TURNS
from sim.datatypes.world_state import World
from sim.road.graph.placement import pose_at
from sim.road.map.map_batch import MapBatch, start_distance
from sim.traffic.all_way_stop import MEMBER, SERVED
from sim.traffic.route_follower import (
    ALONG,
    CROSSING,
    CRUISE,
    EDGE,
    ENTERS,
    ENTRY,
    GAP,
    HALT,
    LINE,
    OUT,
    PATIENCE,
    PENDING,
    STOP,
    TAILGATING,
    TRAIL,
    entry_speed,
    unobstructed_arrival_time,
)
from sim.traffic.spawning import write_actor

if TYPE_CHECKING:
    from sim.traffic.route_follower import RouteFollowers

NOMINAL_SPEED, NOMINAL_PULL, NOMINAL_BRAKING = 7.0, 1.5, 1.8  # [m/s, m/s^2] of ego, for arrival offsets
_LONGEST = 6000  # ticks of a simulated drive
_NEVER = np.float32(1e9)
_HALVINGS = 24


def check_scripted_route(spec: ActorSpec, episode: Episode, junction: Junction, tick: float) -> None:
    """Check that an actor's scripted route can be driven.

    Raises:
        ValueError: for a turn that the junction does not have, keys that need other keys, or an `arrival_offset` whose
            time has passed when the episode begins.
    """
    told = [k for k in ("stop_duration", "arrival_offset", "yield_timeout") if getattr(spec, k) is not None] + (
        ["takes_turns"] if spec.takes_turns else []
    )
    if told and not spec.turn:
        raise ValueError(f"actor {spec.name} has {told[0]} and no turn; wanted turn: left, right or straight")
    if not spec.sent:
        return
    if spec.kind not in VEHICLES:
        what = "turn" if spec.turn else "tailgates"
        raise ValueError(f"actor {spec.name} is a {spec.kind} with {what}; wanted one of {sorted(VEHICLES)}")
    if spec.script is not None or (spec.turn and spec.tailgates is not None):
        found = "a script" if spec.script is not None else "tailgates"
        raise ValueError(
            f"actor {spec.name} has {found} and {'turn' if spec.turn else 'tailgates'}; wanted one of them"
        )
    if not spec.turn:
        return
    if spec.lane != "inbound" or spec.speed <= 0.0:
        found = f"lane {spec.lane}" if spec.lane != "inbound" else f"speed {spec.speed:g}"
        raise ValueError(f"actor {spec.name} has a turn and {found}; wanted lane: inbound and a speed above 0")
    route_for(spec, junction)
    if spec.arrival_offset is not None and spec.arrival_offset > (most := nominal_arrival(episode, junction, tick)):
        raise ValueError(
            f"actor {spec.name} has arrival_offset {spec.arrival_offset:g} s, but ego comes to its line "
            f"{most:.1f} s after the episode begins; wanted at most that"
        )


def route_for(spec: ActorSpec, junction: Junction) -> Route:
    """The route that an actor's turn names.

    Raises:
        ValueError: naming the available turns, where the junction has no such route from the actor's arm.
    """
    ways = junction.routes_from(spec.arm)
    for route in ways:
        if spec.turn in TURNS and route.decision == DECISION[spec.turn]:
            return route
    known = ", ".join(DECISIONS[r.decision] for r in ways) or "none"
    raise ValueError(f"actor {spec.name} has turn {spec.turn!r}; the ways from arm {spec.arm!r} are {known}")


def nominal_arrival(episode: Episode, junction: Junction, tick: float) -> float:
    """Time at which ego nominally stands with its front at its line [s]; see the module docstring."""
    distance = start_distance([r.junction_in for r in junction.routes_from(episode.arm)], episode.distance)
    cruise = NOMINAL_SPEED * (HURRY_FACTOR if episode.driver_state is not None and episode.driver_state.hurry else 1.0)
    return nominal_time(distance - (EGO.length - EGO.overhang) - LINE, episode.speed, tick, cruise)


@functools.lru_cache(maxsize=4096)
def nominal_time(left: float, speed: float, tick: float, cruise: float = NOMINAL_SPEED) -> float:
    """Time until ego, at `speed` [m/s] and `left` [m] before its stop, nominally stands there [s]."""
    time = 0.0
    while left > 0.02 and (speed > 0.1 or left > 0.5):
        half = 0.5 * NOMINAL_BRAKING * tick  # see `sim.dynamics.bicycle.stopping_speed`
        last = math.sqrt(max(half * half + 2.0 * (NOMINAL_BRAKING * left - half * speed), 0.0)) - half
        wanted = max(min(speed + min(NOMINAL_PULL, cruise - speed) * tick, last), 0.0)
        left -= 0.5 * (speed + wanted) * tick
        speed, time = wanted, time + tick
    return time


def schedule_arrival(
    world: World, followers: RouteFollowers, i: int, episode: Episode, road_map: RoadMap, junction: Junction,
    maps: MapBatch, tick: float,
) -> None:  # fmt: skip
    """Place the actor of slot i on its scripted route and enter ego's part.

    Args:
        world, followers: of one row, with ego in place. maps: the route's path is added to it.
    """
    spec = episode.actors[i - 1]
    followers.busy[0] += 1
    if spec.tailgates is not None:
        _send_after_ego(world, followers, i, spec, junction.routes_from(episode.arm)[0])
        return
    route, body = route_for(spec, junction), BODIES[spec.kind]
    front = body.length - body.overhang
    stop, edge = route.junction_in - LINE - front, route.junction_in - front
    halts = spec.stop_duration is not None or spec.takes_turns or spec.yield_timeout is not None
    s, speed, enters = _start(spec, episode, junction, route, stop if halts else None, edge, tick)
    x, y, yaw = pose_at(route.path, s)
    write_actor(world, i, spec.kind, x + spec.side * np.sin(yaw), y - spec.side * np.cos(yaw), yaw, spec.colour)
    drive = followers.drive[0, i]
    drive[[ALONG, CRUISE, STOP, EDGE]] = s, spec.speed, stop, edge
    drive[[OUT, HALT]] = route.junction_out + body.overhang, (spec.stop_duration or 0.0) if halts else -1.0
    drive[[ENTERS, ENTRY]] = enters, speed
    drive[PATIENCE] = -1.0 if spec.yield_timeout is None else spec.yield_timeout
    followers.path[0, i] = maps.path(road_map, route.path, route)
    followers.heading[0, i] = pose_at(route.path, route.junction_in - LINE)[2]
    followers.line[0, i, SERVED] = -1
    world.scripted_turn[0, i], world.distance_to_line[0, i] = route.decision, stop - s
    if enters > 0.0:
        followers.role[0, i] = PENDING
        world.absent_kind[0, i], world.kind[0, i] = world.kind[0, i], 0
    else:
        followers.role[0, i] = CROSSING
        world.speed[0, i] = speed
    if spec.yield_timeout is not None:
        followers.line[0, 0, MEMBER] = 1
    if spec.takes_turns:
        followers.line[0, i, MEMBER] = followers.line[0, 0, MEMBER] = 1
        followers.line[0, 0, SERVED] = -1
        ego = junction.routes_from(episode.arm)[0]
        followers.heading[:, 0] = pose_at(ego.path, ego.junction_in - LINE)[2]


def _start(
    spec: ActorSpec, episode: Episode, junction: Junction, route: Route, stop: float | None, edge: float, tick: float
) -> tuple[float, float, float]:
    """An actor's start along its route [m], its speed [m/s] and spawn time [s]; stop: None if it does not stop."""
    points, cruise = route.path.points, np.float32(spec.speed)
    halt = _NEVER if stop is None else np.float32(stop)
    goal = np.float32(edge) if stop is None else _NEVER

    def speed_at(s: float) -> float:
        return float(entry_speed(points, np.float32(s), cruise, halt - np.float32(s)))

    def time_from(s: float) -> float:
        return float(
            unobstructed_arrival_time(
                points, np.float32(s), np.float32(speed_at(s)), cruise, halt, goal, np.float32(tick), _LONGEST
            )
        )

    begin = BODIES[spec.kind].overhang
    if spec.arrival_offset is None:
        s = float(np.clip(route.junction_in - spec.distance, 0.0, route.junction_in))
        return s, speed_at(s), 0.0
    wanted = nominal_arrival(episode, junction, tick) - spec.arrival_offset
    if (longest := time_from(begin)) < wanted:
        return begin, speed_at(begin), wanted - longest
    low, high = begin, edge if stop is None else stop
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if time_from(middle) > wanted else (low, middle)
    return high, speed_at(high), 0.0


def _send_after_ego(world: World, followers: RouteFollowers, i: int, spec: ActorSpec, route: Route) -> None:
    """Place a tailgater behind ego, and initialise ego's trail with the route behind it."""
    body, spacing = BODIES[spec.kind], float(ROUTE_SPACING)
    (here,) = world.route_s[:, 0].tolist()
    trail = followers.trail[0]
    if followers.trailed[0] == 0:
        stations = here - spacing * np.arange(TRAIL // 2 - 1, -1, -1)
        for column in range(3):
            trail[: len(stations), column] = np.interp(
                stations, np.arange(len(route.path.points)) * spacing, route.path.points[:, column]
            )
        short = np.minimum(stations, 0.0)  # before the path begins: straight back
        yaw = float(route.path.points[0, 2])
        trail[: len(stations), 0] += short * np.cos(yaw)
        trail[: len(stations), 1] += short * np.sin(yaw)
        followers.trailed[0] = len(stations)
    gap = float(spec.tailgates or 0.0) + EGO.overhang + body.length - body.overhang
    s = (followers.trailed[0] - 1) * spacing - gap
    k = s / spacing
    rows = np.arange(followers.trailed[0])
    x, y, yaw = (float(np.interp(k, rows, trail[: len(rows), c])) for c in range(3))
    write_actor(world, i, spec.kind, x, y, yaw, spec.colour)
    world.speed[:, i] = np.maximum(world.speed[:, 0], 0.0)
    followers.role[0, i] = TAILGATING
    followers.drive[0, i, ALONG], followers.drive[0, i, GAP] = s, spec.tailgates
    followers.drive[0, i, CRUISE] = body.max_speed
