"""Recordings of a served world: a line of JSON for every spawn, drawing and tick, and queries on them.

The format is this project's own, kept in its cache folder. Neither CARLA nor this server can play it;
`sim.carla.server.recording.video` renders films of it. The first line has the map; the other lines list changes in
their order. All places are in CARLA's frame:

    {"map", "tick" [s], "opendrive"}                         {"weather": the 14 numbers}   {"lights": states in order}
    {"spawned": id, "type", "role", "attributes"}             {"hidden": rows of the scenery that are not shown}
    {"drawn": a debug shape, "until" [s], null for ever}
    {"frame", "time" [s], "gone": ids, "met": pairs, "at": id -> x, y [m], yaw [deg], vx, vy [m/s], wheels' angle [rad]}
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from sim.carla.server.actors import NO_ROW
from sim.carla.server.debug_drawing import Drawing
from sim.carla.server.registry import refused, served
from sim.carla.server.rpc import Refused
from sim.core.cache import cache_root

FOLDER = "recordings"  # within the cache folder
_LETTERS = {"h": "hero", "v": "vehicle.", "w": "walker.", "t": "traffic.traffic_light", "o": "other", "a": ""}


def folder() -> Path:
    """Return the folder of recordings; it may not exist yet."""
    return cache_root() / FOLDER


def file_of(name: str) -> Path:
    """Return the file of a recording: by the last part of its name, whatever folder the client gives.

    Raises:
        Refused: for a name that names no file.
    """
    short = Path(name).name
    if short in ("", ".."):
        raise Refused(f"{name!r} names no recording; wanted a file name such as drive.log")
    return folder() / short


class Recording:
    """A recording in progress.

    Args:
        name: of it. world: the served world, as it is.
    """

    def __init__(self, name: str, world: Any) -> None:
        self.path = file_of(name)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = self.path.open("w")
        self._known: set[int] = set()
        self._told: dict[str, Any] = {}
        self._say({"map": world.road_map.name, "tick": world.step_length, "opendrive": world.road_map.opendrive})
        for drawing in world.drawings:
            self.draw(drawing)
        self.write(world)

    def _say(self, what: dict[str, Any]) -> None:
        self._file.write(json.dumps(what, separators=(",", ":")) + "\n")

    def _tell(self, name: str, now: Any) -> None:
        if self._told.get(name) != now:
            self._say({name: now})
            self._told[name] = now

    def draw(self, drawing: Drawing) -> None:
        """Record a debug drawing, which is there from the next tick on."""
        self._say({"drawn": drawing.told, "until": drawing.until if math.isfinite(drawing.until) else None})

    def write(self, world: Any) -> None:
        """Record the world after a tick."""
        people = world.table.by_id
        for number in people.keys() - self._known:
            actor = people[number]
            role = actor.attributes.get("role_name", "")
            self._say({"spawned": number, "type": actor.type, "role": role, "attributes": actor.attributes})
        gone = sorted(self._known - people.keys())
        self._known = set(people)
        self._tell("weather", list(world.weather))
        self._tell("lights", [light.state for light in world.lights.all])
        self._tell("hidden", np.flatnonzero(world.maps.arrays.scenery[:, 0] < 0).tolist())
        met = [[who, whom] for who, whom, _ in world.contacts]
        self._say({
            "frame": world.frame, "time": round(world.elapsed, 6), "gone": gone, "met": met, "at": self._places(world),
        })  # fmt: skip

    def _places(self, world: Any) -> dict[int, list[float]]:
        """Return the pose, velocity and wheel angle of every actor with a body, by id."""
        records, wheels = world.table.vehicles, world.fleet.world.steer[0]
        places = {}
        for number, actor in world.table.by_id.items():
            if actor.row != NO_ROW:
                n = world.table.index[number]
                x, y = (round(float(v), 3) for v in records["location"][n][:2])
                vx, vy = (round(float(v), 3) for v in records["velocity"][n][:2])
                yaw = round(float(records["rotation"][n][1]), 3)
                places[number] = [x, y, yaw, vx, vy, round(float(wheels[actor.row]), 4)]
        return places

    def close(self) -> None:
        """Close the file of the complete recording."""
        self._file.close()


def recording_named(name: str) -> Path:
    """Return the file of an existing recording by its name.

    Raises:
        Refused: where there is no such recording, with the names of those that exist.
    """
    path = file_of(name)
    if not path.is_file():
        known = sorted(p.name for p in folder().glob("*"))
        raise Refused(f"there is no recording {path.name!r}; known are {', '.join(known) or 'none'}")
    return path


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a recording, line by line.

    Raises:
        ValueError: for a line that is no JSON object.
    """
    with path.open(errors="replace") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith("\n"):  # the last one may still be on its way
                return
            try:
                said = json.loads(line)
            except json.JSONDecodeError:
                said = None
            if not isinstance(said, dict):
                raise ValueError(f"line {number} of {path.name} is {line[:40]!r}; a recording has a JSON object there")
            yield said


