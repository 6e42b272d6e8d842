"""Hindsight: auxiliary heads that predict the demonstrator's future trajectory from anchors and offsets.

The reason of a decision is visible in the picture long before the controls show the decision; until then the controls
carry no information about it. The future of the drive does: its recording shows which exit the demonstrator took,
whether it stopped and how fast it was. So the learner predicts, from a single picture and from its memory, which future
this is: a choice among anchors (typical futures, `dagger.training.futures`) and an offset from the chosen one. The
targets are behaviour only: no rule, proposition or decision is read.

The heads do not drive. Training and diagnostics read them; the controls come from the learner's own head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

POINTS, MOMENTS = 7, 7  # of a path and of a progress, as in `dagger.training.futures`
METRES = 10.0  # unit of length inside the network
PROGRESS_WEIGHT = 0.3  # of the progress loss: progress is noisy, and a larger weight drowns the path loss
OFFSET_WEIGHT = 0.1


class Target(NamedTuple):
    """Targets: the demonstrator's futures at some ticks (leading axes ...).

    Args:
        path: (..., POINTS, 2) [m]; progress: (..., MOMENTS) [m]; known: (...) bool, ticks that have a target.
    """

    path: Tensor
    progress: Tensor
    known: Tensor


@dataclass(frozen=True)
class Answer:
    """The prediction of a head.

    Args:
        path, progress: (..., K) log probability of every anchor.
        path_offset: (..., K, 2 * POINTS), progress_offset: (..., K, MOMENTS): offsets from the anchors, in METRES.
    """

    path: Tensor
    progress: Tensor
    path_offset: Tensor
    progress_offset: Tensor


class FutureHead(nn.Module):
    """A head with one hidden layer that outputs log probabilities of anchors and offsets from them.

    Args:
        width: of the input latent; hidden: of its layer; anchors: K.
    """

    def __init__(self, width: int, hidden: int, anchors: int) -> None:
        super().__init__()
        self.anchors = anchors
        self.inner = nn.Linear(width, hidden)
        self.outer = nn.Linear(hidden, anchors * (2 + 2 * POINTS + MOMENTS))

    def forward(self, latent: Tensor) -> Answer:
        """The prediction from a latent (..., width)."""
        k = self.anchors
        out = self.outer(torch.relu(self.inner(torch.relu(latent))))
        path, progress, *offsets = out.split((k, k, 2 * POINTS * k, MOMENTS * k), -1)
        shapes = ((k, 2 * POINTS), (k, MOMENTS))
        return Answer(
            F.log_softmax(path, -1), F.log_softmax(progress, -1), *(o.unflatten(-1, s) for o, s in zip(offsets, shapes))
        )


class Hindsight(nn.Module):
    """Two future heads: one on the embedding of a single picture, one on the memory's output.

    Args:
        width: of the embedding; memory_width: of the memory's output; hidden: of the heads' layers; anchors: K.
    """

    path_anchors: Tensor
    progress_anchors: Tensor

    def __init__(self, width: int, memory_width: int, hidden: int, anchors: int) -> None:
        super().__init__()
        self.seen = FutureHead(width, hidden, anchors)
        self.remembered = FutureHead(memory_width, hidden, anchors)
        self.register_buffer("path_anchors", torch.zeros(anchors, POINTS, 2))
        self.register_buffer("progress_anchors", torch.zeros(anchors, MOMENTS))

    def set_anchors(self, path: Tensor, progress: Tensor) -> None:
        """Set the anchors: path (K, POINTS, 2), progress (K, MOMENTS) [m].

        Raises:
            ValueError: for other shapes.
        """
        for name, old, new in (("path", self.path_anchors, path), ("progress", self.progress_anchors, progress)):
            if old.shape != new.shape:
                raise ValueError(f"anchors of {name} have shape {tuple(new.shape)}; wanted {tuple(old.shape)}")
            old.copy_(new)

    def loss(self, answer: Answer, target: Target) -> Tensor:
        """Mean loss [nat] over the known ticks; zero where none is known."""
        known = target.known
        if not bool(known.any()):
            return answer.path.sum() * 0.0
        return self.losses(answer, target)[known].mean()

    def losses(self, answer: Answer, target: Target) -> Tensor:
        """(...) loss of every tick [nat], without applying the mask `known`."""
        total = torch.zeros(target.known.shape, device=answer.path.device)
        parts = (
            (1.0, answer.path, answer.path_offset, self.path_anchors.flatten(1), target.path.flatten(-2)),
            (PROGRESS_WEIGHT, answer.progress, answer.progress_offset, self.progress_anchors, target.progress),
        )
        for weight, chosen, offset, anchors, wanted in parts:
            nearest = (wanted[..., None, :] - anchors).square().sum(-1).argmin(-1)
            error = (wanted - anchors[nearest]) / METRES
            own = offset.gather(-2, nearest[..., None, None].expand(*nearest.shape, 1, error.shape[-1]))[..., 0, :]
            total = total - weight * chosen.gather(-1, nearest[..., None])[..., 0]
            total = total + weight * OFFSET_WEIGHT * F.smooth_l1_loss(own, error, reduction="none").sum(-1)
        return total
