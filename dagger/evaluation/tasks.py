"""Evaluation tasks: a scenario under a split, or a route of a file, as a suite drives it.

An evaluation task has its episodes, the policies that may drive them, and the outcome of a drive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from dagger.evaluation.drivers import DriverChoice
from policies.base import Policy
from scenarios.sampling.leaderboard_routes import RouteSpec
from scenarios.sampling.sample import decision, sample, slots_needed, twin, valuation
from scenarios.scenario import Scenario, from_data
from sim.datatypes.episode import Episode
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import DECISIONS, UNDECIDED
from sim.road.graph.keypoint_route import route_through
from sim.road.graph.placement import ways_of
from sim.road.map.loading import load_map, read_map
from sim.road.map.map_batch import start_distance


class Task(NamedTuple):
    """One episode to drive.

    Args:
        seed: of the draw; repetition: number of times that it was driven before in the same suite.
        twin: the proposition that is flipped in it, if any.
    """

    seed: int
    repetition: int = 0
    twin: str | None = None


class RouteLength(NamedTuple):
    """The length of the route that an episode should take.

    Args:
        before: metres from the start to where the routes part; whole: metres from the start to the finish.
    """

    before: float
    whole: float


class Outcome(NamedTuple):
    """The outcome of a drive of an episode.

    Args:
        row: fields that the task adds to the episode's row, among them "agrees".
        deviated: whether ego took another route than the wanted one.
    """

    row: Mapping[str, Any]
    deviated: bool


class EvaluationTask(Protocol):
    """Something that a suite drives; it is sent to worker processes, so it can be pickled.

    name, split: fields of its rows; town: the leaderboard's name of its map; route: the id of its route, None if every
    seed is another route; notes: remarks for the user, in sentences.
    """

    @property
    def name(self) -> str: ...
    @property
    def split(self) -> str: ...
    @property
    def town(self) -> str: ...
    @property
    def route(self) -> str | None: ...
    @property
    def notes(self) -> tuple[str, ...]: ...

    def digest(self) -> str:
        """SHA-256 of the scenario or route."""

    def room(self) -> Simulation:
        """Simulation settings with just enough slots for its actors."""

    def policy(self, driver: DriverChoice) -> Policy:
        """The policy with which a driver drives it."""

    def episode(self, task: Task, search: Sequence[Path]) -> Episode:
        """The episode of a task. Raises FileNotFoundError where a map is missing."""

    def way(self, episode: Episode, search: Sequence[Path]) -> RouteLength:
        """The length of the route that an episode should take."""

    def verdict(self, episode: Episode, shown_decision: int, outcome: str) -> Outcome:
        """The outcome of a drive that showed `shown_decision` (UNDECIDED: none)."""


@dataclass(frozen=True)
class ScenarioTask:
    """A scenario under one of its splits: each seed draws an episode, and the rule gives the wanted decision."""

    scenario: Scenario
    split: str

    def __reduce__(self) -> Any:
        scenario = self.scenario
        return _scenario_course, (dict(scenario.data), scenario.folder, scenario.map_search, self.split)

    @property
    def name(self) -> str:
        """The scenario's name."""
        return self.scenario.name

    @property
    def town(self) -> str:
        """The map file's stem, or the generator's name."""
        model = self.scenario.map
        return Path(model.file).stem if model.file else str(model.generate)

    route, notes = None, ()

    def digest(self) -> str:
        """The scenario's digest."""
        return self.scenario.digest()

    def room(self) -> Simulation:
        """Simulation settings with just enough slots for its actors."""
        return slots_needed(self.scenario)

    def policy(self, driver: DriverChoice) -> Policy:
        """The driver's policy; an expert follows the scenario's rule."""
        return driver.of(self.scenario, self.split)

    def episode(self, task: Task, search: Sequence[Path]) -> Episode:
        """The episode that the seed draws, or its twin."""
        episode = sample(self.scenario, task.seed, self.split)
        return episode if task.twin is None else twin(self.scenario, episode, task.twin)

    def way(self, episode: Episode, search: Sequence[Path]) -> RouteLength:
        """The lengths to the decision point and to the finish, on the route of the rule's decision, or the only one."""
        decided = decision(self.scenario, episode)
        _, junction = load_map(episode.map, search)
        routes = ways_of(episode, junction)
        before = start_distance([r.junction_in for r in routes], episode.distance)
        for route in routes:
            if route.decision == decided or episode.decision_spec is not None:
                return RouteLength(before, before + route.junction_out - route.junction_in + episode.finish)
        ways = [DECISIONS[r.decision] for r in routes]
        raise ValueError(f"the rule says {DECISIONS[decided]!r}, but the junction only offers {ways}")

    def verdict(self, episode: Episode, shown_decision: int, outcome: str) -> Outcome:
        """Whether ego decided as the rule does and arrived."""
        wanted = decision(self.scenario, episode)
        row = {
            "shown_decision": None if shown_decision == UNDECIDED else DECISIONS[shown_decision],
            "wanted": DECISIONS[wanted],
            "agrees": shown_decision == wanted and outcome == "arrived",
            "cell": {name: bool(v) for name, v in valuation(self.scenario, episode).items()},
        }
        return Outcome(row, episode.decision_spec is None and shown_decision not in (UNDECIDED, wanted))


def _scenario_course(
    data: Mapping[str, Any], folder: Path | None, map_search: tuple[Path, ...] | None, split: str
) -> ScenarioTask:
    return ScenarioTask(from_data(data, folder, map_search=map_search), split)


@dataclass(frozen=True)
class RouteTask:
    """A route of a file. There is no rule: to agree is to arrive. Seeds differ only in the world's random events."""

    spec: RouteSpec

    @property
    def name(self) -> str:
        """The file's name."""
        return Path(self.spec.file).name

    @property
    def split(self) -> str:
        """The route's id, in words."""
        return f"route {self.spec.id}"

    @property
    def town(self) -> str:
        """The town's name in the file."""
        return self.spec.town

    @property
    def route(self) -> str | None:
        """The route's id."""
        return self.spec.id

    @property
    def notes(self) -> tuple[str, ...]:
        """What the file asks for and this world does not support."""
        played = self.spec.unsupported_scenarios
        return ((f"not played: {', '.join(played)}",) if played else ()) + self.spec.notes

    def digest(self) -> str:
        """Digest of town, keypoints and weather."""
        return self.spec.digest()

    def room(self) -> Simulation:
        """Simulation settings for ego alone."""
        return Simulation(actors=1)

    def policy(self, driver: DriverChoice) -> Policy:
        """The driver's policy; an expert follows the route, a policy with a camera gets no route."""
        return driver.of(None, self.split)

    def episode(self, task: Task, search: Sequence[Path]) -> Episode:
        """The episode on the route."""
        return self.spec.episode(task.seed, search)

    def way(self, episode: Episode, search: Sequence[Path]) -> RouteLength:
        """The length of the whole route, up to the point of arrival."""
        whole = route_through(read_map(episode.map, search), episode.route).junction_out
        return RouteLength(whole, whole)

    def verdict(self, episode: Episode, shown_decision: int, outcome: str) -> Outcome:
        """Whether ego arrived. An episode in which ego left the route has the outcome "deviated"."""
        row = {
            "shown_decision": None, "wanted": None, "agrees": outcome == "arrived", "route": self.spec.id,
            "town": self.spec.town, "unsupported_scenarios": list(self.spec.unsupported_scenarios),
            "notes": list(self.spec.notes),
        }  # fmt: skip
        return Outcome(row, False)
