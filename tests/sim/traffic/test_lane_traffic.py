"""Traffic: nobody runs into anybody, nobody waits for ever, lights and signs are kept, ego is given way to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sim.actors.registry import BODIES, KIND
from sim.datatypes.action import Action
from sim.datatypes.episode import ActorSpec, Episode, MapSpec, Script, TrafficSpec
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import DRIVABLE, OUTCOME, UNDECIDED
from sim.road.generators.registry import GENERATORS
from sim.road.graph.lane_graph import lane_graph
from sim.road.graph.traffic_lights import RED, light_state
from sim.road.map.compiler import compiled
from sim.road.map.lane_arrays import GATE, GATE_KIND, GATE_PLAN, JUNCTION, LENGTH, LaneArrays
from sim.traffic.right_of_way import LANE, MODE, NEXT1
from sim.traffic.state import CAP, DRIVER, SHIFT, WALKER, S, TrafficState
from sim.world.embedded import EmbeddedWorld
from tests.support.towns import TICK, Town
from tests.support.worlds import MAPS

MINUTES = 600  # ticks of one


def longest_wait(town: Town, minutes: int) -> float:
    """The longest that any driver stands still [s]."""
    stood = np.zeros(town.world.x.shape, int)
    worst = np.zeros_like(stood)

    def each(tick: int) -> None:
        nonlocal stood
        stood = np.where(town.drivers & (town.world.speed < 0.1), stood + 1, 0)
        np.maximum(worst, stood, out=worst)

    town.run(minutes * MINUTES, each)
    return float(worst.max()) * float(TICK)


# ------------------------------------------------------------------------------------------- nobody for ever
@pytest.mark.parametrize(("name", "vehicles"), [
    ("grid_town", 16), ("grid_town", 64), ("roundabout", 10), ("crossroads", 8), ("crossroads_stop", 8),
    ("crossroads_lights", 8), ("t_junction", 6), ("motorway_merge", 12), ("motorway_exit", 10),
    ("parking_bays", 4),
])  # fmt: skip
def test_no_driver_waits_forever_in_ten_minutes(name: str, vehicles: int) -> None:
    # A cycle of lights is half a minute, so that a queue may take minutes; a deadlock would last to the end.
    assert longest_wait(Town(name, TrafficSpec(vehicles=vehicles)), 10) < 180.0


@pytest.mark.skipif(not MAPS, reason="needs $HOMUNCULUS_MAPS with Town02.xodr")
@pytest.mark.parametrize("vehicles", [16, 64])
def test_no_driver_waits_forever_in_ten_minutes_of_town02(vehicles: int) -> None:
    assert longest_wait(Town("Town02", TrafficSpec(vehicles=vehicles)), 10) < 180.0


def test_without_lights_a_town_keeps_moving() -> None:
    town = Town("grid_town", TrafficSpec(vehicles=24, lights=False))
    assert longest_wait(town, 5) < 120.0


# --------------------------------------------------------------------------------------------- nobody is hit
@pytest.mark.parametrize(("name", "spec"), [
    ("grid_town", TrafficSpec(vehicles=20, walkers=12)),
    ("roundabout", TrafficSpec(vehicles=8, walkers=6)),
    ("crossroads_stop", TrafficSpec(vehicles=8)),
    ("crosswalk", TrafficSpec(vehicles=4, walkers=8)),
    ("parking_bays", TrafficSpec(vehicles=3, parked=3)),
])  # fmt: skip
def test_no_vehicle_touches_anybody(name: str, spec: TrafficSpec) -> None:
    town = Town(name, spec)
    hits = []

    def each(tick: int) -> None:
        if tick % 5 == 0:
            for w in range(len(town.world.x)):
                walkers = town.traffic.driver[w, :, MODE] == WALKER
                hits.extend((tick, w, a, b) for a, b in town.touching(w) if not (walkers[a] and walkers[b]))

    town.run(4 * MINUTES, each)
    assert not hits, hits[:5]


def test_drivers_keep_their_lane() -> None:
    town = Town("grid_town", TrafficSpec(vehicles=16, bicycles=0.0))
    worst = 0.0

    def each(tick: int) -> None:
        nonlocal worst
        for w, i in zip(*np.nonzero(town.drivers)):
            link, lane = town.roads.link, town.traffic.driver[w, i, LANE]
            rows = town.roads.points[link[lane, 0] : link[lane, 0] + link[lane, 1]]
            off = np.hypot(rows[:, 0] - town.world.x[w, i], rows[:, 1] - town.world.y[w, i]).min()
            worst = max(worst, float(off) - abs(float(town.traffic.kinematics[w, i, SHIFT])))

    town.run(300, each)
    assert worst < 0.9  # [m] of a lane of 3.5 m; long vehicles cut bends


# ------------------------------------------------------------------------------------------- lights and signs
def test_no_driver_enters_on_red() -> None:
    town = Town("crossroads_lights", TrafficSpec(vehicles=8))
    link = town.roads.link
    before = town.traffic.driver[..., LANE].copy()
    entered = 0

    def each(tick: int) -> None:
        nonlocal before, entered
        now = town.traffic.driver[..., LANE]
        for w, i in zip(*np.nonzero(town.drivers & (now != before) & (link[now, GATE_KIND] == GATE["light"]))):
            # his rear axle is on the lane now: his front has passed the line a second or two before
            states = [light_state(link[now[w, i], GATE_PLAN], int(town.world.clock[w]) - 100 * k) for k in range(25)]
            assert any(state != RED for state in states), (tick, w, i)
            entered += 1
        before = now.copy()

    town.run(5 * MINUTES, each)
    assert entered > 30


def test_everyone_stops_at_a_stop_sign() -> None:
    town = Town("crossroads_stop", TrafficSpec(vehicles=6))
    slowest = np.full(town.world.x.shape, 99.0)
    before = town.traffic.driver[..., LANE].copy()
    entered = 0

    def each(tick: int) -> None:
        nonlocal before, entered
        now = town.traffic.driver[..., LANE]
        slowest[:] = np.minimum(slowest, town.world.speed)
        for w, i in zip(*np.nonzero(town.drivers & (now != before))):
            if town.roads.link[now[w, i], GATE_KIND] == GATE["stop"]:
                assert slowest[w, i] < 0.3, (tick, w, i)
                entered += 1
            slowest[w, i] = 99.0
        before = now.copy()

    town.run(4 * MINUTES, each)
    assert entered > 15


def test_ways_that_cross_are_never_driven_at_once() -> None:
    town = Town("crossroads", TrafficSpec(vehicles=8))
    link, conflicts = town.roads.link, town.roads.conflicts
    together = 0

    def each(tick: int) -> None:
        nonlocal together
        for w in range(len(town.world.x)):
            lanes = [int(town.traffic.driver[w, i, LANE]) for i in np.flatnonzero(town.drivers[w])]
            inside = [lane for lane in lanes if link[lane, JUNCTION] >= 0]
            together += len(inside) > 1
            for lane in inside:
                crossing = set(conflicts[link[lane, 8] : link[lane, 9]].tolist())
                assert not crossing & set(inside), (tick, w, inside)

    town.run(3 * MINUTES, each)
    assert together > 10, "nobody ever shared the junction: it was no test"


# ------------------------------------------------------------------------------------------------ lane changes
def test_lanes_are_changed_and_lanes_that_end_are_left() -> None:
    town = Town("motorway_merge", TrafficSpec(vehicles=10, bicycles=0.0))
    link = town.roads.link
    changes = 0
    before = town.traffic.driver[..., LANE].copy()

    def each(tick: int) -> None:
        nonlocal before, changes
        now = town.traffic.driver[..., LANE]
        moved = town.drivers & ((link[before, 4] == now) | (link[before, 5] == now)) & (now != before)
        changes += int(moved.sum())
        before = now.copy()

    town.run(3 * MINUTES, each)
    assert changes > 5
    # sideways no faster than a driver would, so that at the end of a change he is where the lane is
    assert np.abs(town.traffic.kinematics[..., SHIFT][town.drivers]).max() < 4.0


# --------------------------------------------------------------------------------------------------------- ego
def crossing_episode(seed: int = 3, **more: object) -> Episode:
    spec = MapSpec(generate="crossroads", kind="crossroads")
    return Episode("t", seed, spec, traffic=TrafficSpec(vehicles=8), time_limit=600.0, **more)  # type: ignore[arg-type]


def still(worlds: int) -> Action:
    return Action(np.zeros(worlds, np.float32), np.full(worlds, -1.0, np.float32))


def test_traffic_stops_for_ego_that_stands_in_the_road() -> None:
    backend = EmbeddedWorld(2, simulation=Simulation(actors=1))
    backend.reset([crossing_episode(s, speed=0.0) for s in (1, 2)])
    near = 99.0
    for _ in range(3 * MINUTES):
        backend.step(still(2))
        away = np.hypot(
            backend.world.x[:, 1:] - backend.world.x[:, :1], backend.world.y[:, 1:] - backend.world.y[:, :1]
        )
        near = min(near, float(away.min()))
    assert (backend.world.outcome == OUTCOME["running"]).all(), "somebody has run into ego"
    assert near < 12.0, "nobody ever came near: it was no test"


def test_traffic_lets_ego_through_a_junction_that_it_comes_to() -> None:
    backend = EmbeddedWorld(8, simulation=Simulation(actors=1))
    backend.reset([crossing_episode(s, speed=6.0) for s in range(8)])
    world = backend.world
    for _ in range(300):
        ahead, aside = world.y[:, 1:] - world.y[:, :1], np.abs(world.x[:, 1:] - world.x[:, :1])
        follows = ((aside < 1.5) & (ahead > 0) & (ahead < 18.0)).any(1)  # ego looks at its own lane only
        push = np.where(follows, -4.0, 1.0 * (world.speed[:, 0] < 6.0)).astype(np.float32)
        backend.step(Action(np.zeros(8, np.float32), push))
    assert (backend.world.outcome != OUTCOME["collision"]).all()
    assert (backend.world.shown_decision != UNDECIDED).all()


def test_a_worlds_bytes_depend_on_its_own_episode_only() -> None:
    episodes = [crossing_episode(s) for s in range(5)]
    alone = EmbeddedWorld(1, simulation=Simulation(actors=1))
    alone.reset([episodes[3]])
    many = EmbeddedWorld(5, simulation=Simulation(actors=1), threads=2)
    many.reset([replace(e, traffic=TrafficSpec(vehicles=12)) if i == 0 else e for i, e in enumerate(episodes)])
    for _ in range(150):
        alone.step(still(1))
        many.step(still(5))
    for name in ("x", "y", "yaw", "speed"):
        a, b = getattr(alone.world, name)[0], getattr(many.world, name)[3]
        assert (a == b[: len(a)]).all(), name


def test_a_slot_is_empty_again_after_a_reset_without_traffic() -> None:
    backend = EmbeddedWorld(1, simulation=Simulation(actors=1))
    backend.reset([crossing_episode()])
    backend.reset([replace(crossing_episode(), traffic=None)])
    assert (backend.world.kind[0, 1:] == 0).all()
    assert backend.traffic.busy[0] == 0
    assert backend.world.clock[0] < 0


def test_a_reset_without_room_leaves_every_world_as_it_was() -> None:
    kept, left = (EmbeddedWorld(3, simulation=Simulation(actors=1)) for _ in range(2))
    for backend in (kept, left):
        backend.reset([crossing_episode(s) for s in range(3)])
        for _ in range(20):
            backend.step(still(3))
    full = replace(crossing_episode(9), traffic=TrafficSpec(vehicles=64))
    with pytest.raises(ValueError, match="has no room for another"):
        kept.reset([crossing_episode(7), full], [2, 1])
    assert kept.episodes == left.episodes
    for _ in range(30):
        kept.step(still(3))
        left.step(still(3))
    slots = left.world.kind.shape[1]
    for name, array in left.world._asdict().items():
        now = getattr(kept.world, name)
        assert (now[:, :slots] == array).all() if array.shape == left.world.kind.shape else (now == array).all(), name


# ----------------------------------------------------------------------------------------------------- walkers
def test_walkers_stay_on_pavements_and_crossings() -> None:
    town = Town("crosswalk", TrafficSpec(walkers=10))
    ground = compiled(GENERATORS["crosswalk"](), "crosswalk").ground
    crossing = np.flatnonzero(town.roads.foot_crossing)
    line = town.roads.foot_points[town.roads.foot_start[crossing[0]] : town.roads.foot_start[crossing[0] + 1], :2]
    crossed = 0

    def each(tick: int) -> None:
        nonlocal crossed
        for w, i in zip(*np.nonzero(town.traffic.driver[..., MODE] == WALKER)):
            column = int((town.world.x[w, i] - ground.origin[0]) / ground.surface_texel)
            row = int((town.world.y[w, i] - ground.origin[1]) / ground.surface_texel)
            if ground.surface[row, column] in DRIVABLE:
                # near its ends the crossing has been left for the pavement, or the other way round
                on = town.traffic.driver[w, i, LANE] in crossing
                assert on or np.hypot(*(line - [town.world.x[w, i], town.world.y[w, i]]).T).min() < 1.5, (tick, w, i)
                crossed += 1

    town.run(3 * MINUTES, each)
    assert crossed > 50


def test_walkers_wait_for_a_car_that_cannot_stop_any_more() -> None:
    spec = TrafficSpec(walkers=8)
    town = Town("crosswalk", spec)
    world, crossing = town.world, set(np.flatnonzero(town.roads.foot_crossing).tolist())
    # ego races over the crossing all the time: it stands at 8 m before it, at 15 m/s as everybody believes
    foot = town.roads.foot_points[town.roads.foot_start[min(crossing)] : town.roads.foot_start[min(crossing) + 1]]
    middle = foot[len(foot) // 2]
    world.kind[:, 0], world.length[:, 0], world.width[:, 0], world.overhang[:, 0] = KIND["car"], 4.4, 1.8, 0.85
    world.x[:, 0], world.y[:, 0], world.speed[:, 0] = middle[0] - 12.0, middle[1], 15.0
    town.run(2 * MINUTES)
    on = np.isin(town.traffic.driver[..., LANE], list(crossing)) & (town.traffic.driver[..., MODE] == WALKER)
    assert not on.any()
    waiting = (town.traffic.driver[..., MODE] == WALKER) & (world.speed < 0.1)
    assert waiting.any()


# ----------------------------------------------------------------------------------------------------- scripts
def scripted(script: Script, kind: str = "walker") -> EmbeddedWorld:
    backend = EmbeddedWorld(1, simulation=Simulation(actors=2))
    actor = ActorSpec("x", kind, arm="south", lane="inbound", distance=5.0, side=4.0, script=script)
    backend.reset([Episode("t", 0, distance=40.0, speed=0.0, actors=(actor,), time_limit=60.0)])
    return backend


def test_a_script_starts_after_its_time_and_ends_where_its_path_ends() -> None:
    backend = scripted(Script(path=((0.0, 3.0), (2.0, 3.0)), speed=1.5, after=2.0))
    x, y, yaw = (float(getattr(backend.world, k)[0, 1]) for k in ("x", "y", "yaw"))
    places = []
    for _ in range(80):
        backend.step(still(1))
        places.append((float(backend.world.x[0, 1]), float(backend.world.y[0, 1]), float(backend.world.speed[0, 1])))
    assert places[18][:2] == (x, y)
    assert places[24][2] == 1.5
    goal = x + 2.0 * np.cos(yaw) - 3.0 * np.sin(yaw), y + 2.0 * np.sin(yaw) + 3.0 * np.cos(yaw)
    assert np.hypot(places[-1][0] - goal[0], places[-1][1] - goal[1]) < 1e-3
    assert places[-1][2] == 0.0
    moved = [k for k in range(80) if places[k][2] > 0]
    assert len(moved) == pytest.approx(5.0 / 1.5 / 0.1, abs=1)


def test_a_script_starts_when_ego_is_near() -> None:
    backend = scripted(Script(path=((0.0, 3.0),), speed=1.0, within=20.0))
    push = Action(np.zeros(1, np.float32), np.full(1, 2.0, np.float32))
    for _ in range(100):
        away = np.hypot(backend.world.x[0, 0] - backend.world.x[0, 1], backend.world.y[0, 0] - backend.world.y[0, 1])
        started = backend.world.speed[0, 1] > 0
        assert not started or away < 21.5
        if started:
            break
        backend.step(push)
    assert started


def test_a_long_path_is_refused() -> None:
    with pytest.raises(ValueError, match="script of x has 9 points; wanted at most 7"):
        scripted(Script(path=tuple((float(k), 0.0) for k in range(1, 10)), speed=1.0, after=0.0))


# -------------------------------------------------------------------------------------------------- population
def test_parked_cars_stand_in_parking_lanes() -> None:
    town = Town("parking_bays", TrafficSpec(parked=3))
    assert (town.world.kind[:, 1:] != 0).all()
    assert (town.world.speed[:, 1:] == 0).all()
    assert not town.touching(0)
    with pytest.raises(ValueError, match="has no parking lane"):
        Town("t_junction", TrafficSpec(parked=1))


def test_no_parked_car_reaches_beyond_its_lane() -> None:
    """One that did stood on the pavement, in the walkers' way."""
    town = Town("parking_bays", TrafficSpec(parked=3), seeds=12)
    lane = lane_graph(GENERATORS["parking_bays"](), "parking_bays")
    ends = lane.points_of(int(lane.lanes_of_kind("parking")[0]))[[0, -1], 0]
    world = town.world
    rear = world.x[:, 1:] - world.overhang[:, 1:] * np.cos(world.yaw[:, 1:])
    front = rear + world.length[:, 1:] * np.cos(world.yaw[:, 1:])
    assert np.minimum(rear, front).min() >= ends.min() - 0.01 and np.maximum(rear, front).max() <= ends.max() + 0.01


