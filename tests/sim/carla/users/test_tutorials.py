"""What CARLA's first tutorials do, call by call."""

from __future__ import annotations

import math
import queue
import random
from pathlib import Path
from typing import Any

import carla
import cv2
import numpy as np

from tests.support.carla_actors import synchronous
from tests.support.servers import attended, visited


def pixels(image: Any) -> np.ndarray:
    """(H, W, 3) uint8, BGR, as everybody reads an image."""
    return np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4)[..., :3]


def an_eye(world: Any, kind: str, car: Any, queue_: Any, width: int = 160, height: int = 90) -> Any:
    """A camera on a car's bonnet that puts its images into a queue."""
    blueprint = world.get_blueprint_library().find(f"sensor.camera.{kind}")
    blueprint.set_attribute("image_size_x", str(width))
    blueprint.set_attribute("image_size_y", str(height))
    blueprint.set_attribute("fov", "110")
    camera = world.spawn_actor(blueprint, carla.Transform(carla.Location(x=1.6, z=1.4)), attach_to=car)
    camera.listen(queue_.put)
    return camera


def test_maps_are_listed_and_one_of_them_loads(client: Any) -> None:
    names = client.get_available_maps()
    assert any(name.endswith("crossroads") for name in names)
    world = client.load_world(next(name for name in names if name.endswith("crossroads")))
    assert world.get_map().name.endswith("crossroads") and world.get_map().get_spawn_points()


def drive_random_vehicles(port: int) -> None:
    """Vehicles of any kind and colour, driven by a Traffic Manager and taken away again."""
    client = visited(port)
    town = synchronous(client)
    chance = random.Random(3)
    library = town.get_blueprint_library().filter("vehicle.*")
    points = town.get_map().get_spawn_points()
    chance.shuffle(points)
    manager = client.get_trafficmanager(8000 + town.id % 1000 + 80)
    manager.set_synchronous_mode(True)
    manager.set_random_device_seed(7)
    manager.set_global_distance_to_leading_vehicle(2.5)
    manager.global_percentage_speed_difference(-20.0)
    commands = []
    for point in points[:12]:
        blueprint = chance.choice(list(library))
        if blueprint.has_attribute("color"):
            blueprint.set_attribute("color", chance.choice(blueprint.get_attribute("color").recommended_values))
        blueprint.set_attribute("role_name", "autopilot")
        spawn = carla.command.SpawnActor(blueprint, point)
        commands.append(spawn.then(carla.command.SetAutopilot(carla.command.FutureActor, True, manager.get_port())))
    answers = client.apply_batch_sync(commands, True)
    assert not [a.error for a in answers if a.error]
    cars = town.get_actors([a.actor_id for a in answers])
    manager.ignore_lights_percentage(cars[0], 100)
    began = {car.id: car.get_location() for car in cars}
    for _ in range(120):
        town.tick()
    moved = [car.get_location().distance(began[car.id]) for car in cars if car.is_alive]
    assert len(moved) >= 10 and sum(m > 1.0 for m in moved) >= 8, moved
    manager.shut_down()
    gone = client.apply_batch_sync([carla.command.DestroyActor(car) for car in cars], True)
    assert sum(not a.error for a in gone) == len(moved)
    assert not len(town.get_actors().filter("vehicle.*"))


def test_random_vehicles_drive_by_autopilot_and_are_taken_away(port: int) -> None:
    assert attended("tests.sim.carla.users.test_tutorials:drive_random_vehicles", port) == "done"


