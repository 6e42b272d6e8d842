"""Activation traces: records a policy's latents during rollouts, at stations in metres from the junction.

Everything said here of a junction holds for any decision point, which also begins and ends somewhere along the route.

Stations rather than ticks align episodes: at the same tick, a slow car is at another place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from policies.sites import IntervenablePolicy
from scenarios.sampling.sample import slots_needed
from scenarios.scenario import Scenario
from sim.datatypes.action import Action
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import OUTCOME, UNDECIDED
from sim.perception.ground_truth import GroundTruth
from sim.world.backend import Backend
from sim.world.context import RunContext
from sim.world.rollout import in_chunks, observe_for, rollout

Labels = Callable[[GroundTruth], Mapping[str, np.ndarray]]  # maps the ground truth of B worlds to name -> (B, ...)
STATIONS: tuple[float, ...] = (-20.0, -15.0, -10.0, -6.0, -3.0, 0.0, 3.0, 6.0)  # [m] from the junction's edge
DECISION_STATION = -3.0  # where the decision is made but not yet shown: the latent that `encodes` probes
BEFORE = 0.95  # share of the episodes that must not have shown their decision where latents are probed for it


@dataclass(frozen=True)
class Trace:
    """Recorded latents of a policy at S stations in n episodes.

    Args:
        stations: (S,) [m] from the junction's edge.
        latents: site -> (n, S, D) float32; a station that was never reached has the last latent before it. A
            passenger's sites are called "passenger:site".
        reached: (n, S) bool.
        pictures: station -> (n, H, W, 3) uint8, the camera's picture there: at the decision station, and before it if
            requested.
        shown: (n, S) bool: whether the drive had shown its decision on passing the station.
        shown_decision, outcome: (n,).
        labels: name -> (n, S, ...), the requested labels at the time of those latents.
    """

    stations: np.ndarray
    latents: dict[str, np.ndarray]
    reached: np.ndarray
    pictures: dict[float, np.ndarray]
    shown: np.ndarray
    shown_decision: np.ndarray
    outcome: np.ndarray
    labels: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def images(self) -> np.ndarray:
        """(n, H, W, 3) uint8, the camera's pictures at the decision station."""
        return self.pictures[DECISION_STATION]

    @property
    def undecided_at(self) -> float | None:
        """The last pictured station that nearly all drives pass before they show their decision, or None."""
        decided = self.shown_decision != UNDECIDED
        for station in sorted(self.pictures, reverse=True):
            k = int(np.flatnonzero(self.stations == station)[0])
            before = self.reached[decided, k] & ~self.shown[decided, k]
            if not decided.any() or before.mean() >= BEFORE:
                return station
        return None

    def at(self, site: str, station: float = DECISION_STATION) -> np.ndarray:
        """(n, D) latents of a site at one station.

        Raises:
            ValueError: for an unknown site or station, with the known ones.
        """
        if site not in self.latents:
            raise ValueError(f"no site {site!r} in this trace; it has {sorted(self.latents)}")
        if station not in self.stations:
            raise ValueError(f"no station {station} m in this trace; it has {list(self.stations)}")
        return self.latents[site][:, int(np.flatnonzero(self.stations == station)[0])]


def trace(
    policy: IntervenablePolicy,
    scenario: Scenario,
    episodes: Sequence[Episode],
    camera: Camera,
    context: RunContext | None = None,
    passengers: Mapping[str, IntervenablePolicy] | None = None,
    labels: Labels | None = None,
    pictured: Sequence[float] = (DECISION_STATION,),
) -> Trace:
    """Roll out `policy` on `episodes` and record every site at every station.

    Args:
        context: where the worlds run; its progress advances by the episodes of every batch. By default `RunContext()`.
        passengers: policies that get the driver's inputs without controlling ego: an untrained network would never
            reach the junction by itself, and has to be probed on the same views.
        labels: further labels to record at every station, such as whether a light is red, as targets of probes.
        pictured: the stations whose pictures are recorded, the decision station among them.
    """
    parts: list[Trace] = []
    context = context or RunContext()
    for chunk in in_chunks(episodes, context.at_once(len(episodes))):
        with context.backend(len(chunk), camera, slots_needed(scenario)) as backend:
            parts.append(_trace_chunk(policy, passengers or {}, backend, chunk, labels, pictured))
        context.progress.advance(len(chunk))
    return Trace(
        stations=parts[0].stations,
        latents={site: np.concatenate([p.latents[site] for p in parts]) for site in parts[0].latents},
        reached=np.concatenate([p.reached for p in parts]),
        pictures={station: np.concatenate([p.pictures[station] for p in parts]) for station in parts[0].pictures},
        shown=np.concatenate([p.shown for p in parts]),
        shown_decision=np.concatenate([p.shown_decision for p in parts]),
        outcome=np.concatenate([p.outcome for p in parts]),
        labels={name: np.concatenate([p.labels[name] for p in parts]) for name in parts[0].labels},
    )


