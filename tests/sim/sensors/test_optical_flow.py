"""Claims about optical flow: it is where a point is seen now minus where it was seen a tick ago."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from sim.datatypes.action import Action
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Weather
from sim.datatypes.simulation import Simulation
from sim.datatypes.world_state import World
from sim.sensors.depth import depth_image
from sim.sensors.geometry_pass import FAR
from sim.sensors.instance import instance_image
from sim.sensors.optical_flow import MOST_FLOW, OpticalFlow, from_carla_flow, optical_flow, to_carla_flow
from sim.world.embedded import EmbeddedWorld
from tests.support.worlds import ONCOMING, PARKED, SMALL, episode

EYE = Camera(width=48, height=32, pitch=-6.0, yaw=11.0, left=0.3)
TICK = Simulation.tick
FRONT = replace(PARKED, name="front", arm="south", lane="inbound", distance=8.0, side=0.5)
AHEAD = replace(PARKED, name="ahead", arm="south", lane="inbound", distance=10.0, side=0.0)


def started(**about: object) -> EmbeddedWorld:
    backend = EmbeddedWorld(1, SMALL, Simulation(actors=4))
    backend.reset([episode(**about)])  # type: ignore[arg-type]
    return backend


def step(backend: EmbeddedWorld, steer: float, pedal: float, ticks: int = 1) -> World:
    """Drive so many ticks; returns the world before the last of them."""
    for _ in range(ticks):
        before = backend.world.copy()
        backend.step(Action(np.full(1, steer, np.float32), np.full(1, pedal, np.float32)))
        assert backend.world.outcome[0] == 0, "the world has ended: nothing moves"
    return before


def pose(world: World, i: int) -> tuple[np.ndarray, float]:
    return np.array([float(world.x[0, i]), float(world.y[0, i])]), float(world.yaw[0, i])


def turn(angle: float) -> np.ndarray:
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def eye(camera: Camera, world: World) -> tuple[np.ndarray, np.ndarray]:
    """The camera's place (3,), and its axes right, down and ahead as rows (3, 3)."""
    at, yaw = pose(world, 0)
    place = np.array([*(at + turn(yaw) @ [camera.forward, camera.left]), camera.up])
    heading, pitch = yaw + math.radians(camera.yaw), math.radians(camera.pitch)
    right = np.array([math.sin(heading), -math.cos(heading), 0.0])
    ahead = np.array([math.cos(heading) * math.cos(pitch), math.sin(heading) * math.cos(pitch), math.sin(pitch)])
    return place, np.stack([right, np.cross(ahead, right), ahead])


