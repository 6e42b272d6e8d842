"""Propositions mean the same in a draw and in running worlds."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.reading.errors import RuleError
from scenarios.rules.compile import compiled_number
from scenarios.rules.conditions import parse_number
from scenarios.rules.propositions import parse_proposition
from sim.datatypes.episode import ActorSpec, Episode, Weather

ACTORS = ("parked", "oncoming")


def worlds(*episodes: Episode) -> SimpleNamespace:
    """The few arrays of a World that propositions read."""
    kind = np.array([[1] + [int(a.present) for a in e.actors] for e in episodes], np.int32)
    speed = np.array([[e.speed] + [a.speed for a in e.actors] for e in episodes], np.float32)
    weather = np.stack([e.weather.array() for e in episodes])
    return SimpleNamespace(
        tick=np.zeros(len(episodes), np.int32), weather=weather, kind=kind, absent_kind=0 * kind, speed=speed
    )


def episode(rain: float, sun: float, parked: bool, oncoming: bool, speed: float = 6.0) -> Episode:
    weather = Weather(precipitation=rain, sun_altitude_angle=sun)
    actors = (ActorSpec("parked", present=parked), ActorSpec("oncoming", present=oncoming, speed=7.0))
    return Episode("test", 0, weather=weather, actors=actors, speed=speed)


TEXTS = [
    "weather.precipitation > 20",
    "0 < weather.precipitation <= 50 and weather.sun_altitude_angle < 0",
    "actors.oncoming.present xor not actors.parked.present",
    "ego.speed * 2 + 1 >= max(10, weather.precipitation / 4)",
    "weather.precipitation == 20 or -weather.sun_altitude_angle != 3 iff true",
    "false",
]
fractions = st.integers(-900_000, 1_000_000).map(lambda n: n / 10_000)


@given(st.lists(st.tuples(fractions.map(abs), fractions, st.booleans(), st.booleans()), min_size=1, max_size=5))
def test_a_proposition_holds_in_worlds_exactly_where_it_holds_in_their_episodes(rows):
    episodes = [episode(*row) for row in rows]
    for text in TEXTS[:3] + TEXTS[4:]:  # arithmetic on float32 may round across a threshold
        proposition = parse_proposition("p", text, ACTORS)
        found = proposition.on_world(worlds(*episodes))
        assert found.dtype == bool and found.tolist() == [proposition.on_episode(e) for e in episodes]


MEANINGS = [[True, False], [True, False], [True, True], [False, True], [True, True], [False, False]]


@pytest.mark.parametrize(("text", "expected"), list(zip(TEXTS, MEANINGS)))
def test_propositions_mean_what_they_say(text, expected):
    drawn = [episode(50, -5, True, True, 4), episode(0, 5, False, False, 5)]
    proposition = parse_proposition("p", text, ACTORS)
    assert [proposition.on_episode(e) for e in drawn] == expected


def test_a_proposition_lists_its_variables_once_in_order():
    text = "weather.precipitation > 20 and actors.parked.present or weather.precipitation < ego.speed"
    assert parse_proposition("p", text, ACTORS).variables == (
        "weather.precipitation", "actors.parked.present", "ego.speed",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("weather.preciptation > 20", "did you mean 'weather.precipitation'?"),
        ("actors.truck.present", "unknown variable 'actors.truck.present'; known are ego.speed, actors.parked.present"),
        ("weather.cloudiness", "is a number, not true or false"),
        ("actors.parked.present > 1", "is true or false, not a number"),
        ("weather.cloudiness >", "ends too early"),
        ("weather.cloudiness = 3", "the character '=' is not expected"),
        ("__import__('os')", "is not expected here"),
    ],
)
def test_a_bad_proposition_is_told_in_a_sentence(text, said):
    with pytest.raises(RuleError) as caught:
        parse_proposition("p", text, ACTORS)
    assert said in str(caught.value) and "^" in str(caught.value)


def test_a_world_without_room_for_the_actor_is_refused():
    world = worlds(episode(0, 0, True, True))
    world.kind = world.kind[:, :2]
    with pytest.raises(ValueError, match=r"actor 'oncoming' wants slot 2, but the worlds have room for 2"):
        parse_proposition("p", "actors.oncoming.present", ACTORS).on_world(world)


def test_numbers_bind_as_in_arithmetic():
    number = parse_number("min(90, 2 + wetness * -(3 - 1) / 4 - 1)", ["wetness"])
    assert compiled_number(number)({"wetness": 10.0}.__getitem__) == 2 + 10 * -2 / 4 - 1
    assert number.variables() == ("wetness",)
