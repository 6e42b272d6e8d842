"""Logic of rules: truth tables, equivalence by SAT, minimal forms.

Two rules are equivalent when, for every decision, the formulas under which they take it are equivalent. A SAT solver
(`sympy`, imported at first use) checks that, so the rules may name different propositions. Minimal forms are sums of
products by Quine-McCluskey (SOP) and the algebraic normal form (ANF: the unique xor of ands).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from scenarios.rules.ast import (
    Comparison,
    Constant,
    Decision,
    Formula,
    IfElse,
    Name,
    Rule,
    leaves,
    names,
    without_joins,
)
from scenarios.rules.compile import evaluate, evaluate_formula
from scenarios.rules.numbers import Number
from scenarios.rules.operators.conjunction import And
from scenarios.rules.operators.disjunction import Or
from scenarios.rules.operators.exclusive_or import Xor
from scenarios.rules.operators.negation import Not
from scenarios.rules.visitors import is_timed
from sim.datatypes.vocabulary import DECISIONS

Cell = tuple[bool, ...]


# ----------------------------------------------------------------------------------------------- tables
def all_cells(count: int) -> list[Cell]:
    """Every setting of `count` propositions, false before true, the last changing fastest."""
    return list(itertools.product((False, True), repeat=count))


def valuation_of(propositions: Sequence[str], cells: Sequence[Cell]) -> dict[str, np.ndarray]:
    """The cells as a batch: proposition name -> bool (len(cells),)."""
    table = np.array(cells, bool).reshape(len(cells), len(propositions))
    return {name: table[:, i] for i, name in enumerate(propositions)}


def truth_table(rule: Rule, propositions: Sequence[str] | None = None) -> dict[Cell, int]:
    """The decision in every cell, as an index into `sim.datatypes.vocabulary.DECISIONS`.

    Args:
        propositions: the columns; by default those that the rule names.

    Raises:
        ValueError: where the rule names a proposition that is no column.
    """
    columns = names(rule) if propositions is None else tuple(propositions)
    cells = all_cells(len(columns))
    decided = np.broadcast_to(evaluate(rule, valuation_of(columns, cells)), len(cells))
    return {cell: int(d) for cell, d in zip(cells, decided)}


def truth_cells(formula: Formula, propositions: Sequence[str]) -> list[Cell]:
    """The cells in which the formula is true.

    Raises:
        ValueError: where the formula names a proposition that is no column.
    """
    cells = all_cells(len(propositions))
    truth = np.broadcast_to(evaluate_formula(formula, valuation_of(propositions, cells)), len(cells))
    return [cell for cell, true in zip(cells, truth) if true]


# ------------------------------------------------------------------------------------------- equivalence
def when(rule: Rule, decision: str) -> Formula:
    """The formula under which `rule` takes `decision`."""
    rule = without_joins(rule)
    if isinstance(rule, Decision):
        return Constant(rule.decision == decision)
    if not isinstance(rule, IfElse):
        raise TypeError(f"{rule!r} is no rule: wanted Decision or IfElse")
    then, otherwise = when(rule.then, decision), when(rule.otherwise, decision)
    return Or(And(rule.condition, then), And(Not(rule.condition), otherwise))


def to_sympy(formula: Formula) -> Any:
    """The formula as a sympy Boolean.

    Raises:
        TypeError: for a formula that reads variables or the past.
    """
    return (without_counts(formula) if isinstance(formula, Comparison) else formula).sympy(to_sympy)


def without_counts(comparison: Comparison) -> Formula:
    """A formula of `and`, `or` and `not` that is equivalent to a comparison of counts.

    Raises:
        TypeError: for a comparison that reads variables or the past.
    """
    counted = tuple(dict.fromkeys(o for n in comparison.numbers for c in n.counts() for o in c.operands))
    if is_timed(comparison) or any(n.variables() for n in comparison.numbers):
        raise TypeError(f"'{comparison}' is no formula over propositions: wanted counts of propositions and literals")
    stand_ins = {formula: Name(f"_{i}") for i, formula in enumerate(counted)}
    over = tuple(name.name for name in stand_ins.values())
    bare = replace(comparison, numbers=tuple(_counting(n, stand_ins) for n in comparison.numbers))
    products = [
        chain(And, (f if holds else Not(f) for f, holds in zip(counted, cell)), True)
        for cell in truth_cells(bare, over)
    ]
    return chain(Or, products, False)


def _counting(number: Number, stand_ins: Mapping[Formula, Name]) -> Number:
    """The number with names for the formulas that it counts."""
    new = tuple(stand_ins.get(o, o) if isinstance(o, Formula) else _counting(o, stand_ins)
                if isinstance(o, Number) else o for o in number.operands)  # fmt: skip
    return replace(number, operands=new)


def satisfiable(formula: Formula) -> bool:
    """Whether some setting of its propositions makes the formula true."""
    from sympy.logic.inference import satisfiable as solve

    return solve(to_sympy(formula)) is not False


def equivalent(a: Rule | Formula, b: Rule | Formula) -> bool:
    """Whether two rules decide alike, or two formulas hold alike, in every situation.

    They may name different propositions: `left if raining or true else right` is `left`.

    Raises:
        TypeError: where one is a rule and the other a formula.
    """
    if isinstance(a, Formula) and isinstance(b, Formula):
        return not satisfiable(Xor(a, b))
    if isinstance(a, Rule) and isinstance(b, Rule):
        return not any(satisfiable(Xor(when(a, d), when(b, d))) for d in DECISIONS)
    raise TypeError(f"cannot compare {type(a).__name__} with {type(b).__name__}: wanted two rules or two formulas")


# -------------------------------------------------------------------------------------------- rewriting
def swapped(rule: Rule, first: str = "left", second: str = "right") -> Rule:
    """The rule with two decisions exchanged, in pairs of turns too."""
    rule = without_joins(rule)
    if isinstance(rule, Decision):
        other = {first: second, second: first}
        return Decision(" then ".join(other.get(word, word) for word in rule.decision.split(" then ")))
    if not isinstance(rule, IfElse):
        raise TypeError(f"{rule!r} is no rule: wanted Decision or IfElse")
    return IfElse(swapped(rule.then, first, second), rule.condition, swapped(rule.otherwise, first, second))


def negated(rule: Rule) -> Rule:
    """The rule with its outermost condition negated; double negations are removed."""
    if not isinstance(rule, IfElse):
        raise ValueError(f"the rule '{rule}' has no condition to negate")
    condition = rule.condition.operand if isinstance(rule.condition, Not) else Not(rule.condition)
    return IfElse(rule.then, condition, rule.otherwise)


def chain(word: type[And] | type[Or] | type[Xor], parts: Iterable[Formula], empty: bool) -> Formula:
    """Join formulas by one operator, grouped to the left; `empty` is the value of no parts."""
    tree: Formula | None = None
    for part in parts:
        tree = part if tree is None else word(tree, part)
    return Constant(empty) if tree is None else tree


def minimal_sop(propositions: Sequence[str], true: Iterable[Cell], free: Iterable[Cell] = ()) -> Formula:
    """The shortest sum of products that is true in the cells `true`; unneeded propositions are dropped.

    Args:
        free: cells in which its value does not matter.
    """
    import sympy
    from sympy.logic.boolalg import SOPform

    symbols = [sympy.Symbol(name) for name in propositions]
    minterms, spare = [list(map(int, c)) for c in true], [list(map(int, c)) for c in free]
    if not symbols or not minterms:
        return Constant(bool(minterms))
    return _from_sympy(SOPform(symbols, minterms, spare), {n: i for i, n in enumerate(propositions)})


def simplified(formula: Formula) -> Formula:
    """The shortest sum of products that is equivalent to the formula."""
    columns = names(formula)
    return minimal_sop(columns, truth_cells(formula, columns))


def anf(formula: Formula) -> Formula:
    """The algebraic normal form: the one xor of ands (and perhaps `true`) that is equivalent to the formula.

    By the Moebius transform of the truth table over GF(2).
    """
    columns = names(formula)
    cells = all_cells(len(columns))
    coefficient = np.zeros(len(cells), bool)
    true = set(truth_cells(formula, columns))
    coefficient[:] = [cell in true for cell in cells]
    for i in range(len(columns)):
        stride = 1 << i
        halves = coefficient.reshape(-1, 2, stride)
        halves[:, 1] ^= halves[:, 0]
    terms = [cell for cell, wanted in zip(cells, coefficient) if wanted]
    terms.sort(key=lambda cell: (sum(cell), [not c for c in cell]))
    products = [chain(And, (Name(n) for n, used in zip(columns, cell) if used), True) for cell in terms]
    return chain(Xor, products, False)


def rule_from_table(
    propositions: Sequence[str], table: Mapping[Cell, int | None], undecided_free: bool = False
) -> Rule:
    """The shortest rule that decides as the table does.

    Args:
        table: cell -> decision index, or None where it is undecided; cells left out are undecided.
        undecided_free: whether undecided cells may go either way. Otherwise they raise: a guess is not a result.

    Raises:
        ValueError: naming undecided cells, or where no cell is decided.
    """
    cells = all_cells(len(propositions))
    undecided = [cell for cell in cells if table.get(cell) is None]
    if undecided and not undecided_free:
        raise ValueError(f"undecided cells {[describe_cell(propositions, c) for c in undecided]}: no rule without them")
    counts = {d: sum(table.get(c) == d for c in cells) for d in range(len(DECISIONS))}
    taken = sorted((d for d in counts if counts[d]), key=lambda d: (counts[d], d))
    if not taken:
        raise ValueError("the table decides no cell, so no rule can be read from it")
    return _rule_for(propositions, dict(table), cells, taken)


def _rule_for(propositions: Sequence[str], table: dict[Cell, Any], cells: list[Cell], taken: list[int]) -> Rule:
    if len(taken) == 1:
        return Decision(DECISIONS[taken[0]])
    free = [c for c in cells if table.get(c) is None]
    choices = []
    for decision in taken:  # fewest names win, then fewest negations, then the first decision of DECISIONS
        formula = minimal_sop(propositions, [c for c in cells if table.get(c) == decision], free)
        rest = {c: (None if d == decision else d) for c, d in table.items()}
        otherwise = _rule_for(propositions, rest, cells, [d for d in taken if d != decision])
        choices.append(IfElse(Decision(DECISIONS[decision]), formula, otherwise))
    return min(choices, key=lambda rule: (*_size(rule), DECISIONS.index(str(rule.then))))


def _size(rule: Rule) -> tuple[int, int]:
    """Names and negations in a rule's text."""
    return len(list(leaves(rule))), str(rule).split().count("not")


