"""Tallies: every episode once, in order, counted as agreeing only when it arrives the way that the rule says."""

from __future__ import annotations

import numpy as np
import pytest

from policies.evaluate import EvaluationResult, evaluate
from policies.expert.expert import Expert, Fixed
from scenarios.sampling.sample import balanced_batch, decision, valuation
from scenarios.scenario import Scenario, load_scenario
from sim.core.progress import NoProgress
from sim.datatypes.vocabulary import DECISION, OUTCOME
from sim.world.context import RunContext
from tests.support.worlds import SMALL


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario("rain-turn")


def test_the_expert_agrees_and_always_turning_left_agrees_by_half(scenario: Scenario) -> None:
    episodes = balanced_batch(scenario, range(40), "test")
    expert = evaluate(Expert.of(scenario), scenario, episodes, SMALL)
    assert expert.agrees.all() and expert.arrived.all()
    left = evaluate(Fixed("left"), scenario, episodes, SMALL)
    assert left.arrived.all()
    np.testing.assert_array_equal(left.agrees, left.wanted == DECISION["left"])
    assert 0 < left.agrees.mean() < 1


class Counted(NoProgress):
    """Keeps every step that it is told."""

    def __init__(self) -> None:
        self.steps: list[float] = []

    def advance(self, by: float, note: str = "") -> None:
        """Keep the step."""
        self.steps.append(by)


def test_episodes_come_back_in_order_whatever_the_number_of_worlds(scenario: Scenario) -> None:
    episodes = balanced_batch(scenario, range(11), "test")
    done = Counted()
    whole = evaluate(Expert.of(scenario), scenario, episodes, SMALL, RunContext(worlds=64))
    parts = evaluate(Expert.of(scenario), scenario, episodes, SMALL, RunContext(worlds=4, threads=1, progress=done))
    assert done.steps == [4, 4, 3]
    for name in ("cells", "wanted", "shown_decision", "outcome", "progress", "ticks", "seeds"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name), err_msg=name)
    assert whole.seeds.tolist() == [e.seed for e in episodes]
    assert whole.wanted.tolist() == [decision(scenario, e) for e in episodes]
    assert [dict(zip(whole.names, row)) for row in whole.cells.tolist()] == [valuation(scenario, e) for e in episodes]


def test_every_batch_is_handed_over_with_its_trajectory(scenario: Scenario) -> None:
    episodes, seen = balanced_batch(scenario, range(5), "test"), []
    three = RunContext(worlds=3)
    evaluate(Fixed("right"), scenario, episodes, SMALL, three, on_trajectory=lambda e, t: seen.append((list(e), t)))
    assert [len(e) for e, _ in seen] == [3, 2]
    assert all(t.episodes == tuple(e) for e, t in seen)


def test_agreeing_takes_both_the_right_way_and_arriving() -> None:
    left, right = DECISION["left"], DECISION["right"]
    arrived, crashed = OUTCOME["arrived"], OUTCOME["collision"]
    tally = EvaluationResult(
        ("p", "q"), np.array([[0, 0], [0, 1], [1, 0], [0, 1]], bool), np.array([left] * 4),
        np.array([left, right, left, -1]), np.array([arrived, arrived, crashed, crashed]),
        np.zeros(4), np.zeros(4), np.arange(4),
    )  # fmt: skip
    assert tally.agrees.tolist() == [True, False, False, False]
    assert tally.arrived.tolist() == [True, True, False, False]
    assert {k: v.tolist() for k, v in tally.by_cell().items()} == {
        (False, False): [0], (False, True): [1, 3], (True, False): [2]
    }  # fmt: skip
    assert {k: v.tolist() for k, v in tally.by_cell(["p"]).items()} == {(False,): [0, 1, 3], (True,): [2]}


def test_nothing_to_drive_is_refused(scenario: Scenario) -> None:
    with pytest.raises(ValueError, match="no episodes of rain-turn"):
        evaluate(Fixed("left"), scenario, [])
