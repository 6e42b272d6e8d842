"""Export of an episode as an ASAM OpenSCENARIO 1.0 file (.xosc) that is valid against ASAM's schema.

Positions are in this project's frame, which is OpenDRIVE's: right-handed, metres, radians. A vehicle's origin is its
rear axle on the ground, as in OpenSCENARIO. Heights are left to the road. OpenSCENARIO has no hidden rules, so what
has no element of its own (rule, propositions and whether they hold, decision, all weather numbers, the whole episode as
JSON) is written to `Property` elements: `episode_of` reads the episode back.

Where the standard leaves room, the export follows CARLA's scenario_runner (its srunner/tools/openscenario_parser.py and
srunner/scenarioconfigs/openscenario_configuration.py): blueprints as names, ego is `hero` with the property
type=ego_vehicle, colours as "r,g,b", one story, no position in Init but the first. scenario_runner reads the sun's
azimuth as CARLA's, and cloudiness as 100 - 100 * intensity of the sun, where ASAM's text wants lux; so both are
written.

What is lost: other vehicles hold their speed instead of a gap to the vehicle ahead, collisions do not end the
storyboard, scripted actors stand, and traffic besides the actors is left out (the episode's property has it all).
"""

from __future__ import annotations

import json
import math
import os
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scenarios.sampling.sample import decision, slots_needed, valuation
from scenarios.scenario import Scenario
from sim.actors.registry import ACTOR_KINDS, EGO, VEHICLES
from sim.core.constants import RAD
from sim.core.errors import known_names
from sim.core.files import write_atomically
from sim.datatypes.episode import ActorSpec, Episode, SignSpec, Weather
from sim.datatypes.road_map import Junction
from sim.datatypes.road_map import Path as Line
from sim.datatypes.vocabulary import DECISIONS, ROUTE_SPACING
from sim.datatypes.world_state import World
from sim.render.lighting import FOG_RATE, LIGHT_SIZE
from sim.render.weather.effects import weather_light
from sim.road.map.loading import find_file, load_map
from sim.road.map.map_batch import path_points
from sim.traffic.route_follower import ALONG
from sim.world.embedded import EmbeddedWorld

HERO = "hero"  # ego's name; CARLA's agents look for a vehicle with this role
REACHED = 2.0  # [m] around the finish that counts as arrived: about half a lane
VERTEX_SPACING = 2.0  # [m] between the vertices of a trajectory
TRACK = 0.9  # of the width, from wheel to wheel
CONTRAST = 3.912  # Koschmieder: visual range times extinction, where 2 % of the contrast is left
FREE, CLOUDY = 25.0, 75.0  # [%] cloudiness up to which the sky is free of clouds, and up to which it is not overcast
_DAY = datetime(2020, 3, 20)  # an equinox: on the equator the sun climbs 15 degrees an hour, from -90 at midnight


class Box(NamedTuple):
    """Size of an object [m], and how far its origin lies before its rear end."""

    length: float
    width: float
    height: float
    wheelbase: float
    overhang: float


