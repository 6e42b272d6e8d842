"""Where a command's worlds run: in this process, or on CARLA servers that `--backend carla --host H --port P` names."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from dagger.options import BadInput
from scenarios.rules.parse import listed, nearest

BACKENDS: tuple[str, ...] = ("embedded", "carla")
PORT = 2000  # of a CARLA server that nobody has told otherwise


def check_backend(backend: str, port: tuple[int, ...]) -> None:
    """Refuse a backend that there is not, and ports that cannot be.

    Raises:
        BadInput: naming what is known.
    """
    if backend not in BACKENDS:
        raise BadInput(f"--backend was given '{backend}'; known are {listed(BACKENDS)}{nearest(backend, BACKENDS)}")
    if not port or not all(1 <= p <= 65534 for p in port) or len(set(port)) < len(port):
        given = " ".join(map(str, port)) or "nothing"
        raise BadInput(f"--port was given {given}; wanted different numbers of 1 to 65534, one a server")


def chosen_worlds(options: Any) -> AbstractContextManager[Any]:
    """The block in which worlds run where a command's options say; for options without `backend`, in this process."""
    if getattr(options, "backend", "embedded") == "embedded":
        return nullcontext()
    from sim.carla.client import CarlaServers
    from sim.stage import running_on

    return running_on(CarlaServers(options.host, options.port))
