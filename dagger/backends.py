"""Where a command's worlds run: in this process, or on CARLA servers that `--backend carla --host H --port P` names."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from dagger.options import UsageError
from sim.core.errors import did_you_mean, known_names

BACKENDS: tuple[str, ...] = ("embedded", "carla")
PORT = 2000  # of a CARLA server that nobody has told otherwise


def check_backend(backend: str, port: tuple[int, ...]) -> None:
    """Refuse a backend that there is not, and ports that cannot be.

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
    """The block in which worlds run where a command's options say; for options without `backend`, in this process."""
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
    """Where worlds run, for a run's manifest; nothing for those in this process."""
    if options.backend == "embedded":
        return {}
    return {"backend": {"name": options.backend, "host": options.host, "port": list(options.port)}}


def begun_on(folder: Path) -> dict[str, Any]:
    """Options that say where the worlds of a run in `folder` ran, as its manifest has them; none of an embedded run."""
    manifest = folder / "manifest.json"
    found = json.loads(manifest.read_text()).get("backend") if manifest.is_file() else None
    return {} if found is None else {"backend": found["name"], "host": found["host"], "port": tuple(found["port"])}
