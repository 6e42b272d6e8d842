"""Variables of the actors that a scenario names: `actors.<name>.speed` and so on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scenarios.rules.variables.base import (
    ARRIVALS,
    TURNING,
    Approach,
    Boards,
    Family,
    Lookup,
    Scene,
    Variable,
    family,
    hide,
    variable,
)
from scenarios.rules.variables.words import text_variables
from sim.actors.registry import BODIES, KINDS
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import TURNS, UNDECIDED
from sim.datatypes.world_state import World

HALTED_NEAR = 6.0  # [m] before its line within which a standing actor has halted
_STANDS = 0.1  # [m/s]
_ON_THE_WAY = "so that no draw determines it at the time of the decision"


def _drawn(episode: Episode, rest: str) -> Any:
    name, _, attribute = rest.partition(".")
    actor = next((a for a in episode.actors if a.name == name), None)
    if actor is None:
        raise ValueError(f"the episode has no actor '{name}'; it has {[a.name for a in episode.actors]}")
    if attribute.startswith("script."):
        if actor.script is None:
            raise ValueError(f"the actor '{name}' has no script")
        return getattr(actor.script, attribute.removeprefix("script."))
    return actor.tailgates if attribute == "tailgates.gap" else getattr(actor, attribute)


ACTORS = family(
    Family(
        "actors",
        "another road user or an obstacle that the scenario names",
        order=10,
        drawn=_drawn,
        names=lambda actors, signs, traffic: actors,
        things=lambda model: {actor.name: actor for actor in model.actors},
        present={"present": True},
        visible=True,
    )
)


def _actor(attribute: str, doc: str, type: str, of_slot: Callable[[World, int], np.ndarray], **more: Any) -> Variable:
    """Declare a variable of an actor; `of_slot` gives its value in running worlds from the actor's slot."""

    def in_worlds(scene: Scene, name: str) -> np.ndarray:
        return of_slot(scene.world, scene.actor(name))

    return variable(ACTORS, f"actors.<name>.{attribute}", doc, type, in_worlds, **more)


# ---------------------------------------------------------------------------------------- presence, speed, kind
def _speed_refused(actor: Any, model: Any) -> str | None:
    if actor.script is not None:
        return f"follows a script, {_ON_THE_WAY}; wanted 'actors.{actor.name}.present'"
    waits = any(x is not None for x in (actor.tailgates, actor.stop_duration, actor.yield_timeout))
    if waits or actor.takes_turns.ends[1]:
        return f"depends on other road users, {_ON_THE_WAY}; wanted 'actors.{actor.name}.present'"
    return None


def _kind(world: World, slot: int) -> np.ndarray:
    """The kind of a slot's actor, also before it spawns and once it has despawned: (B,)."""
    return np.asarray(world.kind[:, slot] + world.absent_kind[:, slot])


_actor(
    "present", "whether the episode has it, also once it has left", "truth",
    lambda world, slot: _kind(world, slot) != 0, present={},
)  # fmt: skip
_actor(
    "speed", "its speed", "number", lambda world, slot: world.speed[:, slot], unit="speed", absent=0.0,
    refused=_speed_refused,
)  # fmt: skip
_actor(
    "kind", 'what it is, such as "car" or "van"', "words", lambda world, slot: np.array(KINDS)[_kind(world, slot)],
    absent="none",
)  # fmt: skip


# -------------------------------------------------------------------------------------------------------- length
def _length(world: World, slot: int) -> np.ndarray:
    return np.where(_kind(world, slot) != 0, world.length[:, slot], np.float32(0.0))


def _length_in_draw(variable: str, drawn: Lookup) -> Any:
    kind = drawn(f"{variable.removesuffix('length')}kind")
    return text_variables(kind, lambda word: BODIES[word].length)


_actor(
    "length", "from bumper to bumper, as its kind has it", "number", _length, unit="length", absent=0.0,
    in_draw=_length_in_draw, reads=lambda name, boards: (f"actors.{name}.kind",),
)  # fmt: skip


# --------------------------------------------------------------------------------------- its way through the junction
def _on_its_way(world: World, slot: int) -> np.ndarray:
    """Whether the actor of a slot is on a scripted route through the junction: (B,)."""
    return np.asarray((_kind(world, slot) != 0) & (world.scripted_turn[:, slot] != UNDECIDED))


