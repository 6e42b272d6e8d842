"""The served world: a map with its actors and weather; a tick steps it and sends all measurements."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from sim.actors.registry import BODIES
from sim.actors.tags import TAG_OF_KIND
from sim.carla.blueprint_library import BLUEPRINTS
from sim.carla.blueprints import Blueprint
from sim.carla.server import wire
from sim.carla.server.actors import NO_ACTOR, NO_ROW, Actor, Table, composed
from sim.carla.server.bodies import CONTROLS, Bodies
from sim.carla.server.collisions import in_scenery
from sim.carla.server.debug_drawing import MOST, Drawing, visible
from sim.carla.server.lights import NOON, lights_of
from sim.carla.server.rpc import Refused
from sim.carla.server.sensors import sensor_of
from sim.carla.server.snapshot import MOVES, lights_before, motion
from sim.carla.server.spawning import COLLISION, attributes_of, nudged, place_from, row_of, sign_of, truth_of
from sim.carla.server.speed_limits import SpeedLimits
from sim.carla.server.streams import Streams
from sim.carla.server.vehicle_control import mass_of, pedals_for
from sim.carla.server.walker_control import walk
from sim.datatypes.episode import Weather
from sim.datatypes.road_map import RoadMap
from sim.road.graph.lane_graph import lane_graph
from sim.road.map.map_batch import MapBatch
from sim.road.opendrive.reader import text_for_carla

REAL_TIME = 0.05  # [s] of a tick where no client has set its length
SETTINGS: list[Any] = [False, False, [False], True, 0.01, 10, 0.0, False, 3000.0, 2000.0, True]
SYNCHRONOUS, NO_RENDERING, DELTA, SUBSTEPPING = 0, 1, 2, 3  # indices into the settings
LOOKED_UP = 5  # ticks between two look-ups of a vehicle's speed limit


class ServedWorld:
    """The state of a server's world.

    Args:
        road_map: the first map.
        streams: where measurements go; port: of those streams.

    Attributes:
        contacts: of this tick: actor, other actor (NO_ACTOR for scenery), the impulse upon the first [N s] in CARLA's
            frame.
        drawings: of clients, unless expired.
        before_tick, after_tick: called in every tick with the world, before bodies move and once they have.
    """

    def __init__(self, road_map: RoadMap, streams: Streams, port: int) -> None:
        self.streams, self.port = streams, port
        streams.open()  # the world's own stream, wire.WORLD_STREAM
        self.settings: list[Any] = list(SETTINGS)
        self.frame, self.elapsed, self.episode, self.delta = 0, 0.0, 0, 0.0
        self.before_tick: list[Callable[[ServedWorld], None]] = []
        self.after_tick: list[Callable[[ServedWorld], None]] = []
        self._next_id = 1
        self.table = Table()
        self.recording: Any = None  # a `recorder.Recording`, while one is made
        self._news = 0
        self.load(road_map)

    # --------------------------------------------------------------------------------------------------- map
    def load(self, road_map: RoadMap) -> None:
        """Start a new episode on a map: all actors are destroyed, and frame numbers and ids go on."""
        text = text_for_carla(road_map.opendrive, road_map.name)
        if self.recording is not None:
            self.recording.close()
            self.recording = None
        for actor in list(self.table.by_id.values()) if self.episode else ():
            self._silence(actor)
        self.road_map, self.opendrive = road_map, text
        self.maps = MapBatch()
        self.maps.add(road_map)
        self.episode += 1
        self.elapsed = 0.0
        self.table, self.fleet = Table(), Bodies()
        self.fleet.world.clock[0] = NOON
        self.weather = [float(v) for v in Weather().array()]
        self._rows_of = -1
        self._limit_rows = np.zeros(0, np.int64)
        self.ackermann: set[int] = set()  # ids of vehicles under Ackermann control; with constant speed; of walkers
        self.constant: set[int] = set()
        self.walking: set[int] = set()
        self.drawings: list[Drawing] = []
        self.contacts: list[tuple[int, int, list[float]]] = []
        self._news |= wire.MAP_CHANGED
        self._first_id = self._next_id  # ids go on over all maps; spawn jitter begins anew on each
        self.spectator = self._admit("spectator", [], NO_ACTOR)
        graph = lane_graph(road_map.opendrive, road_map.name)
        self.lights = lights_of(graph, self.maps.arrays.scenery, self._admit, self.table)
        self.limits = SpeedLimits(graph)
        self.set_weather(self.weather)

    def set_weather(self, weather: list[float]) -> None:
        """Set CARLA's fourteen weather numbers, in the order of WEATHER_FIELDS."""
        if len(weather) != 14 or not all(math.isfinite(v) for v in weather):
            raise Refused(f"the weather is {weather}; wanted 14 finite numbers")
        self.weather = [float(v) for v in weather]
        self.fleet.world.weather[0] = self.weather

    def sketch(self, drawing: Drawing) -> None:
        """Add a drawing, in place of the oldest one where there are too many."""
        self.drawings.append(drawing)
        del self.drawings[:-MOST]
        if self.recording is not None:
            self.recording.draw(drawing)

    # ------------------------------------------------------------------------------------------------- actors
    def actor(self, number: Any) -> Actor:
        """Return the actor of an id.

        Raises:
            Refused: where there is none.
        """
        found = self.table.by_id.get(number)
        if found is None:
            raise Refused(f"actor {number} does not exist (any longer)")
        return found

    def was_spawned(self, number: Any) -> bool:
        """Return whether an actor of this id exists or has existed."""
        return type(number) is int and 0 < number < self._next_id

    def body(self, number: Any) -> Actor:
        """Return the actor of an id, which must have a body.

        Raises:
            Refused: where there is none, or it has no body.
        """
        actor = self.actor(number)
        if actor.row == NO_ROW:
            raise Refused(f"actor {number} is a {actor.type}, which has no body")
        return actor

    def _admit(self, kind: str, attributes: list[list[Any]], parent: int, number: int = 0) -> Actor:
        """Add a new actor without a body; `attributes` in their encoding."""
        described = [number, kind, attributes]
        actor = Actor(self._next_id, kind, {a[0]: a[2] for a in attributes}, described, parent)
        self._next_id += 1
        self.table.add(actor)
        return actor

    def spawn(self, description: list[Any], place: list[Any], parent: int = NO_ACTOR, rigid: bool = True) -> Actor:
        """Spawn an actor of a blueprint.

        Args:
            description: ActorDescription; place: Transform, relative to the parent if there is one.

        Raises:
            Refused: for an unknown blueprint or parent, or where the place is occupied.
        """
        number, kind, attributes = description
        if not wire.alike([number, kind], [0, ""]):
            raise Refused(f"the description is of {number!r:.40}, {kind!r:.40}; wanted a number and a blueprint's id")
        blueprint = BLUEPRINTS.get(kind)
        if blueprint is None:
            raise Refused(
                f"there is no blueprint {kind!r}; the library has {len(BLUEPRINTS)}, see get_blueprint_library()"
            )
        if parent != NO_ACTOR:
            self.actor(parent)
        return self._embody(
            blueprint, [number, kind, attributes_of(blueprint, attributes)], place_from(place), parent, rigid
        )

    def _embody(self, blueprint: Blueprint, described: list[Any], place: list[Any], parent: int, rigid: bool) -> Actor:
        values = {a[0]: a[2] for a in described[2]}
        sensor = sensor_of(blueprint.id, values)
        sign = sign_of(blueprint.body, values)
        where = self._birthplace(blueprint, values, place, parent)
        actor = self._admit(described[1], described[2], parent, described[0])
        actor.rigid, actor.sensor, actor.place = rigid, sensor, place
        if blueprint.body:
            self._give_body(actor, blueprint.body, values, sign)
            self.fleet.put(actor.row, where)
        if sensor is not None and sensor.number is not None:
            actor.stream = self.streams.open()
            actor.token = wire.token(actor.stream, self.port)
        self._rows_of = -1
        return actor

    def _birthplace(self, blueprint: Blueprint, values: dict[str, str], place: list[Any], parent: int) -> list[Any]:
        """Return the spawn place of an actor, in the world.

        Raises:
            Refused: where a vehicle or a walker would overlap another body or scenery.
        """
        if parent != NO_ACTOR:
            return composed(self.place_of(self.actor(parent)), place)
        jitter = float(values.get("spawn_jitter", "0"))
        where = nudged(place, jitter, self._next_id - self._first_id) if jitter else place
        body = BODIES.get(blueprint.body)
        if body is None or blueprint.id.startswith("static.") or truth_of(values.get("spawn_overlap", "false")):
            return where
        (x, y, _), (_, yaw, _) = where
        box = x, -y, -math.radians(yaw), body.length, body.width
        if self.fleet.occupant(*box) >= 0 or in_scenery(*box, self.maps.arrays):
            raise Refused(COLLISION)
        return where

    def _give_body(self, actor: Actor, body: str, values: dict[str, str], sign: Any) -> None:
        actor.row, actor.body = row_of(self.fleet, body, values, sign), body
        actor.tags = bytes([int(TAG_OF_KIND[self.fleet.world.kind[0, actor.row]])])
        world = self.fleet.world
        length, width, height = (float(a[0, actor.row]) for a in (world.length, world.width, world.height))
        actor.box = [[0.0, 0.0, height / 2], [length / 2, width / 2, height / 2], [0.0, 0.0, 0.0], actor.id]
        if actor.parent != NO_ACTOR:  # an attached body follows its parent, through any obstacle
            self.fleet.set_physical(actor.row, False)
            self.fleet.solid[actor.row] = False

    def destroy(self, number: int) -> bool:
        """Destroy an actor; its children stay where they are. Returns False where there is no such actor."""
        actor = self.table.by_id.get(number)
        if actor is None or actor is self.spectator or actor.type.startswith("traffic."):
            return False
        for child in [a for a in self.table.by_id.values() if a.parent == number]:
            child.place, child.parent = self.place_of(child), NO_ACTOR
            if child.row != NO_ROW:
                self.fleet.solid[child.row] = True
        self._silence(actor)
        if actor.row != NO_ROW:
            self.fleet.remove(actor.row)
        self.table.remove(actor)
        for group in (self.ackermann, self.constant, self.walking):
            group.discard(number)
        self._rows_of = -1
        return True

    def _silence(self, actor: Actor) -> None:
        if actor.stream:
            self.streams.close(actor.stream)

    def place_of(self, actor: Actor) -> list[Any]:
        """Return the transform of an actor in the world, in its encoding."""
        if actor.row != NO_ROW:
            at, yaw, _ = self.fleet.places(np.array([actor.row]))
            return [at[0].tolist(), [0.0, float(yaw[0]), 0.0]]
        if actor.parent != NO_ACTOR and (parent := self.table.by_id.get(actor.parent)) is not None:
            return composed(self.place_of(parent), actor.place)
        return actor.place

    def put(self, actor: Actor, place: list[Any]) -> None:
        """Teleport an actor; an attached one takes the place relative to its parent.

        Raises:
            Refused: for an invalid place.
        """
        actor.place = place_from(place)
        if actor.row != NO_ROW and actor.parent == NO_ACTOR:
            self.fleet.put(actor.row, actor.place)
        if actor.row == NO_ROW and actor.parent == NO_ACTOR:
            self._write_place(actor)

    # --------------------------------------------------------------------------------------------------- time
    @property
    def synchronous(self) -> bool:
        """Whether the world ticks on a client's request only."""
        return bool(self.settings[SYNCHRONOUS])

    @property
    def step_length(self) -> float:
        """The length of a tick [s]."""
        fixed = self.settings[DELTA]
        return float(fixed[1]) if fixed[0] and fixed[1] > 0.0 else REAL_TIME

    def _substeps(self) -> int:
        """Return the physics steps of a tick, from the settings."""
        substepping, longest, most = self.settings[SUBSTEPPING : SUBSTEPPING + 3]
        return max(1, min(int(most), math.ceil(self.delta / longest - 1e-6))) if substepping and longest > 0.0 else 1

    def tick(self, delta: float | None = None) -> int:
        """Step the world, and send all measurements; returns the number of the frame."""
        self.delta = self.step_length if delta is None else delta
        for call in self.before_tick:
            call(self)
        self.contacts = []
        self._before_moving()
        self.lights.advance(self.delta)
        self.lights.show(self.maps.arrays.scenery)
        self.fleet.step(self.delta, self.maps.arrays, self._substeps())
        self._after_moving()
        self.frame += 1
        self.elapsed += self.delta
        if self.drawings:
            self.drawings = visible(self.drawings, self.elapsed)
        for call in self.after_tick:
            call(self)
        self._write_records()
        if self.recording is not None:
            self.recording.write(self)
        blind = self.settings[NO_RENDERING]
        for actor in self._measuring():
            if self.streams.listens(actor.stream) and not (blind and actor.type.startswith("sensor.camera.")):
                for frame in actor.sensor.frames(self, actor):
                    self.streams.send(actor.stream, frame)
        self.announce()
        return self.frame

    def _before_moving(self) -> None:
        for number in self.ackermann:
            actor = self.table.by_id[number]
            pedals_for(self.fleet, actor.row, actor.facts["ackermann"], self.delta)
        self._keep_constant()
        walk(self, self.delta)

    def _keep_constant(self) -> None:
        for number in self.constant:
            actor = self.table.by_id[number]
            self.fleet.world.speed[0, actor.row] = actor.facts["constant"]

    def _after_moving(self) -> None:
        """Move attached bodies along, and list the contacts of the tick by actor ids."""
        self._keep_constant()
        self._lists()
        for actor in self._riders:
            self._follow(actor)
        if self.fleet.contacts:
            owner = {a.row: a for a in self.table.by_id.values() if a.row != NO_ROW}
            for i, j, speed in self.fleet.contacts:
                self._meet(owner[i], owner.get(j), speed)

    def _follow(self, actor: Actor) -> None:
        """Put an attached body to its place on its parent."""
        carrier = self.actor(actor.parent)
        self.fleet.put(actor.row, composed(self.place_of(carrier), actor.place))
        if carrier.row != NO_ROW:
            arrays = self.fleet.world
            along = math.cos(float(arrays.yaw[0, carrier.row] - arrays.yaw[0, actor.row]))
            arrays.speed[0, actor.row] = arrays.speed[0, carrier.row] * along

    def _meet(self, who: Actor, other: Actor | None, speed: float) -> None:
        yaw = float(self.fleet.world.yaw[0, who.row])
        pushed = -mass_of(who) * speed
        impulse = [pushed * math.cos(yaw), -pushed * math.sin(yaw), 0.0]
        self.contacts.append((who.id, NO_ACTOR if other is None else other.id, impulse))
        if other is not None:
            self.contacts.append((other.id, who.id, [-v for v in impulse]))

    def announce(self) -> None:
        """Send the snapshot."""
        self.streams.send(
            wire.WORLD_STREAM,
            wire.snapshot(
                self.frame, self.elapsed, self.episode, time.monotonic(), self.delta, self._news, self.table.packed()
            ),
        )
        self._news = 0

    def _measuring(self) -> list[Actor]:
        self._lists()
        return self._sensors

    def owners(self) -> np.ndarray:
        """Return (N,) uint32, the actor in every row of the fleet; 0 for none."""
        self._lists()
        out = np.zeros(self.fleet.world.kind.shape[1], np.uint32)
        out[self._body_rows] = self._body_ids
        return out

    def _lists(self) -> None:
        """Cache the lists of bodies and sensors; refreshed after a spawn or a destroy."""
        if self._rows_of == self.table.changes:
            return
        actors = list(self.table.by_id.values())
        self._sensors = [a for a in actors if a.stream]
        bodies = [a for a in actors if a.row != NO_ROW]
        self._body_rows = np.array([a.row for a in bodies], np.int64)
        self._body_ids = np.array([a.id for a in bodies], np.uint32)
        self._body_records = np.array([self.table.index[a.id] for a in bodies], np.int64)
        driven = [a for a in bodies if a.type.startswith("vehicle.")]
        self._driven_rows = np.array([a.row for a in driven], np.int64)
        self._driven_records = np.array([self.table.index[a.id] for a in driven], np.int64)
        self._riders = [a for a in bodies if a.parent != NO_ACTOR]
        self._carried = [(self.table.index[a.id], a) for a in actors if a.row == NO_ROW and a.parent != NO_ACTOR]
        for a in actors:
            if a.row == NO_ROW and a.parent == NO_ACTOR:  # it moves only when `put` moves it
                self._write_place(a)
        self._rows_of, self._told = self.table.changes, -1

    def _write_records(self) -> None:
        self._lists()
        records, fleet, world = self.table.vehicles, self.fleet, self.fleet.world
        if len(self._body_rows):
            here = self._body_records
            moves = self.table.records[here, MOVES].view(np.float32)
            motion(
                self._body_rows, world.x[0], world.y[0], world.yaw[0], world.speed[0], fleet.turning, fleet.middle,
                fleet.physical, np.float32(self.delta), moves,
            )  # fmt: skip
            self.table.records[here, MOVES] = moves.view(np.uint8)
        if len(self._driven_rows):
            rows, here = self._driven_rows, self._driven_records
            if self._told != fleet.changes:
                for name in CONTROLS:
                    records[name][here] = fleet.controls[name][rows]
                self._told = fleet.changes
            self._write_traffic(records, rows, here)
        self.lights.write(self.table)
        for n, actor in self._carried:
            records["location"][n], records["rotation"][n] = self.place_of(actor)

    def _write_place(self, actor: Actor) -> None:
        n = self.table.index[actor.id]
        self.table.vehicles["location"][n], self.table.vehicles["rotation"][n] = actor.place

    def _write_traffic(self, records: np.ndarray, rows: np.ndarray, here: np.ndarray) -> None:
        """Write the speed limit of vehicles, and the traffic light that they stand before."""
        world = self.fleet.world
        if len(self._limit_rows) != len(rows) or self.frame % LOOKED_UP == 0 or (self._limit_rows != rows).any():
            self._limits, self._limit_rows = self.limits.at(world.x[0, rows], world.y[0, rows]) * 3.6, rows
            records["speed_limit"][here] = self._limits
        if not self.lights.all:
            return
        shown, number = np.empty(len(rows), np.int64), np.empty(len(rows), np.uint32)
        ahead = world.length[0] - world.overhang[0]
        lights_before(rows, world.x[0], world.y[0], world.yaw[0], ahead, *self.lights.lines, shown, number)
        records["light_state"][here], records["light_id"][here], records["has_light"][here] = shown, number, number > 0

    def new_records(self) -> None:
        """Write the records of all actors as they are, without a tick."""
        self._write_records()
