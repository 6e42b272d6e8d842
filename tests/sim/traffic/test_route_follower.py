"""Actors who are sent: the way they take, when they come, whose turn it is, and who drives behind ego."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from scenarios.rules.propositions import parse_proposition
from sim.actors.registry import BODIES, KIND
from sim.core.geometry import boxes_touch
from sim.datatypes.action import Action
from sim.datatypes.episode import ActorSpec, Episode, MapSpec, Script
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import NO_PATH, TURNS
from sim.road.graph.placement import pose_at
from sim.road.map.loading import load_map
from sim.traffic.all_way_stop import CAME, GOING, LEFT, PATIENCE, PHASE
from sim.traffic.arrival_timing import nominal_arrival, nominal_time
from sim.traffic.route_follower import ALONG, EDGE, LINE, STOP
from sim.world.decisions.arrival_order import fronts
from sim.world.embedded import EmbeddedWorld
from tests.support.worlds import row_bytes

STOPS = MapSpec("crossroads_stop", (("arm", 60.0),), kind="crossroads")
ARMS = ("north", "west", "east", "south")
TICK = Simulation().tick


def sent(name: str, arm: str, **keys: object) -> ActorSpec:
    return replace(ActorSpec(name, arm=arm, speed=7.0, turn="straight"), **keys)  # type: ignore[arg-type]


def at_stops(*actors: ActorSpec, **keys: object) -> Episode:
    """Ego far from the junction, where it is in nobody's way."""
    return replace(
        Episode("followers", 3, STOPS, distance=45.0, speed=0.0, time_limit=60.0, actors=actors),
        **keys,  # type: ignore[arg-type]
    )


def world_of(*episodes: Episode) -> EmbeddedWorld:
    backend = EmbeddedWorld(len(episodes), simulation=Simulation(actors=6))
    backend.reset(episodes)
    return backend


def still(worlds: int) -> Action:
    return Action(np.zeros(worlds, np.float32), np.full(worlds, -1.0, np.float32))


def touching(backend: EmbeddedWorld, w: int) -> list[tuple[int, int]]:
    """Pairs of slots whose boxes overlap."""
    world = backend.world
    there = [i for i in range(world.kind.shape[1]) if world.kind[w, i]]
    return [(i, j) for i, j in itertools.combinations(there, 2) if boxes_touch(*_box(world, w, i), *_box(world, w, j))]


def _box(world, w: int, i: int):  # type: ignore[no-untyped-def]
    middle = world.length[w, i] / 2 - world.overhang[w, i]
    c, s = np.cos(world.yaw[w, i]), np.sin(world.yaw[w, i])
    return (world.x[w, i] + middle * c, world.y[w, i] + middle * s, c, s, world.length[w, i],
            world.width[w, i])  # fmt: skip


def entries(backend: EmbeddedWorld, ticks: int) -> tuple[np.ndarray, np.ndarray]:
    """(B, N) ticks at which everybody entered the junction, and at which he was out of it; -1 for never."""
    shape = backend.world.kind.shape
    entered, out = np.full(shape, -1), np.full(shape, -1)
    for tick in range(ticks):
        backend.step(still(backend.worlds))
        assert backend.followers is not None
        phase = backend.followers.line[:, :, PHASE]
        entered[(phase >= GOING) & (entered < 0)] = tick
        out[(phase == LEFT) & (out < 0)] = tick
        for w in range(backend.worlds):
            assert not touching(backend, w), (w, tick, touching(backend, w))
    return entered, out


# ------------------------------------------------------------------------------------------------------ the queue
def test_four_cars_go_in_the_order_in_which_they_came_whatever_it_is() -> None:
    orders = list(itertools.permutations(range(4)))
    turns = itertools.cycle(itertools.product(("straight", "left", "right"), repeat=4))
    episodes = []
    for order, turn in zip(orders, itertools.islice(turns, 0, None, 5)):
        leads = {place: 3.0 - 1.2 * rank for rank, place in enumerate(order)}
        episodes.append(at_stops(
            *(sent(f"a{k}", ARMS[k], turn=turn[k], takes_turns=True, arrival_offset=leads[k]) for k in range(3)),
            sent("a3", "south", turn=turn[3], takes_turns=True, arrival_offset=leads[3]), distance=58.0,
        ))  # fmt: skip
    # ego stands at the far end of the south arm, behind whoever comes from there
    backend = world_of(*episodes)
    entered, out = entries(backend, 420)
    for w, order in enumerate(orders):
        got = entered[w, 1:5]
        assert (got >= 0).all() and (out[w, 1:5] >= 0).all(), (order, got)
        assert tuple(np.argsort(got)) == order, (order, got)
        ranked = np.array(order)
        assert (entered[w, 1:5][ranked[1:]] >= out[w, 1:5][ranked[:-1]]).all(), "entered before another had left"


