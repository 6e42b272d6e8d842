"""Traffic without ego: worlds that the kernel of traffic steps alone, and drivers put where a test wants them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from sim.actors.registry import BODIES
from sim.core.geometry import boxes_touch
from sim.core.tables import row
from sim.datatypes.episode import TrafficSpec
from sim.datatypes.vocabulary import OUTCOME
from sim.datatypes.world_state import World
from sim.road.generators.registry import GENERATORS
from sim.road.map.compiler import compiled
from sim.road.map.lane_arrays import NEXT, NEXT_END
from sim.road.map.map_batch import MapBatch
from sim.traffic.lane_change import row_at
from sim.traffic.right_of_way import LANE, MODE, NEXT1, OCCUPIED, RESERVED, SINCE
from sim.traffic.spawning import spawn_traffic, write_actor
from sim.traffic.state import CAP, DRIVER, FACTOR, S, TrafficState, empty_traffic
from sim.traffic.step import advance
from sim.world.initial_state import empty_world
from tests.support.worlds import MAPS

TICK = np.float32(0.1)


class Town:
    """Worlds with traffic and no ego, stepped by the kernel alone.

    Args:
        more: slots that stay empty, for `put`.
    """

    def __init__(self, name: str, spec: TrafficSpec, seeds: int = 2, more: int = 0) -> None:
        text = GENERATORS[name]() if name in GENERATORS else Path(str(MAPS), f"{name}.xodr").read_text("utf-8")
        road_map = compiled(text, name)
        slots = 1 + spec.slots + more
        self.world: World = empty_world(seeds, slots)
        self.traffic: TrafficState = empty_traffic(seeds, slots)
        bank = MapBatch()
        bank.link_lanes(road_map)
        self.bank, self.roads = bank.arrays, bank.roads
        self.world.outcome[:] = OUTCOME["running"]
        self.world.x[:, 0] = 1e5
        self.world.seed[:] = np.arange(seeds)
        self.world.clock[:] = 0 if spec.lights else -1
        for w in range(seeds):
            spawn_traffic(row(self.world, w), row(self.traffic, w), 1, spec, road_map, self.roads)

    def put(self, w: int, i: int, route: Sequence[int], s: float, speed: float, kind: str = "car") -> None:
        """Put a driver into slot i, `s` [m] along the first of up to four lanes, the ones that it will drive."""
        lane, roads, driver, kinematics = route[0], self.roads, self.traffic.driver, self.traffic.kinematics
        for here, after in pairwise(route):
            assert after in roads.successors[roads.link[here, NEXT] : roads.link[here, NEXT_END]], "no way goes there"
        x, y, yaw = roads.points[row_at(roads, lane, np.float32(s)), :3].tolist()
        write_actor(row(self.world, w), i, kind, x, y, yaw, 0, BODIES[kind])
        self.world.speed[w, i] = speed
        driver[w, i] = 0
        driver[w, i, MODE] = DRIVER
        driver[w, i, NEXT1 : NEXT1 + 3] = -1
        driver[w, i, LANE : LANE + len(route)] = route
        driver[w, i, [RESERVED, OCCUPIED, SINCE]] = -1
        kinematics[w, i] = 0.0
        kinematics[w, i, S], kinematics[w, i, FACTOR], kinematics[w, i, CAP] = s, 1.0, 20.0
        self.traffic.busy[w] += 1

    def run(self, ticks: int, each: Callable[[int], None] | None = None) -> None:
        for tick in range(ticks):
            advance(self.world, self.traffic, self.roads, self.bank, TICK, 0, len(self.world.x))
            self.world.tick[:] += 1
            self.world.clock[self.world.clock >= 0] += 100
            if each is not None:
                each(tick)

    @property
    def drivers(self) -> np.ndarray:
        return self.traffic.driver[..., MODE] == DRIVER

    def touching(self, w: int) -> list[tuple[int, int]]:
        """Pairs of slots whose boxes overlap."""
        world = self.world
        cos, sin = np.cos(world.yaw[w]), np.sin(world.yaw[w])
        middle = world.length[w] / 2 - world.overhang[w]
        x, y = world.x[w] + middle * cos, world.y[w] + middle * sin
        near = np.hypot(x[:, None] - x, y[:, None] - y) < 9.0
        return [
            (int(a), int(b))
            for a, b in zip(*np.nonzero(near))
            if a < b
            and world.kind[w, a]
            and world.kind[w, b]
            and boxes_touch(
                x[a], y[a], cos[a], sin[a], world.length[w, a], world.width[w, a],
                x[b], y[b], cos[b], sin[b], world.length[w, b], world.width[w, b],
            )
        ]  # fmt: skip
