"""The slow twin of `scenarios.rules.compile`: one situation at a time, in plain Python bools."""

from __future__ import annotations

from collections.abc import Mapping

from scenarios.rules.ast import Comparison, Constant, Decision, Formula, IfElse, Name, Rule
from scenarios.rules.numbers import Number
from scenarios.rules.operators.conjunction import And
from scenarios.rules.operators.disjunction import Or
from scenarios.rules.operators.equivalence import Iff
from scenarios.rules.operators.exclusive_or import Xor
from scenarios.rules.operators.implication import Implies
from scenarios.rules.operators.negation import Not


def truth(formula: Formula, situation: Mapping[str, bool]) -> bool:
    """Whether the formula holds in one situation."""
    if isinstance(formula, Constant):
        return formula.value
    if isinstance(formula, Name):
        return situation[formula.name]
    if isinstance(formula, Not):
        return not truth(formula.operand, situation)
    if isinstance(formula, Comparison):
        values = [_number(n, situation) for n in formula.numbers]
        pairs = zip(formula.signs, values, values[1:])
        return all({"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a == b, "!=": a != b}[s]
                   for s, a, b in pairs)  # fmt: skip
    assert isinstance(formula, (And, Or, Xor, Implies, Iff)), f"no slow twin of '{formula}': add a case here"
    left, right = truth(formula.left, situation), truth(formula.right, situation)
    if isinstance(formula, And):
        return left and right
    if isinstance(formula, Or):
        return left or right
    if isinstance(formula, Xor):
        return left is not right
    if isinstance(formula, Implies):
        return right if left else True
    return left is right


def _number(number: Number, situation: Mapping[str, bool]) -> float:
    """How many hold in one situation, and arithmetic on that."""
    if number.operation == "count":
        return sum(truth(o, situation) for o in number.operands)
    if number.operation == "literal":
        return float(number.operands[0])
    a, b = (_number(o, situation) for o in number.operands)
    return {"add": a + b, "subtract": a - b, "multiply": a * b, "most": max(a, b)}[number.operation]


def verdict(rule: Rule, situation: Mapping[str, bool]) -> str:
    """The decision in one situation, as a word."""
    while isinstance(rule, IfElse):
        rule = rule.then if truth(rule.condition, situation) else rule.otherwise
    assert isinstance(rule, Decision)
    return rule.decision
