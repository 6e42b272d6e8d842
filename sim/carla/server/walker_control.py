"""Walker control of a served world: step walkers by their speed and direction."""

from __future__ import annotations

import math
from typing import Any


def walk(world: Any, delta: float) -> None:
    """Step all walkers by `delta` [s]; a walker stops before it touches another body."""
    for number in world.walking:
        actor = world.table.by_id[number]
        (dx, dy, _), speed, _ = actor.facts["walk"]
        length = math.hypot(dx, dy)
        arrays, row = world.fleet.world, actor.row
        arrays.speed[0, row] = speed if length > 0.0 else 0.0
        if length == 0.0 or speed == 0.0:
            continue
        before = float(arrays.x[0, row]), float(arrays.y[0, row])
        within = world.fleet.met(row) >= 0
        yaw, faced, middle = math.atan2(-dy, dx), float(arrays.yaw[0, row]), float(world.fleet.middle[row])
        # it turns about its middle, not about its nominal rear axle
        arrays.x[0, row] += middle * (math.cos(faced) - math.cos(yaw))
        arrays.y[0, row] += middle * (math.sin(faced) - math.sin(yaw))
        arrays.yaw[0, row] = yaw
        arrays.x[0, row] += delta * speed * dx / length
        arrays.y[0, row] -= delta * speed * dy / length
        if not within and world.fleet.solid[row] and world.fleet.met(row) >= 0:
            arrays.x[0, row], arrays.y[0, row] = before
            arrays.speed[0, row] = 0.0
