"""Minds whose inner working is known by construction: what the scorecard is calibrated on.

    register    holds every premise, and the conclusion that it draws from them          -> every level
    premises    holds every premise, and applies the rule only where it acts             -> all but `encodes` the rule
    fused       works the decision out at once and holds only that                       -> all but `uses` its premises
    shortcut    holds a distractor that went along with the premise in training          -> imitates, and nothing else
    early       joins the premises where it sees them, and remembers the conclusion      -> every level, premises at
                                                                                            `encoder`
    late        remembers the premises, and concludes near the junction, in `head`       -> every level, rule at `head`
    idle        its encoder shows the premises, but decides nothing; else like fused     -> all but `uses` its premises
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
NUISANCES = 6  # registers that hold speed, place and such, as any driver's state would
HOLD = 0.5  # share of a register that is kept from tick to tick
LOUD = 2.0  # strength of a conclusion beside its premises: what a mind acts upon, it holds clearly
VISIBLE = -10.0  # [m] from the junction: farther away the evidence is visible, nearer it is not (EarlyFusion)
NEAR = -6.0  # [m] from the junction: from here on the conclusion is drawn (LateFusion)


class PlantedModel(IntervenablePolicy):
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

    def sense(self, seen: PrivilegedInput, held: dict[str, np.ndarray]) -> np.ndarray:
        """(S, registers): what is written into the registers at this tick.

        Args:
            held: what stands in them since the tick before, name -> (S,).
        """
        raise TypeError(f"{type(self).__name__} does not say what it senses")

    def choose(self, registers: dict[str, np.ndarray], seen: PrivilegedInput) -> np.ndarray:
        """(S,) decisions read off the registers (name -> (S,) float)."""
        raise TypeError(f"{type(self).__name__} does not say how it chooses")

    def act(self, seen: PrivilegedInput, memory: Tensor) -> tuple[Action, Tensor]:
        """Write the registers, rotate, pass the site, rotate back, choose, and drive there."""
        written = self._written(self.sense(seen, self._read(memory)), seen)
        state = self._at("memory", HOLD * memory + (1 - HOLD) * written)
        return self._driven(seen, self.choose(self._read(state), seen)), state

    def _written(self, registers: np.ndarray, seen: PrivilegedInput) -> Tensor:
        """(S, WIDTH) a rotated state that holds registers (S, R) and the nuisances."""
        world = seen.world
        rows = np.zeros((len(registers), WIDTH), np.float32)
        rows[:, : registers.shape[1]] = registers
        nuisances = (world.speed[:, 0] / 10, world.yaw[:, 0] / 3, world.x[:, 0] / 50, world.y[:, 0] / 50,
                     world.route_offset[:, 0] / 5, np.sin(world.tick / 9.0))  # fmt: skip
        rows[:, len(self.registers) : len(self.registers) + NUISANCES] = np.stack(nuisances, 1)
        return torch.from_numpy(rows) @ self._rotation.T

    def _driven(self, seen: PrivilegedInput, decision: np.ndarray) -> Action:
        """What the expert's hands do towards a decision (S,)."""
        return Expert(lambda _: decision, DrivingStyle()).act(seen, np.zeros((len(seen.slots), 0)))[0]

    def _read(self, state: Tensor) -> dict[str, np.ndarray]:
        """Register -> (S,) what stands in it."""
        values = (state @ self._rotation).numpy()
        return {name: values[:, i] for i, name in enumerate(self.registers)}


def _away(seen: PrivilegedInput) -> np.ndarray:
    """(S,) [m] how far beyond the junction's edge ego is; negative before it."""
    away: np.ndarray = seen.world.route_s[:, 0] - seen.maps.arrays.junction_in[seen.world.route[:, 0]]
    return away


def _signs(values: Any) -> np.ndarray:
    return np.where(np.asarray(values, bool), 1.0, -1.0).astype(np.float32)


