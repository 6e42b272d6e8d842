"""What a client of CARLA relies upon without saying so: order, memory, races."""

from __future__ import annotations

import math
import socket
import statistics
import struct
import subprocess
import sys
import time
from typing import Any

import carla
import pytest

from sim.carla.server.wire import SENSOR_NUMBER
from tests.support.carla_actors import a_car, synchronous
from tests.support.servers import Raw, attended, visited

DT = 0.05
LOADING = """
import sys, carla
for _ in range(40):
    client = carla.Client("127.0.0.1", int(sys.argv[1]))
    client.set_timeout(20.0)
    world = client.get_world()
    client.load_world("crossroads")
    client.get_world().get_settings()
print("alive")
"""
STOPPING = """
import sys, carla
client = carla.Client("127.0.0.1", int(sys.argv[1]))
client.set_timeout(20.0)
world = client.get_world()
settings = world.get_settings()
settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.05
world.apply_settings(settings)
blueprint = world.get_blueprint_library().find("sensor.camera.rgb")
blueprint.set_attribute("image_size_x", "64")
blueprint.set_attribute("image_size_y", "32")
for _ in range(1500):
    camera = world.spawn_actor(blueprint, carla.Transform(carla.Location(z=20.0)))
    camera.listen(lambda image: None)
    world.tick()
    camera.stop()
    camera.destroy()
print("alive")
"""


def angle_ahead(car: Any, other: Any) -> float:
    """The angle at which another car is ahead, as agents work it out: 0 is exactly ahead [deg]."""
    place, target = car.get_transform(), other.get_location()
    x, y = target.x - place.location.x, target.y - place.location.y
    forward = place.get_forward_vector()
    share = (forward.x * x + forward.y * y) / math.hypot(x, y)
    return math.degrees(math.acos(max(-1.0, min(1.0, share))))


def two_in_a_row(world: Any, **attributes: str) -> tuple[Any, Any]:
    """Two cars that were asked for exactly behind one another, 20 m apart."""
    blueprint = world.get_blueprint_library().find("vehicle.tesla.model3")
    for name, value in attributes.items():
        blueprint.set_attribute(name, value)
    cars = [world.spawn_actor(blueprint, carla.Transform(carla.Location(x=x, y=300.0))) for x in (0.0, 20.0)]
    world.tick()
    return cars[0], cars[1]


def test_what_was_sent_before_a_tick_is_done_before_it(client: Any) -> None:
    world = synchronous(client)
    car = a_car(world)
    world.tick()
    car.apply_control(carla.VehicleControl(throttle=1.0))
    world.tick()
    assert car.get_velocity().length() > 0.01


def test_a_control_is_kept_for_ever_and_told_as_it_was_given(client: Any) -> None:
    world = synchronous(client)
    car = a_car(world)
    world.tick()
    given = carla.VehicleControl(throttle=0.37, steer=-1.0, gear=3, manual_gear_shift=True)
    car.apply_control(given)
    for _ in range(40):
        world.tick()
    assert car.get_control() == given
    before = car.get_velocity().length()
    world.tick()
    assert car.get_velocity().length() > before


def test_the_box_of_one_who_has_just_gone_is_still_told(client: Any, port: int) -> None:
    world = synchronous(client)
    car = a_car(world)
    world.tick()
    box, number = car.bounding_box, car.id
    car.destroy()
    extent = Raw(port).value("get_actor_bounding_box", number)[1]
    assert extent == pytest.approx([box.extent.x, box.extent.y, box.extent.z])


