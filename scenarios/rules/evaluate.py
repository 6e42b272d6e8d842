"""The verdict of a rule on many situations at once.

Every function works on whole batches (B,) and also on single bools: a leaf's value may be either. Nothing here
looks at a world; `scenarios.rules.predicates` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scenarios.rules.parse import listed, nearest
from scenarios.rules.syntax import And, Choose, Constant, Decide, Formula, Iff, Implies, Name, Not, Or, Rule, Xor

Leaf = Callable[[Formula], Callable[[Any], Any]]  # leaf of a tree -> function of a situation


def compile_formula(tree: Formula, leaf: Leaf) -> Callable[[Any], Any]:
    """Turn a formula into a function of a situation.

    Closures, not generated code: nothing that a file says is ever executed. Values are bools or bool arrays, which
    share the operators & | ^ (but not ~, so `not` is `^ True`).

    Args:
        leaf: turns a leaf (a Name, say) into a function of a situation.
    """
    match tree:
        case Constant(value):
            return lambda situation: value
        case Not(operand):
            f = compile_formula(operand, leaf)
            return lambda situation: f(situation) ^ True
        case And() | Or() | Xor() | Implies() | Iff():
            a, b = compile_formula(tree.left, leaf), compile_formula(tree.right, leaf)
            if isinstance(tree, And):
                return lambda situation: a(situation) & b(situation)
            if isinstance(tree, Or):
                return lambda situation: a(situation) | b(situation)
            if isinstance(tree, Xor):
                return lambda situation: a(situation) ^ b(situation)
            if isinstance(tree, Implies):
                return lambda situation: (a(situation) ^ True) | b(situation)
            return lambda situation: a(situation) ^ b(situation) ^ True
    return leaf(tree)


def of_valuation(leaf: Formula) -> Callable[[Mapping[str, Any]], Any]:
    """The leaf rule for formulas over propositions: look the name up in the valuation.

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
            sentence = f"no value for proposition '{name}'; given are {listed(valuation)}{nearest(name, valuation)}"
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
        int64 (B,), indices into `sim.types.DECISIONS`.

    Raises:
        ValueError: where a proposition is missing or is not Boolean.
    """
    arrays = _booleans(valuation)
    return np.array(_decide(rule, arrays, _shape(arrays)))


def _decide(rule: Rule, arrays: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    if isinstance(rule, Decide):
        return np.full(shape, rule.index, np.int64)
    if not isinstance(rule, Choose):
        raise TypeError(f"{rule!r} is no rule: wanted Decide or Choose")
    condition = evaluate_formula(rule.condition, arrays)
    return np.where(condition, _decide(rule.then, arrays, shape), _decide(rule.otherwise, arrays, shape))
