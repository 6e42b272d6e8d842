"""Interchange interventions in closed loop: swap what a latent says of one variable, and see where the car goes.

A *base* world is driven. Beside it runs its *shadow*: the twin world in which some propositions differ, with ego
always exactly where the base's ego is. At every tick the policy looks at both; the component of the recurrent state
that lies in a subspace of rank <= 2 is taken from the shadow's run (the source), the rest stays the base's.  If the
subspace carries the proposition and nothing else, the car does what the rule says of the base with that one
proposition changed.  (Geiger et al. 2021, Causal Abstractions of Neural Networks; Geiger et al. 2024, Finding
Alignments Between Interpretable Causal Variables and Distributed Neural Representations; here without non-linear maps.)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from policies.sites import Sited
from scenarios.environment import room_for
from scenarios.spec import Scenario
from sim.config import Camera, Episode
from sim.embedded import EmbeddedWorld
from sim.rollout import look
from sim.types import OUTCOME, Action, World

RANK = 2


@dataclass(frozen=True)
class Subspace:
    """Where a variable is looked for.

    Args:
        site: of the policy.
        basis: (D, r) orthonormal columns; r = D swaps everything.
        what: what it was fitted to, for tables.
    """

    site: str
    basis: np.ndarray
    what: str

    def swap(self, base: Tensor, source: Tensor) -> Tensor:
        """`base` (S, D) with its component in the subspace replaced by that of `source`."""
        basis = torch.from_numpy(self.basis).to(base)
        return base + (source - base) @ basis @ basis.T


def everything(site: str, width: int) -> Subspace:
    """The full swap: the ceiling of what an interchange at this site can do."""
    return Subspace(site, np.eye(width, dtype=np.float32), "full swap")


def random_subspace(site: str, width: int, rng: np.random.Generator) -> Subspace:
    """A subspace of the same rank that has nothing to do with anything."""
    basis, _ = np.linalg.qr(rng.standard_normal((width, min(RANK, width))))
    return Subspace(site, basis.astype(np.float32), "random variable")


def leading(site: str, differences: np.ndarray, what: str) -> Subspace:
    """The subspace of rank <= 2 that holds most of the differences (n, D), uncentred."""
    _, _, rows = np.linalg.svd(differences.astype(np.float64), full_matrices=False)
    return Subspace(site, rows[:RANK].T.astype(np.float32).copy(), what)


def without(differences: np.ndarray, other: np.ndarray, least: float) -> np.ndarray:
    """`differences` (n, D) without their component along the leading directions of `other` (m, D), RANK at most.

    Args:
        least: a direction counts when its strength is this share of the strongest direction of `differences`.
    """
    strongest = np.linalg.norm(differences, 2) / np.sqrt(len(differences))
    _, strength, rows = np.linalg.svd(other.astype(np.float64), full_matrices=False)
    rows = rows[:RANK][strength[:RANK] / np.sqrt(len(other)) > least * strongest]
    return differences - differences @ rows.T @ rows


@dataclass(frozen=True)
class Swapped:
    """Where the cars went. branch, outcome: (n,)."""

    branch: np.ndarray
    outcome: np.ndarray

    @property
    def way(self) -> np.ndarray:
        """(n,) the branch taken in one piece, -1 otherwise."""
        return np.where(self.outcome == OUTCOME["arrived"], self.branch, -1)


class Shadowed:
    """A base world, and shadows of it that differ in propositions only.

    Args:
        scenario: of all episodes.
        bases: B episodes that are driven.
        shadows: K lists of B episodes: row by row the same draw as the base, propositions apart. They live in one
            backend, list after list, so that a policy looks at all of them at once.
    """

    def __init__(
        self,
        scenario: Scenario,
        bases: Sequence[Episode],
        shadows: Sequence[Sequence[Episode]],
        camera: Camera,
        threads: int = 2,
        search: Sequence[Path] = (),
    ) -> None:
        def world(episodes: Sequence[Episode]) -> EmbeddedWorld:
            backend = EmbeddedWorld(len(episodes), camera, room_for(scenario), threads=threads, search=search)
            backend.reset(episodes)
            return backend

        self.base = world(bases)
        self.shadow = world([e for episodes in shadows for e in episodes])
        self.lists = len(shadows)

    def running(self) -> np.ndarray:
        """Slots whose base still runs."""
        return np.flatnonzero(self.base.world.outcome == OUTCOME["running"])

    def behind(self, slots: np.ndarray) -> np.ndarray:
        """(K * S,) rows of `shadow` that stand behind these slots, list after list."""
        return (np.arange(self.lists)[:, None] * self.base.worlds + slots).ravel()

    def step(self, slots: np.ndarray, action: Action) -> None:
        """Base and shadows take the same action; each shadow's ego is then put where the base's is."""
        whole = action.spread(slots, self.base.worlds)
        self.base.step(whole)
        gears = None if whole.reverse is None else np.tile(whole.reverse, self.lists)
        self.shadow.step(Action(np.tile(whole.steer, self.lists), np.tile(whole.acceleration, self.lists), gears))
        self.shadow.adopt(World(*(np.concatenate([a] * self.lists) for a in self.base.world)))


def interchange(
    policy: Sited,
    scenario: Scenario,
    bases: Sequence[Episode],
    sources: Sequence[Episode],
    swaps: Sequence[Sequence[Subspace]],
    camera: Camera,
    threads: int = 2,
    search: Sequence[Path] = (),
    on_tick: Callable[[EmbeddedWorld], None] | None = None,
) -> list[Swapped]:
    """Drive every base with its source's component of every subspace swapped in, at every tick.

    Args:
        bases, sources: n episodes each, twins in some propositions.
        swaps: what to swap, one result each: subspaces of the same sites, one per site, in all recurrent sites. All
            swaps are driven side by side, since the last few cars on the road cost as much as many.
        on_tick: given the base's backend at the start and after every step.

    Raises:
        ValueError: for swaps of different sites.
    """
    n, sites = len(bases), tuple(s.site for s in swaps[0])
    if any(tuple(s.site for s in subspaces) != sites for subspaces in swaps):
        raise ValueError(f"swaps of different sites: {[[s.site for s in subspaces] for subspaces in swaps]}")
    worlds = Shadowed(scenario, [*bases] * len(swaps), [[*sources] * len(swaps)], camera, threads, search)
    memory, shadow_memory = policy.begin(n * len(swaps)), policy.begin(n * len(swaps))
    if on_tick is not None:
        on_tick(worlds.base)
    while len(slots := worlds.running()):
        with policy.record(sites) as tape:
            _, after = policy.act(look(worlds.shadow, policy.needs, slots), shadow_memory[slots])
        shadow_memory[slots] = after
        parts = [np.flatnonzero(slots // n == g) for g in range(len(swaps))]
        edits = {
            site: _each(parts, [subspaces[k] for subspaces in swaps], tape.ticks[site][-1])
            for k, site in enumerate(sites)
        }
        with policy.edit(edits):
            action, after = policy.act(look(worlds.base, policy.needs, slots), memory[slots])
        memory[slots] = after
        worlds.step(slots, action)
        if on_tick is not None:
            on_tick(worlds.base)
    branch, outcome = worlds.base.world.branch.reshape(-1, n), worlds.base.world.outcome.reshape(-1, n)
    return [Swapped(branch[g].copy(), outcome[g].copy()) for g in range(len(swaps))]


def _each(parts: Sequence[np.ndarray], subspaces: Sequence[Subspace], source: Tensor) -> Callable[[Tensor], Tensor]:
    """An edit that swaps each part's rows in its own subspace."""

    def edit(latent: Tensor) -> Tensor:
        changed = latent.clone()
        for rows, subspace in zip(parts, subspaces):
            changed[rows] = subspace.swap(latent[rows], source[rows])
        return changed

    return edit


