"""Fits a learner to demonstrations in three stages: encoder, memory, and both jointly.

    encoder   single pictures of as many drives per step: the encoder's hindsight loss
    memory    whole drives of embeddings, computed once: the memory's hindsight loss and the control loss
    joint     windows of a few drives, end to end: the control loss and both hindsight losses

Without hindsight there is only the joint stage. Three losses have three optimisers: that of the controls, of the
encoder's hindsight and of the memory's. A sharp Gaussian's likelihood in the same optimiser moments starves a
classification (docs/explanation/log.md). A few windows hold a few independent decisions; many pictures, or many drives
of embeddings, hold many.

The gradients of a step are computed at the same weights, in two parts that may run in parallel; the bytes do not depend
on whether they do. A pass is the unit that is saved: after each one weights, optimisers and position are on disk, and
all random numbers of a pass come from its own seed. So a fit that was killed continues to the same bytes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from dagger.training.loader import Frames, RenderingLoader
from dagger.training.steps import FitSettings, Fitter
from policies.checkpoint import load_training, save_training
from policies.learner import Learner

ENCODER_PASS = 400  # steps per pass of the encoder stage
SORTED = 8  # batches of whole drives within which drives are sorted by length
EMBEDDED = 2048  # pictures that are embedded at once


@dataclass(frozen=True)
class _Pass:
    """One pass: its stage, its number within it, and the number of passes of the stage."""

    stage: str
    number: int
    of: int


@dataclass
class _Place:
    """The saved position of a fit.

    Args:
        losses: mean control loss of every pass that has one.
        looked: mean hindsight loss of every pass of the encoder stage.
        passes: number of passes that are done or left out.
    """

    losses: list[float] = field(default_factory=list)
    looked: list[float] = field(default_factory=list)
    passes: int = 0

    def add(self, one: _Pass, loss: float, gain: float) -> None:
        """Record a pass; if the encoder gained too little in it, the rest of its stage is left out."""
        self.passes += 1
        if one.stage != "encoder":
            self.losses.append(loss)
            return
        self.looked.append(loss)
        if len(self.looked) > 1 and loss > (1.0 - gain) * self.looked[-2]:
            self.passes += one.of - one.number - 1


OnStep = Callable[[str, float, float, float], None]
Tell = Callable[[float, float, float], None]  # share of the pass, control loss, hindsight loss


def passes_of(settings: FitSettings, epochs: int, asks: bool, first: bool) -> list[_Pass]:
    """The passes of a fit.

    Args:
        epochs: passes of the joint stage.
        asks: whether the learner has hindsight heads.
        first: whether the learner is untrained; later fits have no encoder stage.
    """
    looks = -(-settings.encoder_steps // ENCODER_PASS) if asks and first else 0
    recalls = (settings.memory_epochs if first else settings.memory_again) if asks else 0
    counts = {"encoder": looks, "memory": recalls, "joint": epochs}
    return [_Pass(stage, number, count) for stage, count in counts.items() for number in range(count)]


def fit(
    learner: Learner,
    loader: RenderingLoader,
    settings: FitSettings,
    epochs: int,
    seed: tuple[int, ...],
    state: Path | None = None,
    on_step: OnStep | None = None,
    choose: Callable[[np.random.Generator], np.ndarray] | None = None,
    abreast: bool = False,
    first: bool = True,
) -> list[float]:
    """Fit `learner` in place to the demonstrations of `loader`.

    Args:
        epochs: passes of the joint stage.
        seed: of everything random in this fit.
        state: folder of the fit's saved position; if it holds one, the fit continues from there.
        on_step: called with (stage, share of the fit that is done, control loss, hindsight loss of the encoder); a loss
            that the stage does not have is nan.
        choose: draws the episodes of a pass from the pass's generator; None takes all.
        abreast: whether the two parts of a step are computed in parallel.
        first: whether the learner is untrained.

    Returns:
        The mean control loss of every pass that has one.

    Raises:
        FloatingPointError: when a loss is no longer finite.
    """
    asks = learner.hindsight is not None
    passes = passes_of(settings, epochs, asks, first)
    place = _Place()
    with Fitter(learner, settings, abreast, first) as fitter:
        if state is not None and state.exists():
            place = _restored(state, learner, fitter)
        learner.train()
        work = _Work(fitter, loader, settings, seed, choose, on_step or (lambda *a: None))
        while place.passes < len(passes):
            one = passes[place.passes]
            place.add(one, work.run(one, place.passes, len(passes)), settings.encoder_gain)
            if state is not None:
                tensors = {f"learner.{k}": v for k, v in learner.state_dict().items()} | fitter.optimisers.tensors()
                save_training(state, tensors, asdict(place) | {"hard": fitter.hard.tolist()})
    learner.eval()
    return place.losses


def _restored(state: Path, learner: Learner, fitter: Fitter) -> _Place:
    tensors, place = load_training(state)
    learner.load_state_dict({k.removeprefix("learner."): v for k, v in tensors.items() if k.startswith("learner.")})
    fitter.optimisers.restore({k: v for k, v in tensors.items() if not k.startswith("learner.")})
    fitter.hard = np.array(place.pop("hard"))
    return _Place(**place)


class _Work:
    """The passes of one fit; see `fit` for the arguments."""

    def __init__(
        self,
        fitter: Fitter,
        loader: RenderingLoader,
        settings: FitSettings,
        seed: tuple[int, ...],
        choose: Callable[[np.random.Generator], np.ndarray] | None,
        on_step: OnStep,
    ) -> None:
        self.fitter, self.loader, self.settings, self.seed = fitter, loader, settings, seed
        self.choose, self.on_step = choose, on_step
        self._embedded: tuple[np.ndarray, np.ndarray] | None = None  # episodes, and all of their embeddings

    def run(self, one: _Pass, number: int, of: int) -> float:
        """Run one pass; returns its mean loss: of hindsight in the encoder stage, of the controls in the others."""
        rng = np.random.default_rng([*self.seed, number])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))

        def tell(share: float, loss: float, behind: float) -> None:
            self.on_step(one.stage, (number + share) / of, loss, behind)

        if one.stage == "encoder":
            return self._encoder(one, rng, generator, tell)
        if one.stage == "memory":
            return self._memory(one, rng, tell)
        return self._joint(one, rng, generator, tell)

    def _episodes(self, rng: np.random.Generator) -> np.ndarray:
        """The episodes of a pass: the chosen ones, or a random part of them if they have too many frames."""
        found = np.arange(len(self.loader.lengths)) if self.choose is None else self.choose(rng)
        lengths = self.loader.lengths[found]
        if lengths.sum() <= self.settings.most_frames:
            return found
        order = rng.permutation(len(found))
        few = int(np.searchsorted(np.cumsum(lengths[order]), self.settings.most_frames))
        return found[np.sort(order[: max(1, few)])]

    def _encoder(
        self,
        one: _Pass,
        rng: np.random.Generator,
        generator: torch.Generator,
        tell: Tell,
    ) -> float:
        steps = min(ENCODER_PASS, self.settings.encoder_steps - one.number * ENCODER_PASS)
        episodes = None if self.choose is None else self.choose(rng)
        pictures = _frames(self.loader, self.fitter, self.settings.encoder_batch, rng, episodes)
        losses: list[float] = []
        for step, frames in zip(range(steps), pictures):
            if frames is None:  # no future is known
                return 0.0
            share = (step + 1) / steps
            behind = self.fitter.look(frames, generator, (one.number + step / steps) / one.of)
            losses.append(behind)
            tell(share, float("nan"), behind)
        return float(np.mean(losses))

    def _memory(self, one: _Pass, rng: np.random.Generator, tell: Tell) -> float:
        if self._embedded is None:
            # Drawn from a generator of its own, so that a fit resumed within this stage embeds the same drives.
            mine = np.random.default_rng([*self.seed, 1_000_000])
            episodes = self._episodes(mine)
            self._embedded = episodes, embed(self.fitter, self.loader, episodes)
        episodes, embedding = self._embedded
        order = _together(self.loader.lengths[episodes], self.settings.memory_batch, rng)
        starts = np.concatenate([[0], np.cumsum(self.loader.lengths[episodes])])
        total, weight = 0.0, 0
        for number, rows in enumerate(order):
            done = (one.number + number / len(order)) / one.of
            drives = self.loader.drives(episodes[rows])
            latents = np.zeros((*drives.valid.shape, embedding.shape[1]), np.float32)
            for i, row in enumerate(rows):
                latents[i, : starts[row + 1] - starts[row]] = embedding[starts[row] : starts[row + 1]]
            valid = int(drives.valid.sum())
            if valid:
                loss = self.fitter.remember(latents, drives, done)
                total, weight = total + loss * valid, weight + valid
                tell((number + 1) / len(order), loss, float("nan"))
        if one.number + 1 == one.of:
            self._embedded = None
        return total / max(weight, 1)

    def _joint(
        self,
        one: _Pass,
        rng: np.random.Generator,
        generator: torch.Generator,
        tell: Tell,
    ) -> float:
        settings, episodes = self.settings, self._episodes(rng)
        plan = self.loader.plan(settings.window, settings.sequences, rng, episodes)
        asks = self.fitter.learner.hindsight is not None and settings.frames > 0
        pictures = _frames(self.loader, self.fitter, settings.frames, rng, episodes) if asks else itertools.repeat(None)
        total, weight = 0.0, 0
        for number, (batch, frames) in enumerate(zip(self.loader.epoch(plan), pictures)):
            valid = int(batch.valid.sum())
            if not valid:
                continue
            done = (one.number + number / len(plan)) / one.of
            loss, behind = self.fitter.step(batch, frames, generator, done)
            total, weight = total + loss * valid, weight + valid
            tell((number + 1) / len(plan), loss, behind)
        self.fitter.forget()
        return total / max(weight, 1)


def _frames(
    loader: RenderingLoader, fitter: Fitter, count: int, rng: np.random.Generator, episodes: np.ndarray | None
) -> Iterator[Frames | None]:
    """Yield single pictures for each step; the next ones are rendered while these are used."""
    with ThreadPoolExecutor(1, thread_name_prefix="pictures") as pool:
        pending = pool.submit(loader.sample, count, rng, fitter.hard.copy(), episodes)
        while True:
            ready = pending.result()
            pending = pool.submit(loader.sample, count, rng, fitter.hard.copy(), episodes)
            yield ready


def _together(lengths: np.ndarray, batch: int, rng: np.random.Generator) -> list[np.ndarray]:
    """All episodes once, in batches of drives of similar length, in random order."""
    order = rng.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), batch * SORTED):
        some = order[start : start + batch * SORTED]
        some = some[np.argsort(lengths[some], kind="stable")]
        batches += [some[i : i + batch] for i in range(0, len(some), batch)]
    return [batches[i] for i in rng.permutation(len(batches))]


def embed(fitter: Fitter, loader: RenderingLoader, episodes: np.ndarray) -> np.ndarray:
    """Embed all ticks of some episodes; returns (ticks, width) float32."""
    lengths = loader.lengths[episodes]
    episode = np.repeat(episodes, lengths)
    tick = np.concatenate([np.arange(n) for n in lengths])
    found = np.empty((len(episode), fitter.learner.settings.width), np.float32)

    def block(start: int) -> None:
        part = slice(start, start + EMBEDDED)
        camera = torch.from_numpy(loader.draw(episode[part], tick[part]))
        speed = torch.from_numpy(loader.speed(episode[part], tick[part]))
        found[part] = fitter.learner.embed(camera, speed).numpy()

    fitter.each(block, range(0, len(episode), EMBEDDED))
    return found
