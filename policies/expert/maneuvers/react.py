"""Brakes early or late for a line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from policies.controllers.path_follower import DrivingStyle
from policies.expert.driver_state import HEED, control_by
from policies.expert.maneuvers.base import DrivingStyles, first_way, register
from policies.expert.reasoner import Belief
from sim.datatypes.action import Action
from sim.datatypes.episode import DecisionSpec
from sim.datatypes.vocabulary import DECISION
from sim.world.rollout import PrivilegedInput

EARLY = DrivingStyle.stop_line_lookahead  # [m] from a line at which an early reaction begins


@register("reaction")
class React:
    """Brake early or late for lines ahead, depending on the decision."""

    width = 0

    def __init__(self, decision_spec: DecisionSpec) -> None:
        del decision_spec  # a reaction is to any line ahead

    def act(
        self, seen: PrivilegedInput, thought: Belief, styles: DrivingStyles, memory: np.ndarray
    ) -> tuple[Action, np.ndarray]:
        """See `Maneuver.act`."""
        late = thought.decision == DECISION["late"]
        heeding = [(rows & (late == is_late), replace(style, stop_line_lookahead=HEED if is_late else EARLY))
                   for rows, style in styles for is_late in (False, True)]  # fmt: skip
        return control_by(seen.maps.arrays, thought.world, first_way(seen), heeding), memory
