"""`dagger suite routes.xml`: every route is a row, whatever its file says; and `dagger scenarios export`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dagger import cli
from dagger.runs.jsonl import JsonlLog
from policies.checkpoint import save_policy
from policies.learner import LearnerSettings, build
from sim.datatypes.camera import Camera
from tests.support.worlds import MAPS, needs_maps


def _positions(*points: tuple[float, float]) -> str:
    return "".join(f'<position x="{x}" y="{y}" z="0"/>' for x, y in points)


def _route(name: str, town: str, *points: tuple[float, float]) -> str:
    scenarios = '<scenarios><scenario name="Parking_1" type="ParkingExit"/></scenarios>'
    return f'<route id="{name}" town="{town}"><waypoints>{_positions(*points)}</waypoints>{scenarios}</route>\n'


NORTH, LEFT = ((1.75, 30.0), (1.75, -30.0)), ((1.75, 30.0), (-30.0, -1.75))  # in CARLA's frame, on crossroads
GOOD = _route("3", "crossroads", *NORTH) + _route("7", "crossroads", *LEFT)
BAD = {
    "unknown town": (_route("8", "Atlantis", *NORTH), "skipped", "no map for the town 'Atlantis'"),
    "no lane": (
        _route("8", "crossroads", NORTH[0], (30.0, 30.0)),
        "error",
        "m from the nearest driving lane",
    ),
    "unreachable": (_route("8", "crossroads", *NORTH[::-1]), "error", "cannot be reached from keypoint 1"),
    "one keypoint": (_route("8", "crossroads", NORTH[0]), "unreadable", "has 1 keypoints; wanted 2 or more"),
    "no number": (_route("8", "crossroads", NORTH[0], ("a", 1)), "unreadable", "x is 'a'; wanted a finite number"),  # type: ignore[arg-type]
}


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def _write(*routes: str, name: str = "r.xml") -> str:
    Path(name).write_text(f"<routes>\n{''.join(routes)}</routes>\n")
    return name


def _suite(*more: str) -> int:
    return cli.main(["suite", *more, "--threads", "1", "--out", "out"])


def _rows(folder: str = "out") -> list[dict[str, Any]]:
    return list(JsonlLog(Path(folder) / "results.jsonl").rows())


def _summaries() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(Path("out/summary.json").read_text())["rows"]
    return rows


def test_the_expert_drives_every_route_and_each_has_its_row_and_scores(capsys: pytest.CaptureFixture[str]) -> None:
    assert _suite(_write(GOOD)) == 0
    rows = _rows()
    assert [(r["scenario"], r["split"], r["route"], r["town"]) for r in rows] == [
        ("r.xml", "route 3", "3", "crossroads"), ("r.xml", "route 7", "7", "crossroads"),
    ]  # fmt: skip
    assert all(r["outcome"] == "arrived" and r["success"] and r["scores"]["driving_score"] == 100.0 for r in rows)
    assert all(r["agrees"] and r["shown_decision"] is r["wanted"] is None for r in rows)
    assert rows[0]["unsupported_scenarios"] == ["Parking_1"] and abs(rows[0]["route_length"] - 58.0) < 0.6
    first, _, both = _summaries()
    assert both["split"] == "all routes" and both["episodes"] == 2 and first["notes"] == ["not played: Parking_1"]
    records = json.loads(Path("out/leaderboard.json").read_text())["_checkpoint"]["records"]
    assert [r["route_id"] for r in records] == ["RouteScenario_3_rep0", "RouteScenario_7_rep0"]
    said = capsys.readouterr()
    assert "route 7" in said.out and "route 3: not played: Parking_1" in said.err


def test_who_stands_still_covers_nothing_and_ends_with_the_time() -> None:
    assert _suite(_write(_route("3", "crossroads", *NORTH)), "--driver", "idle") == 0
    (row,) = _rows()
    assert row["outcome"] == "timeout" and row["infractions"] == {"route_timeout": 1}
    assert row["scores"]["route_completion"] == 0.0 and row["ticks"] == 10 * int(0.8 * 60.0 + 5.0)


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_route_is_a_failed_row_and_the_others_are_driven(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    text, outcome, words = BAD[kind]
    assert _suite(_write(text, GOOD)) == 1
    found = {r["split"]: r for r in _rows()}
    assert {s: r["outcome"] for s, r in found.items()} == {
        "route 8": outcome, "route 3": "arrived", "route 7": "arrived",
    }  # fmt: skip
    assert words in found["route 8"]["error"] and "r.xml:2" in found["route 8"]["error"]
    assert "1 episode could not be driven" in capsys.readouterr().out
    total = next(s for s in _summaries() if s["split"] == "all routes")
    assert total["episodes"] == 3 and abs(total["driving_score"] - 200.0 / 3.0) < 0.01


def test_a_file_that_is_no_route_file_ends_nothing_beside_others() -> None:
    Path("bomb.xml").write_text('<!DOCTYPE r [<!ENTITY a "aa">]>\n<routes>&a;</routes>')
    assert _suite("bomb.xml", _write(GOOD)) == 1
    assert [r["outcome"] for r in _rows()] == ["unreadable", "arrived", "arrived"]
    assert "found a DOCTYPE" in _rows()[0]["error"]


@pytest.mark.parametrize(
    ("more", "words"),
    [(("nowhere.xml",), "there is no file nowhere.xml"), (("r.xml", "--split", "test"), "--split test was given"),
     (("r.xml", "--twins", "raining"), "--twins raining was given")],
)  # fmt: skip
def test_what_cannot_be_asked_of_routes_is_one_sentence(
    more: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(GOOD)
    assert _suite(*more) == 2
    assert words in capsys.readouterr().err and not Path("out").exists()


def test_seeds_and_repetitions_are_rows_and_workers_change_no_byte() -> None:
    asked = ("suite", _write(GOOD), "rain-turn", "--seeds", "2", "--repetitions", "2", "--threads", "1")
    assert cli.main([*asked, "--out", "one"]) == 0
    assert cli.main([*asked, "--out", "two", "--workers", "2", "--worlds", "1"]) == 0
    told = [[{k: v for k, v in r.items() if k != "wall"} for r in _rows(folder)] for folder in ("one", "two")]
    assert told[0] == told[1] and len(told[0]) == 12
    assert len({(r["split"], r["seed"], r["repetition"]) for r in told[0]}) == 12


def test_the_same_command_and_resume_drive_what_is_missing_and_what_was_changed() -> None:
    _suite(_write(_route("3", "crossroads", *NORTH)))
    _write(GOOD)
    assert cli.main(["suite", "--resume", "--out", "out"]) == 0
    assert [r["split"] for r in _rows()] == ["route 3", "route 7"]
    _write(GOOD.replace('y="-30.0"', 'y="-25.0"'))
    assert cli.main(["suite", "--resume", "--out", "out"]) == 0
    assert [r["split"] for r in _rows()] == ["route 3", "route 7", "route 3"]


def test_a_checkpoint_drives_by_its_camera_and_a_decision_drives_no_route() -> None:
    save_policy(Path("net"), build(LearnerSettings(), 0), {"scenario": "rain-turn", "camera": vars(Camera())})
    assert _suite(_write(_route("3", "crossroads", *NORTH)), "--driver", "net") == 0
    assert _rows()[0]["outcome"] in ("off_road", "timeout", "deviated", "arrived")
    assert cli.main(["suite", "r.xml", "--driver", "left", "--out", "left"]) == 1
    assert "'left' is a decision at a junction and drives no route" in _rows("left")[0]["error"]


def test_exported_episodes_are_driven_as_routes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scenarios", "export", "rain-turn", "--routes", "made/rain.xml", "--seeds", "3"]) == 0
    assert "made/rain.xml: 3 routes, 3 maps beside it" in capsys.readouterr().out
    assert _suite("made/rain.xml") == 0
    assert [r["outcome"] for r in _rows()] == ["arrived"] * 3


@pytest.mark.parametrize(
    ("words", "said"),
    [(("export", "rain-turn"), "export wants a scenario and a file"), (("export", "--routes", "x.xml"), "export wants"),
     (("rain-turn", "--routes", "x.xml"), "--routes"),
     (("export", "rain-turn", "--routes", "x.xml", "--seeds", "0"), "--seeds was given 0")],
)  # fmt: skip
def test_an_export_without_what_it_needs_is_one_sentence(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["scenarios", *words]) == 2
    assert said in capsys.readouterr().err and not Path("x.xml").exists()


@needs_maps
def test_routes_of_both_layouts_are_driven_on_real_towns() -> None:
    assert MAPS
    old = (
        '<route id="1" town="Town02"><waypoint x="94.5" y="109.66" z="0"/><waypoint x="189.5" y="175.0" z="0"/>'
        '<waypoint x="60.5" y="188.2" z="0"/></route>\n'
    )
    new = _route("2", "Town01", (338.7, 226.75), (88.4, 210.58), (14.33, 326.26))
    assert _suite(_write(old, new)) == 0
    assert [(r["town"], r["outcome"], r["scores"]["driving_score"]) for r in _rows()] == [
        ("Town02", "arrived", 100.0), ("Town01", "arrived", 100.0),
    ]  # fmt: skip
