"""A decision for a lane is driven as a lane change and read from where ego is."""

from __future__ import annotations

import numpy as np

from policies.evaluate import evaluate
from policies.expert.expert import Expert, Fixed
from scenarios.sampling.sample import balanced_batch, slots_needed
from scenarios.scenario import from_text
from sim.datatypes.vocabulary import DECISION
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import rollout

LANES = """\
name: lane-by-rain
map: {generate: grid_town, blocks_x: 2, blocks_y: 2, block: 120, lanes: 2, junction: crossroads}
ego: {start: south, way: straight, speed: [5, 7], distance: [50, 56]}
weather: {precipitation: {choice: [0, 70]}}
propositions: {raining: weather.precipitation > 20}
rule: lane 2 if raining else lane 1
decision: {lane: {from: -45, to: -8}}
time_limit: 40
"""


def test_the_expert_changes_lanes_where_the_rule_says_so() -> None:
    scenario = from_text(LANES)
    tally = evaluate(Expert.of(scenario), scenario, balanced_batch(scenario, range(12)))
    assert tally.agrees.all() and len(set(tally.shown_decision.tolist())) == 2


def test_a_change_is_smooth_and_ends_in_the_middle_of_the_other_lane() -> None:
    scenario = from_text(LANES)
    (one,) = balanced_batch(scenario, [3])
    backend, offsets = EmbeddedWorld(1, None, slots_needed(scenario)), []
    found = rollout(
        backend, Fixed("lane 2", decision_spec=scenario.decision_spec), [one],
        lambda tick, slots: offsets.append(float(backend.world.route_offset[0, 0])),
    )  # fmt: skip
    assert found.shown_decision[0] == DECISION["lane 2"]
    width = offsets[-1]
    assert 3.0 < width < 4.2 and max(offsets) < width + 0.25 and min(offsets) > -0.25
    assert np.abs(np.diff(offsets)).max() < 0.25  # [m] a tick: under 2.5 m/s across