@pytest.mark.parametrize("apart", [-0.3, 0.0, 0.3])
def test_of_two_who_come_together_the_one_from_the_right_goes_first(apart: float) -> None:
    # from the south, right is east; from the east, north; and so on round
    pairs = (("south", "east"), ("east", "north"), ("north", "west"), ("west", "south"))
    episodes = [
        at_stops(
            sent("left", a, takes_turns=True, arrival_offset=1.0),
            sent("right", b, takes_turns=True, arrival_offset=1.0 + apart),
            distance=58.0,
        )
        for a, b in pairs
    ]
    entered, _ = entries(world_of(*episodes), 300)
    assert (entered[:, 2] < entered[:, 1]).all() and (entered[:, 2] >= 0).all(), entered


def test_four_who_come_together_do_not_wait_for_each_other_for_ever() -> None:
    actors = [sent(a, a, takes_turns=True, arrival_offset=0.0) for a in ARMS]
    entered, _ = entries(world_of(at_stops(*actors, distance=58.0)), 400)
    assert (entered[0, 1:5] >= 0).all()


def test_an_ego_that_never_moves_does_not_block_the_others_for_ever() -> None:
    ego = at_stops(
        *(sent(a, a, takes_turns=True, arrival_offset=-1.0) for a in ("north", "west", "east")), distance=5.0
    )
    backend = world_of(ego)
    entered, _ = entries(backend, 400)
    first = entered[0, 1:4].min()
    assert backend.followers is not None and backend.followers.line[0, 0, CAME] == 0
    assert (entered[0, 1:4] >= 0).all()
    assert first * TICK > PATIENCE, "ego had come first, and its turn was not waited for"


def test_who_halts_stands_so_long_at_his_line() -> None:
    backend = world_of(at_stops(sent("it", "north", stop_duration=3.0)))
    stood = 0
    for _ in range(250):
        backend.step(still(1))
        if backend.world.speed[0, 1] < 0.05 and abs(backend.world.distance_to_line[0, 1]) < 1.0:
            stood += 1
    assert abs(stood * TICK - 3.0) <= 0.3


# ------------------------------------------------------------------------------------------------ way and time
@pytest.mark.parametrize("turn", TURNS)
def test_an_actor_with_a_turn_takes_that_way_and_leaves(turn: str) -> None:
    backend = world_of(at_stops(sent("it", "west", turn=turn, distance=20.0)))
    _, junction = load_map(STOPS)
    route = next(r for r in junction.routes_from("west") if TURNS[r.decision] == turn)
    world, nearest = backend.world, []
    line = pose_at(route.path, route.junction_in - LINE)
    for _ in range(220):
        backend.step(still(1))
        if world.kind[0, 1] != 0:
            x, y = (float(at[0, 1]) for at in fronts(world, slice(None)))
            if world.distance_to_line[0, 1] > 0.0:  # the lane is straight up to the line
                assert abs(np.hypot(x - line[0], y - line[1]) - world.distance_to_line[0, 1]) < 0.1
            offsets = np.hypot(route.path.points[:, 0] - world.x[0, 1], route.path.points[:, 1] - world.y[0, 1])
            nearest.append((offsets.min(), int(offsets.argmin())))
    far, rows = zip(*nearest)
    assert max(far) < 0.6 and rows[-1] * 0.5 > route.junction_out + 20.0
    assert TURNS[world.scripted_turn[0, 1]] == turn and world.path[0, 1] == NO_PATH
    assert world.kind[0, 1] == 0 and world.absent_kind[0, 1] == KIND["car"], "it has left"


def test_an_actor_yet_to_spawn_and_one_that_has_left_are_not_in_the_world() -> None:
    late = sent("it", "west", arrival_offset=-4.0, speed=9.0)
    backend, bare = world_of(at_stops(late)), world_of(at_stops(replace(late, present=False)))
    world, there = backend.world, []
    present = parse_proposition("p", "actors.it.present", ("it",))
    for tick in range(300):
        there.append(bool(world.kind[0, 1]))
        assert world.kind[0, 1] + world.absent_kind[0, 1] == KIND["car"] and present.on_world(world)[0]
        assert backend.state().actors.valid[0, 0] == there[-1]
        if tick % 20 == 0 and not there[-1]:
            assert (backend.observe().camera == bare.observe().camera).all(), tick
        backend.step(still(1))
        bare.step(still(1))
    changes = np.flatnonzero(np.diff(np.array(there, int)))
    assert not there[0] and len(changes) == 2 and not there[-1], "it comes once, and leaves once"
    assert bare.world.absent_kind[0, 1] == 0 and not present.on_world(bare.world)[0]


