"""Worker processes of a suite: a process that dies or hangs costs its own episodes alone.

Chunks of consecutive episodes go to idle workers; rows are returned in the order of the episodes. The unfinished
episodes of a worker that dies go to the next one, in halves, until the episode that kills is alone. A worker that hangs
loses all its unfinished episodes: halving would wait as long each time.
"""

from __future__ import annotations

import collections
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from dagger.evaluation.tasks import EvaluationTask, Task
from dagger.options import UsageError
from sim.world.context import RunContext

AHEAD = 8  # chunks per worker that may be driven ahead of the first unfinished one, which bounds the rows in memory
SLOW_START = 120.0  # [s] that a worker may take to start, even with a shorter timeout: it loads torch and a checkpoint
STARTS = 3  # workers in a row that end before they are ready, after which no more are started
BEAT = 0.5  # [s] between two heartbeats


@dataclass(frozen=True)
class Chunk:
    """Consecutive episodes of one job.

    Args:
        job: number of the job; first: place of the first task among all that are to be driven.
    """

    job: int
    first: int
    tasks: tuple[Task, ...]

    def rest(self, done: int) -> Chunk:
        """The chunk without its first `done` tasks."""
        return Chunk(self.job, self.first + done, self.tasks[done:])

    def halves(self) -> tuple[Chunk, Chunk]:
        """The chunk in two halves."""
        middle = (len(self.tasks) + 1) // 2
        return Chunk(self.job, self.first, self.tasks[:middle]), self.rest(middle)


@dataclass(frozen=True)
class Assignment:
    """What a worker needs to start; plain data.

    Args:
        driver: its name; courses: the evaluation task of every job.
        context: where its worlds run.
    """

    driver: str
    courses: tuple[EvaluationTask, ...]
    context: RunContext


def work(connection: Connection, assignment: Assignment) -> None:
    """The main loop of a worker: it receives chunks and sends rows and heartbeats, until the connection ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which ends the workers
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, if the driver needs it
    from dagger.evaluation.drive import drive_all, sentence
    from dagger.evaluation.drivers import choose_driver, one_thread

    try:
        driver = choose_driver(assignment.driver)
        one_thread()
    except (Exception, SystemExit) as error:
        connection.send(("unfit", sentence(error)))
        return
    spoke = time.monotonic()

    def beat() -> None:
        nonlocal spoke
        if time.monotonic() - spoke > BEAT:
            spoke = time.monotonic()
            connection.send(("beat", None))

    connection.send(("ready", None))
    while True:
        try:
            piece: Chunk = connection.recv()
        except EOFError:
            return
        course = assignment.courses[piece.job]
        try:
            for rows in drive_all(course, piece.tasks, driver, assignment.context, beat):
                connection.send(("rows", rows))
            connection.send(("done", None))
        except ConnectionError:  # the parent is gone
            return


def _end_with_the_parent() -> None:
    """End this process when its parent is gone, even if the main loop hangs."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


@dataclass
class _Worker:
    """A worker process, its chunk, and the time of its last message."""

    process: Any
    connection: Connection
    piece: Chunk | None = None
    done: int = 0
    ready: bool = False
    heard: float = field(default_factory=time.monotonic)


