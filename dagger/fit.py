"""Fits a learner to demonstrations: windows of ticks, back-propagation through the whole window, cosine decay.

An epoch is the unit that is saved: after each one weights, optimiser and position are on disk, and everything
random in an epoch is drawn from its own number. So a killed fit goes on to the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dagger.loader import Batch, RenderingLoader
from policies.checkpoint import load_training, optimiser_tensors, restore_optimiser, save_training
from policies.encoders import jitter
from policies.learner import Learner


@dataclass(frozen=True)
class FitSettings:
    """How a learner is fitted.

    Args:
        learning_rate: at the start of a fit; falls along a cosine to `last_rate` of it.
        last_rate: share of the learning rate that is left at the end.
        weight_decay: AdamW's.
        window: ticks that gradients flow through.
        sequences: windows in a batch.
        clip: greatest gradient norm.
        jitter: strength of the random brightness, contrast and gamma of a window; 0 is off.
    """

    learning_rate: float = 7e-4
    last_rate: float = 0.05
    weight_decay: float = 1e-4
    window: int = 16
    sequences: int = 4
    clip: float = 1.0
    jitter: float = 0.1


def tensors_of(batch: Batch) -> dict[str, torch.Tensor]:
    """A batch as tensors, without copying."""
    return {name: torch.from_numpy(np.ascontiguousarray(getattr(batch, name))) for name in batch.__dataclass_fields__}


def optimiser_for(learner: Learner, settings: FitSettings) -> torch.optim.AdamW:
    """The optimiser that `fit` uses."""
    return torch.optim.AdamW(
        learner.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )


def fit(
    learner: Learner,
    loader: RenderingLoader,
    settings: FitSettings,
    epochs: int,
    seed: tuple[int, ...],
    state: Path | None = None,
    on_step: Callable[[int, int, float], None] | None = None,
) -> list[float]:
    """Fit `learner` in place for `epochs` passes over `loader`.

    Args:
        seed: of everything random in this fit.
        state: folder in which the fit keeps its place; when it holds one, the fit goes on from there.
        on_step: called with (step, steps in all, loss).

    Returns:
        The mean loss of every epoch.
    """
    optimiser = optimiser_for(learner, settings)
    windows = int(sum(math.ceil(n / settings.window) + 1 for n in loader.lengths))
    steps_per_epoch = math.ceil(windows / settings.sequences)
    losses: list[float] = []
    step = 0
    if state is not None and state.exists():
        tensors, place = load_training(state)
        learner.load_state_dict({k.removeprefix("learner."): v for k, v in tensors.items() if k.startswith("learner.")})
        restore_optimiser(optimiser, {k: v for k, v in tensors.items() if not k.startswith("learner.")})
        losses, step = place["losses"], place["step"]
    learner.train()
    for epoch in range(len(losses), epochs):
        rng = np.random.default_rng([*seed, epoch])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        total, weight = 0.0, 0
        for batch in loader.epoch(settings.window, settings.sequences, rng):
            valid = int(batch.valid.sum())
            if not valid:
                continue
            share = min(1.0, step / (epochs * steps_per_epoch))
            rate = settings.last_rate + (1 - settings.last_rate) * 0.5 * (1 + math.cos(math.pi * share))
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * rate
            loss = _step(learner, optimiser, tensors_of(batch), settings, generator)
            total, weight, step = total + loss * valid, weight + valid, step + 1
            if on_step is not None:
                on_step(step, epochs * steps_per_epoch, loss)
        losses.append(total / max(weight, 1))
        if state is not None:
            tensors = {f"learner.{k}": v for k, v in learner.state_dict().items()} | optimiser_tensors(optimiser)
            save_training(state, tensors, {"losses": losses, "step": step})
    learner.eval()
    return losses


def _step(
    learner: Learner,
    optimiser: torch.optim.Optimizer,
    batch: dict[str, torch.Tensor],
    settings: FitSettings,
    generator: torch.Generator,
) -> float:
    camera = jitter(batch["camera"], settings.jitter, generator) if settings.jitter > 0 else batch["camera"]
    loss = learner.loss(camera, batch["speed"], batch["steer"], batch["acceleration"], batch["valid"])
    if not torch.isfinite(loss):
        raise FloatingPointError(f"the loss became {loss.item()}; lower the learning rate ({settings.learning_rate})")
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(learner.parameters(), settings.clip)
    optimiser.step()
    return float(loss.detach())
