"""Lint of a scenario file: every error in one pass, and warnings about a file that loads but does not work."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scenarios.reading.yaml import KeyPath, Lines, ScenarioError, every_mistake, read_yaml
from scenarios.rules.ast import names
from scenarios.rules.logic import Cell, describe_cell
from scenarios.sampling.plan import plan, satisfiable_cells
from scenarios.sampling.sample import sample, twin
from scenarios.scenario import ALL_EPISODES, Scenario, from_data
from scenarios.schema.map import FileModel
from sim.datatypes.vocabulary import DECISIONS, TURNS

MOST = 50  # mistakes that are reported per file
_HARMLESS = "ego.speed > 1"  # a proposition that every scenario can have
_MANY = 32  # at most so many cells are tried for twins


def errors_in_file(path: Path) -> list[ScenarioError]:
    """All mistakes in a scenario file; see `errors`."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        return [ScenarioError(f"{path}: cannot be read: {error.strerror}")]
    except UnicodeDecodeError as error:
        return [ScenarioError(f"{path}: is not UTF-8 text: {error.reason} at byte {error.start}")]
    return errors(text, str(path), path.resolve().parent)


def errors(text: str, where: str = "scenario", folder: Path | None = None) -> list[ScenarioError]:
    """All mistakes in a scenario's YAML, in the order of its lines; empty where it can be used.

    Each mistake is replaced by a harmless value, and the file is read again. Where there is no such value, further
    mistakes stay unreported until that one is fixed.
    """
    try:
        data, lines = read_yaml(text, where)
    except ScenarioError as error:
        return [error]
    data = copy.deepcopy(data)
    found: list[ScenarioError] = []
    tried: dict[KeyPath, int] = {}
    shaped = every_mistake(FileModel, data, lines)
    if isinstance(shaped, list):
        found += shaped
        mended = [_mend(data, error.path, tried) for error in shaped]
        if not all(mended):
            return found
    while len(found) < MOST and (left := _next(data, lines, folder)):
        if left.path not in [other.path for other in found]:
            found.append(left)
        if not _mend(data, left.path, tried):
            break
    return sorted(found, key=lambda error: lines.line_of(error.path))


def _next(data: dict[str, Any], lines: Lines, folder: Path | None) -> ScenarioError | None:
    try:
        from_data(data, folder, lines)
    except ScenarioError as error:
        return error
    return None


def _mend(data: dict[str, Any], path: KeyPath, tried: dict[KeyPath, int]) -> bool:
    """Replace a mistake by a harmless value, in place; return whether there is one."""
    turn = tried[path] = tried.get(path, -1) + 1
    match path:
        case ("rule", *_):
            data |= {"rule": TURNS[0], "map": {"generate": "crossroads"}}  # which has a way for every turn
        case ("name",):
            data["name"] = "unnamed"
        case ("map", *_):
            data["map"] = {"generate": "crossroads"}
        case ("propositions", str(name)) if turn == 0 and isinstance(data.get("propositions"), dict):
            data["propositions"][name] = _HARMLESS
        case ("splits", str(name)) if turn == 0 and isinstance(data.get("splits"), dict):
            data["splits"][name] = True
        case ("known_leaks", int(i)):
            data["known_leaks"][i] = "weather.cloudiness"
        case (*_, int(i), "name"):
            _at(data, path[:-1])["name"] = f"unnamed_{i}"
        case (*_, last):
            holder = _at(data, path[:-1])
            if not isinstance(holder, dict) or last not in holder:
                return False
            del holder[last]
        case _:
            return False
    return turn < 2


def _at(data: Any, path: KeyPath) -> Any:
    """The value at a key path; None where there is none."""
    for part in path:
        if isinstance(data, list) and isinstance(part, int):
            data = data[part]
        else:
            data = data.get(part) if isinstance(data, dict) else None
    return data


