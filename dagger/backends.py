"""The backend of a command's worlds: this process, or CARLA servers (`--backend carla --host H --port P`)."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from dagger.options import UsageError
from sim.core.errors import did_you_mean, known_names

BACKENDS: tuple[str, ...] = ("embedded", "carla")
PORT = 2000  # default RPC port of a CARLA server


def check_backend(backend: str, port: tuple[int, ...]) -> None:
    """Refuse an unknown backend and invalid ports.

    Raises:
        UsageError: naming what is known.
    """
    if backend not in BACKENDS:
        raise UsageError(
            f"--backend was given '{backend}'; known are {known_names(BACKENDS)}{did_you_mean(backend, BACKENDS)}"
        )
    if not port or not all(1 <= p <= 65534 for p in port) or len(set(port)) < len(port):
        given = " ".join(map(str, port)) or "nothing"
        raise UsageError(f"--port was given {given}; wanted different numbers of 1 to 65534, one a server")


def chosen_worlds(options: Any) -> AbstractContextManager[Any]:
    """A context in which worlds run on the backend that the options name; without such an option, in this process."""
    if getattr(options, "backend", "embedded") == "embedded":
        return nullcontext()
    from sim.carla.client import CarlaServers
    from sim.world.backends import use_backend

    worlds = CarlaServers(options.host, options.port)
    wanted = getattr(getattr(options, "train", options), "worlds", 1)
    if worlds.most is not None and wanted > worlds.most:
        print(f"{_counted(worlds.most, 'CARLA server')}: {_counted(worlds.most, 'world')} at once instead of {wanted}")
    return use_backend(worlds)


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def named(options: Any) -> dict[str, Any]:
    """The backend as an entry of a run's manifest; empty for the embedded backend."""
    if options.backend == "embedded":
        return {}
    return {"backend": {"name": options.backend, "host": options.host, "port": list(options.port)}}


def backend_of_run(folder: Path) -> dict[str, Any]:
    """The backend options in the manifest of a run folder; empty for the embedded backend."""
    manifest = folder / "manifest.json"
    found = json.loads(manifest.read_text()).get("backend") if manifest.is_file() else None
    return {} if found is None else {"backend": found["name"], "host": found["host"], "port": tuple(found["port"])}
