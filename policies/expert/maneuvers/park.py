"""Parks in a bay, or drives past all of them."""

from __future__ import annotations

import numpy as np

from policies.expert.driver_state import control_by
from policies.expert.maneuvers.base import DrivingStyles, first_way, register
from policies.expert.reasoner import Belief
from policies.planning.parking import WIDTH, Parker
from sim.datatypes.action import Action
from sim.datatypes.episode import DecisionSpec
from sim.datatypes.vocabulary import DECISIONS
from sim.road.graph.decision_points import bays_of
from sim.world.rollout import PrivilegedInput


@register("bay")
class Park:
    """Park in the bay of the decision; drive past all bays if the decision is "go"."""

    width = WIDTH

    def __init__(self, decision_spec: DecisionSpec) -> None:
        self.parker = Parker()

    def act(
        self, seen: PrivilegedInput, thought: Belief, styles: DrivingStyles, memory: np.ndarray
    ) -> tuple[Action, np.ndarray]:
        """See `Maneuver.act`."""
        words = [DECISIONS[d] for d in thought.decision]
        parks = np.array([word.startswith("bay ") for word in words], bool)
        bays = np.zeros((len(words), 5), np.float32)
        for i, word in enumerate(words):
            there = bays_of(seen.maps.maps[seen.world.map[i]])
            bays[i] = there[min(int(word[4:]), len(there)) - 1 if parks[i] else 0]
        passing = control_by(seen.maps.arrays, thought.world, first_way(seen), styles)
        parking, after, _ = self.parker.act(seen.maps.arrays, thought.world, bays, memory)
        return parking.where(parks, passing), np.where(parks[:, None], after, memory)
