"""A step of traffic is that of the slow twin: the same vehicles at the same places, tick after tick."""

from __future__ import annotations

import numpy as np
import pytest

from sim.datatypes.action import Action
from sim.datatypes.episode import Episode, MapSpec, TrafficSpec
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import OUTCOME
from sim.road.map.lane_arrays import JUNCTION, LEFT, RIGHT
from sim.traffic.right_of_way import LANE, OCCUPIED, RESERVED, STOPPED
from sim.traffic.state import DRIVER_COLUMNS
from sim.world.embedded import EmbeddedWorld
from tests.reference.traffic import Lane, Traffic, Vehicle
from tests.support.towns import Town

NEAR = 0.02  # [m] float32 against float64, and a point of a lane that is the nearest one a tick earlier in one of them


def number(lane: Lane | None) -> int:
    return -1 if lane is None else lane.number


def decisions(one: Vehicle) -> tuple[int, int, int, bool]:
    """The lane that a vehicle of the twin is on, the one that it has reserved, the one that it has not yet left."""
    return one.lane.number, number(one.reserved), number(one.inside), one.has_stopped


# Map, its traffic, and how often something must have happened, or the comparison is of little.
@pytest.mark.parametrize(("name", "spec", "wanted"), [
    ("crossroads", TrafficSpec(vehicles=8), {"entered": 40, "came in again": 40, "waited": 500}),
    ("crossroads_lights", TrafficSpec(vehicles=8), {"entered": 20, "waited": 2000}),
    ("crossroads_stop", TrafficSpec(vehicles=8), {"entered": 30, "waited": 1000, "stopped at a line": 30}),
    ("roundabout", TrafficSpec(vehicles=8), {"entered": 100}),
    ("grid_town", TrafficSpec(vehicles=40), {"entered": 100, "waited": 500}),
    ("motorway_merge", TrafficSpec(vehicles=12), {"changed lanes": 20}),
    ("parking_bays", TrafficSpec(vehicles=3, parked=3), {"came in again": 10}),
    ("t_junction", TrafficSpec(vehicles=6), {"entered": 50, "came in again": 20}),
])  # fmt: skip
def test_vehicles_are_where_the_slow_twin_has_them_and_have_decided_the_same(
    name: str, spec: TrafficSpec, wanted: dict[str, int]
) -> None:
    town = Town(name, spec, seeds=2)
    link = town.roads.link
    twins = [Traffic(town.world, town.traffic, town.roads, w) for w in range(2)]
    counts = dict.fromkeys(("entered", "came in again", "waited", "changed lanes", "stopped at a line"), 0)
    before = town.traffic.driver.copy()
    late: list[set[int]] = [set(), set()]  # at a lane's end a millimetre can be a tick

    def each(tick: int) -> None:
        nonlocal before
        for w, twin in enumerate(twins):
            twin.step()
            found = {v.slot: (v.x, v.y, v.speed, v.yaw) for v in twin.vehicles}
            for slot, (x, y, speed, yaw) in found.items():
                world = town.world
                away = np.hypot(world.x[w, slot] - x, world.y[w, slot] - y)
                assert away < NEAR, f"tick {tick}, world {w}, slot {slot}: {away:.3f} m apart"
                assert abs(world.speed[w, slot] - speed) < NEAR
                assert np.cos(world.yaw[w, slot] - yaw) > 0.99995
            mine = town.traffic.driver[w][:, [LANE, RESERVED, OCCUPIED, STOPPED]].tolist()
            other = {v.slot for v in twin.vehicles if decisions(v) != tuple(mine[v.slot])}
            assert not other & late[w], f"tick {tick}, world {w}: slots {other & late[w]} have decided otherwise"
            late[w] = other
        count(before, town.traffic.driver)
        before = town.traffic.driver.copy()

    def count(old: np.ndarray, new: np.ndarray) -> None:
        assert new.shape[-1] == DRIVER_COLUMNS
        moved = town.drivers & (old[..., LANE] != new[..., LANE])
        was, now = old[..., LANE], new[..., LANE]
        beside = (link[was, LEFT] == now) | (link[was, RIGHT] == now)
        entered = moved & (link[now, JUNCTION] >= 0)
        counts["entered"] += int(entered.sum())
        counts["changed lanes"] += int((moved & beside).sum())
        counts["came in again"] += int((moved & np.isin(now, town.roads.sources)).sum())
        counts["waited"] += int((town.drivers & (town.world.speed < 0.1)).sum())
        counts["stopped at a line"] += int((old[..., STOPPED] < new[..., STOPPED]).sum())

    town.run(1200, each)
    short = {event: counts[event] for event, least in wanted.items() if counts[event] < least}
    assert not short, f"too little has happened to compare: {counts}"