@dataclass(frozen=True)
class Factorial:
    """Latents of one policy at the same places under every setting of some propositions.

    Args:
        site: where.
        latents: (F, C, D) float32: F frames, C settings in the order of the truth table.
        frame_episode: (F,) which episode a frame is of.
        table: (C, k) bool, the settings.
    """

    site: str
    latents: np.ndarray
    frame_episode: np.ndarray
    table: np.ndarray

    def main_effect(self, column: int) -> np.ndarray:
        """(F, D): what proposition number `column` changes, averaged over the settings of the others."""
        on, paired = self.table[:, column], self._whole((column,))
        return self.latents[:, on & paired].mean(1) - self.latents[:, ~on & paired].mean(1)

    def interaction(self, one: int, other: int) -> np.ndarray:
        """(F, D): how far what one proposition changes hangs on another, on the scale of `main_effect`."""
        paired = self._whole((one, other))
        if not paired.any():  # they are never set apart: nothing is known of how they work together
            return np.zeros_like(self.latents[:, 0])
        sign = np.where(self.table[:, one] == self.table[:, other], 1.0, -1.0) * paired
        effect: np.ndarray = 2.0 * (self.latents * sign[:, None]).mean(1) * (len(paired) / paired.sum())
        return effect

    def _whole(self, columns: tuple[int, ...]) -> np.ndarray:
        """(C,) bool: settings of which all others exist that differ in these columns; all of a full table."""
        known = {tuple(row) for row in self.table.tolist()}

        def all_there(row: list[bool]) -> bool:
            for values in itertools.product((False, True), repeat=len(columns)):
                at = dict(zip(columns, values))
                if tuple(at.get(i, v) for i, v in enumerate(row)) not in known:
                    return False
            return True

        return np.array([all_there(row) for row in self.table.tolist()], bool)

    def effect_of(self, value: np.ndarray) -> np.ndarray:
        """(F, D): mean latent where `value` (C,) bool holds minus where it does not: a formula's effect."""
        return self.latents[:, value].mean(1) - self.latents[:, ~value].mean(1)


