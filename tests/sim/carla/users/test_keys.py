"""What the keys of a program to drive by hand do, beyond its pedals: weather, sensors, lamps, doors, recordings."""

from __future__ import annotations

import re
import time
from collections import deque
from typing import Any

import carla
import numpy as np
import pytest

from tests.sim.carla.users.test_manual_control import Driver, settle
from tests.support.carla_actors import synchronous
from tests.support.servers import attended, visited

ARM, GHOST, RIGID = carla.AttachmentType.SpringArm, carla.AttachmentType.SpringArmGhost, carla.AttachmentType.Rigid


@pytest.fixture
def driver(town: Any) -> Any:
    """Somebody in a car."""
    made = Driver(town)
    made.respawn("vehicle.lincoln.mkz_2020")
    settle(town, made)
    yield made
    made.leave()


def named(preset: str) -> str:
    """A preset's name as a display shows it: ClearNoon is Clear Noon."""
    return " ".join(re.findall(r"[A-Z][a-z]+", preset))


def test_every_preset_of_the_weather_comes_back_as_it_was_set(driver: Any, town: Any) -> None:
    presets = [name for name in dir(carla.WeatherParameters) if re.match(r"[A-Z].+", name)]
    assert len(presets) > 20 and "Clear Noon" in map(named, presets)
    shown = {}
    for name in presets:
        wanted = getattr(carla.WeatherParameters, name)
        town.set_weather(wanted)
        settle(town, driver, 1)
        is_now = town.get_weather()
        for field in ("cloudiness", "precipitation", "wetness", "fog_density", "sun_altitude_angle"):
            assert getattr(is_now, field) == pytest.approx(getattr(wanted, field)), (name, field)
        if name in ("ClearNoon", "ClearNight", "HardRainNoon"):
            driver.surface = None
            settle(town, driver, 1)
            shown[name] = float(driver.surface.mean())
    assert shown["ClearNoon"] > shown["HardRainNoon"] > shown["ClearNight"]


def test_cameras_are_mounted_by_arm_or_bolt_wherever_the_car_s_box_says(driver: Any, town: Any) -> None:
    half = driver.car.bounding_box.extent
    library = town.get_blueprint_library()
    blueprint = library.find("sensor.camera.rgb")
    blueprint.set_attribute("image_size_x", "80")
    blueprint.set_attribute("image_size_y", "60")
    blueprint.set_attribute("gamma", "2.2")
    behind = carla.Location(x=-2.0 * half.x - 0.5, z=2.0 * half.z + 0.5)
    mounts = (
        (behind, carla.Rotation(pitch=8.0), GHOST), (carla.Location(x=0.8 * half.x, z=1.3 * half.z), None, RIGID),
        (carla.Location(x=1.9 * half.x, y=half.y, z=1.2 * half.z), None, GHOST),
        (carla.Location(x=-2.8 * half.x, z=4.6 * half.z), carla.Rotation(pitch=6.0), ARM),
    )  # fmt: skip
    pictures = []
    for place, turn, how in mounts:
        seen: deque[Any] = deque()
        where = carla.Transform(place, turn or carla.Rotation())
        eye = town.spawn_actor(blueprint, where, attach_to=driver.car, attachment_type=how)
        eye.listen(seen.append)
        town.tick()
        until = time.monotonic() + 5.0
        while not seen and time.monotonic() < until:
            time.sleep(0.01)
        pictures.append(np.frombuffer(seen[0].raw_data, np.uint8).copy())
        eye.stop()
        eye.destroy()
    for k, picture in enumerate(pictures):
        assert picture.std() > 10.0
        assert all((picture != other).mean() > 0.1 for other in pictures[:k])


def test_every_sensor_that_is_offered_can_be_looked_through(driver: Any, town: Any) -> None:
    library = town.get_blueprint_library()
    parked = driver.car.get_transform()
    ahead = town.get_map().get_waypoint(parked.location).next(12.0)[0].transform
    ahead.location.z = 0.3
    other = town.spawn_actor(library.find("vehicle.audi.tt"), ahead)
    for kind in ("camera.instance_segmentation", "lidar.ray_cast_semantic", "other.radar", "other.obstacle"):
        blueprint = library.find(f"sensor.{kind}")
        if kind == "other.obstacle":
            blueprint.set_attribute("distance", "30")
        seen: deque[Any] = deque()
        eye = town.spawn_actor(blueprint, carla.Transform(carla.Location(x=2.6, z=1.0)), attach_to=driver.car)
        eye.listen(seen.append)
        until = time.monotonic() + 10.0
        while not seen and time.monotonic() < until:
            town.tick()
        assert seen, kind
        if kind == "other.radar":
            near = [hit.depth for hit in seen[0] if abs(hit.azimuth) < 0.05 and abs(hit.altitude) < 0.02]
            assert near and 3.0 < min(near) < 12.0
        if kind == "other.obstacle":
            assert seen[0].other_actor.id == other.id
        eye.stop()
        eye.destroy()


