"""The registry of operators: what a declaration must hold, and that every example is read as it is written."""

from __future__ import annotations

import ast

import pytest

from scenarios.reading.errors import RuleError
from scenarios.rules.conditions import Vocabulary, parse_condition
from scenarios.rules.grammar import keywords
from scenarios.rules.numbers import OPERATIONS, Number, operation_of
from scenarios.rules.operators.base import (
    OPERATORS,
    Binary,
    Connective,
    NumberOperator,
    Unary,
    number_operator,
    number_operators,
    operator,
)
from scenarios.rules.parse import check_name, parse_formula
from tests.support.source_tree import ROOT

EXAMPLES = [(o.word, text) for o in (*OPERATORS.values(), *number_operators()) for text, _ in o.examples]
PROPOSITIONS = ["raining", "night", "foggy"]


def read(text: str):
    """An example over propositions, or else over variables."""
    if any(name in text for name in PROPOSITIONS):
        return parse_formula(text, PROPOSITIONS)
    return parse_condition(text, Vocabulary(["van"], ["board"]))


@pytest.mark.parametrize(("word", "text"), EXAMPLES)
def test_an_example_of_an_operator_has_it_and_prints_as_it_is_written(word: str, text: str) -> None:
    assert str(read(text)) == text and word in text


def test_every_operator_has_a_meaning_and_an_example() -> None:
    for o in (*OPERATORS.values(), *number_operators()):
        assert o.doc and o.examples, o.word


def test_every_keyword_is_reserved() -> None:
    assert {*OPERATORS, "count", "min", "max", "sign", "reading", "number", "if", "then"} <= set(keywords())
    for word in OPERATORS:
        with pytest.raises(RuleError, match=f"'{word}' is a word of the rule language"):
            check_name(word)


def test_no_module_but_its_own_file_names_an_operator() -> None:
    """Neither the grammar nor the evaluators have a table of operators; the normal forms of logic.py speak of `not`."""
    words = {*OPERATORS, *(o.name for o in number_operators())} - {"not", "count"}
    found = [
        f"{path.name}:{node.lineno} '{node.value}'"
        for path in sorted((ROOT / "scenarios" / "rules").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in words
    ]
    assert not found


# ------------------------------------------------------------------------------------------------- mistakes
@pytest.mark.parametrize(
    ("word", "base", "given", "told"),
    [
        ("and", Binary, {"binding": 6}, "the operator 'and' is declared already"),
        ("nor", Binary, {}, "the operator 'nor' has the binding 8; wanted 1 to 7 between two operands"),
        ("never", Unary, {"binding": 3}, "the operator 'never' has the binding 3; wanted 1 to 7"),
        ("nor", Binary, {"binding": 3}, "'nor' binds as 'implies' and groups otherwise; wanted another binding"),
        ("Nor", Binary, {"binding": 1}, "the keyword 'Nor' is no word; wanted lower-case letters"),
        ("never", Unary, {"window_needed": True}, "the operator 'never' needs a window and has no field for one"),
        ("min", Unary, {}, "the keyword 'min' is the name of a function; wanted another"),
    ],
)
def test_a_declaration_that_does_not_fit_is_refused(word: str, base: type, given: dict, told: str) -> None:
    before = dict(OPERATORS)
    with pytest.raises(ValueError, match=told):
        operator(word, "a test", **given)(type("Odd", (base, Connective), {}))
    assert before == OPERATORS


def test_an_operation_on_numbers_is_declared_once_and_an_unknown_one_is_named() -> None:
    before = dict(OPERATIONS)
    for odd in (
        NumberOperator("plus", "+", "infix", max, "a test"),
        NumberOperator("add", "plus", "function", max, ""),
    ):
        with pytest.raises(ValueError, match="is declared already; wanted another"):
            number_operator(odd)
    assert before == OPERATIONS
    with pytest.raises(ValueError, match=r"unknown operation 'ad'; known are .*; did you mean 'add'"):
        operation_of(Number("ad", ()))
