"""Every sensor of a served world, asked by CARLA's own client, against the truth worked out another way."""

from __future__ import annotations

import math
import queue
from typing import Any

import carla
import numpy as np
import pytest

from tests.support.carla_actors import DT, synchronous


@pytest.fixture
def world(client: Any) -> Any:
    """The client's world, ticking when told."""
    return synchronous(client)


def a_car(world: Any, place: Any, kind: str = "vehicle.tesla.model3") -> Any:
    """A car exactly where it is asked for, held by nobody's physics."""
    blueprint = world.get_blueprint_library().find(kind)
    if blueprint.has_attribute("spawn_jitter"):
        blueprint.set_attribute("spawn_jitter", "0.0")
    car = world.spawn_actor(blueprint, place)
    car.set_simulate_physics(False)
    return car


def ahead_of(place: Any, metres: float, right: float = 0.0, turn: float = 0.0) -> Any:
    """A transform in front of another."""
    at, yaw = place.location, math.radians(place.rotation.yaw)
    return carla.Transform(
        carla.Location(
            at.x + metres * math.cos(yaw) - right * math.sin(yaw), at.y + metres * math.sin(yaw) + right * math.cos(yaw)
        ),
        carla.Rotation(yaw=place.rotation.yaw + turn),
    )


def two_cars(world: Any, gap: float = 15.0, turn: float = 0.0) -> tuple[Any, Any, Any]:
    """A car at a spawn point and another ahead of it; and where the first one is."""
    place = world.get_map().get_spawn_points()[0]
    return a_car(world, place), a_car(world, ahead_of(place, gap, turn=turn)), place


def read(world: Any, kind: str, place: Any, parent: Any, ticks: int = 1, **settings: Any) -> Any:
    """The last of so many ticks' measurements."""
    blueprint = world.get_blueprint_library().find(kind)
    for name, value in settings.items():
        blueprint.set_attribute(name, str(value))
    sensor = world.spawn_actor(blueprint, place, attach_to=parent)
    heard: queue.Queue[Any] = queue.Queue()
    sensor.listen(heard.put)
    for _ in range(ticks):
        frame = world.tick()
        said = heard.get(timeout=20)
        assert said.frame == frame
    sensor.stop()
    sensor.destroy()
    return said


def pixels(image: Any) -> np.ndarray:
    """(H, W, 4) BGRA; a copy, as the client frees what it has handed out."""
    return np.frombuffer(bytes(image.raw_data), np.uint8).reshape(image.height, image.width, 4)


MOUNT = carla.Transform(carla.Location(x=1.0, z=1.3))
SIZE = {"image_size_x": 200, "image_size_y": 100, "fov": 90}


def test_the_depth_of_the_car_ahead_is_the_way_to_its_tail(world: Any) -> None:
    car, other, _ = two_cars(world)
    seen = pixels(read(world, "sensor.camera.depth", MOUNT, car, **SIZE)).astype(np.float64)
    metres = (seen[..., 2] + 256 * seen[..., 1] + 65536 * seen[..., 0]) / (2**24 - 1) * 1000.0
    tail = 15.0 - other.bounding_box.extent.x - 1.0
    assert metres[55, 100] == pytest.approx(tail, abs=0.35)  # bodies are rounded within their boxes
    flat = metres[95, 100]  # ground: height over the tangent of the ray
    assert flat == pytest.approx(1.3 / ((95.5 - 50) / 100.0), abs=0.01)


