"""`dagger suite`: let a driver drive, write down every episode, tally them.

An episode that fails, a worker that dies, a map or a file that is not right is a row like any other: it is counted and
the suite goes on. Rows are keyed by scenario, split, seed, driver and code and only ever added, so the same command
goes on where it was interrupted.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import tyro
import yaml

from dagger.backends import PORT, check_backend
from dagger.console import Bars, output
from dagger.evaluation import leaderboard
from dagger.evaluation.drive import Row, Settings, drive_all
from dagger.evaluation.drivers import DriverChoice, choose_driver, code_version, one_thread
from dagger.evaluation.family_table import FamilyRow, show
from dagger.evaluation.plan import FAILED, Job, Unreadable, Wanted, entries_of, key_of, plan
from dagger.evaluation.summary import EpisodeResult, as_table, episode_result, failures, score_table, summary
from dagger.evaluation.tasks import EvaluationTask, ScenarioTask, Task
from dagger.evaluation.workers import Assignment, Chunk, Workers
from dagger.options import UsageError, check_seed, given, read_config
from dagger.runs.folder import commit
from dagger.runs.jsonl import DiskFull, JsonlLog
from sim.core.files import write_atomically

__all__ = ["Options", "entries_of", "main", "starting"]

CHUNK = 4  # batches of worlds that share a backend
Beside = list[tuple[DriverChoice, list[Job]]]  # who is driven beside the driver, and what they drive
# What a summary says of a baseline.
AGAINST = ("episodes", "agreement", "interval", "success", "success_interval", "errors", "skipped", "killed", "hung")
KEPT = "suite.yaml"  # in the folder: what was asked for, for --resume


@dataclass(frozen=True)
class Options:
    """Let a driver drive suites, scenarios or routes, and tally how it went: agreement with the rule, scores, comfort.

    One row per episode goes to results.jsonl, which is only ever added to; summary.json has the table, leaderboard.json
    the same in the CARLA Leaderboard's layout. What fails is a row, and the same command drives what is missing.

    Args:
        targets: suites, scenarios, paths of their files (.yaml), or route files of the CARLA Leaderboard (.xml).
        driver: expert, idle, leak-only, best-single, a decision such as left, a checkpoint or run folder, or
            module:callable, where the callable takes nothing and returns a policy.
        seeds: episodes per scenario; by default what the suite says, 100 for a scenario by itself, 1 for a route.
        seed: of the first episode.
        repetitions: how often every episode is driven, for drivers that leave something to chance.
        split: conditions to draw from; by default what the suite says, "every" for a scenario by itself.
        twins: a proposition, or all; every episode is driven again with it flipped: does the turn flip where the rule
            does?
        worlds: how many drive at once.
        workers: processes that drive; one drives within the command's own process.
        isolate: one worker too is a process of its own, so that it may die or hang.
        timeout: seconds without progress after which a worker is killed.
        threads: of the simulator within the command's own process; workers have one each, and so has the network.
        out: the folder; by default results/TARGET-DRIVER, with the backend behind it where that is not embedded.
        resume: drive what is missing in the folder that --out names, with the options that it was begun with.
        maps: folder of OpenDRIVE files; otherwise HOMUNCULUS_MAPS names it.
        backend: where worlds run: embedded, in this process, or carla, on CARLA servers, a world each.
        host: of the CARLA servers.
        port: of each CARLA server.
        config: YAML file of these options; flags given here win over it.
    """

    targets: tyro.conf.Positional[tuple[str, ...]] = ("first",)
    driver: str = "expert"
    seeds: int | None = None
    seed: int = 0
    repetitions: int = 1
    split: str | None = None
    twins: str | None = None
    worlds: int = 64
    workers: int = 1
    isolate: bool = False
    timeout: float = 300.0
    threads: int = 2
    out: Path | None = None
    resume: bool = False
    maps: Path | None = None
    backend: str = "embedded"
    host: str = "127.0.0.1"
    port: tuple[int, ...] = (PORT,)
    config: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be driven."""
        check_backend(self.backend, self.port)
        if self.backend == "carla" and (self.workers > 1 or self.isolate):
            raise UsageError(
                f"--workers was given {self.workers}; worlds on CARLA servers are driven from one process that is not "
                "isolated: wanted 1, and a --port for each world"
            )
        check_seed(self.seed)
        for name in ("seeds", "repetitions", "worlds", "workers", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name} was given {value}; wanted at least 1")
        if not self.timeout > 0:
            raise UsageError(f"--timeout was given {self.timeout:g}; wanted more than 0 seconds")
        if not self.targets:
            raise UsageError("no suite was named; wanted suites, scenarios or their files")

    @property
    def folder(self) -> Path:
        """Where results go."""
        name = "-".join(Path(t).stem for t in self.targets)
        where = "" if self.backend == "embedded" else f"-{self.backend}"
        return self.out or Path("results") / f"{name}-{Path(self.driver.replace(':', '-')).name}{where}"


