"""Benchmark clients that load a CARLA server, and a server process to measure."""

from __future__ import annotations

import functools
import itertools
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

DELTA = 0.05  # [s] of a tick
VEHICLES = 40  # that a Traffic Manager drives
SETTLING = 60  # ticks before anything is measured
TIMEOUT = 30.0  # [s] beyond its working time after which a client counts as hung
LOADS: tuple[str, ...] = ("one vehicle", "one camera", "traffic")


class Server:
    """A `dagger serve` process on any free ports, as a context manager that ends it.

    Args:
        options: of `dagger serve`.

    Attributes:
        port: of its RPC; streams: port of its streams. process: the process.

    Raises:
        ValueError: with its output, where it did not start.
    """

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "dagger.cli", "serve", "--port", "0", *options],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if found := re.search(r"serving .* on \S+:(\d+) \(streams on (\d+)\)", line):
                self.port, self.streams = int(found[1]), int(found[2])
                return
        self.close()
        raise ValueError(f"the server did not start: {''.join(said).strip()[-300:]}")

    def close(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.communicate(timeout=30)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def connect_load(port: int, synchronous: bool = True) -> tuple[Any, Any]:
    """Return a client and its world, in synchronous or asynchronous mode."""
    import carla

    client = carla.Client("127.0.0.1", port)
    client.set_timeout(60.0)
    world = client.get_world()
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = synchronous, DELTA
    world.apply_settings(settings)
    return client, world


def query_load(port: int) -> Callable[[], int]:
    """Return a call that reads the settings once in asynchronous mode, as Traffic Managers do all the time."""
    client, world = connect_load(port, synchronous=False)

    def ask(alive: Any = client) -> int:
        world.get_settings()
        return 1

    return ask


def spawn_load(port: int) -> Callable[[], int]:
    """Return a call that spawns a car, ticks once and destroys the car."""
    client, world = connect_load(port)
    blueprint = world.get_blueprint_library().find("vehicle.tesla.model3")
    points = world.get_map().get_spawn_points()
    spawns = itertools.count()

    def bear(alive: Any = client) -> int:
        car = world.spawn_actor(blueprint, points[next(spawns) % len(points)])
        world.tick()
        car.destroy()
        return 1

    return bear


def map_load(port: int, maps: tuple[str, str] = ("crossroads", "grid_town")) -> Callable[[], int]:
    """Return a call that loads a map, another one each time; both were loaded before."""
    client, _ = connect_load(port, synchronous=False)
    names = itertools.cycle(maps)
    for name in maps:
        client.load_world(name)

    def load() -> int:
        client.load_world(next(names))
        return 1

    return load


def tick_load(port: int, load: str) -> Callable[[], int]:
    """Return a call that ticks the server once and returns 1, under one of LOADS.

    Raises:
        ValueError: for an unknown load.
    """
    if load not in LOADS:
        raise ValueError(f"there is no load {load!r}; known are {', '.join(LOADS)}")
    import carla

    client, world = connect_load(port)
    blueprint = world.get_blueprint_library().find("vehicle.tesla.model3")
    points = world.get_map().get_spawn_points()
    kept: list[Any] = [client]
    if load == "traffic":
        manager = client.get_trafficmanager(port + 2)
        manager.set_synchronous_mode(True)
        manager.set_random_device_seed(1)
        every = len(points) // VEHICLES
        spawn, drive, spawned = carla.command.SpawnActor, carla.command.SetAutopilot, carla.command.FutureActor
        commands = [
            spawn(blueprint, p).then(drive(spawned, True, manager.get_port())) for p in points[::every][:VEHICLES]
        ]
        answers = client.apply_batch_sync(commands, True)
        if wrong := [a.error for a in answers if a.error]:
            raise ValueError(f"{len(wrong)} of {VEHICLES} vehicles were not spawned: {wrong[0]}")
        kept.append(manager)
    else:
        car = world.spawn_actor(blueprint, points[0])
        kept.append(car)
        if load == "one camera":
            eye = world.get_blueprint_library().find("sensor.camera.rgb")
            eye.set_attribute("image_size_x", "200")
            eye.set_attribute("image_size_y", "88")
            camera = world.spawn_actor(eye, carla.Transform(carla.Location(x=0.5, z=1.4)), attach_to=car)
            camera.listen(lambda image: None)
            kept.append(camera)
    for _ in range(SETTLING):
        world.tick()

    def tick(alive: list[Any] = kept) -> int:  # `kept` must live as long as this may be called
        world.tick()
        return 1

    return tick


WORK: dict[str, Callable[[int], Callable[[], int]]] = {
    "calls": query_load, "spawns": spawn_load, "maps": map_load,
    **{load: functools.partial(tick_load, load=load) for load in LOADS},
}  # fmt: skip


class Driver:
    """A client process that does one of WORK on request.

    A Traffic Manager's threads end their process when they lose their server, so the client must end before the server.

    Args:
        port: of the server's RPC. work: one of WORK.
    """

    def __init__(self, port: int, work: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sim.carla.load_clients", str(port), work],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def measure(self, seconds: float) -> tuple[float, float]:
        """Work for `seconds`, once at least; returns how often the work was done, and how long that took [s].

        Raises:
            TimeoutError: when it is not done TIMEOUT seconds later. ValueError: when the client ends.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        late = threading.Timer(seconds + TIMEOUT, self._process.kill)
        late.start()
        try:
            print(seconds, file=self._process.stdin, flush=True)
            for line in self._process.stdout:
                if line.startswith("did "):
                    _, done, took = line.split()
                    return float(done), float(took)
            if not late.is_alive():
                raise TimeoutError(f"a client of the served world was not done {TIMEOUT:g} s after its time")
            raise ValueError(f"a client of the served world ended with {self._process.wait()}")
        finally:
            late.cancel()

    def close(self) -> None:
        """Kill the process, whatever it does."""
        self._process.kill()
        self._process.communicate()


def main(port: int, work: str) -> None:
    """Work for the number of seconds in every line of standard input."""
    once = WORK[work](port)
    for line in sys.stdin:
        seconds, done, began = float(line), 0, time.perf_counter()
        while not done or time.perf_counter() - began < seconds:
            done += once()
        print("did", done, time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
