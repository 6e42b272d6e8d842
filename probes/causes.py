"""`uses`: does the car decide otherwise when only what a latent says of one premise is swapped?

For a premise p, a base setting c and a source setting d, the policy should do what the rule says of c with p as in d.
Where that differs from what the rule says of c itself the pair must *flip*, else it must *keep*.  A net that holds
only the finished decision fails here for rules of two premises: swapping the decision follows d's decision, not the
counterfactual one; it is then called *fused*.  A net that holds premises and conclusion must be left to draw the
conclusion anew: so what hangs on two premises together is taken out of a premise's subspace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from policies.sites import Sited
from probes.asked import Crossing, NotAsked, asked_of, control, premises, said, turns
from probes.asked import question as binary
from probes.evidence import MARGIN, NEEDED, Level, Share
from probes.interventions import (
    Factorial,
    Shadowed,
    Subspace,
    bases_at_once,
    everything,
    interchange,
    leading,
    observe_factorial,
    random_subspace,
    without,
)
from probes.trace import STATIONS
from scenarios.rules.evaluate import evaluate
from scenarios.rules.logic import Cell, valuation_of
from scenarios.spec import Scenario
from sim.config import Camera, Episode
from sim.rollout import in_chunks, look
from sim.stage import most_at_once
from sim.types import DECISION, Action

INTERACTION = 0.2  # share of a premise's own effect from which on its interaction with another is taken out
# What twins must differ in by so much before there is anything to be carried: [rad], [m/s^2].
NOTICEABLE = {"steering": 0.02, "acceleration": 0.2}


@dataclass(frozen=True)
class Question:
    """What all interchanges of a policy share.

    Args:
        scenario: of the episodes.
        crossing: the propositions that are set: the rule's, and one that it does not mention.
        rule_names: those that the rule leans on.
        camera, threads, search: of the worlds.
    """

    scenario: Scenario
    crossing: Crossing
    rule_names: tuple[str, ...]
    camera: Camera
    threads: int
    search: tuple[Path, ...]

    @classmethod
    def of(cls, scenario: Scenario, camera: Camera, threads: int, search: tuple[Path, ...]) -> Question:
        """The propositions to set for a scenario.

        Raises:
            NotAsked: where the rule leans on none, or one cannot be set, or there can be no two worlds side by side.
        """
        if bases_at_once(1) == 0:
            raise NotAsked(f"a car beside its twin wants two worlds at once, and there can be {most_at_once()}: "
                           "one more --port names one more server")  # fmt: skip
        return cls(scenario, asked_of(scenario), premises(scenario), camera, threads, search)

    @property
    def names(self) -> tuple[str, ...]:
        """The propositions that are set."""
        return self.crossing.names

    @property
    def cells(self) -> list[Cell]:
        """The settings, in the order of the truth table."""
        return list(self.crossing.settings)

    def decide(self, cell: Cell) -> int:
        """What the rule says of a setting."""
        return int(evaluate(self.scenario.rule, valuation_of(self.names, [cell]))[0])

    def draw(self, seed: int) -> list[Episode]:
        """A fresh draw under every setting."""
        return self.crossing.draw(seed)


@dataclass(frozen=True)
class Pair:
    """A base, a source, and the decision that a swap of one variable from source to base should bring about."""

    base: Episode
    source: Episode
    before: int
    expected: int


def pairs_for(question: Question, premise: str | None, count: int, first_seed: int) -> tuple[list[Pair], list[Pair]]:
    """`count` pairs that must flip (what the rule wants changes) and `count` that must keep, each from its own draw.

    Args:
        premise: which is swapped; None swaps the rule's decision as a whole.
    """
    flips: list[Pair] = []
    keeps: list[Pair] = []
    rng = np.random.default_rng([first_seed, 5])
    cells = question.cells
    column = None if premise is None else question.names.index(premise)

    def mixed(base: Cell, source: Cell) -> Cell:
        return source if column is None else tuple(source[i] if i == column else v for i, v in enumerate(base))

    def expected(base: Cell, source: Cell) -> int:
        return question.decide(mixed(base, source))

    kinds: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
    for b, base in enumerate(cells):
        for s, source in enumerate(cells):
            if s != b and mixed(base, source) in cells:  # a counterfactual that can happen
                kinds[expected(base, source) != question.decide(base)].append((b, s))
    for flip, found in ((True, flips), (False, keeps)):
        for i in range(count if kinds[flip] else 0):
            episodes = question.draw(first_seed + 2 * i + flip)
            b, s = kinds[flip][int(rng.integers(len(kinds[flip])))]
            found.append(Pair(episodes[b], episodes[s], question.decide(cells[b]), expected(cells[b], cells[s])))
    return flips, keeps


@dataclass(frozen=True)
class Interchange:
    """How one kind of swap did. flip, keep: the share of pairs that went where they should."""

    what: str
    flip: Share
    keep: Share

    @property
    def score(self) -> float:
        """The weaker of the two: a swap that does nothing keeps everything, one that does everything flips it."""
        return min(self.flip.value, self.keep.value)

    @property
    def bound(self) -> float:
        """The weaker lower bound."""
        return min(self.flip.interval[0], self.keep.interval[0])

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"what": self.what, "flip": self.flip.to_dict(), "keep": self.keep.to_dict()}


def sites_swapped(policy: Sited) -> tuple[str, ...]:
    """All recurrent layers; the first site of a net that has none."""
    return policy.recurrent_sites or (next(iter(policy.sites)),)


def premise_subspace(latents: Factorial, question: Question, premise: str) -> Subspace:
    """Where a site holds a premise: its main effect, without what hangs on other premises of the rule as well."""
    column = question.names.index(premise)
    effect = latents.main_effect(column)
    others = [question.names.index(n) for n in question.rule_names if n != premise]
    if others:
        effect = without(effect, np.concatenate([latents.interaction(column, o) for o in others]), INTERACTION)
    return leading(latents.site, effect, premise)


def run_pairs(
    policy: Sited, question: Question, flips: Sequence[Pair], keeps: Sequence[Pair],
    swaps: Mapping[str, Sequence[Subspace]],
) -> list[Interchange]:  # fmt: skip
    """Drive all pairs under every swap (what it is called -> its subspaces) and count where the cars went."""
    pairs = [*flips, *keeps]
    found = interchange(
        policy, question.scenario, [p.base for p in pairs], [p.source for p in pairs], list(swaps.values()),
        question.camera, question.threads, question.search,
    )  # fmt: skip
    wanted = np.array([p.expected for p in pairs])
    return [
        Interchange(
            what, Share.of((swapped.way == wanted)[: len(flips)]), Share.of((swapped.way == wanted)[len(flips) :])
        )
        for what, swapped in zip(swaps, found)
    ]


def study(policy: Sited, question: Question, draws: int, first_seed: int) -> dict[str, Factorial]:
    """Latents of all sites under every setting, on `draws` fresh draws driven in settings that take turns."""
    episodes = [question.draw(first_seed + i) for i in range(draws)]
    settings = [[e[c] for e in episodes] for c in range(len(question.cells))]
    bases = [e[i % len(question.cells)] for i, e in enumerate(episodes)]
    return observe_factorial(
        policy, question.scenario, bases, settings, np.array(question.cells, bool), tuple(policy.sites),
        question.camera, question.threads, question.search,
    )  # fmt: skip


def uses(
    policy: Sited,
    untrained: Sited,
    question: Question,
    pairs: int,
    draws: int,
    seed: int,
    on_done: Callable[[float], None] = lambda by: None,
) -> tuple[Level, list[Interchange], bool | None, dict[str, Factorial]]:
    """Interchange of every premise of the rule, with its controls.

    Args:
        pairs: of each kind (flip, keep) for each premise.
        draws: from which subspaces are fitted; none of them is driven again.

    Returns:
        The level, all interchanges, whether the rule is fused (None for a rule of one premise or one whose premises
        pass), and the latents that subspaces were fitted to.
    """
    latents = study(policy, question, draws, seed)
    on_done(1.0)
    sites = sites_swapped(policy)
    rng = np.random.default_rng([seed, 6])
    results: list[Interchange] = []
    premises: list[Interchange] = []
    controls: list[Interchange] = []
    blank = study(untrained, question, max(4, draws // 4), seed)
    for number, premise in enumerate(question.rule_names):
        flips, keeps = pairs_for(question, premise, pairs, seed + 10_000 * (number + 1))
        if not (flips and keeps):
            missing = "flips" if keeps else "keeps"
            raise NotAsked(f"no twins can be made in which swapping '{premise}' alone {missing} what the rule wants")
        # With one premise a swap of everything is the ceiling; with more it brings the others along.
        whole = f"full swap ({premise})" + (", the ceiling" if len(question.rule_names) == 1 else "")
        swaps = {
            premise: [premise_subspace(latents[s], question, premise) for s in sites],
            whole: [everything(s, policy.sites[s]) for s in sites],
            f"random variable ({premise})": [random_subspace(s, policy.sites[s], rng) for s in sites],
        }
        if wrong := next((n for n in reversed(question.names) if n != premise), None):
            column = question.names.index(wrong)
            away = [leading(s, latents[s].main_effect(column), wrong) for s in sites]
            swaps[f"wrong formula: {wrong} ({premise})"] = away
        own, full, *others = run_pairs(policy, question, flips, keeps, swaps)
        on_done(2.0)
        fresh = [premise_subspace(blank[s], question, premise) for s in sites_swapped(untrained)]
        some = slice(0, max(8, pairs // 4))  # it never arrives, so each of its pairs lasts as long as two others
        nobody = run_pairs(untrained, question, flips[some], keeps[some], {f"untrained net ({premise})": fresh})
        premises, controls, results = [*premises, own], [*controls, *others, *nobody], [*results, full]
        on_done(1.0)
    worst = min(premises, key=lambda r: r.bound)
    best = max(c.score for c in controls)
    passed = worst.bound >= NEEDED and worst.bound >= best + MARGIN
    fused = None
    if not passed and len(question.rule_names) > 1:
        decision = _decision_swap(policy, question, latents, sites, pairs, seed)
        results.append(decision)
        fused = decision.score >= NEEDED
    act = "go where the rule says" if turns(question.scenario) else "do what the rule says"
    weaker = min((worst.flip, worst.keep), key=lambda s: s.interval[0])
    level = Level(
        value=worst.score,
        interval=weaker.interval,
        passed=bool(passed),
        what=f"share of pairs that {act} when only {worst.what!r} is swapped at {', '.join(sites)} "
        "(the weaker of flip and keep)",
        threshold=NEEDED,
        baselines={c.what: {"value": c.score, "interval": None} for c in controls},
        details={"flip": worst.flip.to_dict(), "keep": worst.keep.to_dict(), "pairs of each kind": pairs, "rank": 2,
                 "best control": best, "margin wanted": MARGIN, "fused": fused},
    )  # fmt: skip
    return level, [*premises, *controls, *results], fused, latents


def _decision_swap(
    policy: Sited, question: Question, latents: dict[str, Factorial], sites: Sequence[str], pairs: int, seed: int
) -> Interchange:
    words = said(question.scenario)
    if len(words) == 2:  # one difference says which of two
        words = (binary(question.scenario),)
    wanted = [np.array([question.decide(c) == DECISION[word] for c in question.cells]) for word in words]
    swap = [leading(s, np.concatenate([latents[s].effect_of(w) for w in wanted]), "decision") for s in sites]
    flips, keeps = pairs_for(question, None, pairs, seed + 90_000)
    return run_pairs(policy, question, flips, keeps, {"the decision as a whole": swap})[0]


def used_map(
    policy: Sited, question: Question, latents: dict[str, Factorial], draws: int, seed: int
) -> tuple[str, list[list[float | None]]]:
    """Where along the way a swap at one site and one tick alone carries what twins do differently (`asked.control`).

    Returns:
        The premise, and (sites x stations) the regression of the swap's change in steering (or acceleration) on the
        twin's; None where twins do alike, so that there is nothing to carry.
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
    chunks = in_chunks(list(zip(bases, twins)), max(1, bases_at_once(draws)))
    found, first = [], 0
    for chunk in chunks:
        found.append((*_carried(policy, question, chunk, swaps, controlled), first))
        first += len(chunk)
    ticks, cars = (np.concatenate([part[k] + (part[4] if k else 0) for part in found]) for k in (0, 1))
    order = np.lexsort((cars, ticks))  # sums are of floats: tick by tick, however the bases were parted
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
    policy: Sited, question: Question, pairs: Sequence[tuple[Episode, Episode]], swaps: Mapping[str, Subspace],
    controlled: str,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Drive bases beside their twins.

    Returns:
        For each of R ticks of a car: which tick (R,), which car (R,), which station (R,), and (1 + sites, R) what the
        twin does differently, and what the car does differently with a swap at each site.
    """
    bases, twins = zip(*pairs)
    memory, shadow_memory = policy.begin(len(bases)), policy.begin(len(bases))
    ticks: list[np.ndarray] = []
    cars, places, terms = [], [], []
    with Shadowed(
        question.scenario, bases, twins, question.camera, question.threads, question.search
    ) as worlds:  # fmt: skip
        while len(slots := worlds.running()):
            with policy.record() as tape:
                there, after = policy.act(look(worlds.shadow, policy.needs, slots), shadow_memory[slots])
            shadow_memory[slots] = after
            source = {s: rows[-1] for s, rows in tape.ticks.items()}
            view = look(worlds.base, policy.needs, slots)
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


def _stations(worlds: Shadowed, slots: np.ndarray) -> np.ndarray:
    """(S,) index of the last station that each ego has passed; the first one before any."""
    world, bank = worlds.base.world, worlds.base.maps.arrays
    away = world.route_s[slots, 0] - bank.junction_in[world.route[slots, 0]]
    return np.clip(np.searchsorted(np.array(STATIONS), away, side="right") - 1, 0, len(STATIONS) - 1)


def _of(controlled: str, action: Action) -> np.ndarray:
    return action.steer if controlled == "steering" else action.acceleration
