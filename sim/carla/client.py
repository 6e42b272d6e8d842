"""Worlds on CARLA servers: the `Backend` whose ego is driven by a server, and whose truth is what the server says.

A server holds one world, so B worlds want B servers.  Everything else is an `EmbeddedWorld`'s, the *book*: it places
episodes, its kernels move the others, who see ego where the server has it, and the verdict is passed on the poses that
come back.  CARLA's numbers are float32 and its angles degrees: what comes back differs from what was sent by rounding.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sim.bank import MapBank
from sim.carla.session import ATTEMPTS, BACK_OFF, Lost, Session
from sim.config import Camera, Episode, Simulation
from sim.embedded import EmbeddedWorld
from sim.sensors import Sensor, sense
from sim.state import State
from sim.stepping import RUNNING
from sim.types import Action, Observation, World

TIMEOUT = 20.0  # [s] of a call


class CarlaWorld:
    """B worlds on B CARLA servers; see `sim.backend.Backend`.

    Args:
        servers: host and port of each world's server.
        worlds, camera, simulation, threads, search, sensors: as for `EmbeddedWorld`.
        timeout: of every call [s].

    Attributes:
        redraws: False: a picture of this backend cannot be drawn again from the state.

    Raises:
        ValueError: for fewer servers than worlds, or a server of another version.
        ConnectionError: when a server does not answer.
    """

    redraws = False

    def __init__(
        self,
        worlds: int,
        camera: Camera | None = None,
        simulation: Simulation | None = None,
        threads: int = 1,
        search: Sequence[Path] = (),
        sensors: Mapping[str, Sensor] | None = None,
        servers: Sequence[tuple[str, int]] = (("127.0.0.1", 2000),),
        timeout: float = TIMEOUT,
    ) -> None:
        if worlds > len(servers):
            raise ValueError(f"{worlds} worlds want as many CARLA servers; {len(servers)} were named")
        self._book = EmbeddedWorld(worlds, camera, simulation, threads, search, sensors)
        self.worlds, self.threads = worlds, threads
        self._sessions = [Session(*s, timeout, self.camera, self.simulation) for s in servers[:worlds]]
        for session in self._sessions:
            session.connect()
        # also when the program ends without closing it
        self._leave = weakref.finalize(self, _close, tuple(self._sessions))

    # ------------------------------------------------------------------------------------------ what the book says
    @property
    def camera(self) -> Camera:
        """On every ego."""
        return self._book.camera

    @property
    def simulation(self) -> Simulation:
        """Tick, substeps, room."""
        return self._book.simulation

    @property
    def sensors(self) -> dict[str, Sensor]:
        """What every ego carries besides its camera."""
        return self._book.sensors

    @property
    def maps(self) -> MapBank:
        """The maps that were driven on."""
        return self._book.maps

    @property
    def world(self) -> World:
        """What the servers said last, live."""
        return self._book.world

    @property
    def episodes(self) -> list[Episode | None]:
        """What runs in every world."""
        return self._book.episodes

    @property
    def faults(self) -> list[str]:
        """What went wrong and was mended."""
        return [fault for session in self._sessions for fault in session.faults]

    @property
    def notes(self) -> list[str]:
        """What the servers do in another way than the embedded world."""
        said = [note for session in self._sessions for note in session.cast.notes]
        if self.sensors:
            said.append(f"sensors {', '.join(self.sensors)} are worked out from the server's truth, not by the server")
        return list(dict.fromkeys(said))

    # ---------------------------------------------------------------------------------------------------- running
    def reset(self, episodes: Sequence[Episode], slots: Sequence[int] | None = None) -> None:
        """Start `episodes` in `slots`; see `Backend.reset`."""
        slots = list(range(self.worlds)) if slots is None else [int(w) for w in slots]
        self._book.reset(episodes, slots)
        for w in slots:
            self._mend(w, lambda w=w: self._start(w))  # type: ignore[misc]

    def _start(self, w: int) -> None:
        episode = self._book.episodes[w]
        assert episode is not None
        self._sessions[w].start(episode, self.maps.maps[self.world.map[w]], self.world, w)

    def step(self, action: Action) -> None:
        """Advance every running world one tick; see `Backend.step`."""
        checked = self._book.checked(action)
        running = np.flatnonzero(self.world.outcome == RUNNING)
        self._book.move_others()
        for w in running:
            asked = Action(*(part[w : w + 1] for part in (checked.steer, checked.acceleration, checked.reverse)))
            episode = self._book.episodes[w]
            assert episode is not None

            def tick(w: int = int(w), episode: Episode = episode, asked: Action = asked) -> None:
                self._sessions[w].tick(episode, self.world, w, asked, self._book.coming_weather(w))

            self._mend(int(w), tick, lambda w=int(w): self._start(w))  # type: ignore[misc]
        self._book.judge()

    def _mend(self, w: int, act: Callable[[], None], again: Callable[[], None] | None = None) -> None:
        """Do something on a server; where that fails find the server again, set the stage as the book has it, go on.

        Raises:
            ConnectionError: when it does not come back.
        """
        session, pause = self._sessions[w], BACK_OFF
        for attempt in range(ATTEMPTS):
            try:
                act()
                return
            except Lost as loss:
                tick = int(self.world.tick[w])
                session.faults.append(f"{session}: {loss}; set up again at tick {tick} (attempt {attempt + 1})")
                if attempt == ATTEMPTS - 1:
                    raise ConnectionError(f"the CARLA server at {session} does not come back: {loss}") from loss
            time.sleep(pause)
            pause *= 2.0
            session.forget()
            session.connect()
            try:
                if again is not None:
                    again()
            except Lost:
                continue

    def observe(self, slots: np.ndarray | None = None) -> Observation:
        """What the servers' cameras showed after the last tick; see `Backend.observe`."""
        chosen = self._chosen(slots)
        shape = (len(chosen), self.camera.height, self.camera.width, 3)
        camera = np.array([self._sessions[w].picture for w in chosen], np.uint8).reshape(shape)
        return Observation(camera=camera, speed=self.world.speed[chosen, 0].copy())

    def _chosen(self, slots: np.ndarray | None) -> list[int]:
        chosen = [int(w) for w in (range(self.worlds) if slots is None else np.arange(self.worlds)[slots])]
        if unknown := [w for w in chosen if self.episodes[w] is None]:
            raise ValueError(f"world {unknown[0]} has no episode yet; reset it before looking")
        return chosen

    def sense(self, slots: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """What each ego's `sensors` would show in the state that the server says; see `EmbeddedWorld.sense`."""
        chosen = self._chosen(slots)
        return sense(self.sensors, self.maps, World(*(a[chosen] for a in self.world)), self.threads)

    def state(self, slots: np.ndarray | None = None) -> State:
        """What is true of the worlds now, as the servers say; see `EmbeddedWorld.state`."""
        return self._book.state(slots)

    def close(self) -> None:
        """Take everybody off the servers, and leave their settings as they were."""
        self._leave()

    def __enter__(self) -> CarlaWorld:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _close(sessions: Sequence[Session]) -> None:
    for session in sessions:
        session.close()


class CarlaServers:
    """Makes worlds on servers of one host, for whoever takes a maker of backends.

    Args:
        host: of all servers. ports: of their RPC. timeout: of a call [s].

    Attributes:
        most: how many worlds there can be at once.
    """

    def __init__(self, host: str, ports: Sequence[int], timeout: float = TIMEOUT) -> None:
        self._servers, self._timeout = [(host, int(port)) for port in ports], timeout
        self.most: int | None = len(self._servers)

    def __call__(
        self,
        worlds: int,
        camera: Camera | None = None,
        simulation: Simulation | None = None,
        *,
        threads: int = 1,
        search: Sequence[Path] = (),
        sensors: Mapping[str, Sensor] | None = None,
    ) -> CarlaWorld:
        """A backend of so many worlds."""
        return CarlaWorld(worlds, camera, simulation, threads, search, sensors, self._servers, self._timeout)
