"""Methods about the world as a whole: connecting, settings, time, maps, weather."""

from __future__ import annotations

import asyncio
from typing import Any

from sim.carla.catalogue import definitions
from sim.carla.server import wire
from sim.carla.server.registry import ignored, served
from sim.carla.server.rpc import Refused
from sim.carla.server.world import DELTA, SETTINGS


@served("version", "value")
def version(server: Any) -> str:
    """CARLA's version whose protocol is spoken."""
    return wire.VERSION


@served("get_episode_info", "value")
def get_episode_info(server: Any) -> list[Any]:
    """The episode and the token of the stream of snapshots, by a number of its own for whoever asks."""
    number = server.streams.alias(wire.WORLD_STREAM)
    return [server.world.episode, [wire.token(number, server.stream_port)]]


@served("get_sensor_token", "value")
def get_sensor_token(server: Any, stream: int) -> list[Any]:
    """The token of a stream; whoever asks will subscribe."""
    if stream not in server.streams:
        raise Refused(f"there is no stream {stream}; its sensor was destroyed")
    server.streams.promise(stream)
    return [wire.token(stream, server.stream_port)]


@served("get_episode_settings", "value")
def get_episode_settings(server: Any) -> list[Any]:
    """Synchronous mode, length of a tick and the rest."""
    return list(server.world.settings)


@served("set_episode_settings", "value")
def set_episode_settings(server: Any, settings: list[Any]) -> int:
    """Synchronous mode and the length of a tick; what concerns Unreal is kept and means nothing."""
    fixed = settings[DELTA]
    if fixed and fixed[0] and not 0.0 <= fixed[1] <= 10.0:
        raise Refused(f"fixed_delta_seconds is {fixed[1]}; wanted 0 to 10")
    server.world.settings = [*settings, *SETTINGS[len(settings) :]]
    server.mode_changed()
    return int(server.world.frame)


@served("tick_cue", "value")
async def tick_cue(server: Any) -> int:
    """One tick, once all who have asked for a stream read it; answers the frame's number."""
    if server.streams.unsettled:
        await server.streams.settle()
    return int(server.world.tick())


@served("get_map_info", "value")
def get_map_info(server: Any) -> list[Any]:
    """The map's name and recommended spawn points."""
    return [server.map_name, server.spawn_points()]


@served("get_map_data", "value")
def get_map_data(server: Any) -> str:
    """The map as OpenDRIVE text."""
    return str(server.world.opendrive)


@served("get_available_maps", "value")
def get_available_maps(server: Any) -> list[str]:
    """Names of generators and of the files in the folder of maps."""
    return list(server.map_names())


@served("load_new_episode")
async def load_new_episode(server: Any, name: str, reset_settings: bool, layers: int) -> None:
    """Another map, or with an empty name the same one anew."""
    road_map, shown = await asyncio.to_thread(server.find_map, name)
    server.load(road_map, shown, bool(reset_settings))


@served("copy_opendrive_to_file")
async def copy_opendrive_to_file(server: Any, opendrive: str, parameters: list[Any]) -> None:
    """Compile an OpenDRIVE text, which `load_new_episode` then loads; parameters of Unreal's mesh mean nothing."""
    server.pending = await asyncio.to_thread(server.compile, opendrive)


@served("get_actor_definitions", "value")
def get_actor_definitions(server: Any) -> list[list[Any]]:
    """The blueprint library."""
    return definitions()


@served("get_weather_parameters", "value")
def get_weather_parameters(server: Any) -> list[float]:
    """The weather."""
    return list(server.world.weather)


@served("set_weather_parameters")
def set_weather_parameters(server: Any, weather: list[float]) -> None:
    """Set the weather, which cameras show and tyres feel."""
    server.world.set_weather(weather)


ignored("get_required_files", "nothing has to be downloaded", "value", [])
ignored("query_lights_state", "there are no street lights to switch", "value", [])
