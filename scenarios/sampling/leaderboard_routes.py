"""Import of route files of the CARLA Leaderboard and of Bench2Drive: each route becomes an episode.

It follows `leaderboard/utils/route_parser.py` and reads both layouts: Leaderboard 1.0 has <waypoint> elements within
<route> and at most one <weather>; 2.0, 2.1 and Bench2Drive have <position> elements within <waypoints>, <weathers> over
shares of the route, and <scenarios>. Coordinates are CARLA's (left-handed, y = -ours) and their heights are left out.
Every part of a file that this simulator does not play is listed in the notes of its route.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scenarios.reading.xml import Element, read_xml
from scenarios.reading.yaml import ScenarioError
from scenarios.sampling.episode_builder import identify_map
from scenarios.schema.map import weather_bounds
from sim.core.errors import known_names
from sim.datatypes.episode import Episode, MapSpec, Weather
from sim.datatypes.vocabulary import WEATHER_FIELDS
from sim.road.generators.registry import GENERATORS
from sim.road.graph.keypoint_route import KeypointError, route_through
from sim.road.map.loading import read_map
from sim.road.opendrive.carla_frame import carla_from_ours_location, ours_from_carla_location

SECONDS_PER_METRE = 0.8  # of a route's time limit, and ..
SECONDS_AT_ALL = 5.0  # .. what it starts with: Leaderboard 1.0, `RouteScenario._estimate_route_timeout`
_NOTHING = Weather(**dict.fromkeys(WEATHER_FIELDS, 0.0) | {"rayleigh_scattering_scale": 0.0331})  # CARLA's own defaults
# The parsers' defaults: 1.0 without a <weather>, with one; and 2.0 with <weathers> or without.
PLAIN_1_0, GIVEN_1_0 = replace(_NOTHING, sun_altitude_angle=70.0, cloudiness=30.0), _NOTHING
BASE_2_0 = replace(_NOTHING, sun_altitude_angle=70.0, cloudiness=50.0)


@dataclass(frozen=True)
class RouteSpec:
    """A route of a file; plain data.

    Args:
        file: its path as given; line: of the route in it; folder: the file's, where maps are looked for first.
        id, town: as the file has them.
        keypoints: x, y [m] in our frame; lines: the line of each.
        weather: at the start.
        unsupported_scenarios: names of the route's scenarios, none of which this simulator plays.
        notes: what else of the file this simulator does not play, in sentences.
    """

    file: str
    line: int
    folder: Path
    id: str
    town: str
    keypoints: tuple[tuple[float, float], ...]
    lines: tuple[int, ...]
    weather: Weather
    unsupported_scenarios: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def digest(self) -> str:
        """SHA-256 of what is driven: town, keypoints and weather."""
        text = json.dumps([self.town, self.keypoints, vars(self.weather)])
        return hashlib.sha256(text.encode()).hexdigest()

    def map(self, search: Sequence[Path] | None = None) -> MapSpec:
        """The town's map: a file TOWN.xodr, else the generator of that name.

        The file is looked for beside the route file and in the `search` folders, as `sim.road.map.loading.find_file`
        does. CARLA's layered towns (Town01_Opt) have the same roads as those without layers.

        Raises:
            FileNotFoundError: where there is neither.
        """
        for stem in dict.fromkeys((self.town, self.town.removesuffix("_Opt"))):
            try:
                file, sha256 = identify_map(f"{stem}.xodr", self.folder, search)
            except FileNotFoundError as error:
                missing = error
                continue
            return MapSpec(None, (), file, sha256)
        if self.town in GENERATORS:
            return MapSpec(self.town)
        raise FileNotFoundError(f"{self._here}: no map for the town '{self.town}': {missing}; generated towns are "
                                f"{known_names(sorted(GENERATORS))}")  # fmt: skip

    def episode(self, seed: int, search: Sequence[Path] | None = None) -> Episode:
        """The route as an episode: ego stands at the first keypoint, alone, and has the Leaderboard 1.0's time limit.

        That is 5 s plus 0.8 s per metre, in whole seconds. 2.0 gives 300 s and adds time with progress; without other
        road users, the limit of 1.0 is enough.

        Args:
            seed: of the world's own chance (rain drops).

        Raises:
            FileNotFoundError: where the town has no map; ScenarioError: for keypoints that no route can go through.
        """
        spec = self.map(search)
        try:
            length = route_through(read_map(spec, search), self.keypoints).path.length
        except KeypointError as error:
            x, y = carla_from_ours_location(self.keypoints[error.index])
            raise ScenarioError(
                f"{self.file}:{self.lines[error.index]}: route {self.id}: keypoint {error.index + 1} at CARLA's "
                f"x={x:.2f}, y={y:.2f} {error.found}"
            ) from None
        except ValueError as error:
            raise ScenarioError(f"{self._here}: {error}") from None
        limit = float(int(SECONDS_PER_METRE * length + SECONDS_AT_ALL))
        return Episode(
            f"{Path(self.file).name}#{self.id}", seed, spec, speed=0.0, weather=self.weather, time_limit=limit,
            route=self.keypoints,
        )  # fmt: skip

    @property
    def _here(self) -> str:
        return f"{self.file}:{self.line}: route {self.id}"


@dataclass(frozen=True)
class BadRoute:
    """A route that cannot be read. id: "?" where it has none; error: a sentence with file and line."""

    id: str
    error: str


def read_routes(path: str | Path) -> tuple[list[RouteSpec], list[BadRoute]]:
    """Read the routes of a file: the valid ones, and those that cannot be read.

    Raises:
        ScenarioError: for a file that is no XML, has a DOCTYPE (`scenarios.reading.xml`), or has no routes.
    """
    where = str(path)
    root = read_xml(Path(path), where)
    if root.tag != "routes":
        raise ScenarioError(f"{where}:{root.line}: found <{root.tag}>; wanted <routes>, as in a CARLA route file")
    routes: dict[str, RouteSpec] = {}
    bad: list[BadRoute] = []
    for element in root.named("route"):
        name = element.attributes.get("id", "?")
        try:
            route = _route(element, where, Path(path).resolve().parent)
            if (other := routes.get(name)) is not None:
                raise _error(where, element, f"the id '{name}' is that of line {other.line}, too; wanted another one")
            routes[name] = route
        except ScenarioError as error:
            bad.append(BadRoute(name, str(error)))
    if not routes and not bad:
        raise ScenarioError(f"{where}:{root.line}: has no <route>; wanted one at least")
    return list(routes.values()), bad


def _error(where: str, element: Element, message: str) -> ScenarioError:
    return ScenarioError(f"{where}:{element.line}: <{element.tag}>: {message}")


def _text(where: str, element: Element, name: str) -> str:
    value = element.attributes.get(name, "").strip()
    if not value:
        raise _error(where, element, f"the attribute '{name}' is missing; it must be given")
    return value


def _number(where: str, element: Element, name: str) -> float:
    text = _text(where, element, name)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _error(where, element, f"{name} is '{text}'; wanted a finite number")
    return value


def _route(element: Element, where: str, folder: Path) -> RouteSpec:
    town = _text(where, element, "town").rpartition("/")[2]  # CARLA knows a town as Carla/Maps/Town01, too
    if not re.fullmatch(r"\w[\w.+-]*", town):
        raise _error(where, element, f"the town is '{town}'; wanted a map's name, such as Town01")
    positions = [p for group in element.named("waypoints") for p in group.named("position")]
    first_layout = not positions
    positions = positions or list(element.named("waypoint"))
    if len(positions) < 2:
        raise _error(where, element, f"has {len(positions)} keypoints; wanted 2 or more, as <position> within "
                     "<waypoints> or as <waypoint>")  # fmt: skip
    points = [ours_from_carla_location([_number(where, p, axis) for axis in "xy"]).tolist() for p in positions]
    weather, notes = _weather(element, where, first_layout)
    known = ("waypoints", "waypoint", "weathers", "weather", "scenarios")
    odd = sorted({child.tag for child in element.children if child.tag not in known})
    notes += [f"<{tag}> means nothing here" for tag in odd]
    scenarios = [s for group in element.named("scenarios") for s in group.named("scenario")]
    names = tuple(s.attributes.get("name") or s.attributes.get("type") or f"line {s.line}" for s in scenarios)
    return RouteSpec(
        where, element.line, folder, _text(where, element, "id"), town, tuple((x, y) for x, y in points),
        tuple(p.line for p in positions), weather, names, tuple(notes),
    )  # fmt: skip


def _weather(route: Element, where: str, first_layout: bool) -> tuple[Weather, list[str]]:
    """The weather at the start, and notes on what of it is left out."""
    if first_layout:
        given = list(route.named("weather"))
        found = [(0.0, *_fields(where, w, GIVEN_1_0)) for w in given] or [(0.0, PLAIN_1_0, [])]
    else:
        given = [w for group in route.named("weathers") for w in group.named("weather")]
        found = [(_number(where, w, "route_percentage"), *_fields(where, w, BASE_2_0)) for w in given]
        found = sorted(found, key=lambda entry: entry[0]) or [(0.0, BASE_2_0, [])]
    notes = list(dict.fromkeys(note for _, _, some in found for note in some))
    weather = found[0][1]
    if any(other != weather for _, other, _ in found):
        shares = known_names([f"{share:g}" for share, _, _ in found])
        notes.append(f"the weather changes on the way (at {shares} % of it); the first is shown all the way")
    return weather, notes


def _fields(where: str, element: Element, base: Weather) -> tuple[Weather, list[str]]:
    """A <weather>'s fields over those that it leaves out, and a note on every attribute that is not a weather field."""
    values, notes = {}, []
    for name in element.attributes:
        if name in WEATHER_FIELDS:
            value = _number(where, element, name)
            low, high = weather_bounds(name)
            if name == "sun_azimuth_angle" and not low <= value <= high:
                value %= 360.0  # CARLA's presets and its 2.0 routes have -1
            if not low <= value <= high:
                raise _error(where, element, f"{name} is {value:g}; wanted {low:g} to {high:g}")
            values[name] = value
        elif name not in ("route_percentage", "id"):
            notes.append(f"'{name}' is no part of the weather here")
    return replace(base, **values), notes
