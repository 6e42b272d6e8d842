"""A scenario on the motorway exit: the expert leaves or stays, as the rule says."""

from __future__ import annotations

from policies.evaluate import evaluate
from policies.expert.expert import Expert
from scenarios.sampling.sample import balanced_batch
from scenarios.scenario import from_text
from sim.datatypes.vocabulary import DECISIONS

SCENARIO = """\
name: exit-in-rain
description: In rain the driver leaves the motorway.
map: {generate: motorway_exit, lanes: {choice: [2, 3]}, arm: {choice: [80, 100]}}
ego: {start: west, speed: [7, 9], distance: [30, 50]}
weather: {precipitation: {choice: [0, 70]}}
propositions: {raining: weather.precipitation > 20}
rule: exit 1 if raining else straight
time_limit: 60
"""


def test_an_expert_drives_both_ways_of_a_scenario():
    scenario = from_text(SCENARIO)
    tally = evaluate(Expert.of(scenario), scenario, balanced_batch(scenario, range(12)))
    assert tally.agrees.all() and tally.arrived.all()
    assert {DECISIONS[d] for d in tally.shown_decision.tolist()} == {"straight", "exit 1"}
