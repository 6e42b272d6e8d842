"""The context of a run: what all code that drives worlds needs from its caller, whatever it drives.

A command builds one `RunContext` and hands it down. Nothing in it defines a run, as scenario, camera, settings and
seed do. `dataclasses.replace` makes a changed copy, which shares the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sim.core.progress import NoProgress, Progress
from sim.datatypes.camera import Camera
from sim.datatypes.simulation import Simulation
from sim.road.map.loading import default_search
from sim.sensors.base import Sensor
from sim.world.backend import Backend
from sim.world.embedded import EmbeddedWorld


class BackendFactory(Protocol):
    """Makes backends; a backend class may be one.

    Attributes:
        most: the largest number of worlds at once; None for no limit.
    """

    most: int | None

    def __call__(
        self,
        worlds: int,
        camera: Camera | None = None,
        simulation: Simulation | None = None,
        *,
        threads: int = 1,
        search: Sequence[Path] | None = None,
        sensors: Mapping[str, Sensor] | None = None,
    ) -> Backend:
        """Return a backend with `worlds` worlds."""


@dataclass(frozen=True)
class BackendLog:
    """Reports of the backends that a context has closed; embedded worlds report nothing.

    Args:
        substitutions: features that differ from the embedded world, each once.
        recovered_errors: errors that a backend recovered from, in order of occurrence.
        versions: of the external software that the worlds run on.
    """

    substitutions: dict[str, None] = field(default_factory=dict)
    recovered_errors: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    def add(self, backend: Backend) -> None:
        """Add the reports of a backend."""
        self.substitutions.update(dict.fromkeys(backend.substitutions))
        self.recovered_errors.extend(backend.recovered_errors)
        self.versions.update(backend.versions)


@dataclass(frozen=True, eq=False)
class RunContext:
    """What code that drives worlds needs from its caller; `RunContext()` is embedded worlds, quietly.

    Args:
        worlds: number of worlds to drive at once; a backend with a limit drives fewer.
        threads: threads of the simulator.
        map_search: folders of OpenDRIVE files.
        progress: receives the stages of long work.
        make_backend: what makes the worlds: `EmbeddedWorld`, or `CarlaServers`.
        log: receives the reports of closed backends.

    A pickled copy has a log of its own. It can be made where `progress` and `make_backend` can be pickled, as the
    defaults can.
    """

    worlds: int = 128
    threads: int = 2
    map_search: tuple[Path, ...] = field(default_factory=default_search)
    progress: Progress = field(default_factory=NoProgress)
    make_backend: BackendFactory = EmbeddedWorld
    log: BackendLog = field(default_factory=BackendLog)

    @property
    def limit(self) -> int | None:
        """The largest number of worlds that the backend can have at once; None for no limit."""
        return self.make_backend.most

    def limited(self, wanted: int) -> int:
        """`wanted` worlds, or fewer if the backend limits them; at least 1."""
        return wanted if self.limit is None else max(1, min(wanted, self.limit))

    def at_once(self, episodes: int) -> int:
        """The number of worlds that drive `episodes` episodes: `worlds` at most, and no more than the limit."""
        return self.limited(min(self.worlds, episodes))

    @contextmanager
    def backend(
        self,
        worlds: int,
        camera: Camera | None = None,
        simulation: Simulation | None = None,
        sensors: Mapping[str, Sensor] | None = None,
    ) -> Iterator[Backend]:
        """Make a backend; at the end of the block its reports go to the log, and it is closed.

        Args:
            worlds: number of its worlds, see `at_once`.
            camera, simulation, sensors: as for `sim.world.embedded.EmbeddedWorld`.
        """
        made = self.make_backend(
            worlds, camera, simulation, threads=self.threads, search=self.map_search, sensors=sensors
        )
        try:
            yield made
        finally:
            self.log.add(made)
            made.close()
