"""The in-process world: B worlds in arrays, stepped and rendered by kernels on the CPU, without a server.

World w's bytes depend on its own episode and actions alone, never on the batch size, the threads or the other
worlds: kernels share no state between worlds, and the machine code is the same for every batch size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import ClassVar

import numpy as np

from sim.actors.registry import BODIES
from sim.actors.signs import POST, SIGN, pack_sign
from sim.core.kernel import parallel_for
from sim.core.tables import grow
from sim.datatypes.action import Action, Observation
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode, SignSpec
from sim.datatypes.road_map import Junction, MapArrays, RoadMap, Route
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import PER_WORLD, UNDECIDED
from sim.datatypes.world_state import World
from sim.dynamics.impairment import steering_swing
from sim.perception.ground_truth import GroundTruth, ground_truth
from sim.render.assets.sign_art import design_of
from sim.render.rgb import render
from sim.road.graph.decision_points import parked_in
from sim.road.graph.keypoint_route import DEVIATION, route_through
from sim.road.graph.placement import LANES, actor_place, actor_slots, pose_at, reserved_areas, sign_place, ways_of
from sim.road.graph.traffic_lights import LIGHTS_OFF
from sim.road.map.loading import load_map, read_map
from sim.road.map.map_batch import MapBatch, start_distance
from sim.road.map.surface import DRIVES
from sim.sensors.base import Sensor
from sim.sensors.registry import sense
from sim.traffic.arrival_timing import check_scripted_route, schedule_arrival
from sim.traffic.route_follower import SLOT_FIELDS, RouteFollowers, clear, empty_followers, step_followers, with_trails
from sim.traffic.spawning import set_script, spawn_traffic, write_actor
from sim.traffic.state import empty_traffic, slot_fields, with_scripts
from sim.traffic.step import advance
from sim.world.decisions.registry import DecisionDetector, detector_for
from sim.world.step import ANYWHERE, EGO_LIMITS, EVALUATE_TERMINATION, RUNNING, STEP_ACTORS, TIMEOUT, WHOLE, step_worlds
from sim.world.weather_schedule import check_changes, weather_table

ROUTES = 3  # initial route slots, for the turns left, right, straight; `_make_ways` adds more where needed
_PER_ROUTE = ("route", "route_s", "route_offset")


def empty_world(worlds: int, actors: int) -> World:
    """A World of zeros, without actors."""
    types: dict[str, type] = dict.fromkeys((*PER_WORLD, "kind", "appearance", "path", "route"), np.int32)
    types["seed"] = np.uint32
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(World._fields, (worlds, actors))
    shapes |= dict.fromkeys(PER_WORLD, (worlds,))
    shapes |= dict.fromkeys(_PER_ROUTE, (worlds, ROUTES))
    shapes["weather"] = (worlds, 14)
    return World(**{name: np.zeros(shapes[name], types.get(name, np.float32)) for name in World._fields})


class EmbeddedWorld:
    """The `Backend` that runs in this process.

    Args:
        worlds: B.
        camera: mounted on every ego.
        simulation: tick, substeps and number of actor slots.
        threads: for stepping and rendering; never changes a result.
        search: folders of OpenDRIVE files; None for `sim.road.map.loading.default_search()`.
        sensors: additional sensors of every ego, by name; `sense` reads them.
    """

    can_rerender = True
    most: ClassVar[int | None] = None  # no limit on the number of worlds, see `sim.world.context.BackendFactory`

    def __init__(
        self,
        worlds: int,
        camera: Camera | None = None,
        simulation: Simulation | None = None,
        threads: int = 1,
        search: Sequence[FilePath] | None = None,
        sensors: Mapping[str, Sensor] | None = None,
    ) -> None:
        if worlds < 1 or threads < 1:
            raise ValueError(f"worlds={worlds}, threads={threads}: both must be at least 1")
        self.worlds, self.threads = worlds, threads
        self.camera = camera or Camera()
        self.simulation = simulation or Simulation()
        self.sensors = dict(sensors or {})
        self.maps = MapBatch()
        self.episodes: list[Episode | None] = [None] * worlds
        self._search = search
        self._goal = np.zeros((worlds, 2), np.float32)  # [m] beyond the junction to arrive, off the route to end
        self._lit, self._crowded, self._sent = False, False, False  # any running lights, traffic, route followers
        self._changing: dict[int, np.ndarray] = {}  # slot -> weather by tick, where it changes
        self._detectors: dict[int, DecisionDetector] = {}  # slot -> detector of a decision other than an exit
        slots = max(self.simulation.actors, self.simulation.slots)
        self.world = empty_world(worlds, slots)
        self.traffic = empty_traffic(worlds, slots)
        self.followers: RouteFollowers | None = None  # until an episode has actors on scripted routes
        self.world.outcome[:] = TIMEOUT  # nothing runs before the first reset

    @property
    def recovered_errors(self) -> list[str]:
        """Always empty: nothing here fails and recovers."""
        return []

    @property
    def versions(self) -> dict[str, str]:
        """Always empty: there is no external software."""
        return {}

    @property
    def substitutions(self) -> list[str]:
        """Always empty: this is the reference."""
        return []

    def reset(self, episodes: Sequence[Episode], slots: Sequence[int] | None = None) -> None:
        """Start `episodes` in `slots`; see `Backend.reset`."""
        slots = list(range(self.worlds)) if slots is None else [int(w) for w in slots]
        if len(slots) != len(episodes):
            raise ValueError(f"{len(episodes)} episodes for {len(slots)} slots; one each is wanted")
        if len(set(slots)) != len(slots) or not all(0 <= w < self.worlds for w in slots):
            raise ValueError(f"slots are {slots}; wanted different ones from 0 to {self.worlds - 1}")
        # All maps are loaded before any episode is placed: a reset that fails leaves every world as it was.
        places = [self._look_up(episode) for episode in episodes]
        self._make_room(max((actor_slots(e) for e in episodes if e.signs or e.traffic), default=0))
        self._make_ways(max((len(ways_of(episode, place)) for episode, (_, place) in zip(episodes, places)), default=0))
        if self.traffic.path.shape[:2] != self.traffic.driver.shape[:2] and any(
            a.script for e in episodes for a in e.actors
        ):
            self.traffic = with_scripts(self.traffic)
        if sent := [a for e in episodes for a in e.actors if a.sent]:
            self.followers = self.followers or empty_followers(self.worlds, 1)
            tails = any(a.tailgates is not None for a in sent)
            if (more := self.world.kind.shape[1] - self.followers.role.shape[1]) > 0:
                self.followers = grow(self.followers, SLOT_FIELDS, more)
            if tails:
                self.followers = with_trails(self.followers)
        kept = [a for a in (*self.world, *self.traffic, *(self.followers or ()), self._goal) if len(a) == self.worlds]
        before, driven = [array[slots] for array in kept], list(self.episodes)
        changing, trials = dict(self._changing), dict(self._detectors)
        try:
            for w, episode, (road_map, junction) in zip(slots, episodes, places):
                self._place(w, episode, road_map, junction)
        except ValueError:  # an actor has no free place, which only shows once the others are placed
            for array, rows in zip(kept, before):
                array[slots] = rows
            self._changing, self._detectors, self.episodes = changing, trials, driven
            raise
        self._lit, self._crowded = bool((self.world.clock >= 0).any()), bool(self.traffic.busy.any())
        self._sent = self.followers is not None and bool(self.followers.busy.any())

    def _look_up(self, episode: Episode) -> tuple[RoadMap, Junction | Route]:
        """Load the episode's map and its junction or route; raise ValueError if the episode cannot be placed there."""
        if len(episode.actors) + 1 > self.simulation.actors:
            raise ValueError(
                f"episode of {episode.scenario} has {len(episode.actors)} other actors; "
                f"Simulation(actors={self.simulation.actors}) has room for {self.simulation.actors - 1}"
            )
        if episode.route:
            if names := [*(a.name for a in episode.actors), *(s.name for s in episode.signs)]:
                raise ValueError(f"{names[0]} stands at a junction, but the episode has a route and no junction")
            road_map = read_map(episode.map, self._search)
            return road_map, route_through(road_map, episode.route)
        road_map, junction = load_map(episode.map, self._search)
        ways_of(episode, junction)
        for spec in episode.actors:
            if spec.arm not in junction.arms:
                raise ValueError(f"actor {spec.name}: no arm {spec.arm!r}; the junction has {sorted(junction.arms)}")
            if spec.kind not in BODIES:
                raise ValueError(f"actor {spec.name}: unknown kind {spec.kind!r}; known are {sorted(BODIES)}")
            if spec.lane not in LANES:
                raise ValueError(f"actor {spec.name}: unknown lane {spec.lane!r}; known are {LANES}")
            check_scripted_route(spec, episode, junction, self.simulation.tick)
        for sign in episode.signs:
            if sign.arm not in junction.arms:
                raise ValueError(f"sign {sign.name}: no arm {sign.arm!r}; the junction has {sorted(junction.arms)}")
            pack_sign(design_of(sign), sign.weathering)
        check_changes(episode)
        return road_map, junction

    def _make_room(self, slots: int) -> None:
        """Add slots to every world: signs follow the actors, beyond `Simulation.actors` if the actors fill it."""
        if (more := slots - self.world.kind.shape[1]) <= 0:
            return
        apart = ("weather", *_PER_ROUTE)
        per_slot = [name for name, array in self.world._asdict().items() if array.ndim == 2 and name not in apart]
        self.world = grow(self.world, per_slot, more, {"path": -1})
        self.traffic = grow(self.traffic, slot_fields(self.traffic), more)
        if self.followers is not None:
            self.followers = grow(self.followers, SLOT_FIELDS, max(slots - self.followers.role.shape[1], 0))

    def _make_ways(self, ways: int) -> None:
        """Add route slots to every world, up to `ways`, where a decision point has more routes than a junction."""
        if (more := ways - self.world.route.shape[1]) <= 0:
            return
        self.world = grow(self.world, _PER_ROUTE, more, {"route": -1})

    def _place(self, w: int, episode: Episode, road_map: RoadMap, junction: Junction | Route) -> None:
        world = self.world
        for name, array in world._asdict().items():
            array[w] = -1 if name in ("path", "route") else 0
        self.traffic.driver[w], self.traffic.kinematics[w], self.traffic.busy[w] = 0, 0.0, 0
        if self.followers is not None:
            clear(self.followers, w)
        world.map[w] = self.maps.add(road_map)
        world.seed[w] = episode.seed & 0xFFFFFFFF
        self._changing.pop(w, None)
        if episode.changes:
            self._changing[w] = weather_table(episode, self.simulation.tick)
        world.weather[w] = self._changing[w][0] if episode.changes else episode.weather.array()
        world.shown_decision[w] = UNDECIDED
        world.clock[w] = LIGHTS_OFF
        world.time_limit[w] = round(episode.time_limit / self.simulation.tick)
        self._goal[w] = (0.0, DEVIATION) if episode.route else (episode.finish, ANYWHERE)
        self._place_ego(w, episode, road_map, junction)
        self._detectors.pop(w, None)
        if episode.decision_spec is not None:
            self._detectors[w] = detector_for(episode, road_map, junction)
        self.episodes[w] = episode
        if isinstance(junction, Route):  # such an episode has no other actors
            return
        for i, actor in enumerate(episode.actors, start=1):
            if actor.present:
                self._place_actor(w, i, episode, road_map, junction)
        for i, sign in enumerate(episode.signs, start=1 + len(episode.actors)):
            if sign.present:
                self._place_sign(w, i, sign, junction)
        if (spec := episode.traffic) is not None:
            self.maps.link_lanes(road_map)
            if spec.lights:
                world.clock[w] = np.random.default_rng([episode.seed & 0xFFFFFFFF, 0x11647]).integers(120) * 1000
            first = actor_slots(episode) - spec.slots
            spawn_traffic(
                world, self.traffic, w, first, spec, road_map, self.maps.roads, reserved_areas(episode, junction)
            )

    def _place_ego(self, w: int, episode: Episode, road_map: RoadMap, junction: Junction | Route) -> None:
        world = self.world
        routes = ways_of(episode, junction)
        distance = 0.0 if episode.route else start_distance([r.junction_in for r in routes], episode.distance)
        for r, route in enumerate(routes):
            world.route[w, r] = self.maps.path(road_map, route.path, route, episode.route or None)
            world.route_s[w, r] = route.junction_in - distance
        x, y, yaw = pose_at(routes[0].path, routes[0].junction_in - distance)
        write_actor(world, w, 0, "car", x, y, yaw, 0)
        world.speed[w, 0] = episode.speed

    def _place_actor(self, w: int, i: int, episode: Episode, road_map: RoadMap, junction: Junction) -> None:
        spec = episode.actors[i - 1]
        if spec.sent:
            assert self.followers is not None  # `reset` creates it before placing actors
            schedule_arrival(
                self.world, self.followers, w, i, episode, road_map, junction, self.maps, self.simulation.tick
            )
            return
        if spec.bay:
            write_actor(self.world, w, i, spec.kind, *parked_in(spec, road_map), spec.colour)
            return
        lane, s, x, y, yaw = actor_place(spec, junction)
        write_actor(self.world, w, i, spec.kind, x, y, yaw, spec.colour)
        if spec.script is not None:
            set_script(self.world, self.traffic, w, i, spec)
        elif spec.speed > 0:
            world = self.world
            world.speed[w, i] = world.target_speed[w, i] = spec.speed
            world.path[w, i] = self.maps.path(road_map, lane)
            world.path_s[w, i] = s

    def _place_sign(self, w: int, i: int, sign: SignSpec, junction: Junction) -> None:
        """Place a sign's post beside the inbound lane, facing oncoming vehicles."""
        world, face = self.world, design_of(sign)
        x, y, yaw = sign_place(sign, junction)
        world.kind[w, i], world.appearance[w, i] = SIGN, pack_sign(face, sign.weathering)
        world.x[w, i], world.y[w, i] = x, y
        world.yaw[w, i] = np.arctan2(-np.sin(yaw), -np.cos(yaw))
        world.length[w, i] = world.width[w, i] = POST
        world.height[w, i], world.overhang[w, i] = face.panel[1] + face.panel[2], POST / 2

    def step(self, action: Action) -> None:
        """Advance every running world one tick; see `Backend.step`."""
        asked = self.checked(action)
        self._move_crowd()
        self._do(WHOLE, asked)

    def checked(self, action: Action) -> Action:
        """Validate an action, add the steering swing of drowsy drivers, and fill in its missing parts.

        Raises:
            ValueError: see `Backend.step`.
        """
        steer = np.ascontiguousarray(action.steer, np.float32)
        acceleration = np.ascontiguousarray(action.acceleration, np.float32)
        if steer.shape != (self.worlds,) or acceleration.shape != (self.worlds,):
            raise ValueError(
                f"steer {steer.shape} and acceleration {acceleration.shape} were given; both must be ({self.worlds},)"
            )
        reverse = np.zeros(self.worlds, bool) if action.reverse is None else np.ascontiguousarray(action.reverse, bool)
        if reverse.shape != (self.worlds,):
            raise ValueError(f"reverse {reverse.shape} was given; it must be ({self.worlds},) or None")
        wrong = ~(np.isfinite(steer) & np.isfinite(acceleration)) & (self.world.outcome == RUNNING)
        if wrong.any():
            w = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"action of world {w} is steer={steer[w]}, acceleration={acceleration[w]}; finite numbers are wanted"
            )
        return Action(self._with_weave(steer), acceleration, reverse)

    def move_others(self) -> None:
        """The first part of a tick: advance all actors but ego, given ego's current pose.

        For callers that move ego by other means and then call `evaluate_termination`; `step` does both and moves ego.
        """
        self._move_crowd()
        self._do(STEP_ACTORS)

    def evaluate_termination(self) -> None:
        """The last part of a tick: evaluate ego's outcome at its current pose, and set the weather of the new tick."""
        self._do(EVALUATE_TERMINATION)

    def coming_weather(self, w: int) -> np.ndarray | None:
        """(14,) the weather of world w at the next tick; None where the weather never changes."""
        table = self._changing.get(w)
        return None if table is None else table[min(self.world.tick[w] + 1, len(table) - 1)]

    def _do(self, parts: int, asked: Action | None = None) -> None:
        """Run parts of the step kernel; after EVALUATE_TERMINATION also the decision detectors and the weather."""
        bank, dt, substeps = self.maps.arrays, np.float32(self.simulation.tick), self.simulation.substeps
        nothing = np.zeros(self.worlds, np.float32)
        asked = asked or Action(nothing, nothing, nothing > 0)
        judged = (
            [w for w in self._detectors if self.world.outcome[w] == RUNNING] if parts & EVALUATE_TERMINATION else []
        )
        parallel_for(
            lambda start, stop: step_worlds(
                bank, self.world, self._goal, EGO_LIMITS, DRIVES, asked.steer, asked.acceleration, asked.reverse, dt,
                substeps, parts, start, stop,
            ),
            self.worlds,
            self.threads,
            least=256,  # a step is so short that a thread does not pay off for fewer worlds
        )  # fmt: skip
        for w in judged:
            self._detectors[w].look(self.world, bank, w)
        if parts & EVALUATE_TERMINATION:
            self._change_weather()

    def _move_crowd(self) -> None:
        bank, dt = self.maps.arrays, np.float32(self.simulation.tick)
        self._move_others(bank, dt)
        if self._sent:
            self._drive_errands(bank, dt)

    def _with_weave(self, steer: np.ndarray) -> np.ndarray:
        """The requested steering, with the swing of drowsy drivers added."""
        drowsy = [
            w
            for w, e in enumerate(self.episodes)
            if e is not None and e.driver_state is not None and e.driver_state.drowsy
        ]
        if drowsy:
            steer = steer.copy()
            steer[drowsy] += steering_swing([self.episodes[w] for w in drowsy], self.world.tick[drowsy])  # type: ignore[misc]
        return steer

    def _change_weather(self) -> None:
        """Set each changing weather to that of its world's tick; a table lookup, so rounding does not accumulate."""
        for w, table in self._changing.items():
            self.world.weather[w] = table[min(self.world.tick[w], len(table) - 1)]

    def _move_others(self, bank: MapArrays, dt: np.float32) -> None:
        """Advance traffic, pedestrians, scripted actors and the traffic lights' clocks, given ego's current pose."""
        if self._lit:
            ticking = (self.world.clock >= 0) & (self.world.outcome == RUNNING)
            self.world.clock[ticking] += round(self.simulation.tick * 1000)
        if not self._crowded:
            return
        roads, traffic = self.maps.roads, self.traffic
        parallel_for(
            lambda start, stop: advance(
                self.world, traffic, roads, bank.points, bank.path_start, bank.junction_in, dt, start, stop
            ),
            self.worlds,
            self.threads,
            least=64,
        )

    def _drive_errands(self, bank: MapArrays, dt: np.float32) -> None:
        """Advance actors on scripted routes through the junction or tailgating ego, given ego's current pose."""
        parallel_for(
            lambda start, stop: step_followers(
                self.world,
                self.followers,
                bank.points,
                bank.path_start,
                bank.junction_in,
                bank.junction_out,
                dt,
                start,
                stop,
            ),
            self.worlds,
            self.threads,
            least=64,
        )

    def observe(self, slots: np.ndarray | None = None) -> Observation:
        """Camera images and speeds; see `Backend.observe`."""
        world = self._rows(slots)
        camera = render(self.maps.arrays, world, self.camera, threads=self.threads)
        return Observation(camera=camera, speed=world.speed[:, 0].copy())

    def sense(self, slots: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Current readings of each ego's `sensors`: name -> (B, ...); of the given slots only, if any are given.

        Raises:
            ValueError: for a world without an episode.
        """
        return sense(self.sensors, self.maps, self._rows(slots), self.threads)

    def state(self, slots: np.ndarray | None = None) -> GroundTruth:
        """The current ground truth in each ego's frame; of the given slots only, if any are given.

        Raises:
            ValueError: for a world without an episode.
        """
        return ground_truth(self._rows(slots), self.maps, self.camera, self.threads)

    def _rows(self, slots: np.ndarray | None) -> World:
        """The rows of the given slots, all of which must have an episode."""
        chosen = range(self.worlds) if slots is None else np.arange(self.worlds)[slots]
        if unknown := [int(w) for w in chosen if self.episodes[w] is None]:
            raise ValueError(f"world {unknown[0]} has no episode yet; reset it before looking")
        return self.world if slots is None else World(*(a[slots] for a in self.world))

    def sync_ego(self, other: World) -> None:
        """Copy every ego's pose, motion, progress and outcome from another world of the same shape.

        Called after `step`, this makes a world the *shadow* of another one in which one proposition differs: the
        other actors move by their own rules (an actor may be present in one of the two only), ego is the other
        world's ego, and the weather is that of its own episode at the other's tick.
        """
        for name in ("x", "y", "yaw", "speed", "steer", "acceleration"):
            getattr(self.world, name)[:, 0] = getattr(other, name)[:, 0]
        for name in ("tick", "outcome", "shown_decision", "route_s", "route_offset"):
            getattr(self.world, name)[:] = getattr(other, name)
        self._change_weather()

    def close(self) -> None:
        """Do nothing: no resource is held outside this process's memory."""