def test_a_map_that_is_full_says_so() -> None:
    with pytest.raises(ValueError, match="has no room for another"):
        Town("t_junction", TrafficSpec(vehicles=64))
    with pytest.raises(ValueError, match="has no pavement"):
        Town("motorway_merge", TrafficSpec(walkers=1))
    with pytest.raises(ValueError, match="leaves room for one vehicle only"):
        Town("narrow_passage", TrafficSpec(vehicles=1))


def test_the_mix_of_vehicles_is_the_one_asked_for() -> None:
    town = Town("grid_town", TrafficSpec(vehicles=60, vans=0.0, trucks=0.0, bicycles=1.0), seeds=1)
    assert (town.world.kind[0, 1:] == KIND["bicycle"]).all()
    assert (town.traffic.kinematics[0, 1:, CAP] <= 4.5).all()
    with pytest.raises(ValueError, match="shares of traffic"):
        Town("grid_town", TrafficSpec(vehicles=1, vans=0.9, trucks=0.9))
    assert set(TrafficSpec().mix()) <= set(BODIES)


def test_an_episode_with_traffic_and_scripts_survives_being_stored() -> None:
    script = Script(path=((0.0, 3.0), (1.0, 1.0)), speed=1.0, within=9.0)
    episode = Episode("t", 1, actors=(ActorSpec("a", script=script),), traffic=TrafficSpec(vehicles=3, walkers=2))
    assert Episode.from_dict(episode.to_dict()) == episode
    plain = Episode("t", 1, actors=(ActorSpec("a"),))
    assert "traffic" not in plain.to_dict() and "script" not in plain.to_dict()["actors"][0]


def places_on_lanes(roads: LaneArrays, traffic: TrafficState) -> np.ndarray:
    """How far beyond its lane's end each driver is [m]."""
    lane = traffic.driver[..., LANE]
    return np.where(traffic.driver[..., MODE] == DRIVER, traffic.kinematics[..., S] - roads.measure[lane, LENGTH], -1.0)


def test_a_driver_at_a_dead_end_respawns() -> None:
    town = Town("t_junction", TrafficSpec(vehicles=3))
    town.run(2 * MINUTES)
    assert (places_on_lanes(town.roads, town.traffic) < 0.5).all()
    dead = town.traffic.driver[..., NEXT1] < 0
    town.run(MINUTES)
    assert (town.world.speed[town.drivers] > 0.0).any()
    assert not (dead & (town.traffic.driver[..., NEXT1] < 0) & (town.world.speed < 0.1)).all()
