"""Maneuvers of the expert: controls for decisions other than an exit (wait or go, slow, stop, park, change lane).

All start from the lane follower of `policies.controllers.path_follower` and add a speed limit along the route that the
decision requires, reached with comfortable braking. Memory is float32 (S, width), the slot first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from policies.controllers.path_follower import DrivingStyle
from policies.expert.approach import Place, junction_of, place_of
from policies.expert.driver_state import HEED, control_by
from policies.expert.reasoner import Belief
from policies.planning.parking import WIDTH, Parker
from sim.datatypes.action import Action
from sim.datatypes.episode import DecisionSpec
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import DECISION, DECISIONS, ROUTE_SPACING
from sim.road.graph.decision_points import bays_of
from sim.road.map.lane_arrays import GATE
from sim.world.decision_detectors import ORDERS
from sim.world.rollout import PrivilegedInput

BRAKING = 1.8  # [m/s^2] on the approach to a line
GRIP = 0.3  # [s] within which an excess of speed is removed
HARDEST = 6.0  # [m/s^2]
BEFORE = 1.0  # [m] before a line, where ego stops
AT_LINE = 2.5  # [m] from a line within which a standing ego is at it
PAST = 0.5  # [m] behind a line, beyond which ego no longer stops for it
NOWHERE = np.float32(-1e6)  # [m] along a route: a line that is behind ego
STANDS = 0.1  # [m/s] below which ego stands
TICK = Simulation().tick  # [s]
CLEAR = 1.0  # [m] by which another actor's rear must have left the decision point
CHANGED = 0.8  # share of the stretch after which a lane change is complete
EARLY = DrivingStyle.stop_line_lookahead  # [m] from a line at which an early reaction begins
UNDER = 1.0  # [m/s] below the speed that counts as slow


DrivingStyles = list[tuple[np.ndarray, DrivingStyle]]  # mask of rows (S,) bool, their driving style


class Maneuver(Protocol):
    """A controller that carries out a kind of decision; `width` is the number of its memory columns."""

    width: int

    def act(
        self, seen: PrivilegedInput, thought: Belief, styles: DrivingStyles, memory: np.ndarray
    ) -> tuple[Action, np.ndarray]:
        """Return the action (S,) of the rows in their driving styles, and the next memory."""


def maneuver_for(decision_spec: DecisionSpec) -> Maneuver:
    """Return the maneuver that carries out the decisions of a decision_spec.

    Raises:
        ValueError: for a kind without a maneuver.
    """
    if decision_spec.kind in ORDERS:
        return Turn(decision_spec)
    kinds: dict[str, Callable[[], Maneuver]] = {
        "lane": lambda: ChangeLane(decision_spec),
        "bay": Park,
        "reaction": React,
    }
    return kinds[decision_spec.kind]() if decision_spec.kind in kinds else SlowDown(decision_spec)


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
        fresh = there & (memory[:, 0] == 0)
        memory[fresh, 0] = 1 + thought.decision[fresh]
        known = (stage > 0).sum(1)
        before = np.minimum(self._before(memory[:, 0].astype(np.int64) - 1, known), known)
        free = (memory[:, 0] > 0) & ((stage == 3).sum(1) >= before)
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


class React:
    """Brake early or late for lines ahead, depending on the decision."""

    width = 0

    def act(
        self, seen: PrivilegedInput, thought: Belief, styles: DrivingStyles, memory: np.ndarray
    ) -> tuple[Action, np.ndarray]:
        """See `Maneuver.act`."""
        late = thought.decision == DECISION["late"]
        heeding = [(rows & (late == is_late), replace(style, stop_line_lookahead=HEED if is_late else EARLY))
                   for rows, style in styles for is_late in (False, True)]  # fmt: skip
        return control_by(seen.maps.arrays, thought.world, first_way(seen), heeding), memory


class Park:
    """Park in the bay of the decision; drive past all bays if the decision is "go"."""

    width = WIDTH

    def __init__(self) -> None:
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
        heading = seen.maps.arrays.points[self._row(seen), 2]
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
