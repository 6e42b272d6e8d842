"""Claims about sensors: they see what geometry says, each world alone, by the names that the scenario gave them."""

from __future__ import annotations

import importlib.util
import math
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from pydantic import ValidationError

from scenarios import DRIVE
from scenarios.gym.environments import make_drive, make_vector
from scenarios.reading.yaml import ScenarioError
from scenarios.scenario import Scenario, from_text, load_scenario
from scenarios.schema.map import SensorModel
from sim.actors.registry import KIND, KINDS
from sim.actors.tags import KERB, PAINT, PALETTE, TAG, TAG_OF_KIND, TAGS
from sim.datatypes.action import Action
from sim.datatypes.camera import Camera
from sim.datatypes.episode import MapSpec, SignSpec, Weather
from sim.datatypes.road_map import SCENERY_COLUMNS
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import DRIVABLE, SURFACE
from sim.render.rgb import render
from sim.sensors import geometry_pass as d
from sim.sensors.base import register
from sim.sensors.birdseye import MASKS, Birdseye
from sim.sensors.depth import Depth, depth_image, from_carla_depth, to_carla_depth
from sim.sensors.gnss import Gnss, geo_reference
from sim.sensors.imu import IMU, Imu
from sim.sensors.instance import Instance
from sim.sensors.lidar import Lidar, azimuths, elevations
from sim.sensors.optical_flow import OpticalFlow
from sim.sensors.registry import SENSORS, sensor_table, settings_of
from sim.sensors.rgb import Rgb
from sim.sensors.semantic import Semantic, semantic_image
from sim.sensors.speedometer import Speedometer
from sim.world.embedded import EmbeddedWorld
from tests.support.worlds import ONCOMING, PARKED, SMALL, T, episode, rows

TEXT = """\
name: sensing
map: {generate: t_junction, arm: 40}
weather: {precipitation: {choice: [0, 60]}}
sensors:
  front: {kind: rgb, width: 64, height: 36, fov: 90, forward: 1.6, up: 1.5, pitch: -4}
  rear: {kind: rgb, width: 32, height: 20, yaw: 180, forward: -1.0}
  far: {kind: depth, width: 48, height: 32}
  tags: {kind: semantic, width: 48, height: 32}
  map: {kind: birdseye, width: 40, height: 32, metres: 40}
  imu: {kind: imu}
  gnss: {kind: gnss}
  odometer: {kind: speedometer}
  lidar: {kind: lidar, rays: 36, channels: 4, range: 40}
propositions: {raining: weather.precipitation > 20}
rule: left if raining else right
"""
EYE = Camera(width=48, height=32, pitch=-6.0, yaw=11.0, left=0.3)
EVERY = {
    "rgb": Rgb(SMALL), "depth": Depth(EYE), "semantic": Semantic(EYE), "birdseye": Birdseye(40, 32),
    "lidar": Lidar(36, 4), "instance": Instance(EYE), "optical_flow": OpticalFlow(EYE),
    "speedometer": Speedometer(), "imu": Imu(), "gnss": Gnss(),
}  # fmt: skip
FRONT = replace(PARKED, name="front", arm="south", lane="inbound", distance=8.0, side=0.5)
EPISODE = episode(actors=(PARKED, FRONT, ONCOMING), distance=24.0)


