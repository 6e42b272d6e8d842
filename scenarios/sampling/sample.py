"""Samples episodes of a scenario: balanced draws, twins that differ in one proposition, full factorials.

Every function is pure: the same scenario and seed give the same episode, on any machine and in any order. Draws are
balanced over truth-table cells: the rule's decisions are equally likely, and the cells within a decision too (unless
the scenario's `balance` says otherwise), so that neither can be guessed. Within a cell, variables keep the scenario's
own distribution (rejection sampling). A twin changes a proposition's own variables and the weather that follows them,
and nothing else.
"""

from __future__ import annotations

import functools
import itertools
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scenarios.rules.compile import compiled
from scenarios.rules.logic import Cell, describe_cell
from scenarios.rules.propositions import Proposition
from scenarios.rules.variables import drawn_in
from scenarios.sampling.episode_builder import Count, episode_of, replaced
from scenarios.sampling.plan import Plan, plan, satisfiable_cells
from scenarios.scenario import ALL_EPISODES, Scenario
from sim.core.errors import known_names
from sim.datatypes.episode import Episode, MapSpec
from sim.datatypes.simulation import Simulation

_TRIES = 5000  # a group of propositions with a chance of 1 in 500 is still missed less than once in 20,000 episodes
_AT_ONCE = 50  # draws that are tried at once where a truth depends on the past


def count_junctions(spec: MapSpec, search: Sequence[Path] | None = None) -> int:
    """How many junctions of the spec's kind its map has; compiles the map at first use.

    Args:
        search: as for `sim.road.map.loading.load_map`.

    Raises:
        ValueError: where the map has none.
    """
    return _count(spec.file, spec.sha256, spec.kind, None if search is None else tuple(search))


@functools.lru_cache(maxsize=64)
def _count(file: str, sha256: str, kind: str, search: tuple[Path, ...] | None) -> int:
    from sim.road.map.loading import junctions_of_kind, load_map  # late: compiling maps imports the whole of sim

    road_map, _ = load_map(MapSpec(generate=None, file=file, sha256=sha256, kind=kind), search)
    return len(junctions_of_kind(road_map, kind))


# ----------------------------------------------------------------------------------------------- sampling
def cells(scenario: Scenario, split: str = ALL_EPISODES) -> tuple[Cell, ...]:
    """The truth-table cells (in the order of `scenario.proposition_names`) that can occur and that a split admits.

    Raises:
        ValueError: for an unknown split, or one that admits nothing.
    """
    return satisfiable_cells(scenario, split)


