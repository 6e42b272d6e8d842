"""Command-line options from frozen dataclasses: fields are flags, docstrings the help, a YAML file defaults.

`tyro` reads the flags. It is given a *mirror* of the dataclass, in which every field carries the help text that the
class's docstring ("width, height: image size [px].") has for it. Precedence, lowest first: the dataclass's defaults,
`--quick`, the `--config` file, flags.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import io
import os
import re
import types
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from scenarios.reading.yaml import KeyPath, Lines, read_yaml
from sim.core.errors import did_you_mean, known_names
from sim.core.ranges import OutOfRangeError, range_of
from sim.datatypes.vocabulary import DECISIONS

if TYPE_CHECKING:
    from scenarios.scenario import Scenario

T = TypeVar("T")
MOST_SEEDS = 2**32 // 10_000_000
WIDE = "400"  # width of tyro's error messages [columns], so that it does not wrap them


class UsageError(ValueError):
    """A command cannot do what it was asked for; the message is one sentence."""


def check_seed(seed: int) -> None:
    """Check that a seed is in range: each owns ten million episode numbers, all below 2**32.

    Raises:
        UsageError: with the range.
    """
    if not 0 <= seed < MOST_SEEDS:
        raise UsageError(f"--seed was given {seed}; wanted 0 to {MOST_SEEDS - 1}")


def with_rule(scenario: Scenario, rule: str | None) -> Scenario:
    """The scenario with the rule of `--rule` in place of its own, if one is given.

    Raises:
        UsageError: for a rule that decides the same in every world; ScenarioError: for one that does not fit.
    """
    if rule is None:
        return scenario
    from scenarios.sampling.plan import plan  # late: the command line's help needs none of it

    changed = scenario.with_rule(rule)
    worked = plan(changed)
    decisions = {worked.decision[cell] for cell in worked.cells}
    if len(decisions) < 2:
        always = DECISIONS[decisions.pop()]
        raise UsageError(
            f"--rule was given {rule!r}, which decides {always} in every world of {scenario.name}; wanted a rule whose "
            "decision depends on a proposition"
        )
    return changed


# ------------------------------------------------------------------------------------------ types and help
def hints_of(cls: Any) -> dict[str, Any]:
    """Field name -> type, with markers such as `Positional` kept."""
    return typing.get_type_hints(cls, include_extras=True)


def bare(hint: Any) -> Any:
    """The type without its markers."""
    return typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint


def wanted(hint: Any) -> str:
    """The values that a type allows, in words, for error messages."""
    hint = bare(hint)
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", Path: "a path"}
    if hint in names:
        return names[hint]
    inside = [a for a in typing.get_args(hint) if a is not type(None)]
    if typing.get_origin(hint) is tuple:
        if inside[-1] is Ellipsis:
            return f"several of {wanted(inside[0])}"
        return " and ".join(wanted(a) for a in inside)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " or ".join(wanted(a) for a in inside)
    if typing.get_origin(hint) is typing.Literal:
        return f"one of {known_names([str(a) for a in inside])}"
    return str(getattr(hint, "__name__", hint))


def sentences(cls: type) -> dict[str, str]:
    """Field name -> its help text in the class's docstring; "a, b: text; c: text" describes three fields."""
    known = {f.name for f in dataclasses.fields(cls)}
    text = inspect.getdoc(cls) or ""
    if "Args:" not in text:
        return {}
    block = re.split(r"\n\S", text.split("Args:", 1)[1])[0]
    flat = re.sub(r"\n        +", " ", block)
    said: dict[str, str] = {}
    for line in flat.splitlines():
        heads = [m for m in re.finditer(r"(?:^\s*|; )(\w+(?:, \w+)*): ", line) if set(m.group(1).split(", ")) <= known]
        for m, after in zip(heads, [*heads[1:], None]):
            words = line[m.end() : after.start() if after else len(line)].strip()
            said |= dict.fromkeys(m.group(1).split(", "), words)
    return said


@functools.cache
def mirror(cls: Any) -> Any:
    """A dataclass with the same fields, each with its help text, that checks no value."""
    import tyro

    said, fields = sentences(cls), []
    for f in dataclasses.fields(cls):
        hint = hints_of(cls)[f.name]
        if dataclasses.is_dataclass(bare(hint)):
            hint = mirror(bare(hint))
        limits = f" [{found}]" if (found := range_of(hint)) else ""
        text = said.get(f.name, "").rstrip(".") + limits
        shown = tyro.conf.arg(help=text, metavar=_metavar(hint), help_behavior_hint=_default_as_shown)
        fields.append((f.name, Annotated[hint, shown]))
    made = dataclasses.make_dataclass(cls.__name__, fields, frozen=True)
    made.__doc__ = (inspect.getdoc(cls) or "").split("Args:")[0].split("Raises:")[0].strip()
    return made


