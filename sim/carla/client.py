"""The CARLA backend: B worlds on B CARLA servers, which drive ego and whose state is the ground truth.

A server holds one world.  A local `EmbeddedWorld` (`_local`) does everything else: it places episodes, its kernels move
the other actors, which react to ego's pose on the server, and it evaluates the outcome on the poses that come back.
CARLA's numbers are float32 and its angles degrees: what comes back differs from what was sent by rounding.
"""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sim.carla.sensors import SensorRig, mount_of
from sim.carla.session import ATTEMPTS, BACK_OFF, ActorLost, ServerLost, Session
from sim.datatypes.action import Action, Observation
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.road_map import RoadMap
from sim.datatypes.simulation import Simulation
from sim.datatypes.world_state import World
from sim.perception.ground_truth import GroundTruth
from sim.road.map.map_batch import MapBatch
from sim.sensors.base import Sensor
from sim.sensors.registry import sense
from sim.world.embedded import EmbeddedWorld
from sim.world.step import RUNNING

TIMEOUT = 20.0  # [s] of a call
ELSEWHERE = 0.01  # [m] from ego's former place: beyond it a replayed episode has diverged


class _Bar(NamedTuple):
    """One recorded operation on a world: its start, a tick, or a placement of ego (no action).

    Args:
        before: the world alone, once the others had moved. weather: of the tick, None where it did not change.
    """

    before: World
    action: Action | None = None
    weather: np.ndarray | None = None


