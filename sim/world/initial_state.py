"""The initial states of worlds: episodes become rows of new tables, apart from all running worlds.

`place` writes arrays of its own only. The maps, paths and lanes that it needs are added to a `MapBatch`, which is a
store of maps and not of worlds; they stay there where an episode cannot be placed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sim.actors.registry import BODIES
from sim.actors.signs import POST, SIGN, pack_sign
from sim.core.tables import row
from sim.datatypes.episode import ActorSpec, Episode, SignSpec
from sim.datatypes.road_map import Junction, RoadMap, Route
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import NO_PATH, PER_WORLD, UNDECIDED
from sim.datatypes.world_state import World
from sim.render.assets.sign_art import design_of
from sim.road.graph.decision_points import parked_in
from sim.road.graph.keypoint_route import DEVIATION, route_through
from sim.road.graph.placement import LANES, actor_place, actor_slots, pose_at, reserved_areas, sign_place, ways_of
from sim.road.graph.traffic_lights import LIGHTS_OFF
from sim.road.map.loading import load_map, read_map
from sim.road.map.map_batch import MapBatch, start_distance
from sim.traffic.arrival_timing import check_scripted_route, schedule_arrival
from sim.traffic.route_follower import RouteFollowers, empty_followers
from sim.traffic.spawning import set_script, spawn_traffic, write_actor
from sim.traffic.state import TrafficState, empty_traffic
from sim.world.decisions.registry import DecisionDetector, detector_for
from sim.world.step import ANYWHERE
from sim.world.weather_schedule import check_changes, weather_table

ROUTES = 3  # route slots of a world at first, for the turns left, right, straight
_PER_ROUTE = ("route", "route_s", "route_offset")
_INTEGERS = ("kind", "absent_kind", "appearance", "path", "scripted_turn", "route")  # besides those of PER_WORLD


class Capacity(NamedTuple):
    """What the tables of a batch of worlds have room for.

    Args:
        slots, routes: of every world. scripts: for scripted actors. followers: for actors on scripted routes.
        trails: for tailgaters.
    """

    slots: int
    routes: int = ROUTES
    scripts: bool = False
    followers: bool = False
    trails: bool = False

    def with_room_for(self, episode: Episode, junction: Junction | Route) -> Capacity:
        """This capacity, or as much more as the episode needs at its junction or on its route."""
        actors = episode.actors
        return Capacity(
            max(self.slots, actor_slots(episode)),
            max(self.routes, len(ways_of(episode, junction))),
            self.scripts or any(actor.script for actor in actors),
            self.followers or any(actor.sent for actor in actors),
            self.trails or any(actor.tailgates is not None for actor in actors),
        )


class InitialState(NamedTuple):
    """The initial states of K episodes' worlds: tables of K rows.

    Args:
        world, traffic: with ego, actors, signs and traffic in place.
        followers: None without capacity for them.
        goal: (K, 2) f32, metres beyond the junction at which ego arrives, metres off its route at which it deviates.
        weather: row -> (ticks, 14) f32, see `weather_table`, of the worlds whose weather changes.
        detectors: row -> detector, of the worlds whose decision is not a way out.
    """

    world: World
    traffic: TrafficState
    followers: RouteFollowers | None
    goal: np.ndarray
    weather: dict[int, np.ndarray]
    detectors: dict[int, DecisionDetector]


class _Row(NamedTuple):
    """The tables of a single world, to be filled: views of the rows of an `InitialState`."""

    world: World
    traffic: TrafficState
    followers: RouteFollowers | None


def empty_world(worlds: int, slots: int, routes: int = ROUTES) -> World:
    """A World of zeros without actors; no slot has a path or a decision, and no route slot a route."""
    types: dict[str, type] = dict.fromkeys((*PER_WORLD, *_INTEGERS), np.int32)
    types["seed"] = np.uint32
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(World._fields, (worlds, slots))
    shapes |= dict.fromkeys(PER_WORLD, (worlds,))
    shapes |= dict.fromkeys(_PER_ROUTE, (worlds, routes))
    shapes["weather"] = (worlds, 14)
    made = World(**{name: np.zeros(shapes[name], types.get(name, np.float32)) for name in World._fields})
    made.path[:], made.route[:], made.scripted_turn[:] = NO_PATH, NO_PATH, UNDECIDED
    return made


def locate(
    episode: Episode, simulation: Simulation, search: Sequence[Path] | None = None
) -> tuple[RoadMap, Junction | Route]:
    """Load an episode's map and find its junction or route; check what needs no other actors in place.

    Args:
        search: folders of OpenDRIVE files; None for `sim.road.map.loading.default_search()`.

    Raises:
        ValueError: naming what cannot be placed, what was found and what is wanted.
    """
    if len(episode.actors) + 1 > simulation.actors:
        raise ValueError(
            f"episode of {episode.scenario} has {len(episode.actors)} other actors; "
            f"Simulation(actors={simulation.actors}) has room for {simulation.actors - 1}"
        )
    if episode.route:
        if names := [*(a.name for a in episode.actors), *(s.name for s in episode.signs)]:
            raise ValueError(f"{names[0]} stands at a junction, but the episode has a route and no junction")
        road_map = read_map(episode.map, search)
        return road_map, route_through(road_map, episode.route)
    road_map, junction = load_map(episode.map, search)
    ways_of(episode, junction)
    for spec in episode.actors:
        if spec.arm not in junction.arms:
            raise ValueError(f"actor {spec.name}: no arm {spec.arm!r}; the junction has {sorted(junction.arms)}")
        if spec.kind not in BODIES:
            raise ValueError(f"actor {spec.name}: unknown kind {spec.kind!r}; known are {sorted(BODIES)}")
        if spec.lane not in LANES:
            raise ValueError(f"actor {spec.name}: unknown lane {spec.lane!r}; known are {LANES}")
        check_scripted_route(spec, episode, junction, simulation.tick)
    for sign in episode.signs:
        if sign.arm not in junction.arms:
            raise ValueError(f"sign {sign.name}: no arm {sign.arm!r}; the junction has {sorted(junction.arms)}")
        pack_sign(design_of(sign), sign.weathering)
    check_changes(episode)
    return road_map, junction


def place(
    episodes: Sequence[Episode],
    places: Sequence[tuple[RoadMap, Junction | Route]],
    maps: MapBatch,
    tick: float,
    capacity: Capacity,
) -> InitialState:
    """The initial states of episodes' worlds.

    Args:
        places: of each episode, see `locate`.
        maps: the batch whose numbers the rows have; maps, paths and lanes are added where they are new.
        tick: length of a tick [s].
        capacity: of the rows, with room for every episode.

    Raises:
        ValueError: where an actor has no free place, or a decision does not fit its episode.
    """
    worlds = len(episodes)
    made = InitialState(
        empty_world(worlds, capacity.slots, capacity.routes),
        empty_traffic(worlds, capacity.slots, capacity.scripts),
        empty_followers(worlds, capacity.slots, capacity.trails) if capacity.followers else None,
        np.zeros((worlds, 2), np.float32),
        {},
        {},
    )
    for w, (episode, (road_map, junction)) in enumerate(zip(episodes, places)):
        alone = _Row(row(made.world, w), row(made.traffic, w), made.followers and row(made.followers, w))
        if episode.changes:
            made.weather[w] = weather_table(episode, tick)
        made.world.weather[w] = made.weather[w][0] if episode.changes else episode.weather.array()
        made.world.time_limit[w] = round(episode.time_limit / tick)
        made.goal[w] = (0.0, DEVIATION) if episode.route else (episode.finish, ANYWHERE)
        _place_ego(alone.world, episode, road_map, junction, maps)
        if episode.decision_spec is not None:
            made.detectors[w] = detector_for(episode, road_map, junction)
        if isinstance(junction, Junction):  # along a route there are no other actors
            _place_others(alone, episode, road_map, junction, maps, tick)
    return made


def _place_ego(world: World, episode: Episode, road_map: RoadMap, junction: Junction | Route, maps: MapBatch) -> None:
    world.map[:], world.seed[:] = maps.add(road_map), episode.seed & 0xFFFFFFFF
    world.shown_decision[:], world.clock[:] = UNDECIDED, LIGHTS_OFF
    routes = ways_of(episode, junction)
    distance = 0.0 if episode.route else start_distance([r.junction_in for r in routes], episode.distance)
    for r, route in enumerate(routes):
        world.route[0, r] = maps.path(road_map, route.path, route, episode.route or None)
        world.route_s[0, r] = route.junction_in - distance
    x, y, yaw = pose_at(routes[0].path, routes[0].junction_in - distance)
    write_actor(world, 0, "car", x, y, yaw, 0)
    world.speed[:, 0] = episode.speed


def _place_others(
    alone: _Row, episode: Episode, road_map: RoadMap, junction: Junction, maps: MapBatch, tick: float
) -> None:
    """Place actors, signs and traffic, in this order of slots; traffic last, because it keeps clear of the others."""
    world = alone.world
    for i, actor in enumerate(episode.actors, start=1):
        if actor.present and actor.sent:
            assert alone.followers is not None  # see `Capacity.with_room_for`
            schedule_arrival(world, alone.followers, i, episode, road_map, junction, maps, tick)
        elif actor.present:
            _place_actor(alone, i, actor, road_map, junction, maps)
    for i, sign in enumerate(episode.signs, start=1 + len(episode.actors)):
        if sign.present:
            _place_sign(world, i, sign, junction)
    if (spec := episode.traffic) is not None:
        maps.link_lanes(road_map)
        if spec.lights:
            world.clock[:] = np.random.default_rng([episode.seed & 0xFFFFFFFF, 0x11647]).integers(120) * 1000
        first = actor_slots(episode) - spec.slots
        spawn_traffic(world, alone.traffic, first, spec, road_map, maps.roads, reserved_areas(episode, junction))


def _place_actor(alone: _Row, i: int, spec: ActorSpec, road_map: RoadMap, junction: Junction, maps: MapBatch) -> None:
    """Place an actor that is parked, follows its lane or has a script."""
    world = alone.world
    if spec.bay:
        write_actor(world, i, spec.kind, *parked_in(spec, road_map), spec.colour)
        return
    lane, s, x, y, yaw = actor_place(spec, junction)
    write_actor(world, i, spec.kind, x, y, yaw, spec.colour)
    if spec.script is not None:
        set_script(world, alone.traffic, i, spec)
    elif spec.speed > 0:
        world.speed[0, i] = world.target_speed[0, i] = spec.speed
        world.path[0, i] = maps.path(road_map, lane)
        world.path_s[0, i] = s


def _place_sign(world: World, i: int, sign: SignSpec, junction: Junction) -> None:
    """Place a sign's post beside the inbound lane, facing oncoming vehicles."""
    face = design_of(sign)
    x, y, yaw = sign_place(sign, junction)
    world.kind[0, i], world.appearance[0, i] = SIGN, pack_sign(face, sign.weathering)
    world.x[0, i], world.y[0, i] = x, y
    world.yaw[0, i] = np.arctan2(-np.sin(yaw), -np.cos(yaw))
    world.length[0, i] = world.width[0, i] = POST
    world.height[0, i], world.overhang[0, i] = face.panel[1] + face.panel[2], POST / 2