def test_the_tags_of_a_car_fill_its_projected_box_and_the_instance_is_its_id(world: Any) -> None:
    car, other, _ = two_cars(world)
    tags = pixels(read(world, "sensor.camera.semantic_segmentation", MOUNT, car, **SIZE))[..., 2]
    who = pixels(read(world, "sensor.camera.instance_segmentation", MOUNT, car, **SIZE))
    near = 15.0 - other.bounding_box.extent.x - 1.0
    half, high = other.bounding_box.extent.y / near * 100.0, (2.0 * other.bounding_box.extent.z - 1.3) / near * 100.0
    v, u = np.nonzero(tags == int(carla.CityObjectLabel.Car))
    assert u.min() == pytest.approx(100 - half, abs=2) and u.max() == pytest.approx(100 + half, abs=2)
    assert v.min() == pytest.approx(50 - high, abs=3)
    assert v.max() == pytest.approx(50 + 1.3 / near * 100.0, abs=3)
    ids = who[..., 1].astype(int) + 256 * who[..., 0].astype(int)
    assert set(np.unique(ids)) == {0, other.id % 65536}
    assert ((ids > 0) == (tags == int(carla.CityObjectLabel.Car))).all()
    assert (who[..., 2] == tags).all()


LIDAR = {"channels": 4, "points_per_second": 28800, "rotation_frequency": 1 / DT, "range": 40, "upper_fov": 0,
         "lower_fov": -15}  # fmt: skip
POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("cos", "<f4"), ("actor", "<u4"), ("tag", "<u4")])


def test_a_full_circle_of_lidar_has_every_azimuth_and_hits_the_car_where_it_is(world: Any) -> None:
    car, other, place = two_cars(world)
    other.set_transform(ahead_of(place, 15.0, right=4.0))  # to one side: a mirrored circle would miss it
    at = carla.Transform(carla.Location(x=0.0, z=0.8))
    for _ in range(2):  # the second circle is the first one again
        said = read(world, "sensor.lidar.ray_cast_semantic", at, car, ticks=2, **LIDAR)
        points = np.frombuffer(bytes(said.raw_data), POINT)
        counts = [said.get_point_count(c) for c in range(said.channels)]
        assert sum(counts) == len(points) and said.horizontal_angle == pytest.approx(0.0, abs=1e-5)
        azimuth = np.degrees(np.arctan2(points["y"], points["x"]))
        assert np.abs(azimuth - np.round(azimuth)).max() < 1e-3
        for c, mine in enumerate(np.split(points, np.cumsum(counts)[:-1])):
            height = np.degrees(np.arctan2(mine["z"], np.hypot(mine["x"], mine["y"])))
            assert height == pytest.approx(-5.0 * c, abs=1e-3)
            ray = np.round(np.degrees(np.arctan2(mine["y"], mine["x"]))).astype(int) % 360
            assert (np.diff(ray) > 0).all()
        hits = points[points["actor"] == other.id]
        assert len(hits) and (hits["tag"] == int(carla.CityObjectLabel.Car)).all()
        straight = hits[(np.abs(hits["y"] - 4.0) < 0.4) & (hits["z"] > -0.3)]
        assert len(straight)
        assert straight["x"] == pytest.approx(15.0 - other.bounding_box.extent.x, abs=0.02)
        ground = points[np.abs(points["z"] + 0.8) < 1e-4]
        assert len(ground) and (ground["actor"] == 0).all()


def test_an_inclined_lidar_meets_the_same_ground(world: Any) -> None:
    car, _, _ = two_cars(world)
    pitch = carla.Transform(carla.Location(z=2.0), carla.Rotation(pitch=-10.0, yaw=90.0))
    said = read(world, "sensor.lidar.ray_cast_semantic", pitch, car, **LIDAR)
    points = np.frombuffer(bytes(said.raw_data), POINT)
    ahead, up = math.cos(math.radians(-10.0)), math.sin(math.radians(-10.0))
    height = 2.0 + points["x"] * up + points["z"] * ahead
    ground = points["tag"] == int(carla.CityObjectLabel.Roads)
    assert ground.any() and height[ground] == pytest.approx(0.0, abs=1e-3)


def test_lidar_light_fades_with_distance_and_half_of_it_may_drop_out(world: Any) -> None:
    car, _, _ = two_cars(world)
    clear = {"dropoff_general_rate": 0.0, "dropoff_zero_intensity": 0.0, "atmosphere_attenuation_rate": 0.02}
    settings = LIDAR
    said = read(world, "sensor.lidar.ray_cast", MOUNT, car, **settings, **clear)
    points = np.frombuffer(bytes(said.raw_data), "<f4").reshape(-1, 4)
    assert points[:, 3] == pytest.approx(np.exp(-0.02 * np.linalg.norm(points[:, :3], axis=1)), abs=1e-4)
    fewer = read(world, "sensor.lidar.ray_cast", MOUNT, car, **settings, **(clear | {"dropoff_general_rate": 0.5}))
    assert len(fewer) / len(said) == pytest.approx(0.5, abs=0.1)


