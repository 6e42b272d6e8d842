"""What a proposition may ask of: its variables, and their values in a concrete draw and in running worlds.

    weather.<field>         CARLA's WeatherParameters (`sim.types.WEATHER_FIELDS`) [percent, degrees]
    ego.speed               [m/s]
    actors.<name>.present   whether the actor stands in the world
    actors.<name>.speed     [m/s]
    actors.<name>.kind      "car", "van", ...
    actors.<name>.turn      "left", "right", "straight": the way that it takes, "" where it keeps to its lane
    actors.<name>.lead      by how much it comes to the junction before ego nominally does [s]; told by draws alone
    actors.<name>.halted    whether it stands within 6 m before its line; told by running worlds alone
    signs.<name>.present    whether the sign stands in the world
    signs.<name>.text       the words on a board
    signs.<name>.kind       "text" for a board, else "stop", "speed_30", ...
    signs.<name>.wear       0 (new) to 1, as painted: in steps of 1/15
    traffic.vehicles        how many drive on the map, besides the actors; traffic.walkers: how many walk
    traffic.lights          whether traffic lights are in order

A draw is asked how things stand when the decision falls: its weather is the weather once all changes are over. A
running world is asked how things stand now. What is not there has no speed and no wear, shows no words, and is of
kind "none". Slots: actor number i of the scenario sits in slot i + 1, signs come behind the actors, traffic behind the
signs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sim.boards import SIGN, face_shown
from sim.config import VEHICLES, Episode
from sim.forecast import settled
from sim.signs import WEARS
from sim.types import KIND, KINDS, TURNS, WEATHER_FIELDS, WEATHER_INDEX, World

Lookup = Callable[[str], Any]  # variable name -> its value, a scalar or (B,)

ACTOR_ATTRIBUTES: tuple[str, ...] = ("present", "speed", "kind", "turn", "lead", "halted")
SIGN_ATTRIBUTES: tuple[str, ...] = ("present", "text", "kind", "wear")
TRAFFIC_ATTRIBUTES: tuple[str, ...] = ("vehicles", "walkers", "lights")
_WORDS = ("text", "kind", "turn")
_TRUTHS = ("present", "lights", "halted")
_VEHICLES = np.array([kind in VEHICLES for kind in KINDS])
_WALKER = KIND["walker"]
_ABSENT: dict[str, Any] = {
    "speed": 0.0, "kind": "none", "text": "", "wear": 0.0, "turn": "", "lead": 0.0, "halted": False,
}  # fmt: skip
HALTED_NEAR = 6.0  # [m] before its line who stands has halted
_STANDS = 0.1  # [m/s]


def known_variables(actors: Sequence[str], signs: Sequence[str] = (), traffic: bool = False) -> tuple[str, ...]:
    """Every variable that a proposition may read where the scenario has these actors and signs, and any traffic."""
    return (
        "ego.speed",
        *(f"actors.{a}.{what}" for a in actors for what in ACTOR_ATTRIBUTES),
        *(f"signs.{s}.{what}" for s in signs for what in SIGN_ATTRIBUTES),
        *(f"traffic.{what}" for what in TRAFFIC_ATTRIBUTES if traffic),
        *(f"weather.{f}" for f in WEATHER_FIELDS),
    )


def type_of(variable: str) -> str:
    """What the variable's values are: "truth", "words" or "number"."""
    attribute = variable.rpartition(".")[2]
    return "truth" if attribute in _TRUTHS else "words" if attribute in _WORDS else "number"


def conditions_of(variable: str) -> dict[str, Any]:
    """Other variables that must have these values for this one to show: a sign that is not there says nothing."""
    thing, _, attribute = variable.rpartition(".")
    if not thing.startswith(("actors.", "signs.")) or attribute == "present":
        return {}
    return {f"{thing}.present": True, **({f"{thing}.kind": "text"} if attribute == "text" else {})}


def shown(variable: str, drawn: Lookup) -> Any:
    """What a driver finds, given what chance drew.

    Args:
        drawn: variable -> what was drawn, a scalar or (n,), whether or not it can show.
    """
    value, attribute = drawn(variable), variable.rpartition(".")[2]
    if attribute == "wear":
        value = np.round(value * WEARS) / WEARS
    for other, wanted in conditions_of(variable).items():
        shows = drawn(other) == wanted
        value = np.where(shows, value, _ABSENT[attribute]) if np.ndim(shows) else value if shows else _ABSENT[attribute]
    return value