def _stop(server: Any) -> None:
    if server.world.recording is not None:
        server.world.recording.close()
        server.world.recording = None


@served("start_recorder", "value")
def start_recorder(server: Any, name: str, more: bool = False) -> str:
    """Start a recording, and return the path of its file; loading a map ends it."""
    _stop(server)
    server.world.recording = Recording(name, server.world)
    return str(server.world.recording.path)


@served("stop_recorder")
def stop_recorder(server: Any) -> None:
    """End the recording."""
    _stop(server)


@served("show_recorder_file_info", "value")
def show_recorder_file_info(server: Any, name: str, everything: bool = False) -> str:
    """Return map, duration, frames, spawns, destroys and collisions of a recording; with `everything`, all ticks."""
    told: list[str] = []
    frames, first, last, world = 0, 0.0, 0.0, ""
    for line in lines_of(recording_named(name)):
        if "map" in line:
            world = line["map"]
        elif "spawned" in line:
            told.append(f" Create {line['spawned']}: {line['type']} {line['role']}".rstrip())
        elif "frame" in line:
            first = line["time"] if frames == 0 else first
            frames, last = frames + 1, line["time"]
            told += [f" Destroy {number}" for number in line["gone"]]
            told += [f" Collision {who} with {whom}" for who, whom in line["met"]]
            if everything:
                told.append(f"Frame {line['frame']} at {line['time']:g} s: {len(line['at'])} bodies")
    about = [f"Map: {world}", *told, f"Frames: {frames}", f"Duration: {last - first:g} seconds"]
    return "\n".join(about) + "\n"


@served("show_recorder_collisions", "value")
def show_recorder_collisions(server: Any, name: str, one: int | str = "a", other: int | str = "a") -> str:
    """Return the collisions between two kinds of actors in a recording, by CARLA's letters h, v, w, t, o and a."""
    letters = [chr(c) if isinstance(c, int) else c for c in (one, other)]
    for letter in letters:
        if letter not in _LETTERS:
            raise Refused(f"{letter!r} is no kind of actor; known are {', '.join(_LETTERS)}")
    kinds: dict[int, tuple[str, str]] = {0: ("scenery", "")}
    told = ["    Time     Types     Id Actor 1     Id Actor 2"]
    for line in lines_of(recording_named(name)):
        if "spawned" in line:
            kinds[line["spawned"]] = line["type"], line["role"]
        for pair in line.get("met", ()):
            if all(_is(letter, *kinds[number]) for letter, number in zip(letters, pair)):
                told.append(f"{line['time']:8.2f} {' '.join(letters)} " + " ".join(f"{n} {kinds[n][0]}" for n in pair))
    return "\n".join(told) + "\n"


def _is(letter: str, kind: str, role: str) -> bool:
    if letter == "h":
        return role == "hero"
    if letter == "o":
        return not kind.startswith(("vehicle.", "walker.", "traffic.traffic_light"))
    return kind.startswith(_LETTERS[letter])


@served("show_recorder_actors_blocked", "value")
def show_recorder_actors_blocked(server: Any, name: str, seconds: float = 30.0, metres: float = 10.0) -> str:
    """Return the actors that stayed within `metres` [m] for at least `seconds` [s] of a recording."""
    since: dict[str, tuple[float, float, float]] = {}
    longest: Counter[str] = Counter()
    kinds: dict[str, str] = {}
    for line in lines_of(recording_named(name)):
        if "spawned" in line:
            kinds[str(line["spawned"])] = line["type"]
        for number, (x, y, *_) in line.get("at", {}).items():
            t, px, py = since.setdefault(number, (line["time"], x, y))
            if math.hypot(x - px, y - py) > metres:
                since[number] = line["time"], x, y
            else:
                longest[number] = max(longest[number], line["time"] - t)
    told = [f"{kinds[n]} {n}: {t:.2f} s" for n, t in longest.most_common() if t >= seconds]
    return "\n".join(["    Actors that stood", *told]) + "\n"


for _name in ("replay_file", "stop_replayer", "set_replayer_time_factor", "set_replayer_ignore_hero",
              "set_replayer_ignore_spectator"):  # fmt: skip
    refused(_name, "recordings are not played; they can be read", "value" if _name == "replay_file" else "void")
