"""Futures of demonstrated drives, and the anchors that they are clustered into: the targets of hindsight.

The future from every tick of a drive is known afterwards: the path that it took, by distance, and the distance that it
covered, by time. Both are behaviour alone: positions, headings and speeds of the driven car. The futures of the
demonstrations are clustered into a few anchors, and the learner classifies which anchor a drive is on
(`policies.hindsight`). A classification keeps "left" and "right" apart where a regression would predict the mean of
both.

The frame is ego's at the tick: x forward, y left [m]. After its end a drive is extended straight ahead at its last
speed, so that every future has the same length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dagger.training.demonstrations import Demonstration, Takeover
from sim.datatypes.vocabulary import OUTCOME

DISTANCES = np.array([4.0, 8.0, 12.0, 18.0, 26.0, 36.0, 50.0])  # [m] along the path
TIMES = np.array([1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0])  # [s]
TICK = 0.1  # [s]
SAMPLED = 20_000  # futures that anchors are clustered from
PASSES = 30  # of k-means


@dataclass(frozen=True)
class Futures:
    """The futures of n ticks.

    Args:
        path: (n, len(DISTANCES), 2) float32 [m], position of ego after each distance, in its frame at the tick.
        progress: (n, len(TIMES)) float32 [m], distance covered after each time; it falls where ego reverses.
        known: (n,) bool: whether the expert's future from there is known. Elsewhere the rows are zero.
    """

    path: np.ndarray
    progress: np.ndarray
    known: np.ndarray


def futures_of_motion(
    x: np.ndarray, y: np.ndarray, yaw: np.ndarray, speed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Path (T, len(DISTANCES), 2) and progress (T, len(TIMES)) [m] from every tick of a drive.

    Args:
        x, y, yaw, speed: (T,) of ego [m, m, rad, m/s].
    """
    x, y, yaw, speed = (np.asarray(a, np.float64) for a in (x, y, yaw, speed))
    way = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    beyond = DISTANCES[-1] + 1.0
    # Both tables end with a straight piece that is longer than any future.
    places = way[:, None] + DISTANCES
    table = np.append(way, way[-1] + beyond)
    dx = np.interp(places, table, np.append(x, x[-1] + beyond * np.cos(yaw[-1]))) - x[:, None]
    dy = np.interp(places, table, np.append(y, y[-1] + beyond * np.sin(yaw[-1]))) - y[:, None]
    c, s = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    path = np.stack([dx * c + dy * s, dy * c - dx * s], -1)
    signed = np.concatenate([[0.0], np.cumsum(speed[:-1] * TICK)])
    later = TIMES[-1] + TICK
    clock = TICK * np.arange(len(x))
    covered = np.append(signed, signed[-1] + later * speed[-1])
    progress = np.interp(clock[:, None] + TIMES, np.append(clock, clock[-1] + later), covered) - signed[:, None]
    return path.astype(np.float32), progress.astype(np.float32)


def _of_takeover(t: Takeover) -> tuple[np.ndarray, np.ndarray]:
    path, progress = futures_of_motion(*t.motion.T)
    return path[0], progress[0]


def futures_of(d: Demonstration) -> Futures:
    """The expert's futures from every tick of a demonstration, where they are known.

    They are known from the tick after which the expert alone drove, if the drive arrived; and at ticks from which the
    expert took over in another rollout of the same episode (`dagger.training.takeover`).
    """
    ticks = len(d)
    path = np.zeros((ticks, len(DISTANCES), 2), np.float32)
    progress, known = np.zeros((ticks, len(TIMES)), np.float32), np.zeros(ticks, bool)
    by_learner = np.flatnonzero(~d.ticks["expert_used"])
    first = int(by_learner[-1]) + 1 if len(by_learner) else 0
    if d.outcome == OUTCOME["arrived"] and first < ticks:
        motion = (d.moving[name][first:, 0] for name in ("x", "y", "yaw", "speed"))
        path[first:], progress[first:] = futures_of_motion(*motion)
        known[first:] = d.ticks["valid"][first:]
    for t in d.takeovers:
        path[t.tick], progress[t.tick] = _of_takeover(t)
        known[t.tick] = True
    return Futures(path, progress, known)


def gathered(demonstrations: Sequence[Demonstration]) -> Futures:
    """The futures of all ticks of all demonstrations, concatenated."""
    parts = [futures_of(d) for d in demonstrations]
    return Futures(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("path", "progress", "known")))


@dataclass(frozen=True)
class Anchors:
    """Typical futures: K paths, and K courses of progress.

    Args:
        path: (K, len(DISTANCES), 2) float32 [m]; progress: (K, len(TIMES)) float32 [m].
    """

    path: np.ndarray
    progress: np.ndarray


def clustered(futures: Futures, count: int, seed: int) -> Anchors:
    """Cluster futures into anchors by k-means; in metres, so that distant points weigh most.

    Raises:
        ValueError: if fewer futures than anchors are known.
    """
    from scipy.cluster.vq import kmeans2  # one thread, so it repeats to the bit; scikit-learn's sums do not

    rows = np.flatnonzero(futures.known)
    if len(rows) < count:
        raise ValueError(f"{len(rows)} ticks have a known future; {count} anchors want at least as many")
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(rows, min(SAMPLED, len(rows)), replace=False))

    def centres(values: np.ndarray) -> np.ndarray:
        flat = values[rows].reshape(len(rows), -1).astype(np.float64)
        distinct = np.unique(flat.round(3), axis=0)
        if len(distinct) < count:  # few distinct futures: each is an anchor, some of them twice
            found = np.resize(distinct, (count, flat.shape[1]))
        else:
            found, _ = kmeans2(flat, count, iter=PASSES, minit="++", missing="warn", seed=rng)
        return found[np.lexsort(found.T[::-1])].reshape(count, *values.shape[1:]).astype(np.float32)

    return Anchors(centres(futures.path), centres(futures.progress))
