"""The bay in which ego parks; driving past all of them is a decision too."""

from __future__ import annotations

import numpy as np

from sim.actors.registry import EGO
from sim.datatypes.episode import DecisionSpec, Episode
from sim.datatypes.road_map import Junction, MapArrays, RoadMap
from sim.datatypes.vocabulary import DECISION, OUTCOME, UNDECIDED
from sim.datatypes.world_state import World
from sim.road.graph.decision_points import bays_of
from sim.world.decisions.base import FRONT, DecisionKind, numbered, register

SLACK = 0.2  # [m] that a parked car's corners may stand over the edge of a bay
_STANDS = 0.05  # [m/s] below which ego stands
_PARKED = 10  # ticks that ego must stand in a bay
_ARRIVED = OUTCOME["arrived"]


class Parking:
    """Detects the bay in which ego stops, which counts as arrival; passing all bays counts as "go"."""

    def __init__(self, spec: DecisionSpec, episode: Episode, road_map: RoadMap, junction: Junction) -> None:
        self.bays = bays_of(road_map)
        if not len(self.bays):
            raise ValueError(f"map {road_map.name} has no bays to park in; wanted one such as parking_bays")
        self.stood = 0

    def look(self, world: World, bank: MapArrays, w: int) -> None:
        """See `DecisionDetector.look`."""
        self.stood = self.stood + 1 if abs(world.speed[w, 0]) < _STANDS else 0
        if world.outcome[w] == _ARRIVED:
            world.shown_decision[w] = DECISION["go"]
            return
        world.shown_decision[w] = UNDECIDED
        if self.stood >= _PARKED:
            within = _stands_within(world, w, self.bays)
            if within.any():
                world.shown_decision[w], world.outcome[w] = DECISION[f"bay {int(within.argmax()) + 1}"], _ARRIVED


def _stands_within(world: World, w: int, bays: np.ndarray) -> np.ndarray:
    """(K,) whether ego's four corners lie within each bay (K, 5) x, y, yaw, length, width, up to SLACK."""
    cos, sin = np.cos(world.yaw[w, 0]), np.sin(world.yaw[w, 0])
    along = np.array([FRONT, FRONT, -EGO.overhang, -EGO.overhang])
    across = 0.5 * EGO.width * np.array([1.0, -1.0, 1.0, -1.0])
    dx = world.x[w, 0] + along * cos - across * sin - bays[:, 0:1]
    dy = world.y[w, 0] + along * sin + across * cos - bays[:, 1:2]
    c, s = np.cos(bays[:, 2:3]), np.sin(bays[:, 2:3])
    ahead, aside = np.abs(dx * c + dy * s), np.abs(dy * c - dx * s)
    return ((ahead < 0.5 * bays[:, 3:4] + SLACK) & (aside < 0.5 * bays[:, 4:5] + SLACK)).all(1)


BAY = register(
    DecisionKind(
        "bay",
        (*numbered("bay"), "go"),
        Parking,
        "bay k: ego comes to stand in the k-th bay; go: it drives past them all",
        control="steering",
        backs_up=True,
    )
)
