"""The demonstrator: keeps its lane, slows for the turn, and obeys a rule that only it knows.

It evaluates the rule on propositions that the learner's camera can show; it is told no occluded fact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from policies.controller import Manner, control
from scenarios.environment import truth_of
from scenarios.rules.evaluate import evaluate
from scenarios.spec import Scenario
from sim.rollout import Truth
from sim.types import DECISION, DECISIONS, NO_BRANCH, Action, World

COMMITTED = 3.0  # [m] from the wanted route at which a car has taken another way and can no longer be put right


@dataclass(frozen=True)
class Label:
    """What the expert would do.

    Args:
        action: (S,).
        decision: (S,) int, index into DECISIONS.
        valid: (S,) bool; False once ego has taken another way: an action towards the wanted route would then
            be a manoeuvre that no demonstrator would show (and that no learner should copy).
    """

    action: Action
    decision: np.ndarray
    valid: np.ndarray


class Expert:
    """A rule-following driver.

    Args:
        decide: (world rows) -> (S,) decisions.
        manner: how it drives.
    """

    needs = "state"

    def __init__(self, decide: Callable[[World], np.ndarray], manner: Manner | None = None) -> None:
        self.decide = decide
        self.manner = manner or Manner()

    @classmethod
    def of(cls, scenario: Scenario, manner: Manner | None = None) -> Expert:
        """The expert who thinks the scenario's rule."""
        return cls(lambda world: evaluate(scenario.rule, truth_of(scenario, world)), manner)

    @classmethod
    def of_route(cls, manner: Manner | None = None) -> Expert:
        """The expert of episodes whose keypoints say the way: it follows their route and thinks no rule."""
        return cls(lambda world: np.full(len(world.tick), DECISION["straight"]), manner)

    def begin(self, worlds: int) -> np.ndarray:
        """No memory is needed: every premise is in view."""
        return np.zeros((worlds, 0), np.float32)

    def act(self, seen: Truth, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        """Drive the way that the rule says."""
        return self.label(seen).action, memory

    def label(self, seen: Truth) -> Label:
        """What to do in every row, and whether that still makes sense.

        Raises:
            ValueError: when the rule decides for a way that the junction does not have.
        """
        world, bank = seen.world, seen.maps.arrays
        decision = np.asarray(self.decide(world))
        ways = np.where(world.route >= 0, bank.decision[world.route], NO_BRANCH)
        match = ways == decision[:, None]
        if not match.any(1).all():
            w = int(np.flatnonzero(~match.any(1))[0])
            open_ways = [DECISIONS[d] for d in ways[w] if d >= 0]
            raise ValueError(f"the rule says {DECISIONS[decision[w]]!r}, but the junction only offers {open_ways}")
        wanted = match.argmax(1)
        rows = np.arange(len(wanted))
        offset = np.abs(np.where(world.route >= 0, world.route_offset, np.inf))
        strayed = offset[rows, wanted] > COMMITTED
        elsewhere = (world.branch != NO_BRANCH) & (world.branch != decision)
        lost = elsewhere | (strayed & (offset.min(1) < offset[rows, wanted] - 1.0))
        nearest = np.where(elsewhere, (ways == world.branch[:, None]).argmax(1), offset.argmin(1))
        target = np.where(lost, nearest, wanted)
        return Label(control(bank, world, target, self.manner), decision, ~(lost | strayed))


class Fixed(Expert):
    """Always the same decision: a baseline, and the driver of films."""

    def __init__(self, decision: str, manner: Manner | None = None) -> None:
        if decision not in DECISIONS:
            raise ValueError(f"decision {decision!r}; known are {DECISIONS}")
        index = DECISIONS.index(decision)
        super().__init__(lambda world: np.full(len(world.tick), index), manner)


class Idle:
    """Does nothing at all."""

    needs = "state"

    def begin(self, worlds: int) -> np.ndarray:
        """No memory."""
        return np.zeros((worlds, 0), np.float32)

    def act(self, seen: Truth, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        """Neither steers nor accelerates."""
        zeros = np.zeros(len(seen.slots), np.float32)
        return Action(zeros, zeros.copy()), memory
