"""The plan of a suite: targets become jobs of single episodes, or targets that cannot be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dagger.evaluation.tasks import EvaluationTask, RouteTask, ScenarioTask, Task
from dagger.options import UsageError
from scenarios.reading.yaml import ScenarioError, read_yaml
from scenarios.sampling.leaderboard_routes import read_routes
from scenarios.sampling.sample import sample, unflippable
from scenarios.scenario import ALL_EPISODES, Scenario, load_scenario, scenario_names
from scenarios.suite import ALL, Entry, flipped_by, read_suite, scenario_of, suite_names
from sim.core.errors import did_you_mean, known_names

SEEDS = 6_000_000  # first seed; disjoint from the seeds of training, evaluation and probes
ROUTES = "routes"  # split of a route file as a whole
FAILED = ("error", "skipped", "killed", "hung", "unreadable")  # outcomes that the next run drives again
# The fields that identify a row, and their values in rows that were written without them.
KEY: Mapping[str, Any] = {
    "scenario": None, "digest": None, "split": None, "seed": None, "repetition": 0, "twin": None,
    "driver_version": None, "code": None, "backend": "embedded",
}  # fmt: skip


@dataclass(frozen=True)
class Job:
    """The episodes of one evaluation task, in the order of their rows.

    Args:
        twins: propositions of the twins, if any; each episode is followed by its twins.
        alone: proposition that cannot flip alone in some episodes -> their number, and the reason.
        baselines: drivers that the suite evaluates as well, without twins.
    """

    course: EvaluationTask
    tasks: tuple[Task, ...]
    twins: tuple[str, ...] = ()
    alone: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    baselines: tuple[str, ...] = ()

    def without_twins(self) -> Job:
        """The same job without twins."""
        return Job(self.course, tuple(t for t in self.tasks if t.twin is None))


@dataclass(frozen=True)
class Unreadable:
    """A target, or an entry of a suite, that cannot be read; it gets one row.

    Args:
        name: as given; split: as requested; error: one sentence.
    """

    name: str
    split: str
    error: str


@dataclass(frozen=True)
class Wanted:
    """Settings of the command line that override those of suites; None keeps the suite's."""

    seed: int = 0
    seeds: int | None = None
    split: str | None = None
    twins: str | None = None
    repetitions: int = 1


def key_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """The key of a row; rows with the same key are of the same episode, driver and code."""
    return tuple(row.get(name, absent) for name, absent in KEY.items())


def entries_of(target: str) -> list[Entry]:
    """The entries of a target: those of a suite, or one for a scenario.

    Raises:
        UsageError: for an unknown name, listing the known suites and scenarios.
        ScenarioError: for a file that cannot be read.
    """
    if target.endswith((".yaml", ".yml")):
        if "entries" in _data(target):
            return list(read_suite(target)[0].entries)
        return [Entry.model_validate({"scenario": target})]
    if target in suite_names():
        return list(read_suite(target)[0].entries)
    if target in scenario_names():
        return [Entry.model_validate({"scenario": target})]
    known = (*suite_names(), *scenario_names())
    raise UsageError(
        f"unknown suite or scenario '{target}'; known suites are {known_names(suite_names())}, known scenarios are "
        f"{known_names(scenario_names())}{did_you_mean(target, known)}"
    )


def baselines_of(target: str) -> tuple[str, ...]:
    """The baseline drivers of a suite, by name or file; none for any other target."""
    if target in suite_names() or (target.endswith((".yaml", ".yml")) and "entries" in _data(target)):
        return tuple(read_suite(target)[0].baselines)
    return ()


def _data(target: str) -> Mapping[str, Any]:
    """The data of a YAML file.

    Raises:
        UsageError, ScenarioError: see `entries_of`.
    """
    path = Path(target)
    if not path.is_file():
        raise UsageError(f"there is no file {target}; wanted a suite or a scenario in YAML")
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ScenarioError(f"{target}: cannot be read: {reason}") from None
    return read_yaml(text, target)[0]


