"""Declarations of maneuvers, and the parts that they share: what a file of this folder registers.

A maneuver gives the controls that carry out a decision other than a way out. All start from the lane follower of
`policies.controllers.path_follower` and add a speed limit along the route that the decision requires, reached with
comfortable braking. Memory is float32 (S, width), the slot first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TypeVar

import numpy as np

from policies.controllers.path_follower import DrivingStyle
from policies.expert.reasoner import Belief
from sim.datatypes.action import Action
from sim.datatypes.episode import DecisionSpec
from sim.datatypes.simulation import Simulation
from sim.world.decisions.registry import kind_named
from sim.world.rollout import PrivilegedInput

BRAKING = 1.8  # [m/s^2] on the approach to a line
GRIP = 0.3  # [s] within which an excess of speed is removed
HARDEST = 6.0  # [m/s^2]
BEFORE = 1.0  # [m] before a line, where ego stops
STANDS = 0.1  # [m/s] below which ego stands
TICK = Simulation().tick  # [s]

DrivingStyles = list[tuple[np.ndarray, DrivingStyle]]  # mask of rows (S,) bool, their driving style


class Maneuver(Protocol):
    """A controller that carries out a kind of decision; `width` is the number of its memory columns."""

    width: int

    def act(
        self, seen: PrivilegedInput, thought: Belief, styles: DrivingStyles, memory: np.ndarray
    ) -> tuple[Action, np.ndarray]:
        """Return the action (S,) of the rows in their driving styles, and the next memory."""


Made = TypeVar("Made", bound=Callable[[DecisionSpec], Maneuver])
MANEUVERS: dict[str, Callable[[DecisionSpec], Maneuver]] = {}  # kind of decision -> what makes its maneuver


def register(*kinds: str) -> Callable[[Made], Made]:
    """Register a class, called with the `DecisionSpec`, as the maneuver of kinds of decision.

    Raises:
        ValueError: for an unknown kind, or one that has a maneuver.
    """

    def add(made: Made) -> Made:
        for kind in kinds:
            if kind_named(kind).name in MANEUVERS:
                raise ValueError(f"there is a maneuver for decisions of kind {kind!r} already")
            MANEUVERS[kind] = made
        return made

    return add


def first_way(seen: PrivilegedInput) -> np.ndarray:
    """(S,) zeros: the index of the only route of these episodes."""
    return np.zeros(len(seen.slots), np.int64)


def below(action: Action, speed: np.ndarray, limit: np.ndarray) -> Action:
    """Limit an action's acceleration so that the speed (S,) stays below a limit (S,) [m/s]."""
    most = np.maximum((limit - speed) / GRIP, -HARDEST).astype(np.float32)
    return replace(action, acceleration=np.minimum(action.acceleration, most))


def halting(action: Action, speed: np.ndarray, room: np.ndarray, styles: DrivingStyles) -> Action:
    """Limit an action's acceleration so that ego stops within `room` (S,) [m] at its driving style's constant braking.

    The same formula as `sim.dynamics.bicycle.stopping_speed`.
    """
    braking = np.full(len(speed), BRAKING)
    for rows, style in styles:
        braking[rows] = style.braking
    half = 0.5 * braking * TICK
    least = np.sqrt(np.maximum(half**2 + 2.0 * (braking * np.maximum(room, 0.0) - half * speed), 0.0))
    then = np.maximum(least - half, 0.0)
    most = np.maximum((then - speed) / TICK, -HARDEST).astype(np.float32)
    return replace(action, acceleration=np.minimum(action.acceleration, most))


def coming_to(room: np.ndarray, then: float | np.ndarray = 0.0) -> np.ndarray:
    """The highest speed [m/s] from which braking reaches `then` within `room` [m]."""
    return np.sqrt(np.square(then) + 2.0 * BRAKING * np.maximum(room, 0.0))
