"""The motorway exit: its ways, its lanes, and lane traffic that uses both."""

from __future__ import annotations

import numpy as np
import pytest

from sim.datatypes.action import Action
from sim.datatypes.episode import Episode, MapSpec, TrafficSpec
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import DECISIONS, OUTCOME
from sim.road.graph.lane_graph import lane_graph
from sim.road.map.loading import load_map
from sim.world.embedded import EmbeddedWorld


def _place(**parameters):
    return load_map(MapSpec("motorway_exit", tuple(sorted(parameters.items())), kind="motorway_exit"))


@pytest.mark.parametrize("lanes", [2.0, 3.0])
def test_the_ways_share_the_outermost_lane_until_the_deceleration_lane_opens(lanes):
    _, place = _place(lanes=lanes, deceleration=60.0, arm=90.0)
    straight, leaves = place.routes_from("west")
    assert [DECISIONS[r.decision] for r in (straight, leaves)] == ["straight", "exit 1"]
    lane = -(lanes - 0.5) * 3.5
    assert straight.path.points[:, 1] == pytest.approx(lane, abs=0.01)
    before = leaves.path.points[leaves.path.points[:, 0] < -3.0]
    assert len(before) > 150 and before[:, 1] == pytest.approx(lane, abs=0.01)
    beside = leaves.path.points[(leaves.path.points[:, 0] > 38.0) & (leaves.path.points[:, 0] < 92.0)]
    assert beside[:, 1] == pytest.approx(lane - 3.5, abs=0.01)
    assert leaves.path.points[-1, 1] < lane - 30.0 and leaves.path.points[-1, 2] < -0.9  # the ramp bends away
    assert np.abs(leaves.path.points[:, 3]).max() < 1.0 / 55.0
    assert {arm.name: arm.inbound is not arm.outbound for arm in place.arms.values()}.keys() == {
        "west",
        "east",
        "exit1",
    }


def test_lane_changes_are_allowed_along_the_deceleration_lane_and_at_its_ends_no_lane_is_lost():
    road_map, _ = _place(lanes=2.0)
    graph = lane_graph(road_map.opendrive, "motorway_exit")
    driving = graph.lanes_of_kind("driving").tolist()
    beside = [i for i in driving if graph.road[i] == 2]
    assert len(beside) == 3
    change = [
        graph.change[graph.start[i] : graph.start[i + 1]].all(0).tolist()
        for i in sorted(beside, key=lambda i: -graph.points_of(i)[0, 1])
    ]
    assert change == [[False, True], [True, True], [True, False]]
    ends = [i for i in driving if not len(graph.successors_of(i))]
    assert sorted(graph.road[i] for i in ends) == [3, 3, 4]


def test_lane_traffic_takes_the_exit_and_the_main_road_and_does_not_hit_a_standing_ego():
    spec = MapSpec("motorway_exit", (("arm", 120.0),), kind="motorway_exit")
    backend = EmbeddedWorld(1, None, Simulation())
    backend.reset([Episode("t", 5, spec, "west", 110.0, 0.0, time_limit=300.0, traffic=TrafficSpec(vehicles=10))])
    still, left, stayed = Action(np.zeros(1, np.float32), np.zeros(1, np.float32)), set(), set()
    for _ in range(1200):
        backend.step(still)
        world = backend.world
        assert world.outcome[0] in (OUTCOME["running"], OUTCOME["timeout"])
        for slot in np.flatnonzero(world.kind[0, 1:]) + 1:
            x, y = float(world.x[0, slot]), float(world.y[0, slot])
            if y < -20.0:
                left.add(int(slot))
            elif x > 160.0:
                stayed.add(int(slot))
    assert len(left) > 2 and len(stayed) > 2
