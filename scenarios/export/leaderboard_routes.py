"""Export of episodes as a route file of the CARLA Leaderboard 2.0.

The Leaderboard's tools and `scenarios.sampling.leaderboard_routes` read such a file. A route is the way that the rule
decides, from ego's start to where it has arrived. Generated maps are exported with it as OpenDRIVE files: CARLA loads
such a file with `client.generate_opendrive_world`, our import finds it beside the routes. Heights are 0, as on all
generated maps. A route cannot hold other road users, traffic, signs, the speed at the start or the time limit; a
comment says what was left out.
"""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scenarios.sampling.sample import decision
from scenarios.scenario import Scenario
from sim.datatypes.episode import Episode
from sim.datatypes.road_map import Path as Line
from sim.datatypes.road_map import RoadMap, Route
from sim.datatypes.vocabulary import DECISIONS, ROUTE_SPACING, WEATHER_FIELDS
from sim.road.graph.keypoint_route import ARRIVAL
from sim.road.graph.placement import ways_of
from sim.road.map.loading import load_map
from sim.road.map.map_batch import start_distance
from sim.road.opendrive.carla_frame import carla_from_ours_location

STEP = 10.0  # [m] between keypoints
CLEAR = 2.0  # [m] off a junction's edge; nearer, CARLA could match a keypoint to any of the lanes that part there


class Exported(NamedTuple):
    """A route file.

    Args:
        text: its content; maps: file name -> OpenDRIVE text of the files that must lie beside it.
        left_out: per route a sentence on what it cannot hold; "" for nothing.
    """

    text: str
    maps: dict[str, str]
    left_out: tuple[str, ...]


def export_routes(drawn: Sequence[tuple[Scenario, Episode]], search: Sequence[Path] | None = None) -> Exported:
    """The route file of some episodes of scenarios, with ids from 0.

    Args:
        search: as for `sim.road.map.loading.load_map`.

    Raises:
        FileNotFoundError: where a map is missing; ValueError: where the rule decides for a way that does not exist.
    """
    root, maps, left_out = ET.Element("routes"), dict[str, str](), []
    for number, (scenario, episode) in enumerate(drawn):
        road_map, junction = load_map(episode.map, search)
        decided = decision(scenario, episode)
        routes = ways_of(episode, junction)
        wanted = next((r for r in routes if r.decision == decided or episode.decision_spec is not None), None)
        if wanted is None:
            ways = [DECISIONS[r.decision] for r in routes]
            raise ValueError(f"the rule says {DECISIONS[decided]!r}, but the junction only offers {ways}")
        town, beside = _town(episode, road_map)
        if beside and maps.setdefault(f"{town}.xodr", road_map.opendrive) != road_map.opendrive:
            raise ValueError(f"two maps are called {town}.xodr; wanted one name for each")
        start = wanted.junction_in - start_distance([r.junction_in for r in routes], episode.distance)
        points = keypoints(wanted, start, wanted.junction_out + episode.finish + ARRIVAL)
        left_out.append(_left_out(episode))
        said = f" {scenario.name}, seed {episode.seed}: {DECISIONS[decided]}. {left_out[-1]}".rstrip() + " "
        root.append(ET.Comment(said.replace("--", "- -")))
        root.append(_element(number, town, points, episode))
    ET.indent(root, "   ")
    return Exported(f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, "unicode")}\n', maps, tuple(left_out))


def keypoints(route: Route, start: float, end: float) -> np.ndarray:
    """(N, 2) points of a route from `start` to `end` metres along it, STEP apart, none within the junction."""
    end = min(end, route.path.length)
    before, after = route.junction_in - CLEAR, route.junction_out + CLEAR
    stations = [start, *np.arange(start + STEP, before, STEP), before, after, *np.arange(after + STEP, end, STEP), end]
    kept = [s for s in stations if start <= s <= end]
    return _at(route.path, np.unique(kept))


def _at(path: Line, stations: np.ndarray) -> np.ndarray:
    along = np.arange(len(path.points)) * float(ROUTE_SPACING)
    return np.column_stack([np.interp(stations, along, path.points[:, k]) for k in (0, 1)])


def _town(episode: Episode, road_map: RoadMap) -> tuple[str, bool]:
    """The map's name in the route file, and whether the map file must lie beside it.

    A generator makes many maps, so its name alone is ambiguous: part of the text's SHA-256 distinguishes them.
    """
    if episode.map.file is None:
        return f"{episode.map.generate}_{hashlib.sha256(road_map.opendrive.encode()).hexdigest()[:8]}", True
    return Path(episode.map.file).stem, Path(episode.map.file).is_absolute()  # absolute: it lies beside its scenario


def _left_out(episode: Episode) -> str:
    counts = (("actor", sum(a.present for a in episode.actors)), ("sign", sum(s.present for s in episode.signs)))
    words = [f"{n} {word}{'s' if n > 1 else ''}" for word, n in counts if n]
    words += [f"traffic of {episode.traffic.slots}"] if episode.traffic and episode.traffic.slots else []
    words += [f"the speed of {episode.speed:.1f} m/s at the start"] if episode.speed else []
    return f"Left out: {', '.join(words)}." if words else ""


def _element(number: int, town: str, points: np.ndarray, episode: Episode) -> ET.Element:
    route = ET.Element("route", id=str(number), town=town)
    weather = {name: repr(float(getattr(episode.weather, name))) for name in WEATHER_FIELDS}
    ET.SubElement(ET.SubElement(route, "weathers"), "weather", {"route_percentage": "0", **weather})
    waypoints = ET.SubElement(route, "waypoints")
    for x, y in carla_from_ours_location(points).tolist():
        ET.SubElement(waypoints, "position", x=f"{x:.3f}", y=f"{y:.3f}", z="0.0")
    ET.SubElement(route, "scenarios")  # the Leaderboard's parser needs one, even if empty
    return route
