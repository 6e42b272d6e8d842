"""Definitions under `where:` in a scenario: names for formulas and rules over propositions and earlier names."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from scenarios.reading.yaml import KeyPath, Lines, ScenarioError
from scenarios.rules.grammar import names_in
from scenarios.rules.parse import Definition, check_name, parse_definition


def definitions_of(texts: Mapping[str, str], propositions: Sequence[str], lines: Lines) -> dict[str, Definition]:
    """Parse the definitions: name -> formula or rule, in the file's order; names in them are not expanded.

    Raises:
        ScenarioError: for a name that is taken or invalid, a definition that needs itself or a later one, and text
            that cannot be parsed.
    """
    found: dict[str, Definition] = {}
    for name, text in texts.items():
        path: KeyPath = ("where", name)
        lines.at(path, functools.partial(check_name, name, "name"))
        if name in propositions:
            raise lines.error(path, f"'{name}' is a proposition already; wanted another name")
        if below := next((n for n in texts if n in names_in(text) and n not in found), None):
            raise _too_early(name, below, texts, lines)
        found[name] = lines.at(path, functools.partial(parse_definition, text, propositions, found))
    return found


def _too_early(name: str, below: str, texts: Mapping[str, str], lines: Lines) -> ScenarioError:
    """The error for a name that is used above its own definition."""
    needs, wanted = {below}, [below]
    while wanted:
        new = {n for n in names_in(texts[wanted.pop()]) if n in texts} - needs
        needs |= new
        wanted.extend(new)
    if name in needs:
        both = f"'{name}' needs itself" if name == below else f"'{name}' and '{below}' need each other"
        return lines.error(("where", name), f"{both}; wanted no circle")
    return lines.error(("where", name), f"'{below}' is defined below; wanted it above '{name}'")
