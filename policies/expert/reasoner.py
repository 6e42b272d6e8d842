"""The expert's reasoner: facts from what was visible, remembered over time, and the rule evaluated on them.

The expert knows an actor only after an unobstructed line of sight, and updates its motion only while visible; it knows
an actor's turn once that has shown, and a sign's text for good once it was readable. Decisions about right of way use
arrival leads: how much earlier than ego another actor reaches the decision point, predicted from positions and speeds.
The leads are fixed once ego is there, and so are the facts where the decision is an order: it is made at the line.
Memory is float32 (S, width) with the slot first; see `policies.base`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from policies.expert.approach import Place, place_of
from scenarios.rules.ast import names
from scenarios.rules.compile import evaluate
from scenarios.rules.monitor import Monitor
from scenarios.rules.variables import declared, drawn_in, family_named, value_on
from scenarios.rules.variables.base import ARRIVALS, DROWSINESS, GIVEN, READ, READABLE_NOW, TURNING, find
from scenarios.scenario import Scenario
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import DECISIONS, UNDECIDED
from sim.datatypes.world_state import World
from sim.dynamics.impairment import LATE, drowsiness
from sim.traffic.route_follower import EASE, LINE
from sim.world.decisions.registry import KINDS
from sim.world.rollout import PrivilegedInput

AT_LINE = 3.0  # [m] from the edge within which a standing actor has arrived; past the edge every actor has
STANDS = 0.3  # [m/s] below which an actor stands
NEVER = 99.0  # [s] lead of an actor that does not come
SLOWEST = 1.0  # [m/s] lowest speed assumed for ego's approach
TURNED = 0.35  # [rad] off its first heading at which an actor counts as turning
_TICK = Simulation().tick
_PARTS = 8  # parts of a memory row that are (S, N)
_HALF = 1 << 16


@dataclass(frozen=True)
class Belief:
    """The result of reasoning at one tick: decision, facts and visible world.

    Args:
        decision: (S,) int, indices into DECISIONS.
        facts: proposition -> (S,) bool, as the expert knows them.
        world: the rows without occluded actors.
        memory: the next memory.
    """

    decision: np.ndarray
    facts: dict[str, np.ndarray]
    world: World
    memory: np.ndarray


class Reasoner(Protocol):
    """The reasoner interface; `width` is the number of its memory columns."""

    width: int

    def begin(self, worlds: int) -> np.ndarray:
        """Return the initial memory (worlds, width) float32."""

    def think(self, seen: PrivilegedInput, memory: np.ndarray) -> Belief:
        """Return the belief of this tick."""


class _Columns(NamedTuple):
    """Parts of a memory row, each (S, N) but the last.

    Args:
        seen: the kind of an actor or sign once it was visible, else 0; low, high: halves of its appearance; read:
            whether a sign was readable.
        heading: at first sight [rad]; turned: 1 + the exit that an actor was seen to take (an index into DECISIONS).
        arrived: time of arrival at the decision point [s]; leads: last update [s]; settled: (S, 1) whether leads are
            fixed.
        facts: (S, P) the propositions when they were fixed.
    """

    seen: np.ndarray
    low: np.ndarray
    high: np.ndarray
    read: np.ndarray
    heading: np.ndarray
    turned: np.ndarray
    arrived: np.ndarray
    leads: np.ndarray
    settled: np.ndarray
    facts: np.ndarray


class _View(NamedTuple):
    """The rows of the world as far as the expert knows them.

    Args:
        now: with visible actors; there: with all actors seen so far, those not visible now with speed 0.
        as_read: with the signs that were read; turned: (S, N), see `_Columns`; leads: (S, N) [s] by which the actor of
            a slot reaches the decision point before ego, see NEVER.
    """

    now: World
    there: World
    as_read: World
    turned: np.ndarray
    leads: np.ndarray | None


class _Values(dict[str, np.ndarray]):
    """Variable -> (S,), each computed on first access."""

    def __init__(self, find: Callable[[str], np.ndarray]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, variable: str) -> np.ndarray:
        self[variable] = np.asarray(self._find(variable))
        return self[variable]


def _lasts(left: np.ndarray, pace: np.ndarray, halts: np.ndarray) -> np.ndarray:
    """(S, N) time [s] of each actor to the decision point, `left` [m] away, at its `pace` [m/s] or to a stop there."""
    rest = np.maximum(left - np.where(halts, LINE, 0.0), 0.0)
    return rest / pace + np.where(halts, np.minimum(pace / (2.0 * EASE), rest / pace), 0.0)


class RuleReasoner:
    """The reasoner that evaluates a scenario's rule on what was visible.

    Args:
        scenario: the source of the rule; its actors and signs are remembered.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.actors = tuple(a.name for a in scenario.actors)
        self.signs = tuple(s.name for s in scenario.signs)
        self.slots = 1 + len(self.actors) + len(self.signs)
        asked = names(scenario.rule)
        read = {v for p in scenario.propositions if p.name in asked for v in p.variables}
        halts = [
            a.stop_duration is not None or a.yield_timeout is not None or bool(a.takes_turns.ends[1])
            for a in scenario.actors
        ]
        # Actors that stop at their lines, which counts as known to the expert.
        self.halting = np.array([True, *halts, *(False for _ in self.signs)])
        self.by_turns = scenario.decision_spec is not None and KINDS[scenario.decision_spec.kind].at_line
        # Weather is always visible; a rule on weather alone needs no visibility test, which costs 25 us per world.
        self.looks = scenario.decision_spec is not None or any(family_named(v).visible for v in read)
        turning = (of.known_by == TURNING for p in scenario.propositions for v in p.variables if (of := declared(v)))
        self.watches = self.looks and any(turning)
        self.own = _PARTS * self.slots + 1 + len(scenario.propositions) if self.looks else 0
        self.timed = tuple(p for p in scenario.propositions if p.timed)
        self.monitor = Monitor([p.tree for p in self.timed])
        self.width = self.own + self.monitor.width

    def begin(self, worlds: int) -> np.ndarray:
        """Return a memory in which no actor was seen or has arrived and no sign was read."""
        own = np.zeros((worlds, self.own), np.float32)
        if self.looks:
            self._columns(own).arrived[:] = NEVER * 1e3
        return np.concatenate([own, self.monitor.begin(worlds)], 1)

    def _columns(self, memory: np.ndarray) -> _Columns:
        n = self.slots
        parts = (memory[:, k * n : (k + 1) * n] for k in range(_PARTS))
        rest = _PARTS * n
        return _Columns._make([*parts, memory[:, rest : rest + 1], memory[:, rest + 1 : self.own]])

    def think(self, seen: PrivilegedInput, memory: np.ndarray) -> Belief:
        """See `Reasoner.think`."""
        memory = memory.copy()
        kept = self._columns(memory)
        settled = kept.settled > 0
        world = seen.world
        view = self._look(seen, kept) if self.looks else _View(world, world, world, kept.turned, None)
        if self.scenario.decision_spec is not None:
            self._foresee(place_of(seen), view.now, kept)
            view = view._replace(leads=kept.leads.copy())
        facts = self._facts(seen, view, memory)
        if self.by_turns:  # the decision is made at the line, from the facts at that time
            kept.facts[:] = np.where(settled, kept.facts, np.column_stack(list(facts.values())))
            facts = {name: kept.facts[:, k] > 0 for k, name in enumerate(facts)}
        return Belief(np.asarray(evaluate(self.scenario.rule, facts)), facts, view.now, memory)

    def _look(self, seen: PrivilegedInput, kept: _Columns) -> _View:
        """Update the memory with what is visible now, and return the visible and remembered actors and signs."""
        state, world, n = seen.state, seen.world, self.slots
        in_view = np.ones(world.kind.shape, bool)
        in_view[:, 1:] = state.actors.visible | state.signs.pictured
        here = in_view[:, :n] & (world.kind[:, :n] != 0)
        kept.heading[:] = np.where(here & (kept.seen == 0), world.yaw[:, :n], kept.heading)
        kept.seen[:] = np.where(here, world.kind[:, :n], kept.seen)
        kept.low[:] = np.where(here, world.appearance[:, :n] % _HALF, kept.low)  # a float32 cannot hold all its bits
        kept.high[:] = np.where(here, world.appearance[:, :n] // _HALF, kept.high)
        kept.read[:, 1:] = np.maximum(kept.read[:, 1:], state.signs.readable[:, : n - 1])
        if self.watches:
            self._watch(place_of(seen), world, here, kept)
        none = np.zeros_like(world.absent_kind)
        now = world._replace(kind=np.where(in_view, world.kind, 0), absent_kind=none)
        kind, look = now.kind.copy(), world.appearance.copy()
        kind[:, :n] = kept.seen
        look[:, :n] = kept.high.astype(look.dtype) * _HALF + kept.low.astype(look.dtype)
        there = now._replace(kind=kind, appearance=look, speed=np.where(in_view, world.speed, np.float32(0)))
        said = np.zeros_like(kind)
        said[:, :n] = np.where(kept.read > 0, kept.seen, 0)
        return _View(now, there, there._replace(kind=said), kept.turned, None)

    def _watch(self, place: Place, world: World, here: np.ndarray, kept: _Columns) -> None:
        """Record the exits of visible actors (`here` (S, N)): a turn shows early, going straight past the middle."""
        n = self.slots
        sent = here & (world.scripted_turn[:, :n] != UNDECIDED)
        bent = np.abs(np.sin(0.5 * (world.yaw[:, :n] - kept.heading))) > np.sin(0.5 * TURNED)
        past = (place.left[:, :n] < 0) & ~place.nearing[:, :n]
        kept.turned[:] = np.where(sent & (bent | past), 1 + world.scripted_turn[:, :n], kept.turned)

    def _foresee(self, place: Place, now: World, kept: _Columns) -> None:
        """Predict all arrivals at the decision point and their leads over ego; they are fixed once ego is there."""
        n = self.slots
        left, speed = place.left[:, :n], now.speed[:, :n]
        time = now.tick.astype(np.float32) * _TICK
        here = now.kind[:, :n] != 0
        there = here & ((left <= 0) | ((left < AT_LINE) & (speed < STANDS)))
        np.copyto(kept.arrived, np.minimum(kept.arrived, time[:, None]), where=there)
        comes = here & place.nearing[:, :n] & (speed > STANDS)
        comes[:, 0] = True
        lasts = _lasts(left, np.maximum(speed, np.where(np.arange(n) == 0, SLOWEST, STANDS)), self.halting)
        foreseen = time[:, None] + np.where(comes, lasts, NEVER)
        when = np.where(kept.arrived < NEVER * 1e2, kept.arrived, foreseen)
        leads = np.clip(when[:, :1] - when, -NEVER, NEVER)
        open_ = kept.settled[:, 0] == 0
        kept.leads[open_] = leads[open_]
        kept.settled[there[:, 0], 0] = 1

    def _facts(self, seen: PrivilegedInput, view: _View, memory: np.ndarray) -> dict[str, np.ndarray]:
        """Evaluate every proposition on what is known; advance the monitor's part of the memory to this tick."""
        values = _Values(lambda variable: self._value(seen, view, variable))
        shape = view.now.tick.shape
        facts = {
            p.name: np.broadcast_to(np.asarray(p.of(values), bool), shape).copy()
            for p in self.scenario.propositions
            if not p.timed
        }
        if self.timed:
            read = {variable: values[variable] for variable in self.monitor.reads}
            truths, memory[:, self.own :] = self.monitor.step(read, memory[:, self.own :])
            facts |= dict(zip((p.name for p in self.timed), truths))
        return {name: facts[name] for name in self.scenario.proposition_names}

    def _value(self, seen: PrivilegedInput, view: _View, variable: str) -> np.ndarray:
        """The known value of a variable: (S,)."""
        of, name, _ = find(variable)
        known_by = of.known_by if of else ""
        if known_by == ARRIVALS and view.leads is not None:
            return view.leads[:, 1 + self.actors.index(name)]
        if known_by == TURNING and self.looks:
            turned = view.turned[:, 1 + self.actors.index(name)].astype(int)
            return np.array(["", *DECISIONS])[turned]
        if known_by == DROWSINESS:
            return drowsiness(seen.episodes, seen.world.tick) > LATE
        if known_by == GIVEN:
            return np.array([drawn_in(e, variable) for e in seen.episodes])
        world = {READ: view.as_read, READABLE_NOW: view.now}.get(known_by, view.there)
        sight = seen.state.signs.readable if known_by == READABLE_NOW else None
        return value_on(world, variable, self.actors, self.signs, seen.maps.arrays, sight)
