"""`uses`: does the car decide otherwise when only what a latent says of one premise is swapped?

For a premise p, a base setting c and a source setting d, the policy should do what the rule says of c with p as in d.
Where that differs from what the rule says of c itself the pair must *flip*, else it must *keep*.  A net that holds
only the finished decision fails here for rules of two premises: swapping the decision follows d's decision, not the
counterfactual one; it is then called *fused*.  A net that holds premises and conclusion must be left to draw the
conclusion anew: so what hangs on two premises together is taken out of a premise's subspace.

A net may also join its premises the moment it sees them and remember the conclusion alone.  Then they stand in a site
before the memory, and only as long as they are seen.  So each premise is looked for at the memory first, and at every
site before it: pairs that are used for nothing else choose the place, so that the test needs no further correction.
Sites after the memory are not asked: what the controls are read from is a conclusion, whatever it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from policies.sites import IntervenablePolicy
from probes.applicability import FactorialDesign, NotApplicable, asked_of, describe, premises, turns
from probes.applicability import question as binary
from probes.interventions import (
    Factorial,
    Subspace,
    ablate,
    bases_at_once,
    full_swap,
    interchange,
    leading_directions,
    no_swap,
    observe_factorial,
    random_subspace,
)
from probes.localization import Held, window_said
from probes.results import MARGIN, NEEDED, LevelResult, Proportion
from scenarios.rules.compile import evaluate
from scenarios.rules.logic import Cell, valuation_of
from scenarios.scenario import Scenario
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import DECISION
from sim.world.backends import most_at_once

INTERACTION = 0.2  # share of a premise's own effect from which on its interaction with another is taken out


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
    crossing: FactorialDesign
    rule_names: tuple[str, ...]
    camera: Camera
    threads: int
    search: tuple[Path, ...]

    @classmethod
    def of(cls, scenario: Scenario, camera: Camera, threads: int, search: tuple[Path, ...]) -> Question:
        """The propositions to set for a scenario.

        Raises:
            NotApplicable: where the rule leans on none, or one cannot be set, or there can be no two worlds side by side.
        """
        if bases_at_once(1) == 0:
            raise NotApplicable(f"a car beside its twin wants two worlds at once, and there can be {most_at_once()}: "
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
    flip: Proportion
    keep: Proportion

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


def sites_swapped(policy: IntervenablePolicy) -> tuple[str, ...]:
    """All recurrent layers; the first site of a net that has none."""
    return policy.recurrent_sites or (next(iter(policy.sites)),)


def premise_subspace(latents: Factorial, question: Question, premise: str) -> Subspace:
    """Where a site holds a premise: its main effect, without what hangs on other premises of the rule as well."""
    column = question.names.index(premise)
    effect = latents.main_effect(column)
    others = [question.names.index(n) for n in question.rule_names if n != premise]
    if others:
        effect = ablate(effect, np.concatenate([latents.interaction(column, o) for o in others]), INTERACTION)
    return leading_directions(latents.site, effect, premise)


def run_pairs(
    policy: IntervenablePolicy, question: Question, flips: Sequence[Pair], keeps: Sequence[Pair],
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
            what,
            Proportion.of((swapped.way == wanted)[: len(flips)]),
            Proportion.of((swapped.way == wanted)[len(flips) :]),
        )
        for what, swapped in zip(swaps, found)
    ]


def study(policy: IntervenablePolicy, question: Question, draws: int, first_seed: int) -> dict[str, Factorial]:
    """Latents of all sites under every setting, on `draws` fresh draws driven in settings that take turns."""
    episodes = [question.draw(first_seed + i) for i in range(draws)]
    settings = [[e[c] for e in episodes] for c in range(len(question.cells))]
    bases = [e[i % len(question.cells)] for i, e in enumerate(episodes)]
    return observe_factorial(
        policy, question.scenario, bases, settings, np.array(question.cells, bool), tuple(policy.sites),
        question.camera, question.threads, question.search,
    )  # fmt: skip


@dataclass(frozen=True)
class Swaps:
    """All interchanges that `uses` drove.

    Args:
        places: premise -> the sites at which it was swapped.
        premises, controls: of every premise at its place, and what each is held against.
        others: ceilings, premises swapped only while they are held, the conclusion.
        fused: whether the conclusion can be swapped and a premise cannot; None where that was not in question.
    """

    places: dict[str, tuple[str, ...]]
    premises: list[Interchange]
    controls: list[Interchange]
    others: list[Interchange]
    fused: bool | None = None

    @property
    def all(self) -> list[Interchange]:
        """All of them, for the table."""
        return [*self.premises, *self.controls, *self.others]


def places_of(policy: IntervenablePolicy) -> list[tuple[str, ...]]:
    """Where premises are looked for: all recurrent layers together, then each site before the first of them."""
    first = sites_swapped(policy)
    sites = list(policy.sites)
    return [first, *((s,) for s in sites[: sites.index(first[0])])]


def choose_place(
    policy: IntervenablePolicy,
    question: Question,
    latents: Mapping[str, Factorial],
    premise: str,
    pairs: int,
    seed: int,
) -> tuple[str, ...]:
    """The place at which swapping a premise does most; of equals the first, so the memory before what feeds it.

    Args:
        pairs: of each kind that choose; they must be used for nothing else.
    """
    known = places_of(policy)
    if len(known) == 1:
        return known[0]
    flips, keeps = pairs_for(question, premise, pairs, seed)
    sites = tuple(s for place in known for s in place)
    swaps = {
        ", ".join(place): [
            premise_subspace(latents[s], question, premise) if s in place else no_swap(s, policy.sites[s])
            for s in sites
        ]
        for place in known
    }  # fmt: skip
    scores = [found.score for found in run_pairs(policy, question, flips, keeps, swaps)]
    return known[int(np.argmax(scores))]


def uses(
    policy: IntervenablePolicy,
    untrained: IntervenablePolicy,
    question: Question,
    pairs: int,
    draws: int,
    seed: int,
    on_done: Callable[[float], None] = lambda by: None,
    held: Held | None = None,
) -> tuple[LevelResult, Swaps, dict[str, Factorial]]:
    """Interchange of every premise of the rule at the place where it is held, with its controls.

    Args:
        pairs: of each kind (flip, keep) for each premise.
        draws: from which subspaces are fitted; none of them is driven again.
        held: what is held where and when: where premises are chosen before the memory, they are also swapped only
            while they are held.

    Returns:
        The level, all interchanges, and the latents that subspaces were fitted to.
    """
    latents = study(policy, question, draws, seed)
    on_done(1.0)
    blank = study(untrained, question, max(4, draws // 4), seed)
    rng = np.random.default_rng([seed, 6])
    found = Swaps({}, [], [], [])
    for number, premise in enumerate(question.rule_names):
        first = seed + 10_000 * (number + 1)
        flips, keeps = pairs_for(question, premise, pairs, first)
        if not (flips and keeps):
            missing = "flips" if keeps else "keeps"
            raise NotApplicable(
                f"no twins can be made in which swapping '{premise}' alone {missing} what the rule wants"
            )
        some = slice(0, max(8, pairs // 4))
        place = choose_place(policy, question, latents, premise, max(8, pairs // 2), first + 5_000)
        found.places[premise] = place
        swaps = _swaps_of(policy, question, latents, premise, place, rng) | _while_held(
            question, latents, premise, place, held if place != sites_swapped(policy) else None
        )
        own, full, *others = run_pairs(policy, question, flips, keeps, swaps)
        on_done(2.0)
        there = place if set(place) <= set(untrained.sites) else sites_swapped(untrained)
        fresh = [premise_subspace(blank[s], question, premise) for s in there]
        # An untrained net never arrives, so each of its pairs lasts as long as two others.
        idle = run_pairs(untrained, question, flips[some], keeps[some], {f"untrained net ({premise})": fresh})
        found.premises.append(own)
        found.controls.extend([*(o for o in others if HELD not in o.what), *idle])
        found.others.extend([full, *(o for o in others if HELD in o.what)])
        on_done(1.0)
    return (*_judged(policy, question, latents, found, pairs, seed), latents)


HELD = "swapped only while it is held"


def _swaps_of(
    policy: IntervenablePolicy, question: Question, latents: Mapping[str, Factorial], premise: str,
    place: Sequence[str], rng: np.random.Generator,
) -> dict[str, list[Subspace]]:  # fmt: skip
    """A premise at its place, the full swap there, and the controls."""
    # With one premise a swap of everything is the ceiling; with more it brings the others along.
    whole = f"full swap ({premise})" + (", the ceiling" if len(question.rule_names) == 1 else "")
    swaps = {
        premise: [premise_subspace(latents[s], question, premise) for s in place],
        whole: [full_swap(s, policy.sites[s]) for s in place],
        f"random variable ({premise})": [random_subspace(s, policy.sites[s], rng) for s in place],
    }
    if wrong := next((n for n in reversed(question.names) if n != premise), None):
        column = question.names.index(wrong)
        away = [leading_directions(s, latents[s].main_effect(column), wrong) for s in place]
        swaps[f"wrong formula: {wrong} ({premise})"] = away
    return swaps


def _while_held(
    question: Question, latents: Mapping[str, Factorial], premise: str, place: Sequence[str], held: Held | None
) -> dict[str, list[Subspace]]:
    """A premise at its place, but only along the stretch on which it is held there; nothing where none is known."""
    window = held.window(premise, place) if held is not None else None
    if window is None or np.isinf(window).all():
        return {}
    swap = [replace(premise_subspace(latents[s], question, premise), window=window) for s in place]
    return {f"{premise}, {HELD} ({window_said(*window)})": swap}


def _judged(
    policy: IntervenablePolicy, question: Question, latents: dict[str, Factorial], found: Swaps, pairs: int, seed: int
) -> tuple[LevelResult, Swaps]:
    """The level, and the swaps with that of the conclusion beside them where that tells more."""
    sites = sites_swapped(policy)
    worst = min(found.premises, key=lambda r: r.bound)
    best = max(c.score for c in found.controls)
    passed = worst.bound >= NEEDED and worst.bound >= best + MARGIN
    early = any(place != sites for place in found.places.values())
    details: dict[str, Any] = {}
    if len(question.rule_names) > 1 and (early or not passed):
        decision = _decision_swap(policy, question, latents, sites, pairs, seed)
        fused = None if passed else decision.score >= NEEDED
        found = replace(found, others=[*found.others, decision], fused=fused)
        details[f"the conclusion, swapped at {', '.join(sites)}: flip"] = decision.flip.to_dict()
        details[f"the conclusion, swapped at {', '.join(sites)}: keep"] = decision.keep.to_dict()
    act = "go where the rule says" if turns(question.scenario) else "do what the rule says"
    weaker = min((worst.flip, worst.keep), key=lambda s: s.interval[0])
    level = LevelResult(
        value=worst.score,
        interval=weaker.interval,
        passed=bool(passed),
        what=f"share of pairs that {act} when only {worst.what!r} is swapped at {', '.join(found.places[worst.what])} "
        "(the weaker of flip and keep)",
        threshold=NEEDED,
        baselines={c.what: {"value": c.score, "interval": None} for c in found.controls},
        details={"flip": worst.flip.to_dict(), "keep": worst.keep.to_dict(), "pairs of each kind": pairs, "rank": 2,
                 "best control": best, "margin wanted": MARGIN, "fused": found.fused,
                 "swapped at": {p: ", ".join(place) for p, place in found.places.items()}, **details},
    )  # fmt: skip
    return level, found


def _decision_swap(
    policy: IntervenablePolicy,
    question: Question,
    latents: dict[str, Factorial],
    sites: Sequence[str],
    pairs: int,
    seed: int,
) -> Interchange:
    words = describe(question.scenario)
    if len(words) == 2:  # one difference says which of two
        words = (binary(question.scenario),)
    wanted = [np.array([question.decide(c) == DECISION[word] for c in question.cells]) for word in words]
    swap = [leading_directions(s, np.concatenate([latents[s].effect_of(w) for w in wanted]), "decision") for s in sites]
    flips, keeps = pairs_for(question, None, pairs, seed + 90_000)
    return run_pairs(policy, question, flips, keeps, {"the decision as a whole": swap})[0]
