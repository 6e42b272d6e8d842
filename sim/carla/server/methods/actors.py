"""RPC methods about actors: list, spawn, destroy, place and control them."""

from __future__ import annotations

import math
from typing import Any

from sim.carla.server.actors import NO_ACTOR, NO_BOX, NO_ROW
from sim.carla.server.registry import served
from sim.carla.server.rpc import Refused

SPRING_ARM = (1, 2)


@served("get_spectator", "value")
def get_spectator(server: Any) -> list[Any]:
    """Return the spectator, which no camera sees."""
    return list(server.world.spectator.packed())


@served("get_actors_by_id", "value")
def get_actors_by_id(server: Any, numbers: list[int]) -> list[Any]:
    """Return the descriptions of actors; unknown ids are left out."""
    known = server.world.table.by_id
    return [known[n].packed() for n in numbers if n in known]


@served("spawn_actor", "value")
def spawn_actor(server: Any, description: list[Any], place: list[Any]) -> Any:
    """Spawn an actor."""
    return server.spawned(server.world.spawn(description, place))


@served("spawn_actor_with_parent", "value")
def spawn_actor_with_parent(
    server: Any, description: list[Any], place: list[Any], parent: int, attachment: int, socket: str = ""
) -> Any:
    """Spawn an actor attached to another one."""
    return server.spawned(server.world.spawn(description, place, parent, attachment not in SPRING_ARM))


@served("destroy_actor", "value")
def destroy_actor(server: Any, number: int) -> bool:
    """Destroy an actor."""
    return bool(server.world.destroy(number))


@served("set_actor_transform")
def set_actor_transform(server: Any, number: int, place: list[Any]) -> None:
    """Teleport an actor."""
    server.world.put(server.world.actor(number), place)


@served("set_actor_location")
def set_actor_location(server: Any, number: int, location: list[float]) -> None:
    """Teleport an actor, and keep its rotation."""
    actor = server.world.actor(number)
    turned = server.world.place_of(actor)[1] if actor.parent == NO_ACTOR else actor.place[1]
    server.world.put(actor, [location, turned])


@served("set_actor_target_velocity")
def set_actor_target_velocity(server: Any, number: int, velocity: list[float]) -> None:
    """Set the velocity of a body from the next tick on."""
    server.world.fleet.push(server.world.body(number).row, _finite(number, velocity))


@served("set_actor_target_angular_velocity")
def set_actor_target_angular_velocity(server: Any, number: int, velocity: list[float]) -> None:
    """Set the reported angular velocity of a body without physics; one with physics turns by its steering only."""
    row = server.world.body(number).row
    if not server.world.fleet.physical[row]:
        server.world.fleet.turning[row] = -math.radians(_finite(number, velocity)[2])


def _finite(number: int, vector: list[float]) -> list[float]:
    if not all(math.isfinite(v) for v in vector):
        raise Refused(f"actor {number} was given the vector {vector}; finite numbers are wanted")
    return vector


@served("set_actor_simulate_physics")
def set_actor_simulate_physics(server: Any, number: int, on: bool) -> None:
    """Set whether physics moves an actor, or it stays where it is put; attached actors are never moved by physics.

    A Traffic Manager waits for the answer, and its client crashes over an error: a destroyed actor is no error.
    """
    actor = server.world.table.by_id.get(number)
    if actor is None and not server.world.was_spawned(number):
        raise Refused(f"actor {number!r:.80} has never existed")
    if actor is not None and actor.row != NO_ROW:
        server.world.fleet.set_physical(actor.row, bool(on) and actor.parent == NO_ACTOR)


@served("set_actor_collisions")
def set_actor_collisions(server: Any, number: int, on: bool) -> None:
    """Set whether an actor collides with others; attached actors never do."""
    actor = server.world.actor(number)
    if actor.row != NO_ROW:
        server.world.fleet.solid[actor.row] = bool(on) and actor.parent == NO_ACTOR


@served("get_actor_bounding_box", "value")
def get_actor_bounding_box(server: Any, number: int) -> list[Any]:
    """Return the bounding box of an actor, also of one that was destroyed recently."""
    actor = server.world.table.by_id.get(number)
    return list(actor.box if actor is not None else server.world.table.destroyed_boxes.get(number, NO_BOX))


@served("apply_control_to_vehicle")
def apply_control_to_vehicle(server: Any, number: int, control: list[Any]) -> None:
    """Set throttle, brake and steer of a vehicle until the next control."""
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
    """Run many commands at once, each with its own answer."""
    from sim.carla.server.methods.batch import apply

    before = set(server.world.table.by_id)
    answers = [apply(server, command) for command in commands]
    spawned = [actor for number, actor in server.world.table.by_id.items() if number not in before]
    return server.shown(answers, spawned) if spawned else answers
