"""Interchange interventions on one premise: whether swapping its latent changes the decision as the rule says.

For a premise p, a base setting c and a source setting d, the policy should make the rule's decision for c with p as in
d (the counterfactual).  Where that differs from the rule's decision for c itself the pair must *flip*, else it must
*keep*.  A network that represents only the finished decision fails here for rules of two premises: swapping the
decision gives d's decision, not the counterfactual one; it is then called *fused*.  A network that represents premises
and conclusion must compute the conclusion anew: so the interaction of two premises is removed from the subspace.

A network may also combine its premises as soon as they are visible and remember the conclusion alone.  Then a site
before the memory represents them, and only while they are visible.  So each premise is tried at the memory first, and
at every site before it: separate pairs, used for nothing else, choose the place, so that the test needs no further
correction.  Sites after the memory are not tested: the controls are read from them, so they represent a conclusion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from policies.sites import IntervenablePolicy
from probes.applicability import FactorialDesign, NotApplicable, describe, premises, swap_design, turns
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
from probes.localization import Held, window_text
from probes.results import MARGIN, NEEDED, LevelResult, Proportion
from scenarios.rules.compile import evaluate
from scenarios.rules.logic import Cell, valuation_of
from scenarios.scenario import Scenario
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import DECISION
from sim.world.context import RunContext

INTERACTION = 0.2  # share of a premise's own effect above which its interaction with another is removed


@dataclass(frozen=True)
class Question:
    """The common inputs of all interchange interventions on a policy.

    Args:
        scenario: of the episodes.
        crossing: the propositions that are set: the rule's, and one that it does not use.
        rule_names: those that the rule depends on.
        camera: of the worlds; context: where these run.
    """

    scenario: Scenario
    crossing: FactorialDesign
    rule_names: tuple[str, ...]
    camera: Camera
    context: RunContext

    @classmethod
    def of(cls, scenario: Scenario, camera: Camera, context: RunContext | None = None) -> Question:
        """Create the question for a scenario.

        Args:
            context: where the worlds run; by default `RunContext()`.

        Raises:
            NotApplicable: if the rule depends on no proposition, or one cannot be set, or the backend is limited to one
                world.
        """
        context = context or RunContext()
        if bases_at_once(context, 1) == 0:
            raise NotApplicable(f"an interchange needs two worlds, and the backend is limited to {context.limit}; "
                           "add a server with one more --port")  # fmt: skip
        return cls(scenario, swap_design(scenario), premises(scenario), camera, context)

    @property
    def names(self) -> tuple[str, ...]:
        """The propositions that are set."""
        return self.crossing.names

    @property
    def cells(self) -> list[Cell]:
        """The settings, in the order of the truth table."""
        return list(self.crossing.settings)

    def decide(self, cell: Cell) -> int:
        """The rule's decision for a setting."""
        return int(evaluate(self.scenario.rule, valuation_of(self.names, [cell]))[0])

    def draw(self, seed: int) -> list[Episode]:
        """Draw one episode under every setting."""
        return self.crossing.draw(seed)


@dataclass(frozen=True)
class Pair:
    """A base, a source, and the decisions of the rule before and after swapping one variable from source to base."""

    base: Episode
    source: Episode
    before: int
    expected: int


