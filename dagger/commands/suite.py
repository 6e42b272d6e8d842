"""`dagger suite`: evaluates a driver on scenarios or routes, a row per episode, and summarises the rows.

An episode that fails, a worker that dies, and a map or file that cannot be read each give a row as well: it is counted,
and the suite continues. Rows are keyed by scenario, split, seed, driver and code and are only appended, so the same
command continues an interrupted suite.
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
from dagger.evaluation.drive import Row, drive_all
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
from sim.world.context import RunContext

__all__ = ["Options", "entries_of", "main", "starting"]

CHUNK = 4  # batches of worlds that share a backend
Beside = list[tuple[DriverChoice, list[Job]]]  # baseline drivers, and the jobs that each of them drives
# Fields of the summary that are reported of a baseline.
AGAINST = ("episodes", "agreement", "interval", "success", "success_interval", "errors", "skipped", "killed", "hung")
KEPT = "suite.yaml"  # in the results folder: the options, for --resume


@dataclass(frozen=True)
class Options:
    """Evaluate a driver on suites, scenarios or routes: agreement with the rule, driving scores, comfort.

    results.jsonl gets one row per episode and is only appended to; summary.json has the table, leaderboard.json the
    same in the layout of the CARLA Leaderboard. A failure is a row too, and the same command drives what is missing.

    Args:
        targets: what to drive: suites, scenarios, paths of their files (.yaml), or route files of the CARLA Leaderboard
            (.xml).
        driver: driver to evaluate: expert, idle, leak-only, best-single, a decision such as left, a checkpoint or run
            folder, or module:callable, where the callable takes no arguments and returns a policy.
        seeds: episodes per scenario; by default as the suite says, 100 for a scenario by itself, 1 for a route.
        seed: seed of the episodes, 0 to 428; every seed gives other episodes.
        repetitions: number of times that every episode is driven, for drivers that act at random.
        split: conditions to draw the episodes from; by default as the suite says, "every" for a scenario by itself.
        twins: proposition to flip, or all. Every episode is driven again with it flipped, which shows whether the
            decision flips where the rule's does.
        worlds: number of worlds that are simulated at once.
        workers: number of processes that drive; 1 drives in the command's own process.
        isolate: run a single worker in a process of its own too, so that it may crash or hang.
        timeout: time without progress after which a worker is killed [s].
        threads: threads of the simulator in the command's own process; each worker, and the driver's network, uses one.
        out: results folder; by default results/TARGET-DRIVER, followed by the backend if that is not embedded.
        resume: drive what is missing in the folder of --out, with the options that are stored there.
        maps: folder of OpenDRIVE files such as Town02.xodr; by default the environment variable HOMUNCULUS_MAPS.
        backend: where the worlds run: embedded (in this process) or carla (on CARLA servers, one world per server).
        host: host name or address of the CARLA servers, with --backend carla.
        port: RPC port of each CARLA server, with --backend carla; several ports are several servers.
        config: YAML file with these options; flags on the command line override it.
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
        """Refuse an unknown backend, numbers out of range, and options that exclude each other."""
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
        """The results folder."""
        name = "-".join(Path(t).stem for t in self.targets)
        where = "" if self.backend == "embedded" else f"-{self.backend}"
        return self.out or Path("results") / f"{name}-{Path(self.driver.replace(':', '-')).name}{where}"


def starting(arguments: Sequence[str]) -> Options:
    """The default options; with --resume those that are stored in the folder."""
    folder = given("--out", arguments)
    if given("--resume", arguments) is not None and folder and (kept := Path(folder) / KEPT).is_file():
        return read_config(kept, Options())
    return Options()


@dataclass(frozen=True)
class JobState:
    """A job, the fields that all its rows share, and its tasks that are still to be driven.

    Args:
        alone: tasks of `missing` that killed a worker or hung before; each becomes a chunk of its own.
    """

    job: Job
    same: dict[str, Any]
    missing: tuple[Task, ...]
    alone: frozenset[Task]


def main(options: Options, context: RunContext) -> int:
    """Drive everything; returns 1 if something could not be driven or written."""
    if options.resume and not (options.folder / KEPT).is_file():
        raise UsageError(
            f"--resume: {options.folder} has no {KEPT}; wanted a results folder of an earlier `dagger suite`"
        )
    wanted = Wanted(options.seed, options.seeds, options.split, options.twins, options.repetitions)
    jobs, unreadable = plan(options.targets, wanted, context.map_search)
    driver = choose_driver(options.driver)
    beside = _baselines(jobs)
    one_thread()
    folder = options.folder
    log = JsonlLog(folder / "results.jsonl")
    code = {"code": code_version(), "commit": commit()}
    if options.backend != "embedded":  # another key, so that rows of different backends are not mixed
        code["backend"] = options.backend
    versions = _named(driver) | code
    try:
        with Bars() as bars:
            _keep(options, folder / KEPT)
            log.append_with_retries([_bad_row(u) | versions for u in unreadable])
            for u in unreadable:
                bars.line(f"{u.name}: {u.error}")
            lost = _drive(_sheets(jobs, versions, log), driver, options, log, bars, context)
            for other, theirs in beside:
                lost += _drive(_sheets(theirs, _named(other) | code, log), other, options, log, bars, context)
    except DiskFull as full:
        return _disk_full(full, log)
    try:
        return _finish(jobs, unreadable, (driver, beside), options, code, log, lost)
    except OSError as error:
        print(f"dagger suite: the summary could not be written to {folder}: {error.strerror or error}; "
              f"{log.path} is complete, and --resume summarises it", file=sys.stderr)  # fmt: skip
        return 1


