"""Every way of every composed place is driven by somebody who always decides for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from policies.expert.expert import Expert, Idle
from sim.datatypes.action import Action
from sim.datatypes.camera import Camera
from sim.datatypes.episode import ActorSpec, Episode, MapSpec, SignSpec, TrafficSpec
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import DECISION, DECISIONS, OUTCOME, OUTCOMES, UNDECIDED
from sim.road.map.loading import load_map
from sim.world.embedded import EmbeddedWorld
from sim.world.initial_state import ROUTES
from sim.world.rollout import observe_for, progress

# Kind, generator, parameters, arms that somebody starts on.
PLACES = [
    ("exits", "exits", (("exits", 4.0), ("shift", -10.0), ("spacing", 30.0)), ("south",)),
    ("exits", "exits", (("exits", 2.0), ("spacing", 70.0), ("lane_width", 2.75), ("arm", 100.0)), ("south",)),
    ("two_turns", "two_turns", (), ("south",)),
    ("two_turns", "two_turns", (("leg", 15.0), ("radius", 6.0)), ("south",)),
    ("narrow_passage", "narrow_passage", (), ("west", "east")),
    ("narrow_passage", "narrow_passage", (("gap", 2.6), ("passage", 40.0), ("taper", 5.0)), ("west", "east")),
    ("parking_bays", "parking_bays", (("longest", 7.5), ("seed", 3.0), ("shortest", 4.5)), ("west",)),
    ("crosswalk", "crosswalk", (), ("west", "east")),
    ("crosswalk", "parking_bays", (), ("west", "east")),
    ("motorway_exit", "motorway_exit", (), ("west",)),
    ("motorway_exit", "motorway_exit", (("arm", 30.0), ("deceleration", 30.0), ("lanes", 3.0)), ("west",)),
    ("t_junction", "t_junction", (("arm", 40.0), ("stem", 200.0)), ("south",)),
]
DRIVES = [(kind, generate, parameters, arm) for kind, generate, parameters, arms in PLACES for arm in arms]


def _episode(kind, generate, parameters, arm, **changes):
    spec = MapSpec(generate, tuple(sorted(parameters)), kind=kind)
    said = {"distance": 25.0, "time_limit": 90.0, **changes}
    return Episode("ways", 3, spec, arm, **said)


def _world(worlds=1, **settings):
    return EmbeddedWorld(worlds, Camera(width=8, height=8), Simulation(**settings))


def _ways(kind, generate, parameters, arm):
    _, place = load_map(_episode(kind, generate, parameters, arm).map)
    return [DECISIONS[route.decision] for route in place.routes_from(arm)]


@pytest.mark.parametrize(("kind", "generate", "parameters", "arm"), DRIVES)
def test_a_decided_exit_is_taken_and_no_other_is_shown_before(kind, generate, parameters, arm):
    ways = _ways(kind, generate, parameters, arm)
    wanted = np.array([DECISION[way] for way in ways])
    backend, shown = _world(len(ways)), [{UNDECIDED} for _ in ways]
    backend.reset([_episode(kind, generate, parameters, arm)] * len(ways))
    driver, memory = Expert(lambda world: wanted), np.zeros((len(ways), 0), np.float32)
    while (backend.world.outcome == OUTCOME["running"]).any():
        action, memory = driver.act(observe_for(backend, "state", np.arange(len(ways))), memory)
        backend.step(action)
        for seen, shown_decision in zip(shown, backend.world.shown_decision.tolist()):
            seen.add(shown_decision)
    assert [OUTCOMES[o] for o in backend.world.outcome] == ["arrived"] * len(ways)
    assert shown == [{UNDECIDED, DECISION[way]} for way in ways]
    assert progress(backend) == pytest.approx(np.ones(len(ways)), abs=0.02)


def test_a_place_with_more_ways_than_a_junction_makes_room_and_leaves_the_others_as_they_were():
    plain = Episode("plain", 1)
    backend = _world(2)
    backend.reset([plain, plain])
    assert backend.world.route.shape == (2, ROUTES)
    before = backend.world.route.copy()
    backend.reset([_episode(*PLACES[0][:3], "south")], [1])
    assert backend.world.route.shape == backend.world.route_s.shape == backend.world.route_offset.shape == (2, 5)
    assert backend.world.route[0].tolist() == [*before[0].tolist(), -1, -1]
    assert (backend.world.route[1] >= 0).all()
    alone = _world()
    for one, action in ((backend, 2), (alone, 1)):
        one.reset([plain], [0])
        for _ in range(30):
            one.step(Action(np.full(action, 0.02, np.float32), np.full(action, 0.5, np.float32)))
    for name in ("x", "y", "yaw", "speed", "shown_decision"):
        np.testing.assert_array_equal(getattr(backend.world, name)[0], getattr(alone.world, name)[0])
    np.testing.assert_array_equal(backend.world.route_s[0, :ROUTES], alone.world.route_s[0])


def test_the_state_of_a_place_with_five_ways_has_them_all():
    backend = _world()
    backend.reset([_episode(*PLACES[0][:3], "south")])
    routes = backend.state().routes
    assert [DECISIONS[d] for d in routes.decision[0]] == ["straight", "exit 1", "exit 2", "exit 3", "exit 4"]
    assert routes.to_junction[0] == pytest.approx(np.full(5, 25.0), abs=0.01)
    assert (np.diff(routes.to_junction_end[0, 1:]) > 19.0).all()


@pytest.mark.parametrize(("kind", "generate", "parameters", "arm"), DRIVES)
def test_actors_and_signs_stand_on_every_arm_and_traffic_finds_room(kind, generate, parameters, arm):
    episode = _episode(kind, generate, parameters, arm)
    _, place = load_map(episode.map)
    arms = list(place.arms)
    actors = tuple(ActorSpec(f"a{k}", "car", arm=name, distance=8.0) for k, name in enumerate(arms))
    signs = tuple(SignSpec(f"s{k}", "stop", arm=name, distance=5.0) for k, name in enumerate(arms))
    backend = _world(actors=1 + len(arms))
    # traffic keeps no order of precedence in a passage, and is refused there
    walkers = 0 if generate == "motorway_exit" else 2  # a motorway has no pavement
    traffic = None if generate == "narrow_passage" else TrafficSpec(2, walkers)
    backend.reset([replace(episode, actors=actors, signs=signs, distance=40.0, speed=0.0, traffic=traffic)])
    for k, name in enumerate(arms):
        edge = place.arms[name].inbound.points[-1, :2]
        for slot, away in ((1 + k, 8.0), (1 + len(arms) + k, np.hypot(5.0, 3.8))):
            there = np.array([backend.world.x[0, slot], backend.world.y[0, slot]])
            assert np.hypot(*(there - edge)) == pytest.approx(away, abs=1.0)  # a lane that narrows is askew
    memory = np.zeros((1, 0), np.float32)
    for _ in range(50):
        action, memory = Idle().act(observe_for(backend, "state", np.arange(1)), memory)
        backend.step(action)
    assert backend.world.outcome[0] == OUTCOME["running"]
