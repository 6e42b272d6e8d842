"""Lines that ego may not drive over: where they lie on a way, and that driving over them is counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sim.actors.registry import KIND
from sim.core.geometry import boxes_touch
from sim.datatypes.action import Action
from sim.datatypes.episode import Episode, MapSpec, TrafficSpec
from sim.datatypes.simulation import Simulation
from sim.road.generators.registry import GENERATORS
from sim.road.graph.traffic_lights import GREEN, RED, light_state
from sim.road.map.compiler import compiled
from sim.road.map.lane_arrays import GATES, drivable_lanes
from sim.road.map.map_batch import MapBatch
from sim.road.map.obstacle_grid import obstacle_grid
from sim.road.map.stop_lines import stop_lines_along
from sim.world.embedded import EmbeddedWorld
from sim.world.step import scenery_hit


def ways(name: str) -> list[tuple[float, list[str], list[float]]]:
    """Of every way through the first junction: where it begins, and the gates on it with their places."""
    text = GENERATORS[name]()
    streets = drivable_lanes(text, name)
    found = []
    for route in compiled(text, name).junctions[0].routes:
        s, kind, _ = stop_lines_along(route.path.points, streets)
        found.append((route.junction_in, [GATES[k] for k in kind], s.tolist()))
    return found


@pytest.mark.parametrize(("name", "kind"), [("crossroads_lights", "light"), ("crossroads_stop", "stop")])
def test_every_way_over_a_crossing_has_one_line_where_the_junction_begins(name: str, kind: str) -> None:
    assert len(ways(name)) == 12
    for junction_in, kinds, places in ways(name):
        assert kinds == [kind]
        assert abs(places[0] - junction_in) < 1.0


def test_a_crossing_without_signs_has_no_lines() -> None:
    assert all(not kinds for _, kinds, _ in ways("crossroads"))


def test_a_town_has_a_line_for_each_approach_with_a_light() -> None:
    text = GENERATORS["grid_town"]()
    streets = drivable_lanes(text, "grid_town")
    counts = [
        len(stop_lines_along(route.path.points, streets)[0])
        for junction in compiled(text, "grid_town").junctions
        for route in junction.routes
    ]
    assert set(counts) == {0, 1}


# ------------------------------------------------------------------------------------------------------ lights
def at_lights(seed: int) -> EmbeddedWorld:
    backend = EmbeddedWorld(1, simulation=Simulation(actors=1))
    spec = MapSpec(generate="crossroads_lights", kind="crossroads")
    backend.reset([Episode("t", seed, spec, distance=15.0, speed=6.0, time_limit=60.0, traffic=TrafficSpec())])
    return backend


def cruise(backend: EmbeddedWorld, ticks: int, push: float = 0.0) -> list[int]:
    """Drive on; the states of ego's light at every tick."""
    bank, states = backend.maps.arrays, []
    plan = bank.gate_plan[bank.gate_start[backend.world.route[0, 0]]]
    for _ in range(ticks):
        backend.step(Action(np.zeros(1, np.float32), np.full(1, push, np.float32)))
        states.append(int(light_state(plan, backend.world.clock[0])))
    return states


def test_driving_over_a_red_light_is_counted_once_and_over_a_green_one_never() -> None:
    seen = set()
    for seed in range(30):
        backend = at_lights(seed)
        before = backend.world.route_s[0, 0]
        states = cruise(backend, 40)
        if len(set(states)) != 1 or states[0] not in (RED, GREEN):
            continue  # it changed on the way
        assert backend.world.route_s[0, 0] - before > 20.0
        assert backend.world.red_lights[0] == (states[0] == RED), seed
        seen.add(states[0])
    assert seen == {RED, GREEN}


def test_lights_that_are_off_stop_no_vehicle() -> None:
    backend = EmbeddedWorld(1, simulation=Simulation(actors=1))
    spec = MapSpec(generate="crossroads_lights", kind="crossroads")
    backend.reset([Episode("t", 0, spec, distance=15.0, speed=6.0)])
    cruise(backend, 40)
    assert backend.world.red_lights[0] == 0


def test_a_stop_sign_wants_a_stop() -> None:
    spec = MapSpec(generate="crossroads_stop", kind="crossroads")
    episode = Episode("t", 0, spec, distance=15.0, speed=6.0, time_limit=60.0)
    through = EmbeddedWorld(1, simulation=Simulation(actors=1))
    through.reset([episode])
    cruise(through, 40)
    assert through.world.stop_signs[0] == 1
    stops = EmbeddedWorld(1, simulation=Simulation(actors=1))
    stops.reset([replace(episode, distance=8.0, speed=2.0)])
    cruise(stops, 30, -3.0)
    assert stops.world.speed[0, 0] == 0.0 and stops.world.stopped_at_line[0] == 1
    cruise(stops, 40, 2.0)
    assert stops.world.stop_signs[0] == 0 and stops.world.stopped_at_line[0] == 0


def test_an_early_stop_is_none() -> None:
    spec = MapSpec(generate="crossroads_stop", kind="crossroads")
    backend = EmbeddedWorld(1, simulation=Simulation(actors=1))
    backend.reset([Episode("t", 0, spec, distance=25.0, speed=0.0, time_limit=60.0)])
    cruise(backend, 5, -1.0)
    cruise(backend, 60, 2.5)
    assert backend.world.stop_signs[0] == 1


# --------------------------------------------------------------------------------------------------- obstacles
def test_the_grid_finds_what_a_look_at_everything_finds() -> None:
    text = GENERATORS["grid_town"]()
    road_map = compiled(text, "grid_town")
    bank = MapBatch()
    bank.add(road_map)
    arrays = bank.arrays
    boxes, kinds = obstacle_grid(arrays.scenery)[4:]
    rng = np.random.default_rng(0)
    collided_with = 0
    for _ in range(4000):
        k = int(rng.integers(len(boxes)))  # near something, or nothing would be touched
        x, y = boxes[k, :2] + rng.normal(0.0, 4.0, 2).astype(np.float32)
        yaw = np.float32(rng.uniform(-3.0, 3.0))
        cos, sin = np.cos(yaw), np.sin(yaw)
        touched = {int(kinds[i]) for i, b in enumerate(boxes)
                   if abs(b[0] - x) + abs(b[1] - y) < 60.0 and boxes_touch(x, y, cos, sin, 4.4, 1.8, *b)}  # fmt: skip
        found = scenery_hit(x, y, cos, sin, np.float32(4.4), np.float32(1.8), 0, arrays)
        assert (found in touched) if touched else found == 0
        collided_with += bool(touched)
    assert 500 < collided_with < 3900


def test_of_trees_and_poles_only_the_trunk_is_hit() -> None:
    row = np.array([[KIND["tree"], 10.0, 0.0, 0.0, 5.0, 5.0, 7.0, 0.0]])
    assert obstacle_grid(row).boxes[0, 4:].tolist() == [0.5, 0.5]
    assert len(obstacle_grid(np.zeros((0, 8))).items) == 0
