"""The rendering loader: demonstrations hold states, training wants pictures, the camera kernel draws them.

A frame is drawn from the very arrays that the rollout's frame was drawn from, so it is the same frame, bit for bit.
Drawn frames are kept while they fit in `cache_bytes`; the next batch is drawn while the current one trains.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dagger.demonstrations import Demonstration
from sim.camera import render
from sim.config import Camera, Simulation
from sim.embedded import EmbeddedWorld
from sim.rollout import MOVING
from sim.types import World


@dataclass(frozen=True)
class Batch:
    """S windows of L ticks.

    Args:
        camera: (S, L, H, W, 3) uint8; speed, steer, acceleration: (S, L) float32.
        valid: (S, L) bool: the tick exists and its label may be learned from.
    """

    camera: np.ndarray
    speed: np.ndarray
    steer: np.ndarray
    acceleration: np.ndarray
    valid: np.ndarray


class RenderingLoader:
    """Serves windows of demonstrations as batches.

    Args:
        demonstrations: what to learn from.
        camera: need not be the one that was driven with.
        threads: for drawing.
        cache_bytes: keep drawn frames in memory while all of them fit in this.
        search: folders of OpenDRIVE files.

    Raises:
        ValueError: when a demonstration was recorded on a map that is now compiled differently.
    """

    def __init__(
        self,
        demonstrations: Sequence[Demonstration],
        camera: Camera,
        threads: int = 1,
        cache_bytes: int = 0,
        search: Sequence[Path] = (),
    ) -> None:
        if not demonstrations:
            raise ValueError("the loader was given no demonstrations")
        self.demonstrations, self.camera, self.threads = list(demonstrations), camera, threads
        actors = max(d.moving["x"].shape[1] for d in demonstrations)
        self._backend = EmbeddedWorld(len(demonstrations), camera, Simulation(actors=actors), search=search)
        self._backend.reset([d.episode for d in demonstrations])
        for w, d in enumerate(demonstrations):
            here = self._backend.maps.maps[self._backend.world.map[w]].digest
            if d.map_sha256 != here:
                raise ValueError(
                    f"demonstration {w} was recorded on map {d.map_sha256[:12]}…, but its map now compiles to "
                    f"{here[:12]}…: its pictures can no longer be redrawn"
                )
        self.lengths = np.array([len(d) for d in demonstrations])
        self._starts = np.concatenate([[0], np.cumsum(self.lengths)])
        self._moving = {name: np.concatenate([self._padded(d, name, actors) for d in demonstrations]) for name in MOVING}
        self._weather = np.concatenate([d.weather for d in demonstrations])
        self._ticks = {
            name: np.concatenate([d.ticks[name] for d in demonstrations])
            for name in ("expert_steer", "expert_acceleration", "valid")
        }
        frame = camera.height * camera.width * 3
        self._cache: np.ndarray | None = None
        if self.frames * frame <= cache_bytes:
            self._cache = np.empty((self.frames, camera.height, camera.width, 3), np.uint8)
            self._drawn = np.zeros(self.frames, bool)

    @staticmethod
    def _padded(d: Demonstration, name: str, actors: int) -> np.ndarray:
        values = d.moving[name]
        return np.pad(values, ((0, 0), (0, actors - values.shape[1])))

    @property
    def frames(self) -> int:
        """How many ticks there are in all."""
        return int(self._starts[-1])

    def world(self, episode: np.ndarray, tick: np.ndarray) -> World:
        """The rows of the true state at tick `tick` of demonstration `episode`, both (n,)."""
        flat = self._starts[episode] + tick
        rows = {name: array[episode] for name, array in self._backend.world._asdict().items()}
        rows |= {name: values[flat] for name, values in self._moving.items()}
        rows["weather"] = self._weather[flat]
        rows["tick"] = tick.astype(np.int32)
        return World(**rows)

    def draw(self, episode: np.ndarray, tick: np.ndarray) -> np.ndarray:
        """(n, H, W, 3) uint8: the frames at tick `tick` of demonstration `episode`."""
        if self._cache is None:
            return render(self._backend.maps.arrays, self.world(episode, tick), self.camera, threads=self.threads)
        flat = self._starts[episode] + tick
        new = np.flatnonzero(~self._drawn[flat])
        if len(new):
            world = self.world(episode[new], tick[new])
            self._cache[flat[new]] = render(self._backend.maps.arrays, world, self.camera, threads=self.threads)
            self._drawn[flat[new]] = True
        return self._cache[flat]

    def batch(self, episode: np.ndarray, start: np.ndarray, length: int) -> Batch:
        """The windows that begin at tick `start` (S,) of `episode` (S,), `length` ticks each, masked at the end."""
        ticks = start[:, None] + np.arange(length)
        exists = ticks < self.lengths[episode][:, None]
        ticks = np.minimum(ticks, self.lengths[episode][:, None] - 1)
        flat = self._starts[episode][:, None] + ticks
        drawn = self.draw(np.repeat(episode, length), ticks.ravel())
        return Batch(
            camera=drawn.reshape(*ticks.shape, *drawn.shape[1:]),
            speed=self._moving["speed"][flat, 0],
            steer=self._ticks["expert_steer"][flat],
            acceleration=self._ticks["expert_acceleration"][flat],
            valid=self._ticks["valid"][flat] & exists,
        )

    def windows(self, length: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Episodes and first ticks of windows that cover every tick once, in random order, at a random phase."""
        episodes, starts = [], []
        for e, ticks in enumerate(self.lengths):
            first = -int(rng.integers(length)) if ticks > length else 0
            begin = np.arange(first, ticks, length)
            episodes.append(np.full(len(begin), e))
            # A window that would begin before the episode begins with it and overlaps its successor.
            starts.append(np.maximum(begin, 0))
        order = rng.permutation(sum(len(e) for e in episodes))
        return np.concatenate(episodes)[order], np.concatenate(starts)[order]

    def epoch(self, length: int, sequences: int, rng: np.random.Generator) -> Iterator[Batch]:
        """Batches of `sequences` windows for one pass; the next one is drawn while this one is used."""
        episode, start = self.windows(length, rng)
        cuts = [slice(i, i + sequences) for i in range(0, len(episode), sequences)]
        with ThreadPoolExecutor(1, thread_name_prefix="loader") as pool:
            pending = pool.submit(self.batch, episode[cuts[0]], start[cuts[0]], length)
            for cut in cuts[1:]:
                ready = pending.result()
                pending = pool.submit(self.batch, episode[cut], start[cut], length)
                yield ready
            yield pending.result()
