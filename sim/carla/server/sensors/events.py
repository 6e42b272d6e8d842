"""Event sensors: collisions and obstacles ahead, and lane invasions, which clients detect themselves."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import msgpack
import numpy as np

from sim.actors.tags import TAG_OF_KIND
from sim.carla.server import wire
from sim.carla.server.actors import NO_ACTOR, NO_ROW, Actor, turned
from sim.carla.server.sensors.base import Sensor, parent_with_body, scenery_as_actor, truth, unseen
from sim.sensors.raycast import cast_rays


class Collision(Sensor):
    """Collision sensor: one frame for every contact of the parent that began in this tick."""

    number = wire.SENSOR_NUMBER["collision"]

    def frames(self, world: Any, actor: Actor) -> list[bytes]:
        """Return actor, other actor, and the impulse upon the first [N s] in the world, of every contact."""
        parent = world.table.by_id.get(actor.parent)
        found = [] if parent is None else [c for c in world.contacts if c[0] == parent.id]
        if not found:
            return []
        head = self.head(world, actor)
        return [head + msgpack.packb([parent.packed(), _other(world, parent, other), impulse])
                for _, other, impulse in found]  # fmt: skip


def _other(world: Any, parent: Actor, number: int) -> list[Any]:
    other = world.table.by_id.get(number) if number != NO_ACTOR else None
    return scenery_as_actor(nearest_scenery(world, parent)) if other is None else list(other.packed())


def nearest_scenery(world: Any, parent: Actor) -> int:
    """Return the tag of the scenery that is nearest to an actor's box."""
    boxes, kinds = world.maps.arrays.boxes, world.maps.arrays.box_kind
    if not len(boxes):
        return 0
    (x, y, _), (_, yaw, _) = world.place_of(parent)
    length, width = parent.box[1][0], parent.box[1][1]
    cos, sin = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    along, across = (v.ravel() for v in np.meshgrid(np.linspace(-length, length, 9), np.linspace(-width, width, 5)))
    px, py = x + along * cos - across * sin, -(y + along * sin + across * cos)  # points of the box, in our frame
    dx, dy = px[:, None] - boxes[:, 0], py[:, None] - boxes[:, 1]
    u = np.abs(dx * boxes[:, 2] + dy * boxes[:, 3]) - 0.5 * boxes[:, 4]
    v = np.abs(dy * boxes[:, 2] - dx * boxes[:, 3]) - 0.5 * boxes[:, 5]
    away = np.hypot(np.maximum(u, 0.0), np.maximum(v, 0.0)).min(0)
    return int(TAG_OF_KIND[kinds[int(away.argmin())]])


class Obstacle(Sensor):
    """Obstacle sensor: a frame for every tick in which a sphere swept ahead of the sensor hits something."""

    number = wire.SENSOR_NUMBER["obstacle"]
    limits: ClassVar[dict[str, tuple[float, float]]] = {"distance": (0.0, 1000.0), "hit_radius": (0.0, 100.0)}

    def __init__(self, attributes: Any) -> None:
        super().__init__(attributes)
        self.scenery = not truth("only_dynamics", attributes["only_dynamics"])
        truth("debug_linetrace", attributes["debug_linetrace"])

    def measure(self, world: Any, actor: Actor) -> bytes | None:
        """Return the parent, the obstacle and its distance [m]; the ground is no obstacle."""
        at, rotation = world.place_of(actor)
        ahead = turned(rotation)[:, 0]
        parent = parent_with_body(world, actor)
        with unseen(world, NO_ROW if parent is None else parent.row):
            met = cast_rays(
                world.maps, world.fleet.world, np.array([[at[0], -at[1], at[2]]]), ahead[None] * (1.0, -1.0, 1.0),
                self.values["distance"], swell=self.values["hit_radius"], ground=False, scenery=self.scenery,
            )  # fmt: skip
        if not met.tag[0]:
            return None
        owner = int(met.owner[0])
        other = world.table.by_id.get(int(world.owners()[owner])) if owner > 0 else None
        whom = scenery_as_actor(int(met.tag[0])) if other is None else other.packed()
        carrier = world.table.by_id.get(actor.parent, actor)
        return bytes(msgpack.packb([carrier.packed(), whom, float(met.distance[0])]))


class LaneInvasion(Sensor):
    """Lane invasion sensor: no frames, as the client compares its parent's box with the map."""
