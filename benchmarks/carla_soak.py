"""Soak test of `dagger serve`: does its memory grow over thousands of spawns and an hour of ticks?

    python benchmarks/carla_soak.py
    python benchmarks/carla_soak.py --share 0.02 --most 20

Takes some minutes and prints a row per phase: resident memory before it and after each fifth of it, and what was added
since the first fifth, when caches that fill once are full; files open before it, and after it once lingering readers
had time to leave; actors before and after, and the highest id. The client is CARLA's own. Exits with 1 if a phase grew
by more than --most.
"""

from __future__ import annotations

import argparse
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sim.carla.load_clients import DELTA, Server
from sim.carla.server.streams import LINGER
from sim.road.generators.registry import GENERATORS

BIRTHS = 10_000
HOUR = 72_000  # ticks of DELTA
VISITS = 5_000  # connections that close at once
MAPS = 100
PARTS = 5  # of a phase, after each of which the server is inspected
EVERY = 100  # ticks between two cameras that are opened and closed
CARS = 8
SPARE = 2  # files that a phase may leave open
HEADS = f"{'phase':<40} {'times':>7} {'MB before':>9} {'and after each fifth':^40} {'added':>6} {'files':>9} {'actors':>9} {'id':>6}"  # noqa: E501


class Soak:
    """A client that keeps a server busy, and measures its memory, files and actors.

    Args:
        server: to measure.

    Attributes:
        added: the most that a phase has added to the server's memory [MB].
    """

    def __init__(self, server: Server) -> None:
        import carla

        self._carla, self._server, self.added = carla, server, 0.0
        self.client = carla.Client("127.0.0.1", server.port)
        self.client.set_timeout(60.0)
        self._enter()

    def _enter(self) -> None:
        """Get the current world, and make it synchronous."""
        self.world = self.client.get_world()
        settings = self.world.get_settings()
        settings.synchronous_mode, settings.fixed_delta_seconds = True, DELTA
        self.world.apply_settings(settings)
        library = self.world.get_blueprint_library()
        self._car, self._eye = library.find("vehicle.tesla.model3"), library.find("sensor.camera.rgb")
        self._eye.set_attribute("image_size_x", "64")
        self._eye.set_attribute("image_size_y", "32")
        self._points = self.world.get_map().get_spawn_points()

    def watch(self, name: str, count: int, act: Callable[[int], None]) -> None:
        """Do something `count` times, and print the server's memory, files and actors on the way."""
        folder = Path(f"/proc/{self._server.process.pid}")
        memory, files, actors = [], [], []
        for part in range(PARTS + 1):
            memory.append(int((folder / "statm").read_text().split()[1]) * 4096 / 1e6)
            files.append(len(list((folder / "fd").iterdir())))
            actors.append([a.id for a in self.world.get_actors()])
            if part < PARTS:
                for i in range(count * part // PARTS, count * (part + 1) // PARTS):
                    act(i)
        until = time.monotonic() + LINGER + 5.0  # readers of streams that have ended may stay so long
        while files[-1] > files[0] + SPARE and time.monotonic() < until:
            time.sleep(0.2)
            files[-1] = len(list((folder / "fd").iterdir()))
        added = memory[-1] - memory[1]
        self.added = max(self.added, added)
        fifths = " ".join(f"{m:7.1f}" for m in memory[1:])
        print(f"{name:<40} {count:>7,} {memory[0]:>9.1f} {fifths:^40} {added:>+6.1f} {files[0]:>3} to {files[-1]:>2} "
              f"{len(actors[0]):>3} to {len(actors[-1]):>2} {max(actors[-1]):>6}", flush=True)  # fmt: skip

    def camera(self, car: Any) -> None:
        """Attach a camera to a car and listen to it for one tick, which is a stream of its own."""
        eye = self.world.spawn_actor(
            self._eye, self._carla.Transform(self._carla.Location(x=0.5, z=1.4)), attach_to=car
        )
        eye.listen(lambda image: None)
        self.world.tick()
        eye.stop()
        eye.destroy()

    def spawn(self, i: int) -> None:
        """Spawn a car and destroy it, every tenth with a camera."""
        car = self.world.spawn_actor(self._car, self._points[i % len(self._points)])
        self.world.tick()  # before that the client regards it as destroyed
        if i % 10 == 0:
            self.camera(car)
        car.destroy()

    def drive(self) -> Callable[[int], None]:
        """Spawn cars and a camera that is always read; returns a tick function that sometimes opens another camera."""
        self.world.tick()
        cars = [self.world.spawn_actor(self._car, point) for point in self._points[:CARS]]
        eye = self.world.spawn_actor(self._eye, self._carla.Transform(self._carla.Location(z=1.4)), attach_to=cars[0])
        eye.listen(lambda image: None)
        self.world.tick()
        for car in cars:
            car.apply_control(self._carla.VehicleControl(throttle=0.3, steer=0.4))

        def tick(i: int, eye: Any = eye) -> None:
            if i % EVERY == 0:
                self.camera(cars[i // EVERY % CARS])
            self.world.tick()

        return tick

    def visit(self, i: int) -> None:
        """Connect to both ports, send half a request, and disconnect."""
        with socket.create_connection(("127.0.0.1", self._server.port)) as call:
            call.sendall(b"\x94\x00\x01\xa7ver")
        with socket.create_connection(("127.0.0.1", self._server.streams)) as reader:
            reader.sendall(struct.pack("<I", 1))
        self.client.get_server_version()

    def load(self, i: int) -> None:
        """Load a map that the server has not seen."""
        opendrive = GENERATORS["crossroads"]() + f"<!-- {i} -->"
        self.world = self.client.generate_opendrive_world(opendrive, self._carla.OpendriveGenerationParameters(), False)


def main() -> int:
    """Run all phases against one server."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="share of all counts, for a first look")
    parser.add_argument(
        "--most", type=float, default=float("inf"), help="MB that a phase may add after its first fifth"
    )
    parser.add_argument("--maps", type=int, default=MAPS, help="maps to load, of either kind")
    options = parser.parse_args()
    spawns, ticks, visits = (max(PARTS, round(n * options.share)) for n in (BIRTHS, HOUR, VISITS))
    with Server() as server:
        soak = Soak(server)
        print(HEADS)
        soak.watch("spawned and destroyed, a camera in ten", spawns, soak.spawn)
        soak.watch(f"ticks, {CARS} cars, streams come and go", ticks, soak.drive())
        soak.watch("connections closed at once", visits, soak.visit)
        if options.maps:
            soak.watch("the map loaded again", options.maps, lambda i: soak.client.reload_world(False) and None)
            soak.watch("maps not seen before", options.maps, soak.load)
    print(f"the most that a phase added after its first fifth: {soak.added:+.1f} MB")
    return int(soak.added > options.most)


if __name__ == "__main__":
    sys.exit(main())
