"""Compiles rules and formulas to functions, and evaluates them in batches of situations.

Every function works on whole batches (B,) and also on single bools: a leaf's value may be either. Nothing here
reads a world; `scenarios.rules.propositions` does.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from scenarios.rules.ast import (
    And,
    Comparison,
    Constant,
    Decision,
    Formula,
    IfElse,
    Iff,
    Implies,
    Name,
    Not,
    Or,
    Rule,
    TextComparison,
    Xor,
    without_joins,
)
from scenarios.rules.numbers import Number
from scenarios.rules.visitors import is_temporal
from sim.core.errors import did_you_mean, known_names

Leaf = Callable[[Formula], Callable[[Any], Any]]  # leaf of a tree -> function of a situation
Lookup = Callable[[str], Any]  # variable name -> its value, a scalar or (B,)

_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "negative": operator.neg,
}
COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


# --------------------------------------------------------------------------------------------- compilation
def compile_formula(tree: Formula, leaf: Leaf, number: Callable[[str], Callable[[Any], Any]] | None = None) -> Any:
    """Turn a formula into a function of a situation.

    Closures, not generated code: text from a file is never executed. Values are bools or bool arrays, which
    share the operators & | ^ (but not ~, so `not` is `^ True`).

    Args:
        leaf: turns a leaf (a Name, say) into a function of a situation.
        number: turns the name of a number into a function of a situation, where there are such names.

    Raises:
        TypeError: for a formula about the past, which no single situation determines.
    """

    def below(part: Formula) -> Callable[[Any], Any]:
        return compile_formula(part, leaf, number)

    match tree:
        case Constant(value):
            return lambda situation: value
        case Not(operand):
            f = below(operand)
            return lambda situation: f(situation) ^ True
        case Comparison():
            return chained([compile_number(n, below, number) for n in tree.numbers], tree.signs)
    if isinstance(tree, (And, Or, Xor, Implies, Iff)):
        a, b = below(tree.left), below(tree.right)
        join = BINARY[type(tree)]
        return lambda situation: join(a(situation), b(situation))
    if is_temporal(tree):
        raise TypeError(f"'{tree}' is about the past, which one situation does not show; wanted a trace or a Monitor")
    return leaf(tree)


BINARY: dict[type[Formula], Callable[[Any, Any], Any]] = {
    And: operator.and_,
    Or: operator.or_,
    Xor: operator.xor,
    Implies: lambda a, b: (a ^ True) | b,
    Iff: lambda a, b: a ^ b ^ True,
}


def compile_number(
    tree: Number, formula: Callable[[Formula], Callable[[Any], Any]], number: Callable[[str], Any] | None
) -> Callable[[Any], Any]:
    """Turn a number into a function of a situation.

    Args:
        formula: turns the formulas that it counts into such functions; number: its names.
    """
    if tree.operation in ("literal", "measure"):
        value = tree.operands[-1]
        return lambda situation: value
    if tree.operation == "quantity":
        if number is None:
            raise TypeError(f"'{tree}' is no number over propositions: wanted counts and literals")
        return number(tree.operands[0])  # type: ignore[no-any-return]
    if tree.operation == "count":
        if is_temporal(tree):
            raise TypeError(
                f"'{tree}' counts over time, which one situation does not show; wanted a trace or a Monitor"
            )
        counted = [formula(o) for o in tree.operands]
        return lambda situation: sum(np.asarray(f(situation), np.int64) for f in counted)
    parts = [compile_number(o, formula, number) for o in tree.operands]
    operation = operation_of(tree)
    return lambda situation: operation(*(part(situation) for part in parts))


def operation_of(tree: Number) -> Callable[..., Any]:
    """The function that an arithmetic operation applies to the values of its operands."""
    if tree.operation in ("least", "most"):
        return np.minimum if tree.operation == "least" else np.maximum
    return _OPERATIONS[tree.operation]


def chained(numbers: Sequence[Callable[[Any], Any]], signs: Sequence[str]) -> Callable[[Any], Any]:
    """A chained comparison of functions of a situation, each with the next."""
    compare = [COMPARE[s] for s in signs]
    if len(compare) == 1:
        (a, b), (sign,) = numbers, compare
        return lambda situation: sign(a(situation), b(situation))

    def chain(situation: Any) -> Any:
        values = [n(situation) for n in numbers]
        verdict: Any = True
        for sign, left, right in zip(compare, values[:-1], values[1:]):
            verdict = sign(left, right) & verdict
        return verdict

    return chain


@functools.lru_cache(maxsize=4096)
def compiled(tree: Formula) -> Callable[[Lookup], Any]:
    """The condition as a function of a variable lookup."""
    return compile_formula(tree, _variable, _quantity)  # type: ignore[no-any-return]


@functools.lru_cache(maxsize=4096)
def compiled_number(number: Number) -> Callable[[Lookup], Any]:
    """The number as a function of a variable lookup."""
    return compile_number(number, compiled, _quantity)


def _quantity(name: str) -> Callable[[Lookup], Any]:
    return lambda lookup: lookup(name)


def _variable(leaf: Formula) -> Callable[[Lookup], Any]:
    if isinstance(leaf, Name):
        return _quantity(leaf.name)
    if not isinstance(leaf, TextComparison):
        raise TypeError(
            f"{leaf!r} is no leaf of a condition: wanted Name, Comparison, TextComparison or {Constant.__name__}"
        )
    variable, words, compare = leaf.variable, leaf.words, COMPARE[leaf.sign]
    return lambda lookup: compare(lookup(variable), words)


# ------------------------------------------------------------------------------------ verdicts over propositions
def of_valuation(leaf: Formula) -> Callable[[Mapping[str, Any]], Any]:
    """The `leaf` function for formulas over propositions: looks the name up in the valuation.

    Raises (when called):
        ValueError: for a name that the valuation lacks.
    """
    if not isinstance(leaf, Name):
        raise TypeError(f"{leaf!r} is no proposition: wanted a Name")
    name = leaf.name

    def value(valuation: Mapping[str, Any]) -> Any:
        try:
            return valuation[name]
        except KeyError:
            sentence = (
                f"no value for proposition '{name}'; given are {known_names(valuation)}{did_you_mean(name, valuation)}"
            )
            raise ValueError(sentence) from None

    return value


def _shape(valuation: Mapping[str, Any]) -> tuple[int, ...]:
    return np.broadcast_shapes(*(np.shape(v) for v in valuation.values()))


def _booleans(valuation: Mapping[str, Any]) -> dict[str, np.ndarray]:
    arrays = {name: np.asarray(value) for name, value in valuation.items()}
    for name, array in arrays.items():
        if array.dtype != bool:
            raise ValueError(f"proposition '{name}' has values of type {array.dtype}; wanted bool")
    return arrays


def evaluate_formula(tree: Formula, valuation: Mapping[str, Any]) -> np.ndarray:
    """The truth of a formula in every situation.

    Args:
        valuation: proposition name -> bool (B,).

    Returns:
        bool (B,).

    Raises:
        ValueError: where a proposition is missing or is not Boolean.
    """
    arrays = _booleans(valuation)
    value = compile_formula(tree, of_valuation)(arrays)
    return np.broadcast_to(np.asarray(value, bool), _shape(arrays)).copy()


def evaluate(rule: Rule, valuation: Mapping[str, Any]) -> np.ndarray:
    """The decision of a rule in every situation.

    Args:
        valuation: proposition name -> bool (B,).

    Returns:
        int64 (B,), indices into `sim.datatypes.vocabulary.DECISIONS`.

    Raises:
        ValueError: where a proposition is missing or is not Boolean.
    """
    arrays = _booleans(valuation)
    return np.array(_decide(without_joins(rule), arrays, _shape(arrays)))


def _decide(rule: Rule, arrays: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    if isinstance(rule, Decision):
        return np.full(shape, rule.index, np.int64)
    if not isinstance(rule, IfElse):
        raise TypeError(f"{rule!r} is no rule: wanted Decision or IfElse")
    condition = evaluate_formula(rule.condition, arrays)
    return np.where(condition, _decide(rule.then, arrays, shape), _decide(rule.otherwise, arrays, shape))
