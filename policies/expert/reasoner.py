"""What a demonstrator knows and thinks: facts that its eyes could give it, kept in memory, and the rule on them.

An actor is there for a mind once ego's camera had a free line of sight to it; what it does now counts while it is seen,
and which way it turns once that has shown; a sign says its words once they could be read, and then for good. `lead` is
what a driver at a line goes by: how much earlier than itself another comes to the place of decision, foreseen from
where all are and how fast.  Once ego is there it is settled, and where turns are taken so are the facts: the decision
falls at the line.
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
from scenarios.rules.variables import call_of, drawn_in, value_on
from scenarios.scenario import Scenario
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import DECISIONS
from sim.datatypes.world_state import World
from sim.dynamics.impairment import LATE, drowsiness
from sim.traffic.route_follower import EASE, LINE
from sim.world.decision_detectors import ORDERS
from sim.world.rollout import PrivilegedInput

AT_LINE = 3.0  # [m] from the edge at which who stands, or is over it, has arrived
STANDS = 0.3  # [m/s]
NEVER = 99.0  # [s] of who does not come
SLOWEST = 1.0  # [m/s] that ego is thought to go on with
TURNED = 0.35  # [rad] off its first heading at which one is seen to turn
_TICK = Simulation().tick
_PARTS = 8  # of a memory row that are (S, N)
_HALF = 1 << 16


@dataclass(frozen=True)
class Belief:
    """What a mind makes of a moment.

    Args:
        decision: (S,) int, indices into DECISIONS.
        facts: proposition -> (S,) bool, as the driver knows them.
        world: the rows as the driver sees them: what is hidden is not there.
        memory: afterwards.
    """

    decision: np.ndarray
    facts: dict[str, np.ndarray]
    world: World
    memory: np.ndarray


class Reasoner(Protocol):
    """Decides; `width` columns of memory are its own."""

    width: int

    def begin(self, worlds: int) -> np.ndarray:
        """Memory (worlds, width) float32 of fresh episodes."""

    def think(self, seen: PrivilegedInput, memory: np.ndarray) -> Belief:
        """The thought of this moment."""


class _Columns(NamedTuple):
    """Parts of a memory row, each (S, N) but the last.

    Args:
        seen: the kind of an actor or a sign that was, else 0; low, high: halves of its look; read: whether a sign was.
        heading: at first sight [rad]; turned: 1 + the way that an actor was seen to take (an index into DECISIONS).
        arrived: when at the place [s]; leads: as they are settled [s]; settled: (S, 1) whether they are.
        facts: (S, P) the propositions as they were settled.
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
    """The rows of the world as far as a driver knows them.

    Args:
        now: with whoever is in view; there: with whoever was ever seen, at a stand where he is not in view.
        said: with the signs that were read; turned: (S, N), see `_Columns`; leads: (S, N) [s] by which
            whoever is in a slot comes to the place before ego, see NEVER.
    """

    now: World
    there: World
    said: World
    turned: np.ndarray
    leads: np.ndarray | None


class _Values(dict[str, np.ndarray]):
    """Variable -> (S,), each worked out when it is first asked for."""

    def __init__(self, find: Callable[[str], np.ndarray]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, variable: str) -> np.ndarray:
        self[variable] = np.asarray(self._find(variable))
        return self[variable]


def _lasts(left: np.ndarray, pace: np.ndarray, halts: np.ndarray) -> np.ndarray:
    """(S, N) how long [s] each takes to the place, `left` [m] away: at its `pace` [m/s], or to a halt there."""
    rest = np.maximum(left - np.where(halts, LINE, 0.0), 0.0)
    return rest / pace + np.where(halts, np.minimum(pace / (2.0 * EASE), rest / pace), 0.0)


