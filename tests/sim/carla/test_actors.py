"""Births, places and deaths of a server's actors, as CARLA's own client sees them."""

from __future__ import annotations

import math
import socket
from typing import Any

import carla
import msgpack
import pytest

from sim.carla.blueprint_library import BLUEPRINTS
from sim.carla.server.rpc import Refused
from sim.carla.server.spawning import attributes_of, place_from
from tests.support.carla_actors import FAR, at, car, spawned, synchronous, ticks

SOLID = ("vehicle.", "walker.", "static.", "controller.")
# What `carla.Client` 0.9.16 can call, as docs of its wire list it.
CALLS = """
version get_episode_info get_sensor_token get_episode_settings set_episode_settings get_map_info get_required_files
request_file get_map_data get_navigation_mesh get_available_maps load_new_episode copy_opendrive_to_file load_map_layer
unload_map_layer get_actor_definitions get_spectator get_actors_by_id get_weather_parameters set_weather_parameters
query_lights_state update_lights_state update_day_night_cycle tick_cue get_imui_gravity set_imui_gravity
enable_environment_objects draw_debug_shape start_recorder stop_recorder show_recorder_file_info
show_recorder_collisions show_recorder_actors_blocked replay_file stop_replayer set_replayer_time_factor
set_replayer_ignore_hero set_replayer_ignore_spectator spawn_actor spawn_actor_with_parent destroy_actor
set_actor_location set_actor_transform set_actor_target_velocity set_actor_target_angular_velocity
enable_actor_constant_velocity disable_actor_constant_velocity add_actor_impulse add_actor_impulse_at_location
add_actor_force add_actor_force_at_location add_actor_angular_impulse add_actor_torque set_actor_simulate_physics
set_actor_collisions set_actor_enable_gravity set_actor_dead get_actor_bounding_box get_physics_control
apply_physics_control get_vehicle_light_state set_vehicle_light_state get_vehicle_light_states apply_control_to_vehicle
apply_ackermann_control_to_vehicle get_ackermann_controller_settings apply_ackermann_controller_settings
apply_control_to_walker get_wheel_steer_angle set_wheel_steer_direction get_wheel_pitch_angle set_wheel_pitch_angle
open_vehicle_door close_vehicle_door show_vehicle_debug_telemetry get_telemetry_data get_actor_component_names
get_actor_bone_names get_bones_transform set_bones_transform blend_pose get_pose_from_animation enable_carsim
use_carsim_road enable_chrono_physics restore_physx_physics set_traffic_light_state set_traffic_light_green_time
set_traffic_light_yellow_time set_traffic_light_red_time freeze_traffic_light freeze_all_traffic_lights
reset_traffic_light_group reset_all_traffic_lights get_group_traffic_lights get_light_boxes is_traffic_manager_running
get_traffic_manager_running add_traffic_manager_running destroy_traffic_manager apply_batch
""".split()


def test_every_call_of_an_actor_or_a_light_is_served_ignored_or_refused() -> None:
    from sim.carla.server import serve  # noqa: F401  (it registers them)
    from sim.carla.server.registry import METHODS

    assert [name for name in CALLS if name not in METHODS] == []


def test_what_stands_in_another_s_way_is_not_born(alone: Any) -> None:
    world = synchronous(alone)
    car(world, at(FAR, 0.0))
    blueprint = world.get_blueprint_library().find("vehicle.audi.tt")
    for place in (at(FAR, 0.0), at(FAR + 3.0, 0.5, 40.0), at(FAR, 1.5)):
        assert world.try_spawn_actor(blueprint, place) is None
    with pytest.raises(RuntimeError, match="Spawn failed because of collision at spawn position"):
        world.spawn_actor(blueprint, at(FAR, 0.0))
    assert world.try_spawn_actor(blueprint, at(FAR + 6.0, 0.0)) is not None
    blueprint.set_attribute("spawn_overlap", "true")
    assert world.try_spawn_actor(blueprint, at(FAR, 0.0)) is not None


