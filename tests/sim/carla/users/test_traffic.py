"""A program that fills a town with traffic and leaves it empty: vehicles of a Traffic Manager, and walkers."""

from __future__ import annotations

import math
import random
import time
from typing import Any

import carla
import pytest

from tests.support.carla_actors import synchronous
from tests.support.servers import attended, visited

DT = 0.05
RED = carla.TrafficLightState.Red


def cars_of(client: Any, world: Any, manager: Any, number: int, seed: int) -> list[Any]:
    """Cars that are born in one batch at points that chance chooses, and driven by the manager at once."""
    chance = random.Random(seed)
    cars = [b for b in world.get_blueprint_library().filter("vehicle.*") if b.get_attribute("base_type") == "car"]
    points = world.get_map().get_spawn_points()
    chance.shuffle(points)
    orders = []
    for point in points[:number]:
        blueprint = chance.choice(cars)
        blueprint.set_attribute("color", chance.choice(blueprint.get_attribute("color").recommended_values))
        born = carla.command.SpawnActor(blueprint, point)
        orders.append(born.then(carla.command.SetAutopilot(carla.command.FutureActor, True, manager.get_port())))
    answers = client.apply_batch_sync(orders, world.get_settings().synchronous_mode)
    assert not [a.error for a in answers if a.error]
    return [world.get_actor(a.actor_id) for a in answers]


def empty(client: Any, world: Any, manager: Any, actors: list[Any]) -> None:
    """Take everybody away in one batch."""
    manager.shut_down()
    here = [actor.id for actor in actors if actor.is_alive]
    answers = client.apply_batch_sync([carla.command.DestroyActor(number) for number in here])
    assert not [a.error for a in answers if a.error]


def drive_in_real_time(port: int) -> None:
    """An asynchronous manager drives cars while the program only waits."""
    client = visited(port)
    world = client.get_world()
    manager = client.get_trafficmanager(8000 + port % 1000)
    manager.set_global_distance_to_leading_vehicle(2.0)
    cars = cars_of(client, world, manager, 6, 1)
    world.wait_for_tick()
    began = {car.id: car.get_location() for car in cars}
    until = time.monotonic() + 20.0
    moved: list[float] = []
    while time.monotonic() < until and sum(m > 3.0 for m in moved) < 4:
        world.wait_for_tick()
        moved = [car.get_location().distance(began[car.id]) for car in cars if car.is_alive]
    assert sum(m > 3.0 for m in moved) >= 4, moved
    empty(client, world, manager, cars)
    world.wait_for_tick()
    world.wait_for_tick()
    assert not len(world.get_actors().filter("vehicle.*"))


def mind_the_lights_or_not(port: int) -> None:
    """Before lights that are all red, whoever ignores them drives on, and the other one waits."""
    client = visited(port)
    world = synchronous(client)
    manager = client.get_trafficmanager(8000 + port % 1000 + 1)
    manager.set_synchronous_mode(True)
    library, town = world.get_blueprint_library(), world.get_map()
    world.tick()
    world.freeze_all_traffic_lights(True)
    lights = sorted(world.get_actors().filter("traffic.traffic_light*"), key=lambda light: light.id)
    for light in lights:
        light.set_state(RED)
    cars = []
    for light in (lights[0], lights[2]):
        before = town.get_waypoint(light.get_transform().transform(light.trigger_volume.location)).previous(15.0)[0]
        place = before.transform
        place.location.z = 0.3
        cars.append(world.spawn_actor(library.find("vehicle.lincoln.mkz_2020"), place))
    world.tick()
    began = [car.get_location() for car in cars]
    for car, share in zip(cars, (100, 0)):
        car.set_autopilot(True, manager.get_port())
        manager.ignore_lights_percentage(car, share)
        manager.auto_lane_change(car, False)
        manager.vehicle_percentage_speed_difference(car, 20.0)
    for _ in range(240):
        world.tick()
    bold, meek = (car.get_location().distance(place) for car, place in zip(cars, began))
    assert bold > 30.0 and 5.0 < meek < 22.0, (bold, meek)
    assert cars[1].is_at_traffic_light() and cars[1].get_velocity().length() < 0.1
    world.freeze_all_traffic_lights(False)
    empty(client, world, manager, cars)


