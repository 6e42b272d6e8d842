"""Baselines that drive with the expert's controller but guess the decision instead of reasoning."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from policies.controllers.path_follower import DrivingStyle
from policies.expert.expert import Expert
from scenarios.checks.baselines import ContextGuess, best_single
from scenarios.rules.compile import evaluate
from scenarios.sampling.sample import valuation
from scenarios.scenario import ALL_EPISODES, Scenario
from sim.datatypes.action import Action
from sim.datatypes.episode import DecisionSpec, Episode
from sim.world.rollout import PrivilegedInput

_UNASKED = -1.0  # placeholder for the decision before the first tick


class ContextBaseline:
    """A baseline that guesses each episode's decision from its context at the first tick, then drives as the expert.

    Args:
        guess: n episodes -> (n,) int, decisions.
        style: its driving style.
        decision_spec: how decisions show; None for exits of a junction.
    """

    needs = "state"

    def __init__(
        self,
        guess: Callable[[Sequence[Episode]], np.ndarray],
        style: DrivingStyle | None = None,
        decision_spec: DecisionSpec | None = None,
    ) -> None:
        self.guess, self.style, self.decision_spec = guess, style, decision_spec

    @classmethod
    def leak_only(cls, scenario: Scenario, style: DrivingStyle | None = None) -> ContextBaseline:
        """Guess from all drawn context except the evidence; see `scenarios.checks.baselines.ContextGuess`."""
        return cls(ContextGuess(scenario), style, scenario.decision_spec)

    @classmethod
    def best_single(
        cls, scenario: Scenario, split: str = ALL_EPISODES, style: DrivingStyle | None = None
    ) -> ContextBaseline:
        """Obey the best rule of at most one proposition other than the scenario's own rule."""
        rule, names = best_single(scenario, split), scenario.proposition_names

        def guess(episodes: Sequence[Episode]) -> np.ndarray:
            held = [valuation(scenario, e) for e in episodes]
            return evaluate(rule, {n: np.array([v[n] for v in held], bool) for n in names})

        return cls(guess, style, scenario.decision_spec)

    def begin(self, worlds: int) -> np.ndarray:
        """(worlds, 1 + D) float32: the decision once it is guessed, then the maneuver's memory."""
        maneuver = self._maneuver(np.zeros(worlds, int)).begin(worlds)
        return np.concatenate([np.full((worlds, 1), _UNASKED, np.float32), maneuver], 1)

    def act(self, seen: PrivilegedInput, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        """Drive the guessed decision.

        Raises:
            ValueError: if the input does not contain one episode per row.
        """
        if len(seen.episodes) != len(seen.slots):
            raise ValueError(
                f"{len(seen.slots)} worlds came with {len(seen.episodes)} episodes; guessing needs one each"
            )
        decided = memory[:, 0].copy()
        if len(fresh := np.flatnonzero(decided == _UNASKED)):
            decided[fresh] = self.guess([seen.episodes[i] for i in fresh])
        action, maneuver = self._maneuver(decided.astype(int)).act(seen, memory[:, 1:])
        return action, np.concatenate([decided[:, None], maneuver], 1)

    def _maneuver(self, decided: np.ndarray) -> Expert:
        return Expert(lambda *_: decided, self.style, self.decision_spec)