def drawn_in(episode: Episode, variable: str) -> Any:
    """What chance drew for a variable of a scenario, `changes.<name>.<field>`, `ego.start` and the map's among them.

    The weather is that of the start.

    Raises:
        ValueError: for an actor, a script, a sign, a change or traffic that the episode lacks.
    """
    head, _, tail = variable.partition(".")
    if head == "weather":
        return getattr(episode.weather, tail)
    if head == "ego":
        return episode.arm if tail == "start" else getattr(episode, tail)
    if head == "map":
        return episode.map.junction if tail == "junction" else dict(episode.map.parameters)[tail]
    if head == "traffic":
        if episode.traffic is None:
            raise ValueError(f"the episode has no traffic, so there is no {variable}")
        return getattr(episode.traffic, tail)
    name, _, attribute = tail.partition(".")
    among: tuple[Any, ...] = getattr(episode, head)
    thing = next((t for t in among if t.name == name), None)
    if thing is None:
        raise ValueError(f"the episode has no {head.removesuffix('s')} '{name}'; it has {[t.name for t in among]}")
    if head == "changes":
        return {"after": thing.at, "over": thing.over, **dict(thing.to)}[attribute]
    if attribute.startswith("script."):
        if thing.script is None:
            raise ValueError(f"the actor '{name}' has no script")
        return getattr(thing.script, attribute.removeprefix("script."))
    if attribute == "follows.gap":
        return thing.follows
    if attribute == "halted":
        raise ValueError(f"{variable} is told by a running world alone, and no draw can say it")
    return getattr(thing, attribute)


def value_in(episode: Episode, variable: str) -> Any:
    """The value of a proposition's variable in a concrete draw, when the decision falls.

    Raises:
        ValueError: for an actor or a sign that the episode lacks.
    """
    if variable.startswith("weather."):
        return getattr(settled(episode), variable.partition(".")[2])
    return shown(variable, lambda other: drawn_in(episode, other))


def value_on(world: World, variable: str, actors: Sequence[str], signs: Sequence[str]) -> np.ndarray:
    """The value of a proposition's variable in B running worlds now: (B,).

    Args:
        actors, signs: names, in the order of their slots.

    Raises:
        ValueError: where the worlds have no slot for the actor or the sign.
    """
    head, _, tail = variable.partition(".")
    if head == "weather":
        return world.weather[:, WEATHER_INDEX[tail]]
    if head == "ego":
        return world.speed[:, 0]
    if head == "traffic":
        if tail == "lights":
            return world.clock >= 0
        kinds = world.kind[:, 1 + len(actors) + len(signs) :]
        return (kinds == _WALKER if tail == "walkers" else _VEHICLES[kinds]).sum(1)
    name, _, attribute = tail.partition(".")
    slot = 1 + (list(actors).index(name) if head == "actors" else len(actors) + list(signs).index(name))
    if slot >= (room := world.kind.shape[1]):
        what = head.removesuffix("s")
        hint = "; raise Simulation.actors" if what == "actor" else ""
        raise ValueError(f"{what} '{name}' wants slot {slot}, but the worlds have room for {room} with ego{hint}")
    if attribute == "present":
        return world.kind[:, slot] != 0
    if head == "signs":
        return _on_sign(world, slot, attribute)
    if attribute in ("turn", "lead", "halted"):
        return _of_sent(world, slot, variable)
    return world.speed[:, slot] if attribute == "speed" else np.array(KINDS)[world.kind[:, slot]]


def _of_sent(world: World, slot: int, variable: str) -> np.ndarray:
    """What somebody who is sent through the junction does: (B,).

    Raises:
        ValueError: for the lead, which no running world tells.
    """
    there = world.kind[:, slot] != 0
    if variable.endswith(".lead"):
        raise ValueError(f"{variable} is told by a draw alone: a running world does not say when ego would have come")
    sent = there & (world.path[:, slot] <= -2)
    if variable.endswith(".turn"):
        return np.where(sent, np.array(TURNS)[np.where(sent, -2 - world.path[:, slot], 0)], _ABSENT["turn"])
    before = (world.path_s[:, slot] > -1.0) & (world.path_s[:, slot] < HALTED_NEAR)
    return sent & before & (np.abs(world.speed[:, slot]) < _STANDS)


def _on_sign(world: World, slot: int, attribute: str) -> np.ndarray:
    """What the signs in a slot show: (B,)."""
    looks, row = np.unique(np.where(world.kind[:, slot] == SIGN, world.look[:, slot], -1), return_inverse=True)
    found = []
    for look in looks.tolist():
        if look < 0:
            found.append(_ABSENT[attribute])
        else:
            face, wear = face_shown(look)
            found.append(wear if attribute == "wear" else getattr(face, attribute))
    return np.array(found)[row]
