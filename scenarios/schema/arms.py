"""Arms of a scenario's decision point, and the ways out of it from each arm.

They need no compiled map, so that a rule or an actor that does not fit is reported when the file is read.
"""

from __future__ import annotations

from scenarios.schema.map import MapModel
from sim.road.generators.registry import GENERATORS


def arms_of(place: MapModel) -> tuple[str, ...]:
    """The arms on which ego, actors and signs may be, on every map that may be drawn."""
    return place.point.counted(place.point.arms, _count(place))


def ways_of(place: MapModel) -> dict[str, tuple[str, ...]]:
    """Arm on which ego may start -> the decisions that the ways from it show, on every map that may be drawn."""
    return {arm: place.point.counted(found, _count(place)) for arm, found in place.point.ways.items()}


def _count(place: MapModel) -> float | None:
    """The least number of numbered arms that may be drawn; None for a map file, assumed to have them all."""
    if place.generate is None or not place.point.counted_by:
        return None
    drawn = place.parameters.get(place.point.counted_by)
    return float(drawn.ends[0]) if drawn else GENERATORS[place.generate].defaults[place.point.counted_by]
