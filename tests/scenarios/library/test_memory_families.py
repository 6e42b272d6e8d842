"""Families that must remember: what was read or seen once decides later, and what is out of sight may be gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from policies.expert.expert import Expert, Label
from scenarios.rules.ast import names
from scenarios.sampling.sample import balanced_batch, cells, decision, sample, slots_needed, twin, valuation
from scenarios.scenario import Scenario, load_scenario
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import NO_PATH, OUTCOME, UNDECIDED, WEATHER_INDEX
from sim.datatypes.world_state import World
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import PrivilegedInput, rollout
from tests.support.worlds import truth

FAMILIES = ("remembered-sign", "late-premise", "count-junctions", "rule-switch", "nested-route", "rule-from-leader")
FEW = 16
EYES = Camera()  # the learner's: a smaller one reads no boards


@pytest.fixture(scope="module", params=FAMILIES)
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return load_scenario(request.param)


def labels_of(
    scenario: Scenario, episodes: list[Episode], hidden: bool = False
) -> Iterator[tuple[EmbeddedWorld, Label]]:
    """The expert's label at every tick of its own drive, until all know where they go.

    Args:
        hidden: what ego's camera does not see at a tick is taken out of the world before the expert is asked.
    """
    backend = EmbeddedWorld(len(episodes), EYES, slots_needed(scenario))
    backend.reset(episodes)
    expert = Expert.of(scenario)
    memory, slots = expert.begin(len(episodes)), np.arange(len(episodes))
    while (backend.world.shown_decision == UNDECIDED).any():
        seen = truth(backend)
        label = expert.label(without_hidden(seen) if hidden else seen, memory)
        yield backend, label
        memory = label.memory
        backend.step(label.action.spread(slots, len(episodes)))


def without_hidden(seen: PrivilegedInput) -> PrivilegedInput:
    """The same moment without everybody and every sign that is not in the picture or in sight."""
    state, world = seen.state, seen.world.copy()
    gone = np.zeros(world.kind.shape, bool)
    gone[:, 1:] = ~(state.actors.visible | state.signs.pictured)
    for name in ("kind", "absent_kind", "appearance", "x", "y", "yaw", "speed"):
        getattr(world, name)[gone] = 0
    world.path[gone], world.scripted_turn[gone] = NO_PATH, UNDECIDED
    return replace(seen, world=world)


def short(scenario: Scenario, seeds: range) -> list[Episode]:
    """Episodes of everything, most of them no longer than those of training."""
    return [*balanced_batch(scenario, seeds[:-2], "train"), *balanced_batch(scenario, seeds[-2:], "test")]


def test_the_expert_arrives_as_the_rule_says(scenario: Scenario) -> None:
    episodes = short(scenario, range(FEW))
    found = rollout(EmbeddedWorld(FEW, EYES, slots_needed(scenario)), Expert.of(scenario), episodes)
    wanted = [decision(scenario, e) for e in episodes]
    assert (found.outcome == OUTCOME["arrived"]).all()
    assert found.shown_decision.tolist() == wanted and len(set(wanted)) > 1
    assert not found.red_lights.any() and not found.stop_signs.any()


def test_every_premise_has_twins_of_whom_one_goes_another_way(scenario: Scenario) -> None:
    for name in names(scenario.rule):
        ones, others = [], []
        for episode in balanced_batch(scenario, range(12), "train"):
            try:
                other = twin(scenario, episode, name)
            except ValueError:
                continue  # two numbers on one board exclude each other
            if decision(scenario, other) != decision(scenario, episode):
                ones.append(episode)
                others.append(other)
        both = [*ones[:3], *others[:3]]
        assert both, name
        found = rollout(EmbeddedWorld(len(both), EYES, slots_needed(scenario)), Expert.of(scenario), both)
        assert found.shown_decision.tolist() == [decision(scenario, e) for e in both], name


def test_what_is_out_of_sight_may_be_gone(scenario: Scenario) -> None:
    episodes = short(scenario, range(8))
    with_all = [(x.decision, x.action, x.facts) for _, x in labels_of(scenario, episodes)]
    ticks = 0
    for (one, action, facts), (_, other) in zip(with_all, labels_of(scenario, episodes, hidden=True), strict=True):
        assert one.tolist() == other.decision.tolist()
        assert action.steer.tobytes() == other.action.steer.tobytes()
        assert action.acceleration.tobytes() == other.action.acceleration.tobytes()
        assert all(facts[name].tolist() == other.facts[name].tolist() for name in names(scenario.rule))
        ticks += 1
    assert ticks > 50


def test_what_the_driver_knows_at_the_junction_is_what_the_draw_says(scenario: Scenario) -> None:
    episodes = short(scenario, range(40, 40 + FEW))
    drawn, known = [valuation(scenario, e) for e in episodes], {}
    for backend, label in labels_of(scenario, episodes):
        for w in np.flatnonzero(backend.world.shown_decision == UNDECIDED):
            known[int(w)] = {name: bool(facts[w]) for name, facts in label.facts.items()}
    for w, facts in known.items():
        for name in names(scenario.rule):
            on_the_other_road = scenario.name == "rule-switch" and name in ("west", "east")  # which ego never saw
            assert facts[name] == drawn[w][name] or on_the_other_road, (w, name)


def test_training_holds_out_what_the_test_has(scenario: Scenario) -> None:
    held = set(cells(scenario, "test")) - set(cells(scenario, "train"))
    assert held and set(cells(scenario, "train")) < set(cells(scenario, "test"))
    assert set(cells(scenario, "test")) == set(cells(scenario))
    assert {decision(scenario, sample(scenario, 1, "test", c)) for c in held}


# --------------------------------------------------------------------------------------- when each of them is known
def first_ticks(scenario: Scenario, episodes: list[Episode], of: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,) the ticks at which a fact is first known, the weather turns, and ego is at the junction's edge."""
    n = len(episodes)
    known, turned, edge = (np.full(n, np.inf) for _ in range(3))
    before: np.ndarray | None = None
    for backend, label in labels_of(scenario, episodes):
        world, bank = backend.world, backend.maps.arrays
        wet = rain(world) > 20
        known[label.facts[of] & np.isinf(known)] = world.tick.max()
        if before is not None:
            turned[(wet != before) & np.isinf(turned)] = world.tick.max()
        at = world.route_s[:, 0] >= bank.junction_in[world.route[:, 0]]
        edge[at & np.isinf(edge)] = world.tick.max()
        before = wet
    return known, turned, edge


