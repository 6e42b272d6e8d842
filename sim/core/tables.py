"""Tables of arrays that share a slot axis: NamedTuples whose arrays grow together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np

Table = TypeVar("Table", bound=Any)  # a NamedTuple of arrays (B, N, ...)


def grow(table: Table, names: Iterable[str], more: int, fill: Mapping[str, float] | None = None) -> Table:
    """The same table with `more` empty slots at the end of axis 1 of the named arrays.

    Args:
        names: fields that have the slot axis.
        fill: value of new entries by field; 0 for all others.
    """
    wider = {}
    for name in names:
        array = getattr(table, name)
        width = ((0, 0), (0, more), *((0, 0),) * (array.ndim - 2))
        wider[name] = np.pad(array, width, constant_values=(fill or {}).get(name, 0))
    return table._replace(**wider)  # type: ignore[no-any-return]
