"""Slows or stops within a stretch of the route."""

from __future__ import annotations

import numpy as np

from policies.expert.approach import place_of
from policies.expert.driver_state import control_by
from policies.expert.maneuvers.base import BEFORE, DrivingStyles, below, coming_to, first_way, register
from policies.expert.reasoner import Belief
from sim.datatypes.action import Action
from sim.datatypes.episode import DecisionSpec
from sim.datatypes.vocabulary import DECISION
from sim.world.rollout import PrivilegedInput

UNDER = 1.0  # [m/s] below the speed that counts as slow


@register("slow", "stop")
class SlowDown:
    """Slow down or stop within the decision_spec's stretch if that is the decision; otherwise follow the lane.

    Memory: whether ego has stopped.
    """

    width = 1

    def __init__(self, decision_spec: DecisionSpec) -> None:
        self.decision_spec = decision_spec

    def act(
        self, seen: PrivilegedInput, thought: Belief, styles: DrivingStyles, memory: np.ndarray
    ) -> tuple[Action, np.ndarray]:
        """See `Maneuver.act`."""
        memory = memory.copy()
        action = control_by(seen.maps.arrays, thought.world, first_way(seen), styles)
        front, speed = -place_of(seen).left[:, 0], seen.world.speed[:, 0]
        decision_spec = self.decision_spec
        slows = (thought.decision == DECISION["slow"]) | (thought.decision == DECISION["stop"])
        stops = thought.decision == DECISION["stop"]
        memory[:, 0] = np.maximum(memory[:, 0], (front > decision_spec.begin) & (speed < decision_spec.below))
        then = np.where(stops, 0.0, max(decision_spec.below - UNDER, 0.5))
        slow = np.maximum(coming_to(decision_spec.begin - front, then), then)
        limit = np.where(stops, coming_to(decision_spec.end - BEFORE - front), slow)
        on = slows & (front < decision_spec.end) & ~(stops & (memory[:, 0] > 0))
        return below(action, speed, np.where(on, limit, np.inf)), memory
