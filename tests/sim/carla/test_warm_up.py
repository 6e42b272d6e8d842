"""Background compilation of served sensors: which kernels a sensor needs, and that its spawn waits for them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from sim.carla.blueprint_library import OF_BODY
from sim.carla.server import warm_up as module
from sim.carla.server.sensors import SENSORS
from sim.carla.server.sensors.cameras import ImageSensor
from sim.carla.server.streams import Streams
from sim.carla.server.warm_up import FAST, ORDER, STEEP, BackgroundCompiler, group_of
from sim.carla.server.world import ServedWorld
from sim.core.kernel import compiled_mark
from sim.datatypes.episode import MapSpec
from sim.road.map.loading import read_map

LEVEL, DOWN = [[0.0, 0.0, 2.0], [0.0, 0.0, 0.0]], [[0.0, 0.0, 9.0], [-90.0, 0.0, 0.0]]


@pytest.fixture(scope="module")
def world() -> ServedWorld:
    return ServedWorld(read_map(MapSpec("t_junction")), Streams(), 0)


def test_every_sensor_is_compiled_before_the_ports_open_or_in_the_background() -> None:
    cameras = [name for name in SENSORS if name.startswith("sensor.camera.")]
    assert sorted([*FAST, *ORDER[0], *ORDER[1]]) == sorted([*SENSORS, *(c + STEEP for c in cameras)])


def test_a_camera_that_looks_straight_down_needs_kernels_of_its_own(world: ServedWorld) -> None:
    for name in SENSORS:
        level, down = (world.spawn([0, name, []], place) for place in (LEVEL, DOWN))
        assert group_of(world, level) == name
        assert group_of(world, down) == (name + STEEP if isinstance(down.sensor, ImageSensor) else name)
    assert group_of(world, world.spawn([0, OF_BODY["car"], []], [[0.0, 40.0, 0.0], [0.0, 0.0, 0.0]])) is None


def test_groups_that_are_compiled_start_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "compiled_mark", lambda group: tmp_path / group)
    for group in [*ORDER[0], *ORDER[1]]:
        module.compiled_mark(group).touch()

    async def started() -> tuple[int, bool]:
        compiler = BackgroundCompiler()
        compiler.start()
        return len(compiler._tasks), compiler.waits("sensor.camera.rgb")

    assert asyncio.run(started()) == (0, False)


def test_a_background_process_compiles_a_group_marks_it_and_says_so() -> None:
    group = FAST[0]
    done = subprocess.run(
        [sys.executable, "-m", "sim.carla.server.warm_up", group], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == [group]
    assert compiled_mark(group).exists()


def test_a_sensor_waits_for_its_group_and_a_failed_process_lets_it_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "compiled_mark", lambda group: tmp_path / group)
    monkeypatch.setattr(module, "ORDER", (("sensor.camera.rgb", "sensor.nothing"),))
    monkeypatch.setattr(module.sys, "executable", "false")  # a program that fails at once

    async def waited() -> list[bool]:
        compiler = BackgroundCompiler()
        compiler.start()
        before = compiler.waits("sensor.camera.rgb")
        await asyncio.wait_for(compiler.ready("sensor.camera.rgb"), 30)
        await compiler.ready("sensor.other.gnss")  # needs no background process
        after = compiler.waits("sensor.camera.rgb")
        await compiler.stop()
        return [before, after]

    assert asyncio.run(waited()) == [True, False]
