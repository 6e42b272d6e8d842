"""Changes to a lane along a stretch of the route."""

from __future__ import annotations

import numpy as np

from policies.expert.approach import junction_of, place_of
from policies.expert.driver_state import control_by
from policies.expert.maneuvers.base import DrivingStyles, first_way, register
from policies.expert.reasoner import Belief
from sim.datatypes.action import Action
from sim.datatypes.episode import DecisionSpec
from sim.datatypes.vocabulary import DECISIONS, ROUTE_SPACING
from sim.world.rollout import PrivilegedInput

CHANGED = 0.8  # share of the stretch after which a lane change is complete


@register("lane")
class ChangeLane:
    """Change to the lane of the decision along the decision_spec's stretch, and stay there."""

    width = 0

    def __init__(self, decision_spec: DecisionSpec) -> None:
        self.decision_spec = decision_spec

    def act(
        self, seen: PrivilegedInput, thought: Belief, styles: DrivingStyles, memory: np.ndarray
    ) -> tuple[Action, np.ndarray]:
        """See `Maneuver.act`."""
        front, decision_spec = -place_of(seen).left[:, 0], self.decision_spec
        lane = np.array([int(DECISIONS[d][5:]) for d in thought.decision])
        over = np.clip((front - decision_spec.begin) / (CHANGED * (decision_spec.end - decision_spec.begin)), 0.0, 1.0)
        aside = (lane - 1) * self._lane_widths(seen) * over * over * (3.0 - 2.0 * over)
        # Shift the whole world right by the offset wanted to the left: ego's route then lies on the target lane.
        _, _, heading, _ = seen.maps.arrays.points[self._row(seen)].T
        dx, dy = (aside * np.sin(heading)).astype(np.float32), (aside * np.cos(heading)).astype(np.float32)
        moved = thought.world._replace(x=thought.world.x + dx[:, None], y=thought.world.y - dy[:, None])
        return control_by(seen.maps.arrays, moved, first_way(seen), styles), memory

    @staticmethod
    def _row(seen: PrivilegedInput) -> np.ndarray:
        """(S,) ego's row in the points of all paths."""
        bank, route = seen.maps.arrays, seen.world.route[:, 0]
        row = bank.path_start[route] + (seen.world.route_s[:, 0] / ROUTE_SPACING).astype(np.int64)
        return np.clip(row, bank.path_start[route], bank.path_start[route + 1] - 1)

    @staticmethod
    def _lane_widths(seen: PrivilegedInput) -> np.ndarray:
        """(S,) [m] of the lane on which each ego starts."""
        return np.array([junction_of(seen, i).arms[e.arm].lane_width for i, e in enumerate(seen.episodes)])
