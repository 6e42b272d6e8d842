"""Replays demonstrations, and records when each showed its decision and when the evidence was in sight.

Demonstrations hold neither: the world's reading of the decision and the lines of sight are computed while a world runs.
Embedded worlds repeat exactly, so the executed actions lead through the same states again.

Two ticks of every decision are recorded. `read` is when the world has read it (`sim.world.decisions`, or an
exit of a junction behind it). `sign` is when an outside observer can first see it:

- exits and lanes: the routes that ego could take lie `APART` of each other where it is; or earlier, with the first tick
  of the turn of the wheel that led there;
- bays: ego reverses, or the bay is read;
- all else (right of way, slowing, stopping, reacting): it is read. Braking for it comes before that, and counts as
  ego's own motion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dagger.training.demonstrations import Demonstration
from scenarios.rules.ast import names
from scenarios.rules.variables import declared, family_named
from scenarios.rules.variables.base import READ
from scenarios.sampling.sample import slots_needed
from scenarios.scenario import Scenario
from sim.datatypes.action import Action
from sim.datatypes.vocabulary import UNDECIDED
from sim.world.backend import Backend
from sim.world.context import RunContext
from sim.world.rollout import PrivilegedInput, in_chunks, rollout

APART = 0.5  # [m] between the routes, from where on it shows which of them ego takes
TURNED = 0.05  # [rad] of the front wheels at which they count as turned


@dataclass(frozen=True)
class Watched:
    """When the decision and its evidence were visible in one drive of T ticks.

    Args:
        sign: tick of the first sign of the decision; T if there was none.
        read: tick at which the world had read the decision; T if it had only at the end, or never.
        known: proposition of the rule -> tick from which the expert knew its truth for good, as it was at the sign; -1
            if nothing that it depends on was in sight before the sign.
        last: proposition of the rule -> last tick before the sign at which it was in sight, -1 likewise.
        truth: proposition of the rule -> what the expert took for true at the sign.
    """

    sign: int
    read: int
    known: dict[str, int]
    last: dict[str, int]
    truth: dict[str, bool]


def watch(
    scenario: Scenario,
    demonstrations: Sequence[Demonstration],
    context: RunContext | None = None,
    on_done: Callable[[float], None] | None = None,
) -> list[Watched]:
    """Drive the demonstrations again, and record what was visible when.

    Args:
        context: where the worlds run; by default `RunContext()`.
        on_done: called with the number of demonstrations in a finished batch.

    Raises:
        ValueError: if a drive does not repeat: it was driven on another backend, or by another version.
    """
    sights = {name: sights_of(scenario, name) for name in sorted(names(scenario.rule))}
    found: list[Watched] = []
    context = context or RunContext()
    for chunk in in_chunks(demonstrations, context.at_once(len(demonstrations))):
        with context.backend(len(chunk), None, slots_needed(scenario)) as backend:
            again = _Again(backend, chunk, any(s is not None for s in sights.values()))
            trajectory = rollout(backend, again, [d.episode for d in chunk])
            ways = backend.maps.arrays.decision[backend.world.route]
            ways = np.where(backend.world.route >= 0, ways, UNDECIDED)
        for w, d in enumerate(chunk):
            if int(trajectory.ticks[w]) != len(d) or int(trajectory.shown_decision[w]) != d.shown_decision:
                raise ValueError(
                    f"the drive of seed {d.episode.seed} of {scenario.name} took {len(d)} ticks and takes "
                    f"{int(trajectory.ticks[w])} when driven again; only embedded worlds of this version repeat"
                )
            found.append(_watched(scenario, d, again.of(w, len(d)), ways[w], sights))
        if on_done is not None:
            on_done(len(chunk))
    return found


def sights_of(scenario: Scenario, proposition: str) -> tuple[tuple[int, bool], ...] | None:
    """The actors and signs that must be in sight for a proposition to be seen.

    Returns:
        (column of the masks of `sim.perception.ground_truth`, whether letters have to be read) of each actor and sign,
        any of which will do; None if it can always be seen, as weather and the ground can.
    """
    actors, signs = [a.name for a in scenario.actors], [s.name for s in scenario.signs]
    found: list[tuple[int, bool]] = []
    for variable in sorted(scenario.proposition(proposition).variables):
        if not family_named(variable).visible:
            return None
        head, name, _ = variable.split(".", 2)
        column = len(actors) + signs.index(name) if head == "signs" else actors.index(name)
        found.append((column, (of := declared(variable)) is not None and of.known_by == READ))
    return tuple(found)


@dataclass(frozen=True)
class _Noted:
    """What was recorded of one world: shown_decision (T,), offsets (T, R) [m], visible and readable (T, N - 1) bool."""

    shown_decision: np.ndarray
    offsets: np.ndarray
    visible: np.ndarray
    readable: np.ndarray


@dataclass
class _Again:
    """A policy that repeats the executed actions, and records what is visible."""

    backend: Backend
    demonstrations: Sequence[Demonstration]
    looks: bool
    needs: str = "state"
    log: list[tuple[np.ndarray, ...]] = field(default_factory=list)

    def begin(self, worlds: int) -> Any:
        """An empty memory."""
        return np.zeros((worlds, 0), np.float32)

    def act(self, seen: PrivilegedInput, memory: Any) -> tuple[Action, Any]:
        """The action of this tick; past its end a drive rolls on, which `watch` then refuses."""
        world, tick = seen.world, len(self.log)
        none = np.zeros((len(seen.slots), world.kind.shape[1] - 1), bool)
        state = seen.state if self.looks else None
        visible = none if state is None else state.actors.visible | state.signs.pictured
        readable = none if state is None else none | state.signs.readable
        self.log.append((seen.slots, world.shown_decision.copy(), world.route_offset.copy(), visible, readable))

        def done(name: str) -> np.ndarray:
            rows = (self.demonstrations[w].ticks.get(name, np.zeros(0)) for w in seen.slots)
            return np.array([row[tick] if tick < len(row) else 0 for row in rows])

        gears = done("executed_reverse").astype(bool)
        steer, acceleration = (done(f"executed_{what}").astype(np.float32) for what in ("steer", "acceleration"))
        return Action(steer, acceleration, gears if gears.any() else None), memory

    def of(self, w: int, ticks: int) -> _Noted:
        """The record of world w, of its first `ticks` ticks."""
        rows = [(entry, int(np.searchsorted(entry[0], w))) for entry in self.log[:ticks]]
        return _Noted(*(np.stack([entry[k][i] for entry, i in rows]) for k in range(1, 5)))


def _watched(
    scenario: Scenario, d: Demonstration, noted: _Noted, ways: np.ndarray,
    sights: dict[str, tuple[tuple[int, bool], ...] | None],
) -> Watched:  # fmt: skip
    """When the decision and the evidence of one drive were visible; `ways` (R,) are the decisions of its routes."""
    shown = noted.shown_decision == d.shown_decision
    read = _first(shown) if d.shown_decision != UNDECIDED else len(d)
    sign = _sign(scenario, d, noted, ways, read)
    known, last, truth = {}, {}, {}
    for name, columns in sights.items():
        facts = d.propositions[name][: sign + 1]
        visible = np.ones(len(facts), bool)
        if columns is not None:
            masks = [(noted.readable if letters else noted.visible)[: sign + 1, c] for c, letters in columns]
            visible = np.logical_or.reduce(masks)
        changes = np.flatnonzero(facts[1:] != facts[:-1]) + 1
        seen = visible.any()
        known[name] = max(_first(visible), int(changes[-1]) if len(changes) else 0) if seen else -1
        last[name] = len(visible) - 1 - _first(visible[::-1]) if seen else -1
        truth[name] = bool(facts[-1])
    return Watched(sign, read, known, last, truth)


def _sign(scenario: Scenario, d: Demonstration, noted: _Noted, ways: np.ndarray, read: int) -> int:
    """The tick of the first sign of the decision; see the module."""
    kind = None if scenario.decision_spec is None else scenario.decision_spec.kind
    if kind == "bay":
        return min(read, _first(d.ticks.get("executed_reverse", np.zeros(len(d), bool))))
    if kind not in (None, "lane"):
        return read
    offsets = np.abs(noted.offsets)
    if kind == "lane":
        beside = offsets[:, 0] > APART
    else:
        own = np.flatnonzero(ways == d.shown_decision)
        others = np.flatnonzero((ways != d.shown_decision) & (ways != UNDECIDED))
        if d.shown_decision == UNDECIDED or not len(own) or not len(others):
            return read
        beside = offsets[:, others].max(1) > offsets[:, own].min(1) + APART
    parted = min(read, _first(beside))
    steer = d.ticks["executed_steer"][:parted]
    if not len(steer) or abs(steer[-1]) < TURNED:
        return parted
    return len(steer) - _first((np.sign(steer[-1]) * steer < TURNED)[::-1])


def _first(mask: np.ndarray) -> int:
    """The index at which (T,) is first true; T if it never is."""
    return int(mask.argmax()) if mask.any() else len(mask)