def observe_factorial(
    policy: Sited,
    scenario: Scenario,
    bases: Sequence[Episode],
    settings: Sequence[Sequence[Episode]],
    table: np.ndarray,
    sites: Sequence[str],
    camera: Camera,
    threads: int = 2,
    search: Sequence[Path] = (),
    every: int = 2,
) -> dict[str, Factorial]:
    """Drive `bases` untouched, and read the latents that each setting's shadow would have had at the same places.

    Args:
        settings: C lists of B episodes, one per row of `table` (C, k).
        every: keep one tick in so many.
    """
    worlds = Shadowed(scenario, bases, settings, camera, threads, search)
    memory, shadow_memory = policy.begin(len(bases)), policy.begin(len(bases) * len(settings))
    kept: dict[str, list[np.ndarray]] = {site: [] for site in sites}
    frames: list[np.ndarray] = []
    tick = 0
    while len(slots := worlds.running()):
        behind = worlds.behind(slots)
        with policy.record(tuple(sites)) as tape:
            _, shadow_memory[behind] = policy.act(look(worlds.shadow, policy.needs, behind), shadow_memory[behind])
        if tick % every == 0:
            for site in sites:
                rows = tape.ticks[site][-1].cpu().numpy()
                kept[site].append(rows.reshape(len(settings), len(slots), -1).transpose(1, 0, 2))
            frames.append(slots)
        action, after = policy.act(look(worlds.base, policy.needs, slots), memory[slots])
        memory[slots] = after
        worlds.step(slots, action)
        tick += 1
    where = np.concatenate(frames)
    return {site: Factorial(site, np.concatenate(kept[site]), where, np.asarray(table, bool)) for site in sites}