def _named(driver: DriverChoice) -> dict[str, Any]:
    return {"driver": driver.name, "driver_version": driver.version}


def _baselines(jobs: Sequence[Job]) -> Beside:
    """Every baseline driver that the suites name, with the jobs that it drives, without twins.

    Raises:
        UsageError: for an unknown driver.
    """
    names = dict.fromkeys(name for job in jobs for name in job.baselines)
    return [(choose_driver(n), [job.without_twins() for job in jobs if n in job.baselines]) for n in names]


def _keep(options: Options, path: Path) -> None:
    """Store the options in the folder, so that --resume needs nothing else."""
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
    """The state of every job: its tasks without a row, or with a row of a failure. An episode is listed once."""
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
    """The fields that all rows of a job share."""
    course = job.course
    return {"scenario": course.name, "digest": course.digest()[:16], "split": course.split, **versions}


# ----------------------------------------------------------------------------------------------------- the driving
def _drive(
    sheets: Sequence[JobState], driver: DriverChoice, options: Options, log: JsonlLog, bars: Bars, context: RunContext
) -> int:
    """Drive the missing tasks and append their rows; returns the number of workers that were lost."""
    apart = options.workers > 1 or options.isolate
    assignment = Assignment(driver.name, tuple(s.job.course for s in sheets), replace(context, threads=1))
    with Workers(options.workers, assignment, options.timeout, bars.line) as workers:
        if apart:
            stream = workers.drive(_pieces(sheets, options))
        else:
            stream = _here(sheets, driver, context)
        for i, sheet in enumerate(sheets):
            course, total = sheet.job.course, len(sheet.job.tasks)
            bars.stage(f"{course.name} [{course.split}]: {driver.name} drives {_counted(total, 'episode')}", total)
            bars.advance(total - len(sheet.missing))
            left, reasons = len(sheet.missing), set()
            while left:
                place, rows = next(stream)
                assert place == i, f"rows of job {place} came while those of {i} were awaited"
                log.append_with_retries([sheet.same | row for row in rows])
                reasons |= {row["error"] for row in rows if row["outcome"] in FAILED}
                left -= len(rows)
                bars.advance(len(rows))
            notes = (f"{course.split}: {note}" for note in course.notes if sheet.missing)
            for said in (*sorted(reasons), *notes):
                bars.line(f"{course.name}: {said}")
        return workers.lost


def _here(sheets: Sequence[JobState], driver: DriverChoice, context: RunContext) -> Iterator[tuple[int, list[Row]]]:
    """Drive the missing tasks in this process; yields (job, rows)."""
    for i, sheet in enumerate(sheets):
        size = context.worlds * CHUNK
        for start in range(0, len(sheet.missing), size):
            tasks = sheet.missing[start : start + size]
            for rows in drive_all(sheet.job.course, tasks, driver, context):
                yield i, rows


def _pieces(sheets: Sequence[JobState], options: Options) -> list[Chunk]:
    """Chunks of the missing tasks for workers: --worlds episodes each, fewer if some workers would get none."""
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


# ----------------------------------------------------------------------------------------------------- the summary
def _finish(
    jobs: Sequence[Job], unreadable: Sequence[Unreadable], drivers: tuple[DriverChoice, Beside], options: Options,
    code: dict[str, Any], log: JsonlLog, lost: int,
) -> int:  # fmt: skip
    """Summarise the rows of the file, write summary.json and leaderboard.json, and print the tables."""
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
        print(f"{_counted(failed, 'episode')} could not be driven; the rows in {log.path} give the reasons and count "
              "as disagreement, and the same command drives them again")  # fmt: skip
    print(options.folder / "summary.json")
    return 1 if failed else 0


def _show(jobs: Sequence[Job], summaries: Sequence[Row], driver: str) -> None:
    """Print the family table of jobs with baselines, and the two usual tables of the others."""
    held = {id(s): j for s, j in zip(summaries, jobs) if j.baselines and isinstance(j.course, ScenarioTask)}
    thinking = [(j, s) for s in summaries if (j := held.get(id(s))) is not None]
    if thinking:
        thoughts = [FamilyRow.of(j.course.scenario, s, j.alone) for j, s in thinking]  # type: ignore[attr-defined]
        show(output(), thoughts, driver)
    if rest := [s for s in summaries if id(s) not in held]:
        output().print(as_table(rest, driver))
        output().print(score_table(rest))


def _collect(jobs: Sequence[Job], versions: dict[str, Any], log: JsonlLog) -> list[list[EpisodeResult]]:
    """For each job, the row of each of its tasks; of several rows, the last that was driven."""
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
    except UsageError:  # the driver cannot drive this, and its rows say so
        return False


def _summary(job: Job, rows: Sequence[EpisodeResult]) -> dict[str, Any]:
    made = summary(job.course.name, job.course.split, rows, job.twins)
    if job.alone:
        made["cannot_flip_alone"] = {name: {"episodes": n, "why": why} for name, (n, why) in job.alone.items()}
    return made | {"notes": list(job.course.notes)} if job.course.notes else made


def _totals(jobs: Sequence[Job], found: Sequence[list[EpisodeResult]], unreadable: Sequence[Unreadable]) -> list[Row]:
    """Summaries over all routes of each route file with several routes; an unreadable route scores 0 there.

    For intervals every route is an episode of its own, so each gets its own range of seeds.
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
