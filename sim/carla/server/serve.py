"""The server: two ports, a world, and time, in one event loop of a process of its own."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sim import maps
from sim.carla.catalogue import OF_BODY
from sim.carla.server import (  # noqa: F401  (they register their methods)
    batches,
    episodes,
    people,
    recorder,
    sundries,
    surroundings,
    traffic,
    vehicles,
    walkers,
)
from sim.carla.server.actors import Actor
from sim.carla.server.registry import METHODS
from sim.carla.server.rpc import Connection, Refused
from sim.carla.server.sensors import SENSORS
from sim.carla.server.spawns import spawn_points
from sim.carla.server.streams import Session, Streams
from sim.carla.server.world import SETTINGS, ServedWorld
from sim.config import MapSpec
from sim.road import compiled, read_map
from sim.types import RoadMap

OPENDRIVE = "OpenDriveMap"  # what CARLA calls a map that came as text
HEARD = 0.01  # [s] from a snapshot to answers about who is new in it: it comes on another connection
log = logging.getLogger("homunculus.serve")


class Server:
    """A CARLA without Unreal.

    Args:
        road_map: what it begins with; name: what clients call it.
        search: folders of OpenDRIVE files.
    """

    def __init__(self, road_map: RoadMap, name: str, search: Sequence[Path] = ()) -> None:
        self._first, self.map_name, self._search = road_map, name, tuple(search)
        self.streams = Streams()
        self.unknown: Counter[str] = Counter()
        self.connections: set[Connection] = set()
        self.pending: RoadMap | None = None
        self.managers: dict[int, str] = {}  # ports of Traffic Managers, which live in clients, and their hosts
        self.port = self.stream_port = 0
        self.world: ServedWorld
        self._clock: asyncio.Task[None] | None = None
        self._expected: list[asyncio.Future[None]] = []
        self._servers: list[asyncio.Server] = []
        self._points: list[Any] | None = None

    async def start(self, host: str, port: int) -> None:
        """Open both ports, the second one above the first, or wherever there is room where `port` is 0.

        Raises:
            OSError: where a port is taken.
        """
        loop = asyncio.get_running_loop()
        warm_up(self._first)
        rpc = await loop.create_server(lambda: Connection(METHODS, self, self.unknown), host, port)
        self.port = rpc.sockets[0].getsockname()[1]
        self._servers.append(rpc)
        stream = await loop.create_server(lambda: Session(self.streams), host, self.port + 1 if port else 0)
        self._servers.append(stream)
        self.stream_port = stream.sockets[0].getsockname()[1]
        self.world = ServedWorld(self._first, self.streams, self.stream_port)
        self.mode_changed()

    async def stop(self) -> None:
        """Let everybody go and close the ports."""
        if self._clock is not None:
            self._clock.cancel()
        self.streams.close_all()
        for connection in list(self.connections):
            connection.end()
        for server in self._servers:
            server.close()
        await asyncio.sleep(0)

    # --------------------------------------------------------------------------------------------------- time
    def mode_changed(self) -> None:
        """Time goes on by itself in asynchronous mode, and waits for clients in synchronous mode."""
        if self.world.synchronous:
            if self._clock is not None:
                self._clock.cancel()
                self._clock = None
            waiting, self._expected = self._expected, []
            _release(waiting)
        elif self._clock is None:
            self._clock = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        """Ticks of real time; each is as long as it is said to be."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self.world.step_length, loop.time() - 1.0)  # a second late at most, then it lets go
            await asyncio.sleep(max(0.0, due - loop.time()))
            try:
                self.world.tick()
            except Exception:
                log.exception("a tick failed")
            waiting, self._expected = self._expected, []
            loop.call_later(HEARD, _release, waiting)

    def born(self, actor: Actor) -> Any:
        """The answer about a new actor: in asynchronous mode once a snapshot has shown it, else at once.

        A Traffic Manager that is told of a vehicle which it does not find in its snapshot drops it for ever.
        """
        if self.world.synchronous:
            return actor.packed()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._expected.append(future)

        async def answer() -> list[Any]:
            await future
            return actor.packed()

        return answer()

    # --------------------------------------------------------------------------------------------------- maps
    def map_names(self) -> list[str]:
        """Maps that can be asked for by name."""
        files = [p for folder in self._search for p in sorted(folder.glob("*.xodr"))]
        return [f"/Game/Carla/Maps/{name}" for name in dict.fromkeys([*(p.stem for p in files), *maps.GENERATORS])]

    def find_map(self, name: str) -> tuple[RoadMap, str]:
        """A map by its name, or the one that is there for an empty name; with what clients call it.

        Raises:
            Refused: naming what is known.
        """
        if not name:
            return self.world.road_map, self.map_name
        short = name.rsplit("/", 1)[-1]
        if short == OPENDRIVE and self.pending is not None:
            return self.pending, f"Carla/Maps/{OPENDRIVE}"
        return map_named(name, self._search), f"Carla/Maps/{Path(short).stem}"

    def compile(self, opendrive: str) -> RoadMap:
        """The map of a text.

        Raises:
            Refused: saying what is wrong with it.
        """
        try:
            return compiled(opendrive, OPENDRIVE)
        except ValueError as error:
            raise Refused(str(error)) from error

    def load(self, road_map: RoadMap, name: str, reset_settings: bool) -> None:
        """Begin anew on a map and tell everybody."""
        if reset_settings:
            self.world.settings = list(SETTINGS)
        self.world.load(road_map)
        self.map_name, self._points = name, None
        self.world.frame += 1
        self.world.new_records()
        self.world.announce()
        self.mode_changed()

    def spawn_points(self) -> list[Any]:
        """Transforms on the map's lanes."""
        if self._points is None:
            self._points = spawn_points(self.world.road_map)
        return self._points


