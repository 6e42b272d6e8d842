"""The registry of variables that propositions may read, and what a declaration of one holds."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from scenarios.rules.units import FAMILIES as UNIT_FAMILIES
from scenarios.rules.variables.words import text_equals
from sim.datatypes.episode import Episode
from sim.datatypes.road_map import MapArrays
from sim.datatypes.world_state import World

Lookup = Callable[[str], Any]  # variable name -> its value, a scalar or (B,)

# How a driver knows a variable (`Variable.known_by`).
REMEMBERED = "remembered"  # from what is in sight, and of a thing that was once seen what it was then
READ = "read"  # the words and the kind of a sign once it was readable
READABLE_NOW = "readable now"  # only while a board is readable; such a variable is over before the decision
GIVEN = "given"  # from the start of the episode: the map, the driver's own hurry
DROWSINESS = "drowsiness"  # once it is in effect
ARRIVALS = "arrivals"  # by predicting who arrives when
TURNING = "turning"  # once the actor is seen to turn

TYPES = ("truth", "number", "words")
_PLACES: dict[str, str] = {"<name>": r"\w+", "<field>": r"[\w.]+", "<words>": r'[^"]*'}


class Boards(Protocol):
    """Knows the possible words of a scenario's boards."""

    def boards(self, words: str) -> tuple[str, ...]:
        """The signs that may show these words."""


class Layout(NamedTuple):
    """The parts of a scenario that make variables change on the way: its signs and weather changes.

    Args:
        signs: name and possible texts, in the order of their slots.
        changes: name and the weather fields that it changes, in the order of beginning.
    """

    signs: tuple[tuple[str, tuple[str, ...]], ...]
    changes: tuple[tuple[str, tuple[str, ...]], ...]

    def boards(self, words: str) -> tuple[str, ...]:
        """The signs whose possible texts contain these words."""
        return tuple(name for name, texts in self.signs if any(text_equals(str(text), words) for text in texts))


class Approach(NamedTuple):
    """Nominal approaches of ego to the junction in n draws (`scenarios.rules.nominal_trace`).

    Args:
        drawn: variable -> its drawn values, (n, 1) or (1, 1).
        left: metres to the junction's edge (n, T); speed: of ego (n, T) [m/s]; seconds: (1, T) since the start.
        layout: what changes on the way.
    """

    drawn: Mapping[str, np.ndarray]
    left: np.ndarray
    speed: np.ndarray
    seconds: np.ndarray
    layout: Layout


class Scene(NamedTuple):
    """B running worlds of one scenario.

    Args:
        world: their arrays.
        actors, signs: names, in the order of their slots: actor number i has slot i + 1, signs follow the actors,
            traffic follows the signs.
        maps: arrays of the maps; None where no variable needs them.
        seen: (B, N - 1) bool by slot, what is not occluded; None occludes nothing.
    """

    world: World
    actors: Sequence[str]
    signs: Sequence[str]
    maps: MapArrays | None = None
    seen: np.ndarray | None = None

    def actor(self, name: str) -> int:
        """The slot of an actor.

        Raises:
            ValueError: where the worlds have no such slot.
        """
        return self._slot("actor", name, 1 + list(self.actors).index(name), "; raise Simulation.actors")

    def sign(self, name: str) -> int:
        """The slot of a sign.

        Raises:
            ValueError: where the worlds have no such slot.
        """
        return self._slot("sign", name, 1 + len(self.actors) + list(self.signs).index(name), "")

    def _slot(self, what: str, name: str, slot: int, hint: str) -> int:
        if slot >= (room := self.world.kind.shape[1]):
            raise ValueError(f"{what} '{name}' wants slot {slot}, but the worlds have room for {room} with ego{hint}")
        return slot


# ------------------------------------------------------------------------------------------------- declarations
@dataclass(frozen=True)
class Family:
    """A part of a scenario that has variables, such as its weather or its actors.

    Args:
        head: the first word of its variables.
        doc: what it is, for documentation.
        order: place of its variables in lists of known names.
        drawn: (episode, rest of a variable's name) -> the drawn value of any variable of the family, readable or not.
        names: (actors, signs, whether there is traffic) -> the names that `<name>` may stand for; ("",) for a family
            without names; () where a scenario does not have the family, or has variables that only its file knows.
        things: file's model -> name -> the model of what has that name, for `Variable.refused`.
        present: what must be so for its variables to be observable: attribute -> value.
        visible: whether a driver has to see the thing; then it has a slot in a world.
        showing: attributes of it that decide whether it can be read on the way; placing: where that is.
    """

    head: str
    doc: str
    order: int
    drawn: Callable[[Episode, str], Any]
    names: Callable[[Sequence[str], Sequence[str], bool], Sequence[str]] = lambda actors, signs, traffic: ()
    things: Callable[[Any], Mapping[str, Any]] = lambda model: {}
    present: Mapping[str, Any] = field(default_factory=dict)
    visible: bool = False
    showing: tuple[str, ...] = ()
    placing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Variable:
    """A variable that propositions may read.

    Args:
        family: what it belongs to.
        pattern: its name, such as "actors.<name>.speed", with <name> for the thing's name, <field> for a parameter's,
            and <words> for words in double quotes.
        doc: what it is, in a phrase.
        type: "truth", "number" or "words".
        unit: family of units (`scenarios.rules.units`); None for a bare number.
        absent: its value where the thing is absent.
        present: as for the family, where it differs.
        in_worlds: (worlds, name) -> its value now, (B,).
        in_draw: (variable, lookup of drawn values) -> its value at the time of the decision; None: the drawn value.
        on_approach: (approach, name) -> its value at every tick, (n, T); None: `in_draw` at every tick.
        reads: (name, boards) -> the drawn variables that determine it; None: itself.
        reads_on_approach: (name, layout) -> the same on the way; None: `reads` and what it must be present.
        rises_with: of an event, the number variable that rises when it happens; "" for what is no event.
        function: of a call such as `sign("DETOUR")`, the function's name; "" for a plain name.
        known_by: how a driver knows it, one of the constants of this module.
        refused: (model of the thing, model of the file) -> why no proposition of this scenario may read it and what is
            wanted, without the name in front; None where one may.
    """

    family: Family
    pattern: str
    doc: str
    type: str
    in_worlds: Callable[[Scene, str], Any]
    unit: str | None = None
    absent: Any = None
    present: Mapping[str, Any] | None = None
    in_draw: Callable[[str, Lookup], Any] | None = None
    on_approach: Callable[[Approach, str], Any] | None = None
    reads: Callable[[str, Boards], Sequence[str]] | None = None
    reads_on_approach: Callable[[str, Layout], Sequence[str]] | None = None
    rises_with: str = ""
    function: str = ""
    known_by: str = REMEMBERED
    refused: Callable[[Any, Any], str | None] | None = None

    @property
    def argument(self) -> str:
        """The token of the grammar that a function takes: "WORDS" for words in double quotes, "NAME" for a sign."""
        return "WORDS" if "<words>" in self.pattern else "NAME"

    def named(self, name: str) -> str:
        """The variable of a thing, such as "actors.van.speed"."""
        return _filled(self.pattern, name)


