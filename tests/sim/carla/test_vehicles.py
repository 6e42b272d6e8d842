"""Pedals, wheels, physics and contacts of a server's vehicles, as CARLA's own client sees them."""

from __future__ import annotations

import math
from typing import Any

import carla
import numpy as np
import pytest

from sim.actors.registry import EGO
from sim.road.graph.lane_graph import LANE_KIND, lane_graph
from tests.support.carla_actors import DT, FAR, at, car, spawned, synchronous, ticks


def drive(world: Any, actor: Any, n: int, **control: Any) -> np.ndarray:
    """(n, 2) where a vehicle is after each tick under a control."""
    actor.apply_control(carla.VehicleControl(**control))
    track = []
    for _ in range(n):
        world.tick()
        track.append([actor.get_location().x, actor.get_location().y])
    return np.array(track)


def test_a_control_is_echoed_as_it_was_given_and_kept(alone: Any) -> None:
    world = synchronous(alone)
    actor = car(world, at(FAR, 0.0))
    given = carla.VehicleControl(throttle=1.75, steer=-3.5, brake=0.1, manual_gear_shift=True, gear=3)
    actor.apply_control(given)
    ticks(world, 5)
    assert actor.get_control() == given
    actor.apply_control(carla.VehicleControl(throttle=0.5, reverse=True))
    ticks(world, 60)
    assert actor.get_velocity().x < -1.0  # the client does not send it again


def test_physics_that_were_only_read_and_written_back_change_nothing(alone: Any) -> None:
    world = synchronous(alone)
    tracks = []
    for k in range(2):
        actor = car(world, at(FAR, 0.0))
        if k:
            actor.apply_physics_control(actor.get_physics_control())
        tracks.append(drive(world, actor, 60, throttle=0.8, steer=0.4))
        actor.destroy()
    assert (tracks[0] == tracks[1]).all()
    assert np.ptp(tracks[0][:, 1]) > 1.0


def test_mass_torque_and_wheels_are_what_a_vehicle_can_do(alone: Any) -> None:
    world = synchronous(alone)
    actor, heavy, weak = (car(world, at(FAR, 50.0 * k)) for k in range(3))
    usual = actor.get_physics_control()
    assert usual.wheels[0].max_steer_angle == pytest.approx(math.degrees(EGO.max_steer), rel=1e-5)
    assert usual.wheels[2].max_steer_angle == 0.0 and len(usual.wheels) == 4
    changed = heavy.get_physics_control()
    changed.mass *= 2.0
    wheels = changed.wheels
    for wheel in wheels[:2]:
        wheel.max_steer_angle = 10.0
    changed.wheels = wheels
    heavy.apply_physics_control(changed)
    changed = weak.get_physics_control()
    changed.torque_curve = [carla.Vector2D(p.x, 0.25 * p.y) for p in changed.torque_curve]
    weak.apply_physics_control(changed)
    for each in (actor, heavy, weak):
        each.apply_control(carla.VehicleControl(throttle=1.0, steer=1.0))
    ticks(world, 40)
    speeds = [each.get_velocity().length() for each in (actor, heavy, weak)]
    assert speeds[1] / speeds[0] == pytest.approx(0.5, abs=0.08)
    assert speeds[2] / speeds[0] == pytest.approx(0.25, abs=0.08)
    assert heavy.get_wheel_steer_angle(carla.VehicleWheelLocation.FL_Wheel) == pytest.approx(10.0, rel=1e-3)
    assert heavy.get_wheel_steer_angle(carla.VehicleWheelLocation.BL_Wheel) == 0.0
    assert heavy.get_physics_control().mass == 2.0 * usual.mass


def test_a_car_that_runs_into_another_stands_and_goes_no_deeper(alone: Any) -> None:
    world = synchronous(alone, 0.1)
    for speed, name in ((20.0, "vehicle.tesla.model3"), (14.0, "vehicle.carlamotors.firetruck")):
        runner = car(world, at(FAR, 0.0))
        other = spawned(world, name, at(FAR + 30.0, 0.3, 90.0), spawn_jitter=0.0)
        runner.set_target_velocity(carla.Vector3D(speed, 0.0, 0.0))
        track = drive(world, runner, 60, brake=0.3)[:, 0]
        reach = other.bounding_box.extent.y + runner.bounding_box.extent.x
        assert runner.get_velocity().length() < 0.5
        assert track[-1] <= track.max() < FAR + 30.0 - reach + 0.1 * speed + 0.1  # a tick's way into it, no deeper
        assert track[-1] == pytest.approx(other.get_location().x - reach, abs=0.1)  # and out again
        assert 0.0 <= other.get_location().x - FAR - 30.0 < 0.05 * speed + 0.2
        assert drive(world, runner, 30, throttle=1.0, reverse=True)[-1, 0] < track[-1] - 1.0  # it may go away again
        runner.destroy()
        other.destroy()


def test_a_car_slides_along_one_that_it_grazes(alone: Any) -> None:
    world = synchronous(alone)
    runner = car(world, at(FAR, 0.0))
    other = car(world, at(FAR + 3.0, 2.0 * runner.bounding_box.extent.y + 0.05))
    alone.start_recorder("test_vehicles.log")
    assert drive(world, runner, 240, throttle=0.5, steer=0.03)[-1, 0] > FAR + 9.0
    alone.stop_recorder()
    assert f"Collision {runner.id} with {other.id}" in alone.show_recorder_file_info("test_vehicles.log", False)
    assert other.get_location().distance(at(FAR + 3.0, 2.0).location) < 1.5


