"""Optimisation steps of a fit: the gradients of each loss, and the optimiser of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from dagger.training.loader import PHASES, Batch, Drives, Frames
from policies.checkpoint import optimiser_tensors, restore_optimiser
from policies.encoders.convnet import jitter
from policies.hindsight import Target
from policies.learner import Learner
from sim.core.ranges import Range, check_ranges

RATE = Range(0, 1, above=True)  # of learning rates
SHARE = Range(0, 1)
SLOW = 0.98  # decay per step of the running loss of a part of the drive
Gradients = tuple[Tensor | None, ...]


@dataclass(frozen=True)
class FitSettings:
    """Hyperparameters of a fit.

    Args:
        learning_rate: learning rate of the joint stage of the first fit; every rate starts at its value and falls along
            a cosine to the share `last_rate` of it.
        again_rate: learning rate of the joint stage in later rounds, which begin with a trained learner.
        encoder_rate: learning rate of the encoder stage.
        memory_rate: learning rate of the memory stage.
        last_rate: share of a rate that is left at the end of its stage.
        weight_decay: weight decay of AdamW.
        encoder_steps: most steps of the encoder stage.
        encoder_batch: single pictures per step of the encoder stage.
        encoder_gain: share by which 400 steps must lower the encoder's hindsight loss; otherwise its stage ends. Below
            0 it may even rise by so much.
        memory_epochs: passes of the memory stage in the first fit.
        memory_again: passes of the memory stage in later rounds.
        memory_batch: whole drives per step of the memory stage.
        most_frames: most frames in a pass of the memory or joint stage; of more, a random part of the drives is used.
        window: ticks that gradients flow through in the joint stage; the memory's state goes on to the next window.
        sequences: windows per step of the joint stage.
        frames: single pictures per step of the joint stage, beside the windows.
        clip: largest norm of a gradient.
        jitter: strength of the random brightness, contrast and gamma of a window; 0 is off.
    """

    learning_rate: Annotated[float, RATE] = 1.5e-3
    again_rate: Annotated[float, RATE] = 7e-4
    encoder_rate: Annotated[float, RATE] = 1.5e-3
    memory_rate: Annotated[float, RATE] = 3e-3
    last_rate: Annotated[float, SHARE] = 0.05
    weight_decay: Annotated[float, SHARE] = 1e-4
    encoder_steps: Annotated[int, Range(0)] = 4800
    encoder_batch: Annotated[int, Range(1)] = 128
    encoder_gain: Annotated[float, Range(-1, 1)] = 0.03
    memory_epochs: Annotated[int, Range(0)] = 6
    memory_again: Annotated[int, Range(0)] = 2
    memory_batch: Annotated[int, Range(1)] = 48
    most_frames: Annotated[int, Range(1)] = 200_000
    window: Annotated[int, Range(1)] = 64
    sequences: Annotated[int, Range(1)] = 4
    frames: Annotated[int, Range(0)] = 64
    clip: Annotated[float, Range(0, above=True)] = 1.0
    jitter: Annotated[float, Range(0, 2)] = 0.1

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_ranges(self)


class Optimisers:
    """Three optimisers: of the control loss, of the encoder's hindsight loss, and of the memory's.

    Attributes:
        parameters: optimiser name -> the parameters that it changes.
    """

    def __init__(self, learner: Learner, settings: FitSettings) -> None:
        self.settings = settings
        named = list(learner.named_parameters())
        looking = ("encoder.", "embedding.", "embed_speed.", "level.", "hindsight.seen.")
        self.parameters = {
            "controls": [p for name, p in named if not name.startswith("hindsight.")],
            "encoder": [p for name, p in named if name.startswith(looking)],
            "memory": [p for name, p in named if name.startswith(("memory.", "hindsight.remembered."))],
        }
        self._optimisers = {
            name: torch.optim.AdamW(parameters, lr=0.0, weight_decay=settings.weight_decay, fused=True)
            for name, parameters in self.parameters.items()
            if parameters
        }

    def step(self, name: str, gradients: Gradients, rate: float, done: float) -> None:
        """Apply the gradients of one loss, clipped by their own norm.

        Args:
            rate: at the start of the stage; done: share of the stage that is over.
        """
        last = self.settings.last_rate
        parameters, optimiser = self.parameters[name], self._optimisers[name]
        for group in optimiser.param_groups:
            group["lr"] = rate * (last + (1 - last) * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))
        for parameter, gradient in zip(parameters, gradients):
            # The fused optimiser reads both in memory order: a gradient with another layout would be scrambled.
            if gradient is not None and gradient.stride() != parameter.stride():
                gradient = torch.empty_like(parameter).copy_(gradient)
            parameter.grad = gradient
        torch.nn.utils.clip_grad_norm_(parameters, self.settings.clip)
        optimiser.step()
        for parameter in parameters:
            parameter.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """All optimiser states as flat tensors."""
        return {f"{name}.{k}": v for name, o in self._optimisers.items() for k, v in optimiser_tensors(o).items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Restore the states that `tensors` returned."""
        for name, optimiser in self._optimisers.items():
            head = f"{name}."
            restore_optimiser(optimiser, {k.removeprefix(head): v for k, v in tensors.items() if k.startswith(head)})


