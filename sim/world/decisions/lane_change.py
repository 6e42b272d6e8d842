"""The lane in which ego is at the end of a stretch of its route."""

from __future__ import annotations

from sim.datatypes.episode import DecisionSpec, Episode
from sim.datatypes.road_map import Junction, MapArrays, RoadMap
from sim.datatypes.vocabulary import DECISION, UNDECIDED
from sim.datatypes.world_state import World
from sim.world.decisions.base import FRONT, DecisionKind, edge_of, numbered, register


class LaneChange:
    """Detects ego's lane at the end of a stretch, counted to the left from the lane of its route."""

    def __init__(self, spec: DecisionSpec, episode: Episode, road_map: RoadMap, junction: Junction) -> None:
        self.end, self.width = edge_of(episode, junction) + spec.end, junction.arms[episode.arm].lane_width
        self.shown = UNDECIDED

    def look(self, world: World, bank: MapArrays, w: int) -> None:
        """See `DecisionDetector.look`."""
        if self.shown == UNDECIDED and float(world.route_s[w, 0]) + FRONT > self.end:
            lane = 1 + round(float(world.route_offset[w, 0]) / self.width)
            self.shown = DECISION.get(f"lane {lane}", UNDECIDED)
        world.shown_decision[w] = self.shown


LANE = register(
    DecisionKind(
        "lane",
        numbered("lane"),
        LaneChange,
        "lane k: the lane in which ego is {end} m from the place, counted from its own to the left",
        example="{from: -45, to: -8}",
        needs=("stretch",),
        control="steering",
    )
)
