"""The sheet has a panel per scenario; what it shows is for eyes, which no test has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import pytest

from dagger.report.self_motion_chart import draw_sheet


def figures(first: float | None) -> dict[str, Any]:
    return {
        "drives": 100, "time": [0.0, 0.5, 1.0], "left": [100, 100, 90], "chance": [0.5, 0.5, 0.52],
        "accuracy": [0.5, 0.7, 0.9], "first": first, "lead": None if first is None else 0.8, "ahead": None,
        "sign": [0.9, 1.3, 2.0], "read": [1.0, 2.0, 3.0],
        "evidence": {"rain_$x": {"share": 0.4, "known": [0.0, 0.1, 0.2], "last": [0.5, 0.9, 1.0]}},
    }  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("count", [1, 4])
def test_a_sheet_grows_with_its_scenarios(count: int, tmp_path: Path) -> None:
    draw_sheet({f"family-{k}": figures(None if k else 0.5) for k in range(count)}, tmp_path / "images" / "sheet.png")
    height, width = cv2.imread(str(tmp_path / "images" / "sheet.png")).shape[:2]
    assert (width > height) == (count == 1 or width > 1000)
    assert [p.name for p in (tmp_path / "images").iterdir()] == ["sheet.png"]


def test_nothing_to_draw_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no figures to draw"):
        draw_sheet({}, tmp_path / "sheet.png")
