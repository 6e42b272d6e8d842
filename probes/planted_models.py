"""Planted models: policies whose internal representations are known by construction, to calibrate the scorecard.

    register    represents every premise, and the conclusion from them                   -> every level
    premises    represents every premise, and applies the rule only when it acts         -> all but `encodes` the rule
    fused       computes the decision at once and represents only that                   -> all but `uses` its premises
    shortcut    represents a distractor correlated with the premise in training          -> imitates only
    early       combines the visible premises, and remembers the conclusion              -> every level, premises at
                                                                                            `encoder`
    late        remembers the premises, and concludes near the junction, in `head`       -> every level, rule at `head`
    idle        its encoder shows the premises without effect; else like fused           -> all but `uses` its premises
    memoriser   remembers its training episodes and guesses on others                    -> nothing on new episodes
    untrained   a network with initial weights                                           -> nothing

They read propositions from the state (without perception) and drive with the expert's controller, so that a wrong
verdict about them is an error of the probe.  Their recurrent state is a rotation of named registers and of nuisances,
so no variable lies along an axis.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from policies.controllers.path_follower import DrivingStyle
from policies.expert.expert import Expert
from policies.learner import LearnerSettings, build
from policies.sites import IntervenablePolicy
from scenarios.rules.ast import names as names_in
from scenarios.rules.compile import evaluate
from scenarios.scenario import Scenario, truth_of
from sim.datatypes.action import Action
from sim.datatypes.vocabulary import DECISION
from sim.world.rollout import PrivilegedInput

WIDTH = 24  # of the recurrent state
NUISANCES = 6  # registers for speed, position and such, as in any driver's state
HOLD = 0.5  # share of a register that persists from tick to tick
LOUD = 2.0  # strength of a conclusion relative to its premises: the variable acted on has the clearest code
VISIBLE = -10.0  # [m] from the junction: the evidence is visible only before this point (EarlyFusion)
NEAR = -6.0  # [m] from the junction, from which on the conclusion is drawn (LateFusion)


class PlantedModel(IntervenablePolicy):
    """A policy with a recurrent state of rotated registers, and a decision read from them.

    Args:
        scenario: the source of the propositions.
        registers: names of the registers besides the nuisances.
        seed: of the rotation.
    """

    needs = "state"

    def __init__(self, scenario: Scenario, registers: tuple[str, ...], seed: int = 0) -> None:
        super().__init__()
        if len(registers) + NUISANCES > WIDTH:
            raise ValueError(f"{len(registers)} registers were asked for; there is room for {WIDTH - NUISANCES}")
        self.scenario, self.registers = scenario, registers
        rotation, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((WIDTH, WIDTH)))
        self._rotation = torch.from_numpy(rotation.astype(np.float32))

    @property
    def sites(self) -> dict[str, int]:
        """The recurrent state as the only site."""
        return {"memory": WIDTH}

    @property
    def recurrent_sites(self) -> tuple[str, ...]:
        """The recurrent state."""
        return ("memory",)

    def begin(self, worlds: int) -> Tensor:
        """Return a state of zeros."""
        return torch.zeros(worlds, WIDTH)

    def sense(self, seen: PrivilegedInput, held: dict[str, np.ndarray]) -> np.ndarray:
        """(S, registers): the values written into the registers at this tick.

        Args:
            held: the registers' values from the last tick, name -> (S,).
        """
        raise TypeError(f"{type(self).__name__} does not implement sense")

    def choose(self, registers: dict[str, np.ndarray], seen: PrivilegedInput) -> np.ndarray:
        """(S,) decisions from the registers (name -> (S,) float)."""
        raise TypeError(f"{type(self).__name__} does not implement choose")

    def act(self, seen: PrivilegedInput, memory: Tensor) -> tuple[Action, Tensor]:
        """Write the registers, rotate, apply the site's edits, rotate back, choose, and drive the decision."""
        written = self._written(self.sense(seen, self._read(memory)), seen)
        state = self._at("memory", HOLD * memory + (1 - HOLD) * written)
        return self._driven(seen, self.choose(self._read(state), seen)), state

    def _written(self, registers: np.ndarray, seen: PrivilegedInput) -> Tensor:
        """(S, WIDTH) the rotated state of registers (S, R) and nuisances."""
        world = seen.world
        rows = np.zeros((len(registers), WIDTH), np.float32)
        rows[:, : registers.shape[1]] = registers
        nuisances = (world.speed[:, 0] / 10, world.yaw[:, 0] / 3, world.x[:, 0] / 50, world.y[:, 0] / 50,
                     world.route_offset[:, 0] / 5, np.sin(world.tick / 9.0))  # fmt: skip
        rows[:, len(self.registers) : len(self.registers) + NUISANCES] = np.stack(nuisances, 1)
        return torch.from_numpy(rows) @ self._rotation.T

    def _driven(self, seen: PrivilegedInput, decision: np.ndarray) -> Action:
        """The expert's controls for a decision (S,)."""
        return Expert(lambda _: decision, DrivingStyle()).act(seen, np.zeros((len(seen.slots), 0)))[0]

    def _read(self, state: Tensor) -> dict[str, np.ndarray]:
        """Register -> (S,) its value."""
        values = (state @ self._rotation).numpy()
        return {name: values[:, i] for i, name in enumerate(self.registers)}


