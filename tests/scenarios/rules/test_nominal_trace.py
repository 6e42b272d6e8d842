"""Propositions that ask of the past, in draws: the nominal way to the junction, groups, draws and twins."""

from __future__ import annotations

import collections
from dataclasses import replace

import numpy as np
import pytest

from scenarios.reading.yaml import ScenarioError
from scenarios.rules.monitor import Monitor
from scenarios.rules.nominal_trace import CRUISE, approach_of, drive, layout_of, on_the_way
from scenarios.rules.propositions import parse_proposition
from scenarios.rules.variables import drawn_in, number_in, text_equals, value_in, value_on, value_on_approach
from scenarios.sampling.plan import plan
from scenarios.sampling.sample import balanced_batch, decision, sample, twin, valuation
from scenarios.scenario import from_text
from sim.datatypes.action import Action
from sim.datatypes.episode import ActorSpec, SignSpec, WeatherChange
from sim.datatypes.vocabulary import WEATHER_FIELDS
from sim.world.weather_schedule import weather_at
from tests.support.worlds import episode, started

LATE = """\
name: late-rain
map: {generate: t_junction, arm: [60, 70]}
ego: {start: south, speed: [4, 8], distance: [40, 50]}
weather: {precipitation: {choice: [0, 60]}, sun_altitude_angle: [5, 60]}
signs:
  - {name: board, text: {choice: [DETOUR, SCHOOL]}, distance: [12, 18], present: {choice: [true, false]}}
  - {name: decoy, text: {choice: ["ROAD WORK", SCHOOL]}, distance: 24, arm: east}
changes:
  - {name: front, after: [0, 5], over: 0.5, precipitation: {choice: [0, 60]}}
propositions:
  raining: weather.precipitation > 20
  told: once sign("DETOUR")
  fresh: raining and once[1s, 3s] not raining
  dark: weather.sun_altitude_angle < 20
where:
  wet: raining or dark
  slippery: wet and told
rule: left if slippery else right
splits: {train: not (wet and fresh), test: true}
"""


@pytest.fixture(scope="module")
def scenario():
    return from_text(LATE)


@pytest.fixture(scope="module")
def drawn(scenario):
    return balanced_batch(scenario, range(40), "every")


# ------------------------------------------------------------------------------------------------ the nominal way
def test_ego_gains_speed_gently_up_to_its_cruise_and_arrives_where_the_decision_falls():
    left, speed = drive(np.array([40.0, 20.0]), np.array([2.0, 9.0]))
    assert left.shape == speed.shape and (left[:, -1] <= 0).all() and (left[:, -2] > 0).any()
    assert (np.diff(speed[0]) <= 0.15 + 1e-9).all() and (np.diff(speed[1]) <= 0).all()
    assert np.allclose(np.diff(left), -speed[:, 1:] * 0.1) and (abs(speed[:, -1] - CRUISE) < 0.6).all()


def test_the_weather_on_the_way_is_the_forecasts():
    changes = (
        WeatherChange(0.3, 1.0, (("precipitation", 60.0), ("sun_azimuth_angle", 350.0)), "front"),
        WeatherChange(1.5, 0.0, (("precipitation", 5.0),), "gap"),
        WeatherChange(1.6, 2.0, (("precipitation", 80.0), ("sun_azimuth_angle", 20.0)), "back"),
    )
    e = replace(episode(distance=40.0), changes=changes)
    left, speed = drive(np.array([e.distance]), np.array([e.speed]))

    class Drawn(dict):
        def __missing__(self, variable):
            return np.atleast_1d(np.asarray(drawn_in(e, variable)))[:, None]

    approach = approach_of(Drawn(), left, speed, layout_of(e), 0.1)
    expected = weather_at(e, np.arange(left.shape[1]) * 0.1)
    for field in ("precipitation", "sun_azimuth_angle", "wetness"):
        found = np.broadcast_to(value_on_approach(f"weather.{field}", approach), left.shape)[0]
        assert np.allclose(found, expected[:, WEATHER_FIELDS.index(field)], atol=1e-4), field


@pytest.mark.parametrize("distance", [20.0, 20.7, 22.0, 25.5, 25.7, 30.0])
def test_a_board_is_read_in_worlds_where_the_draws_way_has_it(distance: float):
    e = episode(distance=distance, signs=(SignSpec("board", text="DETOUR NOW", distance=14.0),))
    backend = started([e, replace(e, signs=(replace(e.signs[0], text="DETOURS"),))])
    found = value_on(backend.world, 'sign("DETOUR")', [], ["board"])
    assert found.tolist() == [5.0 <= distance - 1.6 - 14.0 <= 10.0, False]
    seen = np.zeros((2, backend.world.kind.shape[1] - 1), bool)
    assert not value_on(backend.world, 'sign("DETOUR")', [], ["board"], seen=seen).any(), "hidden boards are not read"


