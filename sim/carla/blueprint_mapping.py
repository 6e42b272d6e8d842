"""Map world rows to a CARLA server: the blueprint for a body or a sign, and its transform.

Our poses are of rear axles, CARLA's of box centres; `sim.road.opendrive.carla_frame` has the other conversions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sim.actors.registry import KINDS
from sim.actors.signs import SIGN
from sim.carla.blueprint_library import BOARD, OF_BODY, SUBSTITUTES
from sim.datatypes.episode import SignSpec
from sim.datatypes.world_state import World


class BlueprintMapping:
    """The blueprints of one server.

    Args:
        library: its `carla.BlueprintLibrary`.

    Attributes:
        substitutions: one message for every substituted blueprint.
        ours: whether the server is `dagger serve`, whose boards have words.
    """

    def __init__(self, library: Any) -> None:
        self._known = {blueprint.id: blueprint for blueprint in library}
        self.substitutions: list[str] = []
        self.ours = BOARD in self._known

    def knows(self, name: str) -> bool:
        """Return whether the server has a blueprint of this id."""
        return name in self._known

    def blueprint(self, name: str, attributes: Mapping[str, Any]) -> Any:
        """Return a blueprint by id, or its substitute, with those of the attributes that it knows.

        Raises:
            ValueError: where the server has neither.
        """
        found = self._known.get(name)
        if found is None:
            other = SUBSTITUTES.get(name, "")
            found = self._known.get(other)
            if found is None:
                raise ValueError(f"the server has no blueprint {name!r}" + (f" and no {other!r}" if other else ""))
            self._note(f"{name} is replaced by {other}")
        for key, value in attributes.items():
            if found.has_attribute(key):
                found.set_attribute(key, str(value))
        return found

    def actor(self, world: World, w: int, i: int, sign: SignSpec | None = None) -> Any:
        """Return the blueprint of row i of world w; a sign row needs its `sign`."""
        kind = int(world.kind[w, i])
        if kind == SIGN:
            assert sign is not None
            about = {
                "kind": sign.kind,
                "text": sign.text,
                "colour": sign.colour,
                "font": sign.font,
                "weathering": sign.weathering,
            }
            return self.blueprint(BOARD, about)
        look = int(world.appearance[w, i])
        colour = f"{look >> 16 & 255},{look >> 8 & 255},{look & 255}"
        about = {
            "color": colour,
            "spawn_jitter": 0,
            "spawn_overlap": True,
            "role_name": "hero" if i == 0 else "autopilot",
        }
        return self.blueprint(OF_BODY[KINDS[kind]], about)

    def _note(self, words: str) -> None:
        if words not in self.substitutions:
            self.substitutions.append(words)


def place_of(world: World, w: int, i: int) -> tuple[float, float, float]:
    """Return the CARLA location of row i of world w: x, y [m] of its centre and yaw [deg]."""
    yaw = float(world.yaw[w, i])
    middle = float(world.length[w, i]) / 2.0 - float(world.overhang[w, i])
    x, y = float(world.x[w, i]) + middle * math.cos(yaw), float(world.y[w, i]) + middle * math.sin(yaw)
    return x, -y, -math.degrees(yaw)


def pose_from(x: float, y: float, degrees: float, middle: float) -> tuple[float, float, float]:
    """Return rear axle x, y [m] and yaw [rad] from CARLA's x, y [m] and yaw [deg] of the centre.

    Args:
        middle: from the rear axle to the centre of the box [m].
    """
    yaw = math.remainder(-math.radians(degrees), 2.0 * math.pi)
    return x - middle * math.cos(yaw), -y - middle * math.sin(yaw), yaw
