"""The expert (demonstrator): a rule-following driver whose rule is hidden from the learner.

It consists of a reasoner (`policies.expert.reasoner`: memory of what was visible, and the rule), a maneuver
(`policies.expert.maneuvers`: going, waiting, slowing, parking) and a driving style. It reasons only on facts that the
learner's camera can show; it has no access to occluded facts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from policies.controllers.path_follower import DrivingStyle
from policies.expert.driver_state import control_by, driving_style_of, updated_anger
from policies.expert.maneuvers.registry import DrivingStyles, Maneuver, maneuver_for
from policies.expert.reasoner import Belief, Reasoner, RuleReasoner
from scenarios.rules.ast import Formula
from scenarios.rules.compile import evaluate_formula
from scenarios.scenario import Scenario
from sim.datatypes.action import Action
from sim.datatypes.episode import DecisionSpec
from sim.datatypes.vocabulary import DECISION, DECISIONS, UNDECIDED
from sim.datatypes.world_state import World
from sim.dynamics.impairment import drowsiness
from sim.world.rollout import PrivilegedInput

COMMITTED = 3.0  # [m] from the wanted route, beyond which ego has taken another route and cannot return


@dataclass(frozen=True)
class Label:
    """An expert label: action, decision, facts and driver state.

    Args:
        action: (S,).
        decision: (S,) int, index into DECISIONS.
        valid: (S,) bool; False once ego has taken another route: an action towards the wanted route would then
            be a maneuver that no expert would demonstrate (and that no learner should copy).
        facts: proposition -> (S,) bool as the expert knows it; empty where it has no rule.
        driver_state: (S,) float32, drowsiness or anger, 0 to 1: recorded, and not an input of the learner.
        memory: (S, D) float32, the next memory.
    """

    action: Action
    decision: np.ndarray
    valid: np.ndarray
    facts: dict[str, np.ndarray] = field(default_factory=dict)
    driver_state: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    memory: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))


class ReflexReasoner:
    """A reasoner without memory: a function of the world's rows."""

    width = 0

    def __init__(self, decide: Callable[[World], np.ndarray]) -> None:
        self.decide = decide

    def begin(self, worlds: int) -> np.ndarray:
        """Return an empty memory."""
        return np.zeros((worlds, 0), np.float32)

    def think(self, seen: PrivilegedInput, memory: np.ndarray) -> Belief:
        """See `policies.expert.reasoner.Reasoner`."""
        return Belief(np.asarray(self.decide(seen.world)), {}, seen.world, memory)


