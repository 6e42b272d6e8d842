"""Side roads and junctions that ego has passed: `ego.junctions`, and the event `junction` of passing one."""

from __future__ import annotations

import numpy as np

from scenarios.rules.variables.base import Family, Scene, family, variable
from sim.datatypes.episode import Episode
from sim.datatypes.road_map import MapArrays
from sim.datatypes.vocabulary import DECISIONS
from sim.datatypes.world_state import World

JUNCTION = "junction"
JUNCTIONS = "ego.junctions"
_EXITS = tuple(i for i, word in enumerate(DECISIONS) if word.startswith("exit "))


def _drawn(episode: Episode, attribute: str) -> float:
    return 0.0  # a scenario's decision is made at its first junction


def _in_worlds(scene: Scene, name: str) -> np.ndarray:
    if scene.maps is None:
        raise ValueError(f"{JUNCTIONS} depends on the routes of the map; give the bank of the maps with the worlds")
    return ego_passed(scene.world, scene.maps)


def ego_passed(world: World, maps: MapArrays) -> np.ndarray:
    """How many side roads or junctions ego has passed in B worlds: (B,) int.

    On a road with exits: the exits whose turning ends behind ego, along the route that ego is nearest to. Elsewhere the
    junction itself counts once it is passed.
    """
    ways = world.route >= 0
    nearest = np.where(ways, np.abs(world.route_offset), np.inf).argmin(1)
    s = world.route_s[np.arange(len(nearest)), nearest]
    over = ways & (maps.junction_out[world.route] <= s[:, None])
    exits = ways & np.isin(maps.decision[world.route], _EXITS)
    return np.where(exits.any(1), (over & exits).sum(1), over.any(1))


PASSED = family(
    Family(JUNCTION, "what ego has passed", order=50, drawn=_drawn, names=lambda actors, signs, traffic: ("",))
)

variable(
    PASSED, JUNCTIONS, "how many side roads or junctions ego has passed; 0 in a draw", "number", _in_worlds,
    in_draw=lambda variable, drawn: 0.0, reads=lambda name, boards: (),
)  # fmt: skip
variable(
    PASSED, JUNCTION, "the event of passing a side road or a junction", "truth", _in_worlds,
    in_draw=lambda variable, drawn: False, reads=lambda name, boards: (), rises_with=JUNCTIONS,
)  # fmt: skip
