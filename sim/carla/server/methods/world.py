"""Methods about the world as a whole: connecting, settings, time, maps, weather."""

from __future__ import annotations

from typing import Any

from sim.carla.blueprint_library import definitions
from sim.carla.server import wire
from sim.carla.server.registry import ignored, served
from sim.carla.server.rpc import Refused
from sim.carla.server.world import DELTA, SETTINGS, SUBSTEPPING

LONGEST = 10.0  # [s] of a tick
MOST_SUBSTEPS = 1000  # of a tick


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
    server.world.settings = settings_from(settings)
    server.mode_changed()
    return int(server.world.frame)


def settings_from(told: list[Any]) -> list[Any]:
    """All settings, those that were told and CARLA's own for a missing tail.

    Other clients are told them, and would end over what is of another type.

    Raises:
        Refused: for a setting that cannot be.
    """
    if not isinstance(told, list) or not DELTA < len(told) <= len(SETTINGS):
        raise Refused(f"the settings are {told!r:.200}; wanted {DELTA + 1} to {len(SETTINGS)} of them in a list")
    settings = [*told, *SETTINGS[len(told) :]]
    for place, (value, usual) in enumerate(zip(settings, SETTINGS)):
        if place != DELTA and not wire.alike(value, usual):
            raise Refused(f"setting {place} is {value!r:.80}; wanted one such as {usual!r}")
    fixed, longest, most = settings[DELTA], settings[SUBSTEPPING + 1], settings[SUBSTEPPING + 2]
    if not (wire.alike(fixed, [False]) or (wire.alike(fixed, [True, 1.0]) and 0.0 <= fixed[1] <= LONGEST)):
        raise Refused(f"fixed_delta_seconds is {fixed!r:.80}; wanted 0 to {LONGEST:g}")
    if settings[SUBSTEPPING] and not (longest > 0.0 and 1 <= most <= MOST_SUBSTEPS):
        raise Refused(f"{most} substeps of {longest} s were asked for; wanted 1 to {MOST_SUBSTEPS} of more than 0 s")
    return settings


@served("tick_cue", "value")
def tick_cue(server: Any) -> Any:
    """One tick, once all who have asked for a stream read it; answers the frame's number."""
    if server.streams.unsettled:
        return _settled_tick(server)
    frame = server.world.tick()
    return _digested(server, frame) if server.streams.young else frame


async def _settled_tick(server: Any) -> int:
    await server.streams.settle()
    return await _digested(server, server.world.tick())


async def _digested(server: Any, frame: int) -> int:
    if server.streams.young:
        await server.streams.digest()
    return frame


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
async def load_new_episode(server: Any, name: str, reset_settings: bool, layers: int = 0) -> None:
    """Another map, or with an empty name the same one anew."""
    if not isinstance(name, str):
        raise Refused(f"the map's name is {name!r:.80}; wanted a text")
    road_map, shown = await server.apart(server.find_map, name)
    server.load(road_map, shown, bool(reset_settings))


@served("copy_opendrive_to_file")
async def copy_opendrive_to_file(server: Any, opendrive: str, parameters: list[Any]) -> None:
    """Compile an OpenDRIVE text, which `load_new_episode` then loads; parameters of Unreal's mesh mean nothing."""
    if not isinstance(opendrive, str):
        raise Refused(f"a map came as {type(opendrive).__name__}; wanted OpenDRIVE as a text")
    server.pending = await server.apart(server.compile, opendrive)


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
