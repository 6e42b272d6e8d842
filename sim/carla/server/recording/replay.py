"""Replay a recording as a world: bodies, weather, lights and drawings at every moment, without a server."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from sim.carla.blueprint_library import BLUEPRINTS
from sim.carla.server.bodies import Bodies
from sim.carla.server.debug_drawing import Drawing, drawing_of, visible
from sim.carla.server.lights import ALWAYS, NOON
from sim.carla.server.spawning import row_of, sign_of
from sim.datatypes.road_map import RoadMap
from sim.road.map.compiler import compiled
from sim.road.map.map_batch import MapBatch

HEROES = ("hero", "ego_vehicle", "ego")


@dataclass(frozen=True)
class ReplayedActor:
    """An actor with a body: its id, blueprint and role."""

    id: int
    type: str
    role: str

    def __str__(self) -> str:
        return f"{self.id} {self.type} {self.role}".rstrip()


class Replay:
    """An iterator over the moments of a recording.

    Args:
        lines: of a recording, see `sim.carla.server.recording.recorder`.

    Attributes:
        road_map: of the recording; tick: of it [s]; maps: that map alone.
        fleet: bodies, of which row 0 belongs to no actor. rows: id -> row of present actors. drawings: visible ones.
        time: of this moment [s]; moments: how many there have been.

    Raises:
        ValueError: for lines that are no recording, or an old one whose first line has no map.
    """

    def __init__(self, lines: Iterable[dict[str, Any]]) -> None:
        lines = iter(lines)
        head = next(lines, {})
        if not {"map", "tick", "opendrive"} <= head.keys():
            raise ValueError("this is no recording of `dagger serve`, or of an old one: its first line has no map")
        self.road_map: RoadMap = compiled(head["opendrive"], head["map"])
        self.tick = float(head["tick"])
        self.maps = MapBatch()
        self.maps.add(self.road_map)
        self.fleet = Bodies()
        self.fleet.world.clock[0] = NOON
        self.rows: dict[int, int] = {}
        self.drawings: list[Drawing] = []
        self.time, self.moments = 0.0, 0
        self._lines = lines

    def __iter__(self) -> Iterator[Replay]:
        """Advance from moment to moment; yields itself in each."""
        for line in self._lines:
            for name, told in line.items():
                if (take := getattr(self, f"_take_{name}", None)) is not None:
                    take(told, line)
            if "frame" in line:
                self.moments += 1
                yield self

    def _take_weather(self, told: list[float], _: dict[str, Any]) -> None:
        self.fleet.world.weather[0] = told

    def _take_lights(self, told: list[int], _: dict[str, Any]) -> None:
        scenery = self.maps.arrays.scenery
        if told:
            scenery[len(scenery) - len(told) :, 7] = [ALWAYS[state] for state in told]

    def _take_hidden(self, told: list[int], _: dict[str, Any]) -> None:
        kinds = self.maps.arrays.scenery[:, 0]
        np.abs(kinds, out=kinds)
        kinds[told] *= -1

    def _take_drawn(self, told: list[Any], line: dict[str, Any]) -> None:
        until = math.inf if line["until"] is None else float(line["until"])
        self.drawings.append(replace(drawing_of(told, self.time, self.tick), until=until))

    def _take_spawned(self, number: int, line: dict[str, Any]) -> None:
        blueprint = BLUEPRINTS.get(line["type"])
        if blueprint is None or not blueprint.body:
            return
        values = line["attributes"]
        self.rows[number] = row_of(self.fleet, blueprint.body, values, sign_of(blueprint.body, values))

    def _take_time(self, told: float, _: dict[str, Any]) -> None:
        self.time = float(told)
        self.drawings = visible(self.drawings, self.time)

    def _take_gone(self, told: list[int], _: dict[str, Any]) -> None:
        for number in told:
            if (row := self.rows.pop(number, None)) is not None:
                self.fleet.remove(row)

    def _take_at(self, told: dict[str, list[float]], _: dict[str, Any]) -> None:
        world = self.fleet.world
        for number, (x, y, yaw, vx, vy, wheels) in told.items():
            if (row := self.rows.get(int(number))) is not None:
                self.fleet.put(row, [[x, y, 0.0], [0.0, yaw, 0.0]])
                turn = math.radians(yaw)
                world.speed[0, row] = vx * math.cos(turn) + vy * math.sin(turn)
                world.steer[0, row] = wheels


def actors_of(lines: Iterable[dict[str, Any]]) -> list[ReplayedActor]:
    """Return every actor with a body in the whole recording, in the order of spawning."""
    bodies = {name for name, blueprint in BLUEPRINTS.items() if blueprint.body}
    return [ReplayedActor(line["spawned"], line["type"], line["role"]) for line in lines if line.get("type") in bodies]


def followed(cast: Sequence[ReplayedActor], wanted: str = "") -> ReplayedActor | None:
    """Return the actor that a film follows: by id, role or blueprint; by default a hero, a vehicle, or any actor.

    Returns:
        None where there is no actor, or where `wanted` is "none".

    Raises:
        ValueError: where no actor matches `wanted`, with the known ones.
    """
    if wanted == "none":
        return None
    if wanted:
        for who in cast:
            if wanted in (str(who.id), who.role, who.type):
                return who
        known = "; ".join(str(who) for who in cast[:12]) + ("; .." if len(cast) > 12 else "")
        raise ValueError(f"no actor is {wanted!r}; known are {known or 'none'}, by id, blueprint or role, and 'none'")
    ranks = chain((w for w in cast if w.role in HEROES), (w for w in cast if w.type.startswith("vehicle.")), cast)
    return next(ranks, None)
