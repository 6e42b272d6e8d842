"""Long argument lists and columns without a name: what there is stands in a list, and the lists may only shrink."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture import ratchets
from tests.architecture.ratchets import LISTS, bare_columns, complaints, counted, listed, long_signatures, main, written


@pytest.mark.parametrize("name", LISTS)
def test_the_code_has_what_its_list_allows_and_no_more_or_less(name: str) -> None:
    found = complaints(name, counted(name), listed(name))
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_as_the_command_writes_it(name: str) -> None:
    """So that two branches that shorten it differ in the lines of their own entries."""
    assert (ratchets.HERE / f"{name}.txt").read_text() == written(name, listed(name))


def test_only_positional_parameters_of_a_function_count_and_self_does_not() -> None:
    nine = ", ".join("abcdefghi")
    source = f"""
def long({nine}): pass
def named(*, {nine}): pass
def just({nine[3:]}): pass
class Car:
    def drive(self, {nine}):
        def inner(z, {nine}): pass
    def eight(self, {nine[3:]}): pass
    @staticmethod
    def still({nine}): pass
"""
    assert long_signatures(ast.parse(source), "a.py") == {
        "a.py::long": 9, "a.py::Car.drive": 9, "a.py::Car.drive.inner": 10, "a.py::Car.still": 9,
    }  # fmt: skip


@pytest.mark.parametrize(("line", "count"), [
    ("item[n, 7]", 1), ("geometry[3]", 1), ("rows[:, 2] + rows[k, 0]", 2), ("drive[w, i, 4] = link[a, b, 0]", 2),
    ("drive[w, i, HALT]", 0), ("x.shape[1]", 0), ("x[w, 0] + x[:, 0]", 0), ("x[w, -1]", 0), ("x[w, i]", 0),
])  # fmt: skip
def test_a_bare_number_as_the_last_index_counts(line: str, count: int) -> None:
    for decorator in ("kernel(inline=True)", "pasted_kernel", "implements(begin_row, DepthTarget, Panel)"):
        inside = f"@{decorator}\ndef f():\n    {line}"
        assert sum(bare_columns(ast.parse(inside), "a.py").values()) == count
    outside = 0 if line == "geometry[3]" else count  # a list or a tuple, for all that one can see
    assert sum(bare_columns(ast.parse(line), "a.py").values()) == outside


@pytest.mark.parametrize("name", LISTS)
def test_more_and_less_than_the_list_are_each_a_sentence_that_says_what_to_do(name: str) -> None:
    assert complaints(name, {"a": 9}, {"a": 9}) == []
    (new,) = complaints(name, {"a": 9, "b": 12}, {"a": 9})
    (higher,) = complaints(name, {"a": 10}, {"a": 9})
    (lower,) = complaints(name, {"a": 9}, {"a": 10})
    (gone,) = complaints(name, {}, {"a": 9})
    assert new.startswith(f"b has 12, and {name}.txt allows none; give ") and higher.startswith("a has 10, and ")
    assert lower.startswith(f"a has 9 now, and {name}.txt says 10; run ") and gone.startswith("a is gone, and ")


def test_the_command_shortens_a_list_and_never_lengthens_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ratchets, "HERE", tmp_path)
    assert main() == 0, "a list that is missing is written as the code is"
    whole = {name: listed(name) for name in LISTS}
    assert whole == {name: counted(name) for name in LISTS}
    first, *_ = whole["columns"]
    (tmp_path / "columns.txt").write_text(written("columns", whole["columns"] | {"gone.py": 3, first: 10_000}))
    assert main() == 0 and listed("columns") == whole["columns"]
    (tmp_path / "columns.txt").write_text(written("columns", whole["columns"] | {first: 0}))
    assert main() == 1 and first not in listed("columns")
    assert first in capsys.readouterr().err