class RuleRegister(PlantedModel):
    """Every premise has its register, and so has the conclusion from what stood there a tick ago: it is acted upon."""

    def __init__(self, scenario: Scenario, seed: int = 0) -> None:
        super().__init__(scenario, (*scenario.proposition_names, "conclusion"), seed)

    def sense(self, seen: PrivilegedInput, held: dict[str, np.ndarray]) -> np.ndarray:
        """The propositions, and more loudly whether the rule, applied to the held ones, says left."""
        values = truth_of(self.scenario, seen.world)
        names = self.registers[:-1]
        left = evaluate(self.scenario.rule, {name: held[name] > 0 for name in names}) == DECISION["left"]
        return np.stack([*(_signs(values[name]) for name in names), LOUD * _signs(left)], 1)

    def choose(self, registers: dict[str, np.ndarray], seen: PrivilegedInput) -> np.ndarray:
        """Left or right, as the conclusion says."""
        return np.where(registers["conclusion"] > 0, DECISION["left"], DECISION["right"])


class Premises(PlantedModel):
    """Every premise has its register; the rule is applied to what stands there, and its verdict is held nowhere."""

    def __init__(self, scenario: Scenario, seed: int = 0) -> None:
        super().__init__(scenario, scenario.proposition_names, seed)

    def sense(self, seen: PrivilegedInput, held: dict[str, np.ndarray]) -> np.ndarray:
        """The propositions."""
        values = truth_of(self.scenario, seen.world)
        return np.stack([_signs(values[name]) for name in self.registers], 1)

    def choose(self, registers: dict[str, np.ndarray], seen: PrivilegedInput) -> np.ndarray:
        """The rule, applied to the signs of the registers."""
        return evaluate(self.scenario.rule, {name: value > 0 for name, value in registers.items()})


class FusedRule(PlantedModel):
    """Works the decision out where it senses, and holds the decision alone."""

    def __init__(self, scenario: Scenario, seed: int = 0) -> None:
        super().__init__(scenario, ("decision",), seed)

    def sense(self, seen: PrivilegedInput, held: dict[str, np.ndarray]) -> np.ndarray:
        """Whether the rule says left."""
        decision = evaluate(self.scenario.rule, truth_of(self.scenario, seen.world))
        return _signs(decision == DECISION["left"])[:, None]

    def choose(self, registers: dict[str, np.ndarray], seen: PrivilegedInput) -> np.ndarray:
        """Left or right, as the register says."""
        return np.where(registers["decision"] > 0, DECISION["left"], DECISION["right"])


class EarlyFusion(PlantedModel):
    """Its encoder shows the premises while they are visible; they are joined there, and the conclusion is remembered.

    The memory never holds a premise. Once the evidence is out of sight it keeps its conclusion as it is.
    """

    def __init__(self, scenario: Scenario, seed: int = 0) -> None:
        super().__init__(scenario, scenario.proposition_names, seed)

    @property
    def sites(self) -> dict[str, int]:
        """What is seen now, and what is remembered."""
        return {"encoder": WIDTH, "memory": WIDTH}

    def sense(self, seen: PrivilegedInput, held: dict[str, np.ndarray]) -> np.ndarray:
        """The propositions while they are visible, and zeros after that."""
        values = truth_of(self.scenario, seen.world)
        visible = _away(seen) < VISIBLE
        return np.stack([_signs(values[name]) * visible for name in self.registers], 1)

    def conclude(self, shown: dict[str, np.ndarray], seen: PrivilegedInput) -> tuple[np.ndarray, np.ndarray]:
        """Whether the rule says left by what the encoder shows, and whether it shows enough to say so: (S,) bool."""
        left = evaluate(self.scenario.rule, {name: value > 0 for name, value in shown.items()}) == DECISION["left"]
        return left, np.min([np.abs(shown[n]) for n in names_in(self.scenario.rule)], 0) > 0.5

    def act(self, seen: PrivilegedInput, memory: Tensor) -> tuple[Action, Tensor]:
        """Show, conclude where there is something to conclude from, remember, and drive there."""
        encoded = self._at("encoder", self._written(self.sense(seen, {}), seen))
        left, knows = self.conclude(self._read(encoded), seen)
        before = self._conclusion(memory)
        now = np.where(knows, HOLD * before + (1 - HOLD) * LOUD * _signs(left), before)
        state = self._at("memory", self._written(now[:, None].astype(np.float32), seen))
        decision = np.where(self._conclusion(state) > 0, DECISION["left"], DECISION["right"])
        return self._driven(seen, decision), state

    def _conclusion(self, state: Tensor) -> np.ndarray:
        """(S,) the memory's one register: it stands in the first place."""
        return (state @ self._rotation).numpy()[:, 0]


