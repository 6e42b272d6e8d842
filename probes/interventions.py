"""Interchange interventions in closed loop: swap a subspace of a latent between twin worlds.

The policy drives a *base* world. Beside it runs its *shadow*: the twin world in which some propositions differ, with
ego always exactly at the base ego's pose. At every tick the policy gets the inputs of both; the component of the
recurrent state in a subspace of rank <= 2 is taken from the shadow's run (the source), the rest stays the base's.  If
the subspace represents the proposition and nothing else, the car makes the rule's decision for the base with that one
proposition changed.  (Geiger et al. 2021, Causal Abstractions of Neural Networks; Geiger et al. 2024, Finding
Alignments Between Interpretable Causal Variables and Distributed Neural Representations; here without non-linear maps.)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from policies.sites import IntervenablePolicy
from scenarios.sampling.sample import slots_needed
from scenarios.scenario import Scenario
from sim.datatypes.action import Action
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import OUTCOME
from sim.datatypes.world_state import World
from sim.world.backend import Backend
from sim.world.context import RunContext
from sim.world.rollout import in_chunks, observe_for

RANK = 2


@dataclass(frozen=True)
class Subspace:
    """A linear subspace of a site's latent, as the hypothesis for a variable.

    Args:
        site: of the policy.
        basis: (D, r) orthonormal columns; r = D swaps everything.
        what: name of the variable it was fitted to, for tables.
        window: stretch in which it is swapped [m] from the junction's edge; None for everywhere.
    """

    site: str
    basis: np.ndarray
    what: str
    window: tuple[float, float] | None = None

    def swap(self, base: Tensor, source: Tensor) -> Tensor:
        """`base` (S, D) with its component in the subspace replaced by that of `source`."""
        basis = torch.from_numpy(self.basis).to(base)
        return base + (source - base) @ basis @ basis.T


def full_swap(site: str, width: int) -> Subspace:
    """The subspace that is the whole latent: the ceiling for interchanges at this site."""
    return Subspace(site, np.eye(width, dtype=np.float32), "full swap")


def no_swap(site: str, width: int) -> Subspace:
    """A zero subspace: a swap that leaves the latent unchanged."""
    return Subspace(site, np.zeros((width, 1), np.float32), "nothing")


def random_subspace(site: str, width: int, rng: np.random.Generator) -> Subspace:
    """A random subspace of the same rank, as a control."""
    basis, _ = np.linalg.qr(rng.standard_normal((width, min(RANK, width))))
    return Subspace(site, basis.astype(np.float32), "random variable")


def leading_directions(site: str, differences: np.ndarray, what: str) -> Subspace:
    """The subspace of rank <= 2 that explains most of the differences (n, D), uncentred."""
    _, _, rows = np.linalg.svd(differences.astype(np.float64), full_matrices=False)
    return Subspace(site, rows[:RANK].T.astype(np.float32).copy(), what)


def ablate(differences: np.ndarray, other: np.ndarray, least: float) -> np.ndarray:
    """Remove from `differences` (n, D) their component along the leading directions of `other` (m, D), RANK at most.

    Args:
        least: a direction counts when its strength is this share of the strongest direction of `differences`.
    """
    strongest = np.linalg.norm(differences, 2) / np.sqrt(len(differences))
    _, strength, rows = np.linalg.svd(other.astype(np.float64), full_matrices=False)
    rows = rows[:RANK][strength[:RANK] / np.sqrt(len(other)) > least * strongest]
    return differences - differences @ rows.T @ rows


@dataclass(frozen=True)
class Swapped:
    """The results of n swapped rollouts. shown_decision, outcome: (n,)."""

    shown_decision: np.ndarray
    outcome: np.ndarray

    @property
    def way(self) -> np.ndarray:
        """(n,) the shown decision where ego arrived, -1 otherwise."""
        return np.where(self.outcome == OUTCOME["arrived"], self.shown_decision, -1)


def bases_at_once(context: RunContext, wanted: int) -> int:
    """The number of bases, up to `wanted`, that the backend can run with a shadow each; possibly 0."""
    return wanted if context.limit is None else min(wanted, context.limit // 2)


class PairedWorlds:
    """Base worlds, each with a shadow that differs in propositions only; to be used in a `with` block.

    Args:
        scenario: of all episodes.
        bases: B episodes that are driven, `bases_at_once` at most.
        shadows: B episodes: row by row the same draw as the base, except for propositions.
        context: where the worlds run; by default `RunContext()`.

    Raises:
        ValueError: if the backend cannot run so many worlds at once.
    """

    def __init__(
        self,
        scenario: Scenario,
        bases: Sequence[Episode],
        shadows: Sequence[Episode],
        camera: Camera,
        context: RunContext | None = None,
    ) -> None:
        context = context or RunContext()
        if bases_at_once(context, len(bases)) < len(bases):
            raise ValueError(
                f"{len(bases)} bases with a shadow each are {2 * len(bases)} worlds; {context.limit} allowed"
            )
        room = slots_needed(scenario)
        with ExitStack() as stack:  # closes the first backend if creating the second fails
            self.base, self.shadow = (
                stack.enter_context(context.backend(len(episodes), camera, room)) for episodes in (bases, shadows)
            )
            self.base.reset(bases)
            self.shadow.reset(shadows)
            self._both = stack.pop_all()

    def __enter__(self) -> PairedWorlds:
        return self

    def __exit__(self, *error: object) -> None:
        self._both.close()

    def running(self) -> np.ndarray:
        """The slots whose base world is still running."""
        return np.flatnonzero(self.base.world.outcome == OUTCOME["running"])

    def away(self, slots: np.ndarray) -> np.ndarray:
        """(S,) [m] distance of each ego past the edge of the decision point; negative before it."""
        world, bank = self.base.world, self.base.maps.arrays
        found: np.ndarray = world.route_s[slots, 0] - bank.junction_in[world.route[slots, 0]]
        return found

    def step(self, slots: np.ndarray, action: Action) -> None:
        """Step base and shadow with the same action; then copy the base's ego into the shadow."""
        whole = action.spread(slots, self.base.worlds)
        self.base.step(whole)
        self.shadow.step(whole)
        self.shadow.sync_ego(self.base.world)


