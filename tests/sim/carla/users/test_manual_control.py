"""A program to drive by hand, without its window: cameras to choose from, a display of what the car's sensors say."""

from __future__ import annotations

import math
import time
import weakref
from collections import deque
from typing import Any

import carla
import numpy as np

VIEWS = (
    ("rgb", "sensor.camera.rgb", carla.ColorConverter.Raw),
    ("depth", "sensor.camera.depth", carla.ColorConverter.Raw),
    ("depth, grey", "sensor.camera.depth", carla.ColorConverter.LogarithmicDepth),
    ("classes", "sensor.camera.semantic_segmentation", carla.ColorConverter.CityScapesPalette),
    ("lidar", "sensor.lidar.ray_cast", None),
)


class Driver:
    """The car, what it carries, and what is shown of it."""

    def __init__(self, world: Any) -> None:
        self.world, self.car, self.carried = world, None, []
        self.bumps: deque[float] = deque(maxlen=200)
        self.lines: list[str] = []
        self.latest: dict[str, Any] = {}
        self.surface: Any = None
        self.view = 0
        self.eye: Any = None
        self.began = time.monotonic()

    def respawn(self, kind: str) -> None:
        """A new car at the first point that is free, with everything that it carries."""
        self.leave()
        library = self.world.get_blueprint_library()
        blueprint = library.find(kind)
        blueprint.set_attribute("role_name", "hero")
        for point in self.world.get_map().get_spawn_points():
            self.car = self.world.try_spawn_actor(blueprint, point)
            if self.car is not None:
                break
        me = weakref.ref(self)

        def carry(name: str, take: Any) -> None:
            sensor = self.world.spawn_actor(library.find(name), carla.Transform(), attach_to=self.car)
            sensor.listen(lambda event: take(me(), event))
            self.carried.append(sensor)

        carry("sensor.other.collision", lambda self, e: self.bumps.append(e.normal_impulse.length()))
        carry(
            "sensor.other.lane_invasion",
            lambda self, e: self.lines.extend(str(m.type) for m in e.crossed_lane_markings),
        )
        carry("sensor.other.gnss", lambda self, e: self.latest.update(gnss=(e.latitude, e.longitude)))
        carry("sensor.other.imu", lambda self, e: self.latest.update(imu=e))
        self.look(self.view)

    def look(self, view: int) -> None:
        """Another of the views."""
        if self.eye is not None:
            self.eye.stop()
            self.eye.destroy()
        self.view, (_, name, converter) = view, VIEWS[view]
        blueprint = self.world.get_blueprint_library().find(name)
        if name.startswith("sensor.camera"):
            blueprint.set_attribute("image_size_x", "160")
            blueprint.set_attribute("image_size_y", "90")
        else:
            blueprint.set_attribute("range", "50")
        place = carla.Transform(carla.Location(x=-5.5, z=2.8), carla.Rotation(pitch=-15.0))
        self.eye = self.world.spawn_actor(blueprint, place, attach_to=self.car)
        me = weakref.ref(self)
        self.surface = None

        def show(data: Any) -> None:
            driver = me()
            if converter is None:
                driver.surface = np.frombuffer(data.raw_data, np.float32).reshape(-1, 4)
            else:
                data.convert(converter)
                driver.surface = np.frombuffer(data.raw_data, np.uint8).reshape(data.height, data.width, 4)[..., 2::-1]

        self.eye.listen(show)

    def display(self) -> list[str]:
        """The lines beside the picture."""
        place, velocity, control = self.car.get_transform(), self.car.get_velocity(), self.car.get_control()
        imu, (latitude, longitude) = self.latest["imu"], self.latest["gnss"]
        others = self.world.get_actors().filter("vehicle.*")
        near = sorted(place.location.distance(o.get_location()) for o in others if o.id != self.car.id)
        return [
            f"Vehicle: {self.car.type_id}", f"Map: {self.world.get_map().name}",
            f"Simulation time: {self.world.get_snapshot().timestamp.elapsed_seconds:.1f}",
            f"Speed: {3.6 * math.hypot(velocity.x, velocity.y):.0f} km/h", f"Compass: {math.degrees(imu.compass):.0f}",
            f"Accelero: {imu.accelerometer.x:.1f} {imu.accelerometer.y:.1f} {imu.accelerometer.z:.1f}",
            f"Location: {place.location.x:.1f} {place.location.y:.1f}", f"GNSS: {latitude:.6f} {longitude:.6f}",
            f"Throttle: {control.throttle:.2f}", f"Reverse: {control.reverse}", f"Collisions: {len(self.bumps)}",
            f"Limit: {self.car.get_speed_limit():.0f}", f"Vehicles: {len(others)}", *(f"{d:.0f} m" for d in near[:3]),
        ]  # fmt: skip

    def leave(self) -> None:
        """Take everything away."""
        if self.eye is not None:
            self.carried.append(self.eye)
        for sensor in self.carried:
            sensor.stop()
            sensor.destroy()
        self.carried, self.eye = [], None
        if self.car is not None:
            self.car.destroy()
            self.car = None