class Expert:
    """A rule-following driver.

    Args:
        decide: (world rows) -> (S,) decisions, or a reasoner, which may have a memory.
        style: its driving style.
        decision_spec: how the decision shows; None for exits of a junction.
        anger_trigger: formula over propositions that provokes anger while it holds; None for no anger.
        has_driver_state: whether episodes may give it a driver state.
    """

    needs = "state"

    def __init__(
        self,
        decide: Callable[[World], np.ndarray] | Reasoner,
        style: DrivingStyle | None = None,
        decision_spec: DecisionSpec | None = None,
        anger_trigger: Formula | None = None,
        has_driver_state: bool = False,
    ) -> None:
        self.anger_trigger, self.has_driver_state = anger_trigger, has_driver_state
        self.reasoner: Reasoner = decide if hasattr(decide, "think") else ReflexReasoner(decide)  # type: ignore[assignment, arg-type]
        self.style = style or DrivingStyle()
        self.maneuver: Maneuver | None = None if decision_spec is None else maneuver_for(decision_spec)

    @classmethod
    def of(cls, scenario: Scenario, style: DrivingStyle | None = None) -> Expert:
        """Create the expert that follows the scenario's rule."""
        return cls(
            RuleReasoner(scenario),
            style,
            scenario.decision_spec,
            scenario.anger_trigger,
            scenario.driver_state is not None,
        )

    @classmethod
    def of_route(cls, style: DrivingStyle | None = None) -> Expert:
        """Create an expert for episodes with keypoint routes: it follows the route and has no rule."""
        return cls(lambda world: np.full(len(world.tick), DECISION["straight"]), style)

    def begin(self, worlds: int) -> np.ndarray:
        """Initial memory of `worlds` episodes: of the reasoner, the driver state and the maneuver."""
        own = np.zeros((worlds, self.has_driver_state + (self.maneuver.width if self.maneuver else 0)), np.float32)
        return np.concatenate([self.reasoner.begin(worlds), own], 1)

    def act(self, seen: PrivilegedInput, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        """Drive by the rule."""
        label = self.label(seen, memory)
        return label.action, label.memory

    def label(self, seen: PrivilegedInput, memory: np.ndarray | None = None) -> Label:
        """Label every row with the expert's action and decision, and whether the label is still valid.

        Args:
            memory: (S, D) as `begin` or the last label returned it; None for an initial memory.

        Raises:
            ValueError: if the rule decides for an exit that the junction does not have.
        """
        memory = self.begin(len(seen.slots)) if memory is None else memory
        width = self.reasoner.width
        thought = self.reasoner.think(seen, memory[:, :width])
        mood, anger, styles = self._mood(seen, thought, memory[:, width : width + self.has_driver_state])
        after = memory[:, width + self.has_driver_state :]
        if self.maneuver is None:
            action, valid = self._way_out(seen, thought, styles)
        else:
            action, after = self.maneuver.act(seen, thought, styles, after)
            valid = np.abs(seen.world.route_offset[:, 0]) < COMMITTED
        after = np.concatenate([thought.memory, anger, after], 1)
        return Label(action, thought.decision, valid, thought.facts, mood, after)

    def _mood(
        self, seen: PrivilegedInput, thought: Belief, anger: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, DrivingStyles]:
        """The current driver state (S,), the next anger (S, 1), and the resulting driving styles."""
        n = len(seen.slots)
        if not self.has_driver_state:
            return np.zeros(n, np.float32), anger, [(np.ones(n, bool), self.style)]
        if self.anger_trigger is not None:
            anger = updated_anger(anger[:, 0], evaluate_formula(self.anger_trigger, thought.facts))[:, None]
        drowsy = drowsiness(seen.episodes, seen.world.tick)
        hurry = np.array([e.driver_state is not None and e.driver_state.hurry for e in seen.episodes], bool)
        return np.maximum(drowsy, anger[:, 0]), anger, driving_style_of(self.style, drowsy, anger[:, 0], hurry)

    def _way_out(self, seen: PrivilegedInput, thought: Belief, styles: DrivingStyles) -> tuple[Action, np.ndarray]:
        """Drive towards the exit of the decision: the action, and whether that exit can still be reached."""
        world, bank, decision = thought.world, seen.maps.arrays, thought.decision
        ways = np.where(world.route >= 0, bank.decision[world.route], UNDECIDED)
        match = ways == decision[:, None]
        if not match.any(1).all():
            w = int(np.flatnonzero(~match.any(1))[0])
            open_ways = [DECISIONS[d] for d in ways[w] if d >= 0]
            raise ValueError(f"the rule says {DECISIONS[decision[w]]!r}, but the junction only offers {open_ways}")
        wanted = match.argmax(1)
        rows = np.arange(len(wanted))
        offset = np.abs(np.where(world.route >= 0, world.route_offset, np.inf))
        strayed = offset[rows, wanted] > COMMITTED
        elsewhere = (world.shown_decision != UNDECIDED) & (world.shown_decision != decision)
        lost = elsewhere | (strayed & (offset.min(1) < offset[rows, wanted] - 1.0))
        nearest = np.where(elsewhere, (ways == world.shown_decision[:, None]).argmax(1), offset.argmin(1))
        target = np.where(lost, nearest, wanted)
        return control_by(bank, world, target, styles), ~(lost | strayed)


class Fixed(Expert):
    """An expert with a constant decision: a baseline, and a driver for films."""

    def __init__(
        self, decision: str, style: DrivingStyle | None = None, decision_spec: DecisionSpec | None = None
    ) -> None:
        if decision not in DECISIONS:
            raise ValueError(f"decision {decision!r}; known are {DECISIONS}")
        index = DECISIONS.index(decision)
        super().__init__(lambda world: np.full(len(world.tick), index), style, decision_spec)


class Idle:
    """A driver that never steers or accelerates."""

    needs = "state"

    def begin(self, worlds: int) -> np.ndarray:
        """Return an empty memory."""
        return np.zeros((worlds, 0), np.float32)

    def act(self, seen: PrivilegedInput, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        """Return zero steer and acceleration."""
        zeros = np.zeros(len(seen.slots), np.float32)
        return Action(zeros, zeros.copy()), memory
