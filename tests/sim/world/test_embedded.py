"""The step against its slow twin, tick by tick: outcomes, routes, branches, other road users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from policies.expert.expert import Fixed
from sim.actors.registry import EGO
from sim.datatypes.action import Action
from sim.datatypes.episode import ActorSpec, Episode, MapSpec, Weather
from sim.datatypes.vocabulary import DECISION, OUTCOME, OUTCOMES, UNDECIDED
from sim.world.conformance import actions, same
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import observe_for, progress
from tests.reference import step as slow
from tests.support.worlds import ONCOMING, PARKED, T, episode, started

# float32 against double over one tick: positions near 60 m have steps of 4e-6 m, and a handful are added.
CLOSE = {"x": 1e-4, "y": 1e-4, "yaw": 1e-5, "speed": 1e-5, "steer": 1e-5, "acceleration": 2e-4, "path_s": 1e-3}
SAME_PLACE = 0.06  # [m] of s where two points of a bend are equally near and either may be taken
CROSS = MapSpec("crossroads", (("arm", 40.0),), kind="crossroads")


WET = Weather(precipitation=50.0, wetness=100.0)


def compare(backend: EmbeddedWorld, action: Action) -> None:
    """Step every world in both ways from the very same state."""
    before = backend.world.copy()
    scenes = [slow.scene(before, backend.maps, w, e.finish) for w, e in enumerate(backend.episodes) if e]
    backend.step(action)
    world = backend.world
    for w, here in enumerate(scenes):
        reverse = action.reverse is not None and bool(action.reverse[w])
        slow.step(here, float(action.steer[w]), float(action.acceleration[w]), reverse)
        for name, tolerance in CLOSE.items():
            wanted = np.array([getattr(car, name) for car in here.cars])
            found = getattr(world, name)[w]
            found = wanted + np.remainder(found - wanted + np.pi, 2 * np.pi) - np.pi if name == "yaw" else found
            np.testing.assert_allclose(found, wanted, atol=tolerance, err_msg=f"{name} of world {w}, tick {here.tick}")
        if before.outcome[w] == OUTCOME["running"]:
            np.testing.assert_allclose(world.route_s[w], [r[1] for r in here.routes], atol=SAME_PLACE)
            np.testing.assert_allclose(world.route_offset[w], [r[2] for r in here.routes], atol=SAME_PLACE)
        assert world.tick[w] == here.tick
        assert world.shown_decision[w] == here.shown_decision, f"world {w}, tick {here.tick}"
        assert OUTCOMES[world.outcome[w]] == here.outcome, f"world {w}, tick {here.tick}"


def traffic() -> list[Episode]:
    """Two ways, many ways of going wrong: parked and oncoming ones, a slow one ahead, short time, two maps."""
    ahead = ActorSpec("ahead", "van", arm="south", lane="inbound", distance=8.0, speed=3.0)
    late = replace(ahead, name="late", kind="car", distance=16.0, speed=9.0)
    in_the_way = ActorSpec("block", "truck", arm="east", lane="outbound", distance=6.0)
    return [
        episode(1, weather=WET), episode(2, actors=(PARKED, ONCOMING)),
        episode(3, actors=(ahead, late, ONCOMING), distance=30.0), episode(4, actors=(in_the_way,)),
        episode(5, time_limit=2.0), episode(6, map=CROSS, speed=9.0, weather=WET),
        episode(7, map=CROSS, arm="west", actors=(PARKED, replace(ONCOMING, arm="north"))),
        episode(8, arm="west", actors=(replace(PARKED, arm="south"),), speed=0.0),
    ]  # fmt: skip


@pytest.mark.parametrize("way", ["left", "right"])
def test_a_driven_step_is_the_slow_twins_step(way: str) -> None:
    backend = started(traffic())
    # The west arm of a T offers no left: that world is driven right.
    drivers = {"left": Fixed("left"), "right": Fixed("right")}
    ways = [way] * 7 + ["right"]
    rng = np.random.default_rng(2)
    while (backend.world.outcome == OUTCOME["running"]).any() and backend.world.tick.max() < 120:
        action = actions(8)
        for name, driver in drivers.items():
            chosen = np.array([w for w in range(8) if ways[w] == name], int)
            if len(chosen):
                given, _ = driver.act(observe_for(backend, "state", chosen), np.zeros((len(chosen), 0)))
                action.steer[chosen], action.acceleration[chosen] = given.steer, given.acceleration
        action.steer[:] += rng.normal(0, 0.02, 8)
        compare(backend, action)
    assert {OUTCOMES[o] for o in backend.world.outcome} >= {"arrived", "timeout"}
    assert backend.world.shown_decision[0] == DECISION[way]


def test_a_wild_step_is_the_slow_twins_step() -> None:
    rng = np.random.default_rng(11)
    seen: set[int] = set()
    backwards = slid = False
    for _ in range(3):
        backend = started(traffic())
        for _ in range(70):
            steer = rng.normal(0, 0.25, 8) + np.linspace(-0.15, 0.15, 8)
            pedal = rng.normal(1.0, 3.0, 8).astype(np.float32)
            compare(backend, Action(steer.astype(np.float32), pedal, rng.random(8) < 0.2))
            world = backend.world
            backwards |= bool((world.speed[:, 0] < 0).any())
            slid |= bool((world.speed[:, 0] ** 2 * np.abs(np.tan(world.steer[:, 0])) / EGO.wheelbase > 8.5).any())
        seen |= set(backend.world.outcome.tolist())
    assert {OUTCOME["off_road"], OUTCOME["timeout"]} <= seen
    assert backwards and slid, "no reverse or no slide was compared"


def test_running_into_a_standing_car_is_a_collision_in_both() -> None:
    ahead = ActorSpec("ahead", "car", arm="south", lane="inbound", distance=5.0)
    backend = started([episode(1, actors=(ahead,))])
    while backend.world.outcome[0] == OUTCOME["running"]:
        compare(backend, actions(1, 0.0, 1.0))
    assert OUTCOMES[backend.world.outcome[0]] == "collision"
    front = backend.world.x[0, 1] * 0 + backend.world.y[0, 0] + EGO.length - EGO.overhang
    # It comes to rest where the boxes first overlap: within a tick's way of the other's rear bumper.
    assert 0 <= front - (backend.world.y[0, 1] - EGO.overhang) < 1.2


# ------------------------------------------------------------------------------------------------- one by one
def drive(backend: EmbeddedWorld, way: str) -> None:
    driver = Fixed(way)
    every = np.arange(backend.worlds)
    while (backend.world.outcome == OUTCOME["running"]).any():
        backend.step(driver.act(observe_for(backend, "state", every), np.zeros((backend.worlds, 0)))[0])


@pytest.mark.parametrize("way", ["left", "right"])
def test_arrival_comes_finish_metres_beyond_the_junction(way: str) -> None:
    backend = started([episode(1), episode(2, finish=20.0)])
    drive(backend, way)
    assert (backend.world.outcome == OUTCOME["arrived"]).all()
    assert (backend.world.shown_decision == DECISION[way]).all()
    bank = backend.maps.arrays
    for w, finish in enumerate((12.0, 20.0)):
        r = int((bank.decision[backend.world.route[w]] == DECISION[way]).argmax())
        beyond = backend.world.route_s[w, r] - bank.junction_out[backend.world.route[w, r]]
        assert finish < beyond < finish + 1.0  # a tick at 7 m/s is 0.7 m


def test_no_branch_is_counted_before_the_junction_is_left() -> None:
    backend = started([episode(1)])
    bank, driver = backend.maps.arrays, Fixed("left")
    r = int((bank.decision[backend.world.route[0]] == DECISION["left"]).argmax())
    while backend.world.outcome[0] == OUTCOME["running"]:
        backend.step(driver.act(observe_for(backend, "state", np.arange(1)), np.zeros((1, 0)))[0])
        left = backend.world.route_s[0, r] > bank.junction_out[backend.world.route[0, r]]
        assert (backend.world.shown_decision[0] == DECISION["left"]) == bool(left)


def test_two_wheels_on_the_grass_end_an_episode_and_one_does_not() -> None:
    backend = started([episode(1)])
    ended = False
    while not ended:
        backend.step(actions(1, -0.05, 0.0))
        off = slow.wheels_off(slow.scene(backend.world, backend.maps, 0, 12.0))
        ended = backend.world.outcome[0] != OUTCOME["running"]
        assert ended == (off >= 2)
    assert OUTCOMES[backend.world.outcome[0]] == "off_road"


def test_time_runs_out_at_the_time_limit() -> None:
    backend = started([episode(1, time_limit=1.5, speed=0.0)])
    for tick in range(1, 16):
        backend.step(actions(1))
        assert (backend.world.outcome[0] == OUTCOME["timeout"]) == (tick == 15)
    assert backend.world.shown_decision[0] == UNDECIDED


def test_limits_of_wheel_engine_and_brakes_hold() -> None:
    backend = started([episode(1, speed=5.0), episode(2, speed=19.9)])
    # With the wheel straight in the fast one: in a bend its tyres would have nothing left to pull with.
    backend.step(Action(np.array([9.0, 0.0]), np.full(2, 99.0)))
    np.testing.assert_allclose(backend.world.steer[:, 0], [EGO.steer_rate * 0.1, 0.0], rtol=1e-5)
    first = EGO.max_acceleration * 0.1 / (0.1 + EGO.lag)
    np.testing.assert_allclose(backend.world.speed[:, 0], [5.0 + first * 0.1, EGO.max_speed], rtol=1e-5)
    for _ in range(6):
        before = backend.world.speed[:, 0].copy()
        backend.step(actions(2, 9.0, -99.0))
        assert (before - backend.world.speed[:, 0] <= EGO.max_braking * 0.1 + 1e-5).all()
    assert backend.world.steer[0, 0] <= EGO.max_steer + 1e-6


# ----------------------------------------------------------------------------------------------- tyres and gears
def test_a_wet_road_brakes_longer() -> None:
    weathers = [Weather(), Weather(wetness=100.0), Weather(precipitation_deposits=100.0), Weather(precipitation=100.0)]
    backend = started([episode(1, distance=36.0, speed=15.0, weather=w) for w in weathers])
    start = backend.world.y[:, 0].copy()
    for _ in range(40):
        backend.step(actions(4, 0.0, -99.0))
    assert (backend.world.outcome == OUTCOME["running"]).all() and (backend.world.speed[:, 0] == 0).all()
    way = backend.world.y[:, 0] - start
    for found, grip in zip(way, (0.85, 0.6, 0.6, 0.85 - 0.25 * 0.85)):
        best = min(EGO.max_braking, grip * 9.81)
        # The brakes come with their lag; where the road is what limits, they need less of it.
        assert 15.0**2 / (2 * best) < found < 15.0**2 / (2 * best) + 15.0 * EGO.lag
    assert way[0] < way[3] < way[1] == way[2]


def test_gentle_driving_is_the_same_wet_or_dry() -> None:
    backend = started([episode(1), episode(1, weather=WET)])
    for tick in range(40):
        backend.step(actions(2, 0.03 * np.sin(0.2 * tick), 1.5 * np.cos(0.3 * tick)))
    for name in ("x", "y", "yaw", "speed", "steer", "acceleration"):
        first, second = getattr(backend.world, name)[:, 0]
        assert first == second, name


def test_a_wheel_turned_too_far_slides_past_the_bend() -> None:
    backend = started([episode(1, speed=12.0), episode(1, speed=12.0, weather=WET)])
    for _ in range(5):
        before = backend.world.yaw[:, 0].copy()
        backend.step(actions(2, 0.6))
    sideways = backend.world.speed[:, 0] * (backend.world.yaw[:, 0] - before) / 0.1
    np.testing.assert_allclose(sideways, np.array([0.85, 0.6]) * 9.81, rtol=1e-3)  # yaw of float32: steps of 1e-7
    assert (backend.world.speed[:, 0] == 12.0).all(), "nothing but the bend was asked for"


def test_routes_are_followed_backwards_too() -> None:
    backend = started([episode(1, speed=0.0, distance=20.0)])
    before = backend.world.route_s.copy()
    for _ in range(30):
        backend.step(Action(np.zeros(1, np.float32), np.ones(1, np.float32), np.ones(1, bool)))
    gone = before[0, :2] - backend.world.route_s[0, :2]
    np.testing.assert_allclose(gone, 4.5 - 3.0 * EGO.lag, atol=0.02)  # a t^2 / 2 at 1 m/s^2, the lag's way less
    assert backend.world.outcome[0] == OUTCOME["running"]


# ---------------------------------------------------------------------------------------------- what is refused
@pytest.mark.parametrize("wrong", [{"worlds": 0}, {"worlds": 2, "threads": 0}])
def test_a_fleet_of_nothing_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        EmbeddedWorld(**wrong)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"kind": "tank"}, "unknown kind 'tank'"), ({"lane": "sideways"}, "unknown lane 'sideways'"),
     ({"arm": "north"}, "no arm 'north'; the junction has")],
)  # fmt: skip
def test_an_actor_that_cannot_be_placed_is_named(change: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=f"parked: {words}"):
        started([episode(1, actors=(replace(PARKED, **change),))])


def test_more_actors_than_room_are_refused() -> None:
    with pytest.raises(ValueError, match=r"3 other actors.*room for 1"):
        started([episode(1, actors=(PARKED, ONCOMING, replace(PARKED, name="third")))], actors=2)


def test_a_start_beyond_the_road_is_moved_onto_it_and_progress_begins_at_nothing() -> None:
    backend = started([episode(1, distance=500.0)])
    assert progress(backend)[0] == 0.0
    assert 0.9 < backend.world.route_s[0, :2].min() < 1.1
    bank = backend.maps.arrays
    assert bank.junction_in[backend.world.route[0, 0]] - backend.world.route_s[0, 0] < 45


# ------------------------------------------------------------------------------------------------------ shadows
def shadows(episodes: Sequence[Episode], others: Sequence[Episode]) -> tuple[EmbeddedWorld, EmbeddedWorld]:
    return started(episodes), started(others)


def test_a_shadow_of_the_same_episode_is_the_world_itself() -> None:
    one, other = shadows([episode(1, actors=(PARKED, ONCOMING))], [episode(1, actors=(PARKED, ONCOMING))])
    for _ in range(20):
        one.step(actions(1, 0.01, 0.5))
        other.step(actions(1, -0.2, -1.0))  # its own ego's doings do not matter
        other.sync_ego(one.world)
    for name in ("x", "y", "yaw", "speed", "route_s", "tick", "outcome"):
        same_field = getattr(one.world, name)[:, :1] if getattr(one.world, name).ndim > 1 else getattr(one.world, name)
        other_field = getattr(other.world, name)
        assert (same_field == (other_field[:, :1] if other_field.ndim > 1 else other_field)).all()


def test_a_shadow_moves_ego_and_no_other_actor() -> None:
    one, other = shadows([episode(1, map=T)], [episode(1, actors=(ONCOMING,))])
    before = other.world.copy()
    one.step(actions(1, 0.1, 1.0))
    other.sync_ego(one.world)
    assert other.world.x[0, 0] == one.world.x[0, 0] and other.world.tick[0] == 1
    assert other.world.kind[0, 1] == before.kind[0, 1] and other.world.x[0, 1] == before.x[0, 1]
    same(one.world, one.world)


def test_a_step_in_halves_with_ego_moved_from_outside_is_a_step() -> None:
    # What a world does whose ego drives elsewhere: others, then ego by whoever moves it, then the verdict.
    whole, halves = (started([episode(3, actors=(ONCOMING, PARKED)), episode(4)]) for _ in range(2))
    for _ in range(60):
        action = Action(np.full(2, 0.03, np.float32), np.full(2, 0.5, np.float32))
        whole.step(action)
        halves.move_others()
        for name in ("x", "y", "yaw", "speed", "steer", "acceleration"):
            getattr(halves.world, name)[:, 0] = getattr(whole.world, name)[:, 0]
        halves.evaluate_termination()
    assert (whole.world.outcome != OUTCOME["running"]).all()
    for name, array in whole.world._asdict().items():
        np.testing.assert_allclose(getattr(halves.world, name), array, atol=1e-5, err_msg=name)