def test_a_slow_lidar_goes_on_where_it_was(world: Any) -> None:
    car, _, _ = two_cars(world)
    settings = LIDAR | {"points_per_second": 7200, "rotation_frequency": 0.25 / DT}  # a quarter of a turn in a tick
    for ticks, (low, high) in ((1, (0, 90)), (2, (90, 180)), (3, (180, 270))):
        said = read(world, "sensor.lidar.ray_cast_semantic", MOUNT, car, ticks=ticks, **settings)
        points = np.frombuffer(bytes(said.raw_data), POINT)
        azimuth = np.degrees(np.arctan2(points["y"], points["x"])) % 360
        assert azimuth.min() >= low - 1e-3 and azimuth.max() < high


def test_radar_says_how_fast_the_way_grows(world: Any) -> None:
    car, other, place = two_cars(world)
    yaw = math.radians(place.rotation.yaw)
    other.set_target_velocity(carla.Vector3D(-4.0 * math.cos(yaw), -4.0 * math.sin(yaw), 0.0))
    radar = read(world, "sensor.other.radar", carla.Transform(carla.Location(x=2.5, z=1.0)), car, horizontal_fov=6,
                 vertical_fov=2, points_per_second=4000, range=50)  # fmt: skip
    near = [d for d in radar if abs(d.depth - (15.0 - 2.5 - other.bounding_box.extent.x)) < 1.0]
    assert near
    for d in near:  # it comes nearer, and CARLA's server calls that negative
        assert d.velocity == pytest.approx(-4.0 * math.cos(d.azimuth) * math.cos(d.altitude), abs=0.05)
        assert abs(d.azimuth) < math.radians(3.1) and abs(d.altitude) < math.radians(1.1)


def test_gnss_is_where_the_map_says(world: Any) -> None:
    car, _, _ = two_cars(world)
    said = read(world, "sensor.other.gnss", carla.Transform(carla.Location(x=1.0, y=0.5, z=2.0)), car)
    truth = world.get_map().transform_to_geolocation(said.transform.location)
    assert said.latitude == pytest.approx(truth.latitude, abs=2e-8)
    assert said.longitude == pytest.approx(truth.longitude, abs=2e-8)
    assert said.altitude == pytest.approx(2.0, abs=1e-5)
    noisy = read(world, "sensor.other.gnss", MOUNT, car, noise_lat_stddev=0.1, noise_seed=3)
    assert abs(noisy.latitude - truth.latitude) > 1e-4 and noisy.longitude == pytest.approx(truth.longitude, abs=1e-4)


def test_an_imu_feels_what_the_snapshot_says_of_a_car_that_turns(world: Any) -> None:
    place = world.get_map().get_spawn_points()[0]
    car = a_car(world, place)
    car.set_simulate_physics(True)
    car.apply_control(carla.VehicleControl(throttle=0.6, steer=0.2))
    for _ in range(40):
        world.tick()
    said = read(world, "sensor.other.imu", carla.Transform(), car, ticks=3)
    snapshot = world.get_snapshot().find(car.id)
    yaw, felt = math.radians(snapshot.get_transform().rotation.yaw), snapshot.get_acceleration()
    forward = felt.x * math.cos(yaw) + felt.y * math.sin(yaw)
    right = felt.y * math.cos(yaw) - felt.x * math.sin(yaw)
    assert said.accelerometer.x == pytest.approx(forward, abs=0.25)  # a moment against the mean over a tick
    assert said.accelerometer.y == pytest.approx(right, abs=0.25) and abs(right) > 0.5
    assert said.accelerometer.z == pytest.approx(9.81, abs=1e-3)
    assert said.gyroscope.z == pytest.approx(math.radians(snapshot.get_angular_velocity().z), abs=0.02)
    assert said.compass == pytest.approx((yaw + math.pi / 2) % (2 * math.pi), abs=1e-3)