def differences(backend: EmbeddedWorld, before: World, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """The flow between two worlds, point by point in float64 (H, W, 2), and the owner of every pixel (H, W)."""
    depth = depth_image(backend.maps, backend.world, camera)[0, ..., 0].astype(float)
    owner = instance_image(backend.maps, backend.world, camera)[0, ..., 0]
    focal, size = camera.width / 2 / math.tan(math.radians(camera.fov) / 2), np.array([camera.width, camera.height])
    (place, axes), (old_place, old_axes) = eye(camera, backend.world), eye(camera, before)
    out = np.zeros((camera.height, camera.width, 2))
    for v, u in np.ndindex(*depth.shape):
        pixel = np.array([u + 0.5, v + 0.5])
        ray = np.array([*((pixel - size / 2) / focal), 1.0]) @ axes
        if depth[v, u] >= FAR:
            seen = old_axes @ ray  # a direction
        else:
            point = place + depth[v, u] * ray
            if i := int(owner[v, u]):
                (at, yaw), (old_at, old_yaw) = pose(backend.world, i), pose(before, i)
                point[:2] = old_at + turn(old_yaw - yaw) @ (point[:2] - at)
            seen = old_axes @ (point - old_place)
        out[v, u] = (pixel - (focal * seen[:2] / seen[2] + size / 2)) / size
    return out, owner


DRIVES = {
    "straight": ({"speed": 8.0, "actors": (ONCOMING, FRONT), "distance": 24.0}, 0.0, 0.0),
    "braking": ({"speed": 8.0, "actors": (ONCOMING, FRONT), "distance": 24.0}, 0.0, -3.0),
    "turning": ({"speed": 7.0, "actors": (ONCOMING, FRONT), "distance": 24.0}, 0.15, 1.0),
    "sliding": ({"speed": 12.0, "distance": 24.0, "weather": Weather(wetness=100.0)}, -0.6, -1.0),
    "standing": ({"speed": 0.0, "actors": (replace(ONCOMING, distance=6.0), FRONT), "distance": 16.0}, 0.0, -1.0),
}  # fmt: skip


@pytest.mark.parametrize("way", DRIVES)
@pytest.mark.parametrize("camera", [EYE, replace(EYE, yaw=170.0, pitch=3.0, forward=-1.0)], ids=["ahead", "back"])
def test_flow_is_the_finite_difference_of_two_pictures(way: str, camera: Camera) -> None:
    about, steer, pedal = DRIVES[way]
    backend = started(**about)
    before = step(backend, steer, pedal, 5)
    wanted, owner = differences(backend, before, camera)
    found = optical_flow(backend.maps, backend.world, camera, TICK)[0]
    assert way != "turning" or camera is not EYE or len(np.unique(owner)) >= 2, "no actor is in sight"
    off = np.abs(found - np.clip(wanted, -MOST_FLOW, MOST_FLOW)) * [camera.width, camera.height]
    # pixels: the curvature changes within a tick as ego's wheels turn or its tyres let go, and close ground is swift
    assert off.mean() < 0.02 and np.quantile(off, 0.99) < 0.3, (off.mean(), off.max())
    assert found.any() == (way != "standing" or camera is EYE)


def test_where_nothing_moves_the_flow_is_zero_to_the_bit() -> None:
    backend = started(speed=0.0, actors=(FRONT,), distance=16.0)
    flow = optical_flow(backend.maps, backend.world, EYE, TICK)
    assert (instance_image(backend.maps, backend.world, EYE) == 1).any()
    assert flow.dtype == np.float32 and flow.shape == (1, 32, 48, 2) and not flow.any()


def test_u_grows_to_the_right_and_v_downwards() -> None:
    level = Camera(width=48, height=32, pitch=0.0)
    backend = started(speed=6.0, distance=24.0)
    ahead = optical_flow(backend.maps, backend.world, level, TICK)[0]
    # who drives straight on sees the world part: the left half goes left, the ground down and out of the picture
    ground = ahead[20:]
    assert (ground[:, :23, 0] < 0.0).all() and (ground[:, 25:, 0] > 0.0).all() and (ground[..., 1] > 0.0).all()
    back = optical_flow(backend.maps, backend.world, replace(level, yaw=180.0), TICK)[0, 20:]
    assert (back[:, :23, 0] > 0.0).all() and (back[:, 25:, 0] < 0.0).all() and (back[..., 1] < 0.0).all()
    backend.world.speed[0, 0], backend.world.steer[0, 0] = 3.0, 0.3
    sky = optical_flow(backend.maps, backend.world, replace(level, pitch=20.0), TICK)[0, :3]
    turned = 3.0 * TICK * math.tan(0.3) / float(backend.world.wheelbase[0, 0])
    assert (sky[..., 0] > 0.0).all(), "in a turn to the left the sky goes to the right"
    focal = 24.0 / math.tan(math.radians(50.0))
    middle = optical_flow(backend.maps, backend.world, replace(level, pitch=60.0), TICK)[0, 15:17, 23:25, 0].mean()
    assert middle * 48 == pytest.approx(focal * turned * math.cos(math.radians(60.0)), rel=0.02)


def test_before_a_standing_ego_only_what_moves_flows() -> None:
    backend = started(speed=0.0, actors=(AHEAD,), distance=20.0)
    world = backend.world
    c, s = math.cos(float(world.yaw[0, 0])), math.sin(float(world.yaw[0, 0]))
    world.yaw[0, 1] = world.yaw[0, 0] + math.pi / 2  # it crosses to the left, 8 m ahead
    world.x[0, 1], world.y[0, 1] = world.x[0, 0] + 8.0 * c, world.y[0, 0] + 8.0 * s
    world.speed[0, 1] = 5.0
    flow, owner = (
        optical_flow(backend.maps, world, EYE, TICK)[0], instance_image(backend.maps, world, EYE)[0, ..., 0] == 1
    )  # fmt: skip
    assert owner.sum() > 40 and not flow[~owner].any()
    assert (flow[owner][:, 0] < 0.0).all()
    world.speed[0, 1] = -5.0
    assert (optical_flow(backend.maps, world, EYE, TICK)[0][owner][:, 0] > 0.0).all()


def test_flow_stays_in_its_range() -> None:
    backend = started(speed=20.0, actors=(FRONT,), distance=14.0)
    backend.world.steer[0, 0] = 0.6
    # the ground that it sees behind was ahead of it then
    sensor = OpticalFlow(replace(EYE, yaw=180.0), interval=1.0)
    flow = sensor.sense(backend.maps, backend.world, 1)
    field = sensor.field()
    assert (field.low, field.high) == (-2.0, 2.0) and np.abs(flow).max() == 2.0 and np.isfinite(flow).all()


def test_a_car_that_has_just_come_to_rest_has_moved() -> None:
    backend = started(speed=0.5, distance=20.0)
    before = step(backend, 0.0, -7.0)
    for _ in range(3):
        if backend.world.speed[0, 0] == 0.0:
            break
        before = step(backend, 0.0, -7.0)
    assert backend.world.speed[0, 0] == 0.0 < before.speed[0, 0]
    wanted, _ = differences(backend, before, EYE)
    found = optical_flow(backend.maps, backend.world, EYE, TICK)[0]
    assert np.abs(wanted[20:]).max() > 1e-3 and np.abs(found - wanted)[20:].max() < 2e-3


def test_flow_becomes_carlas_half_pictures_with_y_upwards_and_back() -> None:
    flow = np.array([[0.25, 0.1], [-0.5, -0.2]], np.float32)
    np.testing.assert_allclose(to_carla_flow(flow), [[0.5, -0.2], [-1.0, 0.4]], rtol=1e-6)
    np.testing.assert_allclose(from_carla_flow(to_carla_flow(flow)), flow, rtol=1e-6)
    assert to_carla_flow(np.array([1.5, -1.5], np.float32)).tolist() == [2.0, 2.0]
