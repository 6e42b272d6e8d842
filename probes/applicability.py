"""Applicability of the probes to a scenario: its decisions, a binary question, and the twins that can be drawn.

The probes were built for a left or right turn; a rule may have more decisions. Where a probe needs a binary variable,
`question` chooses it, in this one place. A probe that does not apply to a scenario raises `NotApplicable`, with the
reason.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scenarios.rules.ast import Formula, decisions
from scenarios.rules.ast import names as names_in
from scenarios.rules.compile import evaluate
from scenarios.rules.logic import Cell, all_cells, minimal_sop, valuation_of
from scenarios.sampling.plan import plan
from scenarios.sampling.sample import factorial, sample, with_values
from scenarios.scenario import ALL_EPISODES, Scenario
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import DECISIONS, TURNS
from sim.world.decisions.registry import KINDS

TRIED = 3  # draws for which twins must succeed before a proposition counts as one that can be set


class NotApplicable(ValueError):
    """A level does not apply to the scenario; the message gives the reason, as a continuation of "not asked: "."""


# ---------------------------------------------------------------------------------------------- the decisions
@functools.lru_cache(maxsize=256)
def describe(scenario: Scenario) -> tuple[str, ...]:
    """The decisions that the rule makes in some cell, in the order of its text."""
    found = {DECISIONS[d] for d in plan(scenario).decision.values()}
    mentioned = [d for d in decisions(scenario.rule) if d in found]
    return (*mentioned, *(d for d in DECISIONS if d in found and d not in mentioned))


def turns(scenario: Scenario) -> bool:
    """Whether all decisions of the rule are turns at a junction."""
    return set(describe(scenario)) <= set(TURNS)


def columns(scenario: Scenario) -> tuple[str, ...]:
    """The decisions that tables have a column for: those of the rule, and all turns if the rule decides turns."""
    wanted = {*describe(scenario), *(TURNS if turns(scenario) else ())}
    return tuple(d for d in DECISIONS if d in wanted)


def read_at_junction(scenario: Scenario) -> bool:
    """Whether the decision is the exit of a junction; otherwise a detector reads it from ego's driving."""
    return scenario.decision_spec is None


def place(scenario: Scenario) -> str:
    """The name of the decision point in captions."""
    return "junction" if read_at_junction(scenario) and turns(scenario) else "place of decision"


def control(scenario: Scenario) -> str:
    """The control in which different decisions of the scenario's kind differ: "acceleration" or "steering"."""
    return KINDS["junction" if scenario.decision_spec is None else scenario.decision_spec.kind].control


@functools.lru_cache(maxsize=256)
def question(scenario: Scenario) -> str:
    """The decision that probes of a binary variable ask for: this one, or any of the others?

    It is the first decision, in the order of the rule's text, whose cells come closest to half of all cells of the
    rule's propositions: yes and no are then best balanced. Of two decisions it is the first.

    Raises:
        NotApplicable: if the rule has a single decision.
    """
    known = describe(scenario)
    if len(known) < 2:
        raise NotApplicable(f"the rule says {known[0]} whatever is true, so there is nothing to tell apart")
    cells = list(_table(scenario).values())
    return min(known, key=lambda d: abs(2 * cells.count(d) - len(cells)))


def formula(scenario: Scenario) -> Formula:
    """The formula under which the rule makes the decision `question`, as the shortest sum of products.

    Raises:
        NotApplicable: if the rule has a single decision.
    """
    word, table = question(scenario), _table(scenario)
    return minimal_sop(_premises(scenario), [cell for cell, d in table.items() if d == word])


def _premises(scenario: Scenario) -> tuple[str, ...]:
    used = names_in(scenario.rule)
    return tuple(n for n in scenario.proposition_names if n in used)


@functools.lru_cache(maxsize=256)
def _table(scenario: Scenario) -> dict[Cell, str]:
    names = _premises(scenario)
    cells = all_cells(len(names))
    found = np.broadcast_to(evaluate(scenario.rule, valuation_of(names, cells)), len(cells))
    return {cell: DECISIONS[int(d)] for cell, d in zip(cells, found)}


def premises(scenario: Scenario) -> tuple[str, ...]:
    """The propositions that the rule depends on, in the scenario's order: flipping one alone changes some decision."""
    names, table = _premises(scenario), _table(scenario)
    return tuple(
        n for i, n in enumerate(names) if any(table[c] != table[(*c[:i], not c[i], *c[i + 1 :])] for c in table)
    )