def settle(world: Any, driver: Driver, ticks: int = 3) -> None:
    """Let some ticks pass, and the callbacks come that belong to them."""
    for _ in range(ticks):
        world.tick()
    until = time.monotonic() + 5.0
    while (driver.surface is None or "imu" not in driver.latest) and time.monotonic() < until:
        time.sleep(0.01)


def test_a_program_to_drive_by_hand_works_without_its_window(town: Any) -> None:
    driver = Driver(town)
    driver.respawn("vehicle.tesla.model3")
    for view, (name, _, converter) in enumerate(VIEWS):
        driver.look(view)
        settle(town, driver)
        assert driver.surface is not None and len(driver.surface) > 50, name
        if converter is not None:
            assert driver.surface.shape == (90, 160, 3) and driver.surface.std() > 5, name
    driver.look(0)
    driver.car.apply_control(carla.VehicleControl(throttle=0.8))
    settle(town, driver, 40)
    shown = driver.display()
    speed = next(float(line.split()[1]) for line in shown if line.startswith("Speed"))
    assert 3.0 < speed < 40.0 and "Throttle: 0.80" in shown and "Collisions: 0" in shown
    assert any(line == "Accelero: 2.4 0.0 9.8" for line in shown), shown
    here = town.get_map().transform_to_geolocation(driver.car.get_location())
    assert abs(driver.latest["gnss"][0] - here.latitude) < 1e-5
    driver.leave()


def test_gears_lamps_and_the_hand_brake_do_what_they_should(town: Any) -> None:
    driver = Driver(town)
    driver.respawn("vehicle.audi.tt")
    settle(town, driver)
    before, ahead = driver.car.get_location(), driver.car.get_transform().get_forward_vector()
    driver.car.apply_control(carla.VehicleControl(throttle=0.5, reverse=True))
    settle(town, driver, 30)
    assert (driver.car.get_location() - before).dot(ahead) < -0.5
    driver.car.apply_control(carla.VehicleControl(hand_brake=True))
    settle(town, driver, 30)
    assert driver.car.get_velocity().length() < 0.01
    lamps = carla.VehicleLightState(carla.VehicleLightState.LowBeam | carla.VehicleLightState.Position)
    driver.car.set_light_state(lamps)
    town.tick()
    assert driver.car.get_light_state() == lamps
    driver.leave()


def test_who_drives_over_a_line_is_told_which(town: Any) -> None:
    driver = Driver(town)
    driver.respawn("vehicle.tesla.model3")
    driver.car.apply_control(carla.VehicleControl(throttle=0.6, steer=0.25))
    settle(town, driver, 80)
    time.sleep(0.2)
    assert driver.lines, "no line was crossed"
    driver.leave()


def test_cars_are_chosen_by_generation_and_respawned(town: Any) -> None:
    library = town.get_blueprint_library()
    second = [b for b in library.filter("vehicle.*") if int(b.get_attribute("generation")) == 2]
    assert len(second) > 2
    driver = Driver(town)
    for blueprint in second[:3]:
        driver.respawn(blueprint.id)
        settle(town, driver)
        assert driver.car.type_id == blueprint.id and driver.car.attributes["role_name"] == "hero"
    driver.leave()
    town.tick()
    assert not len(town.get_actors().filter("vehicle.*")) and not len(town.get_actors().filter("sensor.*"))