def starting(arguments: Sequence[str]) -> Options:
    """Defaults: those that the folder was begun with where --resume names one."""
    folder = given("--out", arguments)
    if given("--resume", arguments) is not None and folder and (kept := Path(folder) / KEPT).is_file():
        return read_config(kept, Options())
    return Options()


@dataclass(frozen=True)
class JobState:
    """A job with what all its rows share, and which of its tasks are still to be driven.

    Args:
        alone: those of `missing` that killed a worker or hung before: each becomes a piece of its own.
    """

    job: Job
    same: dict[str, Any]
    missing: tuple[Task, ...]
    alone: frozenset[Task]


def main(options: Options) -> int:
    """Drive everything; returns 1 when something could not be driven or written."""
    jobs, unreadable = plan(
        options.targets, Wanted(options.seed, options.seeds, options.split, options.twins, options.repetitions)
    )
    driver = choose_driver(options.driver)
    beside = _baselines(jobs)
    one_thread()
    folder = options.folder
    log = JsonlLog(folder / "results.jsonl")
    code = {"code": code_version(), "commit": commit()}
    if options.backend != "embedded":  # whose rows are kept apart
        code["backend"] = options.backend
    versions = _named(driver) | code
    try:
        with Bars() as bars:
            _keep(options, folder / KEPT)
            log.append_patiently([_bad_row(u) | versions for u in unreadable])
            for u in unreadable:
                bars.line(f"{u.name}: {u.error}")
            lost = _drive(_sheets(jobs, versions, log), driver, options, log, bars)
            for other, theirs in beside:
                lost += _drive(_sheets(theirs, _named(other) | code, log), other, options, log, bars)
    except DiskFull as full:
        return _disk_full(full, log)
    try:
        return _finish(jobs, unreadable, (driver, beside), options, code, log, lost)
    except OSError as error:
        print(f"dagger suite: the tally could not be written to {folder}: {error.strerror or error}; "
              f"{log.path} is whole, and --resume tallies it", file=sys.stderr)  # fmt: skip
        return 1


def _named(driver: DriverChoice) -> dict[str, Any]:
    return {"driver": driver.name, "driver_version": driver.version}


def _baselines(jobs: Sequence[Job]) -> Beside:
    """Every baseline that a suite names, with the jobs that it is to drive: without twins.

    Raises:
        UsageError: for an unknown driver.
    """
    names = dict.fromkeys(name for job in jobs for name in job.baselines)
    return [(choose_driver(n), [job.untwinned() for job in jobs if n in job.baselines]) for n in names]


def _keep(options: Options, path: Path) -> None:
    """Write down what was asked for, so that --resume needs no more than the folder."""
    asked = {k: v for k, v in asdict(options).items() if v is not None and k not in ("out", "resume", "config")}
    try:
        write_atomically(path, yaml.safe_dump(json.loads(json.dumps(asked, default=str)), sort_keys=False))
    except OSError as error:
        raise UsageError(f"--out {path.parent} cannot be written: {error.strerror or error}") from None


def _disk_full(full: DiskFull, log: JsonlLog) -> int:
    print(f"dagger suite: {_counted(full.rows, 'row')} could not be written to {log.path}: {full}; what was written is "
          "valid, and --resume will drive the rest", file=sys.stderr)  # fmt: skip
    return 1


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _bad_row(bad: Unreadable) -> Row:
    return {"scenario": bad.name, "digest": None, "split": bad.split, "seed": None, "repetition": 0, "twin": None,
            "outcome": "unreadable", "agrees": False, "error": bad.error, "wall": 0.0}  # fmt: skip