def test_a_way_that_the_junction_lacks_is_refused_with_those_that_it_has() -> None:
    episode = Episode("followers", 1, actors=(sent("it", "south"),))
    with pytest.raises(ValueError, match="the ways from arm 'south' are left, right"):
        EmbeddedWorld(1).reset([episode])


def test_two_hundred_leads_are_kept_to_less_than_a_third_of_a_second() -> None:
    rng = np.random.default_rng(5)
    episodes = []
    for k in range(200):
        keys = {"stop_duration": 1.0} if k % 2 else {"turn": TURNS[k % 3]}
        actor = sent("it", "north", kind=("car", "van", "truck")[k % 3], speed=float(rng.uniform(4.0, 10.0)),
                     arrival_offset=float(rng.uniform(-6.0, 3.0)), **keys)  # fmt: skip
        arm = 5.0 * int(rng.integers(8, 13))
        map_ = MapSpec("crossroads_stop", (("arm", arm),), kind="crossroads")
        episodes.append(Episode("leads", k, map_, distance=float(rng.uniform(22, 34)), speed=float(rng.uniform(4, 8)),
                                actors=(actor,), time_limit=60.0))  # fmt: skip
    backend = world_of(*episodes)
    came = np.full(200, np.nan)
    for tick in range(300):
        backend.step(Action(np.zeros(200, np.float32), np.full(200, -7.0, np.float32)))
        assert backend.followers is not None
        phase = backend.followers.line[:, 1, PHASE]
        came[(phase > 0) & np.isnan(came)] = tick * TICK
    wanted = np.array([nominal_arrival(e, load_map(e.map)[1], TICK) - e.actors[0].arrival_offset for e in episodes])
    assert np.abs(came - wanted).max() < 0.3, np.abs(came - wanted).max()


def test_ego_comes_when_it_nominally_does() -> None:
    # from 7 m/s and 20 m on: 20 - 49 / 3.6 m at 7 m/s, then 7 / 1.8 s of braking
    assert nominal_time(20.0, 7.0, 0.1) == pytest.approx((20.0 - 49.0 / 3.6) / 7.0 + 7.0 / 1.8, abs=0.15)


def test_a_stream_keeps_the_gaps_that_it_was_sent_with() -> None:
    leads = (2.0, 0.5, -1.5, -6.0)
    cars = [sent(f"c{k}", "west", arrival_offset=lead, speed=8.0) for k, lead in enumerate(leads)]
    backend = world_of(at_stops(*cars, distance=30.0, speed=6.0))
    at = {}
    for tick in range(200):
        backend.step(still(1))
        assert not touching(backend, 0)
        for i in range(1, 5):
            assert backend.followers is not None
            if i not in at and backend.followers.line[0, i, PHASE] >= GOING:
                at[i] = tick * TICK
    assert np.diff([at[i] for i in range(1, 5)]) == pytest.approx(-np.diff(leads), abs=0.2)


def test_a_lead_that_has_passed_before_the_episode_begins_is_refused() -> None:
    with pytest.raises(ValueError, match=r"has arrival_offset 30 s, but ego comes to its line .* wanted at most that"):
        world_of(at_stops(sent("it", "north", arrival_offset=30.0)))


# --------------------------------------------------------------------------------------------------- tailgaters
def drive(backend: EmbeddedWorld, ticks: int, pedal: Sequence[float]) -> np.ndarray:
    """(ticks,) gap between ego and who is in slot 1, on a straight road [m]; touching nobody."""
    gaps = []
    for tick in range(ticks):
        backend.step(Action(np.zeros(1, np.float32), np.float32([pedal[tick]])))
        world = backend.world
        apart = np.hypot(world.x[0, 0] - world.x[0, 1], world.y[0, 0] - world.y[0, 1])
        gaps.append(apart - world.overhang[0, 0] - world.length[0, 1] + world.overhang[0, 1])
        assert not touching(backend, 0)
    return np.array(gaps)