def rain(world: World) -> np.ndarray:
    """(B,) its precipitation."""
    return world.weather[:, WEATHER_INDEX["precipitation"]].copy()


def test_the_board_of_late_premise_is_read_before_it_rains_and_the_rain_comes_before_the_junction() -> None:
    scenario = load_scenario("late-premise")
    cell = dict.fromkeys(scenario.proposition_names, True)
    episodes = [sample(scenario, s, "test", tuple({**cell, "sudden": s % 2 > 0}.values())) for s in range(FEW)]
    known, turned, edge = first_ticks(scenario, episodes, "harbour")
    assert (known + 10 < turned).all() and (turned + 20 < edge).all()
    assert np.median((turned - known)[1::2]) > 2 * np.median((turned - known)[::2])


def test_the_leader_turns_before_the_weather_does_and_ego_comes_after_both() -> None:
    scenario = load_scenario("rule-from-leader")
    cell = {"leader_left": True, "rained_then": True, "raining": False, "parked": True}
    episodes = [sample(scenario, s, "test", tuple(cell.values())) for s in range(FEW)]
    known, turned, edge = first_ticks(scenario, episodes, "leader_left")
    assert (known > 30).all(), "which way it will take is not known before it turns"
    assert (known + 15 < turned).all() and (turned + 15 < edge).all()


def test_a_crawling_truck_makes_the_board_older_than_in_training() -> None:
    scenario = load_scenario("remembered-sign")
    cell = {"harbour": True, "distracted": True, "crawling": False}
    quick = [sample(scenario, s, "train", tuple(cell.values())) for s in range(4)]
    slow = [sample(scenario, s, "test", tuple({**cell, "crawling": True}.values())) for s in range(4)]
    known, _, edge = first_ticks(scenario, [*quick, *slow], "harbour")
    seconds = (edge - known) / 10
    assert (seconds[:4] > 10).all() and (seconds[:4] < 32).all() and (seconds[4:] > 35).all()
