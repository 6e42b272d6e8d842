"""The server: two ports, a served world, and its clock, in one event loop of its own process."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sim.carla.server import methods  # noqa: F401  (they register their methods)
from sim.carla.server.activity_log import ActivityLog
from sim.carla.server.actors import Actor
from sim.carla.server.recording import recorder  # noqa: F401  (it registers its methods)
from sim.carla.server.registry import METHODS
from sim.carla.server.rpc import Connection, Refused
from sim.carla.server.spawn_points import spawn_points
from sim.carla.server.streams import Session, Streams
from sim.carla.server.warm_up import BackgroundCompiler, group_of, warm_up
from sim.carla.server.world import SETTINGS, ServedWorld
from sim.datatypes.episode import MapSpec
from sim.datatypes.road_map import RoadMap
from sim.road.generators import registry as maps
from sim.road.graph.lane_graph import lane_graph
from sim.road.map.compiler import compiled
from sim.road.map.loading import default_search, read_map
from sim.road.opendrive.reader import text_for_carla

OPENDRIVE = "OpenDriveMap"  # CARLA's name for a map that came as text
REMEMBERED = 4  # maps cached in memory, some ten MB each; clients may send any number, and all are on disk
HEARD = 0.01  # [s] from a snapshot to answers about its new actors: it comes on another connection
Result = TypeVar("Result")
log = logging.getLogger("homunculus.serve")


class Server:
    """A CARLA server without Unreal.

    Args:
        road_map: the first map; name: its name for clients.
        search: folders of OpenDRIVE files; None for `sim.road.map.loading.default_search()`.
    """

    def __init__(self, road_map: RoadMap, name: str, search: Sequence[Path] | None = None) -> None:
        self._first, self.map_name = road_map, name
        self._search = default_search() if search is None else search
        self.streams = Streams()
        self.tally = ActivityLog()
        self.connections: set[Connection] = set()
        self.pending: RoadMap | None = None
        self.managers: dict[int, str] = {}  # ports of Traffic Managers, which live in clients, and their hosts
        self.port = self.stream_port = 0
        self.busy = 0  # running threads
        self.world: ServedWorld
        self._clock: asyncio.Task[None] | None = None
        self._expected: list[asyncio.Future[None]] = []
        self._servers: list[asyncio.Server] = []
        self._points: list[Any] | None = None
        self._compiler = BackgroundCompiler()

    async def start(self, host: str, port: int, precompile: bool = False) -> None:
        """Open both ports, the second one above the first, or any free ones where `port` is 0.

        Args:
            precompile: whether the kernels of all sensors are compiled before clients are accepted.

        Raises:
            OSError: where a port is taken.
        """
        loop = asyncio.get_running_loop()
        # bound first, so that a taken port fails at once; clients are accepted once the first tick is fast
        rpc = await loop.create_server(
            lambda: Connection(METHODS, self, self.tally), host, port, start_serving=False, reuse_address=True
        )
        self._servers.append(rpc)
        self.port = rpc.sockets[0].getsockname()[1]
        stream = await loop.create_server(
            lambda: Session(self.streams), host, self.port + 1 if port else 0, start_serving=False, reuse_address=True
        )
        self._servers.append(stream)
        self.stream_port = stream.sockets[0].getsockname()[1]
        self._compiler.start()
        await self.apart(warm_up, self._first)
        if precompile:
            await self._compiler.all_ready()
        self.world = ServedWorld(self._first, self.streams, self.stream_port)
        gc.collect()
        gc.freeze()  # objects made so far stay for good: garbage collections would scan them again and again
        self.mode_changed()
        for server in reversed(self._servers):  # the stream port accepts first, so that a client finds it
            await server.start_serving()

    async def stop(self) -> None:
        """Disconnect all clients and close the ports."""
        if self._clock is not None:
            self._clock.cancel()
        self.streams.close_all()
        for connection in list(self.connections):
            connection.end()
        for server in self._servers:
            server.close()
        await self._compiler.stop()

    async def apart(self, call: Callable[..., Result], *arguments: Any) -> Result:
        """Run a slow call in a thread of its own; the end of the server does not wait for it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()

        def tell(result: Any, error: Exception | None) -> None:
            if not future.done():
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(error)

        def work() -> None:
            result, error = None, None
            try:
                result = call(*arguments)
            except Exception as wrong:
                error = wrong
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(tell, result, error)
            self.busy -= 1

        self.busy += 1
        threading.Thread(target=work, daemon=True).start()
        return await future

    # --------------------------------------------------------------------------------------------------- time
    def mode_changed(self) -> None:
        """Start the clock in asynchronous mode; stop it in synchronous mode, where clients tick."""
        if self.world.synchronous:
            if self._clock is not None:
                self._clock.cancel()
                self._clock = None
            waiting, self._expected = self._expected, []
            _release(waiting)
        elif self._clock is None:
            self._clock = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        """Tick in real time, `step_length` of the world each."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self.world.step_length, loop.time() - 1.0)  # at most a second late, then it drops the delay
            await asyncio.sleep(max(0.0, due - loop.time()))
            try:
                self.world.tick()
            except Exception:
                log.exception("a tick failed")
            waiting, self._expected = self._expected, []
            loop.call_later(HEARD, _release, waiting)

    def spawned(self, actor: Actor) -> Any:
        """Return the answer about a spawned actor: in asynchronous mode after a snapshot with it, else at once.

        A Traffic Manager that learns of a vehicle before its snapshot has it drops the vehicle for ever. The answer
        about a sensor waits until its kernels are compiled.
        """
        return self.shown(actor.packed(), [actor])

    def shown(self, answer: Any, actors: Sequence[Actor]) -> Any:
        """Return an answer that names spawned actors, delayed like `spawned`'s."""
        groups = [group for a in actors if (group := group_of(self.world, a)) and self._compiler.waits(group)]
        if self.world.synchronous and not groups:
            return answer

        async def late() -> Any:
            for group in groups:
                await self._compiler.ready(group)
            if not self.world.synchronous:
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._expected.append(future)
                await future
            return answer

        return late()

    # --------------------------------------------------------------------------------------------------- maps
    def map_names(self) -> list[str]:
        """Return the names of all maps that a client can load."""
        files = [p for folder in self._search for p in sorted(folder.glob("*.xodr"))]
        return [f"/Game/Carla/Maps/{name}" for name in dict.fromkeys([*(p.stem for p in files), *maps.GENERATORS])]

    def find_map(self, name: str) -> tuple[RoadMap, str]:
        """Return a map by its name, or the present one for an empty name; and its name for clients.

        Raises:
            Refused: for an unknown name, with the known ones.
        """
        if not name:
            return self.world.road_map, self.map_name
        short = name.rsplit("/", 1)[-1]
        if short == OPENDRIVE and self.pending is not None:
            return self.pending, f"Carla/Maps/{OPENDRIVE}"
        return prepared(map_named(name, self._search)), f"Carla/Maps/{Path(short).stem}"

    def compile(self, opendrive: str) -> RoadMap:
        """Return the map of an OpenDRIVE text.

        Raises:
            Refused: with the reason, for an invalid text.
        """
        try:
            return prepared(compiled(opendrive, OPENDRIVE))
        except ValueError as error:
            raise Refused(str(error)) from error

    def load(self, road_map: RoadMap, name: str, reset_settings: bool) -> None:
        """Start a new episode on a map, and notify all clients."""
        if reset_settings:
            self.world.settings = list(SETTINGS)
        self.world.load(road_map)
        self.map_name, self._points = name, None
        self.world.frame += 1
        self.world.new_records()
        self.world.announce()
        self.mode_changed()

    @property
    def ticks(self) -> int:
        """The number of ticks so far; every map but the first takes a frame of its own."""
        return self.world.frame - self.world.episode + 1

    def spawn_points(self) -> list[Any]:
        """Return the transforms of the spawn points on the map's lanes."""
        if self._points is None:
            self._points = spawn_points(self.world.road_map)
        return self._points


