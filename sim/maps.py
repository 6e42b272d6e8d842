"""Generated road networks: functions from a few numbers to OpenDRIVE text that CARLA's parser loads unchanged.

Here is the register of them all, and those of one junction in the middle of the world, with arms as straight roads
that leave it, right-hand traffic, one lane each way with a gutter and a pavement on both sides.  Lines and arcs only:
every turn is one arc whose reference line joins the centre lines of two arms, so connecting roads are one-way and lie
to its right.  `sim.networks` says which of CARLA's traps are avoided; junction and road ids are apart.
OpenDRIVE 1.4, frame x east, y north.
"""

from __future__ import annotations

import functools
import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable

from sim.networks import Mouth, Strip, add_junction, link, network, road, section, street, text_of
from sim.streets import crosswalk, narrow_passage, parking_bays
from sim.towns import add_lights, add_signs, grid_town, merge, roundabout
from sim.turnings import exits, two_turns

Generator = Callable[..., str]

_JUNCTION_ID = 1000
_FIRST_CONNECTOR = 100
_HEADING = {"south": -0.5 * math.pi, "east": 0.0, "north": 0.5 * math.pi, "west": math.pi}
_T, _X = ("south", "west", "east"), ("south", "east", "north", "west")

# Generator -> parameter -> (least, most), so that a scenario can be checked before it is drawn.
_COMMON: dict[str, tuple[float, float]] = {"arm": (15.0, 200.0), "lane_width": (2.5, 5.0), "radius": (5.0, 25.0)}
_WIDTH = (2.75, 4.0)
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
    "merge": {"lanes": (1, 3), "acceleration": (30.0, 300.0), "arm": (30.0, 300.0), "lane_width": _WIDTH},
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

# Kind of a place of decision beyond the single junction (`sim.composed`) -> the generators whose maps have one; of the
# first of them it is what a map is made for.
PLACES: dict[str, tuple[str, ...]] = {
    "exits": ("exits",),
    "legs": ("two_turns",),
    "passage": ("narrow_passage",),
    "bays": ("parking_bays",),
    "street": ("crosswalk", "parking_bays", "narrow_passage"),
}


def _checked(generator: Generator) -> Generator:
    """The same generator, which refuses values out of its RANGES."""

    @functools.wraps(generator)
    def checked(**parameters: float) -> str:
        check(generator.__name__, parameters)
        return generator(**parameters)

    return checked


@_checked
def t_junction(arm: float = 50.0, lane_width: float = 3.5, radius: float = 9.0, stem: float = 0.0) -> str:
    """A T: a stem from the south meets a straight road from west to east.

    Args:
        arm: length of each road outside the junction [m].
        lane_width: [m].
        radius: of the right turn, along the middle of its lane [m]; left turns are a lane width wider.
        stem: length of the stem, where it is not `arm` [m]; 0 where it is.

    Returns:
        OpenDRIVE text.

    Raises:
        ValueError: for a parameter out of its range.
    """
    return text_of(_junction("t_junction", _T, arm, lane_width, radius, stem)[0])


@_checked
def crossroads(arm: float = 50.0, lane_width: float = 3.5, radius: float = 9.0) -> str:
    """A crossing of four roads at right angles, without signs; parameters as for `t_junction`."""
    return text_of(_junction("crossroads", _X, arm, lane_width, radius)[0])


@_checked
def crossroads_lights(arm: float = 50.0, lane_width: float = 3.5, radius: float = 9.0) -> str:
    """`crossroads` with a traffic light (1000001) on every arm; opposite arms have one controller."""
    root, mouths = _junction("crossroads_lights", _X, arm, lane_width, radius)
    add_lights(root, _JUNCTION_ID, mouths)
    return text_of(root)


@_checked
def crossroads_stop(arm: float = 50.0, lane_width: float = 3.5, radius: float = 9.0) -> str:
    """`crossroads` at which everybody stops: a stop sign (206) on every arm."""
    root, mouths = _junction("crossroads_stop", _X, arm, lane_width, radius)
    add_signs(root, "206", mouths)
    return text_of(root)