@pytest.mark.parametrize("kind", ["car", "truck"])
def test_a_tailgater_keeps_its_gap_and_never_touches_an_ego_that_brakes_with_all_it_has(kind: str) -> None:
    actor = ActorSpec("behind", kind, tailgates=3.0)
    episode = Episode("tail", 3, MapSpec("crossroads", (("arm", 60.0),), kind="crossroads"), distance=50.0, speed=8.0,
                      actors=(actor,), time_limit=60.0)  # fmt: skip
    backend = EmbeddedWorld(1)
    backend.reset([episode])
    gaps = drive(backend, 90, [0.0] * 30 + [-7.0] * 25 + [2.5] * 35)
    assert gaps[20:30] == pytest.approx(3.0, abs=0.6)
    assert gaps.min() > 0.7, gaps.min()
    assert gaps[-1] < 9.0, "it has fallen behind"


def test_a_tailgater_follows_ego_through_its_turn() -> None:
    from policies.expert.expert import Fixed
    from sim.world.rollout import observe_for

    actor = ActorSpec("behind", tailgates=4.0)
    episodes = [Episode("tail", 3, MapSpec("crossroads", (("arm", 60.0),), kind="crossroads"), distance=30.0, speed=6.0,
                        actors=(actor,), time_limit=60.0, finish=25.0) for _ in range(2)]  # fmt: skip
    backend = EmbeddedWorld(2)
    backend.reset(episodes)
    driver = Fixed("left")
    memory = driver.begin(2)
    for _ in range(140):
        seen = observe_for(backend, driver.needs, np.arange(2))
        action, memory = driver.act(seen, memory)
        backend.step(action)
        assert not touching(backend, 0)
    world = backend.world
    assert world.shown_decision[0] == TURNS.index("left")
    apart = np.hypot(world.x[0, 0] - world.x[0, 1], world.y[0, 0] - world.y[0, 1])
    assert apart < 13.0 and abs(np.sin(world.yaw[0, 1] - world.yaw[0, 0])) < 0.2


# ---------------------------------------------------------------------------------------------------- and bytes
def test_a_world_with_route_followers_has_the_same_bytes_in_any_batch_and_after_any_other() -> None:
    actors = (sent("a", "north", takes_turns=True, arrival_offset=0.4),
              sent("b", "west", turn="left", takes_turns=True, arrival_offset=-0.5),
              sent("c", "east", arrival_offset=-9.0), ActorSpec("d", tailgates=4.0))  # fmt: skip
    episode = at_stops(*actors, distance=30.0, speed=6.0)
    alone, among = world_of(episode), world_of(*[replace(episode, seed=k, distance=20.0 + k) for k in range(4)])
    for _ in range(7):
        among.step(still(4))
    among.reset([episode], [2])
    for _ in range(120):
        assert row_bytes(alone, 0) == row_bytes(among, 2)
        alone.step(still(1))
        among.step(still(4))


def test_an_episode_without_the_new_keys_is_stored_as_before_and_one_with_them_comes_back() -> None:
    old = Episode("x", 1, actors=(ActorSpec("a", script=Script(((1.0, 0.0),), 2.0, after=1.0)), ActorSpec("b")))
    told = old.to_dict()["actors"]
    assert set(told[1]) == {"name", "kind", "colour", "arm", "lane", "distance", "side", "speed", "present"}
    assert set(told[0]["script"]) == {"path", "speed", "after", "within"}
    new = at_stops(sent("a", "north", takes_turns=True, arrival_offset=0.0, stop_duration=0.0),
                   ActorSpec("b", tailgates=2.0),
                   ActorSpec("c", script=Script(((1.0, 0.0), (2.0, 0.0)), past=0.0, speeds=(2.0, 3.0))))  # fmt: skip
    assert Episode.from_dict(new.to_dict()) == new


# -------------------------------------------------------------------------------------------------------- scripts
def test_a_script_begins_where_ego_is_so_near_the_junction_or_so_far_behind_its_edge() -> None:
    ahead = Script(((5.0, 0.0),), 1.0, near_junction=20.0)
    behind = replace(ahead, near_junction=None, past=5.0)
    spec = MapSpec("crossroads", (("arm", 60.0),), kind="crossroads")
    episode = Episode("trigger", 1, spec, distance=40.0, speed=8.0,
                      actors=(ActorSpec("near", "walker", side=5.0, script=ahead),
                              ActorSpec("past", "walker", side=-9.0, script=behind)))  # fmt: skip
    backend = EmbeddedWorld(1)
    backend.reset([episode])
    begun = {}
    for tick in range(70):
        backend.step(Action(np.zeros(1, np.float32), np.zeros(1, np.float32)))
        for i in (1, 2):
            if backend.world.speed[0, i] > 0:
                begun.setdefault(i, tick)
    assert begun == {1: 25, 2: 57} or (abs(begun[1] - 25) <= 1 and abs(begun[2] - 56) <= 2), begun


