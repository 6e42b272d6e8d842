"""CARLA's wire format: structs as msgpack arrays, stream tokens, and the binary records of a snapshot.

Structs travel as arrays in the order of their fields, so here they are plain lists: a location is [x, y, z] and a
transform [[x, y, z], [pitch, yaw, roll]], in CARLA's left-handed frame with degrees.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

VERSION = "0.9.16"  # of CARLA's protocol
WORLD_STREAM = 1  # id of the stream of snapshots

# The header before the measurement in every frame of every stream.
_HEADER = struct.Struct("<QQd6f")
_SNAPSHOT = struct.Struct("<QdfiiiI")
MAP_CHANGED, LIGHTS_CHANGED = 1, 2  # bits of a snapshot's state
# CARLA 0.9.16's numbers of sensor types.
SENSOR_NUMBER: dict[str, int] = {
    "collision": 0, "depth": 1, "gnss": 4, "imu": 5, "obstacle": 7, "optical_flow": 8, "radar": 9, "semantic_lidar": 10,
    "lidar": 11, "rgb": 13, "semantic": 14, "instance": 15, "world": 17,
}  # fmt: skip

_VEHICLE = [
    ("throttle", "<f4"), ("steer", "<f4"), ("brake", "<f4"), ("hand_brake", "u1"), ("reverse", "u1"), ("manual", "u1"),
    ("gear", "<i4"), ("speed_limit", "<f4"), ("light_state", "u1"), ("has_light", "u1"), ("light_id", "<u4"),
    ("failure", "u1"),
]  # fmt: skip
_LIGHT = [
    ("sign_id", "S32"), ("green", "<f4"), ("yellow", "<f4"), ("red", "<f4"), ("elapsed", "<f4"), ("pole", "<u4"),
    ("frozen", "u1"), ("shows", "u1"),
]  # fmt: skip
_WALKER = [("direction", "<f4", 3), ("speed", "<f4"), ("jump", "u1")]
_COMMON = [
    ("id", "<u4"), ("state", "u1"), ("location", "<f4", 3), ("rotation", "<f4", 3), ("velocity", "<f4", 3),
    ("turning", "<f4", 3), ("acceleration", "<f4", 3),
]  # fmt: skip
_UNION, _RECORD = 65, 119  # bytes before the part that depends on the type of actor, and of a whole record


def _record(union: list[Any]) -> np.dtype:
    named = np.dtype(union)
    offsets = [np.dtype(_COMMON).fields[name[0]][1] for name in _COMMON]  # type: ignore[index]
    offsets += [_UNION + named.fields[name[0]][1] for name in union]  # type: ignore[index]
    fields = _COMMON + union
    return np.dtype({
        "names": [f[0] for f in fields], "offsets": offsets, "itemsize": _RECORD,
        "formats": [f[1] if len(f) == 2 else (f[1], f[2]) for f in fields],
    })  # fmt: skip


# One actor in a snapshot: the same bytes, by the field names of each type of actor.
VEHICLE_RECORD, LIGHT_RECORD, WALKER_RECORD = _record(_VEHICLE), _record(_LIGHT), _record(_WALKER)
ACTIVE = 1
FLOAT32 = 3e38  # largest number of a client's float32, about


def alike(told: Any, usual: Any) -> bool:
    """Return whether a client's value has the type of `usual`: a finite number for a number, a list of the same layout.

    Other clients receive the values of one client, and crash over a bool that should be a number.  Lists of lists
    within others may be of any length (a curve, the wheels), if each is like the first one.
    """
    if isinstance(usual, list):
        return isinstance(told, list) and len(told) == len(usual) and all(map(_alike_within, told, usual))
    if isinstance(usual, float):
        return type(told) in (int, float) and abs(told) < FLOAT32
    if type(usual) is int:
        return type(told) is int and -(1 << 31) <= told < 1 << 32
    return type(told) is type(usual)


def _alike_within(told: Any, usual: Any) -> bool:
    if isinstance(usual, list) and usual and isinstance(usual[0], list):
        return isinstance(told, list) and all(alike(one, usual[0]) for one in told)
    return alike(told, usual)


def value(result: Any) -> list[Any]:
    """Return a `Response<T>` of success."""
    return [[1, result]]


def refusal(why: str) -> list[Any]:
    """Return a `Response<T>` of failure: the client raises RuntimeError(why)."""
    return [[0, [why]]]


def done() -> list[Any]:
    """Return a `Response<void>` of success."""
    return [[False]]


def undone(why: str) -> list[Any]:
    """Return a `Response<void>` of failure."""
    return [[True, [why]]]


def token(stream: int, port: int) -> bytes:
    """Return a stream's token for subscribing, 24 bytes; the address is left open: the host of the RPC connection."""
    return struct.pack("<IHBB16x", stream, port, 1, 0)


def header(number: int, frame: int, elapsed: float, place: tuple[float, ...] = (0.0,) * 6) -> bytes:
    """Return the 48 bytes before a measurement.

    Args:
        number: see SENSOR_NUMBER. elapsed: simulated time [s].
        place: x, y, z [m], pitch, yaw, roll [deg] of the sensor.
    """
    return _HEADER.pack(number, frame, elapsed, *place)


def snapshot(
    frame: int, elapsed: float, episode: int, wall: float, delta: float, state: int, records: bytes
) -> bytes:  # fmt: skip
    """Return a frame of the world's stream.

    Args:
        elapsed, delta: simulated time, and the length of the last tick [s]; wall: seconds of a real clock.
        state: MAP_CHANGED and LIGHTS_CHANGED. records: of all actors, end to end.
    """
    about = _SNAPSHOT.pack(episode, wall, delta, 0, 0, 0, state)
    return header(SENSOR_NUMBER["world"], frame, elapsed) + about + records