@pytest.mark.parametrize("generator", ["crossroads", "crossroads_stop"])
def test_vehicles_make_way_for_ego_as_the_twin_does(generator: str) -> None:
    """Ego drives to the junction, stands at its edge for a while, and goes on through it."""
    seeds = range(1, 7)
    backend = EmbeddedWorld(len(seeds), simulation=Simulation(actors=1))
    spec = MapSpec(generate=generator, kind="x")
    backend.reset([Episode("t", s, spec, speed=5.0, time_limit=90.0, traffic=TrafficSpec(vehicles=8)) for s in seeds])
    world = backend.world
    twins = [Traffic(world, backend.traffic, backend.maps.roads, w) for w in range(len(seeds))]
    for_ego = 0
    for tick in range(600):
        alive = np.flatnonzero(world.outcome == OUTCOME["running"]).tolist()
        for w in alive:
            twins[w].see_ego(world, w, backend.maps.arrays)
            twins[w].step()
            waiting = [v for v in twins[w].vehicles if v.speed < 0.3 and len(v.route) > 1]
            for_ego += any(twins[w].crosses_ego(v, v.route[1]) for v in waiting)
        left = np.array([30.0 - world.route_s[w, 0] for w in range(len(seeds))])
        stops = (left > 2.0) & (world.speed[:, 0] ** 2 > 3.0 * (left - 2.0))
        goes = (tick > 150) | ((left > 2.0) & ~stops & (world.speed[:, 0] < 5.0))
        push = np.where(goes, 1.0, -3.0) * np.where(world.speed[:, 0] > 6.0, 0.0, 1.0)
        backend.step(Action(np.zeros(len(seeds), np.float32), push.astype(np.float32)))
        for w in alive:
            for v in twins[w].vehicles:
                away = np.hypot(world.x[w, v.slot] - v.x, world.y[w, v.slot] - v.y)
                assert away < NEAR, f"tick {tick}, world {w}, slot {v.slot}: {away:.3f} m apart"
                assert abs(world.speed[w, v.slot] - v.speed) < NEAR
    assert for_ego > 100, "hardly any vehicle has waited for ego: this test looks at nothing"


def test_a_vehicle_stops_behind_an_obstacle_in_its_lane_where_the_twin_does() -> None:
    town = Town("crossroads", TrafficSpec(), seeds=1, more=2)
    (south,) = (k for k in town.roads.sources if town.roads.points[town.roads.link[k, 0], 1] < -30.0)
    after = int(town.roads.successors[town.roads.link[south, 6]])
    town.put(0, 1, [south, after], s=5.0, speed=10.0)
    town.put(0, 2, [south], s=40.0, speed=0.0)
    town.traffic.driver[0, 2] = 0  # it follows no lane any more
    twin = Traffic(town.world, town.traffic, town.roads, 0)
    (me,), (box,) = twin.vehicles, twin.obstacles

    def each(tick: int) -> None:
        twin.step()
        assert abs(town.world.y[0, 1] - me.y) < NEAR and abs(town.world.speed[0, 1] - me.speed) < NEAR

    town.run(300, each)
    bumpers = box.y - box.length / 2 - (me.y + me.length - me.overhang)
    assert me.speed < 0.05 and 1.5 < bumpers < 4.5
