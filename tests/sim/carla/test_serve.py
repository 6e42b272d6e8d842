"""The server, asked by CARLA's own client over its own wire."""

from __future__ import annotations

from typing import Any

import carla
import numpy as np
import pytest

from tests.support.carla_actors import DT, a_car, synchronous


def test_a_client_connects_and_finds_its_own_version(client: Any) -> None:
    assert client.get_server_version() == client.get_client_version()


def test_frames_grow_by_one_a_tick_and_time_by_the_tick_s_length(client: Any) -> None:
    world = synchronous(client)
    frames = [world.tick() for _ in range(5)]
    assert np.diff(frames).tolist() == [1] * 4
    snapshot = world.get_snapshot()
    assert snapshot.frame == frames[-1]
    assert snapshot.timestamp.delta_seconds == pytest.approx(DT)


def test_full_throttle_moves_a_car_along_its_heading(client: Any) -> None:
    world = synchronous(client)
    car = a_car(world)
    world.tick()
    before = car.get_transform()
    car.apply_control(carla.VehicleControl(throttle=1.0))
    for _ in range(20):
        world.tick()
    after, speed = car.get_transform(), car.get_velocity()
    moved, ahead = after.location - before.location, before.get_forward_vector()
    assert moved.x * ahead.x + moved.y * ahead.y > 1.0
    assert abs(moved.x * ahead.y - moved.y * ahead.x) < 1e-3
    assert speed.length() == pytest.approx(3.0 * (1.0 - 0.1), abs=0.2)  # full throttle less what the lag holds back
    assert car.get_control().throttle == 1.0


def test_the_first_tick_after_listening_has_a_picture(client: Any) -> None:
    world = synchronous(client)
    car = a_car(world)
    blueprint = world.get_blueprint_library().find("sensor.camera.rgb")
    blueprint.set_attribute("image_size_x", "64")
    blueprint.set_attribute("image_size_y", "32")
    for _ in range(30):  # a server that does not wait for the reader loses some of the first pictures
        seen: list[int] = []
        camera = world.spawn_actor(blueprint, carla.Transform(carla.Location(x=1.0, z=1.4)), attach_to=car)
        camera.listen(lambda image, seen=seen: seen.append(image.frame))
        frame = world.tick()
        for _ in range(3):
            world.tick()
        camera.stop()
        camera.destroy()
        assert seen and seen[0] == frame