def _metavar(hint: Any) -> str | None:
    """The placeholder of an optional value, such as PATH; None leaves it to tyro."""
    inside = [a for a in typing.get_args(bare(hint)) if a is not type(None)]
    optional = typing.get_origin(bare(hint)) in (typing.Union, types.UnionType) and len(inside) == 1
    return str(inside[0].__name__).upper() if optional and isinstance(inside[0], type) else None


def _default_as_shown(default: str) -> str:
    return "" if default in ("None", "''", "", "False") else f"(default: {default})"


def _to_mirror(value: Any) -> Any:
    values = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    kind: Any = type(value)
    return mirror(kind)(**{k: _to_mirror(v) if dataclasses.is_dataclass(v) else v for k, v in values.items()})


def _from_mirror(cls: type[T], reflected: Any, path: str = "") -> T:
    values = {}
    for f in dataclasses.fields(cls):  # type: ignore[arg-type]
        value, kind = getattr(reflected, f.name), bare(hints_of(cls)[f.name])
        deeper = dataclasses.is_dataclass(kind)
        values[f.name] = _from_mirror(kind, value, f"{path}{f.name}.") if deeper else value  # type: ignore[arg-type]
    try:
        return cls(**values)
    except OutOfRangeError as error:
        flag = f"--{path}{error.name}".replace("_", "-")
        raise UsageError(f"{flag} was given {_as_typed(error.value)}; wanted {error.allowed}") from None
    except (ValueError, TypeError) as error:
        raise UsageError(f"--{path.rstrip('.').replace('_', '-')}: {error}" if path else str(error)) from None


def _as_typed(value: object) -> str:
    """A value as it stands on a command line: words in quotes, the parts of a tuple after each other."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else repr(value)


def flags_of(cls: type, prefix: str = "--") -> dict[str, Any]:
    """Flag -> type of every field of a dataclass; fields of nested dataclasses have dotted flags."""
    found: dict[str, Any] = {}
    for name, hint in hints_of(cls).items():
        if is_positional(hint):
            continue
        flag = prefix + name.replace("_", "-")
        found |= flags_of(bare(hint), flag + ".") if dataclasses.is_dataclass(bare(hint)) else {flag: hint}
    return found


def is_positional(hint: Any) -> bool:
    """Whether an option is positional, not a flag."""
    return typing.get_origin(hint) is Annotated and "Positional" in repr(hint)


# ---------------------------------------------------------------------------------------------- YAML files
def overlay(defaults: T, data: dict[str, Any], lines: Lines, path: KeyPath = ()) -> T:
    """`defaults` with the values of a mapping in place of its own.

    Raises:
        ScenarioError: for unknown keys and values of another kind, with file, line and key.
    """
    cls: Any = type(defaults)
    hints = hints_of(cls)
    values: dict[str, Any] = {}
    for key, value in data.items():
        name = str(key).replace("-", "_")
        if name not in hints or name == "config":
            known = [k for k in hints if k != "config"]
            raise lines.error(
                (*path, key), f"unknown key {key!r}; known are {known_names(known)}{did_you_mean(name, known)}"
            )
        kind, place = bare(hints[name]), (*path, key)
        if not dataclasses.is_dataclass(kind):
            values[name] = _fitted(value, kind, lines, place)
        elif isinstance(value, dict):
            values[name] = overlay(getattr(defaults, name), value, lines, place)
        else:
            raise lines.error(place, f"found {value!r}; wanted keys such as {next(iter(hints_of(kind)))}")
    try:
        return dataclasses.replace(defaults, **values)  # type: ignore[type-var]
    except OutOfRangeError as error:
        place = (*path, *error.name.split("."))
        raise lines.error(place, f"found {_as_typed(error.value)}; wanted {error.allowed}") from None
    except (ValueError, TypeError) as error:
        raise lines.error(path, str(error)) from None


def _fitted(value: Any, hint: Any, lines: Lines, place: KeyPath) -> Any:
    """The value as its field's type; a value of another kind is an error."""
    hint = bare(hint)
    inside = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        if value is None and type(None) in inside:
            return None
        return _fitted(value, next(a for a in inside if a is not type(None)), lines, place)
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        kinds = [inside[0]] * len(value) if inside[-1] is Ellipsis else list(inside)
        if len(kinds) == len(value):
            return tuple(_fitted(v, k, lines, place) for v, k in zip(value, kinds))
    elif typing.get_origin(hint) is typing.Literal and value in inside:
        return value
    elif hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    elif hint is Path and isinstance(value, str):
        return Path(value)
    elif hint in (int, str, bool) and type(value) is hint:
        return value
    raise lines.error(place, f"found {value!r}; wanted {wanted(hint)}")