def test_a_crash_tells_both_of_one_another_and_an_obstacle_is_told_before(world: Any) -> None:
    place = world.get_map().get_spawn_points()[0]
    car, other = a_car(world, place), a_car(world, ahead_of(place, 9.0))
    car.set_simulate_physics(True)
    library, heard, warned, alive = world.get_blueprint_library(), [], [], []
    for who in (car, other):
        sensor = world.spawn_actor(library.find("sensor.other.collision"), carla.Transform(), attach_to=who)
        sensor.listen(heard.append)
        alive.append(sensor)  # one that is forgotten falls silent
    obstacle = library.find("sensor.other.obstacle")
    assert not library.find("sensor.other.collision").has_attribute("sensor_tick")
    obstacle.set_attribute("distance", "4")
    obstacle.set_attribute("only_dynamics", "true")
    nose = carla.Transform(carla.Location(x=car.bounding_box.extent.x, z=0.7))
    watch = world.spawn_actor(obstacle, nose, attach_to=car)
    watch.listen(warned.append)
    car.apply_control(carla.VehicleControl(throttle=1.0))
    for _ in range(80):
        world.tick()
    assert {(e.actor.id, e.other_actor.id) for e in heard} == {(car.id, other.id), (other.id, car.id)}
    first = [e for e in heard if e.frame == min(e.frame for e in heard)]
    assert len(first) == 2 and all(e.normal_impulse.length() > 1000.0 for e in first)  # who still pushes touches again
    assert warned and all(e.actor.id == car.id and e.other_actor.id == other.id for e in warned)
    gaps = [e.distance for e in warned]
    assert max(gaps) <= 4.0 and min(gaps) < 1.0 and warned[0].frame < min(e.frame for e in heard)


@pytest.mark.parametrize("kind", ["sensor.other.imu", "sensor.other.gnss", "sensor.camera.depth"])
def test_a_sensor_measures_as_often_as_it_is_told_and_again_after_it_was_stopped(world: Any, kind: str) -> None:
    car, _, _ = two_cars(world)
    blueprint = world.get_blueprint_library().find(kind)
    blueprint.set_attribute("sensor_tick", str(4 * DT))
    sensor = world.spawn_actor(blueprint, MOUNT, attach_to=car)
    for _ in range(3):
        frames: queue.Queue[int] = queue.Queue()
        sensor.listen(lambda said, frames=frames: frames.put(said.frame))
        first = world.tick()
        for _ in range(15):
            world.tick()
        got = [frames.get(timeout=5) for _ in range(4)]
        assert np.diff(got).tolist() == [4, 4, 4] and got[0] - first < 4
        sensor.stop()
        for _ in range(3):
            world.tick()


def test_rays_tell_everything_on_their_way_and_the_ground_below(world: Any) -> None:
    _, other, place = two_cars(world)
    world.tick()
    start, end = ahead_of(place, 3.0).location, ahead_of(place, 25.0).location
    start.z = end.z = 0.5
    met = world.cast_ray(start, end)
    cars = [p for p in met if p.label == carla.CityObjectLabel.Car]
    assert len(cars) == 1
    assert cars[0].location.distance(start) == pytest.approx(12.0 - other.bounding_box.extent.x, abs=0.02)
    found = world.project_point(start, carla.Vector3D(*_direction(start, end)), 50.0)
    assert found.location.distance(cars[0].location) < 0.01
    below = world.ground_projection(carla.Location(start.x, start.y, 5.0), 20.0)
    assert below.location.z == pytest.approx(0.0, abs=1e-4) and below.label == carla.CityObjectLabel.Roads


def _direction(a: Any, b: Any) -> tuple[float, float, float]:
    gap = b - a
    return gap.x, gap.y, gap.z


