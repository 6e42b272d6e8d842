"""The command line: help, bad input, precedence of options, a whole run, and what a kill leaves of it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from dagger import cli
from dagger.options import UsageError
from scenarios.reading.yaml import ScenarioError
from tests.support import scoring

TINY = {
    "train": {
        "episodes": 6, "rounds": 1, "per_round": 4, "epochs": 2, "round_epochs": 1, "evaluation": 2, "worlds": 4,
        "threads": 1, "cache_mb": 64, "learner": {"width": 16, "memory_width": 8, "head_width": 8},
        "fit": {
            "sequences": 4, "encoder_steps": 4, "encoder_batch": 8, "memory_epochs": 1, "memory_batch": 4, "frames": 8,
        },
        "camera": {"width": 96, "height": 64},
    },
    "probe": {"pairs": 4},
}  # fmt: skip

HELP = {
    "run": ("--rule", "--config", "--resume", "--quick", "--train.rounds", "--train.learner.encoder", "--probe.pairs"),
    "suite": ("--driver", "--seeds", "--split", "--worlds", "--threads", "--out"),
    "demos": ("--episodes", "--out", "--split"),
    "probe": ("--scenario", "--quick", "--probe.pairs"),
    "film": ("--backend", "--host", "--port", "--driver", "--cell", "--size", "--split", "--seed"),
    "report": ("run folder",),
    "scenarios": ("--leaks",),
    "serve": ("--port", "--map", "--host", "--maps", "--methods", "--verbose"),
    "bench": ("--seconds", "--repeats", "--cold", "--only"),
}


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = sys.modules.get("probes.scorecard")
    monkeypatch.setitem(sys.modules, "probes.scorecard", scoring.install())
    if before is None:
        monkeypatch.delitem(sys.modules, "probes.scorecard")
        monkeypatch.setitem(sys.modules, "probes.scorecard", scoring.install())
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    return path


def test_every_command_is_in_the_overview(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    said = capsys.readouterr().out
    assert set(HELP) == set(cli.COMMANDS) and all(f"\n  {name} " in said for name in cli.COMMANDS)


def test_the_overview_imports_nothing_heavy() -> None:
    code = "import sys, dagger.cli; dagger.cli.main(['--help']); print({'torch', 'numba', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("set()")


def test_a_mistake_in_a_rule_is_told_with_its_line_and_carets_under_the_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = "name: odd\npropositions:\n  raining: weather.precipitation > 20\nrule: left if rainng else right\n"
    (tmp_path / "odd.yaml").write_text(rule)
    assert cli.main(["scenarios", "odd.yaml"]) == 2
    sentence, line, carets = capsys.readouterr().err.rstrip("\n").split("\n")
    assert sentence.startswith("dagger scenarios: odd.yaml:4: rule: unknown proposition 'rainng'")
    assert line[carets.index("^") : carets.rindex("^") + 1] == "rainng"


@pytest.mark.parametrize("name", sorted(HELP))
def test_help_names_the_options_and_ends_well(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"dagger {name}" in said
    for option in HELP[name]:
        assert option in said, option


def test_no_option_of_a_run_is_left_without_a_word_of_help() -> None:
    from dagger.commands.run import Options
    from dagger.options import bare, hints_of, sentences

    def silent(cls: type, prefix: str) -> list[str]:
        found = []
        for name, hint in hints_of(cls).items():
            kind = bare(hint)
            found += silent(kind, f"{prefix}{name}.") if hasattr(kind, "__dataclass_fields__") else []
            if not hasattr(kind, "__dataclass_fields__") and name not in sentences(cls):
                found.append(prefix + name)
        return found

    assert silent(Options, "") == []


BAD: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "command": (["rnu"], ("'rnu'", "run, suite", "did you mean 'run'")),
    "scenario": (["run", "rain-trun"], ("'rain-trun'", "night-turn", "did you mean 'rain-turn'")),
    "scenario file": (["run", "absent.yaml"], ("absent.yaml", "rain-turn")),
    "rule": (["run", "--rule", "left if rainin else right"], ("'rainin'", "raining", "did you mean 'raining'")),
    "option": (["run", "--sed", "3"], ("--sed", "known are", "did you mean '--seed'")),
    "deep option": (["run", "--train.fit.windw", "3"], ("--train.fit.windw", "--train.fit.clip", "--train.fit.window")),
    "number": (["run", "--seed", "three"], ("--seed", "'three'", "whole number")),
    "no value": (["run", "--seed"], ("--seed", "whole number")),
    "deep value": (["run", "--train.learner.memory", "lstn"], ("'lstn'", "gru")),
    "schedule": (["run", "--train.beta.shape", "line"], ("'line'", "exponential")),
    "nothing to resume": (["run", "--resume"], ("rain-turn", "seed 0", "--out")),
    "config file": (["run", "--config", "absent.yaml"], ("absent.yaml", "YAML")),
    "maps": (["run", "--maps", "nowhere"], ("nowhere", "OpenDRIVE")),
    "suite": (["suite", "frist"], ("'frist'", "first", "rain-turn", "did you mean 'first'")),
    "driver": (["suite", "rain-turn", "--driver", "exprt"], ("'exprt'", "expert", "idle", "did you mean 'expert'")),
    "module": (["suite", "rain-turn", "--driver", "absent:thing"], ("'absent:thing'", "module:callable")),
    "split": (["suite", "rain-turn", "--split", "tran"], ("'tran'", "train, test", "did you mean 'train'")),
    "seed": (["run", "--seed", "-1"], ("--seed", "-1", "0 to 428")),
    "no seeds": (["suite", "--seeds", "0"], ("--seeds", "0", "at least 1")),
    "checkpoint": (["probe", "nowhere"], ("nowhere", "policy.json")),
    "cell form": (["film", "--cell", "raining"], ("'raining'", "proposition=true")),
    "cell name": (["film", "--cell", "rain=true"], ("'rain'", "raining, night", "did you mean 'raining'")),
    "cell held out": (["film", "--split", "train", "--cell", "raining=true,night=true"], ("train", "it has")),
    "size": (["film", "--size", "big"], ("'big'", "640x360")),
    "film's name": (["film", "--out", "film.avi"], ("film.avi", ".mp4")),
    "run folder": (["report", "nowhere"], ("nowhere",)),
    "benchmark": (["bench", "--only", "stp"], ("'stp'", "step, town, camera", "did you mean 'step'")),
    "one too many": (["demos", "rain-turn", "night-turn"], ("night-turn", "--help")),
}


# Values that no run can be made of: each is refused by its flag, before anything is driven.
NONSENSE = (
    "train.episodes=0", "train.episodes=-5", "train.rounds=-1", "train.rounds=0", "train.per-round=0", "train.epochs=0",
    "train.epochs=-1", "train.round-epochs=0", "train.evaluation=0", "train.worlds=0", "train.threads=0",
    "train.threads=-2", "train.cache-mb=-1", "train.replay=-1", "train.futures=1", "train.takeovers=-1",
    "train.perturb=-1", "train.perturb=nan", "train.gate=mixtur", "train.fit.learning-rate=-1",
    "train.fit.learning-rate=nan", "train.fit.learning-rate=0", "train.fit.again-rate=inf", "train.fit.last-rate=9",
    "train.fit.weight-decay=-1", "train.fit.encoder-steps=-1", "train.fit.encoder-batch=0", "train.fit.window=0",
    "train.fit.window=-4", "train.fit.sequences=0", "train.fit.frames=-1", "train.fit.clip=0", "train.fit.clip=-1",
    "train.fit.jitter=-1", "train.beta.shape=foo", "train.beta.decay=7", "train.beta.rounds=0", "train.beta.per=minute",
    "train.beta.segment=0", "train.beta.segment=-3", "train.camera.width=0", "train.camera.fov=200",
    "train.camera.pitch=120", "train.learner.image=32 48", "train.learner.width=0", "train.learner.mixtures=0",
    "train.learner.memory=lstn", "train.learner.encoder=vit", "probe.per-cell=0", "probe.pairs=0", "probe.draws=0",
    "probe.traced=0", "probe.fitted=0", "probe.worlds=0", "probe.remembered=-1", "backend=foo", "port=99999",
    "seed=5000",
)  # fmt: skip


@pytest.mark.parametrize("option", NONSENSE)
def test_a_value_out_of_range_is_refused_by_its_flag(option: str) -> None:
    flag, _, value = option.partition("=")
    with pytest.raises(UsageError) as refused:
        cli.read("run", [f"--{flag}", *value.split()])
    sentence = str(refused.value)
    assert sentence.startswith(f"--{flag} was given ") and ("; wanted " in sentence or "; known are " in sentence)


@pytest.mark.parametrize("command", ["run", "demos", "film"])
@pytest.mark.parametrize("rule", ["left", "left if raining or not raining else right"])
def test_a_rule_that_decides_the_same_everywhere_is_refused(
    command: str, rule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(Path().rglob("*"))
    assert cli.main([command, "rain-turn", "--rule", rule]) == 2
    said = capsys.readouterr().err
    assert f"--rule was given '{rule}', which decides left in every world of rain-turn; wanted" in said
    assert set(Path().rglob("*")) == before


def test_a_value_out_of_range_in_a_file_is_refused_at_its_line(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("train:\n  rounds: 2\n  fit:\n    window: 0\n")
    with pytest.raises(ScenarioError, match=r"c.yaml:4: train.fit.window: found 0; wanted .* at least 1"):
        cli.read("run", ["--config", str(path)])


def test_the_pictures_size_is_that_of_the_camera() -> None:
    camera = ["--train.camera.width", "48", "--train.camera.height", "32"]
    settings = cli.read("run", camera).train
    assert (settings.camera.width, settings.camera.height) == (48, 32)
    image = cli.read("run", [*camera, "--train.learner.image", "32", "48"]).train.learner.image
    assert image == (32, 48)  # the same size said twice
    with pytest.raises(UsageError, match=r"image was given 64 48; wanted no other size of pictures than .*, 32 and 48"):
        cli.read("run", [*camera, "--train.learner.image", "64", "48"])


@pytest.mark.parametrize("kind", sorted(BAD))
def test_bad_input_ends_in_one_sentence_with_the_known_names(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, words = BAD[kind]
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err.strip()
    sentence, *shown = said.splitlines()
    assert "Traceback" not in said and (not shown or (len(shown) == 2 and set(shown[1].strip()) == {"^"}))
    assert all(word in sentence for word in words), said
    for word in words:
        assert word in said, said
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train: {rouns: 3}", ("config.yaml:1", "'rouns'", "rounds, per_round", "did you mean 'rounds'")),
        ("seed: 1\ntrian: {rounds: 3}", ("config.yaml:2", "'trian'", "train", "did you mean 'train'")),
        ("train: {rounds: many}", ("train.rounds", "'many'", "whole number")),
        ("train: 3", ("train", "3", "keys")),
        ("train: {learner: {encoder: cnvnet}}", ("train.learner", "'cnvnet'", "convnet")),
        ("train: [", ("config.yaml:1", "malformed YAML")),
    ],
)
def test_a_config_file_with_a_mistake_is_refused_with_file_and_key(
    text: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("config.yaml").write_text(text)
    assert cli.main(["run", "--config", "config.yaml"]) == 2
    said = capsys.readouterr().err.strip()
    assert said.count("\n") == 0
    for word in words:
        assert word in said, said


def test_flags_win_over_the_file_which_wins_over_quick_which_wins_over_defaults() -> None:
    Path("c.yaml").write_text("train: {rounds: 7, epochs: 11}\nquick: true\n")
    from dagger.training.trainer import TrainSettings
    from probes.study import ProbeSettings

    read = cli.read("run", ["--config", "c.yaml", "--train.rounds", "4", "--port", "2000", "2002"])
    assert read.train.rounds == 4
    assert read.train.epochs == 11
    assert read.train.episodes == TrainSettings.quick().episodes != TrainSettings().episodes
    assert read.probe.pairs == ProbeSettings.quick().pairs != ProbeSettings().pairs
    assert read.port == (2000, 2002)
    assert isinstance(read.train, TrainSettings)
    assert cli.read("run", []).train == TrainSettings()
    assert cli.read("run", ["--quick"]).train == TrainSettings.quick() and cli.read("run", ["--quick"]).quick
    assert not cli.read("run", ["--config", "c.yaml", "--no-quick"]).quick


def test_a_run_writes_everything_and_its_last_line_is_the_report(
    tiny: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOMUNCULUS_MAPS", raising=False)
    for place, value in scoring.SMALLER.items():
        monkeypatch.setattr(place, value)
    monkeypatch.setattr("dagger.commands.run.frames_of", scoring.frames_of)
    assert cli.main(["run", "--config", str(tiny), "--seed", "3", "--rule", "right if raining else left"]) == 0
    said = capsys.readouterr()
    folder = Path("runs/rain-turn-3")
    assert said.out.splitlines()[0].endswith(str(folder))
    assert said.out.strip().splitlines()[-1] == str(folder / "report.html")
    for name in ("config.yaml", "manifest.json", "metrics.jsonl", "scorecard.json", "report.html", "twins.npz",
                 "scenario.yaml", "checkpoints/round-0", "checkpoints/dagger-1", "checkpoints/cloning-1",
                 "tensorboard"):  # fmt: skip
        assert (folder / name).exists(), name
    card = json.loads((folder / "scorecard.json").read_text())
    assert card["rule"] == "right if raining else left"
    assert card["shown"] == 10  # round 0 and DAgger's own, not cloning's
    assert "Town02.xodr" in card["transfer_note"] and set(card["durations"]) >= {"training", "probing"}
    assert "round-0: driving 6 episodes" in said.err and "probing" in said.err
    assert "dagger run" in json.loads((folder / "manifest.json").read_text())["command"]

    (folder / "report.html").unlink()
    (folder / "checkpoints/cloning-1/policy.json").stat()
    before = _checkpoints(folder)
    assert cli.main(["run", "--resume", "--out", str(folder)]) == 0, "a finished run can be resumed by its folder"
    assert _checkpoints(folder) == before and (folder / "report.html").exists()

    assert cli.main(["run", "--resume", "--seed", "3"]) == 0, "and by its scenario and seed"
    capsys.readouterr()
    assert cli.main(["run", "--resume", "--out", str(folder), "--train.rounds", "2"]) == 2
    assert "train" in capsys.readouterr().err
    assert cli.main(["run", "--config", str(tiny), "--out", str(folder)]) == 2
    assert "--resume" in capsys.readouterr().err

    from dagger.commands.run import Options, choose_folder

    assert choose_folder(Options(seed=3), "rain-turn") == Path("runs/rain-turn-3-2")
    assert choose_folder(Options(seed=3, resume=True), "rain-turn") == folder
    assert cli.main(["probe", str(folder), "--probe.pairs", "5"]) == 0
    assert json.loads((folder / "scorecard-dagger-1.json").read_text())["settings"]["pairs"] == 5


def test_transfer_drives_a_real_town_when_its_file_is_there(tiny: Path) -> None:
    if "HOMUNCULUS_MAPS" not in os.environ:
        pytest.skip("HOMUNCULUS_MAPS names no folder with Town02.xodr")
    from dagger.training.transfer import transfer
    from policies.expert.expert import Expert
    from scenarios.scenario import load_scenario
    from sim.datatypes.camera import Camera
    from sim.world.context import RunContext

    scenario = load_scenario("rain-turn")
    found = transfer(Expert.of(scenario), scenario, Camera(), 8, 0, RunContext(worlds=8, threads=1))
    (row,) = found["transfer"]
    assert row["where"] == "Town02.xodr" and row["value"] == 1.0 and sum(row["cells"].values()) > 0


def test_a_scenario_file_runs_as_a_library_name_does(tiny: Path) -> None:
    from scenarios.scenario import load_scenario

    data = dict(load_scenario("rain-turn").data) | {"name": "mine"}
    Path("mine.yaml").write_text(yaml.safe_dump(data))
    options = cli.read("run", ["mine.yaml", "--config", str(tiny), "--out", "here"])
    assert options.scenario == "mine.yaml" and options.out == Path("here")


def test_interrupting_says_in_one_line_how_to_go_on(
    tiny: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagger.training.trainer import Trainer

    def stopped(self: Trainer) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "train", stopped)
    assert cli.main(["run", "--config", str(tiny), "--out", "half"]) == 130
    assert (
        capsys.readouterr().err.strip().splitlines()[-1] == "interrupted; resume with: dagger run --resume --out half"
    )


# -------------------------------------------------------------------------------------------- to the byte
def _checkpoints(folder: Path) -> dict[str, str]:
    files = sorted((folder / "checkpoints").rglob("*"))
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files if p.is_file()}


def _process(arguments: list[str]) -> subprocess.Popen[str]:
    root = Path(cli.__file__).parent.parent
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.scoring", "run", *arguments], cwd=root, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_a_run_killed_at_any_moment_resumes_to_the_bytes_of_one_that_was_not(tiny: Path, tmp_path: Path) -> None:
    data = yaml.safe_load(tiny.read_text())
    data["train"] |= {"epochs": 3, "round_epochs": 2, "threads": 2}
    tiny.write_text(yaml.safe_dump(data))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    first = _process(["--config", str(tiny), "--out", str(whole)])
    began = time.monotonic()
    _, said = first.communicate(timeout=600)
    assert first.returncode == 0, said
    took = time.monotonic() - began
    moment = float(np.random.default_rng(int.from_bytes(os.urandom(4), "little")).uniform(0.4, 0.95)) * took
    running = _process(["--config", str(tiny), "--out", str(killed)])
    try:
        running.communicate(timeout=moment)
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGKILL)
        running.communicate()
    begun = (killed / "config.yaml").exists()
    last = _process(["--config", str(tiny), "--out", str(killed), *(["--resume"] if begun else [])])
    _, said = last.communicate(timeout=600)
    assert last.returncode == 0, said
    assert _checkpoints(killed) == _checkpoints(whole), f"killed after {moment:.2f} of {took:.2f} s"
    assert (killed / "scorecard.json").exists() and (killed / "report.html").exists()
