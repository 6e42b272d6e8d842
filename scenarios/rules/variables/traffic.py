"""Variables of the traffic that a scenario does not name: `traffic.vehicles` and so on."""

from __future__ import annotations

from typing import Any

import numpy as np

from scenarios.rules.variables.base import Family, Scene, family, hide, variable
from sim.actors.registry import KIND, KINDS, VEHICLES
from sim.datatypes.episode import Episode

_VEHICLES = np.array([kind in VEHICLES for kind in KINDS])
_WALKER = KIND["walker"]
_COUNTS = "wanted traffic.vehicles, traffic.walkers or traffic.lights"


def _drawn(episode: Episode, attribute: str) -> Any:
    if episode.traffic is None:
        raise ValueError(f"the episode has no traffic, so there is no traffic.{attribute}")
    return getattr(episode.traffic, attribute)


TRAFFIC = family(
    Family(
        "traffic",
        "road users besides the actors",
        order=30,
        drawn=_drawn,
        names=lambda actors, signs, traffic: ("",) if traffic else (),
        things=lambda model: {} if model.traffic is None else {"": model.traffic},
    )
)


def _kinds(scene: Scene) -> np.ndarray:
    """The kinds of all that is not ego, an actor or a sign: (B, N)."""
    return scene.world.kind[:, 1 + len(scene.actors) + len(scene.signs) :]


def _vehicles_refused(traffic: Any, model: Any) -> str | None:
    if traffic.parked.ends[1] <= 0:
        return None
    told = "cannot be counted in a world with parked cars, which look like waiting ones"
    return f"{told}; wanted 'parked: 0', or 'traffic.walkers'"


variable(
    TRAFFIC, "traffic.vehicles", "number of vehicles on the map, besides the actors", "number",
    lambda scene, name: _VEHICLES[_kinds(scene)].sum(1), refused=_vehicles_refused,
)  # fmt: skip
variable(
    TRAFFIC, "traffic.walkers", "number of pedestrians on the map, besides the actors", "number",
    lambda scene, name: (_kinds(scene) == _WALKER).sum(1),
)  # fmt: skip
variable(TRAFFIC, "traffic.lights", "whether traffic lights work", "truth", lambda scene, name: scene.world.clock >= 0)
for _kind in ("vans", "trucks", "bicycles"):
    hide(f"traffic.{_kind}", f"is a share and not a number of vehicles; {_COUNTS}")
hide("traffic.parked", f"cannot be seen in a world: a parked car looks like a waiting one; {_COUNTS}")
