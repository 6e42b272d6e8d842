"""Memory modules of the learner: GRU, or none.

A memory has a state (B, state_width), zero at the start of an episode, and an output (B, width) that is read from the
state alone.  So an intervention on the state changes the head's input *and* the state at the next tick.
`unroll` runs over all ticks at once for training; `step` runs one tick with the same weights.
MEMORIES registers them all: a new one is a class with these members and an entry there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class MemoryCore(Protocol):
    """The memory interface; `width` is of the output, `state_width` of the state passed on to the next tick."""

    width: int
    state_width: int

    def step(self, embedding: Tensor, state: Tensor) -> Tensor:
        """Map embedding (B, D) and state (B, state_width) of one tick to the next state."""

    def read(self, embedding: Tensor, state: Tensor) -> Tensor:
        """The head's input (B, width) after the state's update."""

    def unroll(self, embedding: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Map the embeddings of all ticks (B, T, D) to the head's inputs (B, T, width) and the last state."""


class NoMemory(nn.Module):
    """No memory: the head's input is this tick's embedding, and the state is (B, 0)."""

    def __init__(self, embedding: int, width: int) -> None:
        super().__init__()
        self.width, self.state_width = embedding, 0

    def step(self, embedding: Tensor, state: Tensor) -> Tensor:
        """Return the state, which is empty."""
        return state

    def read(self, embedding: Tensor, state: Tensor) -> Tensor:
        """Return the embedding (B, D)."""
        return embedding

    def unroll(self, embedding: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embeddings (B, T, D) and the state."""
        return embedding, state


class Gru(nn.Module):
    """Gated recurrent unit (Cho et al. 2014): the state is the output.

    The head's input is the state only. A bypass from this tick's embedding would let information flow around the site
    where the probes look for it.
    """

    def __init__(self, embedding: int, width: int) -> None:
        super().__init__()
        self.width = self.state_width = width
        self.core = nn.GRU(embedding, width, batch_first=True)

    def step(self, embedding: Tensor, state: Tensor) -> Tensor:
        """Compute one tick with the fused core's own weights; equal to `unroll` up to rounding."""
        weights: Sequence[Tensor] = self.core.all_weights[0]  # input, state; then their biases
        return torch.gru_cell(embedding, state, *weights)

    def read(self, embedding: Tensor, state: Tensor) -> Tensor:
        """Return the state (B, width)."""
        return state

    def unroll(self, embedding: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the states after every tick (B, T, width), and return them and the last."""
        outputs, last = self.core(embedding, state[None])
        return outputs, last[0]


# Called with (width of the embedding, width of the memory); returns a module that is a MemoryCore.
MEMORIES: dict[str, Callable[[int, int], Any]] = {"none": NoMemory, "gru": Gru}