def _release(waiting: list[asyncio.Future[None]]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None)


def map_named(name: str, search: Sequence[Path]) -> RoadMap:
    """A map by a generator's name, a file's path, or a file's name in one of the folders.

    Raises:
        Refused: naming what is known.
    """
    short = name.rsplit("/", 1)[-1]
    try:
        if short in maps.GENERATORS:
            return read_map(MapSpec(short))
        for file in (name, f"{short}.xodr", short):
            if file.endswith(".xodr"):
                try:
                    return read_map(MapSpec(None, file=file), search)
                except FileNotFoundError:
                    continue
    except ValueError as error:
        raise Refused(str(error)) from error
    files = sorted({p.stem for folder in search for p in folder.glob("*.xodr")})
    raise Refused(
        f"there is no map {name!r}; known are the generators {', '.join(sorted(maps.GENERATORS))}"
        f" and the files {', '.join(files) or '(none: --maps names a folder)'}"
    )


def warm_up(road_map: RoadMap) -> None:
    """Tick a world that nobody sees, with a vehicle that carries every sensor.

    Kernels that were never called on this machine are compiled at their first call, which takes longer than a client
    waits.
    """
    world = ServedWorld(road_map, Streams(), 0)
    nowhere = [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    car = world.spawn([0, OF_BODY["car"], []], nowhere)
    for name in SENSORS:
        world.spawn([0, name, []], nowhere, car.id)
    world.tick()
    for actor in [a for a in world.table.by_id.values() if a.stream]:
        actor.sensor.frames(world, actor)


def run(
    road_map: RoadMap, name: str, host: str, port: int, search: Sequence[Path], ready: Callable[[Server], None],
    ended: Callable[[Server], None] = lambda server: None,
) -> None:  # fmt: skip
    """Serve until interrupted.

    Args:
        ready: called once the ports are open; ended: called when they are closed.

    Raises:
        OSError: where a port is taken.
    """

    async def main() -> None:
        server, over = Server(road_map, name, search), asyncio.Event()
        await server.start(host, port)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, over.set)
        ready(server)
        try:
            await over.wait()
        finally:
            await server.stop()
            ended(server)

    asyncio.run(main())
