"""`dagger serve`: be a CARLA 0.9.16 for whoever has its Python package: our world behind its two ports."""

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


@dataclass(frozen=True)
class Options:
    """Serve the embedded world to clients of CARLA 0.9.16, without Unreal and without a GPU.

    `carla.Client(host, port)` connects as it would to CARLA. Pictures and physics are this house's own.

    Args:
        port: of the RPC; streams have the next one. 0 takes whichever are free.
        map: a generator, an OpenDRIVE file, or the name of one in the folder of --maps.
        host: address to listen on; 0.0.0.0 lets in other machines, and whoever comes may do everything.
        maps: folder of OpenDRIVE files such as Town02.xodr.
        methods: print the table of all RPC methods, what is done about each, and end.
        verbose: say who comes and goes, which methods clients ask for that are unknown, and which calls are refused.
        config: YAML file of these options; flags given here win over it.
    """

    port: int = 2000
    map: str = "grid_town"
    host: str = "127.0.0.1"
    maps: Path | None = None
    methods: bool = False
    verbose: bool = False
    config: Path | None = None

    def __post_init__(self) -> None:
        """Refuse ports that cannot be."""
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
    """All RPC methods by what is done about them, as a Markdown table of three rows."""
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


def main(options: Options) -> int:
    """Serve until interrupted."""
    import os

    from sim.carla.server.rpc import Refused
    from sim.carla.server.serve import map_named, run

    if options.methods:
        print(table_of_methods())
        return 0
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, format="%(message)s")
    search = [Path(os.environ["HOMUNCULUS_MAPS"])] if os.environ.get("HOMUNCULUS_MAPS") else []
    try:
        road_map = map_named(options.map, search)
    except Refused as error:
        raise UsageError(f"--map: {error}") from error

    def ready(server: Server) -> None:
        output().print(f"serving {server.map_name} on {options.host}:{server.port} (streams on {server.stream_port})")

    def ended(server: Server) -> None:
        for line in summary(server):
            output().print(line)

    shown = f"Carla/Maps/{Path(options.map).stem}"
    clean = run(road_map, shown, options.host, options.port, search, ready, ended)
    output().print("stopped")
    if not clean:  # a thread of C++ that cannot be told to end, and must not be met by the interpreter's own end
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


def summary(server: Server) -> list[str]:
    """What a server has done, a sentence each."""
    tally, streams = server.tally, server.streams
    lines = [f"{server.ticks:,} ticks, {streams.sent:,} frames sent, {streams.dropped:,} of them lost by slow readers; "
             f"{tally.clients:,} clients"]  # fmt: skip
    if tally.unknown:
        lines.append(f"methods that were asked for and are unknown: {_counted(tally.unknown)}")
    if tally.wrong:
        lines.append(f"methods that were refused or failed: {_counted(tally.wrong)}")
    return lines


def _counted(names: Counter[str]) -> str:
    return ", ".join(f"{name} ({n})" for name, n in names.most_common())
