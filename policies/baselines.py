"""Baselines that drive as the expert does and only guess what it thinks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from policies.controllers.path_follower import DrivingStyle
from policies.expert.expert import Expert
from scenarios.checks.baselines import LeakGuess, best_single
from scenarios.rules.compile import evaluate
from scenarios.sampling.sample import valuation
from scenarios.scenario import ALL_EPISODES, Scenario
from sim.datatypes.action import Action
from sim.datatypes.episode import DecisionSpec, Episode
from sim.world.rollout import PrivilegedInput

_UNASKED = -1.0  # in place of a decision, before the first tick


class ContextBaseline:
    """The expert's hands; each episode's decision is guessed from its draw at the first tick and kept.

    Args:
        guess: n episodes -> (n,) int, decisions.
        manner: how it drives.
        decision_spec: how decisions show; None for ways out of a junction.
    """

    needs = "state"

    def __init__(
        self,
        guess: Callable[[Sequence[Episode]], np.ndarray],
        manner: DrivingStyle | None = None,
        decision_spec: DecisionSpec | None = None,
    ) -> None:
        self.guess, self.manner, self.decision_spec = guess, manner, decision_spec

    @classmethod
    def leak_only(cls, scenario: Scenario, manner: DrivingStyle | None = None) -> ContextBaseline:
        """Guesses from all that chance chose but the evidence; see `scenarios.checks.baselines.LeakGuess`."""
        return cls(LeakGuess(scenario), manner, scenario.decision_spec)

    @classmethod
    def best_single(
        cls, scenario: Scenario, split: str = ALL_EPISODES, manner: DrivingStyle | None = None
    ) -> ContextBaseline:
        """Obeys the best rule of at most one proposition that is not the scenario's own."""
        rule, names = best_single(scenario, split), scenario.proposition_names

        def guess(episodes: Sequence[Episode]) -> np.ndarray:
            held = [valuation(scenario, e) for e in episodes]
            return evaluate(rule, {n: np.array([v[n] for v in held], bool) for n in names})

        return cls(guess, manner, scenario.decision_spec)

    def begin(self, worlds: int) -> np.ndarray:
        """(worlds, 1 + D) float32: the decision once it is guessed, then what the hands remember."""
        hands = self._hands(np.zeros(worlds, int)).begin(worlds)
        return np.concatenate([np.full((worlds, 1), _UNASKED, np.float32), hands], 1)

    def act(self, seen: PrivilegedInput, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        """Drive the way that was guessed.

        Raises:
            ValueError: where nobody says which episodes are driven.
        """
        if len(seen.episodes) != len(seen.slots):
            raise ValueError(
                f"{len(seen.slots)} worlds came with {len(seen.episodes)} episodes; who guesses wants one each"
            )
        decided = memory[:, 0].copy()
        if len(fresh := np.flatnonzero(decided == _UNASKED)):
            decided[fresh] = self.guess([seen.episodes[i] for i in fresh])
        action, hands = self._hands(decided.astype(int)).act(seen, memory[:, 1:])
        return action, np.concatenate([decided[:, None], hands], 1)

    def _hands(self, decided: np.ndarray) -> Expert:
        return Expert(lambda *_: decided, self.manner, self.decision_spec)
