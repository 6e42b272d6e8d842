"""The slow twin of `scenarios.rules.evaluate`: one situation at a time, in plain Python bools."""

from __future__ import annotations

from collections.abc import Mapping

from scenarios.rules.syntax import And, Choose, Constant, Decide, Formula, Iff, Implies, Name, Not, Or, Rule, Xor


def truth(formula: Formula, situation: Mapping[str, bool]) -> bool:
    """Whether the formula holds in one situation."""
    if isinstance(formula, Constant):
        return formula.value
    if isinstance(formula, Name):
        return situation[formula.name]
    if isinstance(formula, Not):
        return not truth(formula.operand, situation)
    assert isinstance(formula, (And, Or, Xor, Implies, Iff))
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


def verdict(rule: Rule, situation: Mapping[str, bool]) -> str:
    """The decision in one situation, as a word."""
    while isinstance(rule, Choose):
        rule = rule.then if truth(rule.condition, situation) else rule.otherwise
    assert isinstance(rule, Decide)
    return rule.decision
