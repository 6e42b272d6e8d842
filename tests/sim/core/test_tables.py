"""Tables of worlds: rows as views, larger tables, and rows written at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.core.tables import enlarged, row, write_rows


class Pair(NamedTuple):
    slot: np.ndarray
    shared: np.ndarray


def pair(worlds: int, slots: int, value: int = 0) -> Pair:
    return Pair(np.full((worlds, slots), value), np.full((1, 2), value))


def test_a_row_is_a_view_of_one_world() -> None:
    table = pair(3, 2)
    row(table, 1).slot[0, 1] = 5
    assert table.slot.tolist() == [[0, 0], [0, 5], [0, 0]]


def test_a_larger_table_keeps_the_entries_and_is_empty_beyond_them() -> None:
    wider = enlarged(pair(2, 2, 7), pair(2, 3, -1))
    assert wider.slot.tolist() == [[7, 7, -1], [7, 7, -1]]


def test_rows_are_written_where_they_are_named_and_shared_arrays_stay() -> None:
    table = pair(3, 2)
    values = Pair(np.array([[1, 2], [3, 4]]), np.ones((1, 2)))
    write_rows(table, [2, 0], values)
    assert table.slot.tolist() == [[3, 4], [0, 0], [1, 2]]
    assert (table.shared == 0).all()
