"""`dagger bench`: that it runs and keeps its rows; how fast anything is, no test says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dagger import cli
from dagger.bench.case import Case, repeated
from dagger.commands.bench import run

ROW = {"name", "worlds", "threads", "unit", "value", "target", "cores", "cpu", "versions", "commit", "time"}


def _bench(*more: str) -> int:
    return cli.main(["bench", "--seconds", "0.001", "--repeats", "1", "--threads", "1", "--worlds", "2", "--out",
                     "b.json", *more])  # fmt: skip


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_benchmark_gives_a_row_and_rows_are_only_added(capsys: pytest.CaptureFixture[str]) -> None:
    assert _bench("--only", "step", "town", "camera", "gym", "loader", "training", "inference", "import") == 0
    first = Path("b.json").read_text()
    rows = [json.loads(line) for line in first.splitlines()]
    assert len(rows) == 10 and all(set(r) >= ROW and r["value"] > 0 for r in rows)
    said = capsys.readouterr().out
    assert "16 other actors" in said and said.strip().endswith("b.json")
    assert _bench("--only", "step") == 0
    assert Path("b.json").read_text().startswith(first) and Path("b.json").read_text().count("\n") == 11


def test_the_median_of_the_repeats_is_kept() -> None:
    took = iter([9.0, 1.0, 5.0, 2.0])  # the first is the warm-up
    row = run(Case("x", "1/s", None, 0, 1, lambda: lambda seconds: (1.0, next(took))), 1.0, 3)
    assert row["value"] == 0.5 and (row["least"], row["most"]) == (0.2, 1.0)


def test_where_less_is_better_the_figure_is_time() -> None:
    row = run(Case("x", "s", 4.0, 0, 1, lambda: lambda seconds: (2.0, 6.0), less=True), 1.0, 1)
    assert row["value"] == 3.0


def test_what_is_prepared_is_not_timed_and_something_is_always_done() -> None:
    calls: list[str] = []
    done, took = repeated(lambda: calls.append("once") or 5, lambda: calls.append("prepare"))(0.0)
    assert (done, calls) == (5.0, ["prepare", "once"]) and took >= 0
