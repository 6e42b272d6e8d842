"""One CARLA server that hosts one of our worlds: connect, spawn an episode on its map, tick, and clean up."""

from __future__ import annotations

import contextlib
import math
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sim.actors.registry import EGO
from sim.actors.signs import SIGN
from sim.carla.blueprint_mapping import BlueprintMapping, place_of, pose_from
from sim.carla.control import control_of
from sim.carla.sensors import Missing, SensorRig
from sim.datatypes.action import Action
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.road_map import RoadMap
from sim.datatypes.simulation import Simulation
from sim.datatypes.world_state import World
from sim.road.graph.lane_graph import LIGHTS, lane_graph
from sim.road.graph.traffic_lights import light_state, signal_plans
from sim.road.opendrive.reader import text_for_carla
from sim.sensors.base import Sensor
from sim.sensors.gnss import geo_reference

ATTEMPTS = 4  # at connecting, and at setting an episode up again
BACK_OFF = 0.5  # [s] before the second attempt; twice as long before each later one
ROUNDING = 1e-3  # [m, rad] between a pose sent and the same pose read back
_state = light_state.py_func


class ServerLost(ConnectionError):
    """A server does not answer after all attempts."""


class ActorLost(Exception):
    """The server, or an actor on it, is gone."""


class Session:
    """The client side of one server.

    Args:
        host, port: of it. timeout: of every call [s].
        camera: on ego. simulation: the tick. sensors: ego's other sensors, by name.

    Attributes:
        instruments: ego's camera and sensors, with their measurements of the last tick.
        recovered_errors: errors, and how each was recovered, in the order of events.
    """

    def __init__(
        self, host: str, port: int, timeout: float, camera: Camera, simulation: Simulation,
        sensors: Mapping[str, Sensor] | None = None,
    ) -> None:  # fmt: skip
        self.host, self.port, self._timeout = host, port, timeout
        self._camera_settings, self._simulation, self._carried = camera, simulation, dict(sensors or {})
        self.recovered_errors: list[str] = []
        self.version = ""  # of the server, once it was found
        self.instruments: SensorRig | None = None
        self._abandoned: list[Any] = []
        self._digest = ""
        self._actors: dict[int, int] = {}  # row -> id
        self._keys: dict[int, tuple[int, int]] = {}  # row -> kind and appearance of its actor
        self._sent: dict[int, tuple[float, float, float, float]] = {}
        self._lights: list[tuple[int, Any]] = []
        self._shown: list[int] = []
        self.cast: BlueprintMapping
        self._client: Any = None
        self._world: Any = None
        self._before: Any = None  # settings of the server as they were found

    # -------------------------------------------------------------------------------------------- connecting
    def connect(self) -> None:
        """Connect to the server, and store its settings.

        Raises:
            ServerLost: when it does not answer. ValueError: when it is of another version.
        """
        import carla

        pause = BACK_OFF
        for attempt in range(ATTEMPTS):
            try:
                with socket.create_connection((self.host, self.port), self._timeout):
                    pass  # a port without a listener fails at once; the client would wait
                client = carla.Client(self.host, self.port)
                client.set_timeout(self._timeout)
                version, mine = client.get_server_version(), client.get_client_version()
                self.version = version
                if version != mine:
                    raise ValueError(f"{self} is CARLA {version}; this client speaks {mine} only")
                self._client, self._world = client, client.get_world()
                if self._before is None:
                    self._before = self._world.get_settings()
                self.cast = BlueprintMapping(self._world.get_blueprint_library())
                return
            except (RuntimeError, OSError) as error:
                if attempt == ATTEMPTS - 1:
                    raise ServerLost(f"no CARLA server answers at {self} ({error})") from error
            time.sleep(pause)
            pause *= 2.0

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def _load(self, road_map: RoadMap) -> None:
        import carla

        if self._digest != road_map.digest:
            # our own server compiles the text as it is; Unreal's parser needs it repaired
            text = road_map.opendrive if self.cast.ours else text_for_carla(road_map.opendrive, road_map.name)
            self._world = self._client.generate_opendrive_world(text, carla.OpendriveGenerationParameters())
            self._digest = road_map.digest
            self._actors.clear()
            graph = lane_graph(road_map.opendrive, road_map.name)
            plans = signal_plans(graph)
            wanted = {str(graph.signal_ids[g]): int(plans[g]) for g, k in enumerate(graph.signal_types) if k in LIGHTS}
            self._own_clock()
            self._world.tick()
            lights = {
                light.get_opendrive_id(): light for light in self._world.get_actors().filter("traffic.traffic_light*")
            }
            self._lights = [(plan, lights[name]) for name, plan in wanted.items() if name in lights]
            if self._lights:
                self._world.freeze_all_traffic_lights(True)
        self._own_clock()

    def _own_clock(self) -> None:
        settings = self._world.get_settings()
        settings.synchronous_mode = True
        settings.fixed_delta_seconds = self._simulation.tick
        settings.substepping = True
        settings.max_substeps = self._simulation.substeps
        settings.max_substep_delta_time = self._simulation.tick / self._simulation.substeps
        self._world.apply_settings(settings)

    # ----------------------------------------------------------------------------------------------- an episode
    def start(self, episode: Episode, road_map: RoadMap, world: World, w: int) -> None:
        """Spawn world w of the local state on the server, and take the first picture.

        Raises:
            ActorLost: when the server, or ego on it, is gone.
        """
        import carla

        with _lost():
            self._load(road_map)
            self._strike()
            self._world.set_weather(carla.WeatherParameters(*(float(v) for v in world.weather[w])))
            self._shown = []
            for i in np.flatnonzero(world.kind[w]):
                self._enter(episode, world, w, int(i))
            self._set_lights(int(world.clock[w]))
            self.instruments = SensorRig(
                self._camera_settings,
                self._carried,
                self._simulation.tick,
                episode.seed,
                self.cast,
                geo_reference(road_map),
            )
            self.instruments.mount(self._world, self._world.get_actor(self._actors[0]))
            self._tick()
            self._set_off(world, w)

    def put_ego(self, world: World, w: int) -> None:
        """Put ego where world w has it, with its speed, and measure; the others stay where they are.

        Raises:
            ActorLost: when the server, or ego on it, is gone.
        """
        import carla

        ego = self._actors[0]
        with _lost():
            x, y, degrees = place_of(world, w, 0)
            place = carla.Transform(carla.Location(x, y, 0.0), carla.Rotation(yaw=degrees))
            self._apply([carla.command.SetSimulatePhysics(ego, False), carla.command.ApplyTransform(ego, place)])
            self._tick()
            self._set_off(world, w)

    def _set_off(self, world: World, w: int) -> None:
        """Enable physics of ego, and give ego the speed of world w."""
        import carla

        ego, yaw, speed = self._actors[0], float(world.yaw[w, 0]), float(world.speed[w, 0])
        velocity = carla.Vector3D(speed * math.cos(yaw), -speed * math.sin(yaw), 0.0)
        self._apply([carla.command.ApplyTargetVelocity(ego, velocity), carla.command.SetSimulatePhysics(ego, True)])

    def _tick(self) -> None:
        """Tick the server once, and collect all measurements of the tick."""
        assert self.instruments is not None
        frame = self._world.tick(self._timeout)
        try:
            self.instruments.look(frame, self._timeout)
        except Missing as error:
            raise ActorLost(str(error)) from None

    def _enter(self, episode: Episode, world: World, w: int, i: int) -> None:
        """Spawn row i of world w, without physics: every tick puts it where the local world has it."""
        import carla

        sign = episode.signs[i - 1 - len(episode.actors)] if world.kind[w, i] == SIGN else None
        x, y, degrees = place_of(world, w, i)
        place = carla.Transform(carla.Location(x, y, 0.0), carla.Rotation(yaw=degrees))
        actor = self._world.spawn_actor(self.cast.actor(world, w, i, sign), place)
        self._actors[i], self._keys[i] = actor.id, (int(world.kind[w, i]), int(world.appearance[w, i]))
        if actor.type_id.startswith(("vehicle.", "walker.")):
            actor.set_simulate_physics(False)
        self._sent[i] = (math.nan,) * 4

    # --------------------------------------------------------------------------------------------------- ticks
    def tick(
        self, episode: Episode, world: World, w: int, action: Action, weather: np.ndarray | None
    ) -> None:  # fmt: skip
        """Apply ego's action, put the others where the local world has them, tick, and write the result into the world.

        Args:
            weather: (14,) of the coming tick, None where it does not change.

        Raises:
            ActorLost: when the server, or ego on it, is gone.
        """
        import carla

        with _lost():
            control = control_of(action, EGO)
            pedals = carla.VehicleControl(
                float(control.throttle[0]), float(control.steer[0]), float(control.brake[0]), False,
                bool(control.reverse[0]),
            )  # fmt: skip
            self._apply([carla.command.ApplyVehicleControl(self._actors[0], pedals), *self._moves(episode, world, w)])
            self._set_lights(int(world.clock[w]))
            if weather is not None:
                self._world.set_weather(carla.WeatherParameters(*(float(v) for v in weather)))
            self._tick()
            self._read(world, w)

    def _moves(self, episode: Episode, world: World, w: int) -> list[Any]:
        """Return the commands that put all actors but ego where the local world has them."""
        import carla

        commands = []
        for i in range(1, world.kind.shape[1]):
            key = (int(world.kind[w, i]), int(world.appearance[w, i]))
            if i in self._actors and self._keys[i] != key:  # it has left, or another actor has taken the row
                commands.append(carla.command.DestroyActor(self._actors.pop(i)))
            if key[0] == 0:
                continue
            if i not in self._actors:
                self._enter(episode, world, w, i)
            x, y, degrees = place_of(world, w, i)
            speed = float(world.speed[w, i])
            if self._sent.get(i) != (x, y, degrees, speed):
                yaw = math.radians(degrees)
                place = carla.Transform(carla.Location(x, y, 0.0), carla.Rotation(yaw=degrees))
                velocity = carla.Vector3D(speed * math.cos(yaw), speed * math.sin(yaw), 0.0)
                commands.append(carla.command.ApplyTransform(self._actors[i], place))
                commands.append(carla.command.ApplyTargetVelocity(self._actors[i], velocity))
                self._sent[i] = (x, y, degrees, speed)
        return commands

    def _read(self, world: World, w: int) -> None:
        """Write the snapshot's poses into the world: ego's, and those of actors that are not where they were put.

        An actor that is where it was put keeps the local digits: rounded anew in every tick, it would drift.
        """
        snapshot = self._world.get_snapshot()
        for i, number in self._actors.items():
            found = snapshot.find(number)
            if found is None:
                raise ActorLost(f"actor {number} of row {i} is gone")
            place = found.get_transform()
            middle = float(world.length[w, i]) / 2.0 - float(world.overhang[w, i])
            x, y, yaw = pose_from(place.location.x, place.location.y, place.rotation.yaw, middle)
            if i == 0:
                self._read_ego(found, world, w, x, y, yaw)
                continue
            off = abs(x - world.x[w, i]) + abs(y - world.y[w, i])
            turned = abs(math.remainder(yaw - float(world.yaw[w, i]), 2.0 * math.pi))
            if off > ROUNDING or turned > ROUNDING:
                world.x[w, i], world.y[w, i], world.yaw[w, i] = x, y, yaw
                self.recovered_errors.append(f"{self}: actor {number} in row {i} is {off:.3g} m from where it was put")

    def _read_ego(self, found: Any, world: World, w: int, x: float, y: float, yaw: float) -> None:
        velocity = found.get_velocity()
        speed = np.float32(velocity.x * math.cos(yaw) - velocity.y * math.sin(yaw))
        world.x[w, 0], world.y[w, 0], world.yaw[w, 0] = x, y, yaw
        world.acceleration[w, 0] = (speed - world.speed[w, 0]) / np.float32(self._simulation.tick)
        world.speed[w, 0], world.steer[w, 0] = speed, self._wheel(found.id)

    def _wheel(self, ego: int) -> float:
        """Return the angle of ego's front wheels, in our frame [rad]."""
        import carla

        actor = self._world.get_actor(ego)
        return -math.radians(actor.get_wheel_steer_angle(carla.VehicleWheelLocation.FL_Wheel))

    def _set_lights(self, clock: int) -> None:
        """Set the server's lights to their states at the local world's clock [ms]."""
        import carla

        states = [int(_state(plan, clock)) for plan, _ in self._lights]
        if states == self._shown:
            return
        names = [carla.TrafficLightState.Red, carla.TrafficLightState.Yellow, carla.TrafficLightState.Green]
        for k, (_, light) in enumerate(self._lights):
            if k >= len(self._shown) or self._shown[k] != states[k]:
                light.set_state(names[states[k]] if states[k] < len(names) else carla.TrafficLightState.Off)
        self._shown = states

    def _apply(self, commands: Sequence[Any]) -> None:
        for answer in self._client.apply_batch_sync(list(commands), False):
            if answer.error:
                raise ActorLost(answer.error)

    # -------------------------------------------------------------------------------------------------- the end
    def _strike(self) -> None:
        """Destroy all actors of this session."""
        import carla

        gone = list(self._actors.values())
        if self.instruments is not None:
            gone = self.instruments.stop() + gone
        self.instruments = None
        if gone:
            self._client.apply_batch_sync([carla.command.DestroyActor(n) for n in gone], False)
        self._clear()

    def _clear(self) -> None:
        for known in (self._actors, self._keys, self._sent):
            known.clear()

    def forget(self) -> None:
        """Drop everything known about the server: it may be another one.

        CARLA's client may crash when a sensor of a lost server stops listening, so no sensor is stopped.
        """
        self._abandoned.append((self._client, self._world, self.instruments, self._lights))
        self._digest, self._shown, self._lights, self.instruments = "", [], [], None
        self._clear()

    def close(self) -> None:
        """Restore the server, if it still answers: destroy our actors, and reset its lights and its clock."""
        if self._client is None:
            return
        farewell: list[Callable[[], None]] = [self._strike]
        if self._lights:
            farewell += [
                self._world.reset_all_traffic_lights, lambda: self._world.freeze_all_traffic_lights(False)
            ]  # fmt: skip
        farewell.append(lambda: self._world.apply_settings(self._before))
        for part in farewell:
            try:
                part()
            except RuntimeError as error:
                self.recovered_errors.append(f"{self}: {error}; the server was not fully restored")
                if not self._answers():
                    break
        self._client = self._world = None

    def _answers(self) -> bool:
        """Return whether the server answers at all."""
        with contextlib.suppress(RuntimeError):
            return bool(self._client.get_server_version())
        return False


@contextlib.contextmanager
def _lost() -> Any:
    """Raise the client's time-outs and server errors as ActorLost."""
    try:
        yield
    except RuntimeError as error:
        raise ActorLost(str(error)) from error