GENERATORS: dict[str, Generator] = {
    **{g.__name__: g for g in (t_junction, crossroads, crossroads_lights, crossroads_stop)},
    **{g.__name__: _checked(g) for g in (roundabout, grid_town, merge, narrow_passage, parking_bays, crosswalk)},
    **{g.__name__: _checked(g) for g in (exits, two_turns)},
}


def check(name: str, parameters: dict[str, float] | Iterable[str]) -> None:
    """Refuse an unknown generator, an unknown parameter or a value out of range.

    Args:
        parameters: names alone, or names and values.

    Raises:
        ValueError: with what is known.
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


def generate(name: str, parameters: Iterable[tuple[str, float]] = ()) -> str:
    """OpenDRIVE text of a named generator.

    Raises:
        ValueError: for unknown names or values out of range.
    """
    return _generated(name, tuple(parameters))


@functools.lru_cache(maxsize=64)
def _generated(name: str, parameters: tuple[tuple[str, float], ...]) -> str:
    values = dict(parameters)
    check(name, values)
    return GENERATORS[name](**values)


def _junction(
    name: str, arms: tuple[str, ...], arm: float, lane_width: float, radius: float, stem: float = 0.0
) -> tuple[ET.Element, list[Mouth]]:
    """One junction at the origin with the named arms, and where they meet it; `stem` is the first arm's own length."""
    edge = radius + 0.5 * lane_width  # every turn's reference line is an arc of this radius
    reach = edge + arm
    root = network(name, (-reach, -max(reach, edge + stem), reach, reach))
    mouths = []
    for i, here in enumerate(arms):
        heading = _HEADING[here]
        start = (edge * math.cos(heading), edge * math.sin(heading), heading)
        element = road(root, i + 1, start, [(stem if stem and not i else arm, 0.0)])
        link(element, "predecessor", "junction", _JUNCTION_ID)
        section(element, street(1, lane_width), street(1, lane_width), centre="broken")
        mouths.append(Mouth(i + 1, "start", start, 1, lane_width))
    pairs = [(i, j) for i in range(len(arms)) for j in range(len(arms)) if i != j]
    for k, (i, j) in enumerate(pairs):
        _connecting_road(root, _FIRST_CONNECTOR + k, (i, j), arms, edge, lane_width)
    ways = [(i + 1, _FIRST_CONNECTOR + k, [(1, -1)]) for k, (i, _) in enumerate(pairs)]
    add_junction(root, _JUNCTION_ID, ways, "junction")
    return root, mouths


def _connecting_road(
    root: ET.Element, road_id: int, pair: tuple[int, int], arms: tuple[str, ...], edge: float, lane_width: float
) -> None:
    """A one-way road from arm pair[0] to arm pair[1]; the outermost also carry the corner's gutter and pavement."""
    origin, target = arms[pair[0]], arms[pair[1]]
    inwards = _HEADING[origin] + math.pi
    turn = math.remainder(_HEADING[target] - inwards, 2.0 * math.pi)
    start = (edge * math.cos(_HEADING[origin]), edge * math.sin(_HEADING[origin]), inwards)
    straight = abs(turn) < 1e-6
    length = 2.0 * edge if straight else 0.5 * math.pi * edge
    curvature = 0.0 if straight else math.copysign(1.0 / edge, turn)
    element = road(root, road_id, start, [(length, curvature)], _JUNCTION_ID)
    link(element, "predecessor", "road", pair[0] + 1, "start")
    link(element, "successor", "road", pair[1] + 1, "start")
    to_the_right = {h: n for n, h in _HEADING.items()}[_nearest(inwards - 0.5 * math.pi)]
    outermost = turn < -1e-6 or (straight and to_the_right not in arms)
    strips = [
        Strip(s.kind, s.width, "none" if k == 1 else s.mark, "none", k, -k)
        for k, s in enumerate(street(1, lane_width), 1)
    ]
    # The centre line of a road that nothing crosses from the other side goes on through the junction.
    section(element, strips if outermost else strips[:1], centre="broken" if straight and outermost else "none")


def _nearest(heading: float) -> float:
    """The compass heading that a heading equals, up to whole turns and rounding."""
    return min(_HEADING.values(), key=lambda h: abs(math.remainder(heading - h, 2.0 * math.pi)))
