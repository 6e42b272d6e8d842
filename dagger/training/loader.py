"""The rendering loader: renders training pictures from the states that demonstrations hold.

A frame is rendered from the same arrays as the rollout's frame, so it is the same frame, bit for bit. Rendered frames
are cached while they fit in `cache_bytes`, and a loader of more demonstrations uses the cache of a loader of fewer; the
next batch is rendered while the current one trains.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np

from dagger.training.demonstrations import Demonstration, unpacked
from dagger.training.futures import Futures, gathered
from sim.datatypes.action import Action
from sim.datatypes.camera import Camera
from sim.datatypes.simulation import Simulation
from sim.datatypes.world_state import World
from sim.dynamics.signed_acceleration import along_heading
from sim.render.rgb import render
from sim.world.context import RunContext
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import DYNAMIC_FIELDS


@dataclass(frozen=True)
class Batch:
    """S windows of L ticks.

    Args:
        camera: (S, L, H, W, 3) uint8; speed, steer, acceleration: (S, L) float32; the last as in
            `sim.dynamics.signed_acceleration` where ego may reverse.
        valid: (S, L) bool: whether the tick exists and its label may be learned from.
        path, progress, known: (S, L, ...) the expert's futures (`dagger.training.futures`).
        lane: (S,) int, lane of the epoch that each window continues; fresh: (S,) bool, whether it begins an episode.
    """

    camera: np.ndarray
    speed: np.ndarray
    steer: np.ndarray
    acceleration: np.ndarray
    valid: np.ndarray
    path: np.ndarray
    progress: np.ndarray
    known: np.ndarray
    lane: np.ndarray
    fresh: np.ndarray


@dataclass(frozen=True)
class Drives:
    """S whole drives of up to T ticks, (S, T, ...) as in `Batch`, without pictures."""

    steer: np.ndarray
    acceleration: np.ndarray
    valid: np.ndarray
    path: np.ndarray
    progress: np.ndarray
    known: np.ndarray


@dataclass(frozen=True)
class Frames:
    """N single pictures and the futures from their ticks.

    Args:
        camera: (N, H, W, 3) uint8; speed: (N,) float32 [m/s].
        path, progress, known: (N, ...), see `dagger.training.futures.Futures`.
        phase: (N,) int, which of PHASES equal parts of its drive each is from.
    """

    camera: np.ndarray
    speed: np.ndarray
    path: np.ndarray
    progress: np.ndarray
    known: np.ndarray
    phase: np.ndarray


@dataclass(frozen=True)
class Windows:
    """The windows of one step, (S,) int each: lane, episode, first tick and the tick after the last."""

    lane: np.ndarray
    episode: np.ndarray
    start: np.ndarray
    stop: np.ndarray


PHASES = 10  # parts of a drive that single pictures are drawn from


class DrawnFrames:
    """A cache of the pictures of ticks [0, count), in pieces; a longer cache shares the pieces of a shorter one.

    Two threads may render the same picture into a shared piece: both write the same bytes.

    Args:
        count: of ticks; shape: of a picture.
        before: the shorter cache.
    """

    def __init__(self, count: int, shape: tuple[int, ...], before: DrawnFrames | None = None) -> None:
        start: int = before.count if before else 0
        piece = (start, np.empty((count - start, *shape), np.uint8), np.zeros(count - start, bool))
        self._pieces: list[tuple[int, np.ndarray, np.ndarray]] = [*(before._pieces if before else ()), piece]
        self.count: int = count
        self._shape = shape

    def _among(self, ticks: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Yield per piece: pictures, whether each is rendered, which of `ticks` (n,) are in it, and where."""
        for start, pictures, drawn in self._pieces:
            inside = np.flatnonzero((ticks >= start) & (ticks < start + len(drawn)))
            yield pictures, drawn, inside, ticks[inside] - start

    def missing(self, ticks: np.ndarray) -> np.ndarray:
        """The positions in `ticks` (n,) of those that are not rendered yet."""
        new = np.zeros(len(ticks), bool)
        for _, drawn, inside, places in self._among(ticks):
            new[inside] = ~drawn[places]
        return np.flatnonzero(new)

    def put(self, ticks: np.ndarray, found: np.ndarray) -> None:
        """Store the pictures `found` (n, ...) of `ticks` (n,)."""
        for pictures, drawn, inside, places in self._among(ticks):
            pictures[places] = found[inside]
            drawn[places] = True

    def get(self, ticks: np.ndarray) -> np.ndarray:
        """(n, ...) uint8: the pictures of `ticks` (n,), which must be in the cache."""
        found = np.empty((len(ticks), *self._shape), np.uint8)
        for pictures, _, inside, places in self._among(ticks):
            found[inside] = pictures[places]
        return found


