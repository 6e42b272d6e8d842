"""Variables that propositions may read, and their values in a concrete draw and in running worlds.

    weather.<field>               CARLA's WeatherParameters (`sim.datatypes.vocabulary.WEATHER_FIELDS`) [percent,
                                  degrees]
    ego.speed                     [m/s]
    ego.junctions                 how many side roads or junctions ego has passed; `junction` is the event of passing
                                  one
    actors.<name>.present         whether the actor is in the world
    actors.<name>.speed           [m/s]
    actors.<name>.kind            "car", "van", ...
    actors.<name>.turn            "left", "right", "straight": its way through the junction, "" where it follows its
                                  lane
    actors.<name>.arrival_offset  by how much it arrives at the junction before ego nominally does [s]; only in draws;
                                  minus infinity for an absent actor
    actors.<name>.halted          whether it stands within 6 m before its line; only in running worlds
    actors.<name>.distance        from ego's rear axle to the actor's [m]; infinite for an absent actor
    signs.<name>.present          whether the sign is in the world
    signs.<name>.text             the words on a board
    signs.<name>.kind             "text" for a board, else "stop", "speed_30", ...
    signs.<name>.weathering       0 (new) to 1, as painted: in steps of 1/15
    traffic.vehicles              number of vehicles on the map, besides the actors; traffic.walkers: of pedestrians
    traffic.lights                whether traffic lights work
    map.<parameter>               of the map's generator, where the scenario gives it
    driver_state.drowsy, driver_state.hurry
                                  whether the demonstrator is drowsy or in a hurry; only in draws
    sign("DETOUR")                whether ego can read a board with these words now
    reading("EXIT")               the whole number behind that word on a board that ego can read now, 0 where there is
                                  none
    number(signs.<name>)          the first whole number in the words on a board, 0 where there is none

In a draw, variables have their values at the time of the decision, with the weather after all its changes. In a running
world they have their values now. A board is readable while it is 5 to 10 m ahead of ego's camera. An absent actor or
sign has speed and wear 0, no words, and kind "none". Slots: actor number i of the scenario has slot i + 1, signs follow
the actors, traffic follows the signs.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scenarios.rules.ast import JUNCTION, JUNCTIONS
from sim.actors.registry import KIND, KINDS, VEHICLES
from sim.actors.signs import SIGN, WEARS, visible_text
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.road_map import MapArrays
from sim.datatypes.vocabulary import DECISIONS, TURNS, WEATHER_FIELDS, WEATHER_INDEX
from sim.datatypes.world_state import World
from sim.world.weather_schedule import settled

Lookup = Callable[[str], Any]  # variable name -> its value, a scalar or (B,)

READABLE = (5.0, 10.0)  # [m] from the camera to a board's post, along the road, between which it is readable
ASIDE = 1.0  # greatest ratio of side to forward distance of a post within the camera's image
ACTOR_ATTRIBUTES: tuple[str, ...] = ("present", "speed", "kind", "turn", "arrival_offset", "halted", "distance")
SIGN_ATTRIBUTES: tuple[str, ...] = ("present", "text", "kind", "weathering")
TRAFFIC_ATTRIBUTES: tuple[str, ...] = ("vehicles", "walkers", "lights")
_WORDS = ("text", "kind", "turn")
_TRUTHS = ("present", "lights", "halted", "drowsy", "hurry")
_VEHICLES = np.array([kind in VEHICLES for kind in KINDS])
_WALKER = KIND["walker"]
HALTED_NEAR = 6.0  # [m] before its line within which a standing actor has halted
_STANDS = 0.1  # [m/s]
_ABSENT: dict[str, Any] = {
    "speed": 0.0, "kind": "none", "text": "", "weathering": 0.0, "distance": np.inf, "turn": "",
    "arrival_offset": -np.inf, "halted": False,
}  # fmt: skip
_EXITS = tuple(i for i, word in enumerate(DECISIONS) if word.startswith("exit "))
_CALL = re.compile(r'(sign|reading|number)\((?:"([^"]*)"|signs\.(\w+))\)')
_WHOLE = r"(?<![\w.,])(\d+)(?!\w|[.,]\d)"
# The families of units (`scenarios.rules.units`) that variables are measured in, by attribute and by weather field.
_FAMILIES: dict[str, str] = {
    "speed": "speed", "distance": "length", "weathering": "share", "arrival_offset": "time",
    "sun_azimuth_angle": "angle", "sun_altitude_angle": "angle", "fog_distance": "length", "fog_falloff": "",
    "scattering_intensity": "",
    "mie_scattering_scale": "", "rayleigh_scattering_scale": "",
}  # fmt: skip


def known_variables(actors: Sequence[str], signs: Sequence[str] = (), traffic: bool = False) -> tuple[str, ...]:
    """Every variable that a proposition may read where the scenario has these actors and signs, and any traffic."""
    return (
        "ego.speed",
        *(f"actors.{a}.{what}" for a in actors for what in ACTOR_ATTRIBUTES),
        *(f"signs.{s}.{what}" for s in signs for what in SIGN_ATTRIBUTES),
        *(f"traffic.{what}" for what in TRAFFIC_ATTRIBUTES if traffic),
        *(f"weather.{f}" for f in WEATHER_FIELDS),
        JUNCTIONS,
        JUNCTION,
    )


@functools.lru_cache(maxsize=4096)
def call_of(variable: str) -> tuple[str, str]:
    """The function and its argument, words or a sign: `sign("DETOUR")` -> ("sign", "DETOUR"); else empty."""
    found = _CALL.fullmatch(variable)
    return (found[1], found[2] if found[3] is None else found[3]) if found else ("", "")


def text_equals(words: str, phrase: str) -> bool:
    """Whether the words on a board contain a whole word or phrase."""
    pattern = r"\s+".join(map(re.escape, phrase.split()))
    return bool(pattern) and re.search(rf"(?<!\w){pattern}(?!\w)", words) is not None


def number_in(words: str, behind: str = "") -> int:
    """The first whole number in the words on a board, or the one behind a word; 0 where there is none."""
    pattern = rf"(?<!\w){re.escape(behind)}\s+{_WHOLE}" if behind else _WHOLE
    found = re.search(pattern, words)
    return int(found[1]) if found else 0


def text_variables(words: Any, value: Callable[[str], Any]) -> Any:
    """Apply a function of words to a text or to texts (B,)."""
    if not np.ndim(words):
        return value(str(words))
    different, row = np.unique(words, return_inverse=True)
    return np.array([value(str(w)) for w in different])[row].reshape(np.shape(words))


def family_of(variable: str) -> str | None:
    """The family of units that a variable is measured in; None for a bare number."""
    attribute = variable.rpartition(".")[2]
    if variable.startswith("weather."):
        return _FAMILIES.get(attribute, "percent") or None
    return _FAMILIES.get(attribute)


def type_of(variable: str) -> str:
    """What the variable's values are: "truth", "words" or "number"."""
    if function := call_of(variable)[0]:
        return "truth" if function == "sign" else "number"
    if variable == JUNCTION:
        return "truth"
    attribute = variable.rpartition(".")[2]
    return "truth" if attribute in _TRUTHS else "words" if attribute in _WORDS else "number"


