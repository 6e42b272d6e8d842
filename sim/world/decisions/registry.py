"""The registry of kinds of decision, filled by the files of this folder."""

from __future__ import annotations

import sim.world.decisions
from sim.core.discovery import import_all
from sim.core.errors import did_you_mean, known_names
from sim.datatypes.episode import DecisionSpec, Episode
from sim.datatypes.road_map import Junction, RoadMap, Route
from sim.world.decisions.base import KINDS, DecisionDetector, DecisionKind

__all__ = ["KINDS", "DecisionDetector", "DecisionKind", "backs_up", "describe", "detector_for", "kind_named"]

import_all(sim.world.decisions)


def kind_named(name: str) -> DecisionKind:
    """The kind of decision of a name.

    Raises:
        ValueError: for an unknown one, with the known names.
    """
    if name not in KINDS:
        raise ValueError(
            f"unknown kind of decision {name!r}; known are {known_names(KINDS)}{did_you_mean(name, KINDS)}"
        )
    return KINDS[name]


def describe(spec: DecisionSpec | None) -> str:
    """How a drive shows the decision of a spec; None is the way out that ego takes."""
    if spec is None:
        return kind_named("junction").read_when
    ends = [f"{abs(x):g} m {'before' if x < 0 else 'behind'}" for x in (spec.begin, spec.end)]
    span = f"from {ends[0]} to {ends[1]} the edge of the place"
    actors = " and ".join(part for part in (", ".join(spec.actors[:-1]), *spec.actors[-1:]) if part)
    return kind_named(spec.kind).read_when.format(
        actors=actors, stretch=f"somewhere {span}", span=span, below=f"{spec.below:g}", end=f"{-spec.end:g}"
    )


def backs_up(spec: DecisionSpec | None) -> bool:
    """Whether carrying out such a decision involves driving in reverse."""
    return spec is not None and kind_named(spec.kind).backs_up


def detector_for(episode: Episode, road_map: RoadMap, junction: Junction | Route) -> DecisionDetector:
    """Return the detector of an episode that has a `decision_spec`.

    Raises:
        ValueError: for an unknown kind, a kind that needs no detector, a route through no junction, or an episode that
            does not fit, such as an unknown actor or a map without bays.
    """
    spec = episode.decision_spec
    assert spec is not None
    if isinstance(junction, Route):
        raise ValueError(f"a decision of kind {spec.kind!r} wants a decision point, but the episode has a route")
    detector = kind_named(spec.kind).detector
    if detector is None:
        raise ValueError(f"a decision of kind {spec.kind!r} is a way out, which needs no decision_spec; wanted None")
    return detector(spec, episode, road_map, junction)
