"""Where worlds run: in this process, unless a command has said that they run on servers.

Whoever drives asks here for worlds.  It is one setting for a whole process, as the folder of maps is: what a run is
about does not depend on it, and everybody who drives in it shares the servers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sim.datatypes.camera import Camera
from sim.datatypes.simulation import Simulation
from sim.sensors.registry import Sensor
from sim.world.backend import Backend
from sim.world.embedded import EmbeddedWorld


class Worlds(Protocol):
    """Makes backends; a class of backends may be one.

    Attributes:
        most: how many worlds there can be at once; None where nothing limits them.
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
        """A backend of so many worlds."""


@dataclass(frozen=True)
class BackendLog:
    """What all backends had to say that were closed since a `use_backend` block began; nothing of embedded worlds.

    Args:
        substitutions: what is done in another way, each once. faults: what was mended, in the order of events.
        versions: of what the worlds run on.
    """

    substitutions: dict[str, None] = field(default_factory=dict)
    recovered_errors: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)


_worlds: Worlds = EmbeddedWorld
_heard = BackendLog()


def backend_log() -> BackendLog:
    """What was heard of backends so far."""
    return _heard


@contextmanager
def use_backend(worlds: Worlds) -> Iterator[Worlds]:
    """Let `new_worlds` make its worlds so, within the block."""
    global _worlds, _heard
    before, _worlds, _heard = (_worlds, _heard), worlds, BackendLog()
    try:
        yield worlds
    finally:
        _worlds, _heard = before


def most_at_once() -> int | None:
    """How many worlds there can be at once; None where nothing limits them."""
    return _worlds.most


def max_at_once(wanted: int) -> int:
    """How many worlds to drive at once, where `wanted` would be liked."""
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
    """Worlds to drive in, which are closed at the end of the block."""
    backend = _worlds(worlds, camera, simulation, threads=threads, search=search, sensors=sensors)
    try:
        yield backend
    finally:
        _heard.substitutions.update(dict.fromkeys(backend.substitutions))
        _heard.recovered_errors.extend(backend.recovered_errors)
        _heard.versions.update(backend.versions)
        backend.close()