def test_no_actor_spawns_within_a_house_unless_it_may_overlap(alone: Any) -> None:
    world = synchronous(alone)
    house = world.get_level_bbs(carla.CityObjectLabel.Buildings)[0].location
    library = world.get_blueprint_library()
    for name in ("vehicle.audi.tt", "walker.pedestrian.0001"):
        blueprint = library.find(name)
        assert world.try_spawn_actor(blueprint, at(house.x, house.y)) is None
        blueprint.set_attribute("spawn_overlap", "true")
        assert world.try_spawn_actor(blueprint, at(house.x, house.y)) is not None
    assert world.try_spawn_actor(library.find("static.prop.trafficcone01"), at(house.x, house.y)) is not None


def test_attributes_that_cannot_be_are_refused_in_one_sentence() -> None:
    tesla = BLUEPRINTS["vehicle.tesla.model3"]
    with pytest.raises(Refused, match=r"vehicle\.tesla\.model3 has no attribute 'wings'; it has color, "):
        attributes_of(tesla, [["wings", 4, "2"]])
    for name, value in (("color", "300,0,0"), ("spawn_jitter", "nan"), ("driver_id", "1.5"), ("sticky_control", "ok")):
        with pytest.raises(Refused, match=f"{name} of vehicle.tesla.model3 is '{value}'; wanted "):
            attributes_of(tesla, [[name, 4, value]])
    assert ["base_type", 4, "car"] in attributes_of(tesla, [["base_type", 4, "tank"]])  # what is fixed stays
    with pytest.raises(Refused, match="all below"):
        place_from([[0.0, math.nan, 0.0], [0.0, 0.0, 0.0]])


def test_every_blueprint_with_a_body_is_born_with_a_box_of_its_own(alone: Any) -> None:
    world = synchronous(alone)
    library = [b for b in world.get_blueprint_library() if b.id.startswith(SOLID)]
    made = [world.spawn_actor(b, at(FAR + 15.0 * k, FAR)) for k, b in enumerate(library)]
    world.tick()
    for k, actor in enumerate(made):
        if actor.type_id.startswith("controller."):
            continue
        place, box = actor.get_transform(), actor.bounding_box
        assert place.location.x == pytest.approx(FAR + 15.0 * k, abs=0.06)
        assert box.extent.x > 0.02 and box.location.z == pytest.approx(box.extent.z)
        assert actor.semantic_tags


def test_vehicles_say_what_carla_s_examples_ask_them(alone: Any) -> None:
    vehicles = alone.get_world().get_blueprint_library().filter("vehicle.*")
    types = {v.get_attribute("base_type").as_str() for v in vehicles}
    assert {"car", "van", "truck", "bus", "bicycle", "motorcycle"} <= types
    for name in ("generation", "number_of_wheels", "special_type", "has_lights", "color", "role_name"):
        assert all(v.has_attribute(name) for v in vehicles)
    for vehicle in vehicles:
        two = vehicle.get_attribute("base_type").as_str() in ("bicycle", "motorcycle")
        assert int(vehicle.get_attribute("number_of_wheels")) == (2 if two else 4)


def called(port: int, method: str, *arguments: Any) -> Any:
    """The result that a server answers to a call, without CARLA's client between."""
    with socket.create_connection(("127.0.0.1", port), 10.0) as line:
        line.sendall(msgpack.packb([0, 1, method, [[False], *arguments]]))
        unpacker = msgpack.Unpacker(raw=True)
        while True:
            unpacker.feed(line.recv(65536))
            for _, _, error, result in unpacker:
                assert error is None
                return result


def test_the_box_of_one_who_has_gone_is_still_told(alone: Any, port: int) -> None:
    world = synchronous(alone)
    actor = car(world, at(FAR, 0.0))
    number, extent = actor.id, actor.bounding_box.extent
    assert actor.destroy()
    ((_, box),) = called(port, "get_actor_bounding_box", number)  # as threads of the Traffic Manager do
    assert box[1] == pytest.approx([extent.x, extent.y, extent.z])
    ((_, box),) = called(port, "get_actor_bounding_box", 99_999_999)
    assert box[1] == [0.0, 0.0, 0.0]
    assert "does not exist" in alone.apply_batch_sync([carla.command.DestroyActor(number)], False)[0].error


