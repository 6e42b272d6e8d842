"""A decision for a time gap is driven as car following and read from the distance kept."""

from __future__ import annotations

import pytest

from policies.evaluate import evaluate
from policies.expert.expert import Expert, Fixed
from policies.expert.maneuvers.registry import MANEUVERS, maneuver_for
from scenarios.reading.yaml import ScenarioError
from scenarios.sampling.sample import balanced_batch
from scenarios.scenario import from_text
from sim.datatypes.episode import DecisionSpec
from sim.datatypes.vocabulary import DECISIONS
from sim.world.decisions.registry import KINDS

GAP = """\
name: distance-in-rain
map: {generate: crosswalk, arm: 150}
ego: {start: west, speed: [4, 6], distance: [125, 135]}
weather: {precipitation: {choice: [0, 70]}, fog_density: {choice: [0, 60]}}
actors:
  - {name: leader, kind: {choice: [car, van, truck]}, arm: west, distance: [100, 108], speed: [4.5, 5.5],
     turn: straight}
propositions: {raining: weather.precipitation > 20, foggy: weather.fog_density > 30}
rule: gap 3 if foggy else gap 2 if raining else gap 1
decision: {gap: {actors: [leader], from: -50, to: -5}}
time_limit: 60
"""


def test_the_expert_keeps_the_gap_that_the_rule_says() -> None:
    scenario = from_text(GAP)
    tally = evaluate(Expert.of(scenario), scenario, balanced_batch(scenario, range(24)))
    assert tally.agrees.all() and tally.arrived.all()
    assert {DECISIONS[d] for d in tally.shown_decision.tolist()} == {"gap 1", "gap 2", "gap 3"}


@pytest.mark.parametrize("word", KINDS["gap"].words)
def test_every_gap_can_be_driven_in_every_weather(word: str) -> None:
    scenario = from_text(GAP)
    driver = Fixed(word, decision_spec=scenario.decision_spec)
    tally = evaluate(driver, scenario, balanced_batch(scenario, range(8)))
    assert tally.arrived.all() and {DECISIONS[d] for d in tally.shown_decision.tolist()} == {word}


def test_every_kind_that_is_no_way_out_has_a_maneuver() -> None:
    assert set(MANEUVERS) == set(KINDS) - {"junction"}
    with pytest.raises(ValueError, match=r"no maneuver for decisions of kind 'gab'; known are .*; did you mean 'gap'"):
        maneuver_for(DecisionSpec("gab"))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("{gap: [leader]}", r"gap: found ['leader']; wanted a stretch, such as {actors: [leader], from: -45, to: -10}"),
        ("{gap: {from: -50, to: -5}}", "gap: found None; wanted a list of actors, such as {actors: [leader], from"),
        ("{gap: {actors: [lorry], from: -50, to: -5}}", "unknown actor 'lorry'; known are leader"),
        ("{gap: {actors: [leader], from: -5, to: -50}}", "wanted it to end behind its begin"),
    ],
)
def test_a_gap_without_its_actors_or_its_stretch_is_refused(said: str, told: str) -> None:
    with pytest.raises(ScenarioError) as error:
        from_text(GAP.replace("{gap: {actors: [leader], from: -50, to: -5}}", said))
    assert told in str(error.value)