# ------------------------------------------------------------------------------------------------ the whole file
def openscenario(
    scenario: Scenario, episode: Episode, logic_file: str, date: datetime, search: Sequence[Path] | None = None
) -> str:
    """Export an episode as the text of an .xosc file.

    Args:
        episode: a draw from `scenario`.
        logic_file: where readers find the OpenDRIVE file, from the .xosc file's folder.
        date: when it is written.
        search: as for `sim.road.map.loading.load_map`.

    Raises:
        ValueError, FileNotFoundError: for an episode that cannot be placed on its map, whose decision is not the way
            out, or with an actor that stops, yields, takes turns, arrives at a set time or tailgates ego.
    """
    _check_sayable(episode)
    backend = EmbeddedWorld(1, simulation=slots_needed(scenario), search=search)
    backend.reset([episode])
    _, junction = load_map(episode.map, search)
    root = _e(
        "OpenSCENARIO",
        _e("FileHeader", revMajor=1, revMinor=0, date=date.strftime("%Y-%m-%dT%H:%M:%S"), author="Homunculus",
           description=_description(scenario, episode)),
        _e("CatalogLocations"),
        _e("RoadNetwork", _e("LogicFile", filepath=logic_file)),
        _entities(scenario, episode, backend.world),
        _storyboard(scenario, episode, backend, junction),
    )  # fmt: skip
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def write_openscenario(
    scenario: Scenario, episode: Episode, file: Path, date: datetime, search: Sequence[Path] | None = None
) -> list[Path]:
    """Write an episode as `file`; a generated map is written beside it as .xodr, any other map is referred to.

    Returns:
        The files that were written.

    Raises:
        ValueError: where `file` does not end in .xosc, or another .xodr has the generated map's name.
    """
    if file.suffix != ".xosc":
        raise ValueError(f"'{file}' is no name for OpenSCENARIO; wanted one that ends in .xosc")
    texts: dict[Path, str] = {}
    if episode.map.file is None:
        beside = file.with_suffix(".xodr")
        if beside.exists() and not file.exists():
            raise ValueError(f"{beside} is there already, and would be overwritten by the generated map")
        texts[beside] = load_map(episode.map, search)[0].opendrive
        logic_file = beside.name
    else:
        logic_file = os.path.relpath(find_file(episode.map.file, search), file.parent).replace(os.sep, "/")
    texts[file] = openscenario(scenario, episode, logic_file, date, search)
    for path, text in texts.items():
        write_atomically(path, text)
    return list(texts)


def episode_of(text: str) -> Episode:
    """Read the episode from an exported file.

    Raises:
        ValueError: for a file without one.
    """
    for entry in ET.fromstring(text.encode()).iter("Property"):
        if entry.get("name") == "episode":
            return Episode.from_dict(json.loads(entry.get("value", "")))
    raise ValueError("no property 'episode' in the file; wanted what `dagger scenarios export --openscenario` wrote")


# ------------------------------------------------------------------------------------------------------ entities
def _description(scenario: Scenario, episode: Episode) -> str:
    holds = valuation(scenario, episode)
    texts = scenario.data.get("propositions", {})
    facts = "; ".join(f"{name} ({texts.get(name, '')}) is {str(value).lower()}" for name, value in holds.items())
    return " ".join(
        f"{scenario.name}, seed {episode.seed}: {scenario.description} Rule: {scenario.rule}. "
        f"Here {facts}; so the driver goes {DECISIONS[decision(scenario, episode)]}.".split()
    )


def _entities(scenario: Scenario, episode: Episode, world: World) -> ET.Element:
    holds = valuation(scenario, episode)
    texts = scenario.data.get("propositions", {})
    facts = {
        "type": "ego_vehicle", "scenario": scenario.name, "seed": episode.seed, "rule": str(scenario.rule),
        **{f"proposition.{name}": texts.get(name, "") for name in holds},
        **{f"holds.{name}": value for name, value in holds.items()},
        "decision": DECISIONS[decision(scenario, episode)],
        "episode": json.dumps(episode.to_dict()),
    }  # fmt: skip
    found = [entity(HERO, "car", _box(world, 0), facts)]
    for i, actor in _actors(episode):
        found.append(entity(f"actors.{actor.name}", actor.kind, _box(world, i), _look(actor)))
    for i, sign in _signs(episode):
        said = {"type": "simulation", "sign": sign.kind, "text": sign.text, "colour": sign.colour, "font": sign.font,
                "weathering": sign.weathering}  # fmt: skip
        found.append(entity(f"signs.{sign.name}", "sign", _box(world, i), said))
    return _e("Entities", *found)


