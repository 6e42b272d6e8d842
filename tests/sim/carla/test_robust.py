"""Whatever a client does, the server goes on, and tells the others what they ask."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import carla
import msgpack
import pytest

from dagger import cli
from sim.road.generators.registry import GENERATORS
from tests.support.carla_actors import a_car, synchronous
from tests.support.servers import ROOT, Raw, refusals, served

WATCHING = """
import sys, carla
client = carla.Client("127.0.0.1", int(sys.argv[1]))
client.set_timeout(20.0)
world = client.get_world()
blueprint = world.get_blueprint_library().find("sensor.camera.rgb")
camera = world.spawn_actor(blueprint, carla.Transform(carla.Location(z=20.0)))
camera.listen(lambda image: None)
print("watching", flush=True)
while True:
    world.wait_for_tick()
"""
ASKING = """
import sys, carla
client = carla.Client("127.0.0.1", int(sys.argv[1]))
client.set_timeout(30.0)
world = client.get_world()
blueprint = world.get_blueprint_library().find("vehicle.tesla.model3")
points = world.get_map().get_spawn_points()
for i in range(10):
    car = world.spawn_actor(blueprint, points[(7 * int(sys.argv[2]) + i) % len(points)])
    world.wait_for_tick()
    assert car.get_transform().location.distance(points[(7 * int(sys.argv[2]) + i) % len(points)].location) < 3.0
    assert car.destroy()