def interchange(
    policy: IntervenablePolicy,
    scenario: Scenario,
    bases: Sequence[Episode],
    sources: Sequence[Episode],
    swaps: Sequence[Sequence[Subspace]],
    camera: Camera,
    context: RunContext | None = None,
    on_tick: Callable[[Backend], None] | None = None,
) -> list[Swapped]:
    """Roll out every base with its source's component of every subspace swapped in, at every tick.

    Args:
        bases, sources: n episodes each, twins in some propositions.
        swaps: one result each: subspaces of the same sites, one per site, in all recurrent sites. All swaps run in
            parallel, since the last few running worlds cost as much as many.
        context: where the worlds run; by default `RunContext()`.
        on_tick: called with the bases' backend at the start and after every step; if not all bases fit in one backend,
            for one backend after the other.

    Raises:
        ValueError: for swaps of different sites, or if the backend cannot run two worlds at once.
    """
    n, sites = len(bases), tuple(s.site for s in swaps[0])
    if any(tuple(s.site for s in subspaces) != sites for subspaces in swaps):
        raise ValueError(f"swaps of different sites: {[[s.site for s in subspaces] for subspaces in swaps]}")
    context = context or RunContext()
    rows = [(base, source, g) for g in range(len(swaps)) for base, source in zip(bases, sources)]
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for chunk in in_chunks(rows, max(1, bases_at_once(context, len(rows)))):
        driven, shadows, groups = zip(*chunk)
        with PairedWorlds(scenario, driven, shadows, camera, context) as worlds:
            _drive_swapped(policy, worlds, np.array(groups), swaps, on_tick or (lambda backend: None))
            found.append((worlds.base.world.shown_decision.copy(), worlds.base.world.outcome.copy()))
    shown_decision, outcome = (np.concatenate(parts).reshape(-1, n) for parts in zip(*found))
    return [Swapped(shown_decision[g].copy(), outcome[g].copy()) for g in range(len(swaps))]