def test_the_server_s_frames_are_counted_while_the_program_draws(driver: Any, town: Any) -> None:
    times: deque[float] = deque(maxlen=50)
    number = town.on_tick(lambda timestamp: times.append(time.monotonic()))
    for _ in range(40):
        town.tick()
    until = time.monotonic() + 5.0
    while len(times) < 40 and time.monotonic() < until:
        time.sleep(0.01)
    town.remove_on_tick(number)
    frames_a_second = (len(times) - 1) / (times[-1] - times[0])
    assert len(times) == 40 and frames_a_second > 20.0
    town.tick()
    time.sleep(0.05)
    assert len(times) == 40, "who has left is called no more"


def test_every_lamp_is_switched_by_itself_and_constant_speed_is_kept(driver: Any, town: Any) -> None:
    kind = carla.VehicleLightState
    on = kind.NONE
    for lamp in (kind.Position, kind.LowBeam, kind.HighBeam, kind.Fog, kind.Interior, kind.LeftBlinker, kind.Special1):
        on |= lamp
        driver.car.set_light_state(kind(on))
        town.tick()
        assert driver.car.get_light_state() == kind(on)
    driver.car.set_light_state(kind(kind.NONE))
    driver.car.enable_constant_velocity(carla.Vector3D(7.0, 0.0, 0.0))
    settle(town, driver, 20)
    assert driver.car.get_velocity().length() == pytest.approx(7.0, abs=0.1)
    driver.car.disable_constant_velocity()
    driver.car.apply_control(carla.VehicleControl(brake=1.0))
    settle(town, driver, 60)
    assert driver.car.get_velocity().length() < 0.1


def test_doors_telemetry_and_layers_are_taken_for_granted(driver: Any, town: Any) -> None:
    driver.car.open_door(carla.VehicleDoor.All)
    driver.car.close_door(carla.VehicleDoor.All)
    driver.car.show_debug_telemetry(True)
    for layer in (carla.MapLayer.Buildings, carla.MapLayer.Foliage, carla.MapLayer.All):
        town.unload_map_layer(layer)
        town.load_map_layer(layer)
    physics = driver.car.get_physics_control()
    physics.use_sweep_wheel_collision = True
    driver.car.apply_physics_control(physics)
    frame = town.tick()
    assert town.tick() == frame + 1, "and nothing of it stops time"


def test_an_ackermann_driver_gets_to_its_speed_and_pedals_take_over(driver: Any, town: Any) -> None:
    driver.car.apply_ackermann_control(carla.VehicleAckermannControl(speed=6.0, acceleration=2.0))
    settle(town, driver, 120)
    assert driver.car.get_velocity().length() == pytest.approx(6.0, abs=0.3)
    driver.car.apply_control(carla.VehicleControl(brake=1.0))
    settle(town, driver, 60)
    assert driver.car.get_velocity().length() < 0.1


def test_a_recording_is_begun_and_ended_and_read_but_not_played(client: Any, driver: Any, town: Any) -> None:
    said = client.start_recorder("by_hand.rec", True)
    assert "by_hand.rec" in said
    driver.car.apply_control(carla.VehicleControl(throttle=0.5))
    settle(town, driver, 20)
    client.stop_recorder()
    about = client.show_recorder_file_info("by_hand.rec", False)
    assert "grid_town" in about and "vehicle.lincoln.mkz_2020" in about
    with pytest.raises(RuntimeError, match="recordings are not played"):
        client.replay_file("by_hand.rec", 0.0, 0.0, 0)
    frame = town.tick()
    assert town.tick() == frame + 1


@pytest.mark.parametrize(("generation", "some"), [("1", "vehicle.audi.tt"), ("2", "vehicle.tesla.model3"), ("all", "")])
def test_blueprints_are_filtered_by_kind_and_generation(generation: str, some: str, town: Any) -> None:
    found = list(town.get_blueprint_library().filter("vehicle.*"))
    if generation != "all":
        found = [b for b in found if int(b.get_attribute("generation")) == int(generation)]
        assert some in {b.id for b in found}
    assert len(found) > 5
    assert not [b.id for b in found if not b.has_attribute("number_of_wheels")]


def hand_over_and_take_back(port: int) -> None:
    """The autopilot drives when it is asked to, and lets go of the wheel when it is told to."""
    client = visited(port)
    town = synchronous(client)
    manager = client.get_trafficmanager(8000 + port % 1000 + 20)
    manager.set_synchronous_mode(True)
    driver = Driver(town)
    driver.respawn("vehicle.tesla.model3")
    settle(town, driver)
    driver.car.set_autopilot(True, manager.get_port())
    manager.ignore_lights_percentage(driver.car, 100)
    settle(town, driver, 100)
    assert driver.car.get_velocity().length() > 2.0 and driver.car.get_control().throttle > 0.0
    driver.car.set_autopilot(False, manager.get_port())
    settle(town, driver, 2)
    driver.car.apply_control(carla.VehicleControl(hand_brake=True))
    settle(town, driver, 80)
    assert driver.car.get_velocity().length() < 0.1 and driver.car.get_control().hand_brake
    manager.shut_down()
    driver.leave()


def test_the_autopilot_takes_the_wheel_and_gives_it_back(port: int) -> None:
    assert attended(f"{__name__}:hand_over_and_take_back", port, seconds=40.0) == "done"
