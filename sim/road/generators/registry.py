"""The registry of map generators: functions from a few parameters to OpenDRIVE text.

CARLA's parser loads the text unchanged; `sim.road.opendrive.writer` lists the traps of that parser that it avoids.
Junction ids and road ids do not overlap.  OpenDRIVE 1.4, frame x east, y north.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from sim.road.generators.base import Generator, check, checked
from sim.road.generators.crosswalk import crosswalk
from sim.road.generators.exits import exits
from sim.road.generators.grid_town import grid_town
from sim.road.generators.intersections import crossroads, crossroads_lights, crossroads_stop, t_junction
from sim.road.generators.motorway_merge import motorway_merge
from sim.road.generators.narrow_passage import narrow_passage
from sim.road.generators.parking_bays import parking_bays
from sim.road.generators.roundabout import roundabout
from sim.road.generators.two_turns import two_turns

# Kind of a decision point other than a single junction (`sim.road.graph.decision_points`) -> the generators whose maps
# have one; the first of them makes maps for it.
DECISION_POINTS: dict[str, tuple[str, ...]] = {
    "exits": ("exits",),
    "legs": ("two_turns",),
    "passage": ("narrow_passage",),
    "bays": ("parking_bays",),
    "street": ("crosswalk", "parking_bays", "narrow_passage"),
}


GENERATORS: dict[str, Generator] = {
    **{g.__name__: g for g in (t_junction, crossroads, crossroads_lights, crossroads_stop)},
    **{
        g.__name__: checked(g) for g in (roundabout, grid_town, motorway_merge, narrow_passage, parking_bays, crosswalk)
    },
    **{g.__name__: checked(g) for g in (exits, two_turns)},
}


def generate(name: str, parameters: Iterable[tuple[str, float]] = ()) -> str:
    """The OpenDRIVE text of a named generator, cached.

    Raises:
        ValueError: for unknown names or values out of range.
    """
    return _generated(name, tuple(parameters))


@functools.lru_cache(maxsize=64)
def _generated(name: str, parameters: tuple[tuple[str, float], ...]) -> str:
    values = dict(parameters)
    check(name, values)
    return GENERATORS[name](**values)
