"""Minds whose inner working is known by construction: what the scorecard is calibrated on.

    register    holds every premise, and the conclusion that it draws from them          -> every level
    premises    holds every premise, and applies the rule only where it acts             -> all but `encodes` the rule
    fused       works the decision out at once and holds only that                       -> all but `uses` its premises
    shortcut    holds a distractor that went along with the premise in training          -> imitates, and nothing else
    memoriser   knows the episodes it was shown by heart and guesses elsewhere           -> nothing on fresh episodes
    untrained   a network with fresh weights                                             -> nothing

They sense propositions directly (perception is not what they are for) and drive with the expert's hands, so that a
verdict about them is a verdict about the instrument.  Their recurrent state is a rotation of named registers and of
nuisances, so nothing lies along an axis.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from policies.controller import Manner
from policies.expert import Expert
from policies.learner import LearnerSettings, build
from policies.sites import Sited
from scenarios.environment import truth_of
from scenarios.rules.evaluate import evaluate
from scenarios.spec import Scenario
from sim.rollout import Truth
from sim.types import DECISION, Action

WIDTH = 24  # of the recurrent state
NUISANCES = 6  # registers that hold speed, place and such, as any driver's state would
HOLD = 0.5  # share of a register that is kept from tick to tick
LOUD = 2.0  # strength of a conclusion beside its premises: what a mind acts upon, it holds clearly


class PlantedMind(Sited):
    """A recurrent state of rotated registers, and a decision read off them.

    Args:
        scenario: whose propositions are sensed.
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
        """The recurrent state, and nothing else."""
        return {"memory": WIDTH}

    @property
    def recurrent_sites(self) -> tuple[str, ...]:
        """The recurrent state."""
        return ("memory",)

    def begin(self, worlds: int) -> Tensor:
        """An empty state."""
        return torch.zeros(worlds, WIDTH)

    def sense(self, seen: Truth, held: dict[str, np.ndarray]) -> np.ndarray:
        """(S, registers): what is written into the registers at this tick.

        Args:
            held: what stands in them since the tick before, name -> (S,).
        """
        raise TypeError(f"{type(self).__name__} does not say what it senses")

    def choose(self, registers: dict[str, np.ndarray], seen: Truth) -> np.ndarray:
        """(S,) decisions read off the registers (name -> (S,) float)."""
        raise TypeError(f"{type(self).__name__} does not say how it chooses")

    def act(self, seen: Truth, memory: Tensor) -> tuple[Action, Tensor]:
        """Write the registers, rotate, pass the site, rotate back, choose, and drive there."""
        world = seen.world
        written = np.zeros((len(seen.slots), WIDTH), np.float32)
        written[:, : len(self.registers)] = self.sense(seen, self._read(memory))
        nuisances = (world.speed[:, 0] / 10, world.yaw[:, 0] / 3, world.x[:, 0] / 50, world.y[:, 0] / 50,
                     world.route_offset[:, 0] / 5, np.sin(world.tick / 9.0))  # fmt: skip
        written[:, len(self.registers) : len(self.registers) + NUISANCES] = np.stack(nuisances, 1)
        state = HOLD * memory + (1 - HOLD) * torch.from_numpy(written) @ self._rotation.T
        state = self._at("memory", state)
        decision = self.choose(self._read(state), seen)
        driver = Expert(lambda _: decision, Manner())
        return driver.act(seen, np.zeros((len(seen.slots), 0)))[0], state

    def _read(self, state: Tensor) -> dict[str, np.ndarray]:
        """Register -> (S,) what stands in it."""
        values = (state @ self._rotation).numpy()
        return {name: values[:, i] for i, name in enumerate(self.registers)}


def _signs(values: Any) -> np.ndarray:
    return np.where(np.asarray(values, bool), 1.0, -1.0).astype(np.float32)


