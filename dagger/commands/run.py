"""`dagger run`: demonstrate, train, probe, transfer, report; a step whose result exists is skipped."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro
import yaml

from dagger.backends import PORT, backend_of_run, check_backend, named
from dagger.console import Bars, output, scorecard
from dagger.diagnostics.copying import copying
from dagger.options import UsageError, check_seed, given, overlay, parse, read_config, with_rule
from dagger.report.copying_section import sentence
from dagger.runs.folder import RunFolder, plain
from dagger.training.demonstrations import Demonstration, DemonstrationStore
from dagger.training.loader import RenderingLoader
from dagger.training.trainer import Trainer, TrainSettings
from dagger.training.transfer import transfer
from policies.checkpoint import load_policy
from policies.learner import Learner
from probes.results import NEEDED, QUICK_SECONDS, quick_share
from probes.study import ProbeSettings, frames_of
from scenarios.reading.yaml import Lines
from scenarios.scenario import Scenario, load_scenario
from sim.core.files import write_atomically
from sim.core.statistics import wilson_interval
from sim.datatypes.camera import Camera
from sim.world.context import BackendLog, RunContext
from sim.world.precompile import compiled_in_background

RUNS = Path("runs")
TRANSFER, TRANSFER_QUICK = 128, 48  # episodes
COPYING, COPYING_QUICK = 96, 24


@dataclass(frozen=True)
class Options:
    """Run the whole experiment: can the hidden rule be acquired by imitation alone?

    The expert demonstrates, a network learns by DAgger (behaviour cloning runs beside it), probes measure how much of
    the rule it acquired, and report.html shows the results. Everything goes into one run folder.

    Args:
        scenario: name of a scenario (see `dagger scenarios`), or a path that ends in .yaml.
        rule: rule in place of the scenario's, as in "left if raining and not night else right".
        backend: where the worlds run: embedded (in this process) or carla (on CARLA servers, one world per server).
        host: host name or address of the CARLA servers, with --backend carla.
        port: RPC port of each CARLA server, with --backend carla; several ports are several servers.
        config: YAML file with these options, as in "train: {rounds: 4}"; flags on the command line override it.
        out: run folder; by default runs/SCENARIO-SEED, with -2, -3, ... appended if that exists.
        seed: seed of episodes, weights and batches, 0 to 428; the same command and seed give the same checkpoints, byte
            by byte.
        quick: less of everything, for a first look in about a minute. If the scenario's episodes may last longer than
            20 s, fewer are driven, so that it still ends in minutes.
        resume: continue an interrupted run: the one in --out, else the newest of this scenario and seed.
        maps: folder of OpenDRIVE files such as Town02.xodr; by default the environment variable HOMUNCULUS_MAPS.
        train: how much is demonstrated, and how the learner is trained.
        probe: how much evidence the scorecard gathers.
    """

    scenario: tyro.conf.Positional[str] = "rain-turn"
    rule: str | None = None
    backend: str = "embedded"
    host: str = "127.0.0.1"
    port: tuple[int, ...] = (PORT,)
    config: Path | None = None
    out: Path | None = None
    seed: int = 0
    quick: bool = False
    resume: bool = False
    maps: Path | None = None
    train: TrainSettings = field(default_factory=TrainSettings)
    probe: ProbeSettings = field(default_factory=ProbeSettings)

    def __post_init__(self) -> None:
        """Refuse an unknown backend and a seed out of range."""
        check_backend(self.backend, self.port)
        check_seed(self.seed)


def starting(arguments: Sequence[str]) -> Options:
    """The default options: reduced with --quick, those that the run was started with for --resume."""
    options = Options()
    if given("--quick", arguments) is not None or _quick_in(given("--config", arguments)):
        options = reduced(options, _time_limit(arguments))
    if given("--resume", arguments) is None or {"-h", "--help"} & set(arguments):
        return options
    config = given("--config", arguments)
    asked = parse(Options, arguments, "dagger run", read_config(Path(config), options) if config else options)
    folder = choose_folder(asked, load_scenario(asked.scenario).name if asked.out is None else "")
    file = folder / "config.yaml"
    if not file.is_file():
        return options
    begun = yaml.safe_load(file.read_text())
    known = {k: begun[k] for k in ("seed", "quick", "train", "probe") if k in begun}
    known["rule"] = begun["scenario"]["rule"]  # as it was typed: a rule given with --rule is part of the run
    return replace(overlay(options, known, Lines(str(file))), scenario=_source_of(folder), **backend_of_run(folder))


def reduced(options: Options, time_limit: float) -> Options:
    """The options of --quick for a scenario whose episodes last up to `time_limit` [s]."""
    train, probe = TrainSettings.quick(quick_share(time_limit)), ProbeSettings.quick(time_limit)
    return replace(options, quick=True, train=train, probe=probe)


def _time_limit(arguments: Sequence[str]) -> float:
    """The time limit of the scenario that the command line names [s]; its errors are reported where it is loaded."""
    if {"-h", "--help"} & set(arguments):
        return QUICK_SECONDS
    config = given("--config", arguments)
    asked = parse(Options, arguments, "dagger run", read_config(Path(config), Options()) if config else Options())
    try:
        return load_scenario(asked.scenario).time_limit
    except ValueError:
        return QUICK_SECONDS


def quick_note(scenario: Scenario, settings: ProbeSettings) -> str:
    """How many episodes --quick leaves out because they are long, as a sentence; "" if it leaves out none."""
    share = quick_share(scenario.time_limit)
    if share == 1.0:
        return ""
    few = (
        ""
        if wilson_interval(settings.per_cell, settings.per_cell)[0] >= NEEDED
        else ", too few for every level to be passed"
    )
    return (
        f"quick: episodes last up to {scenario.time_limit:g} s, so {share:.0%} of the usual episodes are driven "
        f"({settings.per_cell} in every cell{few})"
    )


def _quick_in(config: str | None) -> bool:
    if not config or not Path(config).is_file():
        return False
    try:
        data = yaml.safe_load(Path(config).read_text())
    except (yaml.YAMLError, UnicodeDecodeError):
        return False  # the file is read again later, which reports the error
    return isinstance(data, dict) and data.get("quick") is True


def _source_of(folder: Path) -> str:
    """The scenario that a run was started with: its name, its file if that exists, else the copy in the folder."""
    copy = folder / "scenario.yaml"
    manifest = folder / "manifest.json"
    source = json.loads(manifest.read_text()).get("source") if manifest.is_file() else None
    if source and (not source.endswith((".yaml", ".yml")) or Path(source).is_file()):
        return str(source)
    return str(copy) if copy.is_file() else Options.scenario


def choose_folder(options: Options, name: str) -> Path:
    """The run folder.

    Raises:
        UsageError: when there is nothing to resume.
    """
    if options.out is not None:
        return options.out
    pattern = re.compile(rf"{re.escape(name)}-{options.seed}(?:-(\d+))?")
    taken = {int(m.group(1) or 1): p for p in RUNS.glob("*") if (m := pattern.fullmatch(p.name))}
    if options.resume:
        if not taken:
            raise UsageError(
                f"--resume found no run of {name} with seed {options.seed} in {RUNS}/; wanted an interrupted run "
                "there, or its folder with --out"
            )
        return taken[max(taken)]
    number = max(taken, default=0) + 1
    return RUNS / f"{name}-{options.seed}{'' if number == 1 else f'-{number}'}"


def main(options: Options, context: RunContext) -> int:
    """Run every step whose result is missing."""
    scenario = load_scenario(options.scenario, context.map_search)
    scenario = with_rule(scenario, options.rule)
    folder = choose_folder(options, scenario.name)
    settings = {
        "scenario": dict(scenario.data), "scenario_digest": scenario.digest(), "rule": str(scenario.rule),
        "seed": options.seed, "quick": options.quick, "train": plain(options.train), "probe": plain(options.probe),
    }  # fmt: skip
    if options.backend != "embedded":
        settings["backend"] = options.backend
    run = RunFolder(folder, settings, options.resume)
    print(f"{scenario.name}: {scenario.rule}  →  {folder}", flush=True)
    if options.quick and (note := quick_note(scenario, options.probe)):
        print(note, flush=True)
    _note_origin(run, options)
    if not (folder / "scenario.yaml").exists():
        write_atomically(folder / "scenario.yaml", yaml.safe_dump(dict(scenario.data), sort_keys=False))
    try:
        with compiled_in_background(), Bars() as bars:
            report = _steps(run, scenario, options, replace(context, progress=bars))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted; resume with: dagger run --resume --out {folder}") from None
    finally:
        _note_backend(folder, context.log)
    _conclude(folder, report)
    return 0


def _note_origin(run: RunFolder, options: Options) -> None:
    """Record the command line and the source of the scenario in the manifest."""
    from dagger.cli import command_line

    path = run.path / "manifest.json"
    manifest = json.loads(path.read_text())
    if "command" not in manifest:
        file = options.scenario.endswith((".yaml", ".yml"))
        manifest |= {
            "command": command_line(),
            "source": str(Path(options.scenario).resolve()) if file else options.scenario,
            **named(options),
        }
        write_atomically(path, json.dumps(manifest, indent=2, sort_keys=True) + "\n")


def _note_backend(folder: Path, new: BackendLog) -> None:
    """Add versions, substitutions and recovered errors of the servers to those in the manifest."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    if (about := manifest.get("backend")) is not None:
        about["versions"] = about.get("versions", {}) | new.versions
        about["substitutions"] = list(dict.fromkeys([*about.get("substitutions", []), *new.substitutions]))
        about["recovered_errors"] = [*about.get("recovered_errors", []), *new.recovered_errors]
        write_atomically(path, json.dumps(manifest, indent=2, sort_keys=True) + "\n")


