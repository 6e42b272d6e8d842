"""The lane graph says of a map what the map is, whatever file it comes from; ways over it never leave it."""

from __future__ import annotations

import itertools
import os
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from sim.road.generators import registry as maps
from sim.road.generators.intersections import t_junction
from sim.road.graph import lane_graph as lanes
from sim.road.graph.lane_graph import LANE_KINDS, LIGHTS, STOP, LaneGraph, compile_lanes, lane_graph
from sim.road.graph.shortest_path import (
    CHANGE,
    LaneInterval,
    centreline,
    nearest_place,
    path_length,
    random_walk,
    shortest_path,
)

MAPS = os.environ.get("HOMUNCULUS_MAPS")
needs_maps = pytest.mark.skipif(not MAPS, reason="set HOMUNCULUS_MAPS to a folder with Town01.xodr and Town02.xodr")
FILES = sorted(Path(MAPS).glob("*.xodr")) if MAPS else []
CLOSED = {"grid_town", "Town01", "Town02"}
KNOWN: dict[str, LaneGraph] = {}


def graph_of(name: str) -> LaneGraph:
    """The lane graph of a generator or of a file in $HOMUNCULUS_MAPS, compiled once."""
    if name not in KNOWN:
        if name in maps.GENERATORS:
            text = maps.generate(name, [("lanes", 2)] if name == "grid_town" else [])
        else:
            text = (Path(str(MAPS)) / f"{name}.xodr").read_text(encoding="utf-8-sig")
        KNOWN[name] = compile_lanes(text, name)
    return KNOWN[name]


@pytest.fixture(params=[*maps.GENERATORS, *(f.stem for f in FILES)])
def graph(request: pytest.FixtureRequest) -> LaneGraph:
    return graph_of(request.param)


@pytest.fixture
def town() -> LaneGraph:
    return graph_of("grid_town")


def turned(angle: float) -> float:
    return abs(float(np.angle(np.exp(1j * angle))))


# ----------------------------------------------------------------------------------------------- every map
def test_a_lane_begins_where_the_lane_before_it_ends(graph: LaneGraph) -> None:
    for i in range(len(graph)):
        for j in graph.successors_of(i):
            a, b = graph.points_of(i)[-1], graph.points_of(int(j))[0]
            assert np.hypot(*(a - b)[:2]) < 0.5 and turned(a[2] - b[2]) < 0.35, (graph.name, i, j)
            assert i in graph.predecessors_of(int(j))


def test_points_are_evenly_spaced_and_lie_along_their_yaw(graph: LaneGraph) -> None:
    for i in range(len(graph)):
        points = graph.points_of(i).astype(float)
        step = np.diff(points[:, :2], axis=0)
        gaps = np.hypot(*step.T)
        assert gaps.max() <= lanes.SPACING + 1e-3 and np.ptp(gaps) < 0.03
        assert abs(gaps.sum() - graph.length[i]) < 0.02 * graph.length[i] + 0.01
        widens = np.abs(np.diff(graph.width[slice(*graph.start[i : i + 2])])) / np.maximum(gaps, 1e-6)
        if gaps.min() > 0.1 and widens.max() < 0.4:  # one file widens lanes by a metre a metre
            middle = 0.5 * (points[1:, 2] + points[:-1, 2])
            off = np.angle(np.exp(1j * (np.arctan2(step[:, 1], step[:, 0]) - middle)))
            assert np.abs(off).max() < (0.15 if graph.kind[i] == 0 else 0.6), (graph.name, i)


def test_neighbours_are_about_a_lane_width_apart_and_parallel(graph: LaneGraph) -> None:
    for i in range(len(graph)):
        for side, j in enumerate(graph.neighbours[i]):
            if j < 0:
                continue
            assert graph.neighbours[j, 1 - side] == i
            for end in (0, -1):
                a, b = graph.points_of(i)[end].astype(float), graph.points_of(int(j))[end].astype(float)
                rows = graph.start[[i, j]] if end == 0 else graph.start[[i + 1, j + 1]] - 1
                ahead, left = np.cos(a[2]), np.sin(a[2])
                beside = (b[1] - a[1]) * ahead - (b[0] - a[0]) * left
                apart = 0.5 * float(graph.width[rows].sum())
                assert beside * (1 if side == 0 else -1) > 0.0, (graph.name, i, j)
                assert abs(np.hypot(*(a - b)[:2]) - apart) < 0.15, (graph.name, i, j)
                assert turned(a[2] - b[2]) < 0.3