def test_in_real_time_a_spawned_actor_is_in_the_snapshot_before_its_client_is_answered(alone: Any) -> None:
    world = alone.get_world()
    blueprint = world.get_blueprint_library().find("vehicle.tesla.model3")
    for k in range(10):
        actor = world.spawn_actor(blueprint, at(FAR + 10.0 * k, 0.0))
        assert world.get_snapshot().has_actor(actor.id)


def test_commands_after_a_spawn_apply_to_the_spawned_actor(alone: Any) -> None:
    world = synchronous(alone)
    command, library = carla.command, world.get_blueprint_library()
    birth = (
        command.SpawnActor(library.find("vehicle.tesla.model3"), at(FAR, 0.0))
        .then(command.SetSimulatePhysics(command.FutureActor, False))
        .then(command.ApplyTargetVelocity(command.FutureActor, carla.Vector3D(3.0, 0.0, 0.0)))
        .then(command.SetVehicleLightState(command.FutureActor, carla.VehicleLightState.Brake))
    )
    (answer,) = alone.apply_batch_sync([birth], True)
    actor = world.get_actor(answer.actor_id)
    ticks(world, 5)
    assert actor.get_transform().location.x == pytest.approx(FAR, abs=0.06)
    assert actor.get_velocity().x == pytest.approx(3.0)
    assert actor.get_light_state() == carla.VehicleLightState.Brake


def test_every_command_of_a_batch_is_understood(alone: Any, port: int) -> None:
    world = synchronous(alone)
    driver, walker = car(world, at(FAR, 0.0)), spawned(world, "walker.pedestrian.0001", at(FAR, 20.0))
    light = world.get_actors().filter("traffic.traffic_light")[0]
    c, v, place = carla.command, carla.Vector3D(0.0, 0.0, 0.0), at(FAR, 20.0)
    commands = [
        c.ApplyVehicleControl(driver, carla.VehicleControl()),
        c.ApplyVehicleAckermannControl(driver, carla.VehicleAckermannControl()),
        c.ApplyWalkerControl(walker, carla.WalkerControl()),
        c.ApplyVehiclePhysicsControl(driver, driver.get_physics_control()), c.ApplyTransform(walker, place),
        c.ApplyWalkerState(walker, place, 1.0), c.ApplyTargetVelocity(driver, v),
        c.ApplyTargetAngularVelocity(driver, v), c.ApplyImpulse(driver, v), c.ApplyForce(driver, v),
        c.ApplyAngularImpulse(driver, v), c.ApplyTorque(driver, v), c.SetSimulatePhysics(driver, True),
        c.SetEnableGravity(driver, True),
        c.SetVehicleLightState(driver, carla.VehicleLightState.NONE),
        c.DestroyActor(driver),
    ]  # fmt: skip
    assert [answer.error for answer in alone.apply_batch_sync(commands, False)] == [""] * len(commands)
    # those that the client cannot send from Python, as they travel, and one that there is not
    raw = [
        [[17, [walker.id, True]]],
        [[19, [walker.id, [FAR, 22.0, 0.0]]]],
        [[20, ["stat fps"]]],
        [[21, [light.id, 0]]],
        [[22, [light.id]]],
    ]
    (shown,), (done,), (refused,), (lit,), (unknown,) = called(port, "apply_batch", raw, False)
    assert (shown, done, lit) == ([1, walker.id], [1, walker.id], [1, light.id])
    assert b"no Unreal console" in refused[1][0] and b"no command 22" in unknown[1][0]
    world.tick()
    assert walker.get_location().y == pytest.approx(22.0) and light.get_state() == carla.TrafficLightState.Red


def _is_seen(ahead: Any, me: Any) -> bool:
    """CARLA's agents' question whether somebody is ahead: an angle of more than 0 and less than 90 degrees."""
    to, forward = ahead.get_location() - me.get_location(), me.get_transform().get_forward_vector()
    cos = (to.x * forward.x + to.y * forward.y) / math.hypot(to.x, to.y)
    return 0.0 < math.degrees(math.acos(min(max(cos, -1.0), 1.0))) < 90.0


def test_cars_spawned_on_one_line_see_each_other_thanks_to_the_jitter(alone: Any) -> None:
    world = synchronous(alone)
    seen = []
    for y, about in ((FAR, {"spawn_jitter": 0.0}), (2.0 * FAR, {"spawn_jitter": 0.05})):
        behind, ahead = car(world, at(FAR, y), **about), car(world, at(FAR + 15.0, y), **about)
        assert abs(ahead.get_location().y - y) <= 0.051
        seen.append(_is_seen(ahead, behind))
    assert seen == [False, True]