def test_a_monitor_of_a_driven_world_ends_as_the_draw_says():
    signs = (SignSpec("board", text="DETOUR", distance=12.0),)
    changes = (WeatherChange(1.0, 0.5, (("precipitation", 60.0),), "front"),)
    e = replace(episode(distance=36.0, speed=6.0, signs=signs), changes=changes)
    texts = (
        'once sign("DETOUR")',
        "once[2s, 3s] weather.precipitation < 20",
        'once[0s, 2.5s] sign("DETOUR")',
        'once[0s, 2.8s] sign("DETOUR")',
    )
    propositions = [parse_proposition("p", text, (), ("board",)) for text in texts]
    trees = [p.tree for p in propositions]
    backend, monitor = started([e]), Monitor(trees)
    memory, steer = monitor.begin(1), np.zeros(1, np.float32)
    while backend.world.route_s[0, 0] < backend.maps.arrays.junction_in[backend.world.route[0, 0]]:
        truths, memory = monitor.step({v: value_on(backend.world, v, [], ["board"]) for v in monitor.reads}, memory)
        gain = np.minimum(1.5, CRUISE - backend.world.speed[:, 0]).astype(np.float32)
        backend.step(Action(steer, gain))
    assert tuple(bool(t[0]) for t in truths) == on_the_way(e, trees) == (True, False, False, True)
    assert [p.on_episode(e) for p in propositions] == [True, False, False, True]
    with pytest.raises(ValueError, match=r"is about the past .* which one moment does not show; ask a Monitor"):
        propositions[0].on_world(backend.world)


def test_words_and_numbers_on_boards_are_whole_ones():
    assert (
        text_equals("DETOUR IF WET", "DETOUR")
        and text_equals("ROAD  WORK AHEAD", "ROAD WORK")
        and not text_equals("DETOURS", "DETOUR")
    )
    assert number_in("EXIT 2 IN 500") == 2 and number_in("A1 B2") == 0 and number_in("2.5 KM") == 0
    assert number_in("LANE 3 EXIT 2", "EXIT") == 2 and number_in("EXIT A", "EXIT") == 0


def test_number_reads_a_board_that_is_there_and_no_junction_lies_before_the_first():
    e = episode(signs=(SignSpec("board", text="EXIT 2"),))
    gone = replace(e, signs=(replace(e.signs[0], present=False),))
    for text, told in (("number(signs.board) == 2", (True, False)), ("count(junction) + 2 == number(signs.board)",
                       (True, False)), ("ego.junctions > 0", (False, False))):  # fmt: skip
        proposition = parse_proposition("p", text, (), ("board",))
        assert (proposition.on_episode(e), proposition.on_episode(gone)) == told, text
    backend = started([e, gone])
    assert value_on(backend.world, "number(signs.board)", [], ["board"]).tolist() == [2, 0]
    assert value_on(backend.world, "ego.junctions", [], [], backend.maps.arrays).tolist() == [0, 0]
    beyond = backend.world._replace(route_s=backend.world.route_s + np.array([[0], [60]], np.float32))
    assert value_on(beyond, "ego.junctions", [], [], backend.maps.arrays).tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"ego.junctions depends on the routes of the map; give the bank"):
        value_on(backend.world, "ego.junctions", [], [])


def test_the_distance_to_an_actor_is_that_to_ego_and_infinite_without_one():
    e = episode(distance=30.0, actors=(ActorSpec("van", "van", distance=10.0, side=3.0),))
    gone = replace(e, actors=(replace(e.actors[0], present=False),))
    found = value_on(started([e, gone]).world, "actors.van.distance", ["van"], [])
    assert found[0] == pytest.approx(np.hypot(20.0, 3.0), abs=0.1) and found[1] == np.inf
    assert value_in(e, "actors.van.distance") == pytest.approx(np.hypot(10.0, 3.0))
    assert value_in(gone, "actors.van.distance") == np.inf


# ------------------------------------------------------------------------------------------------ draws and twins
def test_sub_rules_are_expanded_and_the_text_is_kept(scenario):
    assert str(scenario.rule) == "left if (raining or dark) and told else right"
    assert scenario.rule_text == "left if slippery else right"
    assert {k: str(v) for k, v in scenario.definitions.items()} == {
        "wet": "raining or dark", "slippery": "wet and told",
    }  # fmt: skip
    assert str(scenario.splits["train"]) == "not ((raining or dark) and fresh)"


