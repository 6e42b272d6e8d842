"""Declarations of map generators and decision points: what a file of this folder registers.

A file here has one or more functions from a few numbers to OpenDRIVE text. It registers a `MapGenerator` for each: the
ranges of the parameters and the kinds of decision point that the maps have. Everything else reads these declarations:
the scenario file, its messages, the loader, tests and pictures. `sim.road.generators.registry` imports all files.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sim.core.errors import did_you_mean, known_names
from sim.datatypes.road_map import Junction, RoadMap
from sim.road.graph.lane_graph import LaneGraph, lane_graph

WIDTH = (2.75, 4.0)  # [m] range of `lane_width`
_HEADER = re.compile(r'<header [^>]*?\bname="([^"]*)"')
_NUMBERED = re.compile(r"\d+$")


@dataclass(frozen=True, eq=False)
class DecisionPoint:
    """A kind of decision point: its arms, the ways through it, and how it is found on a map.

    Args:
        kind: its name in a scenario file, `junction: {kind: ...}`, and of `Junction.kind`.
        noun: its name with an article, for messages: "a narrow passage".
        arms: arms on which ego, actors and signs may be.
        ways: arm on which ego may start -> the decisions that the ways from it show, words of DECISIONS.
        build: (lane graph, OpenDRIVE text) -> the decision point of a generated map; None for junctions that
            `sim.road.graph.junctions` recognises on any map.
        refine: (map, junction) -> the junction to use in place of a recognised one; None to use it as it is.
        counted_by: the generator's parameter that counts numbered arms and words: with 2 exits there is no arm exit3
            and no decision "exit 3". "" where every map has all of them.
        most: parameter -> its greatest value with this kind of decision point, where that is less than its range.
    """

    kind: str
    noun: str
    arms: tuple[str, ...]
    ways: Mapping[str, tuple[str, ...]]
    build: Callable[[LaneGraph, str], Junction] | None = None
    refine: Callable[[RoadMap, Junction], Junction] | None = None
    counted_by: str = ""
    most: Mapping[str, int] = field(default_factory=dict)

    def counted(self, names: tuple[str, ...], count: float | None) -> tuple[str, ...]:
        """Those of some arms or words that exist where `counted_by` has a value; all for None."""
        if not self.counted_by or count is None:
            return names
        return tuple(n for n in names if not (found := _NUMBERED.search(n)) or int(found[0]) <= count)

    def on(self, road_map: RoadMap) -> tuple[Junction, ...]:
        """The decision points of this kind on a map, in the file's order; empty where there is none."""
        if self.build is not None:
            made = generator_of(road_map.opendrive) in generators_with(self.kind)
            return (_built(self.kind, road_map.opendrive, road_map.name),) if made else ()
        found = tuple(j for j in road_map.junctions if j.kind == self.kind)
        return found if self.refine is None else tuple(self.refine(road_map, j) for j in found)


@dataclass(frozen=True, eq=False)
class MapGenerator:
    """A named function from a few numbers to OpenDRIVE text, with the ranges of its parameters.

    CARLA's parser loads the text unchanged; `sim.road.opendrive.writer` lists the traps of that parser that it avoids.
    The map's header has the generator's name.

    Args:
        name: in a scenario file, `map: {generate: ...}`.
        function: keyword arguments -> OpenDRIVE text; every parameter has a default.
        ranges: parameter -> (least, most), so that a scenario is checked before an episode is drawn from it.
        whole: the parameters that are whole numbers.
        decision_points: the kinds that its maps have; a scenario that names none has the first.

    Raises:
        ValueError: where ranges and function disagree.
    """

    name: str
    function: Callable[..., str]
    ranges: Mapping[str, tuple[float, float]]
    whole: frozenset[str] = frozenset()
    decision_points: tuple[DecisionPoint, ...] = ()

    def __post_init__(self) -> None:
        for parameter in {*self.defaults, *self.ranges, *self.whole}:
            if parameter not in self.defaults or parameter not in self.ranges:
                raise ValueError(
                    f"map generator {self.name}: parameter {parameter!r} lacks a default or a range; "
                    f"defaults are of {known_names(self.defaults)}, ranges of {known_names(self.ranges)}"
                )
        self.check(self.defaults)

    @functools.cached_property
    def defaults(self) -> dict[str, float]:
        """Parameter -> its default."""
        return {name: p.default for name, p in inspect.signature(self.function).parameters.items()}

    @property
    def doc(self) -> str:
        """The first sentence of the function's docstring."""
        return " ".join(str(inspect.getdoc(self.function)).split("\n\n")[0].split())

    def check(self, parameters: Mapping[str, float]) -> None:
        """Raise ValueError for an unknown parameter or a value out of its range."""
        for parameter, value in parameters.items():
            if parameter not in self.ranges:
                known = ", ".join(f"{k} ({a:g} to {b:g})" for k, (a, b) in self.ranges.items())
                raise ValueError(f"map generator {self.name} has no parameter {parameter!r}; known are {known}")
            least, most = self.ranges[parameter]
            if not least <= value <= most:  # also refuses NaN
                raise ValueError(f"map generator {self.name}: {parameter} is {value}, wanted {least:g} to {most:g}")
            if parameter in self.whole and value != round(value):
                raise ValueError(f"map generator {self.name}: {parameter} is {value}, wanted a whole number")

    def __call__(self, **parameters: float) -> str:
        """The OpenDRIVE text; raises ValueError as `check`."""
        self.check(parameters)
        return self.function(**parameters)


GENERATORS: dict[str, MapGenerator] = {}  # by name
DECISION_POINTS: dict[str, DecisionPoint] = {}  # by kind


def register(generator: MapGenerator) -> MapGenerator:
    """Add a generator, and its decision points, to the registry.

    Raises:
        ValueError: where the name is taken, or a kind of decision point has another declaration.
    """
    if generator.name in GENERATORS:
        raise ValueError(f"there is a map generator {generator.name!r} already")
    for point in generator.decision_points:
        if DECISION_POINTS.setdefault(point.kind, point) is not point:
            raise ValueError(f"map generator {generator.name}: kind {point.kind!r} of decision point is declared twice")
    GENERATORS[generator.name] = generator
    return generator


def named(name: str) -> MapGenerator:
    """The generator of a name.

    Raises:
        ValueError: for an unknown one, with the known names.
    """
    if name not in GENERATORS:
        known = sorted(GENERATORS)
        raise ValueError(f"unknown map generator {name!r}; known are {known_names(known)}{did_you_mean(name, known)}")
    return GENERATORS[name]


def generators_with(kind: str) -> tuple[str, ...]:
    """Names of the generators whose maps have a kind of decision point."""
    return tuple(g.name for g in GENERATORS.values() if any(p.kind == kind for p in g.decision_points))


@functools.lru_cache(maxsize=256)
def generator_of(opendrive: str) -> str:
    """The name in a map's header: that of the generator that made it, or any other word for a map from elsewhere."""
    found = _HEADER.search(opendrive)
    return found[1] if found else ""


@functools.lru_cache(maxsize=256)
def _built(kind: str, opendrive: str, name: str) -> Junction:
    build = DECISION_POINTS[kind].build
    assert build is not None
    return build(lane_graph(opendrive, name), opendrive)
