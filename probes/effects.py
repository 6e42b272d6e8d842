"""Effect map: the effect on the controls of swapping a premise at one site and one tick, along the route."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from policies.sites import IntervenablePolicy
from probes.applicability import control
from probes.interventions import Factorial, PairedWorlds, Subspace, bases_at_once
from probes.premise_swaps import Question, premise_subspace
from probes.trace import STATIONS
from sim.datatypes.action import Action
from sim.datatypes.episode import Episode
from sim.world.rollout import in_chunks, observe_for

# Least difference of the twins' controls for a meaningful effect: [rad], [m/s^2].
NOTICEABLE = {"steering": 0.02, "acceleration": 0.2}


def used_map(
    policy: IntervenablePolicy, question: Question, latents: dict[str, Factorial], draws: int, seed: int
) -> tuple[str, list[list[float | None]]]:
    """Map, per site and station, how much of the twins' difference in controls a swap at one site and tick reproduces.

    The control compared is `applicability.control`.

    Returns:
        The premise, and (sites x stations) the regression of the swap's change in steering (or acceleration) on the
        twin's; None where the twins' controls do not differ.
    """
    premise, controlled = question.rule_names[0], control(question.scenario)
    column, cells = question.names.index(premise), question.cells
    off = [i for i, c in enumerate(cells) if not c[column] and question.crossing.partner(c, column)]
    on = [cells.index(tuple(v or j == column for j, v in enumerate(cells[i]))) for i in off]
    episodes = [question.draw(seed + i) for i in range(draws)]
    flipped = [(off, on) if i % 2 else (on, off) for i in range(draws)]
    bases = [e[f[0][i % len(off)]] for i, (e, f) in enumerate(zip(episodes, flipped))]
    twins = [e[f[1][i % len(off)]] for i, (e, f) in enumerate(zip(episodes, flipped))]
    swaps = {s: premise_subspace(latents[s], question, premise) for s in policy.sites}
    chunks = in_chunks(list(zip(bases, twins)), max(1, bases_at_once(question.context, draws)))
    found, first = [], 0
    for chunk in chunks:
        found.append((*_carried(policy, question, chunk, swaps, controlled), first))
        first += len(chunk)
    ticks, cars = (np.concatenate([part[k] + (part[4] if k else 0) for part in found]) for k in (0, 1))
    order = np.lexsort((cars, ticks))  # float sums need a fixed order: by tick, independent of the chunking of bases
    places, terms = np.concatenate([p[2] for p in found])[order], np.concatenate([p[3] for p in found], 1)[:, order]
    product = np.zeros((len(policy.sites), len(STATIONS)))
    square, count = np.zeros(len(STATIONS)), np.zeros(len(STATIONS))
    np.add.at(square, places, terms[0] ** 2)
    np.add.at(count, places, 1)
    for i in range(len(swaps)):
        np.add.at(product[i], places, terms[1 + i] * terms[0])
    there_is = (count > 0) & (np.sqrt(square / np.maximum(count, 1)) > NOTICEABLE[controlled])
    share = product / np.maximum(square, 1e-12)
    return premise, [[float(v) if ok else None for v, ok in zip(row, there_is)] for row in share]


def _carried(
    policy: IntervenablePolicy, question: Question, pairs: Sequence[tuple[Episode, Episode]],
    swaps: Mapping[str, Subspace], controlled: str,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Roll out bases beside their twins.

    Returns:
        For R ticks of all cars: the tick (R,), the car (R,), the station (R,), and (1 + sites, R) the differences in
        control: of the twin, and of the car with a swap at each site.
    """
    bases, twins = zip(*pairs)
    memory, shadow_memory = policy.begin(len(bases)), policy.begin(len(bases))
    ticks: list[np.ndarray] = []
    cars, places, terms = [], [], []
    with PairedWorlds(question.scenario, bases, twins, question.camera, question.context) as worlds:
        while len(slots := worlds.running()):
            with policy.record() as tape:
                there, after = policy.act(observe_for(worlds.shadow, policy.needs, slots), shadow_memory[slots])
            shadow_memory[slots] = after
            source = {s: rows[-1] for s, rows in tape.ticks.items()}
            view = observe_for(worlds.base, policy.needs, slots)
            before = memory[slots]
            action, after = policy.act(view, before)
            differences = [_of(controlled, there) - _of(controlled, action)]
            for site, swap in swaps.items():
                with policy.edit({site: lambda z, swap=swap, site=site: swap.swap(z, source[site])}):  # type: ignore[misc]  # noqa: B023
                    changed, _ = policy.act(view, before)
                differences.append(_of(controlled, changed) - _of(controlled, action))
            ticks.append(np.full(len(slots), len(ticks)))
            cars.append(slots)
            places.append(_stations(worlds, slots))
            terms.append(np.stack(differences))
            memory[slots] = after
            worlds.step(slots, action)
    return np.concatenate(ticks), np.concatenate(cars), np.concatenate(places), np.concatenate(terms, 1)


def _stations(worlds: PairedWorlds, slots: np.ndarray) -> np.ndarray:
    """(S,) index of the last station that each ego has passed; 0 before the first."""
    return np.clip(np.searchsorted(np.array(STATIONS), worlds.away(slots), side="right") - 1, 0, len(STATIONS) - 1)


def _of(controlled: str, action: Action) -> np.ndarray:
    return action.steer if controlled == "steering" else action.acceleration
