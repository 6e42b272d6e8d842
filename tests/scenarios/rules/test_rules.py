"""Rules: text to tree to verdict, and their logic."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.reading.errors import RuleError
from scenarios.rules import logic
from scenarios.rules.ast import (
    Comparison,
    Constant,
    Decision,
    IfElse,
    Name,
    RuleSequence,
    decisions,
    names,
    without_joins,
)
from scenarios.rules.compile import evaluate, evaluate_formula
from scenarios.rules.numbers import Number
from scenarios.rules.operators.base import OPERATORS, Binary
from scenarios.rules.operators.conjunction import And
from scenarios.rules.operators.disjunction import Or
from scenarios.rules.operators.equivalence import Iff
from scenarios.rules.operators.exclusive_or import Xor
from scenarios.rules.operators.implication import Implies
from scenarios.rules.operators.negation import Not
from scenarios.rules.parse import check_name, expanded, parse_formula, parse_rule
from sim.datatypes.vocabulary import DECISIONS, TURNS
from tests.reference.rules import truth, verdict

NAMES = ("raining", "night", "oncoming", "iffy")


@st.composite
def countings(draw, inner):
    """A comparison of how many formulas hold, such as `count(raining, night) + 1 > 2`."""
    count = st.lists(inner, min_size=2, max_size=3).map(lambda trees: Number("count", tuple(trees)))
    literal = st.integers(0, 4).map(lambda n: Number("literal", (float(n),)))
    sums = st.tuples(st.sampled_from(["add", "subtract", "multiply", "most"]), count, literal)
    side = st.one_of(count, literal, sums.map(lambda t: Number(t[0], t[1:])))
    sign = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
    return Comparison((draw(count), draw(side)), (draw(sign),))


formulas = st.recursive(
    st.one_of(st.sampled_from(NAMES).map(Name), st.booleans().map(Constant)),
    lambda inner: st.one_of(
        countings(inner),
        *(st.builds(o, *[inner] * (2 if issubclass(o, Binary) else 1)) for o in OPERATORS.values() if not o.temporal),
    ),
    max_leaves=8,
)
rules = st.recursive(
    st.sampled_from(DECISIONS).map(Decision),
    lambda inner: st.tuples(inner, formulas, inner).map(lambda t: IfElse(*t)),
    max_leaves=4,
)
turns = st.recursive(
    st.sampled_from(TURNS).map(Decision),
    lambda inner: st.tuples(inner, formulas, inner).map(lambda t: IfElse(*t)),
    max_leaves=3,
)
pairs = (
    st.tuples(turns, turns)
    .filter(lambda t: not all(isinstance(r, Decision) for r in t))
    .map(lambda t: RuleSequence(*t))
)
CELLS = logic.all_cells(len(NAMES))


@given(rules)
def test_a_printed_rule_reads_back_as_itself(rule):
    assert parse_rule(str(rule), NAMES) == rule


@given(pairs)
def test_a_printed_pair_of_turns_reads_back_as_itself_and_decides_both(pair):
    assert parse_rule(str(pair), NAMES) == pair
    table = logic.truth_table(pair, NAMES)
    first, second = logic.truth_table(pair.first, NAMES), logic.truth_table(pair.second, NAMES)
    assert all(DECISIONS[d] == f"{DECISIONS[first[c]]} then {DECISIONS[second[c]]}" for c, d in table.items())
    assert logic.equivalent(pair, without_joins(pair))


@pytest.mark.parametrize("decision", DECISIONS)
def test_every_decision_can_be_written(decision):
    assert parse_rule(decision) == Decision(decision)
    assert parse_rule(f"{decision} if raining else left").then == Decision(decision)


def test_names_of_rules_and_formulas_are_kept_and_expanded():
    defined = {"wet": parse_formula("a or b"), "first": parse_rule("left if c else right")}
    defined["slippery"] = parse_formula("wet and c", None, defined)
    rule = parse_rule("first then left if slippery else exit 2", list("abc"), defined)
    assert str(rule) == "first then left if slippery else exit 2" and names(rule) == ("slippery",)
    whole = expanded(rule, defined)
    assert str(whole) == "(left then left if c else right then left) if (a or b) and c else exit 2"
    assert decisions(whole) == ("left then left", "right then left", "exit 2")
    with pytest.raises(RuleError, match=r"'slippery' is true or false, not a rule; wanted a decision here"):
        parse_rule("slippery if a else left", list("abc"), defined)


@given(formulas)
def test_a_printed_formula_reads_back_as_itself(formula):
    assert parse_formula(str(formula), NAMES) == formula


@given(formulas)
def test_no_pair_of_printed_brackets_can_be_left_out(formula):
    text = str(formula)
    opened = [i for i, c in enumerate(text) if c == "(" and text[max(i - 1, 0)] in " ("]  # not those of a count
    for start in opened:
        depth, end = 0, start
        for end in range(start, len(text)):
            depth += (text[end] == "(") - (text[end] == ")")
            if depth == 0:
                break
        shorter = text[:start] + text[start + 1 : end] + text[end + 1 :]
        try:
            assert parse_formula(shorter) != formula, f"{text} could be {shorter}"
        except RuleError:
            pass


def test_the_binding_order_is_not_and_xor_or_implies_iff():
    tree = parse_formula("not a and b xor c or d implies e iff f")
    a, b, c, d, e, f = map(Name, "abcdef")
    assert tree == Iff(Implies(Or(Xor(And(Not(a), b), c), d), e), f)


def test_implies_groups_to_the_right_and_the_others_to_the_left():
    a, b, c = map(Name, "abc")
    assert parse_formula("a implies b implies c") == Implies(a, Implies(b, c))
    assert parse_formula("a iff b iff c") == Iff(Iff(a, b), c)
    assert parse_formula("a and b and c") == And(And(a, b), c)


def test_nested_choices_group_as_in_python():
    rule = parse_rule("left if a else right if b else straight")
    assert rule == IfElse(Decision("left"), Name("a"), IfElse(Decision("right"), Name("b"), Decision("straight")))
    assert parse_rule("(left if a else right) if b else straight").then == IfElse(
        Decision("left"), Name("a"), Decision("right")
    )
    assert decisions(rule) == ("left", "right", "straight") and names(rule) == ("a", "b")


@given(rules, st.lists(st.sampled_from(CELLS), max_size=6))
def test_the_batch_decides_as_the_slow_twin_does_one_by_one(rule, cells):
    batch = logic.valuation_of(NAMES, cells)
    expected = [DECISIONS.index(verdict(rule, dict(zip(NAMES, cell)))) for cell in cells]
    found = evaluate(rule, batch)
    assert found.tolist() == expected
    assert np.issubdtype(found.dtype, np.integer)


@given(formulas)
def test_formulas_hold_as_the_slow_twin_says(formula):
    found = evaluate_formula(formula, logic.valuation_of(NAMES, CELLS))
    assert found.dtype == bool
    assert found.tolist() == [truth(formula, dict(zip(NAMES, cell))) for cell in CELLS]


def test_a_valuation_without_the_proposition_or_of_another_type_is_refused():
    rule = parse_rule("left if raining else right")
    with pytest.raises(
        ValueError, match=r"no value for proposition 'raining'; given are rainig; did you mean 'rainig'"
    ):
        evaluate(rule, {"rainig": np.array([True])})
    with pytest.raises(ValueError, match=r"'raining' has values of type float64; wanted bool"):
        evaluate(rule, {"raining": np.array([0.7])})


@pytest.mark.parametrize(
    ("text", "said", "pointed"),
    [
        ("left if rainng else right", "unknown proposition 'rainng'; known are raining, night, oncoming", "rainng"),
        ("lft if raining else right", "unknown decision 'lft'; known are left, right, straight", "lft"),
        ("left if raining", "ends too early", ""),
        ("left if else right", "'else' is not expected here", "else"),
        ("left iff raining else right", "'iff' is not expected here; did you mean 'if'?", "iff"),
        ("left if raining & night else right", "the character '&' is not expected", "&"),
        ("exit 9 if raining else exit 1", "unknown decision 'exit 9'; known are left, right", "exit 9"),
        ("exit if raining else right", "lane 1 to 3, place 1 to 4, gap 1 to 3, and two turns", "exit"),
        ("yeild if raining else right", "did you mean 'yield'?", "yeild"),
        ("wait then left", "'then' joins turns, and 'wait' is none; wanted left, right, straight", "wait"),
        ("left if once raining else right", "'once' is about the past, which only the text of a", "once raining"),
        ("left if count(raining) > 1 else right", "which only a proposition may use", "count(raining)"),
        ("left if raining > 1 else right", "'raining' is true or false, not a number", "raining"),
        ('left if sign("A") else right', "reads the world, which only the text of a proposition may", '"A"'),
        ("left ifraining else right", "'ifraining' is not expected here", "ifraining"),
        ("left if raining else right right", "'right' is not expected here", "right"),
        ("", "ends too early", ""),
    ],
)
def test_a_bad_rule_is_told_in_a_sentence_with_a_caret_under_the_word(text, said, pointed):
    with pytest.raises(RuleError) as caught:
        parse_rule(text, NAMES)
    message = str(caught.value)
    assert said in message
    _, line, caret = message.split("\n")
    assert line.strip() == text
    if pointed:
        under = line[caret.index("^") : caret.index("^") + caret.count("^")]
        assert under == pointed


def test_the_caret_stands_in_the_right_line_of_a_long_rule():
    with pytest.raises(RuleError) as caught:
        parse_rule("left if raining\n  else right if nigth\n  else right", NAMES)
    assert "did you mean 'night'?" in str(caught.value)
    assert "\n      else right if nigth\n" in str(caught.value)


@pytest.mark.parametrize("name", ["if", "left", "stop", "two words", "1st", "", "straße"])
def test_what_cannot_name_a_proposition_is_refused(name):
    with pytest.raises(RuleError, match="proposition name"):
        check_name(name)


# ------------------------------------------------------------------------------------------------- logic
@settings(max_examples=30)
@given(rules, rules)
def test_equivalence_by_sat_is_equality_of_truth_tables(a, b):
    same = logic.truth_table(a, NAMES) == logic.truth_table(b, NAMES)
    assert logic.equivalent(a, b) == same


@settings(max_examples=30)
@given(formulas)
def test_minimal_and_algebraic_forms_are_equivalent_to_the_formula(formula):
    columns = logic.valuation_of(NAMES, CELLS)
    expected = evaluate_formula(formula, columns).tolist()
    for form in (logic.simplified(formula), logic.anf(formula)):
        assert evaluate_formula(form, columns).tolist() == expected


def test_rules_over_different_propositions_can_be_equivalent():
    assert logic.equivalent(
        parse_rule("left if raining and (night or not night) else right"), parse_rule("left if raining else right")
    )
    assert logic.equivalent(parse_rule("left if a or true else right"), parse_rule("left"))
    assert not logic.equivalent(parse_rule("left if a else right"), parse_rule("left if b else right"))
    assert not logic.equivalent(parse_rule("left"), parse_rule("straight"))


def test_a_rule_and_a_formula_cannot_be_compared():
    with pytest.raises(TypeError, match="two rules or two formulas"):
        logic.equivalent(parse_rule("left"), parse_formula("a"))


@pytest.mark.parametrize(
    ("text", "sop", "anf"),
    [
        ("a and b or a and not b", "a", "a"),
        ("a xor b", "a and not b or b and not a", "a xor b"),
        ("a or b", "a or b", "a xor b xor a and b"),
        ("a iff b", None, "true xor a xor b"),
        ("a and not a", "false", "false"),
        ("not a", "not a", "true xor a"),
    ],
)
def test_the_minimal_forms_are_the_textbook_ones(text, sop, anf):
    formula = parse_formula(text)
    assert str(logic.anf(formula)) == anf
    if sop is not None:
        assert sorted(str(logic.simplified(formula)).split()) == sorted(sop.split())


def test_a_majority_has_its_textbook_forms():
    formula = parse_formula("count(a, b, c) >= 2")
    assert str(logic.anf(formula)) == "a and b xor a and c xor b and c"
    assert logic.equivalent(formula, parse_formula("a and b or a and c or b and c"))
    assert not logic.equivalent(formula, parse_formula("count(a, b, c) == 2"))
    assert logic.equivalent(parse_formula("count(a, b) == 1"), parse_formula("a xor b"))


@settings(max_examples=30)
@given(rules)
def test_a_rule_read_from_its_table_is_equivalent_and_names_no_more(rule):
    table = logic.truth_table(rule, NAMES)
    found = logic.rule_from_table(NAMES, table)
    assert logic.truth_table(found, NAMES) == table
    assert set(names(found)) <= set(names(rule))
    assert parse_rule(str(found), NAMES) == found


def test_undecided_cells_are_no_dont_cares_unless_said():
    table = {(False, False): 1, (True, False): 0, (True, True): None}
    with pytest.raises(ValueError, match=r"undecided cells \['not a, b', 'a, b'\]"):
        logic.rule_from_table(["a", "b"], table)
    assert str(logic.rule_from_table(["a", "b"], table, undecided_free=True)) == "left if a else right"


def test_a_contrarian_decides_otherwise_everywhere():
    rule = parse_rule("left if a xor b else right")
    table, other = logic.truth_table(rule), logic.truth_table(logic.swapped(rule))
    assert all({table[c], other[c]} == {0, 1} for c in table)
    assert logic.equivalent(logic.swapped(rule), logic.negated(rule))
    assert logic.negated(logic.negated(rule)) == rule


def test_formulas_of_two_are_all_functions_of_two_up_to_complement():
    found = logic.formulas_of_two(("a", "b"))
    tables = []
    for formula in found:
        table = tuple(cell in logic.truth_cells(formula, ("a", "b")) for cell in logic.all_cells(2))
        tables.append(min(table, tuple(not t for t in table)))
    expected = {min(t, tuple(not x for x in t)) for t in itertools.product((False, True), repeat=4)}
    assert set(tables) == expected - {(False,) * 4}
    assert len(tables) == len(set(tables)) == 7
    assert len(logic.formulas_of_two(("a", "b", "c"))) == 3 + 3 * 5