def _away(seen: PrivilegedInput) -> np.ndarray:
    """(S,) [m] distance of ego past the junction's edge; negative before it."""
    away: np.ndarray = seen.world.route_s[:, 0] - seen.maps.arrays.junction_in[seen.world.route[:, 0]]
    return away


def _signs(values: Any) -> np.ndarray:
    return np.where(np.asarray(values, bool), 1.0, -1.0).astype(np.float32)


class RuleRegister(PlantedModel):
    """Represents every premise and, from their values a tick ago, the conclusion, which determines the action."""

    def __init__(self, scenario: Scenario, seed: int = 0) -> None:
        super().__init__(scenario, (*scenario.proposition_names, "conclusion"), seed)

    def sense(self, seen: PrivilegedInput, held: dict[str, np.ndarray]) -> np.ndarray:
        """The propositions and, at greater strength, whether the rule decides left on the held ones."""
        values = truth_of(self.scenario, seen.world)
        names = self.registers[:-1]
        left = evaluate(self.scenario.rule, {name: held[name] > 0 for name in names}) == DECISION["left"]
        return np.stack([*(_signs(values[name]) for name in names), LOUD * _signs(left)], 1)

    def choose(self, registers: dict[str, np.ndarray], seen: PrivilegedInput) -> np.ndarray:
        """Left or right, by the conclusion register."""
        return np.where(registers["conclusion"] > 0, DECISION["left"], DECISION["right"])


class Premises(PlantedModel):
    """Represents every premise; the rule is applied to the registers, and its decision is not represented."""

    def __init__(self, scenario: Scenario, seed: int = 0) -> None:
        super().__init__(scenario, scenario.proposition_names, seed)

    def sense(self, seen: PrivilegedInput, held: dict[str, np.ndarray]) -> np.ndarray:
        """The propositions."""
        values = truth_of(self.scenario, seen.world)
        return np.stack([_signs(values[name]) for name in self.registers], 1)

    def choose(self, registers: dict[str, np.ndarray], seen: PrivilegedInput) -> np.ndarray:
        """The rule's decision on the signs of the registers."""
        return evaluate(self.scenario.rule, {name: value > 0 for name, value in registers.items()})


class FusedRule(PlantedModel):
    """Computes the decision directly from the propositions, and represents the decision alone."""

    def __init__(self, scenario: Scenario, seed: int = 0) -> None:
        super().__init__(scenario, ("decision",), seed)

    def sense(self, seen: PrivilegedInput, held: dict[str, np.ndarray]) -> np.ndarray:
        """Whether the rule decides left."""
        decision = evaluate(self.scenario.rule, truth_of(self.scenario, seen.world))
        return _signs(decision == DECISION["left"])[:, None]

    def choose(self, registers: dict[str, np.ndarray], seen: PrivilegedInput) -> np.ndarray:
        """Left or right, by the decision register."""
        return np.where(registers["decision"] > 0, DECISION["left"], DECISION["right"])


class EarlyFusion(PlantedModel):
    """Represents visible premises in its encoder, combines them there, and remembers the conclusion.

    The memory never represents a premise. Once the evidence is out of sight the conclusion stays unchanged.
    """

    def __init__(self, scenario: Scenario, seed: int = 0) -> None:
        super().__init__(scenario, scenario.proposition_names, seed)

    @property
    def sites(self) -> dict[str, int]:
        """The encoder and the memory."""
        return {"encoder": WIDTH, "memory": WIDTH}

    def sense(self, seen: PrivilegedInput, held: dict[str, np.ndarray]) -> np.ndarray:
        """The propositions while they are visible, and zeros after that."""
        values = truth_of(self.scenario, seen.world)
        visible = _away(seen) < VISIBLE
        return np.stack([_signs(values[name]) * visible for name in self.registers], 1)

    def conclude(self, shown: dict[str, np.ndarray], seen: PrivilegedInput) -> tuple[np.ndarray, np.ndarray]:
        """Whether the rule decides left on the encoder's premises, and whether all premises are visible: (S,) bool."""
        left = evaluate(self.scenario.rule, {name: value > 0 for name, value in shown.items()}) == DECISION["left"]
        return left, np.min([np.abs(shown[n]) for n in names_in(self.scenario.rule)], 0) > 0.5

    def act(self, seen: PrivilegedInput, memory: Tensor) -> tuple[Action, Tensor]:
        """Encode the premises, conclude where they are visible, remember, and drive the conclusion."""
        encoded = self._at("encoder", self._written(self.sense(seen, {}), seen))
        left, knows = self.conclude(self._read(encoded), seen)
        before = self._conclusion(memory)
        now = np.where(knows, HOLD * before + (1 - HOLD) * LOUD * _signs(left), before)
        state = self._at("memory", self._written(now[:, None].astype(np.float32), seen))
        decision = np.where(self._conclusion(state) > 0, DECISION["left"], DECISION["right"])
        return self._driven(seen, decision), state

    def _conclusion(self, state: Tensor) -> np.ndarray:
        """(S,) the memory's only register, which is the first."""
        return (state @ self._rotation).numpy()[:, 0]


