"""Sampling plan of a scenario: groups of propositions that share variables, and the cells that can occur.

A *cell* assigns a truth value to every proposition. Propositions that read the same variables (directly, or through a
weather formula) form a *group*; groups are independent, so each can be drawn by rejection on its own and quickly. A
proposition that is the presence of an actor which follows a formula is *derived*: the other propositions determine it.

A proposition about the past also depends on ego's approach to the junction. That is its *context*: it is redrawn only
where nothing else works, and never by a twin.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scenarios.rules.ast import Name
from scenarios.rules.compile import compile_formula, compiled, compiled_number, of_valuation
from scenarios.rules.logic import Cell, all_cells, truth_table
from scenarios.rules.nominal_trace import when_it_falls
from scenarios.rules.propositions import Proposition
from scenarios.rules.variables import family_named, shown
from scenarios.rules.variables.base import Layout, Lookup
from scenarios.scenario import Scenario
from scenarios.schema.base import options_of
from scenarios.schema.distributions import DECIMALS, Choice, Distribution
from scenarios.schema.map import weather_bounds
from sim.core.errors import known_names

_TRIALS = 4096  # draws that find the cells that can occur; a cell rarer than about 1 in 1000 is missed
CONTEXT = ("ego.start", "ego.distance", "ego.speed")  # of ego's approach to the junction
_PRESENCE = Choice((False, True))  # how a twin draws a presence, whatever the scenario's distribution


@dataclass(frozen=True, eq=False)
class Group:
    """Propositions that share variables.

    Args:
        members: positions of its propositions in a cell.
        propositions: these propositions.
        variables: the drawn variables that its propositions depend on.
        context: the variables of ego's approach, where one of the propositions is about the past.
        settings: the truth values of its members that can occur, sorted.
    """

    members: tuple[int, ...]
    propositions: tuple[Proposition, ...]
    variables: tuple[str, ...]
    context: tuple[str, ...]
    settings: tuple[Cell, ...]

    @property
    def timed(self) -> bool:
        """Whether one of its propositions is about the past."""
        return any(p.timed for p in self.propositions)


@dataclass(frozen=True, eq=False)
class Coupling:
    """A weather variable that is computed from others: a function of a lookup, clipped to the field's bounds."""

    variable: str
    value: Callable[[Lookup], Any]
    roots: frozenset[str]

    def settle(self, values: dict[str, Any]) -> None:
        """Compute the variable and write its value into `values`."""
        low, high = weather_bounds(self.variable.rpartition(".")[2])
        value = np.clip(self.value(values.__getitem__), low, high)
        values[self.variable] = np.round(value, DECIMALS) if np.ndim(value) else round(float(value), DECIMALS)


@dataclass(frozen=True, eq=False)
class Plan:
    """The sampling plan of a scenario.

    Args:
        draws: every drawn variable of the scenario with its distribution.
        fixed: the values of the constant ones.
        free: the names of the others, in the order of drawing.
        couplings: in an order that can be computed.
        layout: what changes with time.
        sources: weather variable that changes later -> the variable of its last change, which is its final value.
        roots: variable -> the variables of `draws` that it depends on (a presence formula is not followed).
        groups: of the propositions that are not derived.
        derived: position in a cell -> function of a valuation.
        presences: variable -> function of a valuation.
        cells: every cell that can occur, false before true.
        decision: cell -> index into DECISIONS, for every cell whether it can occur or not.
    """

    scenario: Scenario
    draws: Mapping[str, Distribution]
    fixed: Mapping[str, Any]
    free: tuple[str, ...]
    couplings: tuple[Coupling, ...]
    layout: Layout
    sources: Mapping[str, str]
    roots: Mapping[str, frozenset[str]]
    groups: tuple[Group, ...]
    derived: Mapping[int, Callable[[Any], Any]]
    presences: Mapping[str, Callable[[Any], Any]]
    cells: tuple[Cell, ...]
    decision: Mapping[Cell, int]

    def own_roots(self, proposition: Proposition) -> frozenset[str]:
        """The drawn variables that the variables in the proposition depend on."""
        return self.tiers_of(proposition)[-1]

    def tiers_of(self, proposition: Proposition) -> tuple[frozenset[str], ...]:
        """Its own roots, in growing sets: a twin redraws one of these sets, the first that works, and nothing else."""
        return _tiers(proposition, self.sources, self.roots, self.layout)

    def roots_of(self, proposition: Proposition) -> frozenset[str]:
        """Its own roots, and the variables that make these observable: an absent sign has no text."""
        return self.own_roots(proposition) | set(proposition.conditions)

    def depends_on(self, proposition: Proposition) -> frozenset[str]:
        """All variables that its truth may depend on: its roots, and ego's approach where it is about the past."""
        return self.roots_of(proposition) | (set(CONTEXT) if proposition.timed else set())

    def lookup(self, values: Mapping[str, Any]) -> Lookup:
        """The lookup of propositions over drawn values: the weather after all its changes, present signs only."""
        return _lookup(values, self.sources)

    def truths(self, propositions: Sequence[Proposition], values: Mapping[str, Any]) -> list[Any]:
        """The truth of each at the time of the decision, given drawn values, each a scalar or (n,): bool or (n,)."""
        return _truths(propositions, values, self.sources, self.layout)

    def twin_draw(self, variable: str) -> Distribution:
        """The distribution from which a twin draws a variable: the scenario's, but any actor or sign may come or go."""
        return _PRESENCE if variable.endswith(".present") else self.draws[variable]


