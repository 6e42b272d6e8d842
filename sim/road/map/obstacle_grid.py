"""Static obstacles of a map (its scenery) in a grid of cells for collision checks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.actors.registry import ACTOR_KINDS

CELL = 8.0  # [m]
REACH = 3.2  # [m] added around an obstacle: half a car's diagonal, and the distance that a car moves in a tick


class ObstacleGrid(NamedTuple):
    """The obstacles of one map by cells; a cell lists all obstacles that come near it.

    Args:
        origin: (2,) lower corner [m]; shape: rows and columns; start: (C + 1,) int32; items: int32 rows of `boxes`.
        boxes: (K, 6) float32: x, y of the centre, cosine and sine of yaw, length, width [m]; kind: (K,) int32.
    """

    origin: np.ndarray
    shape: tuple[int, int]
    start: np.ndarray
    items: np.ndarray
    boxes: np.ndarray
    kind: np.ndarray


def obstacle_grid(scenery: np.ndarray) -> ObstacleGrid:
    """Build the grid of a map's scenery (K, 8), see `sim.datatypes.road_map.SCENERY_COLUMNS`."""
    kind = scenery[:, 0].astype(np.int32)
    size = scenery[:, 4:6].copy()
    for declared in ACTOR_KINDS.values():
        if declared.trunk is not None:
            size[kind == declared.number] = declared.trunk
    yaw = scenery[:, 3]
    boxes = np.column_stack([scenery[:, 1:3], np.cos(yaw), np.sin(yaw), size]).astype(np.float32)
    if not len(scenery):
        return ObstacleGrid(np.zeros(2, np.float32), (0, 0), np.zeros(1, np.int32), np.zeros(0, np.int32), boxes, kind)
    radius = np.hypot(size[:, 0], size[:, 1]) / 2.0 + REACH
    low, high = scenery[:, 1:3] - radius[:, None], scenery[:, 1:3] + radius[:, None]
    origin = low.min(0)
    columns, rows = (int(v) for v in np.ceil((high.max(0) - origin) / CELL))
    cells: list[list[int]] = [[] for _ in range(rows * columns)]
    first, last = (((corner - origin) // CELL).astype(int) for corner in (low, high))
    for i, ((c0, r0), (c1, r1)) in enumerate(zip(first, np.minimum(last, [columns - 1, rows - 1]))):
        for row in range(r0, r1 + 1):
            for column in range(c0, c1 + 1):
                cells[row * columns + column].append(i)
    start = np.concatenate([[0], np.cumsum([len(c) for c in cells])]).astype(np.int32)
    items = np.array([i for c in cells for i in c], np.int32)
    return ObstacleGrid(origin.astype(np.float32), (rows, columns), start, items, boxes, kind)
