"""Methods about actors: who is there, births, deaths, places, controls."""

from __future__ import annotations

import math
from typing import Any

from sim.carla.server.actors import NO_ACTOR, NO_BOX, NO_ROW
from sim.carla.server.registry import served
from sim.carla.server.rpc import Refused

SPRING_ARM = (1, 2)


@served("get_spectator", "value")
def get_spectator(server: Any) -> list[Any]:
    """The spectator, whom nobody sees."""
    return list(server.world.spectator.packed())


@served("get_actors_by_id", "value")
def get_actors_by_id(server: Any, numbers: list[int]) -> list[Any]:
    """Descriptions of actors; unknown ones are left out."""
    known = server.world.table.by_id
    return [known[n].packed() for n in numbers if n in known]


@served("spawn_actor", "value")
def spawn_actor(server: Any, description: list[Any], place: list[Any]) -> Any:
    """A new actor."""
    return server.born(server.world.spawn(description, place))


@served("spawn_actor_with_parent", "value")
def spawn_actor_with_parent(
    server: Any, description: list[Any], place: list[Any], parent: int, attachment: int, socket: str = ""
) -> Any:
    """A new actor that another one carries."""
    return server.born(server.world.spawn(description, place, parent, attachment not in SPRING_ARM))


@served("destroy_actor", "value")
def destroy_actor(server: Any, number: int) -> bool:
    """Take an actor away."""
    return bool(server.world.destroy(number))


@served("set_actor_transform")
def set_actor_transform(server: Any, number: int, place: list[Any]) -> None:
    """Put an actor somewhere else."""
    server.world.put(server.world.actor(number), place)


@served("set_actor_location")
def set_actor_location(server: Any, number: int, location: list[float]) -> None:
    """Put an actor somewhere else, looking where it looks."""
    actor = server.world.actor(number)
    turned = server.world.place_of(actor)[1] if actor.parent == NO_ACTOR else actor.place[1]
    server.world.put(actor, [location, turned])


@served("set_actor_target_velocity")
def set_actor_target_velocity(server: Any, number: int, velocity: list[float]) -> None:
    """The velocity that a body has from the next tick on."""
    server.world.fleet.push(server.world.body(number).row, _finite(number, velocity))


@served("set_actor_target_angular_velocity")
def set_actor_target_angular_velocity(server: Any, number: int, velocity: list[float]) -> None:
    """The angular velocity that a body without physics says it has; one with physics turns as its wheels say."""
    row = server.world.body(number).row
    if not server.world.fleet.physical[row]:
        server.world.fleet.turning[row] = -math.radians(_finite(number, velocity)[2])


def _finite(number: int, vector: list[float]) -> list[float]:
    if not all(math.isfinite(v) for v in vector):
        raise Refused(f"actor {number} was given the vector {vector}; finite numbers are wanted")
    return vector


@served("set_actor_simulate_physics")
def set_actor_simulate_physics(server: Any, number: int, on: bool) -> None:
    """Whether physics moves an actor, or it stands where it is put; whoever is carried stays so.

    Traffic Managers wait for it, and their clients end over an error: whoever has gone is no error.
    """
    actor = server.world.table.by_id.get(number)
    if actor is None and not server.world.was_born(number):
        raise Refused(f"actor {number!r:.80} was never born")
    if actor is not None and actor.row != NO_ROW:
        server.world.fleet.set_physical(actor.row, bool(on) and actor.parent == NO_ACTOR)


@served("set_actor_collisions")
def set_actor_collisions(server: Any, number: int, on: bool) -> None:
    """Whether an actor runs into others and they into it; whoever is carried does not."""
    actor = server.world.actor(number)
    if actor.row != NO_ROW:
        server.world.fleet.solid[actor.row] = bool(on) and actor.parent == NO_ACTOR


@served("get_actor_bounding_box", "value")
def get_actor_bounding_box(server: Any, number: int) -> list[Any]:
    """The box of an actor, also of one that has just gone."""
    actor = server.world.table.by_id.get(number)
    return list(actor.box if actor is not None else server.world.table.graves.get(number, NO_BOX))


@served("apply_control_to_vehicle")
def apply_control_to_vehicle(server: Any, number: int, control: list[Any]) -> None:
    """Pedals and wheel, kept until others come."""
    actor = server.world.body(number)
    if not actor.type.startswith("vehicle."):
        raise Refused(f"actor {number} is a {actor.type}; wanted a vehicle")
    if not all(math.isfinite(v) for v in control):
        raise Refused(f"vehicle {number} was given the control {control}; finite numbers are wanted")
    server.world.ackermann.discard(number)
    controls = server.world.fleet.controls
    for name, value in zip(controls, control):
        controls[name][actor.row] = value
    server.world.fleet.changes += 1


@served("apply_batch", "bare")
def apply_batch(server: Any, commands: list[Any], tick: bool = False) -> Any:
    """Many commands at once, each with its own answer."""
    from sim.carla.server.methods.batch import apply

    births = server.world.births
    answers = [apply(server, command) for command in commands]
    return answers if server.world.births == births else server.shown(answers)
