"""Cameras that look straight down, over their heads, or with a roll, asked by CARLA's own client.

A pinhole is a rotation matrix and a focal length: what is seen where is worked out from `carla.Transform` alone.
"""

from __future__ import annotations

import math
from typing import Any

import carla
import numpy as np
import pytest

from sim.actors.tags import TAG
from tests.sim.carla.test_sensors import a_car, pixels, read, world

__all__ = ["world"]  # a fixture

WIDE, HIGH, FOV = 240, 160, 80.0
SIZE = {"image_size_x": WIDE, "image_size_y": HIGH, "fov": FOV}
FOCAL = WIDE / 2 / math.tan(math.radians(FOV) / 2)
VAN = "vehicle.mercedes.sprinter"
DOWN = carla.Rotation(pitch=-90.0)
KINDS = ("rgb", "depth", "semantic_segmentation", "instance_segmentation")


def projected(camera: Any, points: np.ndarray) -> np.ndarray:
    """(K, 2) column and row [px] of places (K, 3) in the world, by CARLA's own matrix."""
    local = np.column_stack([points, np.ones(len(points))]) @ np.array(camera.get_inverse_matrix()).T
    assert (local[:, 0] > 0.0).all()
    return np.column_stack([
        WIDE / 2 + FOCAL * local[:, 1] / local[:, 0], HIGH / 2 - FOCAL * local[:, 2] / local[:, 0],
    ])  # fmt: skip


def corners(car: Any) -> np.ndarray:
    """(8, 3) of a car's box in the world [m]."""
    return np.array([[v.x, v.y, v.z] for v in car.bounding_box.get_world_vertices(car.get_transform())])


def metres(image: Any) -> np.ndarray:
    """(H, W) of a depth camera's picture."""
    seen = pixels(image).astype(float)
    return (seen[..., 2] + 256 * seen[..., 1] + 65536 * seen[..., 0]) / (2**24 - 1) * 1000.0


def owners(seen: np.ndarray) -> np.ndarray:
    """(H, W) ids modulo 65536 in an instance camera's picture."""
    return seen[..., 1].astype(int) + 256 * seen[..., 0].astype(int)


def somewhere(world: Any) -> Any:
    """A place on a road."""
    return world.get_map().get_spawn_points()[0].location


def test_a_camera_that_looks_down_sees_what_a_client_draws_at_its_pixel(world: Any) -> None:
    at = somewhere(world)
    place = carla.Transform(at + carla.Location(z=30.0), carla.Rotation(pitch=-90.0, yaw=25.0))
    spots = [at + carla.Location(x=6.0, y=-3.0, z=5.0), at + carla.Location(x=-8.0, y=4.0, z=5.0)]
    colours = (255, 0, 255), (0, 255, 255)
    for spot, colour in zip(spots, colours):
        world.debug.draw_point(spot, 1.0, carla.Color(*colour), 1.0)
    seen = pixels(read(world, "sensor.camera.rgb", place, None, **SIZE))[..., 2::-1]
    for spot, colour in zip(spots, colours):
        found = np.argwhere((seen == colour).all(-1)).mean(0)[::-1] + 0.5
        assert found == pytest.approx(projected(place, np.array([[spot.x, spot.y, spot.z]]))[0], abs=0.7)


@pytest.mark.parametrize("ahead, right", [(6.0, 0.0), (0.0, 8.0), (-7.0, -9.0), (0.0, 0.0)])
def test_straight_down_a_car_is_at_its_pixel_and_the_top_is_the_way_of_x(
    world: Any, ahead: float, right: float
) -> None:
    at = somewhere(world)
    car = a_car(world, carla.Transform(carla.Location(at.x + ahead, at.y + right), carla.Rotation(yaw=25.0)))
    height = 20.0
    place = carla.Transform(carla.Location(at.x, at.y, height), DOWN)
    who = pixels(read(world, "sensor.camera.instance_segmentation", place, None, **SIZE))
    rows, columns = np.nonzero(owners(who) == car.id % 65536)
    near = height - 2.0 * car.bounding_box.extent.z
    # of what is as high as the car's roof and as low as its sills a middle: 2 px are 0.3 m
    assert np.mean(columns) == pytest.approx(WIDE / 2 + FOCAL * right / (height + near) * 2, abs=2.0)
    assert np.mean(rows) == pytest.approx(HIGH / 2 - FOCAL * ahead / (height + near) * 2, abs=2.0)
    far = metres(read(world, "sensor.camera.depth", place, None, **SIZE))
    assert far[rows, columns].min() == pytest.approx(near, abs=0.1)
    assert far[5, 5] == pytest.approx(height, abs=0.01) or far[5, 5] < height  # the ground, or what stands on it
    assert (
        pixels(read(world, "sensor.camera.semantic_segmentation", place, None, **SIZE))[..., 2] == who[..., 2]
    ).all()


