"""Batch commands: run the RPC method of the same effect by the command's number."""

from __future__ import annotations

from typing import Any

from sim.carla.server import wire
from sim.carla.server.registry import METHODS
from sim.carla.server.rpc import SHOWN, Refused

SPAWN, DESTROY = 0, 1
# Command number -> RPC method; the arguments are the command's.
COMMANDS: dict[int, str] = {
    1: "destroy_actor", 2: "apply_control_to_vehicle", 3: "apply_ackermann_control_to_vehicle",
    4: "apply_control_to_walker", 5: "apply_physics_control", 6: "set_actor_transform",
    7: "set_walker_state", 8: "set_actor_target_velocity", 9: "set_actor_target_angular_velocity",
    10: "add_actor_impulse",
    11: "add_actor_force", 12: "add_actor_angular_impulse", 13: "add_actor_torque", 14: "set_actor_simulate_physics",
    15: "set_actor_enable_gravity", 17: "show_vehicle_debug_telemetry", 18: "set_vehicle_light_state",
    19: "set_actor_location", 20: "console_command", 21: "set_traffic_light_state",
}  # fmt: skip
BY_THE_CLIENT = 16  # SetAutopilot: the client has registered the vehicle with its own Traffic Manager


def apply(server: Any, command: list[Any], newborn: int = 0) -> list[Any]:
    """Run one command; returns a Response<uint32> with the actor's id, or with the error.

    Args:
        newborn: the actor just spawned, which follow-up commands of a spawn address by 0.
    """
    try:
        ((number, body),) = command
        if number == SPAWN:
            return wire.value(_spawn(server, body))
        actor = body[0] or newborn
        if number != BY_THE_CLIENT:
            method = METHODS.get(COMMANDS.get(number, ""))
            if method is None:
                raise Refused(f"there is no command {number} in a batch")
            arguments = body[1:]
            if number == 18:  # here the flags are no list
                arguments = [[arguments[0]]]
            done = method.call(server, actor, *arguments)
            if number == DESTROY and not done:
                raise Refused(f"actor {actor} does not exist (any longer)")
        return wire.value(actor)
    except Refused as error:
        return wire.refusal(str(error))
    except Exception as error:  # of one command: an error of the whole batch would crash a client's Traffic Manager
        return wire.refusal(f"command {command!r:.200} cannot be read: {error}"[:SHOWN])


def _spawn(server: Any, body: list[Any]) -> int:
    description, place, parent, attachment, _, after = body
    if parent[0]:
        actor = server.world.spawn(description, place, parent[1], attachment not in (1, 2))
    else:  # the attachment is then uninitialized memory of the client
        actor = server.world.spawn(description, place)
    for command in after:
        apply(server, command, actor.id)
    return int(actor.id)
