"""From a decision to pedals and wheel, where the decision is no way out: going and waiting, slowing, stopping.

All begin with the lane follower of `policies.controller`; what a decision asks for besides is a speed that must not be
exceeded on the way, met at a comfortable braking. Memory is float32 (S, width), the slot first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from policies.controller import Manner
from policies.mind import Thought
from policies.moods import HEED, control_by
from policies.parking import WIDTH, Parker
from policies.places import place_of
from sim.composed import bays_of
from sim.config import Trial
from sim.rollout import Truth
from sim.trials import ORDERS
from sim.types import DECISION, DECISIONS, Action

BRAKING = 1.8  # [m/s^2] with which a line is come up to
GRIP = 0.3  # [s] in which a speed that is too high is brought down
HARDEST = 6.0  # [m/s^2]
BEFORE = 1.0  # [m] before a line at which one comes to stand
AT_LINE = 2.5  # [m] from it one stands there
STANDS = 0.3  # [m/s]
CLEAR = 1.0  # [m] that another's rear must be out of the place
EARLY = Manner.heed  # [m] from a line at which who reacts early heeds it
UNDER = 1.0  # [m/s] below the speed that counts as slow


Manners = list[tuple[np.ndarray, Manner]]  # which rows (S,) bool drive in which


class Hands(Protocol):
    """Drives a decision; `width` columns of memory are its own."""

    width: int

    def act(self, seen: Truth, thought: Thought, manners: Manners, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        """Action (S,) for the rows, of which each has its manner, and the memory afterwards."""


def hands_of(trial: Trial) -> Hands:
    """Whoever can drive the decisions of a trial.

    Raises:
        ValueError: for a kind that nobody drives.
    """
    if trial.kind in ORDERS:
        return Turns(trial)
    known = {"bay": Parks, "reaction": Reacts}
    return known[trial.kind]() if trial.kind in known else Slows(trial)


def first_way(seen: Truth) -> np.ndarray:
    """(S,) the number of the only way that these episodes have."""
    return np.zeros(len(seen.slots), np.int64)


def below(action: Action, speed: np.ndarray, limit: np.ndarray) -> Action:
    """The action with no more acceleration than keeps the speed (S,) under a limit (S,) [m/s]."""
    most = np.maximum((limit - speed) / GRIP, -HARDEST).astype(np.float32)
    return replace(action, acceleration=np.minimum(action.acceleration, most))


def coming_to(room: np.ndarray, then: float | np.ndarray = 0.0) -> np.ndarray:
    """The speed [m/s] from which one gets down to `then` within `room` [m]."""
    return np.sqrt(np.square(then) + 2.0 * BRAKING * np.maximum(room, 0.0))


class Turns:
    """Comes to a halt at the line, looks, and goes when it is its turn by the decision of that moment.

    Who meets nobody rolls on. Memory: the decision made at the line plus one, and which slots have gone through.
    """

    _GONE = 64  # room for slots

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.width = 1 + self._GONE

    def act(self, seen: Truth, thought: Thought, manners: Manners, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        """See `Hands.act`."""
        memory = memory.copy()
        action = control_by(seen.maps.arrays, thought.world, first_way(seen), manners)
        place, speed = place_of(seen), seen.world.speed[:, 0]
        slots = self._slots(seen)
        named = np.zeros(place.left.shape, bool)
        np.put_along_axis(named, slots, True, 1)
        gone = self._gone(place, thought, named, memory)
        room = place.left[:, 0]
        there = (room < AT_LINE) & (speed < STANDS) | (room < 0)
        fresh = there & (memory[:, 0] == 0)
        memory[fresh, 0] = 1 + thought.decision[fresh]
        chosen = memory[:, 0].astype(np.int64) - 1
        met = (named & (thought.world.kind != 0)).any(1)
        free = (chosen >= 0) & (gone >= self._before(chosen, slots.shape[1]))
        held = ~free & met & (room > -0.5)
        limit = np.where(held, coming_to(room - BEFORE), np.inf)
        return below(action, speed, limit), memory

    def _slots(self, seen: Truth) -> np.ndarray:
        """(S, K) the slots of those whom the trial names."""
        return np.array([[1 + [a.name for a in e.actors].index(n) for n in self.trial.actors] for e in seen.episodes])

    def _gone(self, place, thought: Thought, named: np.ndarray, memory: np.ndarray) -> np.ndarray:  # type: ignore[no-untyped-def]
        """(S,) how many of the named have been in the place and are out of it, or cannot be seen any more."""
        n = named.shape[1]
        here = thought.world.kind != 0
        flags = memory[:, 1 : 1 + n]
        out = (place.left - thought.world.length > CLEAR) & ~place.nearing
        inside = here & (place.left < 0)
        flags[:] = np.where(inside, 1.0, flags)
        flags[:] = np.where((flags == 1) & (out | ~here), 2.0, flags)
        return ((flags == 2) & named).sum(1)

    @staticmethod
    def _before(decision: np.ndarray, most: int) -> np.ndarray:
        """(S,) how many must have gone before ego may."""
        words = [DECISIONS[d] if d >= 0 else "go" for d in decision]
        return np.array([int(w[6:]) - 1 if w.startswith("place ") else 0 if w == "go" else most for w in words])


class Slows:
    """Is slow, or has stopped, within the trial's stretch where that is the decision, and drives on as ever where not.

    Memory: whether it has stopped.
    """

    width = 1

    def __init__(self, trial: Trial) -> None:
        self.trial = trial

    def act(self, seen: Truth, thought: Thought, manners: Manners, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        """See `Hands.act`."""
        memory = memory.copy()
        action = control_by(seen.maps.arrays, thought.world, first_way(seen), manners)
        front, speed = -place_of(seen).left[:, 0], seen.world.speed[:, 0]
        trial = self.trial
        slows = (thought.decision == DECISION["slow"]) | (thought.decision == DECISION["stop"])
        stops = thought.decision == DECISION["stop"]
        memory[:, 0] = np.maximum(memory[:, 0], (front > trial.begin) & (speed < trial.below))
        then = np.where(stops, 0.0, max(trial.below - UNDER, 0.5))
        slow = np.maximum(coming_to(trial.begin - front, then), then)
        limit = np.where(stops, coming_to(trial.end - BEFORE - front), slow)
        on = slows & (front < trial.end) & ~(stops & (memory[:, 0] > 0))
        return below(action, speed, np.where(on, limit, np.inf)), memory


class Reacts:
    """Brakes for lines ahead as soon as they are seen, and only when they are near where that is the decision."""

    width = 0

    def act(self, seen: Truth, thought: Thought, manners: Manners, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        """See `Hands.act`."""
        late = thought.decision == DECISION["late"]
        heeding = [(rows & (late == is_late), replace(manner, heed=HEED if is_late else EARLY))
                   for rows, manner in manners for is_late in (False, True)]  # fmt: skip
        return control_by(seen.maps.arrays, thought.world, first_way(seen), heeding), memory


class Parks:
    """Parks in the bay that was decided for; drives past all of them where the decision is to go on."""

    width = WIDTH

    def __init__(self) -> None:
        self.parker = Parker()

    def act(self, seen: Truth, thought: Thought, manners: Manners, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        """See `Hands.act`."""
        words = [DECISIONS[d] for d in thought.decision]
        parks = np.array([word.startswith("bay ") for word in words], bool)
        bays = np.zeros((len(words), 5), np.float32)
        for i, word in enumerate(words):
            there = bays_of(seen.maps.maps[seen.world.map[i]])
            bays[i] = there[min(int(word[4:]), len(there)) - 1 if parks[i] else 0]
        passing = control_by(seen.maps.arrays, thought.world, first_way(seen), manners)
        parking, after, _ = self.parker.act(seen.maps.arrays, thought.world, bays, memory)
        return parking.where(parks, passing), np.where(parks[:, None], after, memory)