def _drive_swapped(
    policy: IntervenablePolicy,
    worlds: PairedWorlds,
    groups: np.ndarray,
    swaps: Sequence[Sequence[Subspace]],
    on_tick: Callable[[Backend], None],
) -> None:
    """Roll out bases to their end, each with the swap that `groups` (B,) selects."""
    sites = tuple(s.site for s in swaps[0])
    memory, shadow_memory = policy.begin(len(groups)), policy.begin(len(groups))
    on_tick(worlds.base)
    while len(slots := worlds.running()):
        with policy.record(sites) as tape:
            _, after = policy.act(observe_for(worlds.shadow, policy.needs, slots), shadow_memory[slots])
        shadow_memory[slots] = after
        parts = [np.flatnonzero(groups[slots] == g) for g in range(len(swaps))]
        away = worlds.away(slots)
        edits = {
            site: _each(parts, [subspaces[k] for subspaces in swaps], tape.ticks[site][-1], away)
            for k, site in enumerate(sites)
        }
        with policy.edit(edits):
            action, after = policy.act(observe_for(worlds.base, policy.needs, slots), memory[slots])
        memory[slots] = after
        worlds.step(slots, action)
        on_tick(worlds.base)


def _each(
    parts: Sequence[np.ndarray], subspaces: Sequence[Subspace], source: Tensor, away: np.ndarray
) -> Callable[[Tensor], Tensor]:
    """Create an edit that swaps each part's rows in its own subspace, while ego is within the subspace's window."""

    def edit(latent: Tensor) -> Tensor:
        changed = latent.clone()
        for part, subspace in zip(parts, subspaces):
            low, high = subspace.window or (-np.inf, np.inf)
            rows = part[(away[part] >= low) & (away[part] < high)]
            changed[rows] = subspace.swap(latent[rows], source[rows])
        return changed

    return edit


@dataclass(frozen=True)
class Factorial:
    """Latents of one policy at the same ego poses under every setting of some propositions.

    Args:
        site: of the policy.
        latents: (F, C, D) float32: F frames, C settings in the order of the truth table.
        frame_episode: (F,) the episode of each frame.
        table: (C, k) bool, the settings.
    """

    site: str
    latents: np.ndarray
    frame_episode: np.ndarray
    table: np.ndarray

    def main_effect(self, column: int) -> np.ndarray:
        """(F, D): the main effect of proposition number `column`, averaged over the settings of the others."""
        on, paired = self.table[:, column], self._whole((column,))
        return self.latents[:, on & paired].mean(1) - self.latents[:, ~on & paired].mean(1)

    def interaction(self, one: int, other: int) -> np.ndarray:
        """(F, D): the interaction of two propositions, on the scale of `main_effect`."""
        paired = self._whole((one, other))
        if not paired.any():  # never set independently: the interaction is unknown
            return np.zeros_like(self.latents[:, 0])
        sign = np.where(self.table[:, one] == self.table[:, other], 1.0, -1.0) * paired
        effect: np.ndarray = 2.0 * (self.latents * sign[:, None]).mean(1) * (len(paired) / paired.sum())
        return effect

    def _whole(self, columns: tuple[int, ...]) -> np.ndarray:
        """(C,) bool: settings for which all variants in these columns exist; all settings of a full table."""
        known = {tuple(row) for row in self.table.tolist()}

        def all_there(row: list[bool]) -> bool:
            for values in itertools.product((False, True), repeat=len(columns)):
                at = dict(zip(columns, values))
                if tuple(at.get(i, v) for i, v in enumerate(row)) not in known:
                    return False
            return True

        return np.array([all_there(row) for row in self.table.tolist()], bool)

    def effect_of(self, value: np.ndarray) -> np.ndarray:
        """(F, D): a formula's effect: mean latent where `value` (C,) bool is True minus where it is False."""
        return self.latents[:, value].mean(1) - self.latents[:, ~value].mean(1)