def plan(
    targets: Sequence[str], wanted: Wanted, map_search: Sequence[Path] | None = None
) -> tuple[list[Job], list[Unreadable]]:
    """The jobs to drive, and the targets that cannot be read.

    Args:
        map_search: folders of OpenDRIVE files, as for `load_scenario`.

    Raises:
        UsageError: for unknown names, and for a split or twins of the command line that a scenario does not have.
        ScenarioError: when nothing at all can be read.
    """
    jobs: list[Job] = []
    unreadable: list[Unreadable] = []
    for target in targets:
        if target.endswith(".xml"):
            found, bad = _routes(target, wanted)
            jobs += found
            unreadable += bad
            continue
        try:
            entries, baselines = entries_of(target), baselines_of(target)
        except ScenarioError as error:
            unreadable.append(Unreadable(target, wanted.split or ALL_EPISODES, str(error).split("\n")[0]))
            continue
        for entry in entries:
            split = wanted.split or entry.split
            try:
                scenario = load_scenario(entry.scenario, map_search) if wanted.split else scenario_of(entry, map_search)
            except ValueError as error:
                where = "" if str(error).startswith(entry.scenario) or entry.scenario == target else f"{target}: "
                unreadable.append(Unreadable(entry.scenario, split, where + str(error).split("\n")[0]))
                continue
            jobs.append(replace(_job(scenario, entry, wanted), baselines=baselines))
    if unreadable and not jobs:
        raise ScenarioError(unreadable[0].error)
    return jobs, unreadable


def _job(scenario: Scenario, entry: Entry, wanted: Wanted) -> Job:
    try:
        split, twins = wanted.split or entry.split, wanted.twins or entry.twins
        scenario.split(split)
        flipped = () if twins is None else flipped_by(scenario, twins)
    except ValueError as error:
        raise UsageError(str(error)) from None
    seeds = _seeds(wanted, entry.episodes)
    missing = _missing(scenario, split, seeds, flipped) if twins == ALL else {}
    kinds = {s: (None, *(n for n in flipped if i not in missing.get(n, ()))) for i, s in enumerate(seeds)}
    tasks = tuple(Task(s, r, k) for r in range(wanted.repetitions) for s in seeds for k in kinds[s])
    alone = {n: (len(where), next(iter(where.values()))) for n, where in missing.items()}
    return Job(ScenarioTask(scenario, split), tasks, flipped, alone)


def _missing(scenario: Scenario, split: str, seeds: range, names: Sequence[str]) -> dict[str, dict[int, str]]:
    """Twins that do not exist: proposition -> place of the episode -> reason."""
    try:
        return unflippable(scenario, (sample(scenario, s, split) for s in seeds), names)
    except FileNotFoundError:  # no episode can be drawn without its map, and the rows will say so
        return {}


def first_seed(seed: int) -> int:
    """The seed of the first episode of a suite with --seed."""
    return seed * 10_000_000 + SEEDS


def _seeds(wanted: Wanted, episodes: int) -> range:
    first = first_seed(wanted.seed)
    return range(first, first + (wanted.seeds or episodes))


def _routes(target: str, wanted: Wanted) -> tuple[list[Job], list[Unreadable]]:
    """A job for every route of a file, and the routes that cannot be read.

    Raises:
        UsageError: for a file that does not exist, and for a split or twins, which routes do not have.
    """
    if not Path(target).is_file():
        raise UsageError(f"there is no file {target}; wanted a route file of the CARLA Leaderboard or of Bench2Drive")
    for option, value in (("--split", wanted.split), ("--twins", wanted.twins)):
        if value is not None:
            raise UsageError(f"{option} {value} was given, but {target} has routes, and those have none")
    name = Path(target).name
    try:
        routes, bad = read_routes(target)
    except ScenarioError as error:
        return [], [Unreadable(name, ROUTES, str(error).split("\n")[0])]
    tasks = tuple(Task(s, r) for r in range(wanted.repetitions) for s in _seeds(wanted, 1))
    jobs = [Job(RouteTask(route), tasks) for route in routes]
    return jobs, [Unreadable(name, f"route {b.id}", b.error) for b in bad]