def test_a_script_with_a_speed_for_every_leg_speeds_up_brakes_and_stops_at_its_end() -> None:
    script = Script(((20.0, 0.0), (30.0, 0.0), (60.0, 0.0)), after=0.0, speeds=(6.0, 2.0, 4.0))
    episode = Episode("legs", 1, MapSpec("crossroads", (("arm", 60.0),), kind="crossroads"), distance=50.0, speed=0.0,
                      actors=(ActorSpec("it", arm="south", lane="inbound", distance=59.0, side=4.0, script=script),),
                      time_limit=60.0)  # fmt: skip
    backend = EmbeddedWorld(1)
    backend.reset([episode])
    y0, speeds, places = float(backend.world.y[0, 1]), [], []
    for _ in range(250):
        backend.step(still(1))
        speeds.append(float(backend.world.speed[0, 1]))
        places.append(float(backend.world.y[0, 1]) - y0)
    speeds, places = np.array(speeds), np.array(places)  # type: ignore[assignment]
    assert np.abs(np.diff(speeds)).max() <= 0.51, "a car's speed does not jump"
    assert speeds[np.argmin(np.abs(places - 19.0))] == pytest.approx(6.0, abs=0.3)
    assert speeds[np.argmin(np.abs(places - 28.0))] == pytest.approx(2.0, abs=0.3)
    assert places[-1] == pytest.approx(60.0, abs=0.1) and speeds[-1] == 0.0


# --------------------------------------------------------------------------------------------------------- bodies
def test_a_barrier_ends_an_episode_its_raised_boom_and_a_ball_do_not() -> None:
    kinds = ("barrier", "raised_barrier", "ball")
    episodes = [Episode("b", 1, distance=30.0, speed=8.0, actors=(ActorSpec("it", k, distance=15.0),)) for k in kinds]
    backend = EmbeddedWorld(3)
    backend.reset(episodes)
    for _ in range(30):
        backend.step(Action(np.zeros(3, np.float32), np.zeros(3, np.float32)))
    assert backend.world.outcome.tolist() == [2, 0, 0]
    assert set(kinds) <= set(BODIES)
    assert (STOP, EDGE) == (2, 3)


# ----------------------------------------------------------------------------------------------------- patience
PASSAGE = MapSpec("narrow_passage", (("arm", 60.0), ("passage", 10.0)), kind="narrow_passage")


def in_passage(ego: float, **keys: object) -> EmbeddedWorld:
    """Ego stands `ego` metres before a passage, and somebody comes from the other end."""
    actor = sent("other", "east", distance=36.0, yield_timeout=2.0, **keys)
    return world_of(Episode("p", 1, PASSAGE, "west", ego, 0.0, actors=(actor,), time_limit=60.0, way="straight"))


def passing(backend: EmbeddedWorld, ticks: int = 200) -> tuple[int, float]:
    """The tick at which the actor enters the passage, -1 for never, and its least speed before that [m/s]."""
    slowest = np.inf
    for tick in range(ticks):
        backend.step(still(1))
        assert backend.followers is not None
        if backend.followers.drive[0, 1, ALONG] >= backend.followers.drive[0, 1, EDGE]:
            return tick, slowest
        slowest = min(slowest, float(backend.world.speed[0, 1]))
    return -1, slowest


def test_who_is_patient_does_not_stop_for_an_ego_that_is_far_away() -> None:
    _, slowest = passing(in_passage(40.0))
    assert slowest > 6.5


def test_who_is_patient_stops_for_ego_and_goes_when_that_has_stood_long_enough() -> None:
    backend = in_passage(6.0)
    tick, slowest = passing(backend)
    assert slowest < 0.1
    assert backend.followers is not None
    stood = TICK * (tick - backend.followers.line[0, 1, CAME])
    assert 2.0 < stood < 2.0 + 2.5  # and it has yet to roll a metre
    longer, _ = passing(in_passage(6.0, stop_duration=5.0))
    assert longer > tick + 20


def test_who_is_patient_waits_for_ever_for_an_ego_that_stands_off_its_line() -> None:
    tick, slowest = passing(in_passage(20.0), 300)
    assert tick == -1 and slowest < 0.1


def test_patience_without_a_turn_is_refused() -> None:
    with pytest.raises(ValueError, match="has yield_timeout and no turn"):
        world_of(Episode("p", 1, PASSAGE, "west", 30.0, actors=(ActorSpec("x", arm="east", yield_timeout=2.0),)))