def test_pictures_are_saved_to_disk_and_depth_is_metres(town: Any, tmp_path: Path) -> None:
    car = town.spawn_actor(
        town.get_blueprint_library().filter("model3")[0], town.get_map().get_spawn_points()[0]
    )  # fmt: skip
    colours: queue.Queue[Any] = queue.Queue()
    depths: queue.Queue[Any] = queue.Queue()
    eyes = [an_eye(town, "rgb", car, colours), an_eye(town, "depth", car, depths)]
    frame = town.tick()
    picture, depth = colours.get(timeout=10), depths.get(timeout=10)
    assert picture.frame == depth.frame == frame
    picture.save_to_disk(str(tmp_path / "seen.png"))
    stored = cv2.imread(str(tmp_path / "seen.png"))
    assert (stored == pixels(picture)).all() and stored.std() > 10
    blue, green, red = (pixels(depth)[..., c].astype(float) for c in range(3))
    metres = 1000.0 * (red + green * 256 + blue * 65536) / (256**3 - 1)
    row = metres.shape[0] - 1
    below = math.atan((row + 0.5 - metres.shape[0] / 2) / (metres.shape[1] / 2 / math.tan(math.radians(55))))
    assert abs(metres[row, metres.shape[1] // 2] - 1.4 / math.tan(below)) < 0.1, "the ground before the car"
    depth.convert(carla.ColorConverter.LogarithmicDepth)
    grey = pixels(depth)
    assert (grey[..., 0] == grey[..., 1]).all()
    depth.save_to_disk(str(tmp_path / "far.png"))
    kept = cv2.imread(str(tmp_path / "far.png"))
    assert (kept == grey).all() and kept[0].mean() > kept[-1].mean() + 50.0, "the sky is far, the ground before us near"
    for eye in eyes:
        eye.stop()
        eye.destroy()


def test_the_weather_sweeps_and_pictures_show_it(town: Any) -> None:
    car = town.spawn_actor(town.get_blueprint_library().find("vehicle.audi.tt"), town.get_map().get_spawn_points()[0])
    images: queue.Queue[Any] = queue.Queue()
    eye = an_eye(town, "rgb", car, images)
    bright = {}
    for altitude in (60.0, 10.0, -30.0):
        weather = town.get_weather()
        weather.sun_altitude_angle, weather.precipitation, weather.wetness = altitude, 80.0, 80.0
        town.set_weather(weather)
        town.tick()
        bright[altitude] = float(pixels(images.get(timeout=10)).mean())
        assert town.get_weather().sun_altitude_angle == altitude
    assert bright[60.0] > bright[10.0] > bright[-30.0]
    town.set_weather(carla.WeatherParameters.ClearNoon)
    town.tick()
    assert pixels(images.get(timeout=10)).mean() > bright[60.0]
    eye.stop()
    eye.destroy()


def test_lights_are_switched_by_hand(town: Any) -> None:
    lights = town.get_actors().filter("traffic.traffic_light*")
    assert len(lights)
    for light in lights:
        light.set_state(carla.TrafficLightState.Green)
        light.set_green_time(1.0)
        light.set_yellow_time(0.5)
    town.tick()
    assert all(light.state == carla.TrafficLightState.Green for light in lights)
    assert lights[0].get_green_time() == 1.0
    seen = []
    for _ in range(40):
        town.tick()
        seen.append(lights[0].state)
    assert seen.index(carla.TrafficLightState.Yellow) < seen.index(carla.TrafficLightState.Red)
    group = lights[0].get_group_traffic_lights()
    assert lights[0].id in {light.id for light in group}
    town.reset_all_traffic_lights()
    town.tick()


def test_the_spectator_follows_and_walkers_walk(town: Any) -> None:
    library = town.get_blueprint_library()
    place = carla.Transform(carla.Location(x=200.0, y=200.0, z=1.0))
    walker = town.spawn_actor(library.filter("walker.pedestrian.*")[0], place)
    spectator = town.get_spectator()
    town.tick()
    walker.apply_control(carla.WalkerControl(carla.Vector3D(0.0, 1.0, 0.0), 1.5))
    for _ in range(40):
        town.tick()
        behind = walker.get_transform()
        behind.location.z += 3.0
        spectator.set_transform(behind)
    assert abs(walker.get_location().y - 200.0 - 40 * 0.05 * 1.5) < 0.1
    town.tick()
    assert spectator.get_location().distance(walker.get_location()) < 3.5


def test_who_runs_into_a_parked_car_is_told_so(town: Any) -> None:
    library = town.get_blueprint_library()
    lane = town.get_map().get_waypoint(town.get_map().get_spawn_points()[0].location)
    ahead = lane.next(15.0)[0].transform
    ahead.location.z = 0.3
    here = lane.transform
    here.location.z = 0.3
    car = town.spawn_actor(library.find("vehicle.tesla.model3"), here)
    parked = town.spawn_actor(library.find("vehicle.audi.tt"), ahead)
    hits: queue.Queue[Any] = queue.Queue()
    sensor = town.spawn_actor(library.find("sensor.other.collision"), carla.Transform(), attach_to=car)
    sensor.listen(hits.put)
    town.tick()
    car.apply_control(carla.VehicleControl(throttle=1.0))
    for _ in range(120):
        town.tick()
        if not hits.empty():
            break
    hit = hits.get(timeout=5)
    assert hit.other_actor.id == parked.id and hit.actor.id == car.id
    assert hit.normal_impulse.length() > 100.0
    town.tick()
    assert car.get_velocity().length() < 0.1
    sensor.stop()
    sensor.destroy()