def observe_factorial(
    policy: IntervenablePolicy,
    scenario: Scenario,
    bases: Sequence[Episode],
    settings: Sequence[Sequence[Episode]],
    table: np.ndarray,
    sites: Sequence[str],
    camera: Camera,
    context: RunContext | None = None,
    *,
    every: int = 2,
) -> dict[str, Factorial]:
    """Roll out `bases` without interventions, and record the latents of each setting's shadow at the same ego poses.

    The bases do not depend on their shadows, so the shadows run afterwards, as many at once as the backend allows.

    Args:
        settings: C lists of B episodes, one per row of `table` (C, k).
        context: where the worlds run; by default `RunContext()`.
        every: record one tick in so many.
    """
    context = context or RunContext()
    ticks, cars, parts = [], [], []
    for first in range(0, len(bases), size := context.limited(len(bases))):
        part = slice(first, first + size)
        with context.backend(len(bases[part]), camera, slots_needed(scenario)) as backend:
            drive = _Drive.of(policy, backend, bases[part])
        found: list[dict[str, np.ndarray]] = []  # one per group of settings
        for group in in_chunks(settings, max(1, context.limited(len(settings) * size) // size)):
            shadows = [e for episodes in group for e in episodes[part]]
            with context.backend(len(shadows), camera, slots_needed(scenario)) as backend:
                found.append(drive.followed(policy, backend, shadows, tuple(sites), every))
        parts.append({site: np.concatenate([latents[site] for latents in found], 1) for site in sites})
        kept = range(0, len(drive.slots), every)
        ticks.append(np.concatenate([np.full(len(drive.slots[k]), k) for k in kept]))
        cars.append(np.concatenate([drive.slots[k] for k in kept]) + first)
    where = np.concatenate(cars)
    order = np.lexsort((where, np.concatenate(ticks)))  # sorted by tick, independent of the chunking of bases
    latents = {site: np.concatenate([part[site] for part in parts])[order] for site in sites}
    return {site: Factorial(site, latents[site], where[order], np.asarray(table, bool)) for site in sites}


@dataclass(frozen=True)
class _Drive:
    """A recorded rollout of B worlds over T ticks.

    Args:
        slots: per tick, the running slots. actions: per tick, of all slots. worlds: per tick, the state after the step.
    """

    slots: list[np.ndarray]
    actions: list[Action]
    worlds: list[World]

    @classmethod
    def of(cls, policy: IntervenablePolicy, backend: Backend, episodes: Sequence[Episode]) -> _Drive:
        """Roll out episodes to their end."""
        drive = cls([], [], [])
        backend.reset(episodes)
        memory = policy.begin(len(episodes))
        while len(slots := np.flatnonzero(backend.world.outcome == OUTCOME["running"])):
            action, after = policy.act(observe_for(backend, policy.needs, slots), memory[slots])
            memory[slots] = after
            drive.slots.append(slots)
            drive.actions.append(action.spread(slots, backend.worlds))
            backend.step(drive.actions[-1])
            drive.worlds.append(backend.world.copy())
        return drive

    def followed(
        self,
        policy: IntervenablePolicy,
        backend: Backend,
        shadows: Sequence[Episode],
        sites: tuple[str, ...],
        every: int,
    ) -> dict[str, np.ndarray]:
        """Site -> (F, K, D) latents of `policy` in K lists of B shadows, list after list, that replay this rollout."""
        lists = len(shadows) // len(self.worlds[0].tick)
        backend.reset(shadows)
        memory = policy.begin(len(shadows))
        kept: dict[str, list[np.ndarray]] = {site: [] for site in sites}
        for tick, (slots, action, world) in enumerate(zip(self.slots, self.actions, self.worlds)):
            behind = (np.arange(lists)[:, None] * len(world.tick) + slots).ravel()
            with policy.record(sites) as tape:
                _, memory[behind] = policy.act(observe_for(backend, policy.needs, behind), memory[behind])
            if tick % every == 0:
                for site in sites:
                    rows = tape.ticks[site][-1].cpu().numpy()
                    kept[site].append(rows.reshape(lists, len(slots), -1).transpose(1, 0, 2))
            gears = None if action.reverse is None else np.tile(action.reverse, lists)
            backend.step(Action(np.tile(action.steer, lists), np.tile(action.acceleration, lists), gears))
            backend.sync_ego(World(*(np.concatenate([a] * lists) for a in world)))
        return {site: np.concatenate(rows) for site, rows in kept.items()}