FAMILIES: dict[str, Family] = {}
VARIABLES: dict[str, Variable] = {}  # pattern -> declaration
HIDDEN: dict[str, str] = {}  # pattern of a drawn variable that no proposition may read -> why not


def family(declared: Family) -> Family:
    """Declare a family of variables.

    Raises:
        ValueError: for a head that is taken.
    """
    if declared.head in FAMILIES:
        raise ValueError(f"the family '{declared.head}' is declared already; wanted another head")
    FAMILIES[declared.head] = declared
    return declared


def variable(family: Family, pattern: str, doc: str, type: str, in_worlds: Callable[[Scene, str], Any],
             **more: Any) -> Variable:  # fmt: skip
    """Declare a variable; the arguments are those of `Variable`.

    Raises:
        ValueError: for a pattern that is taken, and for an unknown type or unit.
    """
    if pattern in VARIABLES:
        raise ValueError(f"the variable '{pattern}' is declared already; wanted another name")
    if type not in TYPES:
        raise ValueError(f"the variable '{pattern}' has the type {type!r}; known are {', '.join(TYPES)}")
    if (unit := more.get("unit")) is not None and unit not in UNIT_FAMILIES:
        raise ValueError(f"the variable '{pattern}' has the unit {unit!r}; known are {', '.join(UNIT_FAMILIES)}")
    declared = VARIABLES[pattern] = Variable(family, pattern, doc, type, in_worlds, **more)
    _search.cache_clear()
    find.cache_clear()
    return declared


def hide(pattern: str, told: str) -> None:
    """Declare that no proposition may read a drawn variable.

    Args:
        pattern: as for `Variable`.
        told: why not and what is wanted, without the variable's name in front; {name} stands for the thing's name.
    """
    HIDDEN[pattern] = told
    hidden.cache_clear()


# ------------------------------------------------------------------------------------------------------ looking up
class Match(NamedTuple):
    """A variable by its full name.

    Args:
        declared: its declaration; None for a drawn variable that no proposition reads.
        name: what stands for <name>, <field> or <words>.
        conditions: variable -> the value that it must have for this one to be observable.
    """

    declared: Variable | None
    name: str
    conditions: Mapping[str, Any]


@functools.lru_cache(maxsize=4096)
def find(variable: str) -> Match:
    """The declaration of a variable, and the name in it."""
    declared, name = _search(variable)
    if declared is None:
        head, _, tail = variable.partition(".")
        name = tail.partition(".")[0]
        group, present = FAMILIES.get(head), None
    else:
        group, present = declared.family, declared.present
    if group is None:
        return Match(declared, name, {})
    present = group.present if present is None else present
    return Match(declared, name, {f"{group.head}.{name}.{attribute}": value for attribute, value in present.items()})


@functools.lru_cache(maxsize=4096)
def _search(variable: str) -> tuple[Variable | None, str]:
    for pattern, declared in VARIABLES.items():
        if (name := matched(pattern, variable)) is not None:
            return declared, name
    return None, ""


def matched(pattern: str, variable: str) -> str | None:
    """What stands for the first placeholder of a pattern in a variable's name; None where it does not match."""
    if "<" not in pattern:
        return "" if variable == pattern else None
    before, after = pattern[: pattern.index("<")], pattern[pattern.rindex(">") + 1 :]
    if not (variable.startswith(before) and variable.endswith(after)):
        return None  # without compiling the expression, which takes longer than many matches
    found = _regex(pattern).fullmatch(variable)
    return None if found is None else found[1]


@functools.cache
def _regex(pattern: str) -> re.Pattern[str]:
    text = re.escape(pattern)
    for place, characters in _PLACES.items():
        text = text.replace(re.escape(place), f"({characters})")
    return re.compile(text)


@functools.lru_cache(maxsize=4096)
def hidden(variable: str) -> str | None:
    """Why no proposition may read a drawn variable, whatever the scenario; None where nothing hides it."""
    for pattern, told in HIDDEN.items():
        if (name := matched(pattern, variable)) is not None:
            return told.replace("{name}", name)
    return None


def _filled(pattern: str, name: str) -> str:
    for place in _PLACES:
        pattern = pattern.replace(place, name)
    return pattern
