"""Sabotaged suites: whatever breaks is a row, every other row is there, and --resume drives what is missing."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from dagger import cli
from dagger.commands.suite import Options, _pieces, _sheets
from dagger.evaluation.plan import Wanted, plan
from dagger.evaluation.tasks import Task
from dagger.runs import jsonl
from dagger.runs.jsonl import JsonlLog
from policies.expert.expert import Fixed
from scenarios.scenario import load_scenario
from sim.datatypes.action import Action
from sim.world.rollout import PrivilegedInput

FIRST = 6_000_000
BROKEN = Path("broken")  # while it is there, drivers break


class Saboteur:
    """Turns left, and while BROKEN is there does something terrible in the worlds of one seed."""

    needs = "state"

    def __init__(self, deed: str, place: int) -> None:
        self.deed, self.seed, self.sane = deed, FIRST + place, Fixed("left")

    def begin(self, worlds: int) -> np.ndarray:
        """No memory."""
        return self.sane.begin(worlds)

    def act(self, seen: PrivilegedInput, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        """Left, or the deed."""
        action, memory = self.sane.act(seen, memory)
        here = seen.world.seed == self.seed
        if here.any() and BROKEN.exists():
            if self.deed == "raise":
                raise OSError("the driver lost its map")
            if self.deed == "exit":
                sys.exit("had enough")
            if self.deed == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.deed == "hang":
                Path("hanging").write_text(str(os.getpid()))
                time.sleep(600)
            action = Action(np.where(here, np.nan, action.steer).astype(np.float32), action.acceleration)
        return action, memory


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(jsonl, "WAITS", (0.0, 0.0, 0.0))
    BROKEN.touch()


def _driver(deed: str, place: int) -> str:
    """A driver as somebody might bring it; a module of its own for each, for modules are imported once."""
    name = f"sabotage_{deed}_{place}"
    text = "from tests.dagger.evaluation.test_suite_faults import Saboteur\n"
    text += f"def driver():\n    return Saboteur({deed!r}, {place})\n"
    Path(f"{name}.py").write_text(text)
    return f"{name}:driver"


def _suite(*more: str) -> int:
    return cli.main(["suite", *more, "--threads", "1", "--out", "out"])


def _rows() -> list[dict[str, Any]]:
    return list(JsonlLog(Path("out/results.jsonl")).rows())


def _outcomes() -> dict[int, str]:
    """Place of the episode -> its outcome, whatever was driven last."""
    return {row["seed"] - FIRST: row["outcome"] for row in _rows()}


def _resumed(*missing: int) -> None:
    """Mends the driver, resumes with no more than the folder's name, and sees what was driven."""
    before = Path("out/results.jsonl").read_bytes()
    BROKEN.unlink(missing_ok=True)
    assert cli.main(["suite", "--resume", "--out", "out"]) == 0
    after = Path("out/results.jsonl").read_bytes()
    assert after.startswith(before)
    added = [json.loads(line)["seed"] - FIRST for line in after[len(before) :].splitlines() if line]
    assert added == list(missing)
    assert cli.main(["suite", "--resume", "--out", "out"]) == 0 and Path("out/results.jsonl").read_bytes() == after