def _turn(world: World, slot: int) -> np.ndarray:
    sent = _on_its_way(world, slot)
    return np.where(sent, np.array(TURNS)[np.where(sent, world.scripted_turn[:, slot], 0)], "")


def _arrival_offset(scene: Scene, name: str) -> np.ndarray:
    raise ValueError(
        f"actors.{name}.arrival_offset is known only in a draw: no running world shows when ego would have arrived"
    )


def _halted(world: World, slot: int) -> np.ndarray:
    left = world.distance_to_line[:, slot]
    before = (world.kind[:, slot] != 0) & (left > -1.0) & (left < HALTED_NEAR)
    return np.asarray(_on_its_way(world, slot) & before & (np.abs(world.speed[:, slot]) < _STANDS))


def _halted_in_draw(variable: str, drawn: Lookup) -> bool:
    raise ValueError(f"{variable} is known only in a running world, and no draw determines it")


_actor(
    "turn", 'its way through the junction, "left", "right" or "straight"; "" where it follows its lane', "words", _turn,
    absent="", known_by=TURNING,
)  # fmt: skip
variable(
    ACTORS, "actors.<name>.arrival_offset",
    "by how much it arrives at the junction before ego nominally does; only in draws; minus infinity for an absent "
    "actor", "number", _arrival_offset, unit="time", absent=-np.inf, known_by=ARRIVALS,
)  # fmt: skip
_actor(
    "halted", f"whether it stands within {HALTED_NEAR:g} m before its line; only in running worlds", "truth", _halted,
    absent=False, in_draw=_halted_in_draw,
    refused=lambda actor, model: "is known only in a running world, and no draw determines it; "
    f"wanted 'actors.{actor.name}.present'",
)  # fmt: skip


# ------------------------------------------------------------------------------------------------------------ distance
def _distance(world: World, slot: int) -> np.ndarray:
    apart = np.hypot(world.x[:, slot] - world.x[:, 0], world.y[:, slot] - world.y[:, 0])
    return np.where(world.kind[:, slot] != 0, apart, np.inf)


def _distance_in_draw(variable: str, drawn: Lookup) -> Any:
    """Of an actor that stands on ego's lane, from ego at the junction's edge."""
    return np.hypot(drawn(variable), drawn(f"{variable.removesuffix('distance')}side"))


def _distance_on_approach(approach: Approach, name: str) -> np.ndarray:
    along, side = (approach.drawn[f"actors.{name}.{k}"] for k in ("distance", "side"))
    return np.where(approach.drawn[f"actors.{name}.present"], np.hypot(along - approach.left, side), np.inf)


def _distance_reads(name: str, boards: Boards) -> tuple[str, ...]:
    return f"actors.{name}.distance", f"actors.{name}.side"


def _distance_refused(actor: Any, model: Any) -> str | None:
    """None for an actor that always stands still on the lane on which ego approaches, whatever is drawn."""
    same = actor.arm.fixed and model.ego.start.fixed and actor.arm.ends == model.ego.start.ends
    stands = actor.speed.fixed and actor.speed.ends == (0.0, 0.0) and actor.script is None
    if same and stands and actor.lane.fixed and actor.lane.ends == ("inbound", "inbound"):
        return None
    return (
        f"changes on the way, {_ON_THE_WAY}; wanted an actor that stands still on ego's own lane, "
        f"or 'actors.{actor.name}.present'"
    )


_actor(
    "distance", "from ego's rear axle to the actor's; infinite for an absent actor", "number", _distance,
    unit="length", absent=np.inf, in_draw=_distance_in_draw, on_approach=_distance_on_approach, reads=_distance_reads,
    refused=_distance_refused,
)  # fmt: skip

# -------------------------------------------------------------------------------------------- what no world shows
for _attribute in ("stop_duration", "takes_turns", "yield_timeout", "tailgates.gap"):
    hide(f"actors.<name>.{_attribute}", "is how the actor drives, which no world shows; wanted 'actors.{name}.turn'")
hide(
    "actors.<name>.script.<field>",
    "is what the actor waits for or will do, which no world shows; wanted 'actors.{name}.present'",
)