def describe_cell(propositions: Sequence[str], cell: Cell) -> str:
    """A cell in words: `raining, not night`."""
    return ", ".join(name if value else f"not {name}" for name, value in zip(propositions, cell))


def formulas_of_two(propositions: Sequence[str]) -> list[Formula]:
    """Every Boolean function of one or two of the propositions, up to its complement, constants left out.

    One per proposition and five per pair: p and q, p and not q, not p and q, p or q, p xor q.
    """
    formulas: list[Formula] = [Name(p) for p in propositions]
    for a, b in itertools.combinations(propositions, 2):
        p, q = Name(a), Name(b)
        formulas += [And(p, q), And(p, Not(q)), And(Not(p), q), Or(p, q), Xor(p, q)]
    return formulas


def _from_sympy(expression: Any, order: Mapping[str, int]) -> Formula:
    """A sympy sum of products as a tree, its parts sorted by `order` so that the text is stable."""
    from sympy.logic import boolalg

    if expression in (boolalg.true, boolalg.false):
        return Constant(bool(expression))
    if expression.is_Symbol:
        return Name(expression.name)
    if isinstance(expression, boolalg.Not):
        return Not(_from_sympy(expression.args[0], order))
    parts = [_from_sympy(part, order) for part in expression.args]
    parts.sort(key=lambda part: ([order[n] for n in names(part)], [w[:4] == "not " for w in str(part).split(" and ")]))
    return chain(And if isinstance(expression, boolalg.And) else Or, parts, False)
