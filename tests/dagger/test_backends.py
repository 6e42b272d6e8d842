"""Another kind of world than the embedded one, through the whole path: driving, demonstrations, training, suites."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from dagger import backends, cli
from dagger.algorithms.base import BetaSchedule
from dagger.backends import backend_of_run
from dagger.runs.jsonl import JsonlLog
from dagger.training.collect import collect
from dagger.training.demonstrations import Demonstration, DemonstrationStore, packed, unpacked
from dagger.training.fit import fit
from dagger.training.loader import RenderingLoader
from dagger.training.steps import FitSettings
from policies.evaluate import evaluate
from policies.expert.expert import Expert
from policies.learner import LearnerSettings, build
from scenarios.sampling.sample import balanced_batch, slots_needed
from scenarios.scenario import Scenario, load_scenario
from sim.datatypes.action import Action, Observation
from sim.world.backend import Backend
from sim.world.context import RunContext
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import PrivilegedInput, observe_for
from tests.support.stand_in_backend import ElsewhereWorlds
from tests.support.worlds import SMALL


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario("rain-turn")


def collected(scenario: Scenario, backend: Any, count: int = 4) -> list[Demonstration]:
    return collect(
        backend, Expert.of(scenario), None, balanced_batch(scenario, range(count), "train"), BetaSchedule(), 0, "expert"
    )


@pytest.fixture(scope="module")
def stored(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> list[Demonstration]:
    """Four demonstrations of elsewhere, written and read again."""
    store = DemonstrationStore(tmp_path_factory.mktemp("elsewhere"))
    with RunContext(make_backend=ElsewhereWorlds(2)).backend(2, SMALL, slots_needed(scenario)) as backend:
        store.append(collected(scenario, backend), "round-0")
    return store.read()


def test_the_stand_in_is_a_backend() -> None:
    assert isinstance(ElsewhereWorlds(1)(1), Backend) and isinstance(EmbeddedWorld(1), Backend)


def test_a_few_worlds_at_once_drive_as_all_at_once_do(scenario: Scenario) -> None:
    episodes = balanced_batch(scenario, range(7), "test")
    expert = Expert.of(scenario)
    whole = evaluate(expert, scenario, episodes, SMALL)
    worlds = ElsewhereWorlds(2)
    parts = evaluate(expert, scenario, episodes, SMALL, RunContext(make_backend=worlds))
    for name in ("cells", "wanted", "shown_decision", "outcome", "progress", "ticks", "seeds"):
        assert getattr(whole, name).tobytes() == getattr(parts, name).tobytes(), name
    assert worlds.open == 0 and worlds.peak == 2 and worlds.closed == 4


def test_worlds_are_closed_where_a_driver_fails(scenario: Scenario) -> None:
    class Failing:
        needs = "state"

        def begin(self, worlds: int) -> np.ndarray:
            return np.zeros((worlds, 0))

        def act(self, seen: PrivilegedInput, memory: np.ndarray) -> tuple[Action, np.ndarray]:
            raise RuntimeError("cannot drive")

    worlds = ElsewhereWorlds(2)
    with pytest.raises(RuntimeError, match="cannot drive"):
        evaluate(
            Failing(), scenario, balanced_batch(scenario, range(3), "test"), SMALL, RunContext(make_backend=worlds)
        )
    assert worlds.open == 0 and worlds.closed == 1


def test_reports_of_closed_backends_are_in_the_log_of_their_context_alone(scenario: Scenario) -> None:
    context = RunContext(make_backend=ElsewhereWorlds(2))
    fewer = replace(context, worlds=1)  # a changed copy of a context reports to the same log
    episodes = balanced_batch(scenario, range(3), "test")
    evaluate(Expert.of(scenario), scenario, episodes, SMALL, context)
    evaluate(Expert.of(scenario), scenario, episodes[:1], SMALL, fewer)
    assert context.log.recovered_errors == ["was away for a moment"] * 3
    assert context.log.versions == {"elsewhere": "1"} and list(context.log.substitutions) == ["stands in for a server"]
    other = RunContext(make_backend=context.make_backend)
    assert not other.log.recovered_errors and not other.log.substitutions


def test_a_picture_is_stored_nearly_as_it_was_and_red_stays_red() -> None:
    picture = np.zeros((20, 32, 3), np.uint8)
    picture[:, :16] = (250, 10, 10)
    picture[:, 16:] = (10, 10, 250)
    found = unpacked(packed(picture)).astype(int)
    assert np.abs(found[:, :12] - (250, 10, 10)).max() < 12 and np.abs(found[:, 20:] - (10, 10, 250)).max() < 12


def test_pictures_that_cannot_be_redrawn_are_learned_from_as_the_camera_took_them(
    scenario: Scenario, stored: list[Demonstration]
) -> None:
    assert all(len(d.frames) == len(d) and d.camera == SMALL and d.versions["elsewhere"] == "1" for d in stored)
    loader = RenderingLoader(stored, SMALL)
    with RunContext(make_backend=ElsewhereWorlds(4)).backend(4, SMALL, slots_needed(scenario)) as backend:
        backend.reset([d.episode for d in stored])
        shown = observe_for(backend, "camera", np.arange(4))
        assert isinstance(shown, Observation)
        drawn = loader.draw(np.arange(4), np.zeros(4, int))
        errors = np.abs(drawn.astype(int) - shown.camera).mean((1, 2, 3))
        mixed_up = np.abs(drawn[::-1].astype(int) - shown.camera).mean((1, 2, 3))
    assert (errors < 6.0).all() and (mixed_up > errors).all()
    late = loader.draw(np.array([2, 0]), np.array([5, 9]))
    assert np.array_equal(late[0], unpacked(stored[2].frames[5])) and np.array_equal(
        late[1], unpacked(stored[0].frames[9])
    )


def test_a_training_step_takes_stored_pictures(stored: list[Demonstration], tmp_path: Path) -> None:
    torch.manual_seed(0)
    learner = build(LearnerSettings(image=(SMALL.height, SMALL.width)), 3)
    before = {name: value.clone() for name, value in learner.state_dict().items()}
    losses = fit(learner, RenderingLoader(stored, SMALL), FitSettings(), 1, (0, 0, 0), tmp_path / "state")
    assert np.isfinite(losses).all() and len(losses) > 0
    assert any(not torch.equal(value, before[name]) for name, value in learner.state_dict().items())


@pytest.mark.parametrize(("change", "told"), [
    ({"fov": 60.0}, r"a camera with fov 90 and cannot be redrawn with fov 60"),
    ({"left": 0.5}, "cannot be redrawn with left 0.5"),
    ({"width": 64}, "cannot be redrawn with width 64"),
])  # fmt: skip
def test_another_camera_than_that_which_took_them_is_refused(
    stored: list[Demonstration], change: dict[str, Any], told: str
) -> None:
    asked = replace(SMALL, **change)
    told = told.replace("fov 90", f"fov {SMALL.fov:g}")
    with pytest.raises(ValueError, match=told):
        RenderingLoader(stored, asked)
    assert asdict(asked) != asdict(SMALL)


def test_stored_and_redrawn_demonstrations_are_not_mixed(scenario: Scenario, stored: list[Demonstration]) -> None:
    redrawn = collected(scenario, EmbeddedWorld(2, SMALL, slots_needed(scenario)), 2)
    with pytest.raises(ValueError, match="4 of 6 demonstrations have stored pictures"):
        RenderingLoader([*stored, *redrawn], SMALL)


def test_demonstrations_that_can_be_redrawn_have_no_columns_for_pictures(scenario: Scenario, tmp_path: Path) -> None:
    store = DemonstrationStore(tmp_path)
    name = store.append(collected(scenario, EmbeddedWorld(2, SMALL, slots_needed(scenario)), 2), "round-0")
    with pa.memory_map(str(tmp_path / name)) as source:
        columns = pa.ipc.open_file(source).read_all().column_names
    assert not {"frames", "camera"} & set(columns) and "weather" in columns


# ------------------------------------------------------------------------------------------------ the command line
@pytest.fixture
def two_servers(monkeypatch: pytest.MonkeyPatch) -> list[ElsewhereWorlds]:
    """Commands that ask for carla get the stand-in, of as many worlds as ports."""
    import sim.carla.client

    made: list[ElsewhereWorlds] = []

    def servers(host: str, ports: tuple[int, ...]) -> ElsewhereWorlds:
        made.append(ElsewhereWorlds(len(ports)))
        return made[-1]

    monkeypatch.setattr(sim.carla.client, "CarlaServers", servers)
    return made


CARLA = ("--backend", "carla", "--port", "4001", "4002")


def test_a_suite_on_another_backend_has_rows_of_its_own_with_recovered_errors(
    two_servers: list[ElsewhereWorlds],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = ("suite", "rain-turn", "--seeds", "3", "--threads", "1", "--out", "out")
    assert cli.main([*plain]) == 0 and cli.main([*plain, *CARLA]) == 0
    rows = list(JsonlLog(Path("out/results.jsonl")).rows())
    here, there = rows[:3], rows[3:]
    assert len(there) == 3 and all(
        r["backend"] == "carla" and r["recovered_errors"] and r["substitutions"] for r in there
    )
    assert not any("backend" in r or "recovered_errors" in r for r in here)
    for one, other in zip(here, there):
        assert {**one, "wall": 0} == {
            k: v for k, v in other.items() if k not in ("backend", "recovered_errors", "substitutions")
        } | {"wall": 0}
    said = capsys.readouterr().out
    assert "2 CARLA servers: 2 worlds at once instead of 64" in said and "on carla" in said
    assert json.loads(Path("out/summary.json").read_text())["backend"] == "carla"
    assert two_servers[0].open == 0 and two_servers[0].peak == 2


def test_demonstrations_elsewhere_are_stored_with_pictures(
    two_servers: list[ElsewhereWorlds], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["demos", "rain-turn", "--episodes", "3", "--out", str(tmp_path / "d"), *CARLA]) == 0
    assert all(d.frames for d in DemonstrationStore(tmp_path / "d").read())
    assert "stands in for a server" in capsys.readouterr().out and two_servers[0].open == 0


@pytest.mark.parametrize("command", ["run", "demos", "suite", "film"])
@pytest.mark.parametrize(("flags", "told"), [
    (("--backend", "carl"), "--backend was given 'carl'; known are embedded, carla"),
    (("--backend", "carla", "--port", "0"), "--port was given 0; wanted different numbers of 1 to 65534, one a server"),
    (("--backend", "carla", "--port", "7", "7"), "--port was given 7 7"),
])  # fmt: skip
def test_what_is_no_backend_is_refused_in_one_sentence(
    command: str, flags: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command, "rain-turn", *flags]) == 2
    said = capsys.readouterr().err.strip()
    assert told in said and "\n" not in said


def test_a_run_says_where_it_was_begun(tmp_path: Path) -> None:
    assert backend_of_run(tmp_path) == {}
    options = cli.read("run", ["rain-turn", *CARLA])
    (tmp_path / "manifest.json").write_text(json.dumps(backends.named(options)))
    assert backend_of_run(tmp_path) == {"backend": "carla", "host": "127.0.0.1", "port": (4001, 4002)}
