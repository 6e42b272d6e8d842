"""RPC methods about the world: connection, settings, ticks, maps and weather."""

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
    """Return the CARLA version of the protocol."""
    return wire.VERSION


@served("get_episode_info", "value")
def get_episode_info(server: Any) -> list[Any]:
    """Return the episode, and a token of the snapshot stream with a number of its own for each client."""
    number = server.streams.alias(wire.WORLD_STREAM)
    return [server.world.episode, [wire.token(number, server.stream_port)]]


@served("get_sensor_token", "value")
def get_sensor_token(server: Any, stream: int) -> list[Any]:
    """Return the token of a stream; the next tick waits for the client to subscribe."""
    if stream not in server.streams:
        raise Refused(f"there is no stream {stream}; its sensor was destroyed")
    server.streams.expect(stream)
    return [wire.token(stream, server.stream_port)]


@served("get_episode_settings", "value")
def get_episode_settings(server: Any) -> list[Any]:
    """Return synchronous mode, the length of a tick and the other settings."""
    return list(server.world.settings)


@served("set_episode_settings", "value")
def set_episode_settings(server: Any, settings: list[Any]) -> int:
    """Set synchronous mode and the length of a tick; settings of Unreal are stored without effect."""
    server.world.settings = settings_from(settings)
    server.mode_changed()
    return int(server.world.frame)


def settings_from(told: list[Any]) -> list[Any]:
    """Return all settings: a client's, and CARLA's defaults for a missing tail.

    Other clients receive them, and would crash over a value of another type.

    Raises:
        Refused: for an invalid setting.
    """
    if not isinstance(told, list) or not DELTA < len(told) <= len(SETTINGS):
        raise Refused(f"the settings are {told!r:.200}; wanted {DELTA + 1} to {len(SETTINGS)} of them in a list")
    settings = [*told, *SETTINGS[len(told) :]]
    for place, (value, usual) in enumerate(zip(settings, SETTINGS)):
        if place != DELTA and not wire.same_value(value, usual):
            raise Refused(f"setting {place} is {value!r:.80}; wanted one such as {usual!r}")
    fixed, longest, most = settings[DELTA], settings[SUBSTEPPING + 1], settings[SUBSTEPPING + 2]
    if not (wire.same_value(fixed, [False]) or (wire.same_value(fixed, [True, 1.0]) and 0.0 <= fixed[1] <= LONGEST)):
        raise Refused(f"fixed_delta_seconds is {fixed!r:.80}; wanted 0 to {LONGEST:g}")
    if settings[SUBSTEPPING] and not (longest > 0.0 and 1 <= most <= MOST_SUBSTEPS):
        raise Refused(f"{most} substeps of {longest} s were asked for; wanted 1 to {MOST_SUBSTEPS} of more than 0 s")
    return settings


@served("tick_cue", "value")
def tick_cue(server: Any) -> Any:
    """Tick once, as soon as all requested streams are subscribed; returns the frame's number."""
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
    """Return the map's name and recommended spawn points."""
    return [server.map_name, server.spawn_points()]


@served("get_map_data", "value")
def get_map_data(server: Any) -> str:
    """Return the map as OpenDRIVE text."""
    return str(server.world.opendrive)


@served("get_available_maps", "value")
def get_available_maps(server: Any) -> list[str]:
    """Return the names of the map generators and of the files in the folder of maps."""
    return list(server.map_names())


@served("load_new_episode")
async def load_new_episode(server: Any, name: str, reset_settings: bool, layers: int = 0) -> None:
    """Load another map, or the present one again for an empty name."""
    if not isinstance(name, str):
        raise Refused(f"the map's name is {name!r:.80}; wanted a text")
    road_map, shown = await server.apart(server.find_map, name)
    server.load(road_map, shown, bool(reset_settings))


@served("copy_opendrive_to_file")
async def copy_opendrive_to_file(server: Any, opendrive: str, parameters: list[Any]) -> None:
    """Compile an OpenDRIVE text, which `load_new_episode` then loads; parameters of Unreal's mesh have no effect."""
    if not isinstance(opendrive, str):
        raise Refused(f"a map came as {type(opendrive).__name__}; wanted OpenDRIVE as a text")
    server.pending = await server.apart(server.compile, opendrive)


@served("get_actor_definitions", "value")
def get_actor_definitions(server: Any) -> list[list[Any]]:
    """Return the blueprint library."""
    return definitions()


@served("get_weather_parameters", "value")
def get_weather_parameters(server: Any) -> list[float]:
    """Return the weather."""
    return list(server.world.weather)


@served("set_weather_parameters")
def set_weather_parameters(server: Any, weather: list[float]) -> None:
    """Set the weather, which changes the pictures and the grip of tyres."""
    server.world.set_weather(weather)


ignored("get_required_files", "nothing has to be downloaded", "value", [])
ignored("query_lights_state", "there are no street lights to switch", "value", [])