def sample(
    scenario: Scenario,
    seed: int,
    split: str = "train",
    cell: Cell | None = None,
    junctions: Count | None = None,
) -> Episode:
    """Draw one episode.

    Args:
        seed: 0 to 2**32 - 1; together with the scenario's name and the split it determines the draw.
        split: one of the scenario's splits, or `every`.
        cell: wanted truth values in the order of `scenario.proposition_names`; None draws a balanced one.
            Variables that no proposition reads are the same for every cell.
        junctions: returns how many junctions a map has; called where the scenario leaves the junction open. By default
            it reads the map file.

    Raises:
        ValueError: for a seed out of range, an unknown split, or a cell that the split does not admit.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed {seed} is out of range; wanted 0 to 2**32 - 1")
    worked = plan(scenario)
    rng = np.random.default_rng([seed, _crc(scenario.name), _crc(split)])
    u = rng.random(len(worked.free) + 3).tolist()
    wanted = _pick_cell(scenario, split, u[-3], u[-2]) if cell is None else _check_cell(scenario, split, cell)
    values = dict(worked.fixed)
    for name, x in zip(worked.free, u):
        values[name] = worked.draws[name].pick(x)
    for coupling in worked.couplings:
        coupling.settle(values)
    for group in worked.groups:
        target = tuple(wanted[i] for i in group.members)
        redraw = _redraw_way if group.timed else _redraw
        tiers = (group.variables, (*group.variables, *group.context))
        redraw(worked, group.propositions, tiers, target, values, rng, worked.draws.__getitem__)
    valuation = dict(zip(scenario.proposition_names, wanted))
    for variable, follow in worked.presences.items():
        values[variable] = bool(follow(valuation))
    count = junctions or functools.partial(count_junctions, search=scenario.map_search)
    return episode_of(scenario, seed, values, u[-1], count)


def balanced_batch(
    scenario: Scenario, seeds: Iterable[int], split: str = "train", junctions: Count | None = None
) -> list[Episode]:
    """One episode per seed, as `sample` draws it."""
    return [sample(scenario, int(seed), split, junctions=junctions) for seed in seeds]


def valuation(scenario: Scenario, episode: Episode) -> dict[str, bool]:
    """Which propositions hold in an episode at the time of the decision, with the weather after all its changes.

    The weather at the start lacks rain that comes on the way, and the time at which ego reaches the junction is unknown
    before it drives. So every change counts as complete by then, and a scenario must be written so that it is.
    """
    return {p.name: p.on_episode(episode) for p in scenario.propositions}


def decision(scenario: Scenario, episode: Episode) -> int:
    """What the rule decides in an episode, as an index into `sim.datatypes.vocabulary.DECISIONS`."""
    return plan(scenario).decision[tuple(valuation(scenario, episode).values())]


def shares(scenario: Scenario, split: str = ALL_EPISODES) -> dict[Cell, float]:
    """How often each cell of a split is drawn; they sum to one.

    Raises:
        ValueError: for an unknown split, or one that admits nothing.
    """
    by_decision = _by_decision(scenario, split)
    return {
        cell: float(share) / len(by_decision)
        for among, running in by_decision
        for cell, share in zip(among, np.diff(running, prepend=0.0))
    }


# -------------------------------------------------------------------------------------------------- twins
def twin(scenario: Scenario, episode: Episode, proposition: str) -> Episode:
    """The counterfactual twin of an episode: one proposition is flipped, the others are unchanged.

    Only the proposition's own variables change, and the weather that follows them by a formula. Weather that changes
    later differs from then on. The text of a sign is redrawn from its own texts; an absent sign is added for it.
    Actors whose presence follows a proposition by a formula stay unchanged: that breaks the correlation, which is the
    purpose of twins.

    Raises:
        ValueError: for an unknown proposition, or one that cannot flip alone.
    """
    before = valuation(scenario, episode)
    scenario.proposition(proposition)
    return _with(scenario, episode, before, {proposition: not before[proposition]})


def unflippable(
    scenario: Scenario, episodes: Iterable[Episode], propositions: Sequence[str]
) -> dict[str, dict[int, str]]:
    """Which propositions cannot flip alone, in which of the episodes, and why.

    A proposition that fails in one episode is not tried in others of the same cell: a failure takes thousands of draws.

    Returns:
        proposition -> index of the episode -> the message of `twin`; propositions that always flip are left out.
    """
    found: dict[str, dict[int, str]] = {}
    failed: dict[tuple[str, Cell], str] = {}
    for place, episode in enumerate(episodes):
        cell = tuple(valuation(scenario, episode).values())
        for name in propositions:
            if (name, cell) not in failed:
                try:
                    twin(scenario, episode, name)
                    continue
                except ValueError as error:
                    failed[name, cell] = str(error)
            found.setdefault(name, {})[place] = failed[name, cell]
    return found


def with_values(scenario: Scenario, episode: Episode, values: Mapping[str, bool]) -> Episode:
    """The episode with the named propositions set and all else unchanged: a twin in several propositions at once.

    Raises:
        ValueError: for an unknown proposition, or a setting that cannot happen.
    """
    for name in values:
        scenario.proposition(name)
    return _with(scenario, episode, valuation(scenario, episode), values)


def factorial(scenario: Scenario, episode: Episode, propositions: Sequence[str]) -> list[Episode]:
    """The episode under every setting of the named propositions, false before true, the last changing fastest.

    The setting that already holds gives the episode itself.

    Raises:
        ValueError: for an unknown proposition, or a setting that cannot happen.
    """
    before = valuation(scenario, episode)
    for name in propositions:
        scenario.proposition(name)
    settings = itertools.product((False, True), repeat=len(propositions))
    return [_with(scenario, episode, before, dict(zip(propositions, setting))) for setting in settings]


def _with(scenario: Scenario, episode: Episode, before: Mapping[str, bool], wanted: Mapping[str, bool]) -> Episode:
    """The episode with the wanted truth values, all other propositions as `before`."""
    worked = plan(scenario)
    target = {**before, **wanted}
    read = {v for p in scenario.propositions for v in worked.depends_on(p)}
    weather = [v for v in (*worked.draws, *scenario.couplings) if v.startswith(("weather.", "changes."))]
    values = {v: drawn_in(episode, v) for v in (*sorted(read), *weather)}
    first = dict(values)
    for p in scenario.propositions:
        if target[p.name] == before[p.name]:
            continue
        changed = worked.roots_of(p)
        values |= p.conditions  # an absent sign has no words to change
        touched = tuple(q for q in scenario.propositions if worked.depends_on(q) & changed)
        # redraw with it whatever is not yet as wanted: what flips as well, and what an added actor makes observable
        off = [q for q, truth in zip(touched, worked.truths(touched, values)) if bool(truth) != target[q.name]]
        also = frozenset().union(*(worked.own_roots(q) for q in off if not q.timed))
        tiers = [tuple(v for v in sorted(tier | also) if not worked.twin_draw(v).fixed) for tier in worked.tiers_of(p)]
        if any(q.timed for q in touched):  # to keep these unchanged, their own times may have to change as well
            wide = frozenset().union(*(worked.own_roots(q) for q in touched))
            tiers.append(tuple(v for v in sorted(wide) if not worked.twin_draw(v).fixed))
            touched = tuple(q for q in scenario.propositions if worked.depends_on(q) & (changed | wide))
        goal = tuple(target[q.name] for q in touched)
        # The key depends on the goal of these propositions alone: rain looks the same whatever else is flipped with it.
        key = [episode.seed, _crc(scenario.name), *(_crc(f"{q.name}={g}") for q, g in zip(touched, goal))]
        redraw = _redraw_way if any(q.timed for q in touched) else _redraw
        redraw(worked, touched, tiers, goal, values, np.random.default_rng(key), worked.twin_draw)
    return replaced(episode, {v: x for v, x in values.items() if x != first[v]})


# -------------------------------------------------------------------------------------------------- parts
def _crc(text: str) -> int:
    return zlib.crc32(text.encode())


@functools.lru_cache(maxsize=256)
def _by_decision(scenario: Scenario, split: str) -> tuple[tuple[tuple[Cell, ...], np.ndarray], ...]:
    """The cells of every decision, and the running sum of their shares."""
    table = plan(scenario).decision
    found = satisfiable_cells(scenario, split)
    holds = [scenario.balance.get(name, 0.5) for name in scenario.proposition_names]
    groups = []
    for decision in sorted({table[c] for c in found}):
        among = tuple(c for c in found if table[c] == decision)
        weights = np.array([np.prod([p if value else 1 - p for p, value in zip(holds, c)]) for c in among])
        groups.append((among, np.cumsum(weights) / weights.sum()))
    return tuple(groups)


def _pick_cell(scenario: Scenario, split: str, u: float, v: float) -> Cell:
    by_decision = _by_decision(scenario, split)
    among, shares = by_decision[int(u * len(by_decision))]
    return among[min(int(np.searchsorted(shares, v, side="right")), len(among) - 1)]


def _check_cell(scenario: Scenario, split: str, cell: Cell) -> Cell:
    names = scenario.proposition_names
    if len(cell) != len(names):
        raise ValueError(f"cell {cell} has {len(cell)} values; wanted one for each of {known_names(names)}")
    cell = tuple(bool(value) for value in cell)
    if cell not in (found := satisfiable_cells(scenario, split)):
        known = "; ".join(describe_cell(names, c) for c in found)
        raise ValueError(
            f"split '{split}' of scenario {scenario.name} has no cell '{describe_cell(names, cell)}'; it has {known}"
        )
    return cell


def _redraw(
    worked: Plan, propositions: Sequence[Proposition], tiers: Sequence[Sequence[str]], target: Cell,
    values: dict[str, Any], rng: np.random.Generator, draw: Callable[[str], Any],
) -> None:  # fmt: skip
    """Redraw the variables of the first tier, in place, until the propositions have the truth values `target`."""
    variables = tiers[0]
    tests = [compiled(p.tree) for p in propositions]
    roots = set(variables)
    follow = [c for c in worked.couplings if c.roots & roots]
    lookup = worked.lookup(values)
    for _ in range(_TRIES if variables else 1):
        if all(test(lookup) == wanted for test, wanted in zip(tests, target)):
            return
        for name, u in zip(variables, rng.random(len(variables)).tolist()):
            values[name] = draw(name).pick(u)
        for coupling in follow:
            coupling.settle(values)
    raise _no_draw(worked, propositions, variables, target)


def _redraw_way(
    worked: Plan, propositions: Sequence[Proposition], tiers: Sequence[Sequence[str]], target: Cell,
    values: dict[str, Any], rng: np.random.Generator, draw: Callable[[str], Any],
) -> None:  # fmt: skip
    """`_redraw` for propositions about the past: many draws at once, of the first tier of variables that works.

    A later tier is tried where the ones before it fail.
    """

    def holds(found: Mapping[str, Any]) -> np.ndarray:
        truths = worked.truths(propositions, found)
        return np.logical_and.reduce([np.atleast_1d(t) == wanted for t, wanted in zip(truths, target)])

    if holds(values).all():
        return
    for variables in dict.fromkeys(tuple(tier) for tier in tiers if tier):
        follow = [c for c in worked.couplings if c.roots & set(variables)]
        for _ in range(0, _TRIES, _AT_ONCE):
            u = rng.random((_AT_ONCE, len(variables)))
            many = values | {name: draw(name).pick_many(u[:, k]) for k, name in enumerate(variables)}
            for coupling in follow:
                coupling.settle(many)
            for row in np.flatnonzero(np.broadcast_to(holds(many), _AT_ONCE)):
                one = values | {name: draw(name).pick(x) for name, x in zip(variables, u[row].tolist())}
                for coupling in follow:
                    coupling.settle(one)
                if holds(one).all():  # rounding may differ between one draw and many
                    values |= one
                    return
    raise _no_draw(worked, propositions, tiers[-1], target)


def _no_draw(worked: Plan, propositions: Sequence[Proposition], variables: Sequence[str], target: Cell) -> ValueError:
    cell = describe_cell([p.name for p in propositions], target)
    return ValueError(
        f"scenario {worked.scenario.name}: found no draw with '{cell}' "
        f"in {_TRIES} tries of {known_names(variables)}; "
        "widen their ranges or choose propositions that can hold together"
    )


def slots_needed(scenario: Scenario) -> Simulation:
    """Simulation settings with just enough slots for the scenario's actors and signs, and for its most traffic."""
    actors, traffic = 1 + len(scenario.actors), scenario.traffic
    return Simulation(actors=actors, slots=actors + len(scenario.signs) + traffic.most_slots if traffic else 0)
