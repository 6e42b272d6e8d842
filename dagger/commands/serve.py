"""`dagger serve`: a CARLA 0.9.16 server without Unreal, with the embedded world behind CARLA's two ports."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagger.console import output
from dagger.options import UsageError

if TYPE_CHECKING:
    from sim.carla.server.serve import Server
    from sim.world.context import RunContext


@dataclass(frozen=True)
class Options:
    """Run a server for clients of CARLA 0.9.16, without Unreal and without a GPU.

    `carla.Client(host, port)` connects as it would to CARLA. Pictures and physics are those of the embedded world.

    Args:
        port: RPC port; streams use the next one. 0 picks free ports.
        map: map to load: a generator such as grid_town, an OpenDRIVE file, or the name of one in the folder of --maps.
        host: address to listen on; 0.0.0.0 accepts other machines, and every client may do everything.
        maps: folder of OpenDRIVE files such as Town02.xodr; by default the environment variable HOMUNCULUS_MAPS.
        precompile: compile the kernels of all sensors before the first client is accepted, a minute or two on a machine
            with empty caches: for clients whose time-outs are shorter than that, as in CI.
        methods: print a table of all RPC methods and how each is handled, then exit.
        verbose: log clients that connect and disconnect, calls of unknown methods, and refused calls.
        config: YAML file with these options; flags on the command line override it.
    """

    port: int = 2000
    map: str = "grid_town"
    host: str = "127.0.0.1"
    maps: Path | None = None
    precompile: bool = False
    methods: bool = False
    verbose: bool = False
    config: Path | None = None

    def __post_init__(self) -> None:
        """Refuse ports out of range."""
        if not 0 <= self.port <= 65534:
            raise UsageError(f"--port was given {self.port}; wanted 0 to 65534")


def _sorted(methods: Mapping[str, Any]) -> list[Any]:
    order = ("served", "ignored", "refused")
    return sorted(methods.values(), key=lambda m: (order.index(m.does), m.name))


def table_of_methods() -> str:
    """Every RPC method as a Markdown table: served ones first, then those without effect, then those refused."""
    from sim.carla.server.registry import METHODS
    from sim.carla.server.serve import Server  # noqa: F401  (with it all methods are registered)

    lines = [f"| `{m.name}` | {m.does} | {m.says.rstrip('.')} |" for m in _sorted(METHODS)]
    return "\n".join(["| RPC method | is | what it does, or why not |", "|---|---|---|", *lines])


def names_of_methods() -> str:
    """All RPC methods by how they are handled, as a Markdown table of three rows."""
    from sim.carla.server.registry import METHODS
    from sim.carla.server.serve import Server  # noqa: F401  (with it all methods are registered)

    rows = ["| methods | |", "|---|---|"]
    for does, words in (
        ("served", "served"),
        ("ignored", "accepted, without effect"),
        ("refused", "refused, saying why"),
    ):
        rows.append(f"| {words} | {', '.join(f'`{m.name}`' for m in _sorted(METHODS) if m.does == does)} |")
    return "\n".join(rows)


def main(options: Options, context: RunContext) -> int:
    """Serve until interrupted."""
    import os

    from sim.carla.server.rpc import Refused
    from sim.carla.server.serve import map_named, run

    if options.methods:
        print(table_of_methods())
        return 0
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, format="%(message)s")
    try:
        road_map = map_named(options.map, context.map_search)
    except Refused as error:
        raise UsageError(f"--map: {error}") from error

    def ready(server: Server) -> None:
        output().print(f"serving {server.map_name} on {options.host}:{server.port} (streams on {server.stream_port})")

    def ended(server: Server) -> None:
        for line in summary(server):
            output().print(line)

    shown = f"Carla/Maps/{Path(options.map).stem}"
    folders = context.map_search
    clean = run(road_map, shown, options.host, options.port, folders, ready, ended, options.precompile)
    output().print("stopped")
    if not clean:  # a C++ thread cannot be stopped, and must not be alive when the interpreter shuts down
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


def summary(server: Server) -> list[str]:
    """What a server has done, as one sentence per item."""
    tally, streams = server.tally, server.streams
    lines = [f"{server.ticks:,} ticks, {streams.sent:,} frames sent, {streams.dropped:,} of them lost by slow readers; "
             f"{tally.clients:,} clients"]  # fmt: skip
    if tally.unknown:
        lines.append(f"unknown methods that were called: {_counted(tally.unknown)}")
    if tally.wrong:
        lines.append(f"methods that were refused or failed: {_counted(tally.wrong)}")
    return lines


def _counted(names: Counter[str]) -> str:
    return ", ".join(f"{name} ({n})" for name, n in names.most_common())