def _all_stored(demonstrations: Sequence[Demonstration], camera: Camera) -> bool:
    """Whether the demonstrations hold stored pictures, which cannot be rendered by another camera.

    Raises:
        ValueError: if only some have them, or another camera took them.
    """
    having = sum(bool(d.frames) for d in demonstrations)
    if 0 < having < len(demonstrations):
        raise ValueError(
            f"{having} of {len(demonstrations)} demonstrations have stored pictures; train on one kind alone"
        )
    asked = asdict(camera)
    for took in {d.camera for d in demonstrations if d.camera is not None}:
        if other := {name: value for name, value in asdict(took).items() if asked[name] != value}:
            theirs = ", ".join(f"{name} {value:g}" for name, value in other.items())
            mine = ", ".join(f"{name} {asked[name]:g}" for name in other)
            raise ValueError(f"stored pictures are of a camera with {theirs} and cannot be redrawn with {mine}")
    return having > 0


class RenderingLoader:
    """Serves windows of demonstrations as batches.

    Args:
        demonstrations: training data.
        camera: of the pictures; need not be that of the rollout, unless pictures are stored.
        context: its threads render, in embedded worlds, and its folders have the maps; by default `RunContext()`.
        cache_bytes: memory for rendered frames; ticks beyond it are rendered at every use.
        before: a loader of the first of these demonstrations, whose rendered frames are used as well.

    Raises:
        ValueError: if `before` has other demonstrations, a demonstration's map now compiles differently, or stored
            pictures are of another camera.
    """

    def __init__(
        self,
        demonstrations: Sequence[Demonstration],
        camera: Camera,
        context: RunContext | None = None,
        cache_bytes: int = 0,
        before: RenderingLoader | None = None,
    ) -> None:
        if not demonstrations:
            raise ValueError("the loader was given no demonstrations")
        self.demonstrations, self.camera = list(demonstrations), camera
        context = context or RunContext()
        self.threads = context.threads
        actors = max(d.moving["x"].shape[1] for d in demonstrations)
        room = Simulation(actors=actors)
        self._backend = EmbeddedWorld(len(demonstrations), camera, room, search=context.map_search)
        self._backend.reset([d.episode for d in demonstrations])
        for w, d in enumerate(demonstrations):
            here = self._backend.maps.maps[self._backend.world.map[w]].digest
            if d.map_sha256 != here:
                raise ValueError(
                    f"demonstration {w} was recorded on map {d.map_sha256[:12]}…, but its map now compiles to "
                    f"{here[:12]}…: its pictures can no longer be redrawn"
                )
        self._stored = _all_stored(demonstrations, camera)
        self.lengths = np.array([len(d) for d in demonstrations])
        self._starts = np.concatenate([[0], np.cumsum(self.lengths)])
        self._moving = {
            name: np.concatenate([self._padded(d, name, actors) for d in demonstrations]) for name in DYNAMIC_FIELDS
        }
        self._weather = np.concatenate([d.weather for d in demonstrations])
        self._ticks = {
            name: np.concatenate([d.ticks[name] for d in demonstrations])
            for name in ("expert_steer", "expert_acceleration", "valid")
        }
        if any("expert_reverse" in d.ticks for d in demonstrations):
            self._ticks["expert_acceleration"] = self._along_heading()
        if before is not None and not self._goes_on_from(before):
            raise ValueError("the loader before has other demonstrations or another camera; its frames cannot be used")
        shape = (camera.height, camera.width, 3)
        self._cached = min(self.frames, cache_bytes // int(np.prod(shape)))
        if before is not None and before._cache is not None:
            self._cached = max(self._cached, before._cache.count)
        self._cache: DrawnFrames | None = (
            DrawnFrames(self._cached, shape, before._cache if before else None) if self._cached else None
        )

    @functools.cached_property
    def futures(self) -> Futures:
        """The expert's futures at every tick."""
        return gathered(self.demonstrations)

    def _goes_on_from(self, before: RenderingLoader) -> bool:
        """Whether the demonstrations begin with those of `before`, seen by the same camera."""
        mine = self.demonstrations[: len(before.demonstrations)]
        same = len(mine) == len(before.demonstrations) and self.camera == before.camera
        return same and all(
            a.episode == b.episode and all(np.array_equal(a.moving[k], b.moving[k]) for k in DYNAMIC_FIELDS)
            for a, b in zip(mine, before.demonstrations)
        )

    def _along_heading(self) -> np.ndarray:
        """(ticks,) the expert's acceleration where ego may reverse, signed as in `sim.dynamics.signed_acceleration`."""
        none = [np.zeros(len(d), bool) for d in self.demonstrations]
        gears = np.concatenate([d.ticks.get("expert_reverse", n) for d, n in zip(self.demonstrations, none)])
        asked = Action(self._ticks["expert_steer"], self._ticks["expert_acceleration"], gears)
        return along_heading(asked, self._moving["speed"][:, 0])

    @staticmethod
    def _padded(d: Demonstration, name: str, actors: int) -> np.ndarray:
        values = d.moving[name]
        return np.pad(values, ((0, 0), (0, actors - values.shape[1])))

    @property
    def frames(self) -> int:
        """The number of ticks of all demonstrations."""
        return int(self._starts[-1])

    def world(self, episode: np.ndarray, tick: np.ndarray) -> World:
        """The ground-truth state at tick `tick` of demonstration `episode`, both (n,)."""
        flat = self._starts[episode] + tick
        rows = {name: array[episode] for name, array in self._backend.world._asdict().items()}
        cast = rows["kind"] + rows["absent_kind"]  # every actor's kind, in the world or not
        rows |= {name: values[flat].astype(rows[name].dtype, copy=False) for name, values in self._moving.items()}
        rows["absent_kind"] = np.where(rows["kind"] == 0, cast, 0)
        rows["weather"] = self._weather[flat]
        rows["tick"] = tick.astype(np.int32)
        since = rows["tick"] * np.int32(round(self._backend.simulation.tick * 1000))  # [ms], as the world counts them
        rows["clock"] = np.where(rows["clock"] >= 0, rows["clock"] + since, rows["clock"])
        return World(**rows)

    def draw(self, episode: np.ndarray, tick: np.ndarray) -> np.ndarray:
        """(n, H, W, 3) uint8: the frames at tick `tick` of demonstration `episode`."""
        if self._cache is None:
            return self._pictures(episode, tick)
        flat = self._starts[episode] + tick
        kept = flat < self._cached
        if not kept.all():
            found = np.empty((len(flat), self.camera.height, self.camera.width, 3), np.uint8)
            found[~kept] = self._pictures(episode[~kept], tick[~kept])
            if kept.any():
                found[kept] = self.draw(episode[kept], tick[kept])
            return found
        if len(new := self._cache.missing(flat)):
            self._cache.put(flat[new], self._pictures(episode[new], tick[new]))
        return self._cache.get(flat)

    def _pictures(self, episode: np.ndarray, tick: np.ndarray) -> np.ndarray:
        """(n, H, W, 3) uint8: rendered from the state, or the stored pictures if there are any."""
        if not self._stored:
            return render(self._backend.maps.arrays, self.world(episode, tick), self.camera, threads=self.threads)
        return np.stack([unpacked(self.demonstrations[e].frames[t]) for e, t in zip(episode, tick)])

    def batch(self, windows: Windows) -> Batch:
        """A batch of windows, padded to the longest and masked."""
        length = int((windows.stop - windows.start).max())
        ticks = windows.start[:, None] + np.arange(length)
        exists = ticks < windows.stop[:, None]
        ticks = np.minimum(ticks, windows.stop[:, None] - 1)
        flat = self._starts[windows.episode][:, None] + ticks
        drawn = self.draw(np.repeat(windows.episode, length), ticks.ravel())
        return Batch(
            camera=drawn.reshape(*ticks.shape, *drawn.shape[1:]),
            speed=self._moving["speed"][flat, 0],
            steer=self._ticks["expert_steer"][flat],
            acceleration=self._ticks["expert_acceleration"][flat],
            valid=self._ticks["valid"][flat] & exists,
            path=self.futures.path[flat],
            progress=self.futures.progress[flat],
            known=self.futures.known[flat] & exists,
            lane=windows.lane,
            fresh=windows.start == 0,
        )

    def drives(self, episodes: np.ndarray) -> Drives:
        """Labels and futures of whole drives, padded to the longest and masked, without pictures."""
        length = int(self.lengths[episodes].max())
        ticks = np.arange(length)[None]
        exists = ticks < self.lengths[episodes][:, None]
        flat = self._starts[episodes][:, None] + np.minimum(ticks, self.lengths[episodes][:, None] - 1)
        return Drives(
            steer=self._ticks["expert_steer"][flat],
            acceleration=self._ticks["expert_acceleration"][flat],
            valid=self._ticks["valid"][flat] & exists,
            path=self.futures.path[flat],
            progress=self.futures.progress[flat],
            known=self.futures.known[flat] & exists,
        )

    def speed(self, episode: np.ndarray, tick: np.ndarray) -> np.ndarray:
        """(n,) float32 ego's speed at tick `tick` of demonstration `episode` [m/s]."""
        return np.asarray(self._moving["speed"][self._starts[episode] + tick, 0])

    def plan(
        self, length: int, lanes: int, rng: np.random.Generator, episodes: np.ndarray | None = None
    ) -> list[Windows]:
        """The steps of one pass: each of `lanes` lanes goes through one episode after the other, a window per step.

        Every tick is used once. The first window of a long episode has a random length of at least half of `length`, so
        that the cuts between windows differ in every pass.

        Args:
            length: of the longest window, in ticks.
            episodes: which to go through, all when None.
        """
        order = rng.permutation(np.arange(len(self.lengths)) if episodes is None else episodes)
        queue = iter(order.tolist())
        at: list[tuple[int, int] | None] = [(e, 0) for e in itertools.islice(queue, lanes)]
        steps = []
        while any(place is not None for place in at):
            rows = []
            for lane, place in enumerate(at):
                if place is None:
                    continue
                episode, start = place
                ticks = int(self.lengths[episode])
                stop = min(start + length, ticks)
                if start == 0 and ticks > length:
                    stop = int(rng.integers((length + 1) // 2, length + 1))
                rows.append((lane, episode, start, stop))
                following = next(queue, None) if stop == ticks else None
                at[lane] = (episode, stop) if stop < ticks else None if following is None else (following, 0)
            steps.append(Windows(*(np.array(column) for column in zip(*rows))))
        return steps

    def epoch(self, plan: Sequence[Windows]) -> Iterator[Batch]:
        """Yield the batches of a plan; the next one is rendered while this one is used."""
        with ThreadPoolExecutor(1, thread_name_prefix="loader") as pool:
            pending = pool.submit(self.batch, plan[0])
            for step in plan[1:]:
                ready = pending.result()
                pending = pool.submit(self.batch, step)
                yield ready
            yield pending.result()

    def sample(
        self, count: int, rng: np.random.Generator, weights: np.ndarray, episodes: np.ndarray | None = None
    ) -> Frames | None:
        """Sample single pictures of as many episodes, at ticks whose future is known; None if no future is known.

        The tick is drawn as a share of its drive, and never by what happens in the drive: ticks chosen relative to a
        manoeuvre would reveal the manoeuvre by the distance to it.

        Args:
            count: N.
            weights: (PHASES,) how often each part of a drive is drawn from.
            episodes: which to draw from, all when None.
        """
        able = self._able if episodes is None else episodes[np.isin(episodes, self._able)]
        if not len(able):
            return None
        episode = able[rng.integers(len(able), size=count)]
        phase = rng.choice(PHASES, count, p=weights / weights.sum())
        share = (phase + rng.random(count)) / PHASES
        first, last = self._known_starts[episode], self._known_starts[episode + 1]
        flat = self._known_at[first + (share * (last - first)).astype(int)]
        return Frames(
            camera=self.draw(episode, flat - self._starts[episode]),
            speed=self._moving["speed"][flat, 0],
            path=self.futures.path[flat],
            progress=self.futures.progress[flat],
            known=self.futures.known[flat],
            phase=phase,
        )

    @functools.cached_property
    def _known_at(self) -> np.ndarray:
        """The ticks whose future is known, as positions among all."""
        return np.flatnonzero(self.futures.known)

    @functools.cached_property
    def _known_starts(self) -> np.ndarray:
        """The start of each episode in `_known_at`, and the end."""
        return np.searchsorted(self._known_at, self._starts)

    @functools.cached_property
    def _able(self) -> np.ndarray:
        """The episodes that have a tick whose future is known."""
        return np.flatnonzero(np.diff(self._known_starts))