class Fitter:
    """Takes optimisation steps of a learner, in a `with` block.

    Args:
        learner: fitted in place.
        settings: hyperparameters.
        abreast: whether the two parts of a step are computed in parallel.
        first: whether the learner is untrained.

    Attributes:
        hard: (PHASES,) running hindsight loss of single pictures by part of the drive: where it is high, more are
            drawn. Errors are sampled more often, and no rule is read for it.
    """

    def __init__(self, learner: Learner, settings: FitSettings, abreast: bool = False, first: bool = True) -> None:
        self.learner, self.settings = learner, settings
        name = "learning_rate" if first else "again_rate"
        self._joint_rate = name, float(getattr(settings, name))  # name and value of the joint stage's rate
        self.optimisers = Optimisers(learner, settings)
        self.hard = np.ones(PHASES)
        self._states: dict[int, Tensor] = {}  # lane -> state of the memory for the next window
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="fit") if abreast else None

    def __enter__(self) -> Fitter:
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def each(self, work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """`work` of every item, in parallel if `abreast`."""
        return list(map(work, items) if self._pool is None else self._pool.map(work, items))

    def forget(self) -> None:
        """Begin the next pass with empty memories."""
        self._states.clear()

    # ---------------------------------------------------------------------------------------------- stages
    def look(self, frames: Frames, generator: torch.Generator, done: float) -> float:
        """A step of the encoder stage; returns the hindsight loss of the pictures [nat]."""
        camera = jittered(frames.camera[:, None], self.settings.jitter, generator)[:, 0]
        parts = _halves(len(camera))
        found = self.each(lambda part: self._by_frames(camera[part], frames, part), parts)
        gradients, losses = _mean([g for g, _ in found]), np.concatenate([losses for _, losses in found])
        self.optimisers.step("encoder", gradients, self.settings.encoder_rate, done)
        return self._note(losses, frames)

    def remember(self, latents: np.ndarray, drives: Drives, done: float) -> float:
        """A step of the memory stage; returns the control loss [nat].

        Args:
            latents: (S, T, D) float32 embeddings of whole drives, padded.
        """
        embedding = torch.from_numpy(latents)
        parts = [part for part in _halves(len(embedding)) if drives.valid[part].any()]
        found = self.each(lambda part: self._by_memory(embedding[part], drives, part), parts)
        rate = self.settings.memory_rate
        self._own_step("controls", _mean([controls for controls, _, _ in found]), rate, done)
        self._own_step("memory", _mean([behind for _, behind, _ in found]), rate, done)
        return float(np.mean([loss for _, _, loss in found]))

    def _own_step(self, name: str, gradients: Gradients, rate: float, done: float) -> None:
        """A step that leaves parameters without a gradient as they are: the encoder, in the memory stage."""
        if any(g is not None for g in gradients):
            self.optimisers.step(name, gradients, rate, done)

    def step(self, batch: Batch, frames: Frames | None, generator: torch.Generator, done: float) -> tuple[float, float]:
        """A step of the joint stage; returns the control loss and the loss of single pictures, nan without any."""
        camera = jittered(batch.camera, self.settings.jitter, generator)
        if frames is None:
            windows, single = self._by_windows(camera, batch), None
        else:
            pictures = jittered(frames.camera[:, None], self.settings.jitter, generator)[:, 0]
            whole = slice(0, len(pictures))
            windows, single = self.each(
                lambda work: work(),
                (lambda: self._by_windows(camera, batch), lambda: self._by_frames(pictures, frames, whole)),
            )
        controls, behind, loss = windows
        _, rate = self._joint_rate
        self.optimisers.step("controls", controls, rate, done)
        self._own_step("memory", behind, rate, done)
        if single is None or frames is None:
            return loss, float("nan")
        gradients, losses = single
        self.optimisers.step("encoder", gradients, rate, done)
        return loss, self._note(losses, frames)

    # ------------------------------------------------------------------------------------------- gradients
    def _by_frames(self, camera: Tensor, frames: Frames, part: slice) -> tuple[Gradients, np.ndarray]:
        target = Target(*(_tensor(a[part]) for a in (frames.path, frames.progress, frames.known)))
        losses = self.learner.frame_losses(camera, _tensor(frames.speed[part]), target)
        _check(losses, "hindsight loss", "encoder_rate", self.settings.encoder_rate)
        gradients = torch.autograd.grad(losses.mean(), self.optimisers.parameters["encoder"], allow_unused=True)
        return gradients, losses.detach().numpy()

    def _by_memory(self, embedding: Tensor, drives: Drives, part: slice) -> tuple[Gradients, Gradients, float]:
        arrays = (drives.steer, drives.acceleration, drives.valid)
        steer, acceleration, valid = (_tensor(a[part]) for a in arrays)
        target = Target(*(_tensor(a[part]) for a in (drives.path, drives.progress, drives.known)))
        loss, behind, _ = self.learner.loss_of(embedding, steer, acceleration, valid, target, None)
        return self._apart(loss, behind, "memory_rate", self.settings.memory_rate)

    def _by_windows(self, camera: Tensor, batch: Batch) -> tuple[Gradients, Gradients, float]:
        state = self.learner.begin(len(batch.lane))
        for row, (lane, fresh) in enumerate(zip(batch.lane.tolist(), batch.fresh.tolist())):
            if not fresh and lane in self._states:
                state[row] = self._states[lane]
        speed, steer, acceleration, valid = map(_tensor, (batch.speed, batch.steer, batch.acceleration, batch.valid))
        target = Target(*(_tensor(a) for a in (batch.path, batch.progress, batch.known)))
        loss, behind, state = self.learner.loss(camera, speed, steer, acceleration, valid, target, state)
        for row, lane in enumerate(batch.lane.tolist()):
            self._states[lane] = state[row]
        return self._apart(loss, behind, *self._joint_rate)

    def _apart(self, loss: Tensor, behind: Tensor, name: str, rate: float) -> tuple[Gradients, Gradients, float]:
        """Gradients of the control loss, and of the memory's hindsight loss, which stops at the memory and is cheap."""
        _check(loss + behind, "loss", name, rate)
        controls, memory = (self.optimisers.parameters[n] for n in ("controls", "memory"))
        asked: Gradients = (None,) * len(memory)
        if behind.requires_grad and memory:
            asked = torch.autograd.grad(behind, memory, retain_graph=True, allow_unused=True)
        return torch.autograd.grad(loss, controls, allow_unused=True), asked, float(loss.detach())

    def _note(self, losses: np.ndarray, frames: Frames) -> float:
        """Update `hard` with the losses (N,) of single pictures; returns their mean."""
        for phase in np.unique(frames.phase):
            self.hard[phase] = SLOW * self.hard[phase] + (1 - SLOW) * float(losses[frames.phase == phase].mean())
        return float(losses.mean())


def _halves(count: int) -> list[slice]:
    """The rows of a step in two parts; a single row is one part."""
    middle = count // 2
    return [slice(0, middle), slice(middle, count)] if middle else [slice(0, count)]


def _mean(parts: Sequence[Gradients]) -> Gradients:
    """The mean of the gradients of equal parts."""
    if len(parts) == 1:
        return parts[0]
    return tuple(None if a is None or b is None else (a + b).mul_(0.5) for a, b in zip(*parts))


def _check(loss: Tensor, what: str, name: str, rate: float) -> None:
    if not bool(torch.isfinite(loss).all()):
        value = float(loss.detach().mean())
        raise FloatingPointError(f"the {what} became {value}; lower the learning rate (--train.fit.{name}, {rate})")


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))


def jittered(camera: np.ndarray, strength: float, generator: torch.Generator) -> Tensor:
    """Pictures (B, T, H, W, 3) with random brightness and contrast per sequence; unchanged at strength 0."""
    pictures = _tensor(camera)
    return jitter(pictures, strength, generator) if strength > 0 else pictures