def _steps(run: RunFolder, scenario: Scenario, options: Options, context: RunContext) -> Path:
    from dagger.report.record import write_report

    train, folder, progress = options.train, run.path, context.progress
    board = TensorBoard(folder / "tensorboard")
    try:
        with timed_stage(folder, "training"):
            checkpoint = Trainer(run, scenario, options.seed, train, context, board).train()
    finally:
        board.close()
    learner = load_policy(checkpoint)[0]
    card = folder / "scorecard.json"
    if not card.exists():
        with timed_stage(folder, "probing"):
            part = folder / ".twins.part.npz"
            score = _score(run, learner, scenario, options, checkpoint, context, part)
            if part.exists():
                part.replace(folder / "twins.npz")
        write_atomically(card, json.dumps(score, indent=1, default=as_plain) + "\n")
    score = json.loads(card.read_text())
    if "transfer_note" not in score:
        count = TRANSFER_QUICK if options.quick else TRANSFER
        with timed_stage(folder, "transfer"):
            score |= transfer(learner, scenario, train.camera, count, options.seed, context)
        write_atomically(card, json.dumps(score, indent=1, default=as_plain) + "\n")
    if "copying" not in score:
        with timed_stage(folder, "copying"):
            count = COPYING_QUICK if options.quick else COPYING
            score |= copying(learner, scenario, train.camera, count, options.seed, context)
        write_atomically(card, json.dumps(score, indent=1, default=as_plain) + "\n")
    if not (folder / "twins.npz").exists() and not (score["levels"].get("uses") or {}).get("not_applicable"):
        from probes.scorecard import record_twins

        progress.stage("twins: one world, one fact flipped", 1)
        part = folder / ".twins.part.npz"
        with timed_stage(folder, "twins"):
            record_twins(learner, scenario, train.camera, part, options.seed, context)
        part.replace(folder / "twins.npz")
        progress.advance(1)
    score["durations"] = durations(folder)
    write_atomically(card, json.dumps(score, indent=1, default=as_plain) + "\n")
    progress.stage("report", 1)
    report = write_report(folder)
    progress.advance(1)
    return report