class IdleEncoder(EarlyFusion):
    """Represents the premises in its encoder, but draws the conclusion from the world and not from the encoder."""

    def conclude(self, shown: dict[str, np.ndarray], seen: PrivilegedInput) -> tuple[np.ndarray, np.ndarray]:
        """Whether the rule decides left on the true state, and whether the evidence is visible: (S,) bool each."""
        decision = evaluate(self.scenario.rule, truth_of(self.scenario, seen.world))
        return decision == DECISION["left"], _away(seen) < VISIBLE


class LateFusion(PlantedModel):
    """Represents the premises in its memory; draws the conclusion only near the junction, in a later site."""

    def __init__(self, scenario: Scenario, seed: int = 0) -> None:
        super().__init__(scenario, scenario.proposition_names, seed)

    @property
    def sites(self) -> dict[str, int]:
        """The memory, and the head from which the controls are read."""
        return {"memory": WIDTH, "head": WIDTH}

    def sense(self, seen: PrivilegedInput, held: dict[str, np.ndarray]) -> np.ndarray:
        """The propositions."""
        values = truth_of(self.scenario, seen.world)
        return np.stack([_signs(values[name]) for name in self.registers], 1)

    def act(self, seen: PrivilegedInput, memory: Tensor) -> tuple[Action, Tensor]:
        """Remember the premises, conclude near the junction, and drive the conclusion."""
        written = self._written(self.sense(seen, {}), seen)
        state = self._at("memory", HOLD * memory + (1 - HOLD) * written)
        held = {name: value > 0 for name, value in self._read(state).items()}
        left = evaluate(self.scenario.rule, held) == DECISION["left"]
        drawn = LOUD * _signs(left) * (_away(seen) >= NEAR)
        head = self._at("head", self._written(drawn[:, None].astype(np.float32), seen))
        concluded = (head @ self._rotation).numpy()[:, 0]
        return self._driven(seen, np.where(concluded > 0, DECISION["left"], DECISION["right"])), state


class Shortcut(PlantedModel):
    """Decides by a distractor: left if it is present.

    Args:
        cue: the proposition that it decides by.
    """

    def __init__(self, scenario: Scenario, cue: str, seed: int = 0) -> None:
        if cue not in scenario.proposition_names:
            raise ValueError(f"no proposition {cue!r} in {scenario.name}; known are {list(scenario.proposition_names)}")
        super().__init__(scenario, (cue,), seed)

    def sense(self, seen: PrivilegedInput, held: dict[str, np.ndarray]) -> np.ndarray:
        """The distractor."""
        return _signs(truth_of(self.scenario, seen.world)[self.registers[0]])[:, None]

    def choose(self, registers: dict[str, np.ndarray], seen: PrivilegedInput) -> np.ndarray:
        """Left if the distractor is present."""
        return np.where(registers[self.registers[0]] > 0, DECISION["left"], DECISION["right"])


class Memoriser(PlantedModel):
    """Remembers the decision of every training episode; on others it decides by a hash of the episode's seed.

    Args:
        shown: seed of a training episode -> its decision.
    """

    def __init__(self, scenario: Scenario, shown: dict[int, int], seed: int = 0) -> None:
        super().__init__(scenario, ("remembered",), seed)
        self.shown = dict(shown)

    def sense(self, seen: PrivilegedInput, held: dict[str, np.ndarray]) -> np.ndarray:
        """Whether the remembered or guessed decision of this episode is left."""
        guesses: Iterable[int] = (
            self.shown.get(int(s), DECISION["left"] if (int(s) * 2654435761 >> 16) & 1 else DECISION["right"])
            for s in seen.world.seed
        )
        return _signs([d == DECISION["left"] for d in guesses])[:, None]

    def choose(self, registers: dict[str, np.ndarray], seen: PrivilegedInput) -> np.ndarray:
        """Left or right, by the register."""
        return np.where(registers["remembered"] > 0, DECISION["left"], DECISION["right"])


def untrained(settings: LearnerSettings | None = None, seed: int = 0) -> IntervenablePolicy:
    """Create a network with initial weights."""
    return build(settings or LearnerSettings(), seed)
