"""Takeovers: the expert's own future from states that a learner led to, in another rollout of the episode.

A world's bytes depend on its seed and its actions alone, so an episode can be driven again with the same actions up to
any tick, and from there by the expert. What ego then does is what the expert intended at that tick, expressed as
driving, like all else that it demonstrates.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dagger.training.demonstrations import Takeover
from policies.expert.expert import Expert
from sim.datatypes.action import Action
from sim.datatypes.vocabulary import OUTCOME
from sim.world.backend import Backend
from sim.world.rollout import PrivilegedInput, Trajectory, rollout

CHANCES = 13  # with the episode's seed, the seed of the generator of its takeovers


class _Resumed:
    """A policy that repeats a trajectory's actions up to a tick of every world, and is the expert from there.

    Args:
        trajectory: of B worlds; ticks: (B,) int, when the expert takes over.
    """

    needs = "state"

    def __init__(self, expert: Expert, trajectory: Trajectory, ticks: np.ndarray) -> None:
        self.expert, self.trajectory, self.ticks = expert, trajectory, ticks
        self._now = 0

    def begin(self, worlds: int) -> Any:
        """The expert's memory; the expert is evaluated from the start."""
        return self.expert.begin(worlds)

    def act(self, seen: PrivilegedInput, memory: Any) -> tuple[Action, Any]:
        """The recorded action, or the expert's."""
        label = self.expert.label(seen, memory)
        own = self.ticks[seen.slots] <= self._now
        now = min(self._now, self.trajectory.steer.shape[1] - 1)
        gears = self.trajectory.reverse
        recorded = Action(
            self.trajectory.steer[seen.slots, now],
            self.trajectory.acceleration[seen.slots, now],
            None if gears is None else gears[seen.slots, now],
        )
        self._now += 1
        return label.action.where(own, recorded), label.memory


def takeovers(
    backend: Backend, expert: Expert, trajectory: Trajectory, labelled: np.ndarray, each: int
) -> list[tuple[Takeover, ...]]:
    """The expert's own drives from `each` ticks of every world to the end, a tuple per world, by tick.

    The ticks are drawn from the world's own seed, one from each of `each` equal parts of its drive. Ticks at which the
    expert's label is invalid, and rollouts that do not arrive, are left out.

    Args:
        backend: in which the trajectory was driven; its worlds are reset.
        trajectory: B worlds, T ticks.
        labelled: (B, T) bool, whether the expert's label is valid.
    """
    lengths = trajectory.ticks
    chances = [np.random.default_rng([e.seed, CHANCES]) for e in trajectory.episodes]
    found: list[list[Takeover]] = [[] for _ in trajectory.episodes]
    for part in range(each):
        share = np.array([(part + c.random()) / each for c in chances])
        ticks = np.minimum((share * lengths).astype(int), lengths - 1)
        again = rollout(backend, _Resumed(expert, trajectory, ticks), trajectory.episodes)
        for w, tick in enumerate(ticks.tolist()):
            if again.outcome[w] == OUTCOME["arrived"] and labelled[w, tick]:
                motion = np.stack([again.moving[k][w, tick : again.ticks[w], 0] for k in ("x", "y", "yaw", "speed")], 1)
                found[w].append(Takeover(tick, motion.astype(np.float32)))
    return [tuple(row) for row in found]