def test_a_body_that_is_carried_follows_and_stays_where_its_carrier_dies(alone: Any) -> None:
    world = synchronous(alone)
    carrier = car(world, at(FAR, 0.0))
    cone = spawned(world, "static.prop.trafficcone01", at(-4.0, 0.0), carrier)
    camera = spawned(world, "sensor.camera.rgb", at(1.0, 0.0, 0.0, 1.5), carrier, image_size_x=32, image_size_y=16)
    assert cone.parent.id == carrier.id
    carrier.apply_control(carla.VehicleControl(throttle=1.0))
    ticks(world, 40)
    x = carrier.get_location().x
    assert x > FAR + 3.0
    assert cone.get_location().x == pytest.approx(x - 4.0, abs=1e-3)
    assert cone.get_velocity().x == pytest.approx(carrier.get_velocity().x, rel=1e-3)
    assert carrier.destroy()
    ticks(world, 5)
    assert cone.get_location().x == pytest.approx(x - 4.0, abs=1e-3)
    assert camera.get_location().x == pytest.approx(x + 1.0, abs=1e-3)
    assert camera.destroy() and cone.destroy()


def test_a_walker_goes_where_it_is_sent_and_into_no_actor(alone: Any) -> None:
    world = synchronous(alone)
    walker, parked = spawned(world, "walker.pedestrian.0001", at(FAR, 0.0)), car(world, at(FAR + 8.0, 0.0))
    walker.apply_control(carla.WalkerControl(carla.Vector3D(1.0, 0.0, 0.0), 1.5))
    ticks(world, 20)
    assert walker.get_location().x == pytest.approx(FAR + 1.5, abs=0.01)
    assert walker.get_velocity().x == pytest.approx(1.5)
    assert walker.get_control().speed == 1.5
    ticks(world, 200)
    front = FAR + 8.0 - parked.bounding_box.extent.x
    assert front - 0.5 < walker.get_location().x <= front
    assert walker.get_velocity().length() == 0.0


def test_a_board_says_what_it_is_told_and_no_bad_words(alone: Any) -> None:
    world = synchronous(alone)
    board = spawned(world, "static.prop.board", at(FAR, 0.0), kind="stop")
    assert list(board.semantic_tags) == [carla.CityObjectLabel.TrafficSigns]
    with pytest.raises(RuntimeError, match="nonsense"):
        spawned(world, "static.prop.board", at(FAR, 5.0), kind="nonsense")


def test_a_recording_tells_who_was_born_died_and_met(alone: Any) -> None:
    world = synchronous(alone)
    one, other = car(world, at(FAR, 0.0)), car(world, at(FAR + 12.0, 0.0))
    path = alone.start_recorder("test_actors.log")
    assert path.endswith("test_actors.log")
    one.set_target_velocity(carla.Vector3D(10.0, 0.0, 0.0))
    ticks(world, 30)
    other.destroy()
    world.tick()
    alone.stop_recorder()
    world.tick()
    info = alone.show_recorder_file_info("/elsewhere/test_actors.log", False)
    for line in (
        f"Create {one.id}: vehicle.tesla.model3",
        f"Destroy {other.id}",
        f"Collision {one.id} with {other.id}",
    ):
        assert line in info
    assert f"{one.id} vehicle.tesla.model3" in alone.show_recorder_collisions("test_actors.log", "v", "v")
    assert f"vehicle.tesla.model3 {other.id}" in alone.show_recorder_actors_blocked("test_actors.log", 1.0, 1.0)
    with pytest.raises(RuntimeError, match="there is no recording"):
        alone.show_recorder_file_info("never_made.log", False)


def test_who_asks_for_bones_is_told_why_there_are_none(alone: Any) -> None:
    place = carla.Transform(carla.Location(x=200.0, y=200.0, z=1.0))
    walker = alone.get_world().spawn_actor(
        alone.get_world().get_blueprint_library().find("walker.pedestrian.0001"), place
    )
    with pytest.raises(RuntimeError, match="have no bones"):
        walker.get_bones()
