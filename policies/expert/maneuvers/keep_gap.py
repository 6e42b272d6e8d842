"""Keeps a time gap to a vehicle ahead until the end of a stretch of the route."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from policies.expert.approach import place_of
from policies.expert.driver_state import control_by
from policies.expert.maneuvers.base import HARDEST, DrivingStyles, first_way, register
from policies.expert.reasoner import Belief
from sim.datatypes.action import Action
from sim.datatypes.episode import DecisionSpec
from sim.datatypes.vocabulary import DECISIONS
from sim.world.decisions.base import slots_of
from sim.world.decisions.time_gap import distance_ahead
from sim.world.rollout import PrivilegedInput

STIFFNESS, DAMPING = 0.25, 0.8  # [1/s^2], [1/s]: acceleration for a metre too much, for 1 m/s of opening
LEAST = 3.0  # [m] between the bumpers, however slow ego is
REACH = 60.0  # [m] beyond which a vehicle ahead is not followed


@register("gap")
class KeepGap:
    """Follow the nearest of the decision_spec's actors at the decision's number of seconds; then follow the lane.

    The law is that of a constant time gap: the acceleration is proportional to what the distance lacks and to the
    difference of the speeds. The lane follower keeps away from everyone else.
    """

    width = 0

    def __init__(self, decision_spec: DecisionSpec) -> None:
        self.decision_spec = decision_spec

    def act(
        self, seen: PrivilegedInput, thought: Belief, styles: DrivingStyles, memory: np.ndarray
    ) -> tuple[Action, np.ndarray]:
        """See `Maneuver.act`."""
        world, bank = thought.world, seen.maps.arrays
        slots = np.array([slots_of(self.decision_spec, episode) for episode in seen.episodes])
        metres = distance_ahead(world, slice(None), slots)
        nearest, rows = metres.argmin(1), np.arange(len(metres))
        ahead, lead, speed = metres[rows, nearest], slots[rows, nearest], world.speed[:, 0]
        follows = (ahead < REACH) & (-place_of(seen).left[:, 0] < self.decision_spec.end)
        kind = world.kind.copy()
        kind[rows[follows], lead[follows]] = 0  # the lane follower would keep a gap of its own
        free = control_by(bank, world._replace(kind=kind), first_way(seen), styles)
        seconds = np.array([int(DECISIONS[d].removeprefix("gap ")) for d in thought.decision])
        lacks = np.where(follows, ahead, 0.0) - np.maximum(seconds * speed, LEAST)
        wanted = np.maximum(STIFFNESS * lacks + DAMPING * (world.speed[rows, lead] - speed), -HARDEST)
        held = np.minimum(free.acceleration, np.where(follows, wanted, np.inf)).astype(np.float32)
        return replace(free, acceleration=held), memory
