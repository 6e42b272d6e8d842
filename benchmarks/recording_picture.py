"""Draws docs/images/recording.jpg: a frame of the video that `dagger film recording` makes of a recording.

    python benchmarks/recording_picture.py

A client of `dagger serve` lets a Traffic Manager drive four cars, draws their boxes, their speeds, the lane ahead of
its own car and names of places, and records that.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import cv2

from sim.carla.load_clients import Server, connect_load
from sim.carla.server.recording.recorder import lines_of
from sim.carla.server.recording.replay import Replay, actors_of, followed
from sim.carla.server.recording.video import Shot, film

SHOWN = Path(__file__).parent.parent / "docs" / "images" / "recording.jpg"
NAME = "recording_picture.log"
TICKS = 142  # of the recording; the last one is shown
QUALITY = 88


def record(client: Any, world: Any) -> Path:
    """Drive and draw for TICKS; returns the path of the recording."""
    import carla

    library, points, town = world.get_blueprint_library(), world.get_map().get_spawn_points(), world.get_map()
    path = Path(client.start_recorder(NAME))
    kinds = ("tesla.model3", "audi.a2", "carlamotors.firetruck", "bh.crossbike")
    cars = []
    for kind, point in zip(kinds, (points[0], *points[1:8:2])):
        blueprint = library.find(f"vehicle.{kind}")
        blueprint.set_attribute("role_name", "hero" if not cars else "autopilot")
        cars.append(world.spawn_actor(blueprint, point))
    world.tick()
    manager = client.get_trafficmanager(8000 + world.id % 1000 + 12)
    manager.set_synchronous_mode(True)
    for car in cars:
        car.set_autopilot(True, manager.get_port())
    for waypoint in town.generate_waypoints(8.0):
        at = waypoint.transform.location + carla.Location(z=0.3)
        world.debug.draw_point(at, 0.25, carla.Color(40, 120, 255), 0.0)
    for i, point in enumerate(points[:20]):
        at = point.location + carla.Location(z=1.5)
        world.debug.draw_string(at, f"spawn {i}", True, carla.Color(255, 255, 0), 0.0)
    for _ in range(TICKS):
        draw(world.debug, cars, town)
        world.tick()
    client.stop_recorder()
    manager.set_synchronous_mode(False)
    world.tick()
    return path


def draw(pen: Any, cars: list[Any], town: Any) -> None:
    """Draw boxes, speeds, and the lane ahead of the first car, for one tick."""
    import carla

    for car in cars:
        place, box, velocity = car.get_transform(), car.bounding_box, car.get_velocity()
        box.location = place.transform(box.location)
        pen.draw_box(box, place.rotation, 0.06, carla.Color(0, 255, 80) if car.id != cars[0].id else
                     carla.Color(255, 160, 0), -1.0)  # fmt: skip
        above = place.location + carla.Location(z=2.2)
        pen.draw_arrow(above, above + velocity * 0.8, 0.12, 0.6, carla.Color(255, 0, 0), -1.0)
    way = [town.get_waypoint(cars[0].get_location())]
    while len(way) < 16 and (ahead := way[-1].next(2.0)):
        way.append(ahead[0])
    for one, other in itertools.pairwise(way):
        ends = (w.transform.location + carla.Location(z=0.1) for w in (one, other))
        pen.draw_line(*ends, 0.2, carla.Color(230, 0, 230), -1.0)


def main() -> None:
    """Record, render the video, and write its last frame."""
    with Server() as server:
        path = record(*connect_load(server.port))
    shot = Shot(f"{path.name} · grid_town", followed(actors_of(lines_of(path))))
    for frame in film(Replay(lines_of(path)), shot):
        picture = frame
    cv2.imwrite(str(SHOWN), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    print(f"{SHOWN.name}: {SHOWN.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