@pytest.mark.parametrize(
    "pitch, yaw, roll",
    [
        (-90, 0, 0),
        (-90, 30, 40),
        (-75, 40, 0),
        (-75, 40, 35),
        (-110, 200, 10),
        (-55, -20, 90),
        (-60, 100, 180),
        (-58, 0, -25),
    ],
)
def test_a_car_fills_its_projected_box_at_any_rotation(world: Any, pitch: float, yaw: float, roll: float) -> None:
    at = somewhere(world)
    car = a_car(world, carla.Transform(carla.Location(at.x, at.y), carla.Rotation(yaw=10.0)), VAN)
    rotation = carla.Rotation(pitch=pitch, yaw=yaw, roll=roll)
    look = rotation.get_forward_vector()
    back = 14.0 / -look.z  # so that the axis meets the ground 1.5 m from the car
    place = carla.Transform(carla.Location(at.x + 1.5 - back * look.x, at.y - back * look.y, 14.0), rotation)
    who = pixels(read(world, "sensor.camera.instance_segmentation", place, None, **SIZE))
    rows, columns = np.nonzero(owners(who) == car.id % 65536)
    box = projected(place, corners(car))
    # a van all but fills its box: 3 px are 0.3 m
    np.testing.assert_allclose([columns.min(), rows.min()], box.min(0), atol=3.0)
    np.testing.assert_allclose([columns.max(), rows.max()], box.max(0), atol=3.0)


def test_a_camera_is_turned_with_its_carrier_and_by_a_camera_that_carries_it(world: Any) -> None:
    at = somewhere(world)
    car = a_car(world, carla.Transform(carla.Location(at.x, at.y), carla.Rotation(yaw=70.0)))
    above = carla.Transform(carla.Location(z=16.0), DOWN)
    on_car = pixels(read(world, "sensor.camera.semantic_segmentation", above, car, **SIZE))
    alone = carla.Transform(carla.Location(at.x, at.y, 16.0), carla.Rotation(pitch=-90.0, yaw=70.0))
    there = pixels(read(world, "sensor.camera.semantic_segmentation", alone, None, **SIZE))
    assert (on_car == there).all(-1).mean() > 0.99
    library = world.get_blueprint_library()
    first = world.spawn_actor(
        library.find("sensor.camera.rgb"), carla.Transform(carla.Location(z=16.0), carla.Rotation(pitch=-50.0)), car
    )
    second = carla.Transform(carla.Location(), carla.Rotation(pitch=-40.0))
    through = pixels(read(world, "sensor.camera.semantic_segmentation", second, first, **SIZE))
    first.destroy()
    assert (through == there).all(-1).mean() > 0.99


def test_a_positive_roll_is_clockwise_and_lifts_the_horizon_on_the_right(world: Any) -> None:
    at = somewhere(world)
    place = carla.Transform(carla.Location(at.x, at.y, 60.0), carla.Rotation(roll=20.0))
    sky = pixels(read(world, "sensor.camera.semantic_segmentation", place, None, **SIZE))[..., 2] == TAG["Sky"]
    horizon = sky.sum(0)
    slope = np.polyfit(np.arange(WIDE), horizon, 1)[0]
    assert slope == pytest.approx(-math.tan(math.radians(20.0)), abs=0.02)


@pytest.mark.parametrize("pitch", [-50.0, -10.0])
def test_a_picture_that_is_looked_up_is_the_one_that_is_drawn(world: Any, pitch: float) -> None:
    at = somewhere(world)
    a_car(world, carla.Transform(carla.Location(at.x, at.y), carla.Rotation(yaw=10.0)))
    shots = []
    for roll in (0.0, 1e-3):  # a thousandth of a degree is nowhere a tenth of a pixel, and takes the other way
        place = carla.Transform(carla.Location(at.x - 9.0, at.y, 9.0), carla.Rotation(pitch=pitch, roll=roll))
        shots.append([read(world, f"sensor.camera.{kind}", place, None, **SIZE) for kind in KINDS])
    (rgb, depth, tags, who), (rgb2, depth2, tags2, who2) = shots
    assert (pixels(tags) == pixels(tags2)).all(-1).mean() > 0.985
    assert (pixels(who) == pixels(who2)).all(-1).mean() > 0.985
    difference = np.abs(pixels(rgb).astype(int) - pixels(rgb2))
    assert 0.0 < difference.mean() < 6.0
    near = metres(depth) < 200.0
    assert (np.abs(metres(depth) / metres(depth2) - 1.0) < 0.03)[near].mean() > 0.97


@pytest.mark.parametrize("kind", KINDS)
def test_a_camera_on_its_head_gives_the_picture_turned_to_the_last_bit(world: Any, kind: str) -> None:
    at = somewhere(world)
    a_car(world, carla.Transform(carla.Location(at.x, at.y), carla.Rotation(yaw=10.0)))
    location = carla.Location(at.x - 9.0, at.y, 5.0)
    name = f"sensor.camera.{kind}"
    upright = pixels(read(world, name, carla.Transform(location, carla.Rotation(pitch=-20.0)), None, **SIZE))
    head = pixels(read(world, name, carla.Transform(location, carla.Rotation(pitch=-20.0, roll=180.0)), None, **SIZE))
    assert (head[::-1, ::-1] == upright).all()
    over = carla.Transform(location, carla.Rotation(pitch=-160.0, yaw=180.0))
    assert (pixels(read(world, name, over, None, **SIZE)) == head).all()
