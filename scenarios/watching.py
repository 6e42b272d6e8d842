"""What is true of a running world as it unfolds, for those who look on: what holds now, what has held, what was drawn.

A spectator sees all that there is, so this is no driver's knowledge (`policies.mind`).
"""

from __future__ import annotations

import numpy as np

from scenarios.rules.monitor import Monitor
from scenarios.rules.variables import told_by_draws_alone, value_on
from scenarios.sample import valuation
from scenarios.spec import Scenario
from sim.config import Episode
from sim.types import NO_BRANCH, Bank, World


class Watch:
    """Follows one world of an episode from its first tick on.

    What the arrays of a world do not tell is as it was drawn; where the decision is no way out, so is everything. Once
    the world has shown a decision, all stays as it was then.
    """

    def __init__(self, scenario: Scenario, episode: Episode) -> None:
        self.drawn = valuation(scenario, episode)
        told = [p for p in scenario.propositions if not any(map(told_by_draws_alone, p.variables))]
        told = told if scenario.trial is None else []
        self.now = [p for p in told if not p.timed]
        self.timed = [p for p in told if p.timed]
        self.names = tuple(a.name for a in scenario.actors), tuple(s.name for s in scenario.signs)
        self.monitor = Monitor([p.tree for p in self.timed])
        self._memory = self.monitor.begin(1)
        self._tick, self._facts = -1, dict(self.drawn)

    def facts(self, world: World, bank: Bank) -> dict[str, bool]:
        """Proposition -> its truth at this tick, which is the next one after that of the last call, or the same."""
        tick = int(world.tick[0])
        if tick == self._tick or (self._tick >= 0 and world.branch[0] != NO_BRANCH):
            return self._facts
        now = {p.name: bool(p.on_world(world)[0]) for p in self.now}
        values = {variable: np.asarray(value_on(world, variable, *self.names, bank)) for variable in self.monitor.reads}
        truths, self._memory = self.monitor.step(values, self._memory)
        now |= {p.name: bool(np.broadcast_to(truth, 1)[0]) for p, truth in zip(self.timed, truths)}
        self._tick, self._facts = tick, self.drawn | now
        return self._facts