def test_nothing_without_physics_is_ever_moved_by_a_contact(alone: Any) -> None:
    world = synchronous(alone)
    runner, wall = car(world, at(FAR, 0.0)), spawned(world, "static.prop.streetbarrier", at(FAR + 10.0, 0.0))
    ghost = car(world, at(FAR + 6.0, 20.0))
    ghost.set_simulate_physics(False)
    runner.set_target_velocity(carla.Vector3D(15.0, 0.0, 0.0))
    drive(world, runner, 20, throttle=1.0)
    assert wall.get_location().x == pytest.approx(FAR + 10.0, abs=1e-4)
    assert runner.get_velocity().length() < 0.5
    ghost.set_transform(at(runner.get_location().x, 0.5))
    ghost.set_target_velocity(carla.Vector3D(2.0, 1.0, 0.0))
    ghost.set_target_angular_velocity(carla.Vector3D(0.0, 0.0, 30.0))
    ticks(world, 3)
    assert ghost.get_location().y == pytest.approx(0.5, abs=1e-4)
    assert ghost.get_velocity().x == pytest.approx(2.0)
    assert ghost.get_angular_velocity().z == pytest.approx(30.0, rel=1e-4)


def test_who_is_not_solid_is_driven_through(alone: Any) -> None:
    world = synchronous(alone)
    runner, other = car(world, at(FAR, 0.0)), car(world, at(FAR + 12.0, 0.0))
    other.set_collisions(False)
    runner.set_target_velocity(carla.Vector3D(15.0, 0.0, 0.0))
    assert drive(world, runner, 40, throttle=0.5)[-1, 0] > FAR + 20.0


def test_constant_velocity_holds_whatever_the_pedals_say_until_it_is_off(alone: Any) -> None:
    world = synchronous(alone)
    actor = car(world, at(FAR, 0.0))
    actor.enable_constant_velocity(carla.Vector3D(6.0, 0.0, 0.0))
    track = drive(world, actor, 40, brake=1.0)
    assert track[-1, 0] - track[0, 0] == pytest.approx(39 * DT * 6.0, rel=0.05)
    actor.disable_constant_velocity()
    drive(world, actor, 40, brake=1.0)
    assert actor.get_velocity().length() == 0.0


def test_ackermann_control_reaches_its_speed_and_its_wheel(alone: Any) -> None:
    world = synchronous(alone)
    actor = car(world, at(FAR, 0.0))
    actor.apply_ackermann_control(carla.VehicleAckermannControl(steer=0.2, speed=5.0, acceleration=2.0))
    ticks(world, 100)
    assert actor.get_velocity().length() == pytest.approx(5.0, abs=0.4)
    assert actor.get_wheel_steer_angle(carla.VehicleWheelLocation.FR_Wheel) == pytest.approx(
        math.degrees(0.2), rel=0.02
    )
    settings = actor.get_ackermann_controller_settings()
    settings.speed_kp = 0.5
    actor.apply_ackermann_controller_settings(settings)
    world.tick()
    assert actor.get_ackermann_controller_settings().speed_kp == 0.5


def test_an_impulse_changes_the_speed_by_its_share_of_the_mass(alone: Any) -> None:
    world = synchronous(alone)
    actor = car(world, at(FAR, 0.0))
    actor.add_impulse(carla.Vector3D(3.0 * actor.get_physics_control().mass, 0.0, 0.0))
    world.tick()
    assert actor.get_velocity().x == pytest.approx(3.0, rel=0.05)


def test_the_speed_limit_is_that_of_the_lane_in_km_per_hour(alone: Any) -> None:
    world = synchronous(alone)
    where = world.get_map()
    graph = lane_graph(where.to_opendrive(), "asked")
    lanes = np.repeat(np.arange(len(graph)), np.diff(graph.start))
    for point in where.get_spawn_points()[:6]:
        actor = car(world, point)
        ticks(world, 6)
        x, y = point.location.x, -point.location.y
        drives = graph.kind[lanes] == LANE_KIND["driving"]
        k = np.flatnonzero(drives)[np.hypot(*(graph.points[drives, :2] - [x, y]).T).argmin()]
        assert actor.get_speed_limit() == pytest.approx(3.6 * graph.speed_limit[k], rel=1e-3)
        actor.destroy()


def test_lamps_and_telemetry_are_kept_and_told(alone: Any) -> None:
    world = synchronous(alone)
    actor = car(world, at(FAR, 0.0))
    lamps = carla.VehicleLightState(carla.VehicleLightState.LowBeam | carla.VehicleLightState.LeftBlinker)
    actor.set_light_state(lamps)
    world.tick()
    assert actor.get_light_state() == lamps
    assert dict(world.get_vehicles_light_states())[actor.id] == lamps
    actor.apply_control(carla.VehicleControl(throttle=0.5, steer=0.25))
    ticks(world, 20)
    told = actor.get_telemetry_data()
    assert (told.throttle, told.steer) == (0.5, 0.25)
    assert told.speed == pytest.approx(actor.get_velocity().length(), rel=0.05)
    actor.open_door(carla.VehicleDoor.All)
    actor.show_debug_telemetry(True)
    world.tick()
    assert actor.get_failure_state() == carla.VehicleFailureState.NONE
