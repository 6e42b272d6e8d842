"""Compiles the kernels of served sensors in background processes while the server already answers.

A kernel that was never called on this machine is compiled at its first call, which takes longer than a client waits.
The kernels of a tick are compiled before the ports open. Those of each sensor are compiled in two background
processes, which leave the machine code in the cache on disk; the answer about a spawned sensor waits for its kernels.

    python -m sim.carla.server.warm_up GROUP...   # compile groups in this order; print each when it is done
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterable
from typing import Any

from sim.carla.blueprint_library import OF_BODY
from sim.carla.blueprints import BOOL
from sim.carla.server.sensors import SENSORS
from sim.carla.server.sensors.cameras import ImageSensor
from sim.carla.server.streams import Streams
from sim.carla.server.world import ServedWorld
from sim.core.kernel import compiled_mark, mark_compiled
from sim.datatypes.episode import MapSpec
from sim.datatypes.road_map import RoadMap
from sim.render.rgb import camera_rays
from sim.road.map.loading import read_map

STEEP = " steep"  # ends the group of a camera that looks steeply up or down: other kernels draw it
# What each background process compiles, in order: what most clients spawn comes first, steep cameras come last.
ORDER = (
    ("sensor.camera.rgb", "sensor.camera.rgb" + STEEP),
    ("sensor.camera.depth", "sensor.camera.semantic_segmentation", "sensor.lidar.ray_cast",
     "sensor.camera.instance_segmentation", "sensor.camera.optical_flow", "sensor.lidar.ray_cast_semantic",
     "sensor.other.radar", "sensor.other.obstacle", "sensor.camera.depth" + STEEP,
     "sensor.camera.semantic_segmentation" + STEEP, "sensor.camera.instance_segmentation" + STEEP,
     "sensor.camera.optical_flow" + STEEP),
)  # fmt: skip
# Sensors whose kernels take a second to compile are compiled before the ports open, with those of a tick.
FAST = ("sensor.other.gnss", "sensor.other.imu", "sensor.other.collision", "sensor.other.lane_invasion")
_LEVEL, _DOWN = [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [[0.0, 0.0, 9.0], [-90.0, 0.0, 0.0]]


def warm_up(road_map: RoadMap, groups: Iterable[str] = FAST) -> None:
    """Tick a hidden world with a vehicle that carries a sensor of each group: this calls, and so compiles, the kernels.

    Args:
        groups: blueprint ids of sensors, with STEEP behind that of a camera that looks straight down.
    """
    world = ServedWorld(road_map, Streams(), 0)
    car = world.spawn([0, OF_BODY["car"], [["spawn_overlap", BOOL, "true"]]], _LEVEL)
    made = [
        world.spawn([0, group.removesuffix(STEEP), []], _DOWN if group.endswith(STEEP) else _LEVEL, car.id)
        for group in groups
    ]
    world.tick()
    for actor in made:
        if actor.stream:
            actor.sensor.frames(world, actor)


def group_of(world: ServedWorld, actor: Any) -> str | None:
    """Return the group of kernels that a sensor needs; None for an actor that is no sensor."""
    if actor.type not in SENSORS:
        return None
    steep = (
        isinstance(actor.sensor, ImageSensor)
        and not camera_rays(actor.sensor.mounted(world, actor)[0]).geometry.flags.writeable
    )
    return f"{actor.type}{STEEP if steep else ''}"


class BackgroundCompiler:
    """Compiles the kernels of all sensors in background processes, one for each entry of ORDER.

    A file in the kernel cache marks each finished group, so that later servers start no process.
    """

    def __init__(self) -> None:
        self._done: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the processes; call it within the event loop."""
        for order in ORDER:
            left = [group for group in order if not compiled_mark(group).exists()]
            self._done |= {group: asyncio.Event() for group in left}
            if left:
                self._tasks.append(asyncio.ensure_future(self._compile(left)))

    async def ready(self, group: str) -> None:
        """Wait until the kernels of a group are compiled."""
        if group in self._done:
            await self._done[group].wait()

    async def all_ready(self) -> None:
        """Wait until the kernels of all groups are compiled."""
        await asyncio.gather(*(event.wait() for event in self._done.values()))

    def waits(self, group: str | None) -> bool:
        """Return whether the kernels of a group are still being compiled."""
        return group in self._done and not self._done[group].is_set()

    async def _compile(self, groups: list[str]) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sim.carla.server.warm_up", *groups, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL, stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                if (event := self._done.get(line.decode().strip())) is not None:
                    event.set()
        finally:  # after a failure the kernels are compiled in this process, when they are first called
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            for group in groups:
                self._done[group].set()

    async def stop(self) -> None:
        """End the processes."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def main(groups: list[str]) -> None:
    """Compile groups of kernels, on a small map: machine code does not depend on the map."""
    road_map = read_map(MapSpec("t_junction"))
    for group in groups:
        warm_up(road_map, [group])
        mark_compiled(group)
        print(group, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
