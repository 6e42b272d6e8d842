"""Ranges: what is allowed, in words and in fact, and what a class that declares them refuses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.core.ranges import Known, OutOfRangeError, Range, check_ranges, range_of

NETS = {"gru": 1}


@dataclass(frozen=True)
class Example:
    """A settings class."""

    count: Annotated[int, Range(1, 8)] = 2
    rate: Annotated[float, Range(0, 1, above=True)] = 0.5
    net: Annotated[str, Known(NETS)] = "gru"
    free: float = 0.0

    def __post_init__(self) -> None:
        check_ranges(self)


@pytest.mark.parametrize(
    ("found", "words", "inside", "outside"),
    [
        (Range(1), "at least 1", (1, 2**40), (0, -1, math.inf, math.nan)),
        (Range(1, 4096), "1 to 4096", (1, 4096), (0, 4097)),
        (Range(0, above=True), "more than 0", (1e-9,), (0, -1.0)),
        (Range(0, 1, above=True), "more than 0 and at most 1", (1, 0.5), (0, 1.01)),
        (Range(0, 180, above=True, below=True), "more than 0 and less than 180", (0.1, 179.9), (0, 180)),
        (Range(-0.5, 2, below=True), "at least -0.5 and less than 2", (-0.5,), (2,)),
    ],
)
def test_a_range_has_what_its_words_say(
    found: Range, words: str, inside: tuple[float, ...], outside: tuple[float, ...]
) -> None:
    assert str(found) == words
    assert all(value in found for value in inside) and not any(value in found for value in outside)


@given(st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), st.text()))
def test_an_object_is_made_only_of_values_in_range(value: object) -> None:
    right = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 8
    if right:
        assert Example(count=value).count == value  # type: ignore[arg-type]
    else:
        with pytest.raises(OutOfRangeError, match=r"^count is .*; wanted a whole number of 1 to 8$"):
            Example(count=value)  # type: ignore[arg-type]


def test_a_whole_number_may_stand_for_a_number_and_not_the_other_way() -> None:
    assert Example(rate=1).rate == 1
    with pytest.raises(OutOfRangeError, match=r"count is 2\.0; wanted a whole number"):
        Example(count=2.0)  # type: ignore[arg-type]


def test_a_name_is_refused_with_the_known_ones_at_that_time() -> None:
    with pytest.raises(OutOfRangeError, match=r"net is 'grx'; wanted one of gru; did you mean 'gru'\?"):
        Example(net="grx")
    NETS["lstm"] = 2
    try:
        assert Example(net="lstm").net == "lstm" and "lstm" in str(range_of(Annotated[str, Known(NETS)]))
    finally:
        del NETS["lstm"]


def test_a_field_without_a_range_may_be_anything() -> None:
    assert math.isnan(Example(free=math.nan).free)