def entity(name: str, kind: str, box: Box, properties: dict[str, object]) -> ET.Element:
    """A `ScenarioObject` of a kind that declares one.

    Raises:
        ValueError: for a kind without an OpenSCENARIO element.
    """
    known = [k.name for k in ACTOR_KINDS.values() if k.openscenario is not None]
    if kind not in known:
        raise ValueError(f"{name}: no OpenSCENARIO element for kind {kind!r}; known are {known_names(known)}")
    declared = ACTOR_KINDS[kind]
    body, mass, wheel_size = declared.openscenario, declared.mass, 2.0 * declared.wheel
    assert body is not None
    bounds = _e(
        "BoundingBox",
        _e("Center", x=box.length / 2 - box.overhang, y=0.0, z=box.height / 2),
        _e("Dimensions", length=box.length, width=box.width, height=box.height),
    )
    told = _e("Properties", *(_e("Property", name=k, value=v) for k, v in properties.items()))
    if body.element == "Pedestrian":
        inner = _e("Pedestrian", bounds, told, name=name, model=body.model, mass=mass,
                   pedestrianCategory=body.category)  # fmt: skip
    elif body.element == "MiscObject":
        inner = _e("MiscObject", bounds, told, name=body.model, mass=mass, miscObjectCategory=body.category)
    else:
        limits = VEHICLES.get(kind, EGO)
        performance = _e("Performance", maxSpeed=limits.max_speed, maxAcceleration=limits.max_acceleration,
                         maxDeceleration=limits.max_braking)  # fmt: skip
        wheel = {"wheelDiameter": wheel_size, "trackWidth": TRACK * box.width, "positionZ": wheel_size / 2}
        axles = _e("Axles", _e("FrontAxle", maxSteering=limits.max_steer, positionX=box.wheelbase, **wheel),
                   _e("RearAxle", maxSteering=0.0, positionX=0.0, **wheel))  # fmt: skip
        inner = _e("Vehicle", bounds, performance, axles, told, name=body.model, vehicleCategory=body.category)
    return _e("ScenarioObject", inner, name=name)


def _actors(episode: Episode) -> list[tuple[int, ActorSpec]]:
    """Slot and specification of every actor that is present."""
    return [(i, a) for i, a in enumerate(episode.actors, start=1) if a.present]


def _signs(episode: Episode) -> list[tuple[int, SignSpec]]:
    return [(i, s) for i, s in enumerate(episode.signs, start=1 + len(episode.actors)) if s.present]


def _look(actor: ActorSpec) -> dict[str, object]:
    r, g, b = actor.colour >> 16 & 255, actor.colour >> 8 & 255, actor.colour & 255
    return {"type": "simulation", "color": f"{r},{g},{b}"}


def _box(world: World, i: int) -> Box:
    return Box(*(float(getattr(world, name)[0, i]) for name in Box._fields))


# ---------------------------------------------------------------------------------------------------- storyboard
def _storyboard(scenario: Scenario, episode: Episode, backend: EmbeddedWorld, junction: Junction) -> ET.Element:
    world = backend.world
    names = {0: HERO} | {i: f"actors.{a.name}" for i, a in _actors(episode)}
    placed = names | {i: f"signs.{s.name}" for i, s in _signs(episode)}
    actions = [_e("GlobalAction", _e("EnvironmentAction", environment(episode.weather)))]
    for i, name in placed.items():
        start = [_private("TeleportAction", _position(world.x[0, i], world.y[0, i], world.yaw[0, i]))]
        if i in names:
            start.append(_speed(float(world.speed[0, i])))
        actions.append(_e("Private", *start, entityRef=name))
    groups = [_group(HERO, "AssignRouteAction", _route(scenario, episode, world, junction))]
    for i, name in names.items():
        if i and (world.path[0, i] >= 0 or episode.actors[i - 1].turn):
            groups.append(_group(name, "FollowTrajectoryAction", *_trajectory(name, backend, i)))
    finishes = [
        (f"arrived {DECISIONS[route.decision]}", _at(route.path, route.junction_out + episode.finish))
        for route in junction.routes_from(episode.arm)
    ]
    ends = [_condition("out of time", _time(episode.time_limit))]
    ends += [_condition(name, _reached(HERO, place)) for name, place in finishes]
    act = _e("Act", *groups, _e("StartTrigger", _condition("the beginning of the act", _time(0.0))), name="act")
    return _e(
        "Storyboard",
        _e("Init", _e("Actions", *actions)),
        _e("Story", act, name=scenario.name),
        _e("StopTrigger", *ends),
    )