def test_lanes_may_be_changed_only_to_driving_lanes_that_are_wide_enough(graph: LaneGraph) -> None:
    lane_of = np.repeat(np.arange(len(graph)), np.diff(graph.start))
    for side in (0, 1):
        rows = lane_of[graph.change[:, side]]
        assert (graph.kind[rows] == 0).all()
        assert (graph.neighbours[rows, side] >= 0).all()
        beside = graph.neighbours[rows, side]
        assert (graph.kind[beside] == 0).all()
        fraction = (np.flatnonzero(graph.change[:, side]) - graph.start[rows]) / (np.diff(graph.start)[rows] - 1)
        there = graph.start[beside] + np.round(fraction * (np.diff(graph.start)[beside] - 1)).astype(int)
        assert (graph.width[there] > 1.4).all()  # 2 m, but for the rounding to the nearest point


def test_what_is_known_is_sane(graph: LaneGraph) -> None:
    graph.validate()
    driving = graph.kind == 0
    assert driving.any()
    lane_of = np.repeat(np.arange(len(graph)), np.diff(graph.start))
    inside = graph.width[driving[lane_of]]
    assert 0.0 <= inside.min() and 1.2 < np.median(inside) < 5.0
    assert 2.0 < graph.speed_limit.min() and graph.speed_limit.max() < 40.0
    assert (graph.length > 0).all()


def test_a_signal_faces_the_traffic_that_it_is_for(graph: LaneGraph) -> None:
    for signal in range(len(graph.signal_ids)):
        for lane, along in graph.governed_by(signal):
            assert 0.0 <= along <= graph.length[lane] + 0.5
            k = 0 if graph.junction[lane] >= 0 else int(along / graph.length[lane] * len(graph.points_of(lane)) - 1)
            facing = turned(graph.signal_pose[signal, 2] - graph.points_of(lane)[max(k, 0), 2] - np.pi)
            assert facing < np.radians(61.0), (graph.name, graph.signal_ids[signal])


@pytest.mark.parametrize("name", [*CLOSED & set(maps.GENERATORS), *(f.stem for f in FILES if f.stem in CLOSED)])
def test_in_a_closed_town_every_driving_lane_goes_on(name: str) -> None:
    graph = graph_of(name)
    assert all(len(graph.successors_of(i)) for i in graph.lanes_of_kind("driving"))
    assert all(len(graph.predecessors_of(i)) for i in graph.lanes_of_kind("driving"))


# --------------------------------------------------------------------------------------- what a map is for
def test_lights_govern_the_lanes_that_lead_in_and_opposite_ones_share_a_controller() -> None:
    graph = graph_of("crossroads_lights")
    assert set(graph.signal_types) <= LIGHTS and len(graph.controllers) == 2
    for signal in range(4):
        ((lane, along),) = graph.governed_by(signal)
        assert graph.junction[lane] == -1 and {int(graph.junction[j]) for j in graph.successors_of(lane)} == {1000}
        assert graph.length[lane] - along == pytest.approx(0.5, abs=0.01)
        ahead = graph.points_of(lane)[-1].astype(float)
        beside = graph.signal_pose[signal, :2] - ahead[:2]
        assert -ahead_left(ahead, beside) > 1.75  # to the right of the lane
    south, east, north, west = (int(c) for c in graph.signal_controller)
    assert south == north != east == west


def ahead_left(pose: np.ndarray, away: np.ndarray) -> float:
    return float(away[1] * np.cos(pose[2]) - away[0] * np.sin(pose[2]))


def test_a_sign_without_validity_is_for_the_traffic_along_its_orientation() -> None:
    text = maps.generate("crossroads_stop").replace('<validity fromLane="1" toLane="1" />', "")
    assert "validity" not in text
    plain, graph = graph_of("crossroads_stop"), compile_lanes(text, "plain")
    assert set(graph.signal_types) == {STOP}
    assert graph.governs.tolist() == plain.governs.tolist()


def test_lanes_are_changed_over_broken_lines_and_not_out_of_the_outer_ones(town: LaneGraph) -> None:
    outer = [i for i in town.lanes_of_kind("driving") if abs(town.lane[i]) == 2]
    inner = [i for i in town.lanes_of_kind("driving") if abs(town.lane[i]) == 1 and town.junction[i] < 0]
    assert len(outer) == len(inner) > 20
    for group, side in ((outer, 0), (inner, 1)):
        for i in group:
            rows = town.change[town.start[i] : town.start[i + 1]]
            assert rows[:, side].all() and not rows[:, 1 - side].any()


