"""RPC methods for debug drawings, gravity, and features that only Unreal has."""

from __future__ import annotations

from typing import Any

from sim.carla.server.debug_drawing import drawing_of
from sim.carla.server.registry import ignored, refused, served

GRAVITY = 9.81  # [m/s^2] as CARLA's inertial sensors have it


@served("draw_debug_shape")
def draw_debug_shape(server: Any, shape: list[Any]) -> None:
    """Show a drawing for its life time: for ever at 0, a tick below 0; rgb cameras and films of recordings show it."""
    server.world.sketch(drawing_of(shape, server.world.elapsed, server.world.step_length))


@served("get_imui_gravity", "value")
def get_imui_gravity(server: Any) -> float:
    """Return the gravity of inertial sensors."""
    return GRAVITY


ignored("set_imui_gravity", "gravity is fixed")
ignored("load_map_layer", "a map has one layer")
ignored("unload_map_layer", "a map has one layer")
ignored("update_lights_state", "there are no street lights to switch")
ignored("update_day_night_cycle", "lamps follow the sun automatically")
for _name, _why in (
    ("request_file", "the server lists no files to request"),
    ("get_navigation_mesh", "walkers have no navigation mesh"),
    ("apply_color_texture_to_objects", "pictures have textures of their own"),
    ("console_command", "there is no Unreal console"),
):  # fmt: skip
    refused(_name, _why, "value" if _name not in ("console_command", "apply_color_texture_to_objects") else "void")
for _name in ("get_actor_component_names", "get_actor_bone_names", "get_actor_bone_world_transforms",
              "get_actor_bone_relative_transforms", "get_actor_socket_names", "get_actor_socket_world_transforms",
              "get_actor_socket_relative_transforms"):  # fmt: skip
    ignored(_name, "bodies have no components, bones or sockets", "value", [])
