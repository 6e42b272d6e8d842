"""Tables: NamedTuples of arrays whose first axis is the world, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

Table = TypeVar("Table", bound=Any)  # a NamedTuple of arrays (B, ...)


def row(table: Table, w: int) -> Table:
    """World w alone: views (1, ...) of every array."""
    return table._make([array[w : w + 1] for array in table])  # type: ignore[no-any-return]


def enlarged(table: Table, wider: Table) -> Table:
    """`wider`, an empty table no shorter than `table` in any axis, with the table's entries at the same indices."""
    for old, new in zip(table, wider):
        new[tuple(map(slice, old.shape))] = old
    return wider


def write_rows(table: Table, rows: Sequence[int], values: Table) -> None:
    """Copy a table of as many worlds as there are `rows` into these rows of a table.

    Arrays that the table has once for all worlds are left as they are: optional arrays that no world needs.
    """
    worlds = len(table[0])
    for array, value in zip(table, values):
        if len(array) == worlds:
            array[rows] = value
