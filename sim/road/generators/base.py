"""Shared parts of map generators: parameter ranges and their check, straight streets, lights and signs."""

from __future__ import annotations

import functools
import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable

from sim.road.opendrive.writer import GUTTER, JunctionArm, controller, link, network, road, section, signal, street

Generator = Callable[..., str]
# Generator -> parameter -> (least, most), so that a scenario can be checked before an episode is drawn from it.
_COMMON: dict[str, tuple[float, float]] = {"arm": (15.0, 200.0), "lane_width": (2.5, 5.0), "radius": (5.0, 25.0)}
_WIDTH = (2.75, 4.0)
EAST, NORTH, WEST, SOUTH = 0.0, 0.5 * math.pi, math.pi, -0.5 * math.pi  # headings of roads [rad]
JUNCTIONS = 100_000  # ids of junctions begin here, ids of connecting roads at a tenth of it
MARGIN = 20.0  # [m] of world around the roads
RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "t_junction": {**_COMMON, "stem": (0.0, 400.0)},
    "crossroads": _COMMON,
    "crossroads_lights": _COMMON,
    "crossroads_stop": _COMMON,
    "roundabout": {"arms": (3, 4), "radius": (12.0, 40.0), "arm": (15.0, 200.0), "lane_width": _WIDTH},
    "grid_town": {
        "blocks_x": (1, 6), "blocks_y": (1, 6), "block": (60.0, 150.0), "lanes": (1, 2), "lane_width": _WIDTH,
        "seed": (0, 1_000_000),
    },
    "motorway_merge": {"lanes": (1, 3), "acceleration": (30.0, 300.0), "arm": (30.0, 300.0), "lane_width": _WIDTH},
    "narrow_passage": {
        "passage": (5.0, 100.0), "gap": (2.6, 4.0), "arm": (30.0, 200.0), "taper": (5.0, 20.0), "lane_width": _WIDTH,
        "signs": (0, 1),
    },
    "parking_bays": {
        "bays": (1, 20), "bay": (5.0, 8.0), "depth": (2.0, 2.8), "arm": (15.0, 200.0), "lane_width": _WIDTH,
        "shortest": (0.0, 12.0), "longest": (0.0, 12.0), "seed": (0, 1_000_000),
        "short_1": (0, 1), "short_2": (0, 1), "short_3": (0, 1), "short_4": (0, 1),
    },
    "crosswalk": {"arm": (15.0, 200.0), "lane_width": _WIDTH, "crossing": (2.5, 8.0)},
    "exits": {
        "exits": (2, 4), "spacing": (30.0, 80.0), "shift": (-10.0, 10.0), "arm": (15.0, 200.0), "side": (15.0, 100.0),
        "lane_width": _WIDTH,
    },
    "two_turns": {
        "arm": (15.0, 200.0), "leg": (15.0, 120.0), "side": (15.0, 100.0), "lane_width": _WIDTH, "radius": (5.0, 15.0),
    },
}  # fmt: skip
WHOLE = frozenset({
    "arms", "blocks_x", "blocks_y", "lanes", "seed", "bays", "exits", "short_1", "short_2", "short_3", "short_4",
    "signs",
})  # fmt: skip  # these are whole numbers


def checked(generator: Generator) -> Generator:
    """Wrap a generator so that it raises ValueError for values out of its RANGES."""

    @functools.wraps(generator)
    def refusing(**parameters: float) -> str:
        check(generator.__name__, parameters)
        return generator(**parameters)

    return refusing


def check(name: str, parameters: dict[str, float] | Iterable[str]) -> None:
    """Raise for an unknown generator, an unknown parameter or a value out of range.

    Args:
        parameters: names alone, or names and values.

    Raises:
        ValueError: with the known names or the range.
    """
    if name not in RANGES:
        raise ValueError(f"unknown map generator {name!r}; known are {', '.join(sorted(RANGES))}")
    ranges = RANGES[name]
    for parameter in parameters:
        if parameter not in ranges:
            known = ", ".join(f"{k} ({a:g} to {b:g})" for k, (a, b) in ranges.items())
            raise ValueError(f"map generator {name} has no parameter {parameter!r}; known are {known}")
    if isinstance(parameters, dict):
        for parameter, value in parameters.items():
            least, most = ranges[parameter]
            if not least <= value <= most:  # also refuses NaN
                raise ValueError(f"map generator {name}: {parameter} is {value}, wanted {least:g} to {most:g}")
            if parameter in WHOLE and value != round(value):
                raise ValueError(f"map generator {name}: {parameter} is {value}, wanted a whole number")


def straight_street(name: str, length: float) -> tuple[ET.Element, ET.Element]:
    """A network of one road from west to east, its middle at the origin, without lanes yet."""
    root = network(name, (-0.5 * length, -20.0, 0.5 * length, 20.0))
    return root, road(root, 1, (-0.5 * length, 0.0, 0.0), [(length, 0.0)])


def two_way_road(
    root: ET.Element,
    road_id: int,
    start: tuple[float, float, float],
    length: float,
    lane_width: float,
    joins: tuple[int | None, int | None],
) -> tuple[JunctionArm, JunctionArm]:
    """Add a straight street with a lane each way between the junctions that it joins; returns its two ends as arms."""
    element = road(root, road_id, start, [(length, 0.0)])
    for side, junction in zip(("predecessor", "successor"), joins):
        if junction is not None:
            link(element, side, "junction", junction)
    section(element, street(1, lane_width), street(1, lane_width), centre="broken")
    x, y, heading = start
    end = (x + length * math.cos(heading), y + length * math.sin(heading), heading + math.pi)
    return JunctionArm(road_id, "start", start, 1, lane_width), JunctionArm(road_id, "end", end, 1, lane_width)


def anticlockwise(around: list[JunctionArm]) -> list[JunctionArm]:
    """The arms of a T junction in the order that `crossing_connections` expects."""
    return sorted(around, key=lambda mouth: mouth.at[2] % (2.0 * math.pi))


def add_lights(root: ET.Element, junction: int, around: list[JunctionArm]) -> None:
    """Add a traffic light at each of four arms (anticlockwise); opposite arms share a controller."""
    made = add_signs(root, "1000001", around)
    first = 1 + len(root.findall("controller"))
    for k in (0, 1):
        controller(root, junction, first + k, [made[k], made[k + 2]])


def add_signs(root: ET.Element, kind: str, around: list[JunctionArm]) -> list[int]:
    """Add a sign or light of one type at the right-hand side of every arm; returns their ids."""
    roads = {element.get("id"): element for element in root.findall("road")}
    first = 1 + sum(1 for _ in root.iter("signal"))
    for signal_id, mouth in enumerate(around, first):
        element = roads[str(mouth.road)]
        from_start, aside = mouth.contact == "start", mouth.lanes * mouth.width + GUTTER + 0.5
        s = 0.5 if from_start else float(str(element.get("length"))) - 0.5
        lanes = (1, mouth.lanes) if from_start else (-mouth.lanes, -1)
        signal(element, signal_id, kind, (s, aside if from_start else -aside), lanes)
    return list(range(first, first + len(around)))