def conditions_of(variable: str) -> dict[str, Any]:
    """Values that other variables must have for this one to be observable: an absent sign has no text."""
    function, name = call_of(variable)
    if function:
        return conditions_of(f"signs.{name}.text") if function == "number" else {}
    thing, _, attribute = variable.rpartition(".")
    if not thing.startswith(("actors.", "signs.")) or attribute == "present":
        return {}
    return {f"{thing}.present": True, **({f"{thing}.kind": "text"} if attribute == "text" else {})}


def shown(variable: str, drawn: Lookup) -> Any:
    """The value of a variable that a driver can observe, given the drawn values.

    Args:
        drawn: variable -> its drawn value, a scalar or (n,), whether or not it is observable.
    """
    function, name = call_of(variable)
    if function:
        if function != "number":
            raise ValueError(f"{variable} has a value during the approach, not at the decision; use the timeline")
        return text_variables(shown(f"signs.{name}.text", drawn), number_in)
    if variable in (JUNCTIONS, JUNCTION):
        return 0.0 if variable == JUNCTIONS else False  # a scenario's decision is made at its first junction
    value, attribute = drawn(variable), variable.rpartition(".")[2]
    if attribute == "weathering":
        value = np.round(value * WEARS) / WEARS
    if attribute == "distance":  # of an actor that stands on ego's lane, from ego at the junction's edge
        value = np.hypot(value, drawn(f"{variable.removesuffix('distance')}side"))
    for other, wanted in conditions_of(variable).items():
        shows = drawn(other) == wanted
        value = np.where(shows, value, _ABSENT[attribute]) if np.ndim(shows) else value if shows else _ABSENT[attribute]
    return value


