"""Drives that are driven again show the same, and the sign of a decision is where a watcher could first tell."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest

from dagger.algorithms.base import BetaSchedule
from dagger.diagnostics.replay import TURNED, Watched, sights_of, watch
from dagger.training.collect import collect
from dagger.training.demonstrations import Demonstration
from policies.expert.expert import Expert
from scenarios.sampling.sample import balanced_batch, slots_needed
from scenarios.scenario import load_scenario
from sim.datatypes.vocabulary import DECISION
from sim.world.context import RunContext


@functools.cache
def watched(name: str, count: int = 8) -> list[tuple[Demonstration, Watched]]:
    scenario = load_scenario(name)
    with RunContext().backend(count, None, slots_needed(scenario)) as backend:
        episodes = balanced_batch(scenario, range(count), "train")
        found = collect(backend, Expert.of(scenario), None, episodes, BetaSchedule(), 0, "expert")
    return list(zip(found, watch(scenario, found, RunContext(worlds=count - 3))))


def test_the_sign_of_a_turn_is_where_the_wheel_begins_to_be_turned_for_it() -> None:
    for d, seen in watched("rain-turn"):
        steer = d.ticks["executed_steer"]
        side = 1 if d.shown_decision == DECISION["left"] else -1
        assert side * steer[seen.sign] >= TURNED > side * steer[seen.sign - 1]
        assert 15 < seen.sign < seen.read < len(d)


def test_who_goes_straight_on_shows_it_where_the_other_ways_part() -> None:
    straight = [(d, seen) for d, seen in watched("chain", 12) if d.shown_decision == DECISION["straight"]]
    assert straight
    for d, seen in straight:
        assert abs(d.ticks["executed_steer"][seen.sign]) < TURNED and 15 < seen.sign < seen.read < len(d)


def test_who_goes_first_shows_when_it_is_read() -> None:
    assert all(seen.sign == seen.read < len(d) for d, seen in watched("gap-acceptance"))


def test_a_bay_shows_when_ego_backs_up() -> None:
    for d, seen in watched("parallel-parking"):
        assert d.ticks["executed_reverse"][seen.sign] and not d.ticks["executed_reverse"][: seen.sign].any()


def test_words_are_known_from_when_they_could_first_be_read() -> None:
    true = [(d, seen) for d, seen in watched("sign-and-weather") if seen.truth["if_wet"]]
    assert true
    for d, seen in true:  # the mind's own memory and the lines of sight of the second drive agree
        assert seen.known["if_wet"] == int(np.argmax(d.propositions["if_wet"])) < seen.last["if_wet"] <= seen.sign


def test_what_is_false_is_known_no_earlier_than_it_can_be_read() -> None:
    false = [(d, seen) for d, seen in watched("sign-and-weather") if not seen.truth["if_wet"]]
    assert false and all(0 < seen.known["if_wet"] < seen.last["if_wet"] for _, seen in false)
    assert not any(d.propositions["if_wet"].any() for d, _ in false), "the mind took it for false all along"


def test_weather_is_known_at_once_and_seen_to_the_last_unless_it_comes_later() -> None:
    assert all(seen.known["raining"] == 0 and seen.last["raining"] == seen.sign for _, seen in watched("rain-turn"))
    late = [(d, seen) for d, seen in watched("late-premise") if seen.truth["raining"]]
    assert late and all(0 < seen.known["raining"] == int(np.argmax(d.propositions["raining"])) for d, seen in late)


def test_what_is_not_there_is_never_seen() -> None:
    found = [seen for d, seen in watched("occluded-pedestrian") if not d.episode.actors[1].present]
    assert found and all(seen.known["ball"] == seen.last["ball"] == -1 for seen in found)


def test_what_a_proposition_hangs_on_has_to_be_in_sight() -> None:
    assert sights_of(load_scenario("rain-turn"), "raining") is None
    assert sights_of(load_scenario("logic-xor"), "barrier_open") == ((1, False),)
    assert sights_of(load_scenario("sign-and-weather"), "if_wet") == ((0, True),)


def test_a_drive_that_does_not_repeat_is_refused() -> None:
    d = watched("rain-turn")[0][0]
    other = replace(d, ticks=d.ticks | {"executed_steer": np.zeros(len(d), np.float32)})
    with pytest.raises(ValueError, match="when driven again; only embedded worlds of this version repeat"):
        watch(load_scenario("rain-turn"), [other])
