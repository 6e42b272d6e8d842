"""RPC methods about walkers, which move in a commanded direction at a commanded speed."""

from __future__ import annotations

import math
from typing import Any

from sim.carla.server import wire
from sim.carla.server.actors import Actor
from sim.carla.server.bodies import FASTEST
from sim.carla.server.registry import refused, served
from sim.carla.server.rpc import Refused


def _walker(server: Any, number: int) -> Actor:
    actor: Actor = server.world.body(number)
    if not actor.type.startswith("walker."):
        raise Refused(f"actor {number} is a {actor.type}; wanted a walker")
    return actor


@served("apply_control_to_walker")
def apply_control_to_walker(server: Any, number: int, control: list[Any]) -> None:
    """Set direction and speed of a walker until the next control; walkers do not jump."""
    actor = _walker(server, number)
    if not wire.same_value(control, [[0.0] * 3, 0.0, False]) or not abs(control[1]) < FASTEST:
        raise Refused(f"walker {number} was given {control!r:.200}; wanted a direction, a finite speed, a jump")
    direction, speed = [float(v) for v in control[0]], float(control[1])
    actor.facts["walk"] = direction, speed, bool(control[2])
    row = server.world.table.walkers[server.world.table.index[number]]
    row["direction"], row["speed"], row["jump"] = direction, speed, bool(control[2])
    server.world.walking.add(number)


@served("set_walker_state")
def set_walker_state(server: Any, number: int, place: list[Any], speed: float) -> None:
    """Teleport a walker, and set its speed, which its legs show."""
    actor = _walker(server, number)
    server.world.put(actor, place)
    yaw = math.radians(place[1][1])
    server.world.fleet.push(actor.row, [speed * math.cos(yaw), speed * math.sin(yaw), 0.0])


for _name in ("get_bones_transform", "set_bones_transform", "blend_pose", "get_pose_from_animation"):
    _answer = "value" if _name == "get_bones_transform" else "void"
    refused(_name, "walkers are drawn from pictures and have no bones", _answer)