def drawn_in(episode: Episode, variable: str) -> Any:
    """The drawn value of any variable of a scenario, also of `changes.<name>.<field>`, `ego.start` and the map.

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
    if head == "driver_state":
        if episode.driver_state is None:
            raise ValueError(f"the episode has no driver state, so there is no {variable}")
        return getattr(episode.driver_state, tail)
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
    if attribute == "tailgates.gap":
        return thing.tailgates
    if attribute == "halted":
        raise ValueError(f"{variable} is known only in a running world, and no draw determines it")
    return getattr(thing, attribute)


def value_in(episode: Episode, variable: str) -> Any:
    """The value of a proposition's variable in a concrete draw, at the time of the decision.

    Raises:
        ValueError: for an actor or a sign that the episode lacks.
    """
    if variable.startswith("weather."):
        return getattr(settled(episode), variable.partition(".")[2])
    return shown(variable, lambda other: drawn_in(episode, other))


def value_on(
    world: World, variable: str, actors: Sequence[str], signs: Sequence[str], bank: MapArrays | None = None,
    seen: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """The value of a proposition's variable in B running worlds now: (B,).

    Args:
        actors, signs: names, in the order of their slots.
        bank: arrays of the maps, for `ego.junctions`.
        seen: (B, N - 1) bool by slot, as in `sim.perception.visibility.Sight`: an occluded board cannot be read.
            None occludes no board.

    Raises:
        ValueError: where the worlds have no slot for the actor or the sign, and for junctions without a bank.
    """
    function, words = call_of(variable)
    if function == "number":
        return np.asarray(text_variables(value_on(world, f"signs.{words}.text", actors, signs), number_in))
    if function:
        return _read_on(world, function, words, 1 + len(actors), len(signs), seen)
    if variable in (JUNCTIONS, JUNCTION):
        if bank is None:
            raise ValueError(f"{variable} depends on the routes of the map; give the bank of the maps with the worlds")
        return ego_passed(world, bank)
    head, _, tail = variable.partition(".")
    if head == "weather":
        return world.weather[:, WEATHER_INDEX[tail]]
    if head == "ego":
        return world.speed[:, 0]
    if head in ("map", "driver_state"):
        raise ValueError(f"{variable} is known only in an episode, not in the arrays of a world")
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
    if attribute in ("turn", "arrival_offset", "halted"):
        return _of_sent(world, slot, variable)
    if attribute == "distance":
        apart = np.hypot(world.x[:, slot] - world.x[:, 0], world.y[:, slot] - world.y[:, 0])
        return np.where(world.kind[:, slot] != 0, apart, np.inf)
    return world.speed[:, slot] if attribute == "speed" else np.array(KINDS)[world.kind[:, slot]]


def _of_sent(world: World, slot: int, variable: str) -> np.ndarray:
    """The turn of an actor on a scripted route through the junction, or whether it has halted: (B,).

    Raises:
        ValueError: for the arrival offset, which no running world shows.
    """
    there = world.kind[:, slot] != 0
    if variable.endswith(".arrival_offset"):
        raise ValueError(f"{variable} is known only in a draw: no running world shows when ego would have arrived")
    sent = there & (world.path[:, slot] <= -2)
    if variable.endswith(".turn"):
        return np.where(sent, np.array(TURNS)[np.where(sent, -2 - world.path[:, slot], 0)], _ABSENT["turn"])
    before = (world.path_s[:, slot] > -1.0) & (world.path_s[:, slot] < HALTED_NEAR)
    return sent & before & (np.abs(world.speed[:, slot]) < _STANDS)


def _on_sign(world: World, slot: int, attribute: str) -> np.ndarray:
    """An attribute of the signs in a slot: (B,)."""
    looks, row = np.unique(np.where(world.kind[:, slot] == SIGN, world.appearance[:, slot], -1), return_inverse=True)
    found = []
    for look in looks.tolist():
        if look < 0:
            found.append(_ABSENT[attribute])
        else:
            face, wear = visible_text(look)
            found.append(wear if attribute == "weathering" else getattr(face, attribute))
    return np.array(found)[row]


def _read_on(world: World, function: str, words: str, first: int, count: int, seen: np.ndarray | None) -> np.ndarray:
    """The value of `sign(words)` or `reading(words)` in B worlds whose signs have the slots from `first` on: (B,)."""
    found = np.zeros(len(world.tick), bool if function == "sign" else int)
    for slot in range(first, min(first + count, world.kind.shape[1])):
        near = readable_on(world, slot)
        if seen is not None:
            near &= seen[:, slot - 1]
        if near.any():
            text = _on_sign(world, slot, "text")
            said = text_variables(text, lambda t: text_equals(t, words) if function == "sign" else number_in(t, words))
            found = np.where(near & (found == 0), said, found)
    return found


def readable_on(world: World, slot: int) -> np.ndarray:
    """Whether the sign in a slot is near enough ahead of ego, and faces it, so that its words are readable: (B,) bool.

    A sign faces along its yaw; the camera is that of `sim.datatypes.camera.Camera` on a car that drives towards the
    sign.
    """
    cosine, sine = np.cos(world.yaw[:, slot]), np.sin(world.yaw[:, slot])
    mount = Camera.forward
    dx = world.x[:, 0] + mount * np.cos(world.yaw[:, 0]) - world.x[:, slot]
    dy = world.y[:, 0] + mount * np.sin(world.yaw[:, 0]) - world.y[:, slot]
    ahead, aside = dx * cosine + dy * sine, dy * cosine - dx * sine
    towards = np.cos(world.yaw[:, 0] - world.yaw[:, slot]) < -0.5
    near = (ahead >= READABLE[0]) & (ahead <= READABLE[1]) & (np.abs(aside) <= ASIDE * ahead)
    return np.asarray(near & towards & (world.kind[:, slot] == SIGN))


def ego_passed(world: World, bank: MapArrays) -> np.ndarray:
    """How many side roads or junctions ego has passed in B worlds: (B,) int.

    On a road with exits: the exits whose turning ends behind ego, along the route that ego is nearest to. Elsewhere the
    junction itself counts once it is passed.
    """
    ways = world.route >= 0
    nearest = np.where(ways, np.abs(world.route_offset), np.inf).argmin(1)
    s = world.route_s[np.arange(len(nearest)), nearest]
    over = ways & (bank.junction_out[world.route] <= s[:, None])
    exits = ways & np.isin(bank.decision[world.route], _EXITS)
    return np.where(exits.any(1), (over & exits).sum(1), over.any(1))