def read_config(path: Path, defaults: T) -> T:
    """`defaults` with the values of a YAML file in place of its own.

    Raises:
        UsageError, ScenarioError: for a file that cannot be read, and for any mistake in it.
    """
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"--config {path} cannot be read: {reason}; wanted a YAML file of options") from None
    if not text.strip():
        return defaults
    data, lines = read_yaml(text, str(path))
    return overlay(defaults, data, lines)


# ------------------------------------------------------------------------------------------ the command line
def given(flag: str, arguments: Sequence[str]) -> str | None:
    """The value of a flag as it stands on the command line, or None."""
    for i, token in enumerate(arguments):
        name, _, value = token.partition("=")
        if name.replace("_", "-") == flag:
            return value if "=" in token else (arguments[i + 1] if i + 1 < len(arguments) else "")
    return None


def parse(cls: Any, arguments: Sequence[str], command: str, defaults: T) -> T:
    """Parse the flags of a command.

    Args:
        command: "dagger run", for help and messages.
        defaults: before flags, with the file of `--config` already in it.

    Raises:
        UsageError: one sentence; SystemExit(0) after `--help`.
    """
    import tyro

    flags = flags_of(cls)
    for token in arguments:
        name = token.split("=")[0].replace("_", "-")
        positive = "--" + name.removeprefix("--no-")  # `--no-quick` overrides a file
        known = name in flags or name == "--help" or bare(flags.get(positive)) is bool
        if name.startswith("--") and not known:
            raise UsageError(_unknown(name, flags))
    heard = io.StringIO()
    try:
        with contextlib.redirect_stderr(heard), _columns(WIDE if "-h" not in arguments and "--help" not in arguments
                                                         else os.environ.get("COLUMNS")):  # fmt: skip
            reflected = tyro.cli(mirror(cls), args=list(arguments), prog=command, default=_to_mirror(defaults))
    except SystemExit as end:
        if end.code in (0, None):
            raise
        raise UsageError(_sentence(heard.getvalue(), arguments, flags, command)) from None
    made: T = _from_mirror(cls, reflected)
    return made


@contextlib.contextmanager
def _columns(count: str | None) -> Iterator[None]:
    """Set the width of tyro's output within the block: it takes none as an argument, and reads this variable."""
    before = os.environ.get("COLUMNS")
    if count is not None:
        os.environ["COLUMNS"] = count
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("COLUMNS", None)
        else:
            os.environ["COLUMNS"] = before


def _unknown(flag: str, flags: dict[str, Any]) -> str:
    """The error message for an unknown flag: the flags beside it, and deeper groups in short."""
    group = flag.rpartition(".")[0]
    while group and not any(f.startswith(group + ".") for f in flags):
        group = group.rpartition(".")[0]
    start = group + "." if group else "--"
    here = [f for f in flags if f.startswith(start) and "." not in f[len(start) :]]
    deeper = sorted({start + f[len(start) :].split(".")[0] + ".*" for f in flags if f.startswith(start)} -
                    {f + ".*" for f in here})  # fmt: skip
    return f"unknown option {flag}; known are {known_names([*here, *deeper])}{did_you_mean(flag, flags)}"


def _sentence(said: str, arguments: Sequence[str], flags: dict[str, Any], command: str) -> str:
    """tyro's error message as one sentence with the value found and the value wanted."""
    lines = [line.strip("│ ").strip() for line in said.splitlines() if line.startswith("│")]
    text = lines[0] if lines else " ".join(said.split())
    for flag, hint in flags.items():
        if re.search(rf"(?<![\w.-]){re.escape(flag)}(?![\w.-])", text):
            value = given(flag, arguments)
            return f"{flag} was given {value!r}; wanted {wanted(hint)}" if value else f"{flag} wants {wanted(hint)}"
    return f"{text[:1].lower()}{text[1:]}; see {command} --help"
