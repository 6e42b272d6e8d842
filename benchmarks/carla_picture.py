"""Draws docs/images/carla.jpg: the sensors of a car in `dagger serve`, read through CARLA's own client.

    python benchmarks/carla_picture.py

A Traffic Manager drives 30 cars through the town until the one with the cameras has another one ahead; then every
sensor of that car is read once.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sim.carla.load_clients import Server
from sim.viz.top_down import PAPER, Text, write

WIDE, HIGH, EDGE, TITLE = 480, 270, 10, 24  # [px] of a picture, between pictures, and for the title above one
SHOWN = Path(__file__).parent.parent / "docs" / "images" / "carla.jpg"
CARS, LATEST = 30, 600  # cars; ticks within which one must come near another
NEAR = (7.0, 18.0)  # [m] ahead of the car with the cameras
METRES = 30.0  # from the middle of the lidar's picture to its edge
QUALITY = 88
_LIDAR = (("channels", 48), ("points_per_second", 1_000_000), ("rotation_frequency", 20), ("range", 60),
          ("upper_fov", 8), ("lower_fov", -28))  # fmt: skip


def frames_of(client: Any) -> dict[str, Any]:
    """Measurement of every sensor, by its blueprint's id, of one tick."""
    import carla

    world = client.get_world()
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.05
    world.apply_settings(settings)
    weather = world.get_weather()
    weather.sun_altitude_angle, weather.cloudiness = 35.0, 20.0
    world.set_weather(weather)
    library, points = world.get_blueprint_library(), world.get_map().get_spawn_points()
    manager = client.get_trafficmanager(8000 + world.id % 1000 + 11)
    manager.set_synchronous_mode(True)
    manager.set_random_device_seed(4)
    kinds = ["tesla.model3", "audi.tt", "mini.cooper_s", "lincoln.mkz_2020", "mercedes.sprinter"]
    cars = []
    for i, point in enumerate(points[:: len(points) // CARS][:CARS]):
        cars.append(world.spawn_actor(library.find(f"vehicle.{kinds[i % len(kinds)]}"), point))
    world.tick()
    for car in cars:
        car.set_autopilot(True, manager.get_port())
    mine = _with_company(world, cars)
    found: dict[str, queue.Queue[Any]] = {}
    for name in (
        "camera.rgb",
        "camera.depth",
        "camera.semantic_segmentation",
        "lidar.ray_cast_semantic",
        "other.radar",
    ):
        blueprint = library.find(f"sensor.{name}")
        place = carla.Transform(carla.Location(x=0.6, z=1.5))
        if name.startswith("camera"):
            blueprint.set_attribute("image_size_x", str(WIDE))
            blueprint.set_attribute("image_size_y", str(HIGH))
            place = carla.Transform(carla.Location(x=-6.5, z=3.2), carla.Rotation(pitch=-12.0))
        elif name.startswith("lidar"):
            place.location.z = 2.0
            for key, value in _LIDAR:
                blueprint.set_attribute(key, str(value))
        else:
            blueprint.set_attribute("points_per_second", "6000")
        found[name] = queue.Queue()
        sensor = world.spawn_actor(blueprint, place, attach_to=mine)
        sensor.listen(found[name].put)
        cars.append(sensor)
    world.tick()
    measured = {name: waiting.get(timeout=20) for name, waiting in found.items()}
    manager.shut_down()
    return measured


def _with_company(world: Any, cars: list[Any]) -> Any:
    """The first car that moves with another one ahead of it."""
    for _ in range(LATEST):
        world.tick()
        for car in cars:
            if not car.is_alive or car.get_velocity().length() < 3.0:
                continue
            place = car.get_transform()
            ahead, aside = place.get_forward_vector(), place.get_right_vector()
            for other in cars:
                if other.id != car.id and other.is_alive:
                    offset = other.get_location() - place.location
                    if NEAR[0] < offset.dot(ahead) < NEAR[1] and abs(offset.dot(aside)) < 6.0:
                        return car
    raise ValueError(f"within {LATEST} ticks no car of {len(cars)} came {NEAR[0]:g} to {NEAR[1]:g} m behind another")


def colours(image: Any) -> np.ndarray:
    """(H, W, 3) RGB of a camera's image."""
    return np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4)[..., 2::-1]


def depth(image: Any) -> np.ndarray:
    """Depth as colours on a logarithmic scale; near is warm."""
    raw = colours(image).astype(float)
    metres = 1000.0 * (raw @ [1.0, 256.0, 65536.0]) / (256**3 - 1)
    share = np.clip(np.log10(np.maximum(metres, 2.0) / 2.0) / np.log10(100.0), 0.0, 1.0)
    return cv2.applyColorMap((255 * (1.0 - share)).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]


def classes(image: Any) -> np.ndarray:
    """Tags in the palette of CityScapes."""
    import carla

    image.convert(carla.ColorConverter.CityScapesPalette)
    return colours(image)


def above(lidar: Any, radar: Any) -> np.ndarray:
    """Lidar and radar returns from above, the car in the middle heading to the right."""
    from sim.actors.tags import PALETTE

    picture = np.full((HIGH, WIDE, 3), 24, np.uint8)
    scale = WIDE / 2.0 / METRES

    def at(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        column, row = (WIDE / 2 + scale * np.asarray(x)).astype(int), (HIGH / 2 + scale * np.asarray(y)).astype(int)
        return row, column, (row >= 1) & (column >= 1) & (row < HIGH - 1) & (column < WIDE - 1)

    points = np.frombuffer(lidar.raw_data, [("p", "<f4", 3), ("cos", "<f4"), ("id", "<u4"), ("tag", "<u4")])
    row, column, fits = at(points["p"][:, 0], points["p"][:, 1])
    tags = points["tag"]
    for standing in (False, True):  # obstacles are drawn over the ground
        chosen = fits & ((points["p"][:, 2] > -1.8) == standing)
        light = PALETTE[tags[chosen]] if standing else PALETTE[tags[chosen]] // 3 * 2
        picture[row[chosen], column[chosen]] = light
        if standing:
            picture[row[chosen], column[chosen] + 1] = light
    for hit in radar:
        reach = hit.depth * np.cos(hit.altitude)
        r, c, fits = at([reach * np.cos(hit.azimuth)], [reach * np.sin(hit.azimuth)])
        if fits[0] and hit.altitude > -0.04:
            cv2.circle(picture, (int(c[0]), int(r[0])), 2, (255, 255, 255), -1, cv2.LINE_AA)
    nose = np.array([[WIDE / 2 + scale * 2.2, HIGH / 2], [WIDE / 2 - scale * 2.2, HIGH / 2 - scale * 0.9],
                     [WIDE / 2 - scale * 2.2, HIGH / 2 + scale * 0.9]])  # fmt: skip
    cv2.fillPoly(picture, [np.round(nose).astype(np.int32)], (217, 72, 43), cv2.LINE_AA)
    return picture


def sheet(measured: dict[str, Any]) -> np.ndarray:
    """The four pictures side by side in two rows."""
    draw: list[tuple[str, Callable[[], np.ndarray]]] = [
        ("sensor.camera.rgb", lambda: colours(measured["camera.rgb"])),
        ("sensor.camera.depth, 2 m (red) to 200 m", lambda: depth(measured["camera.depth"])),
        ("sensor.camera.semantic_segmentation", lambda: classes(measured["camera.semantic_segmentation"])),
        ("sensor.lidar.ray_cast_semantic from above; white: sensor.other.radar",
         lambda: above(measured["lidar.ray_cast_semantic"], measured["other.radar"])),
    ]  # fmt: skip
    picture = np.empty((2 * (HIGH + TITLE) + 3 * EDGE, 2 * WIDE + 3 * EDGE, 3), np.uint8)
    picture[:] = PAPER
    texts = []
    for k, (title, make) in enumerate(draw):
        x, y = EDGE + (k % 2) * (WIDE + EDGE), EDGE + (k // 2) * (HIGH + TITLE + EDGE)
        texts.append(Text(title, x, y + TITLE - 8, 14))
        picture[y + TITLE : y + TITLE + HIGH, x : x + WIDE] = make()
    return write(picture, texts)


def main() -> None:
    """Drive, read the sensors, write the sheet."""
    import carla

    with Server() as server:
        client = carla.Client("127.0.0.1", server.port)
        client.set_timeout(60.0)
        picture = sheet(frames_of(client))
    cv2.imwrite(str(SHOWN), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    print(SHOWN)


if __name__ == "__main__":
    main()