def _twin():  # type: ignore[no-untyped-def]
    """The slow twins, loaded by their place: `tests` need not be a package."""
    path = Path(__file__).parents[2] / "reference" / "sensors.py"
    spec = importlib.util.spec_from_file_location("twin_sensors", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


twin = _twin()


def fleet(episodes, sensors=EVERY, threads: int = 1) -> EmbeddedWorld:  # type: ignore[no-untyped-def]
    backend = EmbeddedWorld(len(episodes), SMALL, Simulation(actors=4), threads, sensors=sensors)
    backend.reset(episodes)
    return backend


@pytest.fixture(scope="module")
def boxes_world() -> EmbeddedWorld:
    """Vans and buildings: all that stands there fills its box, so that rays against boxes are the truth."""
    backend = fleet([replace(EPISODE, actors=tuple(replace(a, kind="van") for a in EPISODE.actors))])
    road_map = backend.maps.maps[0]
    walls = [(KIND["building"], 11.0, -14.0, 0.4, 6.0, 5.0, 7.0, 0xC9B79D),
             (KIND["building"], -12.0, -9.0, -0.3, 8.0, 6.0, 4.0, 0xA05A46)]  # fmt: skip
    stem = road_map.junctions[0].arms["south"].inbound.points[-1]
    scenery = np.array(walls, np.float64)
    scenery[:, 1:3] += stem[:2]
    backend.maps.maps[0] = replace(road_map, scenery=scenery)
    backend.maps._arrays = None
    return backend


def solids(backend: EmbeddedWorld, w: int = 0) -> list:  # type: ignore[type-arg]
    """Every whole box of a world but ego."""
    world, found = backend.world, []
    for i in np.flatnonzero(world.kind[w, 1:]) + 1:
        yaw = float(world.yaw[w, i])
        ahead = float(world.length[w, i]) / 2 - float(world.overhang[w, i])
        x, y = float(world.x[w, i]) + ahead * math.cos(yaw), float(world.y[w, i]) + ahead * math.sin(yaw)
        size = (float(a[w, i]) for a in (world.length, world.width, world.height))
        found.append(twin.Solid(x, y, yaw, *size, TAG["Car"]))
    for kind, *numbers, _ in backend.maps.maps[int(world.map[w])].scenery:
        assert kind == KIND["building"], SCENERY_COLUMNS
        found.append(twin.Solid(*numbers, TAG["Building"]))
    return found


def tag_of_ground(road_map, x: float, y: float) -> int:  # type: ignore[no-untyped-def]
    size, origin = road_map.ground.texel, road_map.ground.origin.tolist()
    x, y = ((math.floor((v - o) / size) + 0.5) * size + o for v, o in zip((x, y), origin))  # a texel has one class
    at = twin.surface(road_map, x, y)
    if at in DRIVABLE:
        around = [k * size for k in range(-math.ceil(KERB / size), math.ceil(KERB / size) + 1)]
        painted = twin.redness(road_map, x, y) > PAINT
        painted = painted and all(twin.surface(road_map, x + i, y + j) in DRIVABLE for i in around for j in around)
        return TAG["RoadLine"] if painted else TAG["Roads"]
    return TAG["SideWalks"] if at == SURFACE["pavement"] else TAG["Terrain"]


def eye_of(camera: Camera, backend: EmbeddedWorld) -> tuple[np.ndarray, np.ndarray]:
    """The camera's place (3,) and the ray of every pixel (H, W, 3) whose length is one metre along the view."""
    x, y, yaw = (float(a[0, 0]) for a in (backend.world.x, backend.world.y, backend.world.yaw))
    focal = camera.width / 2 / math.tan(math.radians(camera.fov) / 2)
    heading, pitch = yaw + math.radians(camera.yaw), math.radians(camera.pitch)
    right = np.array([math.sin(heading), -math.cos(heading), 0.0])
    ahead = np.array([math.cos(heading) * math.cos(pitch), math.sin(heading) * math.cos(pitch), math.sin(pitch)])
    down = np.cross(ahead, right)
    u, v = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    offset = (u - camera.width / 2)[..., None] * right + (v - camera.height / 2)[..., None] * down
    ego = np.array([[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]])
    return np.array([*(ego @ [camera.forward, camera.left] + [x, y]), camera.up]), ahead + offset / focal


# ------------------------------------------------------------------------------------------- depth and tags
STEEP = [
    replace(EYE, pitch=-90.0, up=20.0, forward=19.0), replace(EYE, pitch=-90.0, yaw=-140.0, up=16.0, forward=2.0),
    replace(EYE, pitch=-74.0, up=14.0, forward=19.0), replace(EYE, pitch=-58.0, up=12.0, forward=19.0, height=64),
    replace(EYE, pitch=70.0, fov=140.0),
]  # fmt: skip


@pytest.mark.parametrize("camera", [EYE, *STEEP], ids=["ahead", "down", "turned", "steep", "past its foot", "up"])
def test_depth_and_tags_are_what_one_ray_a_pixel_finds(boxes_world: EmbeddedWorld, camera: Camera) -> None:
    if camera is EYE:
        seen = boxes_world.sense()
    else:
        arguments = boxes_world.maps, boxes_world.world, camera
        seen = {"depth": depth_image(*arguments), "semantic": semantic_image(*arguments)}
    boxes, road_map = solids(boxes_world), boxes_world.maps.maps[0]
    place, ray = eye_of(camera, boxes_world)
    depth, tags = np.full(ray.shape[:2], d.FAR), np.full(ray.shape[:2], TAG["Sky"])
    sure = np.ones(ray.shape[:2], bool)
    for v, u in np.ndindex(*depth.shape):
        far, box = twin.first_hit(place, ray[v, u], boxes)
        if far < d.FAR:
            at = place + far * ray[v, u]
            depth[v, u], tags[v, u] = far, box.tag if box else tag_of_ground(road_map, at[0], at[1])
            sure[v, u] = not box or box.tag != TAG["Car"] or at[2] > 0.2 * box.height  # one sees through beneath a van
    if camera is EYE:
        assert {TAG[t] for t in ("Sky", "Car", "Building", "Roads", "RoadLine", "SideWalks")} <= set(np.unique(tags))
    found, labels = seen["depth"][0, ..., 0], seen["semantic"][0, ..., 0]
    solid = np.isin(tags, [TAG["Car"], TAG["Building"]]) & sure
    assert solid.sum() > (80 if camera.pitch < 60.0 else 20)
    heading = float(boxes_world.world.yaw[0, 0]) + math.radians(camera.yaw)
    behind = ray[..., :2] @ [math.cos(heading), math.sin(heading)] < -0.05
    assert (solid & behind).sum() > 10 or camera in (EYE, STEEP[-1])  # a van, or a part of one, behind the foot
    close = np.abs(found - depth) <= 2e-3 * depth
    # a silhouette's pixel centre, or a place on a texel's border, may fall to either side in float32
    assert close[sure].mean() > 0.995 and close[solid].mean() > 0.98
    assert (labels == tags)[sure].mean() > 0.985 and (labels == tags)[solid].mean() > 0.98


def test_edges_of_depth_are_the_pictures_edges() -> None:
    backend = fleet([EPISODE], {})
    camera = Camera(width=96, height=64)
    bare = fleet([EPISODE], {})
    bare.maps.maps[0] = replace(bare.maps.maps[0], scenery=np.zeros((0, 8)))
    bare.maps._arrays = None
    bare.world.kind[:, 1:] = 0
    pictures = [render(b.maps.arrays, b.world, camera)[0] for b in (backend, bare)]
    depths = [depth_image(b.maps, b.world, camera)[0, ..., 0] for b in (backend, bare)]
    nearer = depths[0] < depths[1]
    assert 0.1 < nearer.mean() < 0.9
    changed = (pictures[0] != pictures[1]).any(-1)
    # by day the picture also has shadows on the ground; the sky has none, and there a few colours are alike
    sky = depths[1] == d.FAR
    assert (nearer & ~changed).mean() < 0.005
    assert (changed & ~nearer & sky).sum() == 0


def test_one_sees_through_the_holes_of_a_tree_and_not_through_its_leaves() -> None:
    backend = fleet([episode()], {})
    road_map = backend.maps.maps[0]
    x, y, yaw = (float(a[0, 0]) for a in (backend.world.x, backend.world.y, backend.world.yaw))
    tree = (KIND["tree"], x + 9 * math.cos(yaw), y + 9 * math.sin(yaw), 0.0, 5.0, 5.0, 5.0, 1)
    backend.maps.maps[0] = replace(road_map, scenery=np.array([tree]))
    backend.maps._arrays = None
    tags = semantic_image(backend.maps, backend.world, Camera(width=96, height=64))[0, ..., 0]
    rows, columns = np.nonzero(tags == TAG["Vegetation"])
    inside = tags[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert 0.3 < (inside == TAG["Vegetation"]).mean() < 0.95


def test_a_sign_is_seen_where_the_picture_shows_it_and_a_ray_meets_its_panel() -> None:
    sign = SignSpec("board", text="STOP HERE", distance=10.0, side=2.5)
    lidar = Lidar(rays=720, channels=24, lower=-10.0, upper=20.0)
    signed, plain = (fleet([episode(signs=s)], {"lidar": lidar}) for s in ((sign,), ()))
    camera = Camera(width=96, height=64)
    pictures = [render(b.maps.arrays, b.world, camera)[0] for b in (signed, plain)]
    changed = (pictures[0] != pictures[1]).any(-1)
    arrays = signed.maps, signed.world, camera
    assert changed.sum() > 15
    assert (changed == (semantic_image(*arrays)[0, ..., 0] == TAG["TrafficSign"])).all()
    nearer = depth_image(*arrays)[0, ..., 0] != depth_image(plain.maps, plain.world, camera)[0, ..., 0]
    assert (nearer == changed).all()
    hits = signed.sense()["lidar"][0][signed.sense()["lidar"][0, ..., 1] == TAG["TrafficSign"]]
    assert len(hits) > 3 and np.ptp(hits[:, 0]) < 1.5, "the panel faces the road that ego comes along"
    assert not (plain.sense()["lidar"][..., 1] == TAG["TrafficSign"]).any()


def test_depth_goes_to_carlas_24_bits_and_back() -> None:
    metres = np.array([[0.0, 0.25, 12.3456], [499.9, 999.99, 1000.0]], np.float32)
    coded = to_carla_depth(metres)
    assert coded.shape == (2, 3, 3) and coded.dtype == np.uint8
    assert coded[0, 0].tolist() == [0, 0, 0] and coded[1, 2].tolist() == [255, 255, 255]
    # CARLA's documentation: normalised = (R + G * 256 + B * 256 * 256) / (256 * 256 * 256 - 1)
    r, g, b = (int(c) for c in coded[0, 2])
    assert (r + g * 256 + b * 65536) / (256**3 - 1) * 1000 == pytest.approx(12.3456, abs=6e-5)
    np.testing.assert_allclose(from_carla_depth(coded), metres, atol=7e-5)
    assert to_carla_depth(np.array(5000.0)).tolist() == [255, 255, 255]


def test_tags_are_carlas() -> None:
    import carla

    ours = {"NONE": "Unlabeled", "Buildings": "Building", "Fences": "Fence", "Pedestrians": "Pedestrian",
            "Poles": "Pole", "RoadLines": "RoadLine", "Sidewalks": "SideWalks", "TrafficSigns": "TrafficSign",
            "Walls": "Wall"}  # fmt: skip
    labels = {str(k): int(v) for k, v in carla.CityObjectLabel.names.items() if str(k) != "Any"}
    assert {ours.get(k, k): v for k, v in labels.items()} == TAG
    assert PALETTE.shape == (len(TAGS), 3) and len({tuple(c) for c in PALETTE.tolist()}) == len(TAGS)
    assert all(TAG_OF_KIND[KIND[k]] != TAG["Other"] for k in KINDS), "a kind of object has no tag"


# -------------------------------------------------------------------------------------------------------- lidar
def test_lidar_rays_meet_what_rays_meet(boxes_world: EmbeddedWorld) -> None:
    lidar = Lidar(rays=90, channels=6, range=30.0, lower=-25.0, upper=10.0)
    found = lidar.sense(boxes_world.maps, boxes_world.world, 1)[0]
    boxes, road_map = solids(boxes_world), boxes_world.maps.maps[0]
    x, y, yaw = (float(a[0, 0]) for a in (boxes_world.world.x, boxes_world.world.y, boxes_world.world.yaw))
    place = np.array([x + lidar.forward * math.cos(yaw), y + lidar.forward * math.sin(yaw), lidar.up])
    wanted = np.zeros((6, 90, 2))
    for c, e in enumerate(elevations(6, -25.0, 10.0)):
        for r, a in enumerate(azimuths(90)):
            ray = np.array([math.cos(e) * math.cos(yaw + a), math.cos(e) * math.sin(yaw + a), math.sin(e)])
            far, box = twin.first_hit(place, ray, boxes)
            at = place + min(far, 1e3) * ray
            wanted[c, r] = (far, box.tag if box else tag_of_ground(road_map, at[0], at[1])) if far < 30.0 else (30.0, 0)
    assert {0, TAG["Car"], TAG["Building"], TAG["Roads"]} <= set(np.unique(wanted[..., 1]).astype(int))
    assert (np.abs(found[..., 0] - wanted[..., 0]) < 0.02).mean() > 0.995
    assert (found[..., 1] == wanted[..., 1]).mean() > 0.985


def test_a_trees_crown_is_round_to_a_ray() -> None:
    backend = fleet([episode()], {})
    x, y, yaw = (float(a[0, 0]) for a in (backend.world.x, backend.world.y, backend.world.yaw))
    tree = (KIND["tree"], x + 12 * math.cos(yaw), y + 12 * math.sin(yaw), 0.3, 6.0, 6.0, 6.0, 1)
    backend.maps.maps[0] = replace(backend.maps.maps[0], scenery=np.array([tree]))
    backend.maps._arrays = None
    lidar = Lidar(rays=720, channels=1, lower=4.0, upper=4.0, forward=0.0, up=2.0)
    found = lidar.sense(backend.maps, backend.world, 1)[0, 0]
    met, azimuth = found[:, 1] == TAG["Vegetation"], azimuths(720)
    flat = found[met, 0] * math.cos(math.radians(4.0))
    ahead, left = flat * np.cos(azimuth[met]) - 12, flat * np.sin(azimuth[met])
    assert met.sum() > 30
    np.testing.assert_allclose(np.hypot(ahead, left), 0.38 * 6, atol=1e-3)


def test_a_ray_that_meets_nothing_says_so_and_ray_one_looks_left() -> None:
    backend = fleet([episode()], {})
    backend.maps.maps[0] = replace(backend.maps.maps[0], scenery=np.zeros((0, 8)))
    backend.maps._arrays = None
    lidar = Lidar(rays=4, channels=2, range=20.0, lower=-10.0, upper=10.0)
    up, down = lidar.sense(backend.maps, backend.world, 1)[0]
    assert (up == [20.0, 0.0]).all()
    assert np.allclose(down[:, 0], 1.8 / math.sin(math.radians(10.0)), rtol=1e-5) and (down[:, 1] > 0).all()
    # a van to the left, 6 m from the sensor
    world, yaw = backend.world, float(backend.world.yaw[0, 0])
    for name, value in (("kind", KIND["van"]), ("length", 2.0), ("width", 2.0), ("height", 9.0), ("overhang", 1.0)):
        getattr(world, name)[0, 1] = value
    world.x[0, 1] = world.x[0, 0] + 1.35 * math.cos(yaw) - 6 * math.sin(yaw)
    world.y[0, 1] = world.y[0, 0] + 1.35 * math.sin(yaw) + 6 * math.cos(yaw)
    world.yaw[0, 1] = yaw
    up = lidar.sense(backend.maps, world, 1)[0, 0]
    assert up[1, 0] == pytest.approx(5.0 / math.cos(math.radians(10.0)), rel=1e-4) and up[1, 1] == TAG["Car"]
    assert (up[[0, 2, 3]] == [20.0, 0.0]).all()


# ----------------------------------------------------------------------------------------------------- from above
def test_masks_from_above_are_the_maps_and_the_boxes(boxes_world: EmbeddedWorld) -> None:
    settings = Birdseye(width=60, height=50, metres=45.0, forward=6.0)
    found = settings.sense(boxes_world.maps, boxes_world.world, 1)[0]
    road_map, size = boxes_world.maps.maps[0], 45.0 / 60
    x, y, yaw = (float(a[0, 0]) for a in (boxes_world.world.x, boxes_world.world.y, boxes_world.world.yaw))
    actors = [s for s in solids(boxes_world) if s.tag == TAG["Car"]]
    length, width = float(boxes_world.world.length[0, 0]), float(boxes_world.world.width[0, 0])
    wanted = np.zeros((50, 60, 5), bool)
    for v, u in np.ndindex(50, 60):
        ahead, left = 6.0 + (24.5 - v) * size, (29.5 - u) * size
        px, py = x + ahead * math.cos(yaw) - left * math.sin(yaw), y + ahead * math.sin(yaw) + left * math.cos(yaw)
        at = twin.surface(road_map, px, py)
        wanted[v, u, 0], wanted[v, u, 2] = at in DRIVABLE, at == SURFACE["junction"]
        wanted[v, u, 3] = abs(left) <= width / 2 and -0.85 <= ahead <= length - 0.85
        sky = np.array([px, py, 50.0])
        wanted[v, u, 4] = any(twin.enter(sky, np.array([0.0, 0.0, -1.0]), s) < 50 for s in actors)
    assert wanted.any((0, 1))[[0, 2, 3, 4]].all(), "a mask is empty: nothing was compared"
    for c in (0, 2, 3, 4):
        assert ((found[..., c] == 255) == wanted[..., c]).mean() > 0.995, MASKS[c]
    assert set(np.unique(found)) == {0, 255}
    paint = found[..., 1] == 255
    assert paint.any() and not (paint & ~wanted[..., 0]).any(), "paint lies on what can be driven on"
    assert MASKS == ("drivable", "marking", "junction", "ego", "actors"), "a route would tell the rule's answer"


def test_the_masks_do_not_tell_which_way_is_wanted() -> None:
    backend = fleet([EPISODE], {"map": Birdseye()})
    before = backend.sense()["map"].copy()
    backend.world.route[:] = backend.world.route[:, ::-1].copy()
    backend.world.shown_decision[:] = 1
    assert (backend.sense()["map"] == before).all()


# ---------------------------------------------------------------------------------------------- what the car feels
def test_the_imu_feels_what_the_cars_motion_says() -> None:
    backend = fleet([episode(speed=7.0)], {"imu": Imu()})
    world, dt, seen = backend.world, backend.simulation.tick, []
    for _ in range(12):
        before = [float(a[0, 0]) for a in (world.x, world.y, world.yaw, world.speed)]
        backend.step(Action(np.full(1, 0.12, np.float32), np.full(1, 0.8, np.float32)))
        seen.append(
            (before, [float(a[0, 0]) for a in (world.x, world.y, world.yaw, world.speed)], backend.sense()["imu"][0])
        )
    before, after, felt = seen[-1]
    assert world.outcome[0] == 0, "the world has ended: nothing moves"
    # the readings are of a moment, the differences are means over a tick in which speed grows by 0.08 m/s
    turn = math.remainder(after[2] - before[2], math.tau) / dt
    assert turn > 0.2, "a turn to the left is positive"
    assert felt[0] == pytest.approx((after[3] - before[3]) / dt, abs=1e-3)
    assert felt[5] == pytest.approx(turn, rel=0.02) and felt[3] == felt[4] == 0.0
    velocity = [np.subtract(a[:2], b[:2]) / dt for b, a, _ in seen[-2:]]
    sideways = np.array([-math.sin(before[2]), math.cos(before[2])])
    assert felt[1] == pytest.approx(float((velocity[1] - velocity[0]) @ sideways) / dt, rel=0.05)
    assert felt[2] == pytest.approx(9.81)
    assert len(felt) == len(IMU)


def test_the_imu_of_a_car_that_slides_feels_the_way_it_goes_and_not_its_wheel() -> None:
    backend = fleet([episode(speed=12.0, weather=Weather(wetness=100.0))], {"imu": Imu()})
    for _ in range(5):
        before = float(backend.world.yaw[0, 0])
        backend.step(Action(np.full(1, 0.6, np.float32), np.full(1, -1.0, np.float32)))
    felt = backend.sense()["imu"][0]
    # the yaw rate is a mean over a tick in which the speed falls by 0.1 m/s
    assert felt[5] == pytest.approx((float(backend.world.yaw[0, 0]) - before) / 0.1, rel=0.02)
    assert math.hypot(felt[0], felt[1]) == pytest.approx(0.6 * 9.81, rel=1e-3)


@pytest.mark.parametrize(
    ("yaw", "compass"), [(90, 0), (0, 90), (-90, 180), (180, 270), (-180, 270), (89, 1), (91, 359)]
)
def test_the_compass_is_carlas_north_is_0_and_east_a_quarter(yaw: float, compass: float) -> None:
    backend = fleet([episode()], {"imu": Imu()})
    backend.world.yaw[:, 0] = math.radians(yaw)
    assert math.degrees(backend.sense()["imu"][0, 6]) == pytest.approx(compass, abs=1e-3)


def test_gnss_is_carlas_formula() -> None:
    import carla

    backend = fleet([episode()], {"gnss": Gnss()})
    road_map = backend.maps.maps[0]
    assert geo_reference(road_map) == (52.0, 5.0)
    theirs = carla.Map("here", road_map.opendrive)
    for x, y in ((0.0, 0.0), (12.5, -33.25), (-250.0, 410.0)):
        backend.world.x[:, 0], backend.world.y[:, 0] = x, y
        # carla.Map counts the second coordinate that it is given northwards
        wanted = theirs.transform_to_geolocation(carla.Location(x, y, 0.0))
        found = backend.sense()["gnss"][0]
        np.testing.assert_allclose(found, [wanted.latitude, wanted.longitude, 0.0], rtol=0, atol=1e-9)
    backend.world.y[:, 0] = 500.0
    assert backend.sense()["gnss"][0, 0] > found[0], "north of it the latitude is greater"
    backend.maps.maps[0] = replace(road_map, opendrive="<OpenDRIVE><header/></OpenDRIVE>")
    backend.world.x[:, 0] = backend.world.y[:, 0] = 0.0
    np.testing.assert_allclose(backend.sense()["gnss"][0], [42.0, 2.0, 0.0], atol=1e-9)


# ------------------------------------------------------------------------------------------------- many at once
def test_a_worlds_readings_hang_on_itself_alone() -> None:
    far = MapSpec("t_junction", (("arm", 55.0),))
    episodes = [
        replace(EPISODE, seed=i, distance=8.0 + i % 25, speed=1.0 + i % 9, map=far if i % 3 else T,
                actors=EPISODE.actors[: i % 4])
        for i in range(40)
    ]  # fmt: skip
    together = fleet(episodes).sense()
    threads = fleet(episodes, threads=2).sense()
    for name in EVERY:
        assert together[name].tobytes() == threads[name].tobytes(), name
    for w in (0, 7, 21, 39):
        alone = fleet([episodes[w]]).sense()
        for name in EVERY:
            assert alone[name][0].tobytes() == together[name][w].tobytes(), f"{name} of world {w}"


def test_slots_are_sensed_in_their_order() -> None:
    backend = fleet([replace(EPISODE, distance=10.0 + 4 * i) for i in range(4)])
    everything, some = backend.sense(), backend.sense(np.array([2, 0]))
    for name in EVERY:
        assert (some[name] == everything[name][[2, 0]]).all(), name
        assert (everything[name][2] != everything[name][0]).any() or name in ("speedometer", "imu"), name
    fresh = EmbeddedWorld(1, SMALL, sensors=EVERY)
    with pytest.raises(ValueError, match="world 0 has no episode yet"):
        fresh.sense()


def test_sensing_changes_nothing_and_the_camera_sees_what_an_equal_rgb_sensor_sees() -> None:
    backend, plain = fleet([EPISODE]), fleet([EPISODE], {})
    kept = rows(backend.world, slice(None))
    seen = backend.sense()
    assert all((a == b).all() for a, b in zip(kept, backend.world))
    assert (seen["rgb"] == plain.observe().camera).all() and plain.sense() == {}
    assert (backend.observe().camera == plain.observe().camera).all()


def test_two_cameras_look_two_ways() -> None:
    back = replace(SMALL, yaw=180.0, forward=-1.0)
    sensors = {"front": Rgb(SMALL), "rear": Rgb(back), "ahead": Semantic(SMALL), "behind": Semantic(back)}
    seen = fleet([EPISODE], sensors).sense()
    assert (seen["front"] != seen["rear"]).any(-1).mean() > 0.5
    assert (seen["ahead"] == TAG["Car"]).any() and not (seen["behind"] == TAG["Car"]).any()


# ------------------------------------------------------------------------------------------------ scenario files
@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return from_text(TEXT)


def test_the_observation_has_an_entry_a_sensor(scenario: Scenario, tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text(TEXT)
    env = gym.make(f"scenarios:{DRIVE}", scenario=str(file))
    shapes = {
        "camera": ((64, 96, 3), np.uint8), "speed": ((1,), np.float32), "front": ((36, 64, 3), np.uint8),
        "rear": ((20, 32, 3), np.uint8), "far": ((32, 48, 1), np.float32), "tags": ((32, 48, 1), np.uint8),
        "map": ((32, 40, 5), np.uint8), "imu": ((7,), np.float32), "gnss": ((3,), np.float64),
        "odometer": ((1,), np.float32), "lidar": ((4, 36, 2), np.float32),
    }  # fmt: skip
    assert {k: (s.shape, s.dtype.type) for k, s in env.observation_space.spaces.items()} == shapes
    seen, _ = env.reset(seed=3)
    assert env.observation_space.contains(seen)
    assert scenario.sensors["rear"] == Rgb(Camera(width=32, height=20, yaw=180.0, forward=-1.0))
    assert seen["odometer"] == seen["speed"] == 6.0


def test_gymnasiums_checker_has_nothing_to_say_about_sensors(scenario: Scenario) -> None:
    env = gym.make(DRIVE, scenario=scenario, render_mode="rgb_array").unwrapped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env)


def test_a_fleet_with_sensors_is_so_many_drive_envs(scenario: Scenario) -> None:
    mine = make_vector(3, scenario)
    theirs = SyncVectorEnv([lambda: make_drive(scenario)] * 3, autoreset_mode=AutoresetMode.NEXT_STEP)
    assert mine.observation_space == theirs.observation_space
    seen, wanted = mine.reset(seed=5)[0], theirs.reset(seed=5)[0]
    action = np.array([[0.9, 1.0], [0.0, 0.5], [-0.9, 1.0]], np.float32)
    for _ in range(30):
        assert mine.observation_space.contains(seen)
        for name in mine.single_observation_space:
            assert seen[name].dtype == wanted[name].dtype and seen[name].tobytes() == wanted[name].tobytes(), name
        (seen, *_), (wanted, *_) = mine.step(action), theirs.step(action)


def test_a_scenario_without_sensors_is_what_it_was() -> None:
    plain = load_scenario("rain-turn")
    assert plain.sensors == {}
    assert list(make_drive(plain).observation_space) == ["camera", "speed"]
    assert from_text(TEXT).digest() != from_text(TEXT.replace("yaw: 180", "yaw: 170")).digest()


@pytest.mark.parametrize(
    ("line", "wrong", "message"),
    [
        (5, "{kind: rbg}", "unknown kind of sensor 'rbg'; known are birdseye, depth, .*did you mean 'rgb'"),
        (5, "{kind: [rgb]}", "unknown kind of sensor"),
        (5, "{width: 10}", "wanted a kind, such as"),
        (5, "rgb", "wanted a kind, such as"),
        (5, "{kind: rgb, widht: 10}", "unknown setting 'widht' of a sensor of kind rgb; .*did you mean 'width'"),
        (5, "{kind: imu, width: 10}", "unknown setting 'width' of a sensor of kind imu; it has none"),
        (5, "{kind: rgb, width: 1}", "width: found 1; wanted a whole number from 2 to 4096"),
        (5, "{kind: rgb, width: 10.5}", "width: found 10.5; wanted a whole number"),
        (5, "{kind: rgb, width: true}", "width: found True"),
        (5, "{kind: depth, fov: 170}", "fov: found 170; wanted a number from 5 to 150"),
        (5, "{kind: depth, fov: .nan}", "fov: found nan"),
        (5, "{kind: lidar, lower: 10, upper: 5}", "lower is 10.0 and upper 5.0; lower may not lie above upper"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_sensor_is_told_with_its_line(line: int, wrong: str, message: str) -> None:
    lines = TEXT.splitlines()
    lines[line - 1] = f"  front: {wrong}"
    with pytest.raises(ScenarioError, match=rf"my\.yaml:{line}: sensors\.front: .*{message}"):
        from_text("\n".join(lines), "my.yaml")


@pytest.mark.parametrize("name", ["camera", "speed", "two words"])
def test_a_sensor_may_not_take_a_name_that_is_taken(name: str) -> None:
    with pytest.raises(ScenarioError, match=f"found the name '{name}'"):
        from_text(TEXT.replace("  front:", f"  {name}:"), "my.yaml")
    if name != "two words":
        with pytest.raises(ValueError, match=f"a sensor is named '{name}'"):
            make_drive(replace(from_text(TEXT), sensors={name: Imu()}))


def test_every_kind_can_be_made_of_its_defaults_and_refuses_what_lies_out_of_its_ranges() -> None:
    assert set(EVERY) == set(SENSORS), "a kind of sensor is not tested"
    for kind, declared in SENSORS.items():
        assert SensorModel.model_validate({"kind": kind, **settings_of(kind)}).build() == SensorModel(kind=kind).build()
        assert type(EVERY[kind]) is declared.sensor
        for name, setting in declared.settings.items():
            with pytest.raises(ValidationError, match=f"{name}: found"):
                SensorModel.model_validate({"kind": kind, name: setting.high + 1})


def test_the_readings_are_as_their_fields_declare(boxes_world: EmbeddedWorld) -> None:
    for name, reading in boxes_world.sense().items():
        field = EVERY[name].field()
        assert reading.shape[1:] == field.shape and reading.dtype == field.dtype, name
        assert (reading >= field.low).all() and (reading <= field.high).all(), name


def test_the_instance_camera_tells_which_actor_the_semantic_camera_shows(boxes_world: EmbeddedWorld) -> None:
    seen = boxes_world.sense()
    cars = seen["semantic"][0, ..., 0] == TAG["Car"]
    assert len(np.unique(seen["instance"][0][cars])) >= 2
    assert ((seen["instance"][0, ..., 0] > 0) == cars).all()


@pytest.mark.parametrize(
    ("name", "ranges", "message"),
    [
        ("lidar", {"size": (0, 1)}, "the sensor 'lidar' is registered twice"),
        ("other", {}, "has the settings size and ranges for none"),
        ("other", {"size": (0, 1), "more": (0, 1)}, "has the settings size and ranges for size, more"),
        ("other", {"size": (3, 4)}, "has size=2.0 as its default; wanted 3 to 4"),
    ],
)
def test_a_wrong_declaration_is_refused(name: str, ranges: dict[str, tuple[float, float]], message: str) -> None:
    @dataclass(frozen=True)
    class Mine:
        size: float = 2.0

    with pytest.raises(ValueError, match=message):
        register(name, ranges)(Mine)
    assert "other" not in SENSORS


def test_the_documentation_has_the_table_of_the_registry() -> None:
    pages = [page.read_text() for page in (Path(__file__).parents[3] / "docs").rglob("*.md")]
    assert any(sensor_table() in page for page in pages), "copy sim.sensors.registry.sensor_table() into the page"