def drive_by_autopilot_at_once(port: int) -> None:
    """Cars that are handed to a Traffic Manager as soon as they are born all move."""
    client = visited(port)
    world = client.get_world()
    manager = client.get_trafficmanager(8000 + client.get_world().id % 1000 + 40)
    blueprint = world.get_blueprint_library().find("vehicle.tesla.model3")
    points = world.get_map().get_spawn_points()
    cars = []
    for point in points[:: len(points) // 6][:6]:
        cars.append(world.spawn_actor(blueprint, point))
        cars[-1].set_autopilot(True, manager.get_port())
    began = [car.get_location() for car in cars]
    until = time.monotonic() + 20.0
    while time.monotonic() < until:
        time.sleep(0.25)
        if all(car.get_location().distance(at) > 1.0 for car, at in zip(cars, began)):
            break
    moved = [car.get_location().distance(at) for car, at in zip(cars, began)]
    for car in cars:
        car.destroy()
    manager.shut_down()  # its threads would use the episode that the next test gives up
    assert min(moved) > 1.0, moved


def test_who_is_driven_by_autopilot_at_once_is_driven(port: int) -> None:
    assert attended("tests.sim.carla.test_traps:drive_by_autopilot_at_once", port) == "done"


def test_a_car_straight_ahead_is_never_exactly_ahead(client: Any) -> None:
    world = synchronous(client)
    behind, before = two_in_a_row(world)
    assert 0.0 < angle_ahead(behind, before) < 1.0
    for car in (behind, before):
        car.destroy()
    assert angle_ahead(*two_in_a_row(world, spawn_jitter="0")) == 0.0, "the trap is no trap any longer"


def test_settings_answer_with_the_frame_that_there_is(client: Any, port: int) -> None:
    world = synchronous(client)
    frame = world.tick()
    wire = Raw(port)
    assert wire.value("set_episode_settings", wire.value("get_episode_settings")) == frame


def test_a_fixed_tick_is_told_exactly_where_time_goes_on_by_itself(client: Any) -> None:
    world = client.get_world()
    settings = world.get_settings()
    settings.fixed_delta_seconds = 0.03125
    world.apply_settings(settings)
    first = world.wait_for_tick()
    second = world.wait_for_tick()
    assert second.frame == first.frame + 1
    assert second.timestamp.delta_seconds == 0.03125


def test_every_view_of_the_world_has_a_stream_of_its_own_number(port: int) -> None:
    # A client that gives up its view of an episode while it reads a snapshot ends the reader of that number: if the
    # next view's had the same, that one would be gone, and the client would crash.
    wire = Raw(port)
    numbers = [int.from_bytes(wire.value("get_episode_info")[1][0][:4], "little") for _ in range(3)]
    assert len(set(numbers)) == 3
    for number in numbers:
        token = wire.value("get_sensor_token", number)[0]
        assert int.from_bytes(token[:4], "little") == number
        with wire.subscribe(number, int.from_bytes(token[4:6], "little")) as reader:
            wire.value("tick_cue")
            length, kind, _ = struct.unpack("<IQQ", reader.recv(20, socket.MSG_WAITALL))
            assert kind == SENSOR_NUMBER["world"] and length > 48
    wire.socket.close()


def test_a_client_that_loads_maps_again_and_again_lives(port: int) -> None:
    done = subprocess.run([sys.executable, "-c", LOADING, str(port)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "alive" in done.stdout, (done.returncode, done.stderr[-500:])


def test_a_new_map_is_another_episode_without_anybody(client: Any) -> None:
    world = synchronous(client)
    before, car = world.id, a_car(world)
    world.tick()
    assert car.is_alive
    world = client.load_world("t_junction")
    assert world.id != before and world.get_map().name.endswith("t_junction")
    assert not world.get_settings().synchronous_mode, "settings are reset unless the client says not to"
    world.wait_for_tick()
    assert len(world.get_actors().filter("vehicle.*")) == 0
    again = client.reload_world()
    assert again.get_map().name.endswith("t_junction") and again.id != world.id


def snapshots(wire: Raw, count: int, reader: socket.socket) -> list[tuple[int, int, int]]:
    """Frame, episode and state of the next snapshots that a reader of the world's stream is sent."""
    found = []
    for _ in range(count):
        (length,) = struct.unpack("<I", reader.recv(4, socket.MSG_WAITALL))
        data = reader.recv(length, socket.MSG_WAITALL)
        kind, frame = struct.unpack_from("<QQ", data)
        assert kind == SENSOR_NUMBER["world"]
        (episode,) = struct.unpack_from("<Q", data, 48)
        (state,) = struct.unpack_from("<I", data, 48 + 32)
        found.append((frame, episode, state))
    return found


def watching(wire: Raw) -> socket.socket:
    """A reader of the world's stream."""
    number = int.from_bytes(wire.value("get_episode_info")[1][0][:4], "little")
    token = wire.value("get_sensor_token", number)[0]
    return wire.subscribe(number, int.from_bytes(token[4:6], "little"))


def still(wire: Raw, fixed: float = DT) -> None:
    """Time waits for ticks."""
    settings = wire.value("get_episode_settings")
    wire.value("set_episode_settings", [True, False, [True, fixed], *settings[3:]])


def test_a_reader_may_be_stopped_right_after_its_first_frame(port: int) -> None:
    done = subprocess.run([sys.executable, "-c", STOPPING, str(port)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "alive" in done.stdout, (done.returncode, done.stderr[-500:])


def test_a_tick_is_answered_some_time_after_a_young_reader_has_its_frame(client: Any, port: int) -> None:
    # The cause of the test above, which without this fails in one of some runs only.
    wire = Raw(port)
    still(wire)
    place = [[0.0, 300.0, 2.0], [0.0, 0.0, 0.0]]
    imu = wire.value("spawn_actor", [1, "sensor.other.imu", []], place)
    number, stream_port = struct.unpack_from("<IH", imu[5])
    wire.value("get_sensor_token", number)
    later = []
    with wire.subscribe(number, stream_port) as reader:
        for _ in range(15):
            wire.send("tick_cue")
            (length,) = struct.unpack("<I", reader.recv(4, socket.MSG_WAITALL))
            reader.recv(length, socket.MSG_WAITALL)
            began = time.perf_counter()
            wire.answer()
            later.append(time.perf_counter() - began)
    assert statistics.median(later) > 0.0003, later


def test_one_snapshot_says_that_the_map_has_changed_and_frames_go_on_by_one(client: Any, port: int) -> None:
    wire = Raw(port)
    still(wire)
    with watching(wire) as reader:
        wire.value("tick_cue")
        error, result = wire.call("load_new_episode", "crossroads", False, 0)
        assert error is None and result == [[False]]
        wire.value("tick_cue")
        (before, old, _), (frame, new, state), (after, same, calm) = snapshots(wire, 3, reader)
    assert (frame, after) == (before + 1, before + 2)
    assert new == same != old
    assert state & 1 and not calm & 1
    assert wire.value("get_episode_settings")[:3] == [True, False, [True, DT]], "settings were to be kept"
    wire.call("load_new_episode", "crossroads", True, 0)
    assert wire.value("get_episode_settings")[:3] == [False, False, [False]], "settings were to be reset"


def test_a_synchronous_client_finds_its_new_episode(client: Any) -> None:
    world = synchronous(client)
    world.tick()
    again = client.load_world("crossroads", reset_settings=False)
    assert again.id != world.id and again.get_settings().synchronous_mode
    assert again.get_map().name.endswith("crossroads")
    frame = again.tick()
    assert again.tick() == frame + 1


def test_in_asynchronous_mode_a_spawn_is_answered_after_a_snapshot_shows_the_actor(client: Any, port: int) -> None:
    wire = Raw(port)
    settings = wire.value("get_episode_settings")
    wire.value("set_episode_settings", [False, False, [True, 0.2], *settings[3:]])
    place = [[0.0, 300.0, 0.0], [0.0, 0.0, 0.0]]
    birth = [[0, [[1, "static.prop.trafficcone01", []], place, [False], 144, "", []]]]
    with watching(wire) as reader:
        wire.socket.settimeout(5.0)
        for name, arguments in (("spawn_actor", ([1, "static.prop.trafficcone01", []], place)),
                                ("apply_batch", ([birth], False))):  # fmt: skip
            snapshots(wire, 1, reader)
            began = time.monotonic()
            error, result = wire.call(name, *arguments)
            waited = time.monotonic() - began
            answer = result[0] if name == "spawn_actor" else result[0][0]
            assert error is None and answer[0] == 1, result
            assert waited > 0.1, f"{name} answered after {waited:.3f} s, before the snapshot of the next tick"


def test_who_does_not_want_pictures_is_sent_none_but_everything_else(client: Any, port: int) -> None:
    world = synchronous(client)
    library, seen = world.get_blueprint_library(), {"camera": 0, "imu": 0}
    car = a_car(world)
    eye = world.spawn_actor(library.find("sensor.camera.depth"), carla.Transform(), attach_to=car)
    imu = world.spawn_actor(library.find("sensor.other.imu"), carla.Transform(), attach_to=car)
    eye.listen(lambda data: seen.update(camera=seen["camera"] + 1))
    imu.listen(lambda data: seen.update(imu=seen["imu"] + 1))
    settings = world.get_settings()
    settings.no_rendering_mode = True
    world.apply_settings(settings)
    for _ in range(5):
        world.tick()
    time.sleep(0.2)
    assert (seen["camera"], seen["imu"] > 3) == (0, True), seen
    settings.no_rendering_mode = False
    world.apply_settings(settings)
    for _ in range(5):
        world.tick()
    time.sleep(0.2)
    assert seen["camera"] > 3
    eye.stop()
    imu.stop()


def test_physics_takes_as_many_steps_as_settings_say(client: Any, port: int) -> None:
    def gone(most: int, longest: float) -> float:
        world = client.reload_world()
        settings = world.get_settings()
        settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.1
        settings.substepping, settings.max_substeps, settings.max_substep_delta_time = True, most, longest
        world.apply_settings(settings)
        car = world.spawn_actor(
            world.get_blueprint_library().find("vehicle.tesla.model3"), carla.Transform(carla.Location(y=300.0))
        )
        world.tick()
        car.apply_control(carla.VehicleControl(throttle=1.0))
        for _ in range(10):
            world.tick()
        return float(car.get_location().x)

    coarse, fine = gone(1, 0.1), gone(16, 0.00625)
    assert coarse != fine and coarse == pytest.approx(fine, abs=0.2)
    assert gone(10, 0.1) == coarse, "no more steps than are as long as they may be"


def test_a_traffic_manager_may_speak_of_the_dead(client: Any, port: int) -> None:
    # An error in its threads ends its client's process.
    wire = Raw(port)
    still(wire)
    car = wire.value("spawn_actor", [1, "vehicle.tesla.model3", []], [[0.0, 300.0, 0.0], [0.0, 0.0, 0.0]])[0]
    assert wire.value("destroy_actor", car) is True
    assert wire.call("set_actor_simulate_physics", car, True) == (None, [[False]])
    assert wire.value("destroy_actor", car) is False
    assert wire.value("get_actors_by_id", [car]) == []
    control = [0.5, 0.0, 0.0, False, False, False, 0]
    error, result = wire.call("apply_batch", [[[2, [car, control]]], [[6, [car, [[0, 0, 0], [0, 0, 0]]]]]], False)
    assert error is None and [r[0][0] for r in result] == [0, 0]
    for name, argument in (("apply_control_to_vehicle", control), ("set_actor_location", [0.0, 0.0, 0.0]),
                           ("set_actor_target_velocity", [0.0, 0.0, 0.0])):  # fmt: skip
        error, result = wire.call(name, car, argument)
        assert error is None and result[0][0] is True and str(car) in result[0][1][0]
    assert wire.call("set_actor_simulate_physics", car + 1000, True)[1][0][0] is True
