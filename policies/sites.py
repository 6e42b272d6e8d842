"""Sites: named activations of a policy that can be recorded or edited within a `with` block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sim.datatypes.action import Action

Edit = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class ActivationCache:
    """Activations recorded while `Learner.record` is open, as later layers receive them (edits included).

    Args:
        ticks: per site, one (B, D) tensor per tick, detached copies.
    """

    ticks: dict[str, list[Tensor]] = field(default_factory=dict)

    def stack(self, site: str) -> np.ndarray:
        """The latents of a site, (T, B, D) float32.

        Raises:
            ValueError: for a site that was not recorded; names those that were.
        """
        if not self.ticks.get(site):
            recorded = [name for name, latents in self.ticks.items() if latents]
            raise ValueError(f"nothing was recorded at {site!r}; recorded are {recorded}")
        return torch.stack(self.ticks[site]).cpu().numpy()


class IntervenablePolicy:
    """A policy with sites for interventions. A subclass defines `sites` and passes every latent through `_at`."""

    needs: str

    def __init__(self) -> None:
        self._edits: list[dict[str, Edit]] = []
        self._tapes: list[ActivationCache] = []

    @property
    def sites(self) -> dict[str, int]:
        """Width of the latent at every site, in the order of computation."""
        raise TypeError(f"{type(self).__name__} does not define its sites")

    @property
    def recurrent_sites(self) -> tuple[str, ...]:
        """Sites whose latent is passed on to the next tick."""
        return ()

    def begin(self, worlds: int) -> Any:
        """Initial memory of `worlds` episodes; see `policies.base.Policy`."""
        raise TypeError(f"{type(self).__name__} does not implement begin")

    def act(self, seen: Any, memory: Any) -> tuple[Action, Any]:
        """Action and memory; see `policies.base.Policy`."""
        raise TypeError(f"{type(self).__name__} does not implement act")

    def _check_sites(self, names: list[str]) -> None:
        if unknown := [name for name in names if name not in self.sites]:
            raise ValueError(f"unknown site {unknown[0]!r}; known are {list(self.sites)}")

    @contextmanager
    def edit(self, edits: Mapping[str, Edit]) -> Iterator[None]:
        """Edit activations while the block runs: edits[site](latent (B, D)) -> latent (B, D), at every tick.

        At a recurrent site the edited latent is also passed on to the next tick. Blocks nest: the outer edit is applied
        first. Leaving the block, also by an exception, removes the edits.

        Raises:
            ValueError: for an unknown site, with the known ones; while running, if an edit changes the shape.
        """
        self._check_sites(list(edits))
        level = dict(edits)
        self._edits.append(level)
        try:
            yield
        finally:
            self._edits = [other for other in self._edits if other is not level]

    @contextmanager
    def record(self, sites: tuple[str, ...] | None = None) -> Iterator[ActivationCache]:
        """Record activations while the block runs, at all sites or at the given ones.

        Raises:
            ValueError: for an unknown site, with the known ones.
        """
        names = list(self.sites if sites is None else sites)
        self._check_sites(names)
        tape = ActivationCache({name: [] for name in names})
        self._tapes.append(tape)
        try:
            yield tape
        finally:
            self._tapes = [other for other in self._tapes if other is not tape]

    def _at(self, site: str, latent: Tensor) -> Tensor:
        """Apply the active edits to a latent (B, D), then append it to the active recordings."""
        for level in self._edits:
            if site in level:
                changed = level[site](latent)
                if changed.shape != latent.shape:
                    raise ValueError(
                        f"the edit at {site!r} returned shape {tuple(changed.shape)}; wanted {tuple(latent.shape)}"
                    )
                latent = changed.to(latent.dtype)
        for tape in self._tapes:
            if site in tape.ticks:
                tape.ticks[site].append(latent.detach().clone())
        return latent
