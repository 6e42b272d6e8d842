"""Does a served world grow? Births and deaths by the thousand, an hour of ticks, and what the server holds meanwhile.

    python benchmarks/carla_soak.py
    python benchmarks/carla_soak.py --share 0.02 --most 20

Takes some minutes and prints a row a phase: resident memory before it, after each fifth of it, and what was added since
the first fifth, when caches that fill once are full; files open before it, and after it once
whoever lingers has had the time to go; actors there before and after, and
the highest id. The client is CARLA's own. Ends with 1 where a phase grew by more than --most.
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
VISITS = 5_000  # of readers that are gone at once
MAPS = 100
PARTS = 5  # of a phase, after each of which the server is looked at
EVERY = 100  # ticks, a camera more is opened and closed
CARS = 8
SPARE = 2  # files that a phase may leave open
HEADS = f"{'phase':<40} {'times':>7} {'MB before':>9} {'and after each fifth':^40} {'added':>6} {'files':>9} {'actors':>9} {'id':>6}"  # noqa: E501


class Soak:
    """A client that keeps a server busy and looks at what that holds.

    Args:
        server: to look at.

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
        """The world that is there now, which ticks when it is told."""
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
        """Do something `count` times and print what the server held on the way."""
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
        """A camera of a car that is listened to for a tick: a stream of its own."""
        eye = self.world.spawn_actor(
            self._eye, self._carla.Transform(self._carla.Location(x=0.5, z=1.4)), attach_to=car
        )
        eye.listen(lambda image: None)
        self.world.tick()
        eye.stop()
        eye.destroy()

    def birth(self, i: int) -> None:
        """A car is born and dies, every tenth with a camera."""
        car = self.world.spawn_actor(self._car, self._points[i % len(self._points)])
        self.world.tick()  # before that the client takes it for dead
        if i % 10 == 0:
            self.camera(car)
        car.destroy()

    def drive(self) -> Callable[[int], None]:
        """Cars, and a camera that is read all the time, for ticks in which now and then another one comes and goes."""
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
        """Somebody connects to both ports, asks for half a thing, and is gone."""
        with socket.create_connection(("127.0.0.1", self._server.port)) as call:
            call.sendall(b"\x94\x00\x01\xa7ver")
        with socket.create_connection(("127.0.0.1", self._server.streams)) as reader:
            reader.sendall(struct.pack("<I", 1))
        self.client.get_server_version()

    def load(self, i: int) -> None:
        """A map that nobody has seen."""
        opendrive = GENERATORS["crossroads"]() + f"<!-- {i} -->"
        self.world = self.client.generate_opendrive_world(opendrive, self._carla.OpendriveGenerationParameters(), False)


def main() -> int:
    """Run all phases against one server."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="of everything, for a first look")
    parser.add_argument(
        "--most", type=float, default=float("inf"), help="MB that a phase may add after its first fifth"
    )
    parser.add_argument("--maps", type=int, default=MAPS, help="that are loaded, of either kind")
    options = parser.parse_args()
    births, ticks, visits = (max(PARTS, round(n * options.share)) for n in (BIRTHS, HOUR, VISITS))
    with Server() as server:
        soak = Soak(server)
        print(HEADS)
        soak.watch("births and deaths, a camera in ten", births, soak.birth)
        soak.watch(f"ticks, {CARS} cars, streams come and go", ticks, soak.drive())
        soak.watch("readers and callers gone at once", visits, soak.visit)
        if options.maps:
            soak.watch("the map loaded anew", options.maps, lambda i: soak.client.reload_world(False) and None)
            soak.watch("maps that nobody has seen", options.maps, soak.load)
    print(f"the most that a phase added after its first fifth: {soak.added:+.1f} MB")
    return int(soak.added > options.most)


if __name__ == "__main__":
    sys.exit(main())