def _release(waiting: list[asyncio.Future[None]]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None)


def prepared(road_map: RoadMap) -> RoadMap:
    """Return a map whose lanes are computed, so that loading it is fast and cannot fail."""
    try:
        if compiled.cache_info().currsize > REMEMBERED:
            compiled.cache_clear()
        lane_graph(road_map.opendrive, road_map.name)
        text_for_carla(road_map.opendrive, road_map.name)
    except ValueError as error:
        raise Refused(str(error)) from error
    return road_map


def map_named(name: str, search: Sequence[Path]) -> RoadMap:
    """Return a map by a generator's name, a file's path, or a file's name in one of the folders.

    Raises:
        Refused: for an unknown name, with the known ones.
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


def run(
    road_map: RoadMap, name: str, host: str, port: int, search: Sequence[Path], ready: Callable[[Server], None],
    ended: Callable[[Server], None] = lambda server: None, precompile: bool = False,
) -> bool:  # fmt: skip
    """Serve until interrupted; returns False where a thread still works on a map that no client waits for any longer.

    Args:
        ready: called once the ports are open; ended: called when they are closed.
        precompile: whether the kernels of all sensors are compiled before clients are accepted.

    Raises:
        OSError: where a port is taken.
    """

    server = Server(road_map, name, search)

    async def main() -> None:
        over = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, over.set)
        begun, told = asyncio.ensure_future(server.start(host, port, precompile)), asyncio.ensure_future(over.wait())
        await asyncio.wait((begun, told), return_when=asyncio.FIRST_COMPLETED)
        try:
            if begun.done():
                begun.result()
                ready(server)
                await told
                ended(server)
        finally:
            begun.cancel()
            await server.stop()

    asyncio.run(main())
    return server.busy == 0
