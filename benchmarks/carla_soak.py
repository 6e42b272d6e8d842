"""Does a served world grow? Births and deaths by the thousand, an hour of ticks, and what the server holds meanwhile.

`python benchmarks/carla_soak.py` takes some minutes and prints a row a phase; the client is CARLA's own.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sim.carla.loads import Server

BIRTHS = 10_000
HOUR = 72_000  # ticks of 0.05 s
PARTS = 5  # of a phase, after each of which the server is looked at
FORGOTTEN = 0.2  # of a phase: caches that fill once are full by then


def held(process: int) -> tuple[float, int]:
    """Resident memory [MB] and open files of a process."""
    folder = Path(f"/proc/{process}")
    pages = int((folder / "statm").read_text().split()[1])
    return pages * 4096 / 1e6, len(list((folder / "fd").iterdir()))


def watched(server: Server, name: str, count: int, act: Callable[[int], None]) -> None:
    """Do something `count` times and print what the server held on the way."""
    row = []
    for part in range(PARTS + 1):
        row.append(held(server.pid))
        if part < PARTS:
            for i in range(count * part // PARTS, count * (part + 1) // PARTS):
                act(i)
    memory, files = zip(*row)
    shown = " ".join(f"{m:8.1f}" for m in memory)
    grown = memory[-1] - memory[1]
    print(f"{name:<34} {count:>7,} times  MB: {shown}  grown since the first fifth: {grown:+.1f}  files: {files[0]} "
          f"to {files[-1]}", flush=True)  # fmt: skip


def main() -> None:
    """Run all phases against one server."""
    import carla

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the births and ticks, for a first look")
    births, ticks = (round(n * parser.parse_args().share) for n in (BIRTHS, HOUR))
    with Server() as server:
        client = carla.Client("127.0.0.1", server.port)
        client.set_timeout(60.0)
        world = client.get_world()
        settings = world.get_settings()
        settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.05
        world.apply_settings(settings)
        library = world.get_blueprint_library()
        points = world.get_map().get_spawn_points()
        eye = library.find("sensor.camera.rgb")
        eye.set_attribute("image_size_x", "64")
        eye.set_attribute("image_size_y", "32")
        kept: list[Any] = []

        def birth(i: int) -> None:
            car = world.spawn_actor(library.find("vehicle.tesla.model3"), points[i % len(points)])
            world.tick()  # before that the client takes it for dead
            if i % 10 == 0:  # a camera that is listened to is a stream of its own
                camera = world.spawn_actor(eye, carla.Transform(carla.Location(z=1.4)), attach_to=car)
                camera.listen(lambda image: None)
                world.tick()
                camera.stop()
                camera.destroy()
            car.destroy()

        watched(server, "births and deaths, a camera in ten", births, birth)
        for point in points[:8]:
            kept.append(world.spawn_actor(library.find("vehicle.tesla.model3"), point))
        camera = world.spawn_actor(eye, carla.Transform(carla.Location(z=1.4)), attach_to=kept[0])
        camera.listen(lambda image: None)
        kept.append(camera)
        for car in kept[:8]:
            car.apply_control(carla.VehicleControl(throttle=0.3, steer=0.4))
        watched(server, "ticks with 8 cars and a camera", ticks, lambda i: world.tick() and None)
        camera.stop()
        watched(server, "maps loaded", max(10, round(births / 200)), lambda i: client.reload_world(False) and None)


if __name__ == "__main__":
    main()
