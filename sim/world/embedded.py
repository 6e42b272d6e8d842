"""The in-process world: B worlds in arrays, stepped and rendered by kernels on the CPU, without a server.

World w's bytes depend on its own episode and actions alone, never on the batch size, the threads or the other
worlds: kernels share no state between worlds, and the machine code is the same for every batch size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any, ClassVar

import numpy as np

from sim.core.kernel import parallel_for
from sim.core.tables import enlarged, write_rows
from sim.datatypes.action import Action, Observation
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.road_map import MapArrays
from sim.datatypes.simulation import Simulation
from sim.datatypes.world_state import World
from sim.dynamics.impairment import steering_swing
from sim.perception.ground_truth import GroundTruth, ground_truth
from sim.render.rgb import render
from sim.road.map.map_batch import MapBatch
from sim.road.map.surface import DRIVES
from sim.sensors.base import Sensor
from sim.sensors.registry import sense
from sim.traffic.route_follower import RouteFollowers, empty_followers, step_followers
from sim.traffic.state import empty_traffic
from sim.traffic.step import advance
from sim.world.decisions.registry import DecisionDetector
from sim.world.initial_state import Capacity, empty_world, locate, place
from sim.world.step import EGO_LIMITS, EVALUATE_TERMINATION, RUNNING, STEP_ACTORS, TIMEOUT, WHOLE, step_worlds


class EmbeddedWorld:
    """The `Backend` that runs in this process.

    Args:
        worlds: B.
        camera: mounted on every ego.
        simulation: tick, substeps and number of actor slots.
        threads: for stepping and rendering; never changes a result.
        search: folders of OpenDRIVE files; None for `sim.road.map.loading.default_search()`.
        sensors: additional sensors of every ego, by name; `sense` reads them.
    """

    can_rerender = True
    most: ClassVar[int | None] = None  # no limit on the number of worlds, see `sim.world.context.BackendFactory`

    def __init__(
        self,
        worlds: int,
        camera: Camera | None = None,
        simulation: Simulation | None = None,
        threads: int = 1,
        search: Sequence[FilePath] | None = None,
        sensors: Mapping[str, Sensor] | None = None,
    ) -> None:
        if worlds < 1 or threads < 1:
            raise ValueError(f"worlds={worlds}, threads={threads}: both must be at least 1")
        self.worlds, self.threads = worlds, threads
        self.camera = camera or Camera()
        self.simulation = simulation or Simulation()
        self.sensors = dict(sensors or {})
        self.maps = MapBatch()
        self.episodes: list[Episode | None] = [None] * worlds
        self._search = search
        self._goal = np.zeros((worlds, 2), np.float32)  # [m] beyond the junction to arrive, off the route to end
        self._lit, self._crowded, self._sent = False, False, False  # any running lights, traffic, route followers
        self._changing: dict[int, np.ndarray] = {}  # slot -> weather by tick, where it changes
        self._detectors: dict[int, DecisionDetector] = {}  # slot -> detector of a decision other than an exit
        self._capacity = Capacity(max(self.simulation.actors, self.simulation.slots))
        self.world = empty_world(worlds, self._capacity.slots)
        self.traffic = empty_traffic(worlds, self._capacity.slots)
        self.followers: RouteFollowers | None = None  # until an episode has actors on scripted routes
        self.world.outcome[:] = TIMEOUT  # nothing runs before the first reset

    @property
    def recovered_errors(self) -> list[str]:
        """Always empty: nothing here fails and recovers."""
        return []

    @property
    def versions(self) -> dict[str, str]:
        """Always empty: there is no external software."""
        return {}

    @property
    def substitutions(self) -> list[str]:
        """Always empty: this is the reference."""
        return []

    def reset(self, episodes: Sequence[Episode], slots: Sequence[int] | None = None) -> None:
        """Start `episodes` in `slots`; see `Backend.reset`."""
        slots = list(range(self.worlds)) if slots is None else [int(w) for w in slots]
        if len(slots) != len(episodes):
            raise ValueError(f"{len(episodes)} episodes for {len(slots)} slots; one each is wanted")
        if len(set(slots)) != len(slots) or not all(0 <= w < self.worlds for w in slots):
            raise ValueError(f"slots are {slots}; wanted different ones from 0 to {self.worlds - 1}")
        # Every episode is placed before anything of a running world is written: a reset that fails changes no world.
        places = [locate(episode, self.simulation, self._search) for episode in episodes]
        capacity = self._capacity
        for episode, (_, junction) in zip(episodes, places):
            capacity = capacity.with_room_for(episode, junction)
        placed = place(episodes, places, self.maps, self.simulation.tick, capacity)
        self._enlarge(capacity)
        write_rows(self.world, slots, placed.world)
        write_rows(self.traffic, slots, placed.traffic)
        if self.followers is not None:
            write_rows(self.followers, slots, placed.followers)
        self._goal[slots] = placed.goal
        for k, w in enumerate(slots):
            self.episodes[w] = episodes[k]
            _replace(self._changing, w, placed.weather.get(k))
            _replace(self._detectors, w, placed.detectors.get(k))
        self._lit, self._crowded = bool((self.world.clock >= 0).any()), bool(self.traffic.busy.any())
        self._sent = self.followers is not None and bool(self.followers.busy.any())

    def _enlarge(self, capacity: Capacity) -> None:
        """Make room in every table; what is there stays."""
        if capacity == self._capacity:
            return
        slots, routes, scripts, followers, trails = self._capacity = capacity
        self.world = enlarged(self.world, empty_world(self.worlds, slots, routes))
        self.traffic = enlarged(self.traffic, empty_traffic(self.worlds, slots, scripts))
        if followers:
            wider = empty_followers(self.worlds, slots, trails)
            self.followers = wider if self.followers is None else enlarged(self.followers, wider)

    def step(self, action: Action) -> None:
        """Advance every running world one tick; see `Backend.step`."""
        asked = self.checked(action)
        self._move_crowd()
        self._do(WHOLE, asked)

    def checked(self, action: Action) -> Action:
        """Validate an action, add the steering swing of drowsy drivers, and fill in its missing parts.

        Raises:
            ValueError: see `Backend.step`.
        """
        steer = np.ascontiguousarray(action.steer, np.float32)
        acceleration = np.ascontiguousarray(action.acceleration, np.float32)
        if steer.shape != (self.worlds,) or acceleration.shape != (self.worlds,):
            raise ValueError(
                f"steer {steer.shape} and acceleration {acceleration.shape} were given; both must be ({self.worlds},)"
            )
        reverse = np.zeros(self.worlds, bool) if action.reverse is None else np.ascontiguousarray(action.reverse, bool)
        if reverse.shape != (self.worlds,):
            raise ValueError(f"reverse {reverse.shape} was given; it must be ({self.worlds},) or None")
        wrong = ~(np.isfinite(steer) & np.isfinite(acceleration)) & (self.world.outcome == RUNNING)
        if wrong.any():
            w = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"action of world {w} is steer={steer[w]}, acceleration={acceleration[w]}; finite numbers are wanted"
            )
        return Action(self._with_weave(steer), acceleration, reverse)

    def move_others(self) -> None:
        """The first part of a tick: advance all actors but ego, given ego's current pose.

        For callers that move ego by other means and then call `evaluate_termination`; `step` does both and moves ego.
        """
        self._move_crowd()
        self._do(STEP_ACTORS)

    def evaluate_termination(self) -> None:
        """The last part of a tick: evaluate ego's outcome at its current pose, and set the weather of the new tick."""
        self._do(EVALUATE_TERMINATION)

    def coming_weather(self, w: int) -> np.ndarray | None:
        """(14,) the weather of world w at the next tick; None where the weather never changes."""
        table = self._changing.get(w)
        return None if table is None else table[min(self.world.tick[w] + 1, len(table) - 1)]

    def _do(self, parts: int, asked: Action | None = None) -> None:
        """Run parts of the step kernel; after EVALUATE_TERMINATION also the decision detectors and the weather."""
        bank, dt, substeps = self.maps.arrays, np.float32(self.simulation.tick), self.simulation.substeps
        nothing = np.zeros(self.worlds, np.float32)
        asked = asked or Action(nothing, nothing, nothing > 0)
        judged = (
            [w for w in self._detectors if self.world.outcome[w] == RUNNING] if parts & EVALUATE_TERMINATION else []
        )
        parallel_for(
            lambda start, stop: step_worlds(
                bank, self.world, self._goal, EGO_LIMITS, DRIVES, asked.steer, asked.acceleration, asked.reverse, dt,
                substeps, parts, start, stop,
            ),
            self.worlds,
            self.threads,
            least=256,  # a step is so short that a thread does not pay off for fewer worlds
        )  # fmt: skip
        for w in judged:
            self._detectors[w].look(self.world, bank, w)
        if parts & EVALUATE_TERMINATION:
            self._change_weather()

    def _move_crowd(self) -> None:
        bank, dt = self.maps.arrays, np.float32(self.simulation.tick)
        self._move_others(bank, dt)
        if self._sent:
            self._step_route_followers(bank, dt)

    def _with_weave(self, steer: np.ndarray) -> np.ndarray:
        """The requested steering, with the swing of drowsy drivers added."""
        drowsy = [
            w
            for w, e in enumerate(self.episodes)
            if e is not None and e.driver_state is not None and e.driver_state.drowsy
        ]
        if drowsy:
            steer = steer.copy()
            steer[drowsy] += steering_swing([self.episodes[w] for w in drowsy], self.world.tick[drowsy])  # type: ignore[misc]
        return steer

    def _change_weather(self) -> None:
        """Set each changing weather to that of its world's tick; a table lookup, so rounding does not accumulate."""
        for w, table in self._changing.items():
            self.world.weather[w] = table[min(self.world.tick[w], len(table) - 1)]

    def _move_others(self, bank: MapArrays, dt: np.float32) -> None:
        """Advance traffic, pedestrians, scripted actors and the traffic lights' clocks, given ego's current pose."""
        if self._lit:
            ticking = (self.world.clock >= 0) & (self.world.outcome == RUNNING)
            self.world.clock[ticking] += round(self.simulation.tick * 1000)
        if not self._crowded:
            return
        roads, traffic = self.maps.roads, self.traffic
        parallel_for(
            lambda start, stop: advance(self.world, traffic, roads, bank, dt, start, stop),
            self.worlds,
            self.threads,
            least=64,
        )

    def _step_route_followers(self, bank: MapArrays, dt: np.float32) -> None:
        """Advance actors on scripted routes through the junction or tailgating ego, given ego's current pose."""
        parallel_for(
            lambda start, stop: step_followers(self.world, self.followers, bank, dt, start, stop),
            self.worlds,
            self.threads,
            least=64,
        )

    def observe(self, slots: np.ndarray | None = None) -> Observation:
        """Camera images and speeds; see `Backend.observe`."""
        world = self._rows(slots)
        camera = render(self.maps.arrays, world, self.camera, threads=self.threads)
        return Observation(camera=camera, speed=world.speed[:, 0].copy())

    def sense(self, slots: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Current readings of each ego's `sensors`: name -> (B, ...); of the given slots only, if any are given.

        Raises:
            ValueError: for a world without an episode.
        """
        return sense(self.sensors, self.maps, self._rows(slots), self.threads)

    def state(self, slots: np.ndarray | None = None) -> GroundTruth:
        """The current ground truth in each ego's frame; of the given slots only, if any are given.

        Raises:
            ValueError: for a world without an episode.
        """
        return ground_truth(self._rows(slots), self.maps, self.camera, self.threads)

    def _rows(self, slots: np.ndarray | None) -> World:
        """The rows of the given slots, all of which must have an episode."""
        chosen = range(self.worlds) if slots is None else np.arange(self.worlds)[slots]
        if unknown := [int(w) for w in chosen if self.episodes[w] is None]:
            raise ValueError(f"world {unknown[0]} has no episode yet; reset it before looking")
        return self.world if slots is None else World(*(a[slots] for a in self.world))

    def sync_ego(self, other: World) -> None:
        """Copy every ego's pose, motion, progress and outcome from another world of the same shape.

        Called after `step`, this makes a world the *shadow* of another one in which one proposition differs: the
        other actors move by their own rules (an actor may be present in one of the two only), ego is the other
        world's ego, and the weather is that of its own episode at the other's tick.
        """
        for name in ("x", "y", "yaw", "speed", "steer", "acceleration"):
            getattr(self.world, name)[:, 0] = getattr(other, name)[:, 0]
        for name in ("tick", "outcome", "shown_decision", "route_s", "route_offset"):
            getattr(self.world, name)[:] = getattr(other, name)
        self._change_weather()

    def close(self) -> None:
        """Do nothing: no resource is held outside this process's memory."""


def _replace(entries: dict[int, Any], w: int, entry: Any) -> None:
    """Make `entry` the one of world w; None is none."""
    entries.pop(w, None)
    if entry is not None:
        entries[w] = entry
