"""Rule annotator: the expert's facts and decision at every tick while any driver drives; used for film captions.

A proposition that depends on something occluded is False until it could be seen. Once the drive has shown a decision,
the expert's decision no longer changes.
"""

from __future__ import annotations

import numpy as np

from policies.expert.expert import Expert
from sim.datatypes.vocabulary import DECISIONS, UNDECIDED
from sim.datatypes.world_state import World
from sim.world.backend import Backend
from sim.world.rollout import PrivilegedInput, observe_for


class RuleAnnotator:
    """Evaluates the expert on world 0 of a backend, once per tick however often it is queried.

    Args:
        expert: the expert to evaluate.
        backend: the backend whose world is driven.
    """

    def __init__(self, expert: Expert, backend: Backend) -> None:
        self.expert, self.backend = expert, backend
        self._tick = -1
        self._facts: dict[str, bool] = {}
        self._wanted = ""
        self._memory = expert.begin(1)

    def facts(self, world: World) -> dict[str, bool]:
        """Proposition -> whether it holds, as far as the expert knows now."""
        self._think(world)
        return self._facts

    def wanted(self, world: World) -> str:
        """The expert's decision."""
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
