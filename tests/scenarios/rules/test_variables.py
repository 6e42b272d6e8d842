"""The registry of variables: what a declaration must hold, and that draws, approaches and worlds agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from policies.evaluate import evaluate
from policies.expert.expert import Expert
from scenarios.checks.leak_check import legitimate
from scenarios.reading.yaml import ScenarioError
from scenarios.rules.propositions import parse_proposition
from scenarios.rules.units import FAMILIES as UNITS
from scenarios.rules.variables import declared, drawn_in, event_of, known_variables, shown, value_in, value_on
from scenarios.rules.variables.base import FAMILIES, VARIABLES, Family, family, find, variable
from scenarios.sampling.sample import balanced_batch, decision, slots_needed, twin, valuation
from scenarios.scenario import from_text, truth_of
from sim.actors.registry import BODIES
from sim.datatypes.episode import ActorSpec, TrafficSpec
from sim.world.embedded import EmbeddedWorld
from tests.support.worlds import SMALL, episode, started

LONG = """\
name: long-vehicle
map: {generate: t_junction, arm: 40}
actors:
  - {name: other, kind: {choice: [car, van, truck]}, arm: west, lane: outbound, distance: 12, side: 3.6,
     present: {choice: [true, true, false]}}
propositions: {long: actors.other.length > 6 m}
rule: left if long else right
"""


# ------------------------------------------------------------------------------------------------- declarations
def test_every_variable_has_a_meaning_and_a_known_unit() -> None:
    for pattern, v in VARIABLES.items():
        assert v.doc and (v.unit is None or v.unit in UNITS), pattern
        assert FAMILIES[v.family.head] is v.family


def test_every_known_variable_is_found_by_its_name() -> None:
    known = known_variables(["van"], ["board"], traffic=True)
    assert known[0] == "ego.speed" and len(set(known)) == len(known) > 30
    for name in known:
        of = declared(name)
        assert of is not None and of.named(find(name).name) == name
    assert find('sign("DETOUR AHEAD")').name == "DETOUR AHEAD" and find("number(signs.board)").name == "board"
    assert find("map.arm").name == "arm" and declared("actors.van.colour") is None


def test_what_makes_a_variable_observable_is_declared_with_it() -> None:
    assert find("signs.board.text").conditions == {"signs.board.present": True, "signs.board.kind": "text"}
    assert find("number(signs.board)").conditions == find("signs.board.text").conditions
    assert find("actors.van.speed").conditions == {"actors.van.present": True}
    assert find("actors.van.colour").conditions == find("actors.van.speed").conditions
    assert not find("actors.van.present").conditions and not find('sign("DETOUR")').conditions
    assert (event_of("junction"), event_of("ego.speed")) == ("ego.junctions", None)


@pytest.mark.parametrize(
    ("pattern", "type_", "told"),
    [
        ("ego.speed", "number", "the variable 'ego.speed' is declared already; wanted another name"),
        ("ego.mood", "feeling", "has the type 'feeling'; known are truth, number, words"),
        ("ego.heading", "number", "the variable 'ego.heading' has the unit 'degrees'; known are speed, length, angle"),
    ],
)
def test_a_declaration_that_does_not_fit_is_refused(pattern: str, type_: str, told: str) -> None:
    before = dict(VARIABLES)
    with pytest.raises(ValueError, match=told):
        variable(FAMILIES["ego"], pattern, "a test", type_, lambda scene, name: scene.world.speed[:, 0], unit="degrees")
    assert before == VARIABLES


def test_a_family_is_declared_once() -> None:
    with pytest.raises(ValueError, match="the family 'ego' is declared already"):
        family(Family("ego", "a test", 0, lambda episode, rest: None))


# ------------------------------------------------------------------------------------------- the length of an actor
def test_the_length_of_an_actor_is_its_bodys_in_draws_and_worlds_and_0_for_an_absent_one() -> None:
    drawn = [episode(actors=(ActorSpec("van", kind, distance=10.0),)) for kind in ("car", "van", "truck")]
    drawn.append(replace(drawn[2], actors=(replace(drawn[2].actors[0], present=False),)))
    lengths = [BODIES["car"].length, BODIES["van"].length, BODIES["truck"].length, 0.0]
    assert [value_in(e, "actors.van.length") for e in drawn] == lengths
    assert np.allclose(value_on(started(drawn).world, "actors.van.length", ["van"], []), lengths)
    values = {
        "actors.van.kind": np.array(["car", "truck", "truck"]),
        "actors.van.present": np.array([True, True, False]),
    }
    assert shown("actors.van.length", values.__getitem__).tolist() == [lengths[0], lengths[2], 0.0]


def test_a_rule_may_read_a_length_that_no_draw_holds_but_through_the_kind() -> None:
    scenario = from_text(LONG)
    assert scenario.propositions[0].variables == ("actors.other.kind",)
    assert legitimate(scenario) == {"actors.other.kind", "actors.other.present"}
    drawn = balanced_batch(scenario, range(24))
    backend = EmbeddedWorld(len(drawn), SMALL, slots_needed(scenario))
    backend.reset(drawn)
    truths = truth_of(scenario, backend.world)["long"].tolist()
    assert truths == [valuation(scenario, e)["long"] for e in drawn] and {True, False} == set(truths)
    for e in drawn:
        other = twin(scenario, e, "long").actors[0]
        assert decision(scenario, twin(scenario, e, "long")) != decision(scenario, e)
        assert other == replace(e.actors[0], kind=other.kind, present=True)
    assert evaluate(Expert.of(scenario), scenario, drawn[:8]).agrees.all()


def test_a_length_has_units_of_length() -> None:
    assert parse_proposition("p", "actors.van.length > 600 cm", ["van"]).on_episode(
        episode(actors=(ActorSpec("van", "truck"),))
    )
    with pytest.raises(
        ScenarioError, match=r"'actors.other.length' is in m, which 's' does not fit; known are m, km, cm"
    ):
        from_text(LONG.replace("6 m", "6 s"))


# --------------------------------------------------------------------------------------------------- on the way
@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("always actors.van.length > 5 m", True),
        ("once actors.van.length < 5 m", False),
        ("throughout[0s, 1s] map.arm > 30", True),
        ("once traffic.lights", True),
    ],
)
def test_a_condition_on_the_past_may_read_what_does_not_change(text: str, holds: bool) -> None:
    e = episode(actors=(ActorSpec("van", "van", distance=10.0),), traffic=TrafficSpec())
    assert drawn_in(e, "map.arm") == 40.0
    assert parse_proposition("p", text, ["van"], traffic=True, more=["map.arm"]).on_episode(e) is holds
