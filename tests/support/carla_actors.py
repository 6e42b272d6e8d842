"""What tests do with a real client again and again: a clock of their own, cars, control of one tick."""

from __future__ import annotations

from typing import Any

import carla

DT = 0.05
FAR = 500.0  # [m] off the map, where nothing stands


def synchronous(client: Any, dt: float = DT) -> Any:
    """The client's world, ticking when told."""
    world = client.get_world()
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, dt
    world.apply_settings(settings)
    return world


def at(x: float, y: float, yaw: float = 0.0, z: float = 0.0) -> Any:
    """A transform."""
    return carla.Transform(carla.Location(x, y, z), carla.Rotation(yaw=yaw))


def spawned(world: Any, name: str, place: Any, parent: Any = None, **attributes: Any) -> Any:
    """A new actor, which the snapshot knows."""
    blueprint = world.get_blueprint_library().find(name)
    for key, value in attributes.items():
        blueprint.set_attribute(key, str(value))
    actor = world.spawn_actor(blueprint, place, attach_to=parent)
    world.tick()
    return actor


def car(world: Any, place: Any, **attributes: Any) -> Any:
    """A car exactly where it is asked for."""
    return spawned(world, "vehicle.tesla.model3", place, **{"spawn_jitter": 0.0} | attributes)


def ticks(world: Any, n: int) -> None:
    """Let time pass."""
    for _ in range(n):
        world.tick()


def a_car(world: Any, point: int = 0) -> Any:
    """A car at a spawn point, or as near as its jitter puts it; the next snapshot will know it."""
    blueprint = world.get_blueprint_library().find("vehicle.tesla.model3")
    return world.spawn_actor(blueprint, world.get_map().get_spawn_points()[point])