def environment(weather: Weather) -> ET.Element:
    """The weather as an `Environment`; CARLA's own numbers are properties of the road condition.

    Friction is 1: the kinematic bicycle cannot slip, whatever the road is like.
    """
    rain, cloud = weather.precipitation, weather.cloudiness
    clouds = "rainy" if rain > 0 else "free" if cloud <= FREE else "cloudy" if cloud <= CLOUDY else "overcast"
    table = np.zeros(LIGHT_SIZE, np.float32)
    weather_light(weather.array(), table)
    told = [_e("Property", name=f"weather.{name}", value=value) for name, value in vars(weather).items()]
    return _e(
        "Environment",
        _e("TimeOfDay", animation=False, dateTime=time_of_day(weather).strftime("%Y-%m-%dT%H:%M:%S")),
        _e(
            "Weather",
            _e("Sun", azimuth=weather.sun_azimuth_angle * RAD, elevation=weather.sun_altitude_angle * RAD,
               intensity=1.0 - cloud / 100.0),
            _e("Fog", visualRange=CONTRAST / float(table[FOG_RATE])),
            _e("Precipitation", precipitationType="rain" if rain > 0 else "dry", intensity=rain / 100.0),
            cloudState=clouds,
        ),
        _e("RoadCondition", _e("Properties", *told), frictionScaleFactor=1.0),
        name="weather",
    )  # fmt: skip


def _check_sayable(episode: Episode) -> None:
    """Raise for an episode that OpenSCENARIO 1.0 cannot express."""
    if episode.decision_spec is not None:
        raise ValueError(
            f"the decision of {episode.scenario} shows by {episode.decision_spec.kind}, "
            "and OpenSCENARIO 1.0 has routes only; "
            "wanted a scenario whose decision is the way out"
        )
    for actor in episode.actors:
        idle = [
            k
            for k in ("stop_duration", "arrival_offset", "yield_timeout", "tailgates")
            if getattr(actor, k) is not None
        ]
        if idle := idle + ["takes_turns"] * actor.takes_turns:
            raise ValueError(
                f"actor {actor.name} has {idle[0]}, which the export to OpenSCENARIO 1.0 cannot express; wanted an "
                "actor that has only a turn, a speed or neither"
            )


def time_of_day(weather: Weather) -> datetime:
    """A time in the morning that fits the sun's altitude; a scenario has altitudes and no clock."""
    return _DAY + timedelta(hours=round((weather.sun_altitude_angle + 90.0) / 15.0, 3))


def _route(scenario: Scenario, episode: Episode, world: World, junction: Junction) -> ET.Element:
    """The route that the rule decides, from ego's start over the junction to the finish."""
    routes = junction.routes_from(episode.arm)
    wanted = decision(scenario, episode)
    ways = [(r, k) for k, r in enumerate(routes) if r.decision == wanted]
    if not ways:
        raise ValueError(f"{scenario.name} decides {DECISIONS[wanted]}, which is no way from arm {episode.arm}")
    route, k = ways[0]
    middle = (route.junction_in + route.junction_out) / 2
    stations = [float(world.route_s[0, k]), route.junction_in, middle, route.junction_out,
                route.junction_out + episode.finish]  # fmt: skip
    points = [_e("Waypoint", _position(*_at(route.path, s)), routeStrategy="shortest") for s in stations]
    return _e("Route", *points, name=DECISIONS[wanted], closed=False)


