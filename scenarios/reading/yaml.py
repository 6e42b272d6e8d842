"""A YAML reader that records line numbers, so that every mistake in a file is one sentence with file and line.

It builds plain data only (`yaml.SafeLoader`) and refuses repeated keys and aliases: an untrusted file can neither run
code nor expand without bound.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from scenarios.reading.errors import RuleError
from sim.core.errors import did_you_mean, known_names

KeyPath = tuple[str | int, ...]
T = TypeVar("T")


class ScenarioError(ValueError):
    """A scenario or suite file that cannot be used; the message says file:line, what was found, what was wanted.

    Args:
        path: the key path that the error is about.
    """

    def __init__(self, text: str, path: KeyPath = ()) -> None:
        super().__init__(text)
        self.path = path


class Lines:
    """The line of every key of a text.

    Args:
        where: the file's name, or another name for the text.
        lines: key path -> line, counted from 1; empty for data that does not come from text.
    """

    def __init__(self, where: str, lines: dict[KeyPath, int] | None = None) -> None:
        self.where = where
        self.lines = lines or {}

    def line_of(self, path: KeyPath) -> int:
        """The line of a key path, or of the nearest key above it that is in the text."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def error(self, path: KeyPath, message: str) -> ScenarioError:
        """The error for a key path: the line of the nearest key that is in the text."""
        line = f":{self.line_of(path)}" if self.lines else ""
        key = ".".join(str(part) for part in path)
        return ScenarioError(f"{self.where}{line}: {key + ': ' if key else ''}{message}", path)

    def at(self, path: KeyPath, read: Callable[[], T]) -> T:
        """Call `read`, which parses a rule or a formula, and report its error at `path`.

        Raises:
            ScenarioError: at `path`, in place of a RuleError.
        """
        try:
            return read()
        except RuleError as error:
            raise self.error(path, str(error)) from None


def read_yaml(text: str, where: str) -> tuple[dict[str, Any], Lines]:
    """Read a YAML mapping and the lines of its keys.

    Raises:
        ScenarioError: for malformed YAML, repeated keys, aliases, or anything but a mapping.
    """
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise ScenarioError(f"{where}:{line}: found the alias '*{event.anchor}'; wanted the value written out")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[KeyPath, int] = {(): 1}
        if node is not None:
            _note_lines(node, (), lines, where)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(p for p in (error.context, error.problem) if p)
        raise ScenarioError(f"{where}:{mark.line + 1 if mark else 1}: malformed YAML: {problem}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ScenarioError(f"{where}:1: malformed YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ScenarioError(f"{where}:1: found {type(data).__name__}; wanted keys and values such as 'name: rain-turn'")
    return data, Lines(where, lines)


def _note_lines(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], where: str) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else str(key.value)
            line = key.start_mark.line + 1
            if (*path, name) in lines:
                raise ScenarioError(f"{where}:{line}: the key '{name}' stands twice; wanted it once")
            lines[(*path, name)] = line
            _note_lines(value, (*path, name), lines, where)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            lines[(*path, i)] = value.start_mark.line + 1
            _note_lines(value, (*path, i), lines, where)


M = typing.TypeVar("M", bound=BaseModel)


def check(model: type[M], data: dict[str, Any], lines: Lines) -> M:
    """Build a pydantic model from data.

    Raises:
        ScenarioError: for the first mistake in the text's order.
    """
    found = every_mistake(model, data, lines)
    if isinstance(found, list):
        raise found[0]
    return found


def every_mistake(model: type[M], data: dict[str, Any], lines: Lines) -> M | list[ScenarioError]:
    """Build a pydantic model from data; where that fails, return every mistake in the text's order."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        details.sort(key=lambda d: lines.lines.get(_path(d, lines), 0))  # a missing key has no line and comes first
        return [lines.error(_path(d, lines), _sentence(d, model)) for d in details]


def _path(detail: ErrorDetails, lines: Lines) -> KeyPath:
    """The key path of an error; pydantic adds the names of union members, which are not in the file."""
    return tuple(detail["loc"])


def _sentence(detail: ErrorDetails, model: type[BaseModel]) -> str:
    found = detail.get("input")
    match detail["type"]:
        case "extra_forbidden":
            known = known_keys(model, detail["loc"][:-1])
            word = str(detail["loc"][-1])
            return f"unknown key '{word}'; known are {known_names(known)}{did_you_mean(word, known)}"
        case "missing":
            return "this key is missing; it must be given"
        case "value_error":
            return str(detail["ctx"]["error"])
        case "model_type" | "model_attributes_type" | "dict_type":
            known = known_keys(model, detail["loc"])
            return f"found {found!r}; wanted keys and values{'; known keys are ' + known_names(known) if known else ''}"
        case "literal_error":
            return f"found {found!r}; known are {detail['ctx']['expected']}"
    wanted = detail["msg"].removeprefix("Input should be ")
    return f"found {found!r}; wanted {wanted}"


def known_keys(model: type[BaseModel], path: Sequence[str | int]) -> tuple[str, ...]:
    """The keys that a model knows at a key path; empty where any key may stand."""
    kind: Any = model
    for part in path:
        if isinstance(part, int) or not _is_model(kind):
            kind = next((a for a in typing.get_args(kind) if _is_model(a)), kind)
            continue
        annotation = kind.model_fields[part].annotation if part in kind.model_fields else None
        kind = _unwrap(annotation)
    return tuple(kind.model_fields) if _is_model(kind) else ()


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _unwrap(annotation: Any) -> Any:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return next((a for a in typing.get_args(annotation) if a is not type(None)), None)
    return annotation