# ----------------------------------------------------------------------------- files that load but do not work
def warnings(scenario: Scenario) -> list[str]:
    """Warnings about a scenario that loads: splits, decisions and propositions that have no effect."""
    try:
        possible = plan(scenario).cells
    except ValueError as error:
        return [str(error)]
    return [*_of_splits(scenario), *_of_decisions(scenario, possible), *_of_propositions(scenario, possible)]


def _of_splits(scenario: Scenario) -> Iterator[str]:
    table = plan(scenario).decision
    for split in scenario.splits:
        try:
            found = satisfiable_cells(scenario, split)
        except ValueError as error:
            yield f"{error}; wanted a condition that sometimes holds"
            continue
        if len(ways := sorted({table[c] for c in found})) == 1:
            yield (
                f"in split '{split}' the rule always says '{DECISIONS[ways[0]]}', so there is nothing to find out; "
                "wanted a split and ranges in which it says at least two things"
            )
    if "train" in scenario.splits and scenario.split("train") == scenario.split(ALL_EPISODES):
        yield (
            "the split 'train' holds nothing out, so that thinking cannot be told from remembering; "
            "wanted a condition such as 'train: not (a and b)'"
        )


def _of_decisions(scenario: Scenario, possible: tuple[Cell, ...]) -> Iterator[str]:
    table = plan(scenario).decision
    never = sorted(set(table.values()) - {table[c] for c in possible})
    for d in never:
        yield (
            f"the rule never comes to '{DECISIONS[d]}': no combination that can happen leads there; "
            "wanted wider ranges, or a rule without it"
        )
    for cell in possible:
        try:
            sample(scenario, 0, ALL_EPISODES, cell)
        except FileNotFoundError:  # reported elsewhere, when the scenario is driven
            return
        except ValueError as error:
            yield str(error)


def _of_propositions(scenario: Scenario, possible: tuple[Cell, ...]) -> Iterator[str]:
    table, known = plan(scenario).decision, scenario.proposition_names
    for name in names(scenario.rule):
        if name not in known:
            continue
        i = known.index(name)
        if all(table[c] == table[(*c[:i], not c[i], *c[i + 1 :])] for c in table):
            yield f"'{name}' stands in the rule and decides nothing; wanted a rule without it"
    for name, (flips, of) in flipping(scenario).items():
        if of and not flips:
            yield (
                f"'{name}' can never flip alone, so that it has no twins; wanted ranges that leave both truth values "
                "possible, and propositions that do not settle each other"
            )


def flipping(scenario: Scenario) -> dict[str, tuple[int, int]]:
    """Proposition -> number of cells in which a twin can flip it alone, and number of tried cells (0 without the map).

    The map does not matter here, so that a generated map replaces one from a file.
    """
    if scenario.map.file is not None:
        scenario = scenario.with_map({"generate": "crossroads" if scenario.map.kind == "crossroads" else "t_junction"})
    possible = plan(scenario).cells
    found = {name: [0, 0] for name in scenario.proposition_names}
    for cell in possible[:: -(-len(possible) // _MANY)]:
        try:
            episode = sample(scenario, 0, ALL_EPISODES, cell)
        except (ValueError, FileNotFoundError):
            continue
        for name, counted in found.items():
            counted[1] += 1
            try:
                twin(scenario, episode, name)
                counted[0] += 1
            except ValueError:
                pass
    return {name: (flips, of) for name, (flips, of) in found.items()}


def held_out(scenario: Scenario, split: str) -> list[str]:
    """The cells that can happen and that a split leaves out, in words."""
    inside = set(satisfiable_cells(scenario, split))
    return [describe_cell(scenario.proposition_names, c) for c in plan(scenario).cells if c not in inside]


def told(found: list[ScenarioError], where: str) -> str:
    """Format mistakes for people: their number, and one line each."""
    return "\n".join([f"{where} has {len(found)} mistakes", *(f"  {error}" for error in found)])
