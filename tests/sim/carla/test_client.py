"""Worlds on CARLA servers when something goes wrong: whoever is lost is found again, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from scenarios.sampling.sample import sample, slots_needed
from scenarios.scenario import load_scenario
from sim.actors.registry import KIND
from sim.carla.blueprint_mapping import BlueprintMapping
from sim.carla.client import CarlaWorld
from sim.carla.session import ServerLost
from sim.datatypes.camera import Camera
from sim.datatypes.episode import ActorSpec, SignSpec
from sim.sensors.base import Sensor
from sim.sensors.birdseye import Birdseye
from sim.sensors.depth import Depth
from sim.sensors.gnss import Gnss
from sim.sensors.imu import Imu
from sim.sensors.lidar import Lidar
from sim.sensors.optical_flow import OpticalFlow
from sim.sensors.rgb import Rgb
from sim.sensors.semantic import Semantic
from sim.sensors.speedometer import Speedometer
from sim.world.conformance import actions, same
from sim.world.embedded import EmbeddedWorld
from tests.support.servers import ROOT, served
from tests.support.worlds import ONCOMING, PARKED, SMALL, episode

DRIVEN = episode(5, actors=(PARKED, ONCOMING))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served() as (port, _):
        yield port


def world(port: int, timeout: float = 120.0, **more: Any) -> CarlaWorld:
    return CarlaWorld(1, SMALL, servers=[("127.0.0.1", port)], timeout=timeout, **more)


def drive(backend: Any, ticks: int) -> None:
    for _ in range(ticks):
        backend.step(actions(1, 0.05, 0.5))


def undisturbed(port: int, ticks: int) -> tuple[Any, np.ndarray]:
    """Where a drive ends, and what it sees there, when nothing happens."""
    with world(port, timeout=120.0) as backend:  # a server whose kernels are not compiled yet takes its time
        backend.reset([DRIVEN])
        drive(backend, ticks)
        assert backend.recovered_errors == []
        return backend.world.copy(), backend.observe().camera


# ------------------------------------------------------------------------------------------------------- losses
def test_an_episode_goes_on_on_a_server_that_was_killed_and_started_anew() -> None:
    with served() as (port, first):
        wanted, picture = undisturbed(port, 14)
        backend = world(port, timeout=4.0)
        backend.reset([DRIVEN])
        drive(backend, 7)
        first.kill()
        first.wait()
        with served("--port", str(port)):
            drive(backend, 7)
            same(backend.world, wanted)
            assert backend.observe().camera.tobytes() == picture.tobytes(), "rain, or whatever counts ticks, began anew"
            assert (
                len(backend.recovered_errors) == 1
                and f":{port}" in backend.recovered_errors[0]
                and "tick 7" in backend.recovered_errors[0]
            )
            backend.close()


def test_an_episode_goes_on_when_another_client_has_destroyed_ego(port: int) -> None:
    import carla

    wanted, picture = undisturbed(port, 10)
    with world(port) as backend:
        backend.reset([DRIVEN])
        drive(backend, 5)
        other = carla.Client("127.0.0.1", port)
        other.set_timeout(10.0)
        (gone,) = other.apply_batch_sync([carla.command.DestroyActor(backend._sessions[0]._actors[0])], False)
        assert not gone.error
        drive(backend, 5)
        same(backend.world, wanted)
        assert backend.observe().camera.tobytes() == picture.tobytes()
        assert len(backend.recovered_errors) == 1


def test_an_episode_goes_on_when_the_server_has_not_answered_in_time() -> None:
    with served() as (port, process):
        wanted, _ = undisturbed(port, 6)
        backend = world(port, timeout=1.0)
        backend.reset([DRIVEN])
        drive(backend, 3)
        process.send_signal(signal.SIGSTOP)
        threading.Timer(1.8, process.send_signal, [signal.SIGCONT]).start()
        drive(backend, 3)
        same(backend.world, wanted)
        assert backend.recovered_errors
        backend.close()


def test_a_server_that_does_not_come_back_is_an_error_that_names_it() -> None:
    with served() as (port, process):
        undisturbed(port, 1)
        backend = world(port, timeout=2.0)
        backend.reset([DRIVEN])
        process.kill()
        process.wait()
        with pytest.raises(ServerLost, match=f":{port}"):
            drive(backend, 1)
        began = time.monotonic()
        backend.close()
        assert time.monotonic() - began < 5.0


def test_without_a_server_the_error_comes_soon_and_names_host_and_port() -> None:
    began = time.monotonic()
    with pytest.raises(ServerLost, match=r"127\.0\.0\.1:9"):
        world(9)
    assert time.monotonic() - began < 10.0


# ---------------------------------------------------------------------------------------------- nothing is left
def left_behind(port: int) -> dict[str, Any]:
    """What another client finds on a server."""
    import carla

    client = carla.Client("127.0.0.1", port)
    client.set_timeout(10.0)
    there = client.get_world()
    there.wait_for_tick()  # which also shows that time goes on by itself
    actors = list(there.get_actors())
    lights = [a for a in actors if a.type_id == "traffic.traffic_light"]
    return {
        "actors": [a.type_id for a in actors if a.type_id.split(".")[0] not in ("traffic", "spectator")],
        "synchronous": there.get_settings().synchronous_mode,
        "frozen": sum(light.is_frozen() for light in lights),
        "lights": len(lights),
    }


def lit_drive() -> tuple[Any, Any]:
    scenario = load_scenario("busy-turn")
    return sample(scenario, 0, "test"), slots_needed(scenario)


def test_no_actor_and_no_setting_is_left_on_a_server_after_close_or_an_error(port: int) -> None:
    driven, room = lit_drive()
    with pytest.raises(KeyboardInterrupt), world(port, simulation=room) as backend:
        backend.reset([driven])
        drive(backend, 3)
        raise KeyboardInterrupt
    found = left_behind(port)
    assert found.pop("lights") > 0, "a map without lights would show less"
    assert found == {"actors": [], "synchronous": False, "frozen": 0}


# A shell has its background jobs ignore Ctrl-C, and their children with them: here it is heard wherever tests run.
INTERRUPTED = """
from tests.sim.carla.test_client import *
signal.signal(signal.SIGINT, signal.default_int_handler)
backend = world({port}, simulation=lit_drive()[1])
backend.reset([lit_drive()[0]])
print("driving", flush=True)
while True:
    drive(backend, 1)
    if backend.world.outcome[0]:
        backend.reset([lit_drive()[0]])