class CarlaWorld:
    """B worlds on B CARLA servers; see `sim.world.backend.Backend`.

    Args:
        servers: host and port of each world's server.
        worlds, camera, simulation, threads, search, sensors: as for `EmbeddedWorld`.
        timeout: of every call [s].

    Attributes:
        can_rerender: False: a picture of this backend cannot be rendered again from the state.

    Raises:
        ValueError: for fewer servers than worlds, or a server of another version.
        ServerLost: when a server does not answer.
    """

    can_rerender = False

    def __init__(
        self,
        worlds: int,
        camera: Camera | None = None,
        simulation: Simulation | None = None,
        threads: int = 1,
        search: Sequence[Path] | None = None,
        sensors: Mapping[str, Sensor] | None = None,
        servers: Sequence[tuple[str, int]] = (("127.0.0.1", 2000),),
        timeout: float = TIMEOUT,
    ) -> None:
        if worlds > len(servers):
            raise ValueError(f"{worlds} worlds need as many CARLA servers; {len(servers)} were named")
        self._local = EmbeddedWorld(worlds, camera, simulation, threads, search, sensors)
        self.worlds, self.threads = worlds, threads
        self._sessions = [
            Session(*s, timeout, self.camera, self.simulation, self.sensors) for s in servers[:worlds]
        ]  # fmt: skip
        self._scores: list[list[_Bar]] = [[] for _ in range(worlds)]  # operations of each world since its episode began
        # the finalizer also runs when the program ends without closing the backend
        self._leave = weakref.finalize(self, _close, tuple(self._sessions))
        for session in self._sessions:
            session.connect()

    # ---------------------------------------------------------------------------------------- from the local world
    @property
    def camera(self) -> Camera:
        """The camera on every ego."""
        return self._local.camera

    @property
    def simulation(self) -> Simulation:
        """Tick, substeps, and room for actors."""
        return self._local.simulation

    @property
    def sensors(self) -> dict[str, Sensor]:
        """The sensors of every ego besides its camera."""
        return self._local.sensors

    @property
    def maps(self) -> MapBatch:
        """Every map of an episode so far."""
        return self._local.maps

    @property
    def world(self) -> World:
        """The latest state from the servers, live."""
        return self._local.world

    @property
    def episodes(self) -> list[Episode | None]:
        """The episode of every world."""
        return self._local.episodes

    @property
    def recovered_errors(self) -> list[str]:
        """Errors of the servers, and how each was recovered."""
        return [fault for session in self._sessions for fault in session.recovered_errors]

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the servers."""
        return {"carla server": " ".join(sorted({session.version for session in self._sessions}))}

    @property
    def substitutions(self) -> list[str]:
        """What the servers do differently from the embedded world."""
        said = [note for session in self._sessions for note in session.cast.substitutions]
        if mine := [name for name in self.sensors if self._mine(name)]:
            said.append(f"{', '.join(mine)}: computed from the server's ground truth, not measured by the server")
        return list(dict.fromkeys(said))

    def _mine(self, name: str) -> bool:
        """Return whether a sensor is computed here, because some server has no such sensor."""
        mount = mount_of(self.sensors[name], self.simulation.tick)
        return mount is None or not all(session.cast.knows(mount.blueprint) for session in self._sessions)

    # ---------------------------------------------------------------------------------------------------- running
    def reset(self, episodes: Sequence[Episode], slots: Sequence[int] | None = None) -> None:
        """Start `episodes` in `slots`; see `Backend.reset`."""
        slots = list(range(self.worlds)) if slots is None else [int(w) for w in slots]
        self._local.reset(episodes, slots)
        for w in slots:
            self._scores[w] = [_Bar(self._row(w))]
            self._mend(w, lambda w=w: self._sessions[w].start(*self._staged(w), self.world, w))  # type: ignore[misc]

    def _row(self, w: int) -> World:
        """Return a copy of world w alone."""
        return World(*(array[w : w + 1].copy() for array in self.world))

    def _staged(self, w: int) -> tuple[Episode, RoadMap]:
        """Return the episode and the map of world w."""
        episode = self.episodes[w]
        assert episode is not None
        return episode, self.maps.maps[self.world.map[w]]

    def step(self, action: Action) -> None:
        """Advance every running world one tick; see `Backend.step`."""
        asked = self._local.checked(action)
        self._local.move_others()
        for w in np.flatnonzero(self.world.outcome == RUNNING).tolist():
            assert asked.reverse is not None  # `checked` fills it in
            mine = Action(asked.steer[w : w + 1], asked.acceleration[w : w + 1], asked.reverse[w : w + 1])
            bar = _Bar(self._row(w), mine, self._local.coming_weather(w))
            self._mend(w, lambda w=w, bar=bar: self._play(w, bar, self.world, w), again=True)  # type: ignore[misc]
            self._scores[w].append(bar)
        self._local.evaluate_termination()

    def sync_ego(self, other: World) -> None:
        """Put every ego where it is in another world of the same shape; see `EmbeddedWorld.sync_ego`.

        It costs the servers a tick, which advances the rain in pictures too: a shadow world's rain falls twice as fast.
        """
        self._local.sync_ego(other)
        for w in range(self.worlds):
            if self.episodes[w] is not None:
                bar = _Bar(self._row(w))
                self._mend(w, lambda w=w, bar=bar: self._play(w, bar, self.world, w), again=True)  # type: ignore[misc]
                self._scores[w].append(bar)

    def _play(self, w: int, bar: _Bar, into: World, row: int) -> None:
        """Do a recorded operation of world w on its server; writes the result into a row of a world."""
        session = self._sessions[w]
        if bar.action is None:
            session.put_ego(into, row)
        else:
            session.tick(self._staged(w)[0], into, row, bar.action, bar.weather)

    def _again(self, w: int) -> None:
        """Replay a world's episode from its start on a fresh server, up to the current tick.

        If the server's physics bring ego to another place, ego is teleported to its place.
        """
        first, *rest = self._scores[w]
        session = self._sessions[w]
        row = first.before
        session.start(*self._staged(w), row, 0)
        for bar in rest:
            row = World(*(array.copy() for array in bar.before))
            self._play(w, bar, row, 0)
        off = math.hypot(row.x[0, 0] - self.world.x[w, 0], row.y[0, 0] - self.world.y[w, 0])
        if off > ELSEWHERE:
            session.recovered_errors.append(
                f"{session}: the replay brought ego to another place, {off:.3g} m off; ego was put back"
            )
            session.put_ego(self.world, w)

    def _mend(self, w: int, act: Callable[[], None], again: bool = False) -> None:
        """Run an operation on a server; where it fails, reconnect and restore the world to its state before.

        Args:
            again: whether the episode has begun, and is replayed before `act`.

        Raises:
            ServerLost: when the server does not come back.
        """
        session, pause = self._sessions[w], BACK_OFF
        for attempt in range(1, ATTEMPTS + 1):
            try:
                if attempt > 1:
                    session.forget()
                    session.connect()
                    if again:
                        self._again(w)
                act()
                return
            except ActorLost as loss:
                tick = int(self.world.tick[w])
                session.recovered_errors.append(f"{session}: {loss} (attempt {attempt}); replayed up to tick {tick}")
                if attempt == ATTEMPTS:
                    raise ServerLost(f"the CARLA server at {session} does not come back: {loss}") from loss
            time.sleep(pause)
            pause *= 2.0

    def observe(self, slots: np.ndarray | None = None) -> Observation:
        """Return the pictures of the servers' cameras after the last tick; see `Backend.observe`."""
        chosen = self._chosen(slots)
        shape = (len(chosen), self.camera.height, self.camera.width, 3)
        camera = np.array([self._instruments(w).picture for w in chosen], np.uint8).reshape(shape)
        return Observation(camera=camera, speed=self.world.speed[chosen, 0].copy())

    def _chosen(self, slots: np.ndarray | None) -> list[int]:
        chosen = [int(w) for w in (range(self.worlds) if slots is None else np.arange(self.worlds)[slots])]
        if unknown := [w for w in chosen if self.episodes[w] is None]:
            raise ValueError(f"world {unknown[0]} has no episode yet; reset it before looking")
        return chosen

    def _instruments(self, w: int) -> SensorRig:
        found = self._sessions[w].instruments
        assert found is not None  # every reset and step sets them, or raises
        return found

    def sense(self, slots: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Return the readings of each ego's `sensors` after the last tick; see `EmbeddedWorld.sense`.

        The servers measure all but the sensors that `substitutions` names: these are computed from the servers' state.
        """
        chosen = self._chosen(slots)
        measured = [self._instruments(w).readings() for w in chosen]
        rows = World(*(a[chosen] for a in self.world))
        mine = sense({k: s for k, s in self.sensors.items() if self._mine(k)}, self.maps, rows, self.threads)
        found = {}
        for name, sensor in self.sensors.items():
            field = sensor.field()
            theirs = [reading[name] for reading in measured] if name not in mine else None
            found[name] = mine[name] if theirs is None else np.array(theirs, field.dtype).reshape(-1, *field.shape)
        return found

    def state(self, slots: np.ndarray | None = None) -> GroundTruth:
        """Return the ground truth of the worlds, from the servers' state; see `EmbeddedWorld.state`."""
        return self._local.state(slots)

    def close(self) -> None:
        """Destroy all actors on the servers, and restore their settings."""
        self._leave()

    def __enter__(self) -> CarlaWorld:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _close(sessions: Sequence[Session]) -> None:
    for session in sessions:
        session.close()


class CarlaServers:
    """A factory of `CarlaWorld` backends on the servers of one host.

    A server is lent to one backend at a time, until that is closed.

    Args:
        host: of all servers. ports: of their RPC. timeout: of a call [s].

    Attributes:
        most: how many worlds there can be at once.
    """

    def __init__(self, host: str, ports: Sequence[int], timeout: float = TIMEOUT) -> None:
        self._servers, self._timeout = [(host, int(port)) for port in ports], timeout
        self.most: int | None = len(self._servers)
        self._lent: list[tuple[weakref.finalize[..., Any], list[tuple[str, int]]]] = []

    def __call__(
        self,
        worlds: int,
        camera: Camera | None = None,
        simulation: Simulation | None = None,
        *,
        threads: int = 1,
        search: Sequence[Path] | None = None,
        sensors: Mapping[str, Sensor] | None = None,
    ) -> CarlaWorld:
        """Return a backend of so many worlds.

        Raises:
            ValueError: where too few servers are free.
        """
        self._lent = [(leave, servers) for leave, servers in self._lent if leave.alive]
        taken = {server for _, servers in self._lent for server in servers}
        free = [server for server in self._servers if server not in taken]
        if worlds > len(free):
            count = len(self._servers)
            raise ValueError(f"{worlds} worlds need as many CARLA servers; of {count}, {len(free)} are free")
        made = CarlaWorld(worlds, camera, simulation, threads, search, sensors, free[:worlds], self._timeout)
        self._lent.append((made._leave, free[:worlds]))
        return made
