"""Drives episodes, a result row each; a failing batch is halved until one episode fails alone.

A row depends on its own episode and driver alone: every figure is measured on one episode at a time, so batches,
workers and neighbours change no digit of it, as long as the driver's actions in one world do not depend on the number
of worlds (a network's arithmetic may round by the size of its batch; figures are rounded to six places).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from dagger.evaluation.drivers import DriverChoice
from dagger.evaluation.tasks import EvaluationTask, RouteLength, Task
from policies.base import Policy
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import OUTCOMES
from sim.metrics.episode import (
    driving_score,
    infractions_of,
    measure,
    penalty_2_0,
    penalty_2_1,
    route_completion,
    succeeded,
)
from sim.world.context import RunContext
from sim.world.rollout import Trajectory, in_chunks, rollout

Row = dict[str, Any]


class NoMap(Exception):
    """The map file of an evaluation task is missing, so none of its episodes can be driven."""


def failure(task: Task, outcome: str, error: str) -> Row:
    """The row of an episode that could not be driven."""
    return {**task._asdict(), "outcome": outcome, "agrees": False, "error": error, "wall": 0.0}


def sentence(error: BaseException) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {error}".split("\n")[0]


def drive_all(
    course: EvaluationTask, tasks: Sequence[Task], driver: DriverChoice, context: RunContext,
    on_tick: Callable[[], None] = lambda: None,
) -> Iterator[list[Row]]:  # fmt: skip
    """Drive all tasks; yields their rows in order, batch by batch.

    If anything raises (the driver, the map, the draw), the remaining tasks are halved and tried again, until one
    episode fails alone.

    Args:
        context: where the worlds run; it changes no row.
        on_tick: called after every tick, as a sign of progress.
    """
    left = list(tasks)
    try:
        policy = course.policy(driver)
        for rows in _batches(course, left, policy, driver, context, on_tick):
            left = left[len(rows) :]
            yield rows
    except NoMap as error:
        yield [failure(task, "skipped", str(error)) for task in left]
    except (Exception, SystemExit) as error:  # a driver may raise anything; none of it ends the suite
        if len(left) == 1:
            yield [failure(left[0], "error", sentence(error))]
            return
        middle = (len(left) + 1) // 2
        for half in (left[:middle], left[middle:]):
            yield from drive_all(course, half, driver, context, on_tick)


def _batches(
    course: EvaluationTask, tasks: Sequence[Task], policy: Policy, driver: DriverChoice, context: RunContext,
    on_tick: Callable[[], None],
) -> Iterator[list[Row]]:  # fmt: skip
    for batch in in_chunks(tasks, context.at_once(len(tasks))):
        began = time.perf_counter()
        try:  # before the driver runs: a file that is missing for the driver is no missing map
            episodes = [course.episode(task, context.map_search) for task in batch]
            ways = [course.way(episode, context.map_search) for episode in episodes]
        except FileNotFoundError as error:
            raise NoMap(str(error)) from None
        with context.backend(len(batch), driver.camera, course.room()) as backend:
            trajectory = rollout(backend, policy, episodes, lambda tick, slots: on_tick())
            said = {"recovered_errors": backend.recovered_errors, "substitutions": backend.substitutions}
        rows = [_row(course, task, alone(trajectory, w), ways[w]) for w, task in enumerate(batch)]
        wall = round((time.perf_counter() - began) / len(batch), 6)
        yield [row | {name: words for name, words in said.items() if words} | {"wall": wall} for row in rows]


def alone(trajectory: Trajectory, w: int) -> Trajectory:
    """World w of a trajectory, cut off after its last tick."""
    ticks, one = int(trajectory.ticks[w]), slice(w, w + 1)
    return Trajectory(
        moving={name: array[one, : ticks + 1] for name, array in trajectory.moving.items()},
        steer=trajectory.steer[one, :ticks],
        acceleration=trajectory.acceleration[one, :ticks],
        valid=trajectory.valid[one, :ticks],
        outcome=trajectory.outcome[one],
        shown_decision=trajectory.shown_decision[one],
        progress=trajectory.progress[one],
        episodes=(trajectory.episodes[w],),
        collided_with=trajectory.collided_with[one],
        red_lights=trajectory.red_lights[one],
        stop_signs=trajectory.stop_signs[one],
        reverse=None if trajectory.reverse is None else trajectory.reverse[one, :ticks],
    )


def _row(course: EvaluationTask, task: Task, trajectory: Trajectory, way: RouteLength) -> Row:
    (episode,) = trajectory.episodes
    outcome = OUTCOMES[int(trajectory.outcome[0])]
    verdict, deviated = course.verdict(episode, int(trajectory.shown_decision[0]), outcome)
    found = measure(trajectory, Simulation().tick)
    counts = infractions_of(
        outcome,
        deviated,
        int(trajectory.collided_with[0]),
        int(trajectory.red_lights[0]),
        int(trajectory.stop_signs[0]),
    )
    return {
        **task._asdict(),
        "outcome": outcome,
        **verdict,
        "ticks": int(trajectory.ticks[0]),
        "metrics": {name: round(float(m.value[0]), 6) for name, m in found.items() if m.valid[0]},
        **_scores(counts, outcome == "arrived", deviated, float(trajectory.progress[0]), *way),
    }


def _scores(
    counts: Mapping[str, int], arrived: bool, deviated: bool, progress: float, before: float, whole: float
) -> Mapping[str, Any]:
    # Arrival ends an episode a little before or after the last centimetre of its route.
    completion = route_completion(1.0 if arrived else progress, deviated, before, whole)
    penalties = penalty_2_0(counts), penalty_2_1(counts)
    scores = {
        "route_completion": completion,
        "penalty": penalties[0], "driving_score": driving_score(completion, penalties[0]),
        "penalty_2_1": penalties[1], "driving_score_2_1": driving_score(completion, penalties[1]),
    }  # fmt: skip
    return {
        "infractions": {kind: n for kind, n in counts.items() if n},
        "route_length": round(whole, 3),
        "scores": {name: round(value, 6) for name, value in scores.items()},
        "success": succeeded(completion, counts),
    }
