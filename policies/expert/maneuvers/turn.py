"""Waits at a line for its turn, and goes: decisions about an order of right of way."""

from __future__ import annotations

import numpy as np

from policies.expert.approach import Place, place_of
from policies.expert.driver_state import control_by
from policies.expert.maneuvers.base import BEFORE, STANDS, DrivingStyles, first_way, halting, register
from policies.expert.reasoner import Belief
from sim.datatypes.action import Action
from sim.datatypes.episode import DecisionSpec
from sim.datatypes.vocabulary import DECISIONS
from sim.road.map.lane_arrays import GATE
from sim.world.rollout import PrivilegedInput

AT_LINE = 2.5  # [m] from a line within which a standing ego is at it
PAST = 0.5  # [m] behind a line, beyond which ego no longer stops for it
NOWHERE = np.float32(-1e6)  # [m] along a route: a line that is behind ego
CLEAR = 1.0  # [m] by which another actor's rear must have left the decision point


@register("order", "yield", "place")
class Turn:
    """Stop at the line, decide there on the order of right of way, and go when ego's turn has come.

    Ego stops even if no other actor is there, so that actors timed to its arrival come as the scenario says; of other
    lines it obeys only traffic lights. Memory: the decision made at the line plus one, and the stage of each actor that
    the decision_spec names: 0 not yet seen, 1 seen, 2 was inside the decision point, 3 has left it.
    """

    def __init__(self, decision_spec: DecisionSpec) -> None:
        self.decision_spec = decision_spec
        self.width = 1 + len(decision_spec.actors)

    def act(
        self, seen: PrivilegedInput, thought: Belief, styles: DrivingStyles, memory: np.ndarray
    ) -> tuple[Action, np.ndarray]:
        """See `Maneuver.act`."""
        memory, bank = memory.copy(), seen.maps.arrays
        lights = np.where(bank.gate_kind == GATE["light"], bank.gate_s, NOWHERE)
        action = control_by(bank._replace(gate_s=lights), thought.world, first_way(seen), styles)
        place, speed = place_of(seen), seen.world.speed[:, 0]
        stage = self._stages(place, thought, seen, memory[:, 1:])
        room = place.left[:, 0]
        there = (room < AT_LINE) & (speed < STANDS) | (room < 0)
        decided = memory[:, 0]  # a view, so that what is written is remembered
        fresh = there & (decided == 0)
        decided[fresh] = 1 + thought.decision[fresh]
        known = (stage > 0).sum(1)
        before = np.minimum(self._before(decided.astype(np.int64) - 1, known), known)
        free = (decided > 0) & ((stage == 3).sum(1) >= before)
        held = ~free & (room > -PAST)
        return halting(action, speed, np.where(held, room - BEFORE, np.inf), styles), memory

    def _stages(self, place: Place, thought: Belief, seen: PrivilegedInput, memory: np.ndarray) -> np.ndarray:
        """(S, K) stages of the actors that the decision_spec names; also writes them into the memory (S, K)."""
        slots = np.array(
            [[1 + [a.name for a in e.actors].index(n) for n in self.decision_spec.actors] for e in seen.episodes]
        )
        world = thought.world

        def of(array: np.ndarray) -> np.ndarray:
            return np.take_along_axis(array, slots, 1)

        here, left = of(world.kind) != 0, of(place.left)
        out = ~here | (left - of(world.length) > CLEAR) & ~of(place.nearing)
        stage = np.maximum(memory, here)
        stage = np.where(here & (left < 0), 2, np.where((stage == 2) & out, 3, stage))
        memory[:] = stage
        return stage

    @staticmethod
    def _before(decision: np.ndarray, known: np.ndarray) -> np.ndarray:
        """(S,) number of actors that must pass before ego, out of the `known` ones."""
        words = [DECISIONS[d] if d >= 0 else "go" for d in decision]
        ranks = [int(w[6:]) - 1 if w.startswith("place ") else 0 if w == "go" else n for w, n in zip(words, known)]
        return np.array(ranks, np.int64).reshape(-1)