class RuleReasoner:
    """Thinks a scenario's rule on what it has seen.

    Args:
        scenario: whose rule; its actors and signs are those that the mind keeps in memory.
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
        self.halting = np.array([True, *halts, *(False for _ in self.signs)])  # who stops at his line, as all know
        self.by_turns = scenario.decision_spec is not None and scenario.decision_spec.kind in ORDERS
        # Weather is everywhere; whoever thinks of it alone need not look who is in sight, which costs 25 us a world.
        self.looks = scenario.decision_spec is not None or any(v.startswith(("actors.", "signs.")) for v in read)
        self.watches = self.looks and any(v.endswith(".turn") for p in scenario.propositions for v in p.variables)
        self.own = _PARTS * self.slots + 1 + len(scenario.propositions) if self.looks else 0
        self.timed = tuple(p for p in scenario.propositions if p.timed)
        self.monitor = Monitor([p.tree for p in self.timed])
        self.width = self.own + self.monitor.width

    def begin(self, worlds: int) -> np.ndarray:
        """Nobody was seen, nothing read, nobody has arrived."""
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
        """See `Thinker.think`."""
        memory = memory.copy()
        kept = self._columns(memory)
        settled = kept.settled > 0
        world = seen.world
        view = self._look(seen, kept) if self.looks else _View(world, world, world, kept.turned, None)
        if self.scenario.decision_spec is not None:
            self._foresee(place_of(seen), view.now, kept)
            view = view._replace(leads=kept.leads.copy())
        facts = self._facts(seen, view, memory)
        if self.by_turns:  # it falls at the line, by what is true then
            kept.facts[:] = np.where(settled, kept.facts, np.column_stack(list(facts.values())))
            facts = {name: kept.facts[:, k] > 0 for k, name in enumerate(facts)}
        return Belief(np.asarray(evaluate(self.scenario.rule, facts)), facts, view.now, memory)

    def _look(self, seen: PrivilegedInput, kept: _Columns) -> _View:
        """What is in view at this moment, and what is known of earlier ones, which is kept."""
        state, world, n = seen.state, seen.world, self.slots
        in_view = np.ones(world.kind.shape, bool)
        in_view[:, 1:] = state.actors.visible | state.signs.pictured
        here = in_view[:, :n] & (world.kind[:, :n] != 0)
        kept.heading[:] = np.where(here & (kept.seen == 0), world.yaw[:, :n], kept.heading)
        kept.seen[:] = np.where(here, world.kind[:, :n], kept.seen)
        kept.low[:] = np.where(here, world.appearance[:, :n] % _HALF, kept.low)  # a float32 holds no whole look
        kept.high[:] = np.where(here, world.appearance[:, :n] // _HALF, kept.high)
        kept.read[:, 1:] = np.maximum(kept.read[:, 1:], state.signs.readable[:, : n - 1])
        if self.watches:
            self._watch(place_of(seen), world, here, kept)
        now = world._replace(kind=np.where(in_view, world.kind, 0))
        kind, look = now.kind.copy(), world.appearance.copy()
        kind[:, :n] = kept.seen
        look[:, :n] = kept.high.astype(look.dtype) * _HALF + kept.low.astype(look.dtype)
        there = now._replace(kind=kind, appearance=look, speed=np.where(in_view, world.speed, np.float32(0)))
        said = np.zeros_like(kind)
        said[:, :n] = np.where(kept.read > 0, kept.seen, 0)
        return _View(now, there, there._replace(kind=said), kept.turned, None)

    def _watch(self, place: Place, world: World, here: np.ndarray, kept: _Columns) -> None:
        """Note which way those take who are `here` (S, N) in view: a bend shows early, straight on past the middle."""
        n = self.slots
        sent = here & (world.path[:, :n] <= -2)
        bent = np.abs(np.sin(0.5 * (world.yaw[:, :n] - kept.heading))) > np.sin(0.5 * TURNED)
        past = (place.left[:, :n] < 0) & ~place.nearing[:, :n]
        kept.turned[:] = np.where(sent & (bent | past), -1 - world.path[:, :n], kept.turned)

    def _foresee(self, place: Place, now: World, kept: _Columns) -> None:
        """When everybody comes to the place, and from that by how much before ego; settled once ego is there."""
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
        """The truth of every proposition as it is known; brings the monitor's part of the memory up to this tick."""
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
        """What is known of a variable: (S,)."""
        if variable.endswith(".arrival_offset") and view.leads is not None:
            return view.leads[:, 1 + self.actors.index(variable.split(".")[1])]
        if variable.endswith(".turn") and self.looks:
            turned = view.turned[:, 1 + self.actors.index(variable.split(".")[1])].astype(int)
            return np.array(["", *DECISIONS])[turned]
        if variable == "driver_state.drowsy":  # one's own, from when it has come on
            return drowsiness(seen.episodes, seen.world.tick) > LATE
        if variable.startswith(
            ("map.", "driver_state.")
        ):  # the ground is there to be seen, and who is in a hurry knows it
            return np.array([drawn_in(e, variable) for e in seen.episodes])
        function = call_of(variable)[0]
        said = function == "number" or (variable.startswith("signs.") and not variable.endswith(".present"))
        world = view.said if said else view.now if function else view.there
        sight = seen.state.signs.readable if function in ("sign", "reading") else None
        return value_on(world, variable, self.actors, self.signs, seen.maps.arrays, sight)