"""


def test_ctrl_c_leaves_no_actor_on_the_server(port: int) -> None:
    program = [sys.executable, "-c", INTERRUPTED.format(port=port)]
    with subprocess.Popen(
        program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "driving\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert "KeyboardInterrupt" in errors
    found = left_behind(port)
    assert found == {"actors": [], "synchronous": False, "frozen": 0, "lights": found["lights"]}


# ------------------------------------------------------------------------------------------------------ shadows
def test_a_shadow_s_ego_is_where_the_other_world_s_is_and_sees_what_is_to_be_seen_there(port: int) -> None:
    dry = episode(5, actors=(PARKED,))
    base, here = EmbeddedWorld(1, SMALL), EmbeddedWorld(1, SMALL)
    with world(port) as there:
        for backend, driven in ((base, dry), (here, DRIVEN), (there, DRIVEN)):
            backend.reset([driven])
        for _ in range(6):
            base.step(actions(1, 0.2, 1.0))
            for shadow in (here, there):
                shadow.step(actions(1, 0.0, 0.0))  # not what the base did: it is the base's ego that counts
                shadow.sync_ego(base.world)
        same(here.world, there.world)
        assert (here.observe().camera == there.observe().camera).all(-1).mean() > 0.998


# ------------------------------------------------------------------------------------------------------ sensors
SENSORS: dict[str, Sensor] = {
    "front": Rgb(Camera(width=40, height=24, yaw=20.0)), "far": Depth(Camera(width=40, height=24)),
    "what": Semantic(Camera(width=40, height=24)), "round": Lidar(rays=90, channels=4), "felt": Imu(), "where": Gnss(),
    "above": Birdseye(24, 24), "fast": Speedometer(), "flow": OpticalFlow(Camera(width=40, height=24)),
}  # fmt: skip
# Least share of equal numbers, and what the others may be off by [px value, m, tag, m, SI, deg]: a ray that just
# misses an edge here may meet it there.
CLOSE = {
    "front": 0.995,
    "far": 0.99,
    "what": 0.995,
    "round": 0.98,
    "felt": 1.0,
    "where": 1.0,
    "above": 0.99,
    "fast": 1,
    "flow": 0.98,
}
WITHIN = {
    "front": 0,
    "far": 1e-3,
    "what": 0,
    "round": 1e-3,
    "felt": 1e-4,
    "where": 1e-8,
    "above": 0,
    "fast": 1e-4,
    "flow": 3e-4,
}


def test_an_actor_is_on_the_server_from_its_spawn_until_it_leaves(port: int) -> None:
    late = ActorSpec("late", arm="west", speed=9.0, turn="right", arrival_offset=-2.0)
    standing = episode(1, actors=(late,), speed=0.0, time_limit=30.0)
    local, there = EmbeddedWorld(1, SMALL), []
    local.reset([standing])
    with world(port) as backend:
        backend.reset([standing])
        for tick in range(260):
            vehicles = backend._sessions[0]._world.get_actors().filter("vehicle.*")
            there.append(len(vehicles) - 1)
            assert there[-1] == (backend.world.kind[0, 1] != 0) == (local.world.kind[0, 1] != 0), tick
            if tick % 30 == 0:
                assert backend.observe().camera.tobytes() == local.observe().camera.tobytes(), tick
            backend.step(actions(1))
            local.step(actions(1))
        assert backend.recovered_errors == []
    changes = np.flatnonzero(np.diff(there))
    assert not there[0] and len(changes) == 2 and not there[-1], "it did not come once and leave once"


def test_sensors_show_through_the_wire_what_they_show_here(port: int) -> None:
    here = EmbeddedWorld(1, SMALL, sensors=SENSORS)
    with world(port, sensors=SENSORS) as there:
        for backend in (here, there):
            backend.reset([DRIVEN])
        for _ in range(8):
            for backend in (here, there):
                drive(backend, 1)
            mine, theirs = here.sense(), there.sense()
            assert list(mine) == list(theirs)
            for name, wanted in mine.items():
                found = theirs[name]
                assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype), name
                off = np.abs(found.astype(float) - wanted.astype(float))
                assert (off <= WITHIN[name]).mean() >= CLOSE[name], f"{name} is off by up to {off.max()}"
        assert [note for note in there.substitutions if "above, fast" in note]


# --------------------------------------------------------------------------------------------------- substitutes
class Library(dict):  # type: ignore[type-arg]
    """A blueprint library of a server that knows some ids, and of attributes colour alone."""

    class Print:
        def __init__(self, name: str) -> None:
            self.id = name

        def has_attribute(self, key: str) -> bool:
            return key == "color"

        def set_attribute(self, key: str, value: str) -> None:
            assert key == "color", f"the server knows no attribute {key}"

    def __init__(self, *names: str) -> None:
        super().__init__({n: self.Print(n) for n in names})

    def __iter__(self) -> Any:
        return iter(self.values())


CARLAS = ("vehicle.tesla.model3", "static.prop.streetbarrier", "static.prop.trafficcone02", "static.prop.streetsign")


@pytest.mark.parametrize(
    ("kind", "played"),
    [
        ("raised_barrier", "static.prop.streetbarrier"),
        ("ball", "static.prop.trafficcone02"),
        ("car", "vehicle.tesla.model3"),
    ],
)
def test_what_a_server_lacks_is_played_by_another_and_that_is_noted(kind: str, played: str) -> None:
    cast, here = BlueprintMapping(Library(*CARLAS)), EmbeddedWorld(1, SMALL)
    here.reset([episode(actors=(ActorSpec("thing", kind),))])
    assert here.world.kind[0, 1] == KIND[kind]
    assert cast.actor(here.world, 0, 1).id == played
    assert len(cast.substitutions) == (kind != "car") and not cast.ours


def test_a_board_of_a_server_without_boards_is_a_street_sign_and_that_is_noted() -> None:
    sign = SignSpec("board", text="DETOUR")
    cast, here = BlueprintMapping(Library(*CARLAS)), EmbeddedWorld(1, SMALL)
    here.reset([episode(signs=(sign,))])
    assert cast.actor(here.world, 0, 1, sign).id == "static.prop.streetsign"
    assert "static.prop.streetsign" in cast.substitutions[0]


def test_a_server_without_cars_is_refused_by_name() -> None:
    here = EmbeddedWorld(1, SMALL)
    here.reset([episode()])
    with pytest.raises(ValueError, match=r"vehicle\.tesla\.model3"):
        BlueprintMapping(Library("static.prop.streetsign")).actor(here.world, 0, 0)