def _tiers(
    proposition: Proposition, sources: Mapping[str, str], roots: Mapping[str, frozenset[str]], layout: Layout
) -> tuple[frozenset[str], ...]:
    """The named variables; also presence and times of weather changes; also positions and durations of changes."""
    if not proposition.timed:
        return (frozenset().union(*(roots[sources.get(v, v)] for v in proposition.variables)),)
    named: set[str] = set()
    there: set[str] = set()
    where: set[str] = set()
    for variable in proposition.variables:
        thing, _, attribute = variable.rpartition(".")
        named |= roots[variable]
        for change in (name for name, fields in layout.changes if thing == "weather" and attribute in fields):
            named |= roots[f"changes.{change}.{attribute}"]
            there.add(f"changes.{change}.after")
            where.add(f"changes.{change}.over")
        family = family_named(variable)
        there |= {f"{thing}.{k}" for k in family.showing}
        where |= {f"{thing}.{k}" for k in family.placing}
    tiers = [frozenset(named), frozenset(named | there), frozenset(named | there | where)]
    return tuple(dict.fromkeys(tiers))


def _truths(
    propositions: Sequence[Proposition], values: Mapping[str, Any], sources: Mapping[str, str], layout: Layout
) -> list[Any]:
    now, found = _lookup(values, sources), {}
    if timed := [p for p in propositions if p.timed]:
        truths = when_it_falls([p.tree for p in timed], values.__getitem__, layout)
        found = {p.name: truth for p, truth in zip(timed, truths)}
    return [found[p.name] if p.timed else compiled(p.tree)(now) for p in propositions]


def _lookup(values: Mapping[str, Any], sources: Mapping[str, str]) -> Lookup:
    return lambda variable: shown(sources.get(variable, variable), values.__getitem__)


@functools.lru_cache(maxsize=64)
def plan(scenario: Scenario) -> Plan:
    """Compute the sampling plan of a scenario; cached.

    Raises:
        ValueError: where a weather formula has no value, such as a division by zero.
    """
    draws = scenario.draws
    roots: dict[str, frozenset[str]] = {v: frozenset([v]) for v in (*draws, *scenario.presences)}
    couplings = []
    for variable, number in scenario.couplings.items():
        roots[variable] = frozenset().union(*(roots[n] for n in number.variables()))
        couplings.append(Coupling(variable, compiled_number(number), roots[variable]))
    sources = {f"weather.{f}": f"changes.{c.name}.{f}" for c in scenario.changes for f in c.fields}
    signs = tuple((s.name, tuple(map(str, options_of(s.text)))) for s in scenario.signs)
    layout = Layout(signs, tuple((c.name, c.fields) for c in scenario.changes))
    fixed = {name: draw.pick(0.0) for name, draw in draws.items() if draw.fixed}
    presences = {v: compile_formula(f, of_valuation) for v, f in scenario.presences.items()}
    derived = {
        i: presences[p.tree.name]
        for i, p in enumerate(scenario.propositions)
        if isinstance(p.tree, Name) and p.tree.name in presences
    }
    groups = _groups(scenario, layout, sources, roots, derived, fixed, couplings)
    table = truth_table(scenario.rule, scenario.proposition_names)
    return Plan(
        scenario, draws, fixed, tuple(name for name in draws if name not in fixed), tuple(couplings), layout, sources,
        roots, groups, derived, presences, _possible(scenario, groups, derived), table,
    )  # fmt: skip


