"""Hindsight: heads that say which of a set of typical futures the demonstrator is on.

The reason of a decision is in the picture long before the controls show the decision. Until then controls say nothing
about it. The future of the drive does: afterwards it is known which way the demonstrator went, whether he stopped, how
fast he was. So a learner is asked, of a single picture and of its memory, which future this is: a choice among anchors
(typical futures, `dagger.training.futures`) and an offset from the chosen one. That is behaviour, and nothing else: no
rule, proposition or decision is read.

The heads drive nothing. They are read in training and by diagnoses; the controls come from the learner's own head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

POINTS, MOMENTS = 7, 7  # of a path and of a progress, as `dagger.training.futures` has them
METRES = 10.0  # that count as 1 inside
PROGRESS_WEIGHT = 0.3  # of progress beside path: it has much chance in it, which drowns the question of the path
OFFSET_WEIGHT = 0.1


class Target(NamedTuple):
    """The demonstrator's futures at some ticks (leading axes ...).

    Args:
        path: (..., POINTS, 2) [m]; progress: (..., MOMENTS) [m]; known: (...) bool, elsewhere nothing is asked.
    """

    path: Tensor
    progress: Tensor
    known: Tensor


@dataclass(frozen=True)
class Answer:
    """What a head says.

    Args:
        path, progress: (..., K) log probability of every anchor.
        path_offset: (..., K, 2 * POINTS), progress_offset: (..., K, MOMENTS): from the anchors, in METRES.
    """

    path: Tensor
    progress: Tensor
    path_offset: Tensor
    progress_offset: Tensor


class FutureHead(nn.Module):
    """One hidden layer, then a choice among anchors and the offsets from them.

    Args:
        width: of the latent that it reads; hidden: of its layer; anchors: K.
    """

    def __init__(self, width: int, hidden: int, anchors: int) -> None:
        super().__init__()
        self.anchors = anchors
        self.inner = nn.Linear(width, hidden)
        self.outer = nn.Linear(hidden, anchors * (2 + 2 * POINTS + MOMENTS))

    def forward(self, latent: Tensor) -> Answer:
        """The answer to a latent (..., width)."""
        k = self.anchors
        out = self.outer(torch.relu(self.inner(torch.relu(latent))))
        path, progress, *offsets = out.split((k, k, 2 * POINTS * k, MOMENTS * k), -1)
        shapes = ((k, 2 * POINTS), (k, MOMENTS))
        return Answer(
            F.log_softmax(path, -1), F.log_softmax(progress, -1), *(o.unflatten(-1, s) for o, s in zip(offsets, shapes))
        )


class Hindsight(nn.Module):
    """The two questions: of the embedding of a single picture, and of what the memory holds.

    Args:
        width: of the embedding; memory_width: of what the memory shows; hidden: of the heads' layers; anchors: K.
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
        """Take anchors: path (K, POINTS, 2), progress (K, MOMENTS) [m].

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
        """(...) loss of every tick [nat], known or not."""
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