def _score(
    run: RunFolder, learner: Learner, scenario: Scenario, options: Options, checkpoint: Path, context: RunContext,
    twins: Path,
) -> dict[str, Any]:  # fmt: skip
    from probes.scorecard import score

    train = options.train
    shown = learned_from(run.path, checkpoint.name)
    made: dict[str, Any] = score(
        learner, scenario, options.probe, train.camera, checkpoint=checkpoint.relative_to(run.path).as_posix(),
        frames=remembered(shown, train.camera, options.probe, options.seed, context), seed=options.seed,
        context=context, twins=twins,
    )  # fmt: skip
    return made


def learned_from(folder: Path, checkpoint: str) -> list[Demonstration] | None:
    """The demonstrations that a checkpoint of a run was fitted to; None if the run has none."""
    if not (folder / "demonstrations" / "index.jsonl").exists():
        return None
    store = DemonstrationStore(folder / "demonstrations")
    arm, _, last = checkpoint.rpartition("-")
    wanted = ["round-0", *(f"{arm}-{i}" for i in range(1, int(last) + 1 if last.isdigit() else 1))]
    return store.read([tag for tag in wanted if tag in store.tags()])


def remembered(
    shown: list[Demonstration] | None, camera: Camera, settings: ProbeSettings, seed: int, context: RunContext
) -> tuple[np.ndarray, ...] | None:
    """Frames for the nearest-neighbour baseline, rendered from the demonstrations; None without demonstrations."""
    if not shown:
        return None
    context.progress.stage("rendering the pictures that the learner was trained on", 1)
    loader = RenderingLoader(shown, camera, context)
    frames = frames_of(shown, loader.draw, settings.remembered, seed)  # type: ignore[arg-type]
    context.progress.advance(1)
    return frames


