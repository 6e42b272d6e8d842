"""Compiles rules and formulas to functions, and evaluates them in batches of situations.

Every function works on whole batches (B,) and also on single bools: a leaf's value may be either. Nothing here
reads a world; `scenarios.rules.propositions` does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scenarios.rules.ast import COMPARE, Constant, Decision, Formula, IfElse, Name, Rule, TextComparison, without_joins
from scenarios.rules.numbers import Number
from scenarios.rules.visitors import is_temporal
from sim.core.errors import did_you_mean, known_names

Leaf = Callable[[Formula], Callable[[Any], Any]]  # leaf of a tree -> function of a situation
Lookup = Callable[[str], Any]  # variable name -> its value, a scalar or (B,)


# --------------------------------------------------------------------------------------------- compilation
class Compiler:
    """Turns trees into functions of one situation.

    Closures, not generated code: text from a file is never executed. Values are bools or bool arrays, which share the
    operators & | ^, but not ~.

    Args:
        leaf: turns a Name or a TextComparison into a function of a situation.
        named: turns the name of a number into a function of a situation; None where numbers have no names.
    """

    def __init__(self, leaf: Leaf, named: Callable[[str], Callable[[Any], Any]] | None = None) -> None:
        self._leaf = leaf
        self._named = named

    def formula(self, tree: Formula) -> Callable[[Any], Any]:
        """The formula as a function of a situation.

        Raises:
            TypeError: for a formula about the past, which no single situation determines.
        """
        return tree.compile(self)

    def number(self, tree: Number) -> Callable[[Any], Any]:
        """The number as a function of a situation.

        Raises:
            TypeError: for a count over time, and for a name where numbers have none.
        """
        return tree.compile(self)

    def leaf(self, tree: Formula) -> Callable[[Any], Any]:
        """A leaf as a function of a situation.

        Raises:
            TypeError: for an event, such as `junction`.
        """
        if is_temporal(tree):
            raise TypeError(
                f"'{tree}' is about the past, which one situation does not show; wanted a trace or a Monitor"
            )
        return self._leaf(tree)

    def quantity(self, tree: Number) -> Callable[[Any], Any]:
        """A named number as a function of a situation."""
        if self._named is None:
            raise TypeError(f"'{tree}' is no number over propositions: wanted counts and literals")
        return self._named(tree.operands[0])


def compile_formula(
    tree: Formula, leaf: Leaf, number: Callable[[str], Callable[[Any], Any]] | None = None
) -> Callable[[Any], Any]:
    """Turn a formula into a function of a situation; the arguments are those of `Compiler`.

    Raises:
        TypeError: for a formula about the past, which no single situation determines.
    """
    return Compiler(leaf, number).formula(tree)


@functools.lru_cache(maxsize=4096)
def compiled(tree: Formula) -> Callable[[Lookup], Any]:
    """The condition as a function of a variable lookup."""
    return compile_formula(tree, _variable, _quantity)


@functools.lru_cache(maxsize=4096)
def compiled_number(number: Number) -> Callable[[Lookup], Any]:
    """The number as a function of a variable lookup."""
    return Compiler(_variable, _quantity).number(number)


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
