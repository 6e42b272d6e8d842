"""Visitors of rule trees: the variables that they read, whether they are about the past, replacement of parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from scenarios.rules.ast import (
    JUNCTION,
    JUNCTIONS,
    Binary,
    Comparison,
    Formula,
    Historically,
    IfElse,
    Name,
    Not,
    Once,
    Previous,
    Rule,
    RuleSequence,
    Since,
    TextComparison,
    parts,
    walk,
)
from scenarios.rules.numbers import Number


def is_temporal(tree: Any) -> bool:
    """Whether the root node of the tree is about the past, whatever is below it."""
    counts = isinstance(tree, Number) and tree.operation == "count" and len(tree.operands) == 1
    return counts or isinstance(tree, (Historically, Once, Previous, Since)) or tree == Name(JUNCTION)


def is_timed(tree: Formula | Rule | Number) -> bool:
    """Whether its truth depends on the past: on a past-time operator, or on how often something has become true."""
    return any(map(is_temporal, walk(tree)))


def variable_of(tree: Any) -> str | None:
    """The variable that the root node reads, such as `weather.wetness` or `sign("DETOUR")`; None for none."""
    if isinstance(tree, TextComparison):
        return tree.variable
    if isinstance(tree, Name):
        return JUNCTIONS if tree.name == JUNCTION else tree.name
    return tree.operands[0] if isinstance(tree, Number) and tree.operation == "quantity" else None


def reads(*trees: Any) -> tuple[str, ...]:
    """The variables whose values the evaluators ask for, in order of first mention."""
    found = (variable_of(part) for tree in trees for part in walk(tree))
    return tuple(dict.fromkeys(v for v in found if v is not None))


def read_now(tree: Any) -> tuple[str, ...]:
    """The variables whose present values are read, and not only past ones."""
    if is_temporal(tree):
        return ()
    mine = variable_of(tree)
    below = [v for part in parts(tree) for v in read_now(part)]
    return tuple(dict.fromkeys(below if mine is None else [mine, *below]))


def replaced(tree: Any, with_what: Callable[[Any], Any]) -> Any:
    """The tree with every part replaced by `with_what(part)` where that is not None."""
    if (new := with_what(tree)) is not None:
        return new

    def below(part: Any) -> Any:
        return replaced(part, with_what)

    match tree:
        case IfElse():
            return IfElse(below(tree.then), below(tree.condition), below(tree.otherwise))
        case RuleSequence():
            return RuleSequence(below(tree.first), below(tree.second))
        case Not() | Once() | Historically() | Previous():
            return replace(tree, operand=below(tree.operand))
        case Binary():
            return replace(tree, left=below(tree.left), right=below(tree.right))
        case Comparison():
            return replace(tree, numbers=tuple(map(below, tree.numbers)))
        case Number():
            inner = tuple(below(o) if isinstance(o, (Number, Formula)) else o for o in tree.operands)
            return replace(tree, operands=inner)
    return tree