class _Carrying:
    """A driver together with its passengers; `now` and `true` hold the latest tick's latents and labels."""

    def __init__(
        self,
        driver: IntervenablePolicy,
        passengers: Mapping[str, IntervenablePolicy],
        backend: Backend,
        labels: Labels | None,
    ) -> None:
        self.needs, self.driver, self.passengers, self.backend = driver.needs, driver, passengers, backend
        self.labels = labels
        self.now: dict[str, np.ndarray] = {}
        self.true: dict[str, np.ndarray] = {}
        self.widths = dict(driver.sites)
        self.widths |= {f"{who}:{site}": w for who, p in passengers.items() for site, w in p.sites.items()}
        self._memories: dict[str, Any] = {}

    def begin(self, worlds: int) -> Any:
        """Return the driver's initial memory; the passengers' memories are stored here."""
        self._memories = {who: p.begin(worlds) for who, p in self.passengers.items()}
        return self.driver.begin(worlds)

    def act(self, seen: Any, memory: Any) -> tuple[Action, Any]:
        """Return the driver's action and memory; record the latents of the driver and its passengers."""
        slots = np.flatnonzero(self.backend.world.outcome == OUTCOME["running"])
        if self.labels is not None:
            self.true = dict(self.labels(self.backend.state(slots)))
        with self.driver.record() as tape:
            action, memory = self.driver.act(seen, memory)
        self.now = {site: rows[-1].cpu().numpy() for site, rows in tape.ticks.items()}
        for who, passenger in self.passengers.items():
            view = seen if passenger.needs == self.needs else observe_for(self.backend, passenger.needs, slots)
            with passenger.record() as tape:
                _, self._memories[who][slots] = passenger.act(view, self._memories[who][slots])
            self.now |= {f"{who}:{site}": rows[-1].cpu().numpy() for site, rows in tape.ticks.items()}
        return action, memory


def _trace_chunk(
    policy: IntervenablePolicy,
    passengers: Mapping[str, IntervenablePolicy],
    backend: Backend,
    chunk: Sequence[Episode],
    labels: Labels | None,
    pictured: Sequence[float],
) -> Trace:
    n, stations = len(chunk), np.array(STATIONS)
    car = _Carrying(policy, passengers, backend, labels)
    latents = {site: np.zeros((n, len(stations), width), np.float32) for site, width in car.widths.items()}
    true: dict[str, np.ndarray] = {}
    reached = np.zeros((n, len(stations)), bool)
    shown = np.zeros((n, len(stations)), bool)
    pictures = {
        station: np.zeros((n, backend.camera.height, backend.camera.width, 3), np.uint8) for station in pictured
    }

    def on_tick(tick: int, slots: np.ndarray) -> None:
        # The latents of this tick were computed at ego's pose before the step, half a metre away at most.
        bank, world = backend.maps.arrays, backend.world
        away = world.route_s[slots, 0] - bank.junction_in[world.route[slots, 0]]
        for name, rows in car.true.items():
            true.setdefault(name, np.zeros((n, len(stations), *rows.shape[1:]), rows.dtype))
        for known, now in ((latents, car.now), (true, car.true)):
            for name, kept in known.items():
                for k in range(len(stations)):
                    fresh = ~reached[slots, k]
                    kept[slots[fresh], k] = now[name][fresh]
        arrived = away[:, None] >= stations
        for station, images in pictures.items():
            k = STATIONS.index(station)
            if len(new := slots[arrived[:, k] & ~reached[slots, k]]):
                images[new] = backend.observe(new).camera
        shown[slots] |= arrived & ~reached[slots] & (world.shown_decision[slots] != UNDECIDED)[:, None]
        reached[slots] |= arrived

    trajectory = rollout(backend, car, chunk, on_tick)
    for station, images in pictures.items():
        missing = np.flatnonzero(~reached[:, STATIONS.index(station)])
        if len(missing):  # station never reached: use the last picture
            images[missing] = backend.observe(missing).camera
    return Trace(stations, latents, reached, pictures, shown, trajectory.shown_decision, trajectory.outcome, true)