def test_a_limit_changes_where_the_file_says() -> None:
    text = maps.generate("crosswalk").replace(
        "</type>", '</type><type s="30" type="town"><speed max="10" unit="m/s"/></type>'
    )
    graph = compile_lanes(text, "slow")
    eastbound = next(i for i in graph.lanes_of_kind("driving") if graph.lane[i] == -1)
    limits, x = graph.speed_limit[slice(*graph.start[eastbound : eastbound + 2])], graph.points_of(eastbound)[:, 0]
    assert limits[x < -52 + 29.5] == pytest.approx(30 * 0.44704) and limits[x > -52 + 30.5] == pytest.approx(10.0)


@needs_maps
def test_every_way_into_a_junction_of_a_carla_town_has_a_light() -> None:
    graph = graph_of("Town02")
    entries = [
        i for i in graph.lanes_of_kind("driving")
        if graph.junction[i] >= 0 and any(graph.junction[j] < 0 for j in graph.predecessors_of(i))
    ]  # fmt: skip
    lights = [k for k, kind in enumerate(graph.signal_types) if kind in LIGHTS]
    governed = [lane for k in lights for lane, _ in graph.governed_by(k)]
    assert len(lights) == 24 and set(entries) <= set(governed)


@needs_maps
def test_crosswalks_of_a_file_that_lists_corners_along_the_road_are_areas() -> None:
    first, *_ = graph_of("parking_demo").crosswalks()
    assert first.shape == (4, 2)
    x, y = first.T.astype(float)
    area = 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))
    assert area == pytest.approx(0.5 * (5.0 + 3.0) * 6.4, rel=1e-4)


# --------------------------------------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no map", "not readable as XML"),
        ("<OpenDRIVE/>", "it has no roads"),
        (t_junction().replace('type="driving"', 'type="sidewalk"'), "no driving lanes.*only shoulder, sidewalk"),
    ],
)
def test_what_cannot_be_driven_is_refused_in_one_sentence(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^map somewhere: .*{reason}") as raised:
        compile_lanes(text, "somewhere")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("points", np.zeros((3, 3), np.float32)),
        ("successors", np.full(12, 99, np.int32)),
        ("width", np.full(1, np.nan, np.float32)),
        ("start", np.zeros(31, np.int64)),
        ("kind", np.full(30, 17, np.int32)),
    ],
)
def test_a_broken_graph_is_refused_by_the_name_of_the_field(field: str, value: np.ndarray) -> None:
    graph = graph_of("t_junction")
    if field == "width":
        value = np.full_like(graph.width, np.nan)
    with pytest.raises(ValueError, match=f"t_junction.*(?:{field}|width has the shape|point)"):
        replace(graph, **{field: value}).validate()


# ------------------------------------------------------------------------------------------------------ cache
def test_the_cache_gives_back_the_same_graph_and_a_torn_one_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMUNCULUS_CACHE", str(tmp_path))
    lane_graph.cache_clear()
    text = maps.generate("crossroads_lights")
    first = lane_graph(text, "x")
    (file,) = (tmp_path / "lanes").glob("*.npz")
    lane_graph.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(lanes, "compile_lanes", lambda *_: pytest.fail("compiled although it was cached"))
        second = lane_graph(text, "x")
    for field in fields(LaneGraph):
        a, b = getattr(first, field.name), getattr(second, field.name)
        assert (a.tobytes() == b.tobytes() and a.dtype == b.dtype) if isinstance(a, np.ndarray) else a == b, field.name
    lane_graph.cache_clear()
    file.write_bytes(file.read_bytes()[:500])
    with pytest.warns(UserWarning, match="cannot be read"):
        lane_graph(text, "x")
    lane_graph.cache_clear()


# ------------------------------------------------------------------------------------------------------- ways
@pytest.mark.parametrize("name", [*CLOSED & set(maps.GENERATORS), *(f.stem for f in FILES if f.stem == "Town02")])
def test_a_walk_of_5_km_through_a_town_never_gets_stuck_and_stays_on_the_lanes(name: str) -> None:
    graph = graph_of(name)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        origin = (int(rng.choice(graph.lanes_of_kind("driving"))), 0.0)
        legs = random_walk(graph, rng, origin, 5000.0, changes=0.3)
        line = centreline(graph, legs)
        assert path_length(graph, legs) == pytest.approx(5000.0, rel=0.01)
        assert np.hypot(*np.diff(line, axis=0).T).max() < CHANGE + 1.0
        for a, b in itertools.pairwise(legs):
            assert b.lane in graph.successors_of(a.lane) or b.lane in graph.neighbours[a.lane]
        assert len({leg.lane for leg in legs}) > 20