# -------------------------------------------------------------------------------------------------- the twins
@dataclass(frozen=True)
class FactorialDesign:
    """A factorial design of twins: the propositions that are set, and the settings possible for one draw.

    Args:
        scenario: of the episodes.
        names: the propositions.
        settings: the possible settings, in the order of the truth table: all, unless propositions exclude each other.
        bases: the cells (over all propositions) of draws that allow every setting; () if all draws do.
    """

    scenario: Scenario
    names: tuple[str, ...]
    settings: tuple[Cell, ...]
    bases: tuple[Cell, ...] = ()

    @classmethod
    def of(cls, scenario: Scenario, names: Sequence[str]) -> FactorialDesign:
        """Create the design that crosses `names` as fully as the scenario allows."""
        chosen = tuple(names)
        places = [scenario.proposition_names.index(n) for n in chosen]
        possible = plan(scenario).cells
        reach = _reachable(scenario)
        by_rest: dict[Cell, list[Cell]] = {}
        for cell in possible:
            by_rest.setdefault(_rest(cell, places), []).append(cell)
        everything = all_cells(len(chosen))
        open_ = {rest: [s for s in everything if _filled(rest, places, s) in reach] for rest in by_rest}
        settings = max(open_.values(), key=len)
        bases = tuple(c for rest, found in by_rest.items() if set(open_[rest]) >= set(settings) for c in found)
        return cls(scenario, chosen, tuple(settings), () if len(bases) == len(possible) else bases)

    @property
    def full(self) -> bool:
        """Whether every setting is possible."""
        return len(self.settings) == 2 ** len(self.names)

    def partner(self, setting: Cell, column: int) -> Cell | None:
        """The setting that differs in one proposition alone; None if that is impossible."""
        other = (*setting[:column], not setting[column], *setting[column + 1 :])
        return other if other in self.settings else None

    def draw(self, seed: int) -> list[Episode]:
        """Draw one episode under every setting.

        Raises:
            NotApplicable: if a setting cannot be drawn.
        """
        cell = self.bases[seed % len(self.bases)] if self.bases else None
        try:
            base = sample(self.scenario, seed, ALL_EPISODES, cell)
            if self.full:
                return factorial(self.scenario, base, self.names)
            return [with_values(self.scenario, base, dict(zip(self.names, s))) for s in self.settings]
        except ValueError as error:
            raise NotApplicable(f"a twin cannot be drawn: {error}") from error

    def under(self, seed: int, setting: Cell) -> Episode:
        """Draw one episode under one setting.

        Raises:
            NotApplicable: if it cannot be drawn.
        """
        cell = self.bases[seed % len(self.bases)] if self.bases else None
        try:
            return with_values(
                self.scenario, sample(self.scenario, seed, ALL_EPISODES, cell), dict(zip(self.names, setting))
            )
        except ValueError as error:
            raise NotApplicable(f"a twin cannot be drawn: {error}") from error


def _rest(cell: Cell, places: Sequence[int]) -> Cell:
    return tuple(v for i, v in enumerate(cell) if i not in places)


def _filled(rest: Cell, places: Sequence[int], setting: Cell) -> Cell:
    others = iter(rest)
    at = dict(zip(places, setting))
    return tuple(at[i] if i in at else next(others) for i in range(len(rest) + len(places)))


@functools.lru_cache(maxsize=64)
def _reachable(scenario: Scenario) -> frozenset[Cell]:
    """The cells that twins can reach: the possible ones, and those with a formula-driven actor set independently."""
    worked = plan(scenario)
    found = set()
    for cell in worked.cells:
        free = all_cells(len(worked.derived))
        for values in free:
            at = dict(zip(worked.derived, values))
            found.add(tuple(at.get(i, v) for i, v in enumerate(cell)))
    return frozenset(found)


@functools.lru_cache(maxsize=256)
def factorial_design(scenario: Scenario, most: int) -> FactorialDesign:
    """The design of the rule's propositions and unused ones that can be set freely, up to `most`, in scenario order.

    Raises:
        NotApplicable: if the rule's propositions cannot be set.
    """
    return _crossed(scenario, most, False)


@functools.lru_cache(maxsize=256)
def asked_of(scenario: Scenario) -> FactorialDesign:
    """The design of the rule's propositions, followed by one that the rule does not use, if one can be set freely.

    Raises:
        NotApplicable: if the rule's propositions cannot be set, or it depends on none.
    """
    if not premises(scenario):
        raise NotApplicable(
            f"the rule says {describe(scenario)[0]} whatever is true, so there is no premise to be swapped"
        )
    return _crossed(scenario, len(_premises(scenario)) + 1, True)


def _crossed(scenario: Scenario, most: int, rule_first: bool) -> FactorialDesign:
    used = _premises(scenario)
    found = FactorialDesign.of(scenario, used)
    if (reason := _unsettable(found)) is not None:
        raise NotApplicable(reason)
    idle, partial = [n for n in scenario.proposition_names if n not in used], found
    for name in idle:
        if len(found.names) >= most:
            break
        wanted = {*found.names, name}
        order = (*found.names, name) if rule_first else tuple(n for n in scenario.proposition_names if n in wanted)
        larger = FactorialDesign.of(scenario, order)
        if len(larger.settings) > len(partial.settings) and _unsettable(larger) is None:
            partial = larger  # fallback if no unused proposition can be set freely
            found = larger if len(larger.settings) == 2 * len(found.settings) else found
    if rule_first and found.names == used:
        found = partial
    if not found.names:
        raise NotApplicable("no proposition can be set, so there are no twins")
    return found


def _unsettable(crossing: FactorialDesign) -> str | None:
    """The reason why these propositions cannot be set one by one, or None."""
    leaning = premises(crossing.scenario)
    for i, name in enumerate(crossing.names):
        if name in leaning and not any(crossing.partner(s, i) for s in crossing.settings):
            return f"'{name}' cannot flip alone: nothing that can happen differs in it and in no other proposition"
    try:
        for seed in range(TRIED):
            crossing.draw(seed)
    except NotApplicable as error:
        return str(error)
    return None
