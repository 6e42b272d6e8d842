"""Thinks along with whoever drives: what the demonstrator would know at every tick, and what it would do about it.

For films and their captions. A proposition that hangs on something hidden is false until it could be seen; once the
drive has shown a decision, what was wanted stands as it was.
"""

from __future__ import annotations

import numpy as np

from policies.expert.expert import Expert
from sim.datatypes.vocabulary import DECISIONS, UNDECIDED
from sim.datatypes.world_state import World
from sim.world.backend import Backend
from sim.world.rollout import PrivilegedInput, observe_for


class RuleAnnotator:
    """Watches world 0 of a backend; asked once a tick or oftener, it thinks once.

    Args:
        expert: who thinks along.
        backend: of the world that is driven.
    """

    def __init__(self, expert: Expert, backend: Backend) -> None:
        self.expert, self.backend = expert, backend
        self._tick = -1
        self._facts: dict[str, bool] = {}
        self._wanted = ""
        self._memory = expert.begin(1)

    def facts(self, world: World) -> dict[str, bool]:
        """Proposition -> whether it holds, as far as the demonstrator knows now."""
        self._think(world)
        return self._facts

    def wanted(self, world: World) -> str:
        """What it would decide."""
        self._think(world)
        return self._wanted

    def _think(self, world: World) -> None:
        if (tick := int(world.tick[0])) == self._tick:
            return
        if tick < self._tick:  # another episode has begun
            self._memory = self.expert.begin(1)
        self._tick = tick
        seen = observe_for(self.backend, "state", np.zeros(1, int))
        assert isinstance(seen, PrivilegedInput)
        label = self.expert.label(seen, self._memory)
        self._memory = label.memory
        self._facts = {name: bool(truth[0]) for name, truth in label.facts.items()}
        if world.shown_decision[0] == UNDECIDED or not self._wanted:
            self._wanted = DECISIONS[int(label.decision[0])]
