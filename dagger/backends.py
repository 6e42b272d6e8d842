"""The context of a command: its worlds, maps, and backend (`--maps`, `--backend carla --host H --port P`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagger.options import UsageError
from sim.core.errors import did_you_mean, known_names

if TYPE_CHECKING:
    from sim.world.context import RunContext

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


def context_of(options: Any) -> RunContext:
    """The context of a command: the worlds, threads, maps and backend that its options name, else the defaults.

    Raises:
        UsageError: where `maps` is no folder.
    """
    from sim.world.context import RunContext  # late: it loads the simulator

    settings = getattr(options, "train", options)
    given = {name: getattr(settings, name) for name in ("worlds", "threads") if hasattr(settings, name)}
    if options.maps is not None:
        if not options.maps.is_dir():
            raise UsageError(f"--maps {options.maps} is no folder; wanted one with OpenDRIVE files such as Town02.xodr")
        given["map_search"] = (options.maps,)
    if getattr(options, "backend", "embedded") != "embedded":
        from sim.carla.client import CarlaServers

        given["make_backend"] = CarlaServers(options.host, options.port)
    context = RunContext(**given)
    wanted = given.get("worlds", 1)
    if (most := context.limit) is not None and wanted > most:
        print(f"{_counted(most, 'CARLA server')}: {_counted(most, 'world')} at once instead of {wanted}")
    return context


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