class IdleEncoder(EarlyFusion):
    """Its encoder shows the premises, but the conclusion is drawn from the world and not from what is shown."""

    def conclude(self, shown: dict[str, np.ndarray], seen: PrivilegedInput) -> tuple[np.ndarray, np.ndarray]:
        """Whether the rule says left, by the world, as long as the evidence is visible: (S,) bool each."""
        decision = evaluate(self.scenario.rule, truth_of(self.scenario, seen.world))
        return decision == DECISION["left"], _away(seen) < VISIBLE


class LateFusion(PlantedModel):
    """Its memory holds the premises; the conclusion is drawn near the junction only, in a later site."""

    def __init__(self, scenario: Scenario, seed: int = 0) -> None:
        super().__init__(scenario, scenario.proposition_names, seed)

    @property
    def sites(self) -> dict[str, int]:
        """What is remembered, and what the controls are read from."""
        return {"memory": WIDTH, "head": WIDTH}

    def sense(self, seen: PrivilegedInput, held: dict[str, np.ndarray]) -> np.ndarray:
        """The propositions."""
        values = truth_of(self.scenario, seen.world)
        return np.stack([_signs(values[name]) for name in self.registers], 1)

    def act(self, seen: PrivilegedInput, memory: Tensor) -> tuple[Action, Tensor]:
        """Remember, conclude when the junction is near, and drive by the conclusion."""
        written = self._written(self.sense(seen, {}), seen)
        state = self._at("memory", HOLD * memory + (1 - HOLD) * written)
        held = {name: value > 0 for name, value in self._read(state).items()}
        left = evaluate(self.scenario.rule, held) == DECISION["left"]
        drawn = LOUD * _signs(left) * (_away(seen) >= NEAR)
        head = self._at("head", self._written(drawn[:, None].astype(np.float32), seen))
        concluded = (head @ self._rotation).numpy()[:, 0]
        return self._driven(seen, np.where(concluded > 0, DECISION["left"], DECISION["right"])), state


class Shortcut(PlantedModel):
    """Goes by a distractor: left if it is there.

    Args:
        cue: the proposition that it goes by.
    """

    def __init__(self, scenario: Scenario, cue: str, seed: int = 0) -> None:
        if cue not in scenario.proposition_names:
            raise ValueError(f"no proposition {cue!r} in {scenario.name}; known are {list(scenario.proposition_names)}")
        super().__init__(scenario, (cue,), seed)

    def sense(self, seen: PrivilegedInput, held: dict[str, np.ndarray]) -> np.ndarray:
        """The distractor."""
        return _signs(truth_of(self.scenario, seen.world)[self.registers[0]])[:, None]

    def choose(self, registers: dict[str, np.ndarray], seen: PrivilegedInput) -> np.ndarray:
        """Left if the distractor is there."""
        return np.where(registers[self.registers[0]] > 0, DECISION["left"], DECISION["right"])


class Memoriser(PlantedModel):
    """Knows the way of every episode that it was shown; elsewhere it goes by the parity of the episode's number.

    Args:
        shown: seed of an episode -> its decision.
    """

    def __init__(self, scenario: Scenario, shown: dict[int, int], seed: int = 0) -> None:
        super().__init__(scenario, ("remembered",), seed)
        self.shown = dict(shown)

    def sense(self, seen: PrivilegedInput, held: dict[str, np.ndarray]) -> np.ndarray:
        """What it remembers of this episode, or what it makes up."""
        guesses: Iterable[int] = (
            self.shown.get(int(s), DECISION["left"] if (int(s) * 2654435761 >> 16) & 1 else DECISION["right"])
            for s in seen.world.seed
        )
        return _signs([d == DECISION["left"] for d in guesses])[:, None]

    def choose(self, registers: dict[str, np.ndarray], seen: PrivilegedInput) -> np.ndarray:
        """As remembered."""
        return np.where(registers["remembered"] > 0, DECISION["left"], DECISION["right"])


def untrained(settings: LearnerSettings | None = None, seed: int = 0) -> IntervenablePolicy:
    """A network with fresh weights."""
    return build(settings or LearnerSettings(), seed)
