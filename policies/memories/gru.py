"""What a learner carries from tick to tick: the memories.

A memory has a state (B, state_width), zero when an episode begins, and an output (B, width) that is read from the
state alone.  So whoever changes the state (an intervention) changes what the head sees *and* what is carried on.
`unroll` runs over all ticks at once for training; `step` runs one tick with the same weights.
MEMORIES names them all: a new one is a class with these members and an entry there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class MemoryCore(Protocol):
    """What the learner asks of a memory; `width` is of the output, `state_width` of what is carried on."""

    width: int
    state_width: int

    def step(self, embedding: Tensor, state: Tensor) -> Tensor:
        """One tick: embedding (B, D) and state (B, state_width) to the next state."""

    def read(self, embedding: Tensor, state: Tensor) -> Tensor:
        """What the head sees (B, width) after the state's update."""

    def unroll(self, embedding: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """All ticks: embedding (B, T, D) to what the head sees (B, T, width) and the last state."""


class NoMemory(nn.Module):
    """Nothing is carried on: the head sees this tick's embedding. Its state is (B, 0)."""

    def __init__(self, embedding: int, width: int) -> None:
        super().__init__()
        self.width, self.state_width = embedding, 0

    def step(self, embedding: Tensor, state: Tensor) -> Tensor:
        """The state, which is empty."""
        return state

    def read(self, embedding: Tensor, state: Tensor) -> Tensor:
        """The embedding (B, D)."""
        return embedding

    def unroll(self, embedding: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The embeddings (B, T, D), and the state."""
        return embedding, state


class Gru(nn.Module):
    """Gated recurrent unit (Cho et al. 2014): the state is the output.

    The head sees the state only. A bypass from this tick's embedding would let knowledge flow around the
    place where it is looked for.
    """

    def __init__(self, embedding: int, width: int) -> None:
        super().__init__()
        self.width = self.state_width = width
        self.core = nn.GRU(embedding, width, batch_first=True)

    def step(self, embedding: Tensor, state: Tensor) -> Tensor:
        """One tick with the fused core's own weights; equal to `unroll` but for the last bits."""
        weights: Sequence[Tensor] = self.core.all_weights[0]  # input, state; then their offsets
        return torch.gru_cell(embedding, state, *weights)

    def read(self, embedding: Tensor, state: Tensor) -> Tensor:
        """The state (B, width)."""
        return state

    def unroll(self, embedding: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """States after every tick (B, T, width), and the last."""
        outputs, last = self.core(embedding, state[None])
        return outputs, last[0]


# Made with (width of the embedding, width of the memory); a module that is a MemoryCore.
MEMORIES: dict[str, Callable[[int, int], Any]] = {"none": NoMemory, "gru": Gru}
