"""Routes along keypoints: the way over the lanes, ego's drive along it, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from policies.controllers.path_follower import DrivingStyle
from policies.expert.expert import Expert, Fixed, Idle
from sim.datatypes.action import Action
from sim.datatypes.episode import ActorSpec, Episode, MapSpec
from sim.datatypes.vocabulary import DECISION, OUTCOMES
from sim.envs.driving_env import DrivingEnv, DrivingVectorEnv
from sim.metrics.episode import infractions_of
from sim.road.graph import keypoint_route as routes
from sim.road.graph.keypoint_route import ARRIVAL, DEVIATION, KeypointError, plan_route, route_through
from sim.road.graph.lane_graph import LaneGraph, lane_graph
from sim.road.graph.shortest_path import centreline, path_length, random_walk
from sim.road.map.loading import read_map
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import Trajectory, rollout
from tests.support.worlds import SMALL, episode, needs_maps, row_bytes, started

TOWN = MapSpec("grid_town", (("blocks_x", 2), ("blocks_y", 2)))
CROSSING = MapSpec("crossroads", (("arm", 80.0),))
ACROSS = ((1.75, -70.0), (1.75, 70.0))  # on CROSSING, straight on; its left turn ends in the west
LEFT = ((1.75, -70.0), (-70.0, 1.75))
LINKS = {"generated": TOWN, "Town01": MapSpec(None, file="Town01.xodr"), "Town02": MapSpec(None, file="Town02.xodr")}


def graph_of(spec: MapSpec) -> LaneGraph:
    road_map = read_map(spec)
    return lane_graph(road_map.opendrive, road_map.name)


def drawn(spec: MapSpec, seed: int, metres: float, spacing: float) -> tuple[tuple[float, float], ...]:
    """Keypoints along a random way over a map."""
    graph, rng = graph_of(spec), np.random.default_rng(seed)
    lane = int(rng.choice(graph.lanes_of_kind("driving")))
    line = centreline(graph, random_walk(graph, rng, (lane, 0.0), metres))
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    stations = np.append(np.arange(0.0, along[-1], spacing), along[-1])
    return tuple((float(np.interp(s, along, line[:, 0])), float(np.interp(s, along, line[:, 1]))) for s in stations)


def away(line: np.ndarray, points: Sequence[Any] | np.ndarray) -> float:
    """Largest distance of points from the nearest point of a line [m]."""
    return float(max(np.hypot(*(line[:, :2] - np.asarray(p)[:2]).T).min() for p in points))


def along(spec: MapSpec, route: Sequence[tuple[float, float]], **changes: Any) -> Episode:
    return replace(Episode("routed", 1, spec, speed=0.0, time_limit=400.0, route=tuple(route)), **changes)


def drive(driver: Any, *episodes: Episode) -> Trajectory:
    return rollout(EmbeddedWorld(len(episodes), SMALL), driver, episodes)


# ----------------------------------------------------------------------------------------------------- the way
@pytest.mark.parametrize("seed", range(4))
def test_dense_and_sparse_keypoints_of_one_way_give_one_line_through_all_of_them(seed: int) -> None:
    dense = drawn(TOWN, seed, 300.0, 2.0)
    path = route_through(read_map(TOWN), dense).path
    assert away(path.points, dense) < 0.6  # rounded off where roads meet, and points lie half a metre apart
    assert abs(path.length - 300.0) < 5.0
    sparse = route_through(read_map(TOWN), drawn(TOWN, seed, 300.0, 11.0)).path
    assert away(path.points, sparse.points) < 0.6 and away(sparse.points, path.points) < 0.6


def test_a_keypoint_at_which_ways_part_does_not_send_the_route_round_the_block() -> None:
    # Where the junction begins three lanes do; each is as near, and two of them lead elsewhere.
    junction = graph_of(CROSSING)
    edge = next(
        tuple(junction.points_of(i)[0, :2].tolist()) for i in junction.lanes_of_kind("driving")
        if junction.junction[i] >= 0 and np.hypot(*(junction.points_of(i)[0, :2] - (1.75, -10.75))) < 1.0
    )  # fmt: skip
    direct = route_through(read_map(CROSSING), LEFT).path
    assert abs(route_through(read_map(CROSSING), (LEFT[0], edge, LEFT[1])).path.length - direct.length) < 1.0


def test_keypoints_that_change_lanes_within_a_few_metres_are_planned_without_a_detour() -> None:
    town = MapSpec("grid_town", (("blocks_x", 2), ("blocks_y", 2), ("block", 150.0), ("lanes", 2)))
    graph = graph_of(town)
    lane = next(
        int(i) for i in graph.lanes_of_kind("driving")
        if graph.length[i] > 80.0 and any(graph.change[graph.start[i] : graph.start[i + 1], 0])
    )  # fmt: skip
    here, there = graph.points_of(lane)[:, :2], graph.points_of(int(graph.neighbours[lane, 0]))[:, :2]
    points = [tuple(p) for p in [*here[:60:4].tolist(), *there[64:150:4].tolist()]]  # 2 m apart
    assert path_length(graph, plan_route(graph, points)) < 90.0


def test_a_keypoint_on_no_lane_is_named_with_its_distance() -> None:
    with pytest.raises(
        KeypointError, match=r"keypoint 2 at x=40\.00, y=40\.00 lies .* m from the nearest driving"
    ) as e:
        route_through(read_map(CROSSING), (ACROSS[0], (40.0, 40.0), ACROSS[1]))
    assert e.value.index == 1


def test_a_keypoint_that_no_lane_leads_to_is_named() -> None:
    with pytest.raises(KeypointError, match=r"keypoint 2 at .* cannot be reached from keypoint 1: no lane"):
        route_through(read_map(CROSSING), ACROSS[::-1])


@pytest.mark.parametrize(
    ("points", "words"),
    [((), "2 keypoints or more; found 0"), (ACROSS[:1], "found 1"), ((ACROSS[0], ACROSS[0]), "0.0 m long")],
)
def test_what_is_no_route_is_refused(points: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        route_through(read_map(CROSSING), points)


# --------------------------------------------------------------------------------------------------- the episode
def test_an_episode_without_a_route_is_stored_as_before_and_one_with_it_comes_back() -> None:
    assert "route" not in episode().to_dict()
    routed = along(TOWN, ACROSS)
    assert Episode.from_dict(json.loads(json.dumps(routed.to_dict()))) == routed


def test_ego_starts_at_the_first_keypoint_in_the_direction_of_its_lane() -> None:
    backend = started([along(CROSSING, ACROSS)])
    world = backend.world
    assert np.hypot(world.x[0, 0] - 1.75, world.y[0, 0] + 70.0) < 0.05 and abs(world.yaw[0, 0] - np.pi / 2) < 0.01
    assert (world.route[0] >= 0).tolist() == [True, False, False]


def test_a_route_and_actors_of_a_junction_are_refused() -> None:
    with pytest.raises(ValueError, match="parked stands at a junction"):
        started([along(CROSSING, ACROSS, actors=(ActorSpec("parked"),))])


@pytest.mark.parametrize("place", [*LINKS][:1] + [pytest.param(p, marks=needs_maps) for p in [*LINKS][1:]])
def test_the_expert_arrives_on_random_routes(place: str) -> None:
    episodes = [along(LINKS[place], drawn(LINKS[place], seed, 400.0, 40.0)) for seed in range(8)]
    made = drive(Expert.of_route(), *episodes)
    assert [OUTCOMES[o] for o in made.outcome] == ["arrived"] * 8
    assert (made.shown_decision == DECISION["straight"]).all() and (made.progress == 1.0).all()
    for w, one in enumerate(episodes):
        at = made.moving["x"][w, made.ticks[w], 0], made.moving["y"][w, made.ticks[w], 0]
        assert np.hypot(at[0] - one.route[-1][0], at[1] - one.route[-1][1]) < ARRIVAL + 0.5


def test_progress_is_the_share_of_the_routes_length() -> None:
    slow = Expert.of_route(DrivingStyle(cruise=5.0))
    made = drive(slow, along(CROSSING, ACROSS, time_limit=15.0, speed=5.0, finish=500.0, distance=900.0))
    assert OUTCOMES[made.outcome[0]] == "timeout"
    covered = float(made.moving["y"][0, -1, 0]) + 70.0
    assert 0.3 < made.progress[0] < 0.7 and abs(made.progress[0] - covered / (140.0 - ARRIVAL)) < 0.01
    assert drive(Idle(), along(CROSSING, ACROSS, time_limit=3.0)).progress[0] == 0.0


class Ahead:
    """Drives straight on."""

    needs = "state"

    def begin(self, worlds: int) -> np.ndarray:
        """No memory."""
        return np.zeros((worlds, 0), np.float32)

    def act(self, seen: Any, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        """Up to 8 m/s."""
        speed = seen.world.speed[:, 0]
        return Action(np.zeros_like(speed), (8.0 - speed).astype(np.float32)), memory


def test_who_leaves_the_route_for_good_has_deviated_and_no_sooner() -> None:
    made = drive(Ahead(), along(CROSSING, LEFT))
    assert OUTCOMES[made.outcome[0]] == "deviated"
    path = route_through(read_map(CROSSING), LEFT).path.points
    x, y = made.moving["x"][0, :, 0], made.moving["y"][0, :, 0]
    last = [away(path, [(x[t], y[t])]) for t in (-2, -1)]
    assert last[0] <= DEVIATION < last[1] + 0.1  # the nearest of points half a metre apart, and in a bend
    assert infractions_of("deviated", False)["route_dev"] == 1
    assert 0.3 < made.progress[0] < 0.7  # what was covered until it left
    # At a junction without a route nobody deviates, however far the other ways are.
    free = drive(Fixed("left"), episode(map=replace(CROSSING, kind="crossroads"), time_limit=30.0, finish=45.0))
    assert OUTCOMES[free.outcome[0]] == "arrived"


def test_a_gymnasium_episode_ends_where_the_route_is_left() -> None:
    env = DrivingEnv(EmbeddedWorld(1, SMALL), lambda seed: along(CROSSING, LEFT, speed=8.0))
    env.reset(seed=0)
    for _ in range(300):
        *_, terminated, truncated, info = env.step(np.array([0.0, 0.1], np.float32))
        if terminated or truncated:
            break
    assert (terminated, truncated, info["outcome"]) == (True, False, "deviated")
    fleet = DrivingVectorEnv(EmbeddedWorld(1, SMALL), lambda seed: along(CROSSING, LEFT, speed=8.0))
    fleet.reset(seed=0)
    for _ in range(300):
        *_, ended, cut, infos = fleet.step(np.array([[0.0, 0.1]], np.float32))
        if ended[0] or cut[0]:
            break
    assert (ended[0], cut[0], infos["outcome"][0]) == (True, False, "deviated")


def test_driving_the_same_routes_again_and_again_does_not_make_the_bank_grow() -> None:
    backend = started([along(CROSSING, LEFT), along(CROSSING, ACROSS)])
    before = len(backend.maps.arrays.points), len(backend.maps.arrays.path_start)
    for _ in range(300):
        routes._planned.cache_clear()  # the bank's memory is not that of the planner
        backend.reset([along(CROSSING, tuple(LEFT)), along(CROSSING, tuple(ACROSS))])
    assert (len(backend.maps.arrays.points), len(backend.maps.arrays.path_start)) == before


def test_a_route_beside_others_is_driven_as_alone() -> None:
    episodes = [along(CROSSING, LEFT), episode(), along(TOWN, drawn(TOWN, 3, 200.0, 30.0))]
    together = started(episodes)
    apart = [started([e]) for e in episodes]
    for _ in range(80):
        action = Action(np.full(3, 0.01, np.float32), np.full(3, 0.6, np.float32))
        together.step(action)
        for w, one in enumerate(apart):
            one.step(Action(action.steer[w : w + 1], action.acceleration[w : w + 1]))
    for w, one in enumerate(apart):
        assert row_bytes(together, w) == row_bytes(one, 0)