def test_only_what_shares_variables_is_drawn_together_and_ego_s_way_is_their_context(scenario):
    groups = {g.members: g for g in plan(scenario).groups}
    assert set(groups) == {(0, 1, 2), (3,)}
    assert groups[0, 1, 2].context == ("ego.distance", "ego.speed") and not groups[(3,)].context
    assert "signs.decoy.text" not in groups[0, 1, 2].variables, "it never says DETOUR"
    assert len(plan(scenario).cells) == 12, "fresh rain is rain"


def test_every_draw_is_of_the_cell_that_is_asked_for(scenario):
    for seed, cell in enumerate(plan(scenario).cells):
        assert tuple(valuation(scenario, sample(scenario, seed, "every", cell)).values()) == cell


def test_decisions_are_balanced(scenario):
    counts = collections.Counter(decision(scenario, e) for e in balanced_batch(scenario, range(400), "every"))
    assert abs(counts[0] - 200) < 60 and sum(counts.values()) == 400


def test_a_twin_flips_one_proposition_and_leaves_the_others_and_ego_s_way(scenario, drawn):
    flipped: collections.Counter[str] = collections.Counter()
    for e in drawn:
        v = valuation(scenario, e)
        for name in scenario.proposition_names:
            if (name == "fresh" and not v["raining"]) or (name == "raining" and v["fresh"]):
                continue  # fresh rain is rain: one cannot flip alone
            other = twin(scenario, e, name)
            assert valuation(scenario, other) == {**v, name: not v[name]}
            assert (other.distance, other.speed, other.arm) == (e.distance, e.speed, e.arm)
            assert other.signs[1] == e.signs[1], "the decoy stays"
            flipped[name] += 1
    assert all(flipped[name] >= 10 for name in scenario.proposition_names), flipped


def test_a_twin_changes_the_words_alone_where_that_will_do_and_when_it_rains_only_for_time(scenario, drawn):
    for e in drawn:
        v = valuation(scenario, e)
        told = twin(scenario, e, "told")
        assert told.changes == e.changes and told.weather == e.weather
        if e.signs[0].present and v["told"]:
            assert told.signs[0] == replace(e.signs[0], text="SCHOOL")
        dark = twin(scenario, e, "dark")
        assert dark == replace(e, weather=replace(e.weather, sun_altitude_angle=dark.weather.sun_altitude_angle))


# ----------------------------------------------------------------------------------------------------- mistakes
BAD = {
    "a circle": ("wet: raining or dark", "wet: slippery or dark", "where.wet: 'wet' and 'slippery' need each other"),
    "itself": ("wet: raining or dark", "wet: wet or dark", "'wet' needs itself; wanted no circle"),
    "below": ("slippery: wet and told", "slippery: wet and last\n  last: told", "'last' is defined below; wanted"),
    "taken": ("slippery: wet", "told: wet", "where.told: 'told' is a proposition already; wanted another name"),
    "a keyword": ("slippery: wet", "once: wet", "the name 'once' is a word of the rule language"),
    "unknown": ("slippery: wet and", "slippery: wett and", "unknown proposition 'wett'; known are raining, told"),
    "a formula for a rule": ("rule: left if slippery", "rule: wet if slippery", "'wet' is true or false, not a rule"),
    "a rule for a formula": ("slippery: wet and told", "slippery: left if wet else right", "'slippery' is a rule, not"),
    "a far actor": ("dark: weather.sun_altitude_angle < 20", "dark: actors.van.distance < 20 m",
                    "'actors.van.distance' changes on the way"),
    "an unknown earlier one": ("fresh: raining", "fresh: rainin", "unknown variable 'rainin'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_told_with_file_and_key(case: str):
    old, new, told = BAD[case]
    text = LATE.replace(old, new, 1) + "actors:\n  - {name: van, kind: van, distance: 30, speed: 3}\n"
    with pytest.raises(ScenarioError) as error:
        from_text(text, "late.yaml")
    assert told in str(error.value) and str(error.value).startswith("late.yaml:"), str(error.value)


def test_named_rules_are_joined_turn_by_turn():
    text = LATE.replace("rule: left if slippery else right", "  first: left if wet else right\n"
                        "  second: right if told else left\nrule: first then second")  # fmt: skip
    text = text.replace("generate: t_junction, arm: [60, 70]", "generate: two_turns")
    found = from_text(text)
    assert found.rule_text == "first then second"
    assert str(found.rule) == (
        "(left then right if told else left then left) if raining or dark else right then right if told else "
        "right then left"
    )