print("done")
"""


def memory(process: subprocess.Popen[str]) -> float:
    """What a process holds [MB]."""
    pages = Path(f"/proc/{process.pid}/statm").read_text().split()[1]
    return int(pages) * 4096 / 1e6


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\nHost: carla\r\n\r\n", b"\xc1" * 64, b"\x94\x00\x01\xa1x", b"\xff" * 1000, b"\x92\x01\x02",
     b"\x94\x00\x01\x05\x90", b"\xdb\xff\xff\xff\xff" + b"x" * 64, b"\x91" * 5000,
     b"\xdd\x0f\xff\xff\xff" * 100, b"\x94\x00\xff\xa7version\x91\x91\xc2"],
    ids=["http", "no msgpack", "half a call", "integers", "two of four", "no name", "4 GB announced", "deep",
         "a hundred lists of 268 million", "number -1"],
)  # fmt: skip
def test_bytes_that_are_no_calls_do_not_disturb_other_clients(port: int, garbage: bytes) -> None:
    odd, good = Raw(port), Raw(port)
    odd.socket.sendall(garbage)
    assert good.value("version") == "0.9.16"
    odd.socket.settimeout(0.5)
    with contextlib.suppress(TimeoutError, ConnectionError):
        odd.socket.recv(100)
    odd.socket.close()
    assert good.value("version") == "0.9.16"


@pytest.mark.parametrize(
    ("method", "arguments"),
    [("spawn_actor", ()), ("spawn_actor", (1, 2)), ("spawn_actor", ([1, "vehicle.tesla.model3", []], [])),
     ("spawn_actor", ([1, "vehicle.tea.pot", []], [[0, 0, 0], [0, 0, 0]])),
     ("apply_control_to_vehicle", (99, [0, 0, 0, False, False, False, 0])),
     ("set_weather_parameters", ([float("nan")] * 14,)), ("set_weather_parameters", ("rain",)),
     ("set_episode_settings", ([],)), ("load_new_episode", ("Atlantis", True, 0)), ("get_actors_by_id", (7,)),
     ("copy_opendrive_to_file", ("<OpenDRIVE/>", [])), ("copy_opendrive_to_file", ("tea", [])),
     ("apply_batch", ([[99, []]], False)), ("apply_batch", ("x", False)), ("tick_cue", (1, 2, 3)),
     ("get_sensor_token", (10_000,)), ("set_traffic_light_state", (1, 77)), ("make_tea", ()), ({"a": 1}, ()),
     ("set_episode_settings", ([1, False, [False]],)), ("set_episode_settings", ([True, False, [True, "x"]],)),
     ("set_episode_settings", ([True, False, [True, float("nan")]],)), ("set_episode_settings", (None,)),
     ("set_episode_settings", ([True, False, [True, 0.05], True, 0.01, 10**9],)),
     ("set_episode_settings", ([True, False, [True, 0.05], True, 0.0, 10],)),
     ("set_episode_settings", ([True, False, [True, 0.05], True, "x", 10],)),
     ("spawn_actor", (["1", "vehicle.tesla.model3", []], [[0, 300, 0], [0, 0, 0]])),
     ("spawn_actor", ([1, "vehicle.tesla.model3", [["role_name", 4, 7]]], [[0, 300, 0], [0, 0, 0]])),
     ("add_traffic_manager_running", ([7, "x"],)), ("get_traffic_manager_running", ("x",)),
     ("load_new_episode", (7, True, 0)), ("copy_opendrive_to_file", (7, [])),
     ("cast_ray", ([0, 0], "x")), ("draw_debug_shape", ([],)), ("enable_actor_constant_velocity", (None, None))],
)  # fmt: skip
def test_a_call_that_cannot_be_is_answered_with_what_is_wrong(
    port: int, method: Any, arguments: tuple[Any, ...]
) -> None:
    wire = Raw(port)
    error, result = wire.call(method, *arguments)
    why = refusals(error, result)
    assert why and all(len(words) > 5 for words in why), f"{method}{arguments} answered {error}, {result}"
    assert wire.value("version") == "0.9.16", "the connection has suffered"
    wire.socket.close()


def test_destroying_an_absent_actor_fails(port: int) -> None:
    wire = Raw(port)
    for number in ("x", -1, 10**9, None):
        assert wire.value("destroy_actor", number) is False
    wire.socket.close()


def test_nonsense_numbers_do_not_end_time(client: Any, port: int) -> None:
    world = synchronous(client)
    car = a_car(world)
    world.tick()
    wire = Raw(port)
    for value in (float("nan"), float("inf"), -1e300):
        wire.call("apply_control_to_vehicle", car.id, [value, value, 0.0, False, False, False, 0])
        wire.call("set_actor_target_velocity", car.id, [value, 0.0, 0.0])
        wire.call("set_actor_transform", car.id, [[value, 0.0, 0.0], [0.0, value, 0.0]])
        wire.call("add_actor_impulse", car.id, [value, 0.0, 0.0])
    frame = world.tick()
    assert world.tick() == frame + 1
    place = car.get_location()
    assert abs(place.x) < 1e6 and abs(place.y) < 1e6


def test_what_one_client_told_wrongly_no_tick_and_no_other_client_suffers_from(client: Any, port: int) -> None:
    world = synchronous(client)
    car = a_car(world)
    walker = world.spawn_actor(
        world.get_blueprint_library().find("walker.pedestrian.0001"), carla.Transform(carla.Location(y=300.0))
    )
    frame = world.tick()
    wire = Raw(port)
    nan = float("nan")
    physics = wire.value("get_physics_control", car.id)
    for name, who, told in (
        ("apply_ackermann_control_to_vehicle", car, [0.0, 0.0]), ("enable_actor_constant_velocity", car, [nan, 0, 0]),
        ("apply_ackermann_control_to_vehicle", car, [nan] * 5),
        ("apply_control_to_walker", walker, [[1.0], 1.0, False]),
        ("apply_control_to_walker", walker, [[1.0, 0.0, 0.0], 1e300, False]),
        ("apply_ackermann_controller_settings", car, ["x"] * 6), ("apply_physics_control", car, [None, *physics[1:]]),
        ("apply_physics_control", car, [*physics[:6], 7, *physics[7:]]),
    ):  # fmt: skip
        error, result = wire.call(name, who.id, told)
        assert error is None and result[0][0] is True, (name, told, result)
        assert world.tick() == frame + 1
        frame += 1
    assert wire.call("set_vehicle_light_state", car.id, [1 << 40]) == (None, [[False]])
    assert wire.value("get_vehicle_light_states") == [[car.id, 0]]
    assert car.get_physics_control().mass == pytest.approx(physics[11])


def test_a_call_without_metadata_is_told_so(port: int) -> None:
    wire = Raw(port)
    for arguments in ([], ["", True, 0]):
        wire.socket.sendall(msgpack.packb([0, 5, "load_new_episode", arguments]))
        _, number, error, result = wire.answer()
        assert number == 5 and error is None and "metadata" in result[0][1][0]
    wire.socket.close()


def test_a_client_that_dies_in_a_call_or_a_tick_is_not_missed(port: int) -> None:
    good = Raw(port)
    for said in (b"\x94\x00\x01\xa8tick", msgpack.packb([0, 1, "tick_cue", [[False]]]) * 50,
                 msgpack.packb([0, 1, "load_new_episode", [[False], "crossroads", True, 0]])):  # fmt: skip
        odd = Raw(port)
        odd.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, as by SIGKILL
        odd.socket.sendall(said)
        odd.socket.close()
        assert good.value("version") == "0.9.16"
    frame = good.value("tick_cue")
    assert good.value("tick_cue") > frame


def test_a_flood_of_calls_starves_neither_ticks_nor_others() -> None:
    with served("--map", "grid_town") as (port, _):
        flood, good = Raw(port), Raw(port)
        calls = (
            msgpack.packb([0, 1, "get_all_level_BBs", [[False], 200]]) * 4000
        )  # all scenery is looked at for nothing
        until = time.monotonic() + 4.0

        def pour() -> None:
            flood.socket.settimeout(0.1)
            while time.monotonic() < until:
                with contextlib.suppress(TimeoutError):
                    flood.socket.send(calls)
                with contextlib.suppress(TimeoutError):
                    flood.socket.recv(1 << 22)

        pouring = threading.Thread(target=pour)
        pouring.start()
        time.sleep(0.5)
        frames, longest = [], 0.0
        while time.monotonic() < until - 0.5:
            began = time.monotonic()
            frames.append(good.value("set_episode_settings", good.value("get_episode_settings")))
            longest = max(longest, time.monotonic() - began)
        pouring.join()
        assert longest < 1.0, f"an answer took {longest:.2f} s"
        assert frames[-1] - frames[0] > 30, "time went on by itself at 20 ticks a second, but stood"


def test_who_does_not_read_answers_is_not_served_and_takes_no_memory() -> None:
    with served("--map", "crossroads") as (port, process):
        deaf, good = Raw(port), Raw(port)
        good.value("get_actor_definitions")
        before = memory(process)
        deaf.socket.settimeout(0.5)
        calls = msgpack.packb([0, 1, "get_actor_definitions", [[False]]]) * 1000
        with contextlib.suppress(TimeoutError):
            for _ in range(1000):  # some ten MB of calls, whose answers would be GB
                deaf.socket.sendall(calls)
        assert good.value("version") == "0.9.16"
        assert memory(process) - before < 20.0
        deaf.socket.close()


def test_unused_stream_tokens_delay_a_tick_for_a_moment_only(port: int) -> None:
    asking, good = Raw(port), Raw(port)
    settings = good.value("get_episode_settings")
    good.value("set_episode_settings", [True, False, [True, 0.05], *settings[3:]])
    until = time.monotonic() + 3.0

    def ask() -> None:
        while time.monotonic() < until:
            asking.value("get_sensor_token", 1)

    thread = threading.Thread(target=ask)
    thread.start()
    ticks = 0
    while time.monotonic() < until - 0.5:
        began = time.monotonic()
        good.value("tick_cue")
        assert time.monotonic() - began < 1.0
        ticks += 1
    thread.join()
    assert ticks >= 5
    good.value("set_episode_settings", settings)


def test_a_client_that_is_killed_in_mid_stream_is_not_missed(client: Any, port: int) -> None:
    watcher = subprocess.Popen([sys.executable, "-c", WATCHING, str(port)], stdout=subprocess.PIPE, text=True)
    assert watcher.stdout is not None and watcher.stdout.readline() == "watching\n"
    world = client.get_world()
    world.wait_for_tick()
    watcher.send_signal(signal.SIGKILL)
    watcher.wait()
    frames = [world.wait_for_tick().frame for _ in range(5)]
    assert frames == sorted(frames)
    for camera in world.get_actors().filter("sensor.*"):
        camera.destroy()


def test_a_client_that_does_not_read_loses_the_oldest_frames_and_delays_no_other() -> None:
    with served("--map", "crossroads") as (port, process):
        client = carla.Client("127.0.0.1", port)
        client.set_timeout(20.0)
        world = synchronous(client)
        car = a_car(world)
        blueprint = world.get_blueprint_library().find("sensor.camera.rgb")
        blueprint.set_attribute("image_size_x", "400")
        blueprint.set_attribute("image_size_y", "300")
        camera = world.spawn_actor(blueprint, carla.Transform(carla.Location(x=1.0, z=1.4)), attach_to=car)
        seen: list[int] = []
        camera.listen(lambda image: seen.append(image.frame))
        world.tick()
        stream_port = port + 1
        wire = Raw(port)
        packed = wire.value("get_actors_by_id", [camera.id])[0][5]
        number, stream_port = int.from_bytes(packed[:4], "little"), int.from_bytes(packed[4:6], "little")
        sleeper = wire.subscribe(number, stream_port)
        for _ in range(20):
            world.tick()
        before, began = memory(process), len(seen)
        for _ in range(150):
            world.tick()
        time.sleep(0.5)
        assert len(seen) - began >= 149, "the other reader has lost frames"
        assert memory(process) - before < 60.0, "frames for the sleeper pile up"
        sleeper.close()
        camera.stop()
        process.terminate()
        said = process.communicate(timeout=20)[0]
        lost = re.search(r"([\d,]+) of them lost by slow readers", said)
        assert lost and int(lost[1].replace(",", "")) > 50, said


def test_eight_clients_at_once(port: int) -> None:
    clients = [
        subprocess.Popen([sys.executable, "-c", ASKING, str(port), str(i)], stdout=subprocess.PIPE, text=True)
        for i in range(8)
    ]
    assert [c.communicate(timeout=120)[0] for c in clients] == ["done\n"] * 8


def test_spawning_and_destroying_leaks_nothing(port: int) -> None:
    with served("--map", "crossroads") as (own, process):
        wire = Raw(own)
        settings = wire.value("get_episode_settings")
        wire.value("set_episode_settings", [True, False, [True, 0.05], *settings[3:]])
        cameras = [[6, "sensor.camera.rgb", []], [[0.0, 0.0, 2.0], [0.0, 0.0, 0.0]]]

        def cycle() -> None:
            car = wire.value("spawn_actor", [1, "vehicle.tesla.model3", []], [[0.0, 200.0, 0.0], [0.0, 0.0, 0.0]])[0]
            wire.value("spawn_actor_with_parent", *cameras, car, 0, "")
            wire.value("tick_cue")
            assert wire.value("destroy_actor", car)

        for _ in range(100):
            cycle()
        before = memory(process)
        for _ in range(400):
            cycle()
        assert memory(process) - before < 8.0


def test_a_port_that_is_taken_is_told_in_a_sentence(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "--port", str(port)]) == cli.BAD
    assert str(port) in capsys.readouterr().err


def test_an_unknown_map_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "--map", "Atlantis"]) == cli.BAD
    said = capsys.readouterr().err
    assert "Atlantis" in said and "grid_town" in said and len(said.splitlines()) == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_told_to_and_lists_what_it_did_not_know(how: signal.Signals) -> None:
    with served("--verbose", "--map", "crossroads") as (port, process):
        wire = Raw(port)
        wire.call("make_tea")
        wire.call("make_tea")
        process.send_signal(how)
        said = process.communicate(timeout=20)[0]
        assert process.returncode == 0
        assert "make_tea (2)" in said and said.rstrip().endswith("stopped") and "Traceback" not in said
        assert "unknown method make_tea" in said and "a client has connected from" in said
        assert re.search(r"\d+ ticks, \d+ frames sent, 0 of them lost by slow readers; 1 clients", said)


def test_names_that_a_client_makes_up_fill_neither_memory_nor_log() -> None:
    with served("--verbose", "--map", "crossroads") as (port, process):
        wire = Raw(port)
        for i in range(3000):
            assert wire.call(f"tea_{i}\udcff" if i % 2 else f"tea_{i}" + "x" * 500)[0].startswith("unknown method")
        for _ in range(300):
            wire.call("destroy_actor")
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=20)[0]
        assert process.returncode == 0 and "Traceback" not in said
        assert len(said) < 120_000 and "(others) (2800)" in said and "destroy_actor (300)" in said


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_quickly_with_clients_and_in_the_middle_of_a_map(how: signal.Signals) -> None:
    with served("--map", "crossroads") as (port, process):
        client = carla.Client("127.0.0.1", port)
        client.set_timeout(20.0)
        world = client.get_world()
        world.wait_for_tick()
        wire = Raw(port)
        wire.send("copy_opendrive_to_file", GENERATORS["grid_town"]() + f"<!-- {time.time()} -->", [])
        time.sleep(0.3)
        began = time.monotonic()
        process.send_signal(how)
        said = process.communicate(timeout=20)[0]
        assert process.returncode == 0 and said.rstrip().endswith("stopped") and "Traceback" not in said
        assert time.monotonic() - began < 2.5


def test_the_port_of_the_streams_may_be_the_one_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as below, socket.socket() as taken:
        for _ in range(100):  # two neighbours that are free
            below.close()
            below = socket.create_server(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                taken.bind(("127.0.0.1", below.getsockname()[1] + 1))
                break
        taken.listen()
        number = taken.getsockname()[1]
        below.close()
        began = time.monotonic()
        assert cli.main(["serve", "--port", str(number - 1)]) == cli.BAD
        said = capsys.readouterr().err
        assert str(number) in said and len(said.splitlines()) == 1
        assert time.monotonic() - began < 5.0, "a taken port is known before anything is compiled"


def test_it_listens_where_it_is_told_only() -> None:
    with served("--map", "crossroads", "--host", "127.0.0.2") as (port, _):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)
        socket.create_connection(("127.0.0.2", port), 5).close()


def test_a_served_world_does_not_grow() -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/carla_soak.py", "--share", "0.03", "--most", "12", "--maps", "0"],
        capture_output=True, text=True, timeout=300, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-500:]
    assert all(
        int(after) <= int(before) + 2 for before, after in re.findall(r"(\d+) to +(\d+) +\d+ to", done.stdout)
    ), done.stdout