def drive_with_a_seed(port: int) -> None:
    """With the same seed everybody drives the same way again, from the very same place."""
    client = visited(port)
    drives = []
    for again in range(2):
        client.reload_world()
        world = synchronous(client)
        world.reset_all_traffic_lights()
        manager = client.get_trafficmanager(8000 + port % 1000 + 2 + again)
        manager.set_synchronous_mode(True)
        manager.set_random_device_seed(11)
        cars = cars_of(client, world, manager, 8, 5)
        for _ in range(600):
            world.tick()
        drives.append([car.get_transform() for car in cars if car.is_alive])
        empty(client, world, manager, cars)
    assert len(drives[0]) == len(drives[1]) > 6
    apart = [a.location.distance(b.location) for a, b in zip(*drives)]
    assert max(apart) == 0.0, apart


def switch_lamps_at_night(port: int) -> None:
    """A manager that minds the lamps switches them on when it is dark, and only then."""
    client = visited(port)
    world = synchronous(client)
    manager = client.get_trafficmanager(8000 + port % 1000 + 4)
    manager.set_synchronous_mode(True)
    cars = cars_of(client, world, manager, 4, 2)
    for car in cars:
        manager.update_vehicle_lights(car, True)
    low = carla.VehicleLightState.LowBeam
    lit = []
    for altitude in (60.0, -30.0):
        weather = world.get_weather()
        weather.sun_altitude_angle = altitude
        world.set_weather(weather)
        for _ in range(20):
            world.tick()
        lit.append(sum(bool(int(car.get_light_state()) & int(low)) for car in cars if car.is_alive))
    assert lit[0] == 0 and lit[1] >= 3, lit
    empty(client, world, manager, cars)


@pytest.mark.parametrize(
    "program", [drive_in_real_time, mind_the_lights_or_not, drive_with_a_seed, switch_lamps_at_night]
)
def test_a_traffic_manager_s_cars_do_as_they_are_told(program: Any, port: int) -> None:
    assert attended(f"{__name__}:{program.__name__}", port, seconds=40.0) == "done"


def test_walkers_are_born_sent_and_taken_away_in_batches(client: Any, town: Any) -> None:
    kinds = list(town.get_blueprint_library().filter("walker.pedestrian.*"))
    chance = random.Random(4)
    orders = []
    for n in range(10):
        blueprint = chance.choice(kinds)
        if blueprint.has_attribute("is_invincible"):
            blueprint.set_attribute("is_invincible", "false")
        orders.append(
            carla.command.SpawnActor(blueprint, carla.Transform(carla.Location(x=200.0 + 3 * n, y=200.0, z=1)))
        )
    born = [answer.actor_id for answer in client.apply_batch_sync(orders, True)]
    walkers = town.get_actors(born)
    assert len(walkers) == 10
    began = {walker.id: walker.get_location() for walker in walkers}
    ways = {number: 2.0 * math.pi * k / len(born) for k, number in enumerate(born)}
    speeds = {number: 1.0 + 0.1 * k for k, number in enumerate(born)}
    for walker in walkers:
        control = carla.WalkerControl()
        control.speed = speeds[walker.id]
        control.direction = carla.Vector3D(math.cos(ways[walker.id]), math.sin(ways[walker.id]), 0.0)
        walker.apply_control(control)
    for _ in range(20):
        town.tick()
    for walker in walkers:
        gone = walker.get_location() - began[walker.id]
        far = 20 * DT * speeds[walker.id]
        assert abs(gone.x - far * math.cos(ways[walker.id])) < 0.1, walker.id
        assert abs(gone.y - far * math.sin(ways[walker.id])) < 0.1, walker.id
    client.apply_batch_sync([carla.command.DestroyActor(number) for number in born], True)
    assert not len(town.get_actors().filter("walker.*"))
