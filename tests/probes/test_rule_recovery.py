"""A rule is read from outcomes only where the evidence is there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.rule_recovery import recover
from scenarios.rules.logic import all_cells, equivalent, truth_table
from scenarios.rules.parse import parse_rule

NAMES = ("raining", "night", "oncoming")
RULES = [
    "left if raining else right",
    "left if raining xor night else right",
    "right if night and not oncoming else left",
    "straight if oncoming else left if raining else right",
    "right",
]


def outcomes(text, runs=40, wrong=2, astray=1):
    """Counts of a driver that obeys the rule but for a few runs."""
    table = truth_table(parse_rule(text), NAMES)
    counts = {}
    for cell, decision in table.items():
        row = [0, 0, 0, astray]
        row[decision] = runs - wrong - astray
        row[(decision + 1) % 2] += wrong
        counts[cell] = tuple(row)
    return counts


@pytest.mark.parametrize("text", RULES)
def test_the_rule_of_a_driver_who_errs_a_little_is_recovered(text):
    found = recover(NAMES, outcomes(text))
    assert found.complete and found.same_as(parse_rule(text)) and not found.undecided
    assert equivalent(parse_rule(str(found.rule)), parse_rule(text))
    assert set(found.used) == {n for n in NAMES if n in text}
    for other in RULES:
        assert found.same_as(parse_rule(other)) == (other == text)


def test_the_formulas_are_minimal():
    found = recover(NAMES, outcomes("left if raining xor night else right"))
    assert str(found) == "left if raining and not night or not raining and night else right"
    assert found.sop == "left: raining and not night or not raining and night"
    assert found.anf == "left: raining xor night"
    assert recover(NAMES, outcomes("right")).sop == "right: true"


def test_a_cell_without_enough_evidence_stays_undecided_and_spoils_the_rule():
    counts = outcomes("left if raining else right")
    for doubtful in [(26, 14, 0, 0), (3, 0, 0, 0), (0, 0, 0, 40), (30, 0, 0, 10), (20, 20, 0, 0)]:
        counts[(True, False, True)] = doubtful
        found = recover(NAMES, counts)
        assert found.undecided == ("raining, not night, oncoming",), doubtful
        assert found.rule is None and found.sop is None and not found.same_as(parse_rule("left if raining else right"))
        assert str(found) == "not recovered: 1 of 8 cells undecided (raining, not night, oncoming)"
    del counts[(True, False, True)]
    assert recover(NAMES, counts).undecided == ("raining, not night, oncoming",)


def test_the_cells_that_disagree_are_named_even_when_the_rule_is_incomplete():
    counts = outcomes("left if raining else right")
    counts[(False, True, False)], counts[(False, False, False)] = (40, 0, 0, 0), (20, 20, 0, 0)
    found = recover(NAMES, counts)
    assert found.disagreements(parse_rule("left if raining else right")) == ("not raining, night, not oncoming",)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(*[st.integers(0, 30)] * 4), min_size=8, max_size=8))
def test_a_complete_rule_agrees_with_the_majority_of_every_cell(rows):
    cells = all_cells(3)
    found = recover(NAMES, dict(zip(cells, rows)))
    for verdict, row in zip(found.cells, rows):
        if verdict.decision is not None:
            assert row[verdict.decision] >= 0.8 * sum(row)
    if found.complete:
        assert truth_table(found.rule, NAMES) == {c: int(np.argmax(r[:3])) for c, r in zip(cells, rows)}


def test_bad_outcomes_are_refused():
    with pytest.raises(ValueError, match="wanted one for each of"):
        recover(NAMES, {(True,): (1, 0, 0, 0)})
    with pytest.raises(ValueError, match=r"wanted \(left, right, straight, none\)"):
        recover(("a",), {(True,): (1, 0, 0)})
