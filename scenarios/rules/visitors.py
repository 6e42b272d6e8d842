"""Visitors of rule trees: the variables that they read, whether they are about the past, replacement of parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scenarios.rules.ast import Formula, Name, Rule, walk
from scenarios.rules.numbers import Number
from scenarios.rules.variables import event_of


def is_temporal(tree: Any) -> bool:
    """Whether the root node of the tree is about the past, whatever is below it."""
    return tree.temporal or (isinstance(tree, Name) and event_of(tree.name) is not None)


def is_timed(tree: Formula | Rule | Number) -> bool:
    """Whether its truth depends on the past: on a past-time operator, or on how often something has become true."""
    return any(map(is_temporal, walk(tree)))


def variable_of(tree: Any) -> str | None:
    """The variable that the root node reads, such as `weather.wetness` or `sign("DETOUR")`; None for none."""
    name: str | None = tree.variable_read
    return name if name is None else event_of(name) or name


def reads(*trees: Any) -> tuple[str, ...]:
    """The variables whose values the evaluators ask for, in order of first mention."""
    found = (variable_of(part) for tree in trees for part in walk(tree))
    return tuple(dict.fromkeys(v for v in found if v is not None))


def read_now(tree: Any) -> tuple[str, ...]:
    """The variables whose present values are read, and not only past ones."""
    if is_temporal(tree):
        return ()
    mine = variable_of(tree)
    below = [v for part in tree.parts for v in read_now(part)]
    return tuple(dict.fromkeys(below if mine is None else [mine, *below]))


def replaced(tree: Any, with_what: Callable[[Any], Any]) -> Any:
    """The tree with every part replaced by `with_what(part)` where that is not None."""
    if (new := with_what(tree)) is not None:
        return new
    parts = tree.parts
    return tree.with_parts([replaced(part, with_what) for part in parts]) if parts else tree