def test_scenery_has_boxes_names_and_can_be_hidden(world: Any) -> None:
    boxes = world.get_level_bbs(carla.CityObjectLabel.Buildings)
    things = world.get_environment_objects(carla.CityObjectLabel.Buildings)
    assert len(boxes) == len(things) > 0
    thing = things[0]
    assert thing.name in world.get_names_of_all_objects()
    centre = carla.Location(thing.bounding_box.location.x, thing.bounding_box.location.y, 60.0)
    top = world.project_point(centre, carla.Vector3D(0, 0, -1), 100.0)
    assert top.label == carla.CityObjectLabel.Buildings
    world.enable_environment_objects({thing.id}, False)
    assert world.project_point(centre, carla.Vector3D(0, 0, -1), 100.0).label != carla.CityObjectLabel.Buildings
    world.enable_environment_objects({thing.id}, True)
    assert world.project_point(centre, carla.Vector3D(0, 0, -1), 100.0).label == carla.CityObjectLabel.Buildings


def test_lane_invasion_is_found_by_the_client(world: Any) -> None:
    place = world.get_map().get_spawn_points()[0]
    car = a_car(world, place)
    heard: list[Any] = []
    blueprint = world.get_blueprint_library().find("sensor.other.lane_invasion")
    assert not blueprint.has_attribute("sensor_tick")
    sensor = world.spawn_actor(blueprint, carla.Transform(), attach_to=car)
    world.tick()
    sensor.listen(heard.append)
    for right in np.linspace(0.0, -4.0, 30):
        car.set_transform(ahead_of(place, 1.0, right=float(right)))
        world.tick()
    assert heard and heard[0].crossed_lane_markings


def test_what_cannot_be_is_refused_by_name(world: Any) -> None:
    blueprint = world.get_blueprint_library().find("sensor.lidar.ray_cast")
    blueprint.set_attribute("lower_fov", "20")
    with pytest.raises(RuntimeError, match="lower_fov is 20, above upper_fov 10"):
        world.spawn_actor(blueprint, carla.Transform())


def flow_of(image: Any) -> np.ndarray:
    """(H, W, 2), half pictures to the right and upwards."""
    return np.frombuffer(bytes(image.raw_data), np.float32).reshape(image.height, image.width, 2)


def test_the_flow_of_a_driven_car_is_carlas_half_pictures_to_the_right_and_upwards(world: Any) -> None:
    car, other, _ = two_cars(world)
    kind = "sensor.camera.optical_flow"
    still = flow_of(read(world, kind, MOUNT, car, **SIZE))
    assert not still.any()
    other.destroy()
    car.set_simulate_physics(True)
    car.apply_control(carla.VehicleControl(throttle=0.8))
    image = read(world, kind, MOUNT, car, ticks=20, **SIZE)
    assert isinstance(image, carla.OpticalFlowImage) and isinstance(image[0], carla.OpticalFlowPixel)
    speed, flow = car.get_velocity().length(), flow_of(image)
    # the ground 1.3 m below at the row 40 below the middle: 100 px of focal length
    moved = 1.3 * 100 / 40 * np.array([1.0, 1.0])
    depth, travelled = moved[0], speed * DT
    assert flow[89:91, 98:102, 1].mean() == pytest.approx(
        -(1.3 / depth - 1.3 / (depth + travelled)) * 100 / 50, rel=0.05
    )
    assert (flow[90, :90, 0] < 0.0).all() and (flow[90, 110:, 0] > 0.0).all()
    rolled = carla.Transform(MOUNT.location, carla.Rotation(roll=90.0))
    car.set_simulate_physics(False)
    turned = flow_of(read(world, kind, rolled, car, image_size_x=100, image_size_y=200, fov=53.13010235415598))
    level = flow_of(read(world, kind, MOUNT, car, **SIZE))
    # clockwise by a quarter: what was down is now on the right; both are shares of another side
    np.testing.assert_allclose(turned[..., 0], -np.rot90(level[..., 1], 1), atol=2e-3)
    np.testing.assert_allclose(turned[..., 1], np.rot90(level[..., 0], 1), atol=2e-3)