# ------------------------------------------------------------------------------------------------- what is missing
def _sheets(jobs: Sequence[Job], versions: dict[str, Any], log: JsonlLog) -> list[JobState]:
    """What is to be driven: no row, or one that says that it could not be. The same episode is driven once."""
    outcomes = {key_of(row): row.get("outcome") for row in log.rows() if row.get("outcome") in FAILED}
    done = {key_of(row) for row in log.rows() if row.get("outcome") not in FAILED}
    sheets = []
    for job in jobs:
        same = _same(job, versions)
        keys = {task: key_of(same | task._asdict()) for task in job.tasks}
        missing = tuple(task for task in job.tasks if keys[task] not in done)
        done.update(keys[task] for task in missing)
        alone = frozenset(task for task in missing if outcomes.get(keys[task]) in ("killed", "hung"))
        sheets.append(JobState(job, same, missing, alone))
    return sheets


def _same(job: Job, versions: dict[str, Any]) -> dict[str, Any]:
    """What all rows of a job share."""
    course = job.course
    return {"scenario": course.name, "digest": course.digest()[:16], "split": course.split, **versions}


# ----------------------------------------------------------------------------------------------------- the driving
def _drive(sheets: Sequence[JobState], driver: DriverChoice, options: Options, log: JsonlLog, bars: Bars) -> int:
    """Drive what is missing and append it; returns how many workers were lost."""
    apart = options.workers > 1 or options.isolate
    search = (options.maps,) if options.maps else ()
    errand = Assignment(driver.name, tuple(s.job.course for s in sheets), options.worlds, search)
    with Workers(options.workers, errand, options.timeout, bars.line) as workers:
        if apart:
            stream = workers.drive(_pieces(sheets, options))
        else:
            stream = _here(sheets, driver, Settings(options.worlds, options.threads, search))
        for i, sheet in enumerate(sheets):
            course, total = sheet.job.course, len(sheet.job.tasks)
            bars.stage(f"{course.name} [{course.split}]: {driver.name} drives {_counted(total, 'episode')}", total)
            bars.advance(total - len(sheet.missing))
            left, reasons = len(sheet.missing), set()
            while left:
                place, rows = next(stream)
                assert place == i, f"rows of job {place} came while those of {i} were awaited"
                log.append_patiently([sheet.same | row for row in rows])
                reasons |= {row["error"] for row in rows if row["outcome"] in FAILED}
                left -= len(rows)
                bars.advance(len(rows))
            notes = (f"{course.split}: {note}" for note in course.notes if sheet.missing)
            for said in (*sorted(reasons), *notes):
                bars.line(f"{course.name}: {said}")
        return workers.lost


def _here(sheets: Sequence[JobState], driver: DriverChoice, settings: Settings) -> Iterator[tuple[int, list[Row]]]:
    """(job, rows) of all that is missing, driven in this process."""
    for i, sheet in enumerate(sheets):
        size = settings.worlds * CHUNK
        for start in range(0, len(sheet.missing), size):
            tasks = sheet.missing[start : start + size]
            for rows in drive_all(sheet.job.course, tasks, driver, settings):
                yield i, rows


