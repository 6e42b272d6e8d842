"""RPC methods about traffic lights, and the register of Traffic Managers."""

from __future__ import annotations

import math
from typing import Any

from sim.carla.server import wire
from sim.carla.server.lights import Light
from sim.carla.server.registry import served
from sim.carla.server.rpc import Refused
from sim.road.graph.traffic_lights import GREEN, OFF, RED, SIGNAL_STATES, YELLOW

_STATES = {0: RED, 1: YELLOW, 2: GREEN, 3: OFF}  # CARLA's numbers and ours


def _light(server: Any, number: int) -> Light:
    light: Light | None = server.world.lights.by_id.get(number)
    if light is None:
        raise Refused(f"actor {number} is no traffic light")
    return light


@served("set_traffic_light_state")
def set_traffic_light_state(server: Any, number: int, state: int) -> None:
    """Set a light's state; the light runs by itself from there unless it is frozen."""
    if state not in _STATES:
        raise Refused(f"traffic lights cannot show state {state}; known are {', '.join(SIGNAL_STATES)} as 0 to 3")
    _light(server, number).set(_STATES[state])


def _set_time(server: Any, number: int, state: int, seconds: float) -> None:
    if not (math.isfinite(seconds) and seconds >= 0.0):
        raise Refused(f"{seconds} s is no time for a light; wanted 0 or more")
    light = _light(server, number)
    light.times[state], light.alone = float(seconds), True
    server.world.lights.news = True


@served("set_traffic_light_green_time")
def set_traffic_light_green_time(server: Any, number: int, seconds: float) -> None:
    """Set how long a light is green; it runs by itself from then on."""
    _set_time(server, number, GREEN, seconds)


@served("set_traffic_light_yellow_time")
def set_traffic_light_yellow_time(server: Any, number: int, seconds: float) -> None:
    """Set how long a light is yellow; it runs by itself from then on."""
    _set_time(server, number, YELLOW, seconds)


@served("set_traffic_light_red_time")
def set_traffic_light_red_time(server: Any, number: int, seconds: float) -> None:
    """Set how long a light is red; it runs by itself from then on."""
    _set_time(server, number, RED, seconds)


@served("freeze_traffic_light")
def freeze_traffic_light(server: Any, number: int, on: bool) -> None:
    """Freeze or unfreeze one light."""
    light = _light(server, number)
    light.frozen = bool(on)
    light.advance(server.world.lights.clock, 0.0)


@served("freeze_all_traffic_lights")
def freeze_all_traffic_lights(server: Any, on: bool) -> None:
    """Freeze or unfreeze all lights."""
    server.world.lights.frozen = bool(on)


@served("reset_traffic_light_group")
def reset_traffic_light_group(server: Any, number: int) -> None:
    """Make the lights of a junction follow their plans again."""
    lights = server.world.lights
    for light in lights.group(_light(server, number)):
        light.reset()
        light.advance(lights.clock, 0.0)
    lights.news = True


@served("reset_all_traffic_lights")
def reset_all_traffic_lights(server: Any) -> None:
    """Make all lights follow their plans again, from the beginning."""
    server.world.lights.reset()


@served("get_group_traffic_lights", "value")
def get_group_traffic_lights(server: Any, number: int) -> list[int]:
    """Return the lights of the same junction."""
    return [light.actor.id for light in server.world.lights.group(_light(server, number))]


@served("get_light_boxes", "value")
def get_light_boxes(server: Any, number: int) -> list[Any]:
    """Return the boxes of a light's lamps: none, as lamps are not distinguished."""
    _light(server, number)
    return []


# ---------------------------------------------------------------------------------------------- Traffic Managers
@served("is_traffic_manager_running", "value")
def is_traffic_manager_running(server: Any, port: int) -> bool:
    """Return whether a client runs a Traffic Manager of that port."""
    return port in server.managers


@served("get_traffic_manager_running", "value")
def get_traffic_manager_running(server: Any, port: int) -> list[Any]:
    """Return the host and port of a Traffic Manager."""
    if type(port) is not int:
        raise Refused(f"a Traffic Manager was asked for by {port!r:.80}; wanted a port")
    return [server.managers.get(port, ""), port]


@served("add_traffic_manager_running", "value")
def add_traffic_manager_running(server: Any, where: list[Any]) -> bool:
    """Register the Traffic Manager of a client."""
    if not wire.same_value(where, ["", 0]):
        raise Refused(f"a Traffic Manager is at {where!r:.80}; wanted a host and a port")
    server.managers[where[1]] = where[0]
    return True


@served("destroy_traffic_manager", "value")
def destroy_traffic_manager(server: Any, port: int) -> bool:
    """Unregister the Traffic Manager of a client."""
    return server.managers.pop(port, None) is not None