# ---------------------------------------------------------------------------------------------------- the driver
@pytest.mark.parametrize(
    ("deed", "words"),
    [("raise", "OSError: the driver lost its map"), ("nan", "steer=nan"), ("exit", "SystemExit: had enough")],
)
def test_a_driver_that_fails_in_one_world_costs_that_episode_alone(
    deed: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _suite("rain-turn", "--seeds", "9", "--worlds", "8", "--driver", _driver(deed, 5)) == 1
    assert [_outcomes()[i] == "error" for i in range(9)] == [i == 5 for i in range(9)]
    assert len(_rows()) == 9 and words in _rows()[5]["error"]
    assert "1 episode could not be driven" in capsys.readouterr().out
    (line,) = json.loads(Path("out/summary.json").read_text())["rows"]
    assert line["errors"] == 1 and line["episodes"] == 9
    records = json.loads(Path("out/leaderboard.json").read_text())["_checkpoint"]["records"]
    assert [r["status"] == "Failed - Agent crashed" for r in records] == [i == 5 for i in range(9)]
    _resumed(5)


# --------------------------------------------------------------------------------------------------- the workers
def test_a_killed_worker_costs_the_episode_that_kills_it(capsys: pytest.CaptureFixture[str]) -> None:
    asked = (
        "rain-turn",
        "--seeds",
        "4",
        "--worlds",
        "2",
        "--workers",
        "1",
        "--isolate",
        "--driver",
        _driver("kill", 1),
    )
    assert _suite(*asked) == 1
    assert [row["seed"] - FIRST for row in _rows()] == [0, 1, 2, 3]
    assert [_outcomes()[i] == "killed" for i in range(4)] == [False, True, False, False]
    assert _rows()[1]["error"] == "the worker ended by signal SIGKILL"
    summary = json.loads(Path("out/summary.json").read_text())
    assert summary["rows"][0]["killed"] == 1 and summary["workers_lost"] == 2
    assert "driven again" in capsys.readouterr().err
    BROKEN.unlink()
    before = Path("out/results.jsonl").read_bytes()
    assert _suite(*asked, "--no-isolate") == 0  # the row is the same wherever it is driven
    added = Path("out/results.jsonl").read_bytes()[len(before) :]
    assert [json.loads(line)["seed"] - FIRST for line in added.splitlines()] == [1]


def test_a_hung_worker_is_killed_and_its_episodes_are_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("rain-turn", "--seeds", "4", "--worlds", "2", "--isolate", "--driver", _driver("hang", 3))
    # Where kernels are yet to be compiled that takes longer than this test is patient.
    assert cli.main(["suite", "rain-turn", "--seeds", "1", "--out", "warm"]) == 0
    assert _suite(*asked, "--timeout", "5") == 1
    assert [_outcomes()[i] == "hung" for i in range(4)] == [False, False, True, True]
    assert "no progress for 5 s; the worker was killed" in _rows()[3]["error"]
    # Next time each goes to a worker by itself, so that the culprit takes nobody along.
    jobs, _ = plan(("rain-turn",), Wanted(seeds=4))
    versions = {k: _rows()[0][k] for k in ("driver", "driver_version", "code", "commit")}
    sheets = _sheets(jobs, versions, JsonlLog(Path("out/results.jsonl")))
    assert [p.tasks for p in _pieces(sheets, Options(worlds=2))] == [(Task(FIRST + 2),), (Task(FIRST + 3),)]
    BROKEN.unlink()
    assert _suite(*asked, "--no-isolate") == 0
    assert [row["seed"] - FIRST for row in _rows()] == [0, 1, 2, 3, 2, 3]


def test_a_hanging_worker_does_not_outlive_a_suite_that_is_killed() -> None:
    words = ["suite", "rain-turn", "--seeds", "1", "--isolate", "--driver", _driver("hang", 0), "--out", "out"]
    path = os.pathsep.join([str(Path(__file__).parents[3]), *filter(None, [os.environ.get("PYTHONPATH")])])
    suite = subprocess.Popen([sys.executable, "-m", "dagger.cli", *words], env={**os.environ, "PYTHONPATH": path})
    try:
        assert _soon(lambda: Path("hanging").exists() and bool(Path("hanging").read_text()))
    finally:
        suite.kill()
        suite.wait()
    assert _soon(lambda: not _lives(int(Path("hanging").read_text())))


def _soon(happened: Callable[[], bool]) -> bool:
    until = time.monotonic() + 60.0
    while not happened() and time.monotonic() < until:
        time.sleep(0.05)
    return happened()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    try:  # who has ended and is not yet buried is no longer at work
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_driver_that_no_worker_can_load_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("fickle.py").write_text(
        "import multiprocessing\nfrom policies.expert.expert import Idle\n"
        "def driver():\n    assert multiprocessing.parent_process() is None, 'not in a worker'\n    return Idle()\n"
    )
    assert _suite("rain-turn", "--seeds", "2", "--isolate", "--driver", "fickle:driver") == 2
    assert "a worker cannot begin: AssertionError: not in a worker" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------ the disk
def _full(monkeypatch: pytest.MonkeyPatch, times: int, after: int) -> None:
    """The disk takes two thirds of the `after`-th write, and then nothing for so many more."""
    real: Callable[[int, bytes], int] = os.write
    seen = {"writes": 0}

    def write(handle: int, data: bytes) -> int:
        if not data.lstrip().startswith(b'{"agrees"') and seen["writes"] < after:
            return real(handle, data)  # not a row
        seen["writes"] += 1
        if seen["writes"] == after:
            return real(handle, data[: 2 * len(data) // 3])
        if after < seen["writes"] <= after + times:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, data)

    monkeypatch.setattr(jsonl.os, "write", write)


def test_a_disk_that_is_full_for_a_while_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as full:
        _full(full, times=3, after=2)
        assert _suite("rain-turn", "--seeds", "6", "--worlds", "2") == 0
    lines = Path("out/results.jsonl").read_text().splitlines()
    assert [json.loads(line)["seed"] - FIRST for line in lines] == [0, 1, 2, 3, 4, 5]  # no line torn, none twice


def test_rows_that_never_fit_are_counted_and_resumed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as full:
        _full(full, times=1000, after=2)
        assert _suite("rain-turn", "--seeds", "6", "--worlds", "2") == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("dagger suite: 1 row could not be written to out/results.jsonl: No space left on device")
    assert "--resume" in said
    assert [row["seed"] - FIRST for row in _rows()] == [0, 1, 2]  # and a part of another
    _resumed(3, 4, 5)


# ------------------------------------------------------------------------------------------------------ the files
def test_a_torn_last_line_is_closed_off_and_driven_again() -> None:
    assert _suite("rain-turn", "--seeds", "4") == 0
    path = Path("out/results.jsonl")
    torn = path.read_bytes()[:-40]
    path.write_bytes(torn)
    assert cli.main(["suite", "--resume", "--out", "out"]) == 0
    assert path.read_bytes().startswith(torn + b"\n")
    assert [row["seed"] - FIRST for row in _rows()] == [0, 1, 2, 3]


def test_bad_yaml_among_several_targets_is_a_row_and_the_others_are_driven(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.yaml").write_text("name: [unclosed\n")
    Path("some.yaml").write_text("name: some\nentries:\n  - {scenario: bad.yaml}\n  - {scenario: night-turn}\n")
    asked = ("bad.yaml", "rain-turn", "some.yaml", "--seeds", "2")
    assert _suite(*asked) == 1
    rows = _rows()
    assert [(r["scenario"], r["outcome"] == "unreadable") for r in rows] == [
        ("bad.yaml", True), ("bad.yaml", True), *[("rain-turn", False)] * 2, *[("night-turn", False)] * 2,
    ]  # fmt: skip
    assert "bad.yaml:" in rows[0]["error"] and "malformed YAML" in rows[0]["error"]
    assert "2 episodes could not be driven" in capsys.readouterr().out
    Path("bad.yaml").write_text(yaml.safe_dump(dict(load_scenario("rain-turn").data) | {"name": "good"}))
    assert cli.main(["suite", "--resume", "--out", "out"]) == 0
    assert [r["scenario"] for r in _rows()[len(rows) :]] == ["good", "good"]


def test_a_malformed_map_costs_its_scenario_alone(capsys: pytest.CaptureFixture[str]) -> None:
    data = dict(load_scenario("rain-turn").data) | {"name": "broken-map", "map": {"file": "broken.xodr"}}
    Path("broken-map.yaml").write_text(yaml.safe_dump(data))
    Path("broken.xodr").write_text("<OpenDRIVE><header/><road id='1'>")
    assert _suite("broken-map.yaml", "rain-turn", "--seeds", "3") == 1
    assert [r["outcome"] for r in _rows()] == ["error"] * 3 + ["arrived"] * 3
    assert "broken" in _rows()[0]["error"] and "broken" in capsys.readouterr().err
    town = json.loads(Path("out/summary.json").read_text())["rows"][0]
    assert (town["errors"], town["agreement"], town["driving_score"]) == (3, 0.0, 0.0)
    before = len(_rows())
    assert _suite("broken-map.yaml", "rain-turn", "--seeds", "3", "--resume") == 1
    assert [r["scenario"] for r in _rows()[before:]] == ["broken-map"] * 3


def test_a_single_target_that_is_bad_is_a_sentence_and_no_suite(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.yaml").write_text("name: [unclosed\n")
    assert _suite("bad.yaml") == 2
    assert "bad.yaml:" in capsys.readouterr().err and not Path("out").exists()
