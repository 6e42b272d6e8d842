"""Baselines that guess: what they may use, what they reach, and that they drive."""

from __future__ import annotations

import numpy as np
import pytest

from dagger.evaluation.drivers import BASELINES, choose_driver
from dagger.options import UsageError
from policies.baselines import ContextBaseline
from policies.evaluate import evaluate
from scenarios.checks.baselines import ContextGuess, agreement, best_single, single_rules
from scenarios.checks.leak_check import legitimate
from scenarios.sampling.sample import balanced_batch, cells, decision, shares, twin
from scenarios.scenario import Scenario, from_text, load_scenario
from sim.datatypes.camera import Camera
from sim.datatypes.vocabulary import DECISION
from sim.world.context import RunContext
from sim.world.rollout import PrivilegedInput
from tests.support.worlds import rows

SMALL = Camera(width=24, height=16)


@pytest.fixture(scope="module")
def rain() -> Scenario:
    return load_scenario("rain-turn")


def test_leak_only_is_at_chance_where_nothing_leaks_and_perfect_where_something_does(rain: Scenario) -> None:
    for scenario, low, high in ((rain, 0.3, 0.65), (load_scenario("rain-turn-shortcut"), 1.0, 1.0)):
        drawn = balanced_batch(scenario, range(200), "test")
        right = (ContextGuess(scenario)(drawn) == [decision(scenario, e) for e in drawn]).mean()
        assert low <= right <= high, scenario.name


def test_leak_only_never_reads_what_the_rule_may_read(rain: Scenario) -> None:
    guess = ContextGuess(rain)
    assert not set(guess.variables) & legitimate(rain) and "weather.cloudiness" in guess.variables
    drawn = balanced_batch(rain, range(60), "test")
    assert (guess(drawn) == guess([twin(rain, e, "raining") for e in drawn])).all()


def test_leak_only_says_the_one_decision_that_there_is() -> None:
    text = "name: a\npropositions: {fast: ego.speed > 6}\nego: {speed: [4, 8]}\nrule: "
    assert (
        ContextGuess(from_text(text + "left"))(balanced_batch(from_text(text + "left"), range(3))) == DECISION["left"]
    ).all()
    assert ContextGuess(from_text(text + "left if fast else right"))([]).shape == (0,)


def test_shares_are_how_often_cells_are_drawn(rain: Scenario) -> None:
    from scenarios.sampling.sample import valuation

    wanted = shares(rain, "train")
    assert set(wanted) == set(cells(rain, "train")) and sum(wanted.values()) == pytest.approx(1.0)
    drawn = [tuple(valuation(rain, e).values()) for e in balanced_batch(rain, range(3000), "train")]
    for cell, share in wanted.items():  # four standard deviations of a share of 3000
        assert abs(drawn.count(cell) / 3000 - share) < 4 * np.sqrt(share * (1 - share) / 3000), cell


@pytest.mark.parametrize(
    ("name", "split", "best"),
    [("rain-and-night", "test", 5 / 6), ("rain-xor-night", "test", 0.5), ("rain-turn-shortcut", "test", 1.0)],
)
def test_best_single_agrees_as_often_as_any_rule_of_one_proposition(name: str, split: str, best: float) -> None:
    scenario = load_scenario(name)
    weights = shares(scenario, split)

    def often(rule: object) -> float:
        return float(np.array(list(weights.values())) @ agreement(scenario, rule, list(weights)))  # type: ignore[arg-type]

    rules = single_rules(scenario)
    assert often(best_single(scenario, split)) == pytest.approx(max(map(often, rules))) == pytest.approx(best)
    assert "left" in map(str, rules), "a constant decision is a candidate"


def test_best_single_is_never_the_hidden_rule_in_other_words(rain: Scenario) -> None:
    found = set(map(str, single_rules(rain)))
    assert "left if raining else right" not in found and "right if raining else left" in found


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_drives_as_the_expert_does_and_shows_the_decision_that_it_predicts(name: str) -> None:
    scenario = load_scenario("rain-and-night")
    drawn = balanced_batch(scenario, range(24), "test")
    policy = choose_driver(name).of(scenario, "test")
    assert isinstance(policy, ContextBaseline)
    tally = evaluate(policy, scenario, drawn, SMALL, RunContext(worlds=16))
    assert tally.arrived.all() and (tally.shown_decision == policy.guess(drawn)).all()
    assert 0 < tally.agrees.sum() < 24


def test_a_baseline_needs_the_episode(rain: Scenario) -> None:
    from sim.world.embedded import EmbeddedWorld
    from tests.support.worlds import truth

    backend = EmbeddedWorld(2, SMALL, threads=1)
    backend.reset(balanced_batch(rain, range(2)))
    policy = ContextBaseline(lambda episodes: np.array([e.seed for e in episodes]))
    bare = PrivilegedInput(rows(truth(backend).world, [0, 1]), backend.maps, np.arange(2))
    with pytest.raises(ValueError, match="2 worlds came with 0 episodes"):
        policy.act(bare, policy.begin(2))


@pytest.mark.parametrize("name", [*BASELINES, "left"])
def test_a_predicted_decision_without_a_route_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="drives no route"):
        choose_driver(name).of(None, "")
