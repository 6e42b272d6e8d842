"""Formulas, a chain of them, and words to be put together with the weather: driven, twinned, and held out as said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from policies.expert.expert import Expert
from scenarios.checks.baselines import agreement, best_single
from scenarios.rules.compile import evaluate
from scenarios.sampling.plan import plan
from scenarios.sampling.sample import balanced_batch, cells, decision, shares, slots_needed, twin, valuation
from scenarios.scenario import ALL_EPISODES, Scenario, load_scenario
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import DECISION, OUTCOME
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import PrivilegedInput, observe_for, rollout

LOGIC = ("logic-and", "logic-or", "logic-xor", "logic-implies", "logic-majority")
FAMILIES = (*LOGIC, "chain", "sign-and-weather")
SEEDS = range(16)


def driven(scenario: Scenario, episodes: Sequence[Episode]) -> tuple[np.ndarray, np.ndarray]:
    """Decisions that the expert took, and outcomes: (n,) each."""
    trajectory = rollout(EmbeddedWorld(len(episodes), None, slots_needed(scenario)), Expert.of(scenario), episodes)
    return trajectory.shown_decision, trajectory.outcome


@pytest.mark.parametrize("name", FAMILIES)
def test_the_expert_arrives_where_the_rule_says(name: str) -> None:
    scenario = load_scenario(name)
    episodes = balanced_batch(scenario, SEEDS, "test")
    shown_decision, outcome = driven(scenario, episodes)
    assert (outcome == OUTCOME["arrived"]).all()
    assert shown_decision.tolist() == [decision(scenario, e) for e in episodes]
    assert len(set(shown_decision.tolist())) > 1


@pytest.mark.parametrize("name", FAMILIES)
def test_in_twins_the_expert_turns_elsewhere_where_the_rule_does_and_nowhere_else(name: str) -> None:
    scenario = load_scenario(name)
    one = balanced_batch(scenario, range(100, 104), "test")
    before, _ = driven(scenario, one)
    for proposition in scenario.proposition_names:
        others = [twin(scenario, e, proposition) for e in one]
        after, _ = driven(scenario, others)
        flips = [decision(scenario, a) != decision(scenario, b) for a, b in zip(one, others)]
        assert (before != after).tolist() == flips, proposition


def truth(name: str, v: dict[str, bool]) -> bool:
    """The formulas again, in Python: whether the driver turns left."""
    return {
        "logic-and": v["truck"] and v["barrier_open"],
        "logic-or": v["raining"] or v["truck"],
        "logic-xor": v["raining"] != v["barrier_open"],
        "logic-implies": not v["night"] or v["barrier_open"],
        "logic-majority": v["raining"] + v["night"] + v["truck"] >= 2,
    }[name]


@pytest.mark.parametrize("name", LOGIC)
def test_the_rule_is_its_name_and_training_has_every_cell_of_what_it_reads(name: str) -> None:
    scenario = load_scenario(name)
    names = scenario.proposition_names
    table = plan(scenario).decision
    assert all((d == DECISION["left"]) == truth(name, dict(zip(names, c))) for c, d in table.items())
    read = [i for i in range(len(names)) if any(d != table[_flipped(c, i)] for c, d in table.items())]
    assert len(read) == (3 if name == "logic-majority" else 2)
    seen = {tuple(c[i] for i in read) for c in cells(scenario, "train")}
    assert len(seen) == 2 ** len(read)
    alone = {i: {c[i] for c in cells(scenario, "train")} for i in range(len(names)) if i not in read}
    assert all(values == {False, True} for values in alone.values())


def _flipped(cell: tuple[bool, ...], i: int) -> tuple[bool, ...]:
    return (*cell[:i], not cell[i], *cell[i + 1 :])


@pytest.mark.parametrize(("name", "most"), [("logic-xor", 0.5), ("sign-and-weather", 0.5), ("logic-majority", 0.8)])
def test_one_proposition_alone_does_not_do(name: str, most: float) -> None:
    scenario = load_scenario(name)
    often = shares(scenario, "test")
    rule = best_single(scenario, "test")
    assert float(agreement(scenario, rule, list(often)) @ np.array(list(often.values()))) <= most + 1e-9


# ---------------------------------------------------------------------------------------------------------- the chain
def links(v: dict[str, bool]) -> int:
    """How many links the shortest chain has from what is seen to the last thing that it makes true."""
    wet = 1 if v["raining"] or v["puddles"] else 9
    slippery = 1 if v["ice"] else 1 + wet if v["night"] else 9
    dangerous = 1 + slippery if v["truck"] else 9
    return next((n for n in (dangerous, slippery) if n < 9), 0)


def test_training_shows_every_link_and_no_chain_of_three() -> None:
    scenario = load_scenario("chain")
    names = scenario.proposition_names
    trained = [dict(zip(names, c)) for c in cells(scenario, "train")]
    held_out = [dict(zip(names, c)) for c in set(cells(scenario, ALL_EPISODES)) - set(cells(scenario, "train"))]
    assert {links(v) for v in trained} == {0, 1, 2} and {links(v) for v in held_out} == {3}
    off = dict.fromkeys(names, False)
    for one_more in ({"raining": True}, {"puddles": True}):  # water makes wet, and wet freezes at night
        on = off | one_more | {"night": True}
        assert on in trained and evaluate(scenario.rule, on) == DECISION["right"]
        assert all(off | alone in trained for alone in (one_more, {"night": True}))
    for on, says in (({"ice": True}, "right"), ({"ice": True, "truck": True}, "left"), ({"truck": True}, "straight")):
        assert off | on in trained and evaluate(scenario.rule, off | on) == DECISION[says]
    assert {int(evaluate(scenario.rule, v)) for v in held_out} == {DECISION["left"]}


# ---------------------------------------------------------------------------------------------------------- the words
def test_a_board_is_read_on_the_way_and_counts_from_then_on() -> None:
    scenario = load_scenario("sign-and-weather")
    episodes = [e for e in balanced_batch(scenario, range(12), "test") if valuation(scenario, e)["if_wet"]]
    backend = EmbeddedWorld(len(episodes), None, slots_needed(scenario))
    backend.reset(episodes)
    expert, slots = Expert.of(scenario), np.arange(len(episodes))
    memory, read = expert.begin(len(episodes)), np.zeros(len(episodes), bool)
    known = []
    for _ in range(60):
        seen = observe_for(backend, "state", slots)
        assert isinstance(seen, PrivilegedInput)
        label = expert.label(seen, memory)
        memory = label.memory
        read |= seen.state.signs.readable[:, 0]
        assert (label.facts["if_wet"] == read).all()
        known.append(read.copy())
        backend.step(label.action.spread(slots, len(slots)))
    assert not known[0].all() and known[-1].all()


def test_the_second_board_has_words_of_the_first_and_no_say() -> None:
    scenario = load_scenario("sign-and-weather")
    texts = {s.name: set(s.text.options) for s in scenario.signs}  # type: ignore[attr-defined]
    words = {w: {part.strip(":") for text in texts[w] for part in text.split()} for w in texts}
    assert {"WET", "DRY", "LEFT"} <= words["board"] & words["decoy"] and not texts["board"] & texts["decoy"]