def _groups(
    scenario: Scenario, layout: Layout, sources: Mapping[str, str], roots: Mapping[str, frozenset[str]],
    derived: Mapping[int, Any], fixed: Mapping[str, Any], couplings: list[Coupling],
) -> tuple[Group, ...]:  # fmt: skip
    merged: list[tuple[set[int], set[str], set[str]]] = []
    for i, proposition in enumerate(scenario.propositions):
        if i in derived:
            continue
        members, context = {i}, set(CONTEXT if proposition.timed else ())
        variables = {*_tiers(proposition, sources, roots, layout)[-1], *proposition.conditions}
        for other in [m for m in merged if (m[1] | m[2]) & (variables | context) - set(fixed)]:
            merged.remove(other)
            members, variables, context = members | other[0], variables | other[1], context | other[2]
        merged.append((members, variables, context))
    groups = []
    for members, variables, context in merged:
        positions = tuple(sorted(members))
        propositions = tuple(scenario.propositions[i] for i in positions)
        free = tuple(v for v in scenario.draws if v in variables and v not in fixed)
        way = tuple(v for v in scenario.draws if v in context - variables and v not in fixed)
        settings = _settings(scenario, propositions, layout, sources, (*free, *way), fixed, couplings)
        groups.append(Group(positions, propositions, free, way, settings))
    return tuple(groups)


def _settings(
    scenario: Scenario, propositions: tuple[Proposition, ...], layout: Layout, sources: Mapping[str, str],
    free: tuple[str, ...], fixed: Mapping[str, Any], couplings: list[Coupling],
) -> tuple[Cell, ...]:  # fmt: skip
    """The truth values of a group that occur in many draws; with a fixed seed, so that they are the same anywhere."""
    u = np.random.default_rng(0).random((_TRIALS, len(free)))
    values: dict[str, Any] = dict(fixed)
    values |= {v: scenario.draws[v].pick_many(u[:, k]) for k, v in enumerate(free)}
    for coupling in couplings:
        if all(root in values for root in coupling.roots):
            try:
                with np.errstate(divide="raise", invalid="raise"):
                    coupling.settle(values)
            except (FloatingPointError, ZeroDivisionError) as error:
                raise ValueError(f"scenario {scenario.name}: {coupling.variable} has no value: {error}") from None
    columns = [np.broadcast_to(truth, _TRIALS) for truth in _truths(propositions, values, sources, layout)]
    return tuple(sorted(set(zip(*(c.tolist() for c in columns)))))


def _possible(scenario: Scenario, groups: tuple[Group, ...], derived: Mapping[int, Any]) -> tuple[Cell, ...]:
    found = set()
    names = scenario.proposition_names
    for settings in itertools.product(*(g.settings for g in groups)):
        cell: list[bool] = [False] * len(names)
        for group, setting in zip(groups, settings):
            for i, value in zip(group.members, setting):
                cell[i] = value
        for i, follow in derived.items():
            cell[i] = bool(follow(dict(zip(names, cell))))
        found.add(tuple(cell))
    return tuple(cell for cell in all_cells(len(names)) if cell in found)


@functools.lru_cache(maxsize=256)
def satisfiable_cells(scenario: Scenario, split: str) -> tuple[Cell, ...]:
    """The cells that can occur and that the split admits.

    Raises:
        ValueError: for an unknown split, or one that admits nothing.
    """
    admits = compile_formula(scenario.split(split), of_valuation)
    names = scenario.proposition_names
    cells = tuple(cell for cell in plan(scenario).cells if admits(dict(zip(names, cell))))
    if not cells:
        raise ValueError(
            f"split '{split}' of scenario {scenario.name} ({scenario.split(split)}) admits none of the cells that can "
            f"happen over {known_names(names)}"
        )
    return cells