def test_a_walk_ends_where_the_road_does() -> None:
    graph = graph_of("crosswalk")
    legs = random_walk(graph, np.random.default_rng(0), (int(graph.lanes_of_kind("driving")[0]), 10.0), 500.0)
    assert sum(leg.length for leg in legs) == pytest.approx(104.0 - 10.0, abs=0.1)


def test_a_walk_off_a_lane_that_ends_changes_to_the_one_beside_it() -> None:
    graph = graph_of("motorway_merge")
    ramp = next(i for i in graph.lanes_of_kind("driving") if graph.road[i] == 2 and graph.lane[i] == -3)
    gone = np.delete(np.arange(len(graph.successors)), graph.successor_start[ramp])
    cut = replace(
        graph, successors=graph.successors[gone],
        successor_start=graph.successor_start - (np.arange(len(graph) + 1) > ramp).astype(np.int32),
    ).validate()  # fmt: skip
    legs = random_walk(cut, np.random.default_rng(0), (ramp, 0.0), 150.0)
    assert [int(graph.lane[leg.lane]) for leg in legs[:2]] == [-3, -2] and len(legs) > 2


def test_the_shortest_way_is_as_long_as_the_bfs_over_whole_lanes_says(town: LaneGraph) -> None:
    rng = np.random.default_rng(4)
    driving = [int(i) for i in town.lanes_of_kind("driving")]
    plain = replace(town, change=np.zeros_like(town.change))
    for _ in range(6):
        a, b = (int(i) for i in rng.choice(driving, 2, replace=False))
        best = bellman_ford(town, a, b)
        if best is None:
            with pytest.raises(ValueError, match="no way leads"):
                shortest_path(plain, (a, 1.0), (b, 2.0))
            continue
        legs = shortest_path(plain, (a, 1.0), (b, 2.0))
        assert sum(leg.length for leg in legs) == pytest.approx(best - 1.0 + 2.0, abs=1e-2)
        assert (legs[0].lane, legs[0].begin, legs[-1].lane, legs[-1].end) == (a, 1.0, b, 2.0)


def bellman_ford(graph: LaneGraph, a: int, b: int) -> float | None:
    """Length of the lanes from the beginning of a to the beginning of b: the slow twin."""
    cost = {a: 0.0}
    for _ in range(len(graph)):
        changed = False
        for i, c in list(cost.items()):
            for j in graph.successors_of(i).tolist():
                if c + float(graph.length[i]) < cost.get(j, np.inf) - 1e-9:
                    cost[j], changed = c + float(graph.length[i]), True
        if not changed:
            return cost.get(b)
    return cost.get(b)


def test_a_way_to_the_lane_beside_changes_lanes_and_a_goal_behind_leads_round(town: LaneGraph) -> None:
    long = next(
        int(i) for i in town.lanes_of_kind("driving")
        if town.junction[i] < 0 and abs(town.lane[i]) == 2 and town.length[i] > 40
    )  # fmt: skip
    inner = int(town.neighbours[long, 0])
    legs = shortest_path(town, (long, 0.0), (inner, float(town.length[inner]) - 1.0))
    assert [leg.lane for leg in legs] == [long, inner]
    round_again = shortest_path(town, (long, 20.0), (long, 10.0))
    assert len(round_again) > 3 and round_again[-1] == LaneInterval(long, 0.0, 10.0)


def test_a_place_is_found_again(town: LaneGraph) -> None:
    lane = int(town.lanes_of_kind("driving")[3])
    x, y, yaw = (float(v) for v in town.points_of(lane)[7])
    (found, along), away = nearest_place(town, x, y, yaw)
    assert (
        away < 1e-3
        and found == lane
        and along == pytest.approx(7 * town.length[lane] / (len(town.points_of(lane)) - 1))
    )
    with pytest.raises(ValueError, match="no lane of kind biking"):
        nearest_place(town, x, y, kind="biking")


def test_the_kinds_of_lanes_are_as_asked_for() -> None:
    assert len(graph_of("parking_bays").lanes_of_kind("parking")) == 1
    assert {LANE_KINDS[k] for k in graph_of("crosswalk").kind} == {"driving", "sidewalk", "shoulder"}
