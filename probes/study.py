"""The study of one policy: what all levels of the scorecard share and find for each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Protocol

import numpy as np

from policies.base import Policy
from policies.evaluate import EvaluationResult, evaluate
from policies.learner import Learner, LearnerSettings, build, untrained_twin
from policies.sites import IntervenablePolicy
from probes.applicability import FactorialDesign, factorial_design
from probes.baselines import NearestNeighbour, best_single_proposition
from probes.behaviour import Twins, agreement, by_cells, twin_episodes, twins_of
from probes.interventions import Factorial
from probes.localization import Held
from probes.premise_swaps import Swaps
from probes.results import QUICK_SECONDS, quick_share
from probes.rule_recovery import Recovered
from scenarios.sampling.sample import cells
from scenarios.scenario import Scenario
from sim.core.ranges import Range, check_ranges
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.world.context import RunContext

# First seed of the scorecard's draws; those of training are far below (dagger.training.trainer).
SEEDS = 2_000_000
MOST_SET = 4  # propositions that a full factorial sets, unless the rule has more: 16 twins of every draw


@dataclass(frozen=True)
class ProbeSettings:
    """Settings of the scorecard: the numbers of episodes, draws and pairs per level.

    Args:
        per_cell: closed-loop episodes in every truth-table cell, for `imitates` and `generalises`.
        baseline_per_cell: the same for each baseline.
        draws: base draws of the full factorial of twins.
        traced: episodes whose latents are recorded.
        fitted: draws for fitting subspaces.
        pairs: interchanges of each kind (flip, keep) for each premise.
        remembered: frames of the nearest-neighbour baseline; 0 leaves it out.
        worlds: number of worlds at once.
    """

    per_cell: Annotated[int, Range(1)] = 160
    baseline_per_cell: Annotated[int, Range(1)] = 32
    draws: Annotated[int, Range(1)] = 48
    traced: Annotated[int, Range(1)] = 320
    fitted: Annotated[int, Range(1)] = 24
    pairs: Annotated[int, Range(1)] = 96
    remembered: Annotated[int, Range(0)] = 6000
    worlds: Annotated[int, Range(1, 65536)] = 128

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_ranges(self)

    @classmethod
    def quick(cls, time_limit: float = QUICK_SECONDS) -> ProbeSettings:
        """The least settings with which every level can pass; even less for long episodes, so that it ends in minutes.

        Args:
            time_limit: of an episode [s]; the numbers are reduced only above QUICK_SECONDS.
        """
        few = cls(per_cell=36, baseline_per_cell=6, draws=12, traced=96, fitted=6, pairs=36, remembered=2000)
        share = quick_share(time_limit)
        least = {"per_cell": 8, "baseline_per_cell": 3, "draws": 4, "traced": 64, "fitted": 4, "pairs": 8}
        return replace(few, **{k: max(n, round(share * vars(few)[k])) for k, n in least.items()})


class Shown(Protocol):
    """The part of a demonstration that the baselines need (`dagger.training.demonstrations.Demonstration`)."""

    episode: Episode
    moving: dict[str, np.ndarray]
    ticks: dict[str, np.ndarray]


Draw = Callable[[Sequence[Shown], int], tuple[np.ndarray, ...]]


@dataclass
class Findings:
    """Results beyond values and intervals, which a level leaves for later levels and for the report.

    Args:
        recovered: the truth table of `recovered`.
        league, random, held: of `encodes`: ranked formulas, random labels' compression, where what is encoded.
        swaps, latents, used: of `uses`: all interchanges, the factorial experiments by site, the effect map.
    """

    recovered: Recovered | None = None
    league: list[dict[str, Any]] = field(default_factory=list)
    random: dict[str, float] | None = None
    held: Held | None = None
    swaps: Swaps | None = None
    latents: dict[str, Factorial] = field(default_factory=dict)
    used: tuple[Any, Any] = (None, None)


class Study:
    """The study of one policy.

    Args:
        policy: with sites; a learner, or a planted model.
        scenario: the source of the rule.
        settings: the amount of evidence.
        camera: of the policy.
        untrained: the untrained twin; by default built from the policy's own settings if it is a learner.
        frames: data of the nearest-neighbour baseline: camera, speed, steer, acceleration (n, ...), or None.
        seed: of all draws.
        context: where the worlds run, `settings.worlds` at once; its progress receives every stage. By default
            `RunContext()`.

    Attributes:
        first: first seed of its episodes; each level adds its own offset.
    """

    def __init__(
        self,
        policy: IntervenablePolicy,
        scenario: Scenario,
        settings: ProbeSettings,
        camera: Camera,
        untrained: IntervenablePolicy | None = None,
        frames: tuple[np.ndarray, ...] | None = None,
        seed: int = 0,
        context: RunContext | None = None,
    ) -> None:
        self.policy, self.scenario, self.settings, self.camera = policy, scenario, settings, camera
        if untrained is None:
            untrained = (
                untrained_twin(policy, seed + 1)
                if isinstance(policy, Learner)
                else build(LearnerSettings(image=(camera.height, camera.width)), seed + 1)
            )
        self.untrained, self.frames = untrained, frames
        self.seed, self.context = seed, replace(context or RunContext(), worlds=settings.worlds)
        self.first = seed * 10_000_000 + SEEDS
        self.findings = Findings()
        self._groups: list[list[Episode]] | None = None
        self._twins: Twins | None = None

    def drive(self, policy: Policy, episodes: list[Episode], what: str) -> EvaluationResult:
        """Drive episodes in closed loop, with a progress stage of this name."""
        self.context.progress.stage(what, len(episodes))
        return evaluate(policy, self.scenario, episodes, self.camera, self.context)

    def baselines(self, split: str, first_seed: int) -> dict[str, dict[str, Any]]:
        """Untrained network, nearest neighbour and best single proposition in the worst cell of a split."""
        episodes = by_cells(self.scenario, split, self.settings.baseline_per_cell, first_seed)
        found: dict[str, dict[str, Any]] = {}
        others: dict[str, Policy] = {"untrained": self.untrained}
        if self.frames is not None:
            others["nearest neighbour"] = NearestNeighbour(*self.frames)
        for name, policy in others.items():
            tally = self.drive(policy, episodes, f"{split} split: {name}")
            _, share = agreement(self.scenario, tally).worst
            found[name] = {"value": share.value, "interval": list(share.interval)}
        if (best := best_single_proposition(self.scenario, cells(self.scenario, split))) is not None:
            found["best other single proposition"] = best
        return found

    def crossing(self) -> FactorialDesign:
        """The factorial design: the rule's propositions, and others up to MOST_SET."""
        return factorial_design(self.scenario, MOST_SET)

    def twin_groups(self) -> list[list[Episode]]:
        """The episodes of the twins: every base episode under every setting; drawn once.

        Raises:
            NotApplicable: if the propositions cannot be set, or a twin cannot be drawn.
        """
        if self._groups is None:
            self._groups = twin_episodes(self.crossing(), self.settings.draws, self.first + 300_000)
        return self._groups

    def twins(self) -> Twins:
        """The twins as the policy drove them; driven once.

        Raises:
            NotApplicable: as `twin_groups`.
        """
        if self._twins is None:
            groups = self.twin_groups()
            flat = [e for group in groups for e in group]
            driven = self.drive(self.policy, flat, "generalises: twins")
            self._twins = twins_of(self.crossing(), driven, len(groups))
        return self._twins


def frames_of(
    demonstrations: Sequence[Shown], images: Callable[[np.ndarray, np.ndarray], np.ndarray], most: int, seed: int
) -> tuple[np.ndarray, ...]:
    """The data of the nearest-neighbour baseline: at most `most` labelled frames, drawn without repetition.

    Args:
        images: (episodes (n,), ticks (n,)) -> (n, H, W, 3): the rendering loader's `draw`.
    """
    places = [(e, t) for e, d in enumerate(demonstrations) for t in np.flatnonzero(d.ticks["valid"])]
    chosen = np.random.default_rng([seed, 8]).permutation(len(places))[:most]
    episode = np.array([places[i][0] for i in chosen])
    tick = np.array([places[i][1] for i in chosen])
    pick = [demonstrations[e] for e in episode]
    return (
        images(episode, tick),
        np.array([d.moving["speed"][t, 0] for d, t in zip(pick, tick)], np.float32),
        np.array([d.ticks["expert_steer"][t] for d, t in zip(pick, tick)], np.float32),
        np.array([d.ticks["expert_acceleration"][t] for d, t in zip(pick, tick)], np.float32),
    )