class Workers:
    """A pool of worker processes; use it in a `with` block, at whose end they are gone.

    Args:
        count: number of processes. timeout: seconds without a heartbeat after which one is killed.
        say: called with a sentence when a worker is lost.
    """

    def __init__(self, count: int, assignment: Assignment, timeout: float, say: Callable[[str], None]) -> None:
        self.lost = 0
        self._count, self._assignment, self._timeout, self._say = count, assignment, timeout, say
        self._context = multiprocessing.get_context("spawn")  # a fork would copy locks that other threads hold
        self._workers: list[_Worker] = []
        self._queue: collections.deque[Chunk] = collections.deque()
        self._rows: dict[int, dict[str, Any]] = {}
        self._failed_starts = 0

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.connection.close()
        self._workers.clear()

    def drive(self, pieces: Sequence[Chunk]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Drive the chunks; yields (job, rows) in their order, as soon as all earlier rows exist.

        Raises:
            UsageError: when workers cannot begin at all.
        """
        self._queue.extend(pieces)
        jobs = [piece.job for piece in pieces for _ in piece.tasks]
        window = AHEAD * self._count * max((len(p.tasks) for p in pieces), default=1)
        head = 0
        while head < len(jobs):
            self._hand_out(head + window)
            self._listen()
            while head in self._rows:
                job, rows = jobs[head], []
                while head in self._rows and jobs[head] == job:
                    rows.append(self._rows.pop(head))
                    head += 1
                yield job, rows

    def _hand_out(self, until: int) -> None:
        while len(self._workers) < min(self._count, len(self._queue) + sum(w.piece is not None for w in self._workers)):
            ours, theirs = self._context.Pipe()
            process = self._context.Process(target=work, args=(theirs, self._assignment), daemon=True)
            process.start()
            theirs.close()
            self._workers.append(_Worker(process, ours))
        for worker in self._workers:
            if worker.ready and worker.piece is None and self._queue and self._queue[0].first < until:
                piece = self._queue.popleft()
                try:
                    worker.connection.send(piece)
                except OSError:  # the worker has just died, and `_listen` notices next
                    self._queue.appendleft(piece)
                    continue
                worker.piece, worker.done, worker.heard = piece, 0, time.monotonic()

    def _listen(self) -> None:
        """Receive messages for a moment, and handle the workers that are dead or silent."""
        speaking = set(wait([w.connection for w in self._workers], timeout=min(self._timeout / 4, 1.0)))
        for worker in list(self._workers):
            if worker.connection in speaking:
                if not self._heard(worker):
                    self._bury(worker)
                continue
            timeout = self._timeout if worker.ready else max(self._timeout, SLOW_START)
            if time.monotonic() - worker.heard > timeout and (worker.piece is not None or not worker.ready):
                self._kill(worker)

    def _heard(self, worker: _Worker) -> bool:
        """Receive a worker's messages; returns whether it is alive."""
        try:
            while worker.connection.poll():
                word, content = worker.connection.recv()
                worker.heard = time.monotonic()
                if word == "unfit":
                    raise UsageError(f"a worker cannot begin: {content}")
                if word == "ready":
                    worker.ready, self._failed_starts = True, 0
                elif word == "rows" and worker.piece is not None:
                    for row in content:
                        self._rows[worker.piece.first + worker.done] = row
                        worker.done += 1
                elif word == "done":
                    worker.piece = None
        except (EOFError, OSError):
            return False
        return True

    def _remove(self, worker: _Worker) -> Chunk | None:
        """Remove a worker that has ended; returns its unfinished tasks."""
        self._workers.remove(worker)
        worker.process.join()
        worker.connection.close()
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= STARTS:
                raise UsageError(
                    f"{STARTS} workers in a row ended before they could begin, the last {_end_of(worker.process)}; "
                    "try --workers 1 to see why"
                )
        rest = worker.piece.rest(worker.done) if worker.piece is not None else None
        return rest if rest is not None and rest.tasks else None

    def _bury(self, worker: _Worker) -> None:
        """Handle a worker that died: its unfinished episodes are driven again, in halves."""
        rest = self._remove(worker)
        if rest is None:
            return
        self.lost += 1
        words = f"the worker ended {_end_of(worker.process)}"
        if len(rest.tasks) == 1:
            self._fail(rest, "killed", words)
        else:
            self._say(f"{words} while {len(rest.tasks)} episodes were under way; they are driven again in two parts")
            self._queue.extendleft(reversed(rest.halves()))

    def _kill(self, worker: _Worker) -> None:
        """Kill a worker that hangs; its unfinished episodes fail as "hung"."""
        worker.process.kill()
        rest = self._remove(worker)
        if rest is not None:
            self.lost += 1
            words = f"no progress for {self._timeout:g} s; the worker was killed"
            self._say(f"{words} with {len(rest.tasks)} episodes")
            self._fail(rest, "hung", words)

    def _fail(self, piece: Chunk, outcome: str, error: str) -> None:
        from dagger.evaluation.drive import failure

        for i, task in enumerate(piece.tasks):
            self._rows[piece.first + i] = failure(task, outcome, error)


def _end_of(process: Any) -> str:
    code = process.exitcode
    if code is None or code >= 0:
        return f"with exit status {code}"
    try:
        return f"by signal {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"