def as_plain(value: Any) -> Any:
    """Convert NumPy numbers, arrays and paths for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} has no place in a JSON file")


def _conclude(folder: Path, report: Path) -> None:
    """Print the results; the last line is the path of the report."""
    from dagger.report.record import verdict_sentence

    score = json.loads((folder / "scorecard.json").read_text())
    console = output()
    if score.get("levels"):
        console.print(scorecard(score))
    recovered = score.get("recovered_rule")
    console.print(f"rule read back: {recovered or 'none that holds in every cell'}", markup=False)
    for row in score.get("transfer") or []:
        console.print(f"in {row['where']}: agrees in {row['value']:.2f} of {row['episodes']} episodes", markup=False)
    if told := sentence(score.get("copying") or {}):
        console.print(told, markup=False)
    console.print(verdict_sentence(score), markup=False)
    print(report)


# -------------------------------------------------------------------------------------- time, and TensorBoard
@contextmanager
def timed_stage(folder: Path, stage: str) -> Iterator[None]:
    """Add the duration of a stage to durations.json, also if it is interrupted."""
    began = time.monotonic()
    try:
        yield
    finally:
        spent = durations(folder)
        spent[stage] = round(spent.get(stage, 0.0) + time.monotonic() - began, 2)
        write_atomically(folder / "durations.json", json.dumps(spent) + "\n")


def durations(folder: Path) -> dict[str, float]:
    """Stage -> seconds, over all sessions that were not killed."""
    path = folder / "durations.json"
    return json.loads(path.read_text()) if path.exists() else {}


class TensorBoard:
    """Writes scalars for TensorBoard, a folder per arm and kind, which is opened at the first scalar.

    What a killed run logged from that step on is purged there, so a curve never runs backwards.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writers: dict[str, Any] = {}

    def __call__(self, tag: str, value: float, step: int) -> None:
        arm, _, name = tag.partition("/")
        kind = "fit" if name in ("loss", "hindsight") else "drive"
        place = f"{kind}/{arm}"
        if place not in self._writers:
            from torch.utils.tensorboard import SummaryWriter  # imported here because it takes a second

            make: Callable[..., Any] = SummaryWriter
            self._writers[place] = make(str(self.folder / place), purge_step=step)
        self._writers[place].add_scalar(name, value, step)

    def close(self) -> None:
        """Flush and close all files."""
        for writer in self._writers.values():
            writer.close()