def _trajectory(name: str, backend: EmbeddedWorld, i: int) -> tuple[ET.Element, ...]:
    """Actor i's path from where it is; the vertices' times are those at its own speed, and are not binding."""
    world = backend.world
    here = np.array([[world.x[0, i], world.y[0, i], world.yaw[0, i]]], np.float64)
    path, gone_by = int(world.path[0, i]), float(world.path_s[0, i])
    if path < 0:  # on a scripted route through the junction
        assert backend.followers is not None
        path, gone_by = int(backend.followers.path[0, i]), float(backend.followers.drive[0, i, ALONG])
    rest = path_points(backend.maps.arrays, path)[:, :3].astype(np.float64)
    first = int((gone_by + VERTEX_SPACING) / ROUTE_SPACING)
    every = round(VERTEX_SPACING / float(ROUTE_SPACING))
    ahead = rest[first:-1:every]
    points = np.concatenate([here, ahead, rest[-1:]])
    gone = np.concatenate([[0.0], np.hypot(*np.diff(points[:, :2], axis=0).T).cumsum()])
    vertices = [_e("Vertex", _position(*p), time=s / float(world.speed[0, i])) for p, s in zip(points, gone)]
    line = _e("Trajectory", _e("Shape", _e("Polyline", *vertices)), name=name, closed=False)
    return line, _e("TimeReference", _e("None")), _e("TrajectoryFollowingMode", followingMode="follow")


# --------------------------------------------------------------------------------------------------------- parts
def _group(name: str, action: str, *inner: ET.Element) -> ET.Element:
    """A maneuver group in which one entity begins one routing action immediately."""
    what = f"{name} goes its way"
    event = _e(
        "Event",
        _e("Action", _e("PrivateAction", _e("RoutingAction", _e(action, *inner))), name=what),
        _e("StartTrigger", _condition("at once", _time(0.0))),
        name=what, priority="overwrite", maximumExecutionCount=1,
    )  # fmt: skip
    actors = _e("Actors", _e("EntityRef", entityRef=name), selectTriggeringEntities=False)
    return _e("ManeuverGroup", actors, _e("Maneuver", event, name=what), name=what, maximumExecutionCount=1)


def _condition(name: str, what: ET.Element) -> ET.Element:
    """A condition in a group of its own, so that several conditions are alternatives."""
    return _e("ConditionGroup", _e("Condition", what, name=name, delay=0.0, conditionEdge="none"))


def _time(seconds: float) -> ET.Element:
    return _e("ByValueCondition", _e("SimulationTimeCondition", value=seconds, rule="greaterThan"))


def _reached(name: str, place: tuple[float, float, float]) -> ET.Element:
    return _e(
        "ByEntityCondition",
        _e("TriggeringEntities", _e("EntityRef", entityRef=name), triggeringEntitiesRule="any"),
        _e("EntityCondition", _e("ReachPositionCondition", _position(*place), tolerance=REACHED)),
    )


def _speed(speed: float) -> ET.Element:
    return _private(
        "LongitudinalAction",
        _e(
            "SpeedAction",
            _e("SpeedActionDynamics", dynamicsShape="step", dynamicsDimension="time", value=0.0),
            _e("SpeedActionTarget", _e("AbsoluteTargetSpeed", value=speed)),
        ),
    )


def _private(tag: str, *inner: ET.Element) -> ET.Element:
    return _e("PrivateAction", _e(tag, *inner))


def _position(x: float, y: float, yaw: float) -> ET.Element:
    return _e("Position", _e("WorldPosition", x=x, y=y, h=math.remainder(float(yaw), math.tau)))


def _at(line: Line, s: float) -> tuple[float, float, float]:
    """x, y [m], yaw [rad] at `s` [m] along a line, or at its end."""
    stations = np.arange(len(line.points)) * float(ROUTE_SPACING)
    x, y, yaw = (float(np.interp(s, stations, line.points[:, k])) for k in range(3))
    return x, y, yaw


def _e(tag: str, *children: ET.Element, **attributes: object) -> ET.Element:
    """An element; numbers are rounded to six decimals, Booleans are written as in XML."""
    found = ET.Element(tag, {key: _text(value) for key, value in attributes.items()})
    found.extend(children)
    return found


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (float, np.floating)):
        return repr(round(float(value), 6) + 0.0)  # + 0.0: no minus before a zero
    return str(value)