def pairs_for(question: Question, premise: str | None, count: int, first_seed: int) -> tuple[list[Pair], list[Pair]]:
    """Draw `count` pairs that must flip (the rule's decision changes) and `count` that must keep, one pair per draw.

    Args:
        premise: the variable that is swapped; None swaps the rule's decision as a whole.
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
            if s != b and mixed(base, source) in cells:  # the counterfactual is possible
                kinds[expected(base, source) != question.decide(base)].append((b, s))
    for flip, found in ((True, flips), (False, keeps)):
        for i in range(count if kinds[flip] else 0):
            episodes = question.draw(first_seed + 2 * i + flip)
            b, s = kinds[flip][int(rng.integers(len(kinds[flip])))]
            found.append(Pair(episodes[b], episodes[s], question.decide(cells[b]), expected(cells[b], cells[s])))
    return flips, keeps


@dataclass(frozen=True)
class Interchange:
    """The result of one kind of swap. flip, keep: shares of pairs with the expected decision."""

    what: str
    flip: Proportion
    keep: Proportion

    @property
    def score(self) -> float:
        """The smaller of the two shares: a swap without effect keeps all pairs, and a swap of everything flips all."""
        return min(self.flip.value, self.keep.value)

    @property
    def bound(self) -> float:
        """The smaller lower bound."""
        return min(self.flip.interval[0], self.keep.interval[0])

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"what": self.what, "flip": self.flip.to_dict(), "keep": self.keep.to_dict()}


def sites_swapped(policy: IntervenablePolicy) -> tuple[str, ...]:
    """All recurrent sites, or the first site of a network without any."""
    return policy.recurrent_sites or (next(iter(policy.sites)),)


def premise_subspace(latents: Factorial, question: Question, premise: str) -> Subspace:
    """The subspace of a premise at a site: its main effect, without interactions with other premises of the rule."""
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
    """Roll out all pairs under every swap (name -> subspaces) and count the decisions."""
    pairs = [*flips, *keeps]
    found = interchange(
        policy, question.scenario, [p.base for p in pairs], [p.source for p in pairs], list(swaps.values()),
        question.camera, question.context,
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
    """Record latents of all sites under every setting, on `draws` new draws; the driven setting alternates."""
    episodes = [question.draw(first_seed + i) for i in range(draws)]
    settings = [[e[c] for e in episodes] for c in range(len(question.cells))]
    bases = [e[i % len(question.cells)] for i, e in enumerate(episodes)]
    return observe_factorial(
        policy, question.scenario, bases, settings, np.array(question.cells, bool), tuple(policy.sites),
        question.camera, question.context,
    )  # fmt: skip


@dataclass(frozen=True)
class Swaps:
    """All interchanges that `uses` ran.

    Args:
        places: premise -> the sites at which it was swapped.
        premises, controls: the results of every premise at its place, and of the control swaps.
        others: ceilings, premises swapped only while they are represented, the conclusion.
        fused: whether the conclusion can be swapped and a premise cannot; None if that was not tested.
    """

    places: dict[str, tuple[str, ...]]
    premises: list[Interchange]
    controls: list[Interchange]
    others: list[Interchange]
    fused: bool | None = None

    @property
    def all(self) -> list[Interchange]:
        """All interchanges, for the table."""
        return [*self.premises, *self.controls, *self.others]


def places_of(policy: IntervenablePolicy) -> list[tuple[str, ...]]:
    """Candidate places of a premise: all recurrent sites together, then each site before the first of them."""
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
    """Choose the place with the best swap score of a premise; ties go to the first, so to the memory.

    Args:
        pairs: of each kind, for the choice alone; they must be used for nothing else.
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
    held: Held | None = None,
) -> tuple[LevelResult, Swaps, dict[str, Factorial]]:
    """Run interchange interventions on every premise of the rule at its place, with controls.

    The progress of the question's context advances by 1 for the fits, and by 3 for every premise.

    Args:
        pairs: of each kind (flip, keep) for each premise.
        draws: number of draws for fitting subspaces; none of them is driven again.
        held: the localization map: a premise whose place is before the memory is also swapped only while it is
            represented there.

    Returns:
        The level, all interchanges, and the latents that the subspaces were fitted to.
    """
    latents = study(policy, question, draws, seed)
    advance = question.context.progress.advance
    advance(1.0)
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
        advance(2.0)
        there = place if set(place) <= set(untrained.sites) else sites_swapped(untrained)
        fresh = [premise_subspace(blank[s], question, premise) for s in there]
        # An untrained network never arrives, so each of its pairs takes as long as two others.
        idle = run_pairs(untrained, question, flips[some], keeps[some], {f"untrained net ({premise})": fresh})
        found.premises.append(own)
        found.controls.extend([*(o for o in others if HELD not in o.what), *idle])
        found.others.extend([full, *(o for o in others if HELD in o.what)])
        advance(1.0)
    return (*_judged(policy, question, latents, found, pairs, seed), latents)


HELD = "swapped only while it is held"


def _swaps_of(
    policy: IntervenablePolicy, question: Question, latents: Mapping[str, Factorial], premise: str,
    place: Sequence[str], rng: np.random.Generator,
) -> dict[str, list[Subspace]]:  # fmt: skip
    """The swaps of a premise at its place: its subspace, the full swap, and the controls."""
    # With one premise a full swap is the ceiling; with more it also swaps the others.
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
    """The swap of a premise only along the stretch where its place represents it; empty if no stretch is known."""
    window = held.window(premise, place) if held is not None else None
    if window is None or np.isinf(window).all():
        return {}
    swap = [replace(premise_subspace(latents[s], question, premise), window=window) for s in place]
    return {f"{premise}, {HELD} ({window_text(*window)})": swap}


def _judged(
    policy: IntervenablePolicy, question: Question, latents: dict[str, Factorial], found: Swaps, pairs: int, seed: int
) -> tuple[LevelResult, Swaps]:
    """The level, and the swaps, with that of the conclusion added where it distinguishes fused networks."""
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
    if len(words) == 2:  # one difference distinguishes two decisions
        words = (binary(question.scenario),)
    wanted = [np.array([question.decide(c) == DECISION[word] for c in question.cells]) for word in words]
    swap = [leading_directions(s, np.concatenate([latents[s].effect_of(w) for w in wanted]), "decision") for s in sites]
    flips, keeps = pairs_for(question, None, pairs, seed + 90_000)
    return run_pairs(policy, question, flips, keeps, {"the decision as a whole": swap})[0]