class RuleRegister(PlantedMind):
    """Every premise has its register, and so has the conclusion from what stood there a tick ago: it is acted upon."""

    def __init__(self, scenario: Scenario, seed: int = 0) -> None:
        super().__init__(scenario, (*scenario.proposition_names, "conclusion"), seed)

    def sense(self, seen: Truth, held: dict[str, np.ndarray]) -> np.ndarray:
        """The propositions, and more loudly whether the rule, applied to the held ones, says left."""
        values = truth_of(self.scenario, seen.world)
        names = self.registers[:-1]
        left = evaluate(self.scenario.rule, {name: held[name] > 0 for name in names}) == DECISION["left"]
        return np.stack([*(_signs(values[name]) for name in names), LOUD * _signs(left)], 1)

    def choose(self, registers: dict[str, np.ndarray], seen: Truth) -> np.ndarray:
        """Left or right, as the conclusion says."""
        return np.where(registers["conclusion"] > 0, DECISION["left"], DECISION["right"])


class Premises(PlantedMind):
    """Every premise has its register; the rule is applied to what stands there, and its verdict is held nowhere."""

    def __init__(self, scenario: Scenario, seed: int = 0) -> None:
        super().__init__(scenario, scenario.proposition_names, seed)

    def sense(self, seen: Truth, held: dict[str, np.ndarray]) -> np.ndarray:
        """The propositions."""
        values = truth_of(self.scenario, seen.world)
        return np.stack([_signs(values[name]) for name in self.registers], 1)

    def choose(self, registers: dict[str, np.ndarray], seen: Truth) -> np.ndarray:
        """The rule, applied to the signs of the registers."""
        return evaluate(self.scenario.rule, {name: value > 0 for name, value in registers.items()})


class FusedRule(PlantedMind):
    """Works the decision out where it senses, and holds the decision alone."""

    def __init__(self, scenario: Scenario, seed: int = 0) -> None:
        super().__init__(scenario, ("decision",), seed)

    def sense(self, seen: Truth, held: dict[str, np.ndarray]) -> np.ndarray:
        """Whether the rule says left."""
        decision = evaluate(self.scenario.rule, truth_of(self.scenario, seen.world))
        return _signs(decision == DECISION["left"])[:, None]

    def choose(self, registers: dict[str, np.ndarray], seen: Truth) -> np.ndarray:
        """Left or right, as the register says."""
        return np.where(registers["decision"] > 0, DECISION["left"], DECISION["right"])


class Shortcut(PlantedMind):
    """Goes by a distractor: left if it is there.

    Args:
        cue: the proposition that it goes by.
    """

    def __init__(self, scenario: Scenario, cue: str, seed: int = 0) -> None:
        if cue not in scenario.proposition_names:
            raise ValueError(f"no proposition {cue!r} in {scenario.name}; known are {list(scenario.proposition_names)}")
        super().__init__(scenario, (cue,), seed)

    def sense(self, seen: Truth, held: dict[str, np.ndarray]) -> np.ndarray:
        """The distractor."""
        return _signs(truth_of(self.scenario, seen.world)[self.registers[0]])[:, None]

    def choose(self, registers: dict[str, np.ndarray], seen: Truth) -> np.ndarray:
        """Left if the distractor is there."""
        return np.where(registers[self.registers[0]] > 0, DECISION["left"], DECISION["right"])


class Memoriser(PlantedMind):
    """Knows the way of every episode that it was shown; elsewhere it goes by the parity of the episode's number.

    Args:
        shown: seed of an episode -> its decision.
    """

    def __init__(self, scenario: Scenario, shown: dict[int, int], seed: int = 0) -> None:
        super().__init__(scenario, ("remembered",), seed)
        self.shown = dict(shown)

    def sense(self, seen: Truth, held: dict[str, np.ndarray]) -> np.ndarray:
        """What it remembers of this episode, or what it makes up."""
        guesses: Iterable[int] = (
            self.shown.get(int(s), DECISION["left"] if (int(s) * 2654435761 >> 16) & 1 else DECISION["right"])
            for s in seen.world.seed
        )
        return _signs([d == DECISION["left"] for d in guesses])[:, None]

    def choose(self, registers: dict[str, np.ndarray], seen: Truth) -> np.ndarray:
        """As remembered."""
        return np.where(registers["remembered"] > 0, DECISION["left"], DECISION["right"])


def untrained(settings: LearnerSettings | None = None, seed: int = 0) -> Sited:
    """A network with fresh weights."""
    return build(settings or LearnerSettings(), seed)
