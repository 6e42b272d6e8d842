"""The `dagger` console script: finds the module of a command, imports it and runs it.

Every command's options are a frozen dataclass (see `dagger.options`). Bad input ends with one sentence on stderr (for
a rule or a proposition with its line and carets under the word) and exit status 2, an interruption with 130;
HOMUNCULUS_TRACEBACK=1 shows the traceback instead.
"""

from __future__ import annotations

import difflib
import importlib
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

# Set before torch is imported: OpenMP workers spin while they wait, which costs a factor of ten when the loader
# renders on the same cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_typed: ContextVar[tuple[str, ...]] = ContextVar("typed", default=())
PASS, BAD, INTERRUPTED = 0, 2, 130


@dataclass(frozen=True)
class Command:
    """A command of the console script: its module, and its line in `dagger --help`.

    Args:
        module: has `Options`, a frozen dataclass; `main(options)`, which returns an exit status, or where the options
            have `maps`, `main(options, context)`, with a `RunContext`; and optionally `starting(arguments)`, the
            defaults if these depend on the command line.
        says: what the command does, in a line.
        deeper: first argument -> module of a subcommand, such as `dagger scenarios export`.
    """

    module: str
    says: str
    deeper: Mapping[str, str] = field(default_factory=dict)


COMMANDS: dict[str, Command] = {
    "run": Command("dagger.commands.run", "run the whole experiment: demonstrate, train, probe, write the report"),
    "suite": Command("dagger.commands.suite", "evaluate a driver on scenarios: agreement, success, driving scores"),
    "demos": Command("dagger.commands.demos", "record demonstrations of a scenario's expert"),
    "probe": Command("dagger.commands.probe", "compute the scorecard of a saved checkpoint"),
    "film": Command("dagger.commands.film", "render a video of one episode, or of a recording of `dagger serve`",
                    {"recording": "dagger.commands.recording"}),
    "report": Command("dagger.commands.report", "write the report.html of a run again"),
    "scenarios": Command("dagger.commands.scenarios", "list the scenarios, show one in full, or export episodes",
                         {"export": "dagger.commands.export"}),
    "serve": Command("dagger.commands.serve", "run a CARLA 0.9.16 server without Unreal, for CARLA's own clients"),
    "bench": Command("dagger.commands.bench", "measure the speed of simulator, camera, loader and training"),
}  # fmt: skip


def overview() -> str:
    """The text of `dagger --help`."""
    wide = max(map(len, COMMANDS))
    lines = [f"  {name:<{wide}}  {command.says}" for name, command in COMMANDS.items()]
    return "\n".join([
        "usage: dagger COMMAND [OPTIONS]", "",
        "Can we imitate thinking from only observing behaviour? An expert obeys a hidden rule, a network learns to",
        "imitate the expert from camera pictures, and probes measure how much of the rule it acquired.", "",
        "commands:", *lines, "",
        "Start with `dagger run --quick`. `dagger COMMAND --help` explains a command's options.",
    ])  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(overview())
        return PASS
    if arguments[0] == "--version":
        from importlib.metadata import version

        print(f"homunculus {version('homunculus')}")
        return PASS
    _typed.set(tuple(arguments))
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        return _say(f"dagger: unknown command '{name}'; known are {', '.join(COMMANDS)}{hint}", BAD)
    try:
        return _call(name, rest)
    except SystemExit as end:  # after a command's --help
        return end.code if isinstance(end.code, int) else PASS
    except KeyboardInterrupt as stop:
        return _say(str(stop) or "interrupted", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of stdout has closed the pipe
        return 1
    except (ValueError, OSError, ArithmeticError) as error:
        if os.environ.get("HOMUNCULUS_TRACEBACK"):
            raise
        return _say(f"dagger {name}: {_sentence(error)}", BAD)


def _call(name: str, arguments: list[str]) -> int:
    module = importlib.import_module(_place(name, arguments)[0])
    options = read(name, arguments)
    if not hasattr(options, "maps"):  # it takes no folder of maps, so it needs no context
        status: int = module.main(options)
        return status
    from dagger.backends import context_of

    status = module.main(options, context_of(options))
    return status


def read(name: str, arguments: Sequence[str]) -> Any:
    """The options of a command, from its defaults, the `--config` file and the flags."""
    from pathlib import Path

    from dagger.options import given, parse, read_config

    place, name, arguments = _place(name, arguments)
    module = importlib.import_module(place)
    defaults = module.starting(arguments) if hasattr(module, "starting") else module.Options()
    if (file := given("--config", arguments)) is not None and "--help" not in arguments:
        defaults = read_config(Path(file), defaults)
    return parse(module.Options, arguments, f"dagger {name}", defaults)


def _place(name: str, arguments: Sequence[str]) -> tuple[str, str, Sequence[str]]:
    """The module, full name and arguments of a command or subcommand."""
    command = COMMANDS[name]
    if arguments and arguments[0] in command.deeper:
        return command.deeper[arguments[0]], f"{name} {arguments[0]}", arguments[1:]
    return command.module, name, arguments


def command_line() -> str:
    """The command line as it was typed, quoted for a shell."""
    return shlex.join(["dagger", *_typed.get()])


def _sentence(error: BaseException) -> str:
    """The first line of an error message, and the quoted rule with its carets if these follow."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, OSError) and error.strerror and error.filename and text.startswith("["):
        text = f"{error.filename}: {error.strerror}"
    first, *more = text.split("\n")
    pointed = len(more) >= 2 and set(more[1].strip()) == {"^"}
    return "\n".join([first, *more[:2]]) if pointed else first


def _say(sentence: str, status: int) -> int:
    print(sentence, file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