def _pieces(sheets: Sequence[JobState], options: Options) -> list[Chunk]:
    """Pieces for workers: as many episodes as drive at once, and fewer where all workers would not have one."""
    pieces: list[Chunk] = []
    first = 0
    for i, sheet in enumerate(sheets):
        size = max(1, min(options.worlds, -(-len(sheet.missing) // options.workers)))
        for _, run in itertools.groupby(sheet.missing, key=lambda task: task if task in sheet.alone else None):
            tasks = tuple(run)
            for start in range(0, len(tasks), size):
                pieces.append(Chunk(i, first, tasks[start : start + size]))
                first += len(pieces[-1].tasks)
    return pieces


# ------------------------------------------------------------------------------------------------------- the tally
def _finish(
    jobs: Sequence[Job], unreadable: Sequence[Unreadable], drivers: tuple[DriverChoice, Beside], options: Options,
    code: dict[str, Any], log: JsonlLog, lost: int,
) -> int:  # fmt: skip
    """Tally the rows of the file, write summary.json and leaderboard.json, show the tables."""
    driver, beside = drivers
    versions = _named(driver) | code
    found = _collect(jobs, versions, log)
    summaries = [_summary(j, rows) for j, rows in zip(jobs, found)]
    summaries += [summary(u.name, u.split, [episode_result(_bad_row(u))]) for u in unreadable]
    for other, theirs in beside:
        made = zip(theirs, _collect(theirs, _named(other) | code, log))
        held = [summary(job.course.name, job.course.split, rows) for job, rows in made]
        for line, against in zip((s for s, j in zip(summaries, jobs) if other.name in j.baselines), held):
            line.setdefault("baselines", {})[other.name] = {k: against[k] for k in AGAINST}
    failed = sum(map(failures, summaries)) + sum(
        failures(b) for s in summaries for b in s.get("baselines", {}).values()
    )
    summaries += _totals(jobs, found, unreadable)
    write_atomically(
        options.folder / "summary.json",
        json.dumps(versions | {"targets": list(options.targets), "workers_lost": lost, "rows": summaries}, indent=1)
        + "\n",
    )
    routes = [
        leaderboard.Routes(j.course.name, j.course.split, j.course.town, rows, j.course.route)
        for j, rows in zip(jobs, found)
    ]
    camera = bool(jobs) and _needs_camera(jobs[0].course, driver)
    leaderboard.write(options.folder / "leaderboard.json", routes, camera)
    _show(jobs, summaries, driver.name + (f" on {code['backend']}" if "backend" in code else ""))
    if failed:
        print(f"{_counted(failed, 'episode')} could not be driven; rows in {log.path} say why, count as disagreement, "
              "and are driven again by the same command")  # fmt: skip
    print(options.folder / "summary.json")
    return 1 if failed else 0


def _show(jobs: Sequence[Job], summaries: Sequence[Row], driver: str) -> None:
    """The table of thinking for what a suite holds against baselines, the two usual ones for the rest."""
    held = {id(s): j for s, j in zip(summaries, jobs) if j.baselines and isinstance(j.course, ScenarioTask)}
    thinking = [(j, s) for s in summaries if (j := held.get(id(s))) is not None]
    if thinking:
        thoughts = [FamilyRow.of(j.course.scenario, s, j.alone) for j, s in thinking]  # type: ignore[attr-defined]
        show(output(), thoughts, driver)
    if rest := [s for s in summaries if id(s) not in held]:
        output().print(as_table(rest, driver))
        output().print(score_table(rest))


def _collect(jobs: Sequence[Job], versions: dict[str, Any], log: JsonlLog) -> list[list[EpisodeResult]]:
    """Per job the row of each of its tasks; where there are several, the last that was driven."""
    wanted: dict[tuple[Any, ...], EpisodeResult | None] = {}
    keys = []
    for job in jobs:
        same = _same(job, versions)
        keys.append([key_of(same | task._asdict()) for task in job.tasks])
        wanted.update(dict.fromkeys(keys[-1]))
    for row in log.rows():
        key = key_of(row)
        if key in wanted and (wanted[key] is None or row.get("outcome") not in FAILED):
            wanted[key] = episode_result(row)
        elif key in wanted and (before := wanted[key]) is not None and before.outcome in FAILED:
            wanted[key] = episode_result(row)
    return [[found for key in part if (found := wanted[key]) is not None] for part in keys]


def _needs_camera(course: EvaluationTask, driver: DriverChoice) -> bool:
    try:
        return course.policy(driver).needs == "camera"
    except UsageError:  # it cannot drive here, and the rows say so
        return False


def _summary(job: Job, rows: Sequence[EpisodeResult]) -> dict[str, Any]:
    made = summary(job.course.name, job.course.split, rows, job.twins)
    if job.alone:
        made["cannot_flip_alone"] = {name: {"episodes": n, "why": why} for name, (n, why) in job.alone.items()}
    return made | {"notes": list(job.course.notes)} if job.course.notes else made


def _totals(jobs: Sequence[Job], found: Sequence[list[EpisodeResult]], unreadable: Sequence[Unreadable]) -> list[Row]:
    """A summary over all routes of each route file that has several; what could not be read scores nothing there.

    For intervals a route is an episode whatever its seed, so each gets seeds of its own.
    """
    files = dict.fromkeys(j.course.name for j in jobs if j.course.route is not None)
    made = []
    for name in files:
        parts = [rows for j, rows in zip(jobs, found) if j.course.name == name and j.course.route is not None]
        parts += [[episode_result(_bad_row(u))] for u in unreadable if u.name == name]
        rows = [replace(row, seed=i * 2**32 + (row.seed or 0)) for i, part in enumerate(parts) for row in part]
        if len(parts) > 1:
            made.append(summary(name, "all routes", rows))
    return made
