"""Backend selection for a process: embedded worlds by default, CARLA servers if a command chooses them.

Code that needs worlds gets them from `new_worlds`.  The choice is one setting for a whole process, as the folder of
maps is: the definition of a run does not depend on it, and all callers in the process share the servers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sim.datatypes.camera import Camera
from sim.datatypes.simulation import Simulation
from sim.sensors.base import Sensor
from sim.world.backend import Backend
from sim.world.embedded import EmbeddedWorld


class Worlds(Protocol):
    """A factory of backends; a backend class may be one.

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
        search: Sequence[Path] = (),
        sensors: Mapping[str, Sensor] | None = None,
    ) -> Backend:
        """Return a backend with `worlds` worlds."""


@dataclass(frozen=True)
class BackendLog:
    """Reports of all backends that were closed since a `use_backend` block began; embedded worlds report nothing.

    Args:
        substitutions: features that differ from the embedded world, each once.
        recovered_errors: errors that a backend recovered from, in order of occurrence.
        versions: of the external software that the worlds run on.
    """

    substitutions: dict[str, None] = field(default_factory=dict)
    recovered_errors: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)


_worlds: Worlds = EmbeddedWorld
_log = BackendLog()


def backend_log() -> BackendLog:
    """The reports of the backends closed so far."""
    return _log


@contextmanager
def use_backend(worlds: Worlds) -> Iterator[Worlds]:
    """Make `new_worlds` use this factory within the block."""
    global _worlds, _log
    before, _worlds, _log = (_worlds, _log), worlds, BackendLog()
    try:
        yield worlds
    finally:
        _worlds, _log = before


def most_at_once() -> int | None:
    """The largest number of worlds at once; None for no limit."""
    return _worlds.most


def max_at_once(wanted: int) -> int:
    """The number of worlds to drive at once: `wanted`, or fewer if the backend limits them."""
    return wanted if _worlds.most is None else max(1, min(wanted, _worlds.most))


@contextmanager
def new_worlds(
    worlds: int,
    camera: Camera | None = None,
    simulation: Simulation | None = None,
    *,
    threads: int = 1,
    search: Sequence[Path] = (),
    sensors: Mapping[str, Sensor] | None = None,
) -> Iterator[Backend]:
    """Create a backend of the selected kind, and close it at the end of the block."""
    backend = _worlds(worlds, camera, simulation, threads=threads, search=search, sensors=sensors)
    try:
        yield backend
    finally:
        _log.substitutions.update(dict.fromkeys(backend.substitutions))
        _log.recovered_errors.extend(backend.recovered_errors)
        _log.versions.update(backend.versions)
        backend.close()
