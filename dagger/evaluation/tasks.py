"""What a suite can drive: a scenario under a split, or a route of a file. A course says what its episodes are, who may
drive them, and what a drive of one came to.
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
        seed: of the draw; repetition: how many times it was driven before in the same suite.
        twin: the proposition that is flipped in it, if any.
    """

    seed: int
    repetition: int = 0
    twin: str | None = None


class RouteLength(NamedTuple):
    """The way that an episode should take.

    Args:
        before: metres from the start to where ways part; whole: metres from the start to the finish.
    """

    before: float
    whole: float


class Outcome(NamedTuple):
    """What a drive of an episode came to.

    Args:
        row: what the course adds to the episode's row, "agrees" among it.
        deviated: whether another way was taken than the one that was wanted.
    """

    row: Mapping[str, Any]
    deviated: bool


class EvaluationTask(Protocol):
    """What a suite drives; it travels to workers, so it can be pickled.

    name, split: what its rows are filed under; town: of its map, as the leaderboard calls it; route: the id of the one
    route that it is, None where every seed is another; notes: what people should know of it, in sentences.
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
        """SHA-256 of what is driven."""

    def room(self) -> Simulation:
        """Settings with just enough room for its actors."""

    def policy(self, driver: DriverChoice) -> Policy:
        """The driver, as it drives here."""

    def episode(self, task: Task, search: Sequence[Path]) -> Episode:
        """The episode of a task. Raises FileNotFoundError where a map is missing."""

    def way(self, episode: Episode, search: Sequence[Path]) -> RouteLength:
        """The way that an episode should take."""

    def verdict(self, episode: Episode, shown_decision: int, outcome: str) -> Outcome:
        """What a drive came to that left by `shown_decision` (UNDECIDED: by none)."""


@dataclass(frozen=True)
class ScenarioTask:
    """A scenario under one of its splits: each seed draws an episode, and its rule says the way."""

    scenario: Scenario
    split: str

    def __reduce__(self) -> Any:
        return _scenario_course, (dict(self.scenario.data), self.scenario.folder, self.split)

    @property
    def name(self) -> str:
        """The scenario's."""
        return self.scenario.name

    @property
    def town(self) -> str:
        """The map file's stem, or the generator's name."""
        model = self.scenario.map
        return Path(model.file).stem if model.file else str(model.generate)

    route, notes = None, ()

    def digest(self) -> str:
        """The scenario's."""
        return self.scenario.digest()

    def room(self) -> Simulation:
        """Room for its actors."""
        return slots_needed(self.scenario)

    def policy(self, driver: DriverChoice) -> Policy:
        """An expert thinks the scenario's rule."""
        return driver.of(self.scenario, self.split)

    def episode(self, task: Task, search: Sequence[Path]) -> Episode:
        """The seed's draw, or its twin."""
        episode = sample(self.scenario, task.seed, self.split)
        return episode if task.twin is None else twin(self.scenario, episode, task.twin)

    def way(self, episode: Episode, search: Sequence[Path]) -> RouteLength:
        """To the place, and on to the finish along the way that the rule decides for, or the only one."""
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
        """Whether the way that was taken is the rule's."""
        wanted = decision(self.scenario, episode)
        row = {
            "shown_decision": None if shown_decision == UNDECIDED else DECISIONS[shown_decision],
            "wanted": DECISIONS[wanted],
            "agrees": shown_decision == wanted and outcome == "arrived",
            "cell": {name: bool(v) for name, v in valuation(self.scenario, episode).items()},
        }
        return Outcome(row, episode.decision_spec is None and shown_decision not in (UNDECIDED, wanted))


def _scenario_course(data: Mapping[str, Any], folder: Path | None, split: str) -> ScenarioTask:
    return ScenarioTask(from_data(data, folder), split)


@dataclass(frozen=True)
class RouteTask:
    """A route of a file. There is no rule: to agree is to arrive. Seeds differ in the world's own chance alone."""

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
        """As the file has it."""
        return self.spec.town

    @property
    def route(self) -> str | None:
        """The route's id."""
        return self.spec.id

    @property
    def notes(self) -> tuple[str, ...]:
        """What the file says and this world does not do."""
        played = self.spec.unsupported_scenarios
        return ((f"not played: {', '.join(played)}",) if played else ()) + self.spec.notes

    def digest(self) -> str:
        """Of town, keypoints and weather."""
        return self.spec.digest()

    def room(self) -> Simulation:
        """Ego is alone."""
        return Simulation(actors=1)

    def policy(self, driver: DriverChoice) -> Policy:
        """An expert follows the route; whoever drives by camera is told nothing of it."""
        return driver.of(None, self.split)

    def episode(self, task: Task, search: Sequence[Path]) -> Episode:
        """The route."""
        return self.spec.episode(task.seed, search)

    def way(self, episode: Episode, search: Sequence[Path]) -> RouteLength:
        """All of it, up to where one has arrived."""
        whole = route_through(read_map(episode.map, search), episode.route).junction_out
        return RouteLength(whole, whole)

    def verdict(self, episode: Episode, shown_decision: int, outcome: str) -> Outcome:
        """Whether ego has arrived. Who has left the route has the outcome "deviated"."""
        row = {
            "shown_decision": None, "wanted": None, "agrees": outcome == "arrived", "route": self.spec.id,
            "town": self.spec.town, "unsupported_scenarios": list(self.spec.unsupported_scenarios),
            "notes": list(self.spec.notes),
        }  # fmt: skip
        return Outcome(row, False)
