"""Speed limits by position, looked up on the lanes of a map."""

from __future__ import annotations

import numpy as np

from sim.road.graph.lane_graph import DEFAULT_LIMIT, LANE_KIND, LaneGraph

CELL = 8.0  # [m]
NEAR = 2  # cells from a lane where its limit still holds


class SpeedLimits:
    """The speed limits of a map's driving lanes by position.

    Args:
        graph: the lanes.
    """

    def __init__(self, graph: LaneGraph) -> None:
        lane_of = np.repeat(np.arange(len(graph)), np.diff(graph.start))
        drives = graph.kind[lane_of] == LANE_KIND["driving"]
        points, limits = graph.points[drives, :2], graph.speed_limit[drives]
        self._origin = points.min(0) - CELL if len(points) else np.zeros(2)
        shape = np.ceil(((points.max(0) if len(points) else self._origin) + CELL - self._origin) / CELL).astype(int) + 1
        # the mean of a cell's lanes; near them the same, and farther off the default of maps without limits
        total, count = np.zeros(shape), np.zeros(shape)
        at = tuple(((points - self._origin) / CELL).astype(int).T)
        np.add.at(total, at, limits)
        np.add.at(count, at, 1.0)
        for _ in range(NEAR):
            total, count = _spread(total, count)
        self._limit = np.where(count > 0, total / np.maximum(count, 1.0), DEFAULT_LIMIT).astype(np.float32)

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return (K,) [m/s] at positions in the world frame (K,) [m]."""
        i = np.clip(((x - self._origin[0]) / CELL).astype(int), 0, self._limit.shape[0] - 1)
        j = np.clip(((y - self._origin[1]) / CELL).astype(int), 0, self._limit.shape[1] - 1)
        return self._limit[i, j]


def _spread(total: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sums and counts of cells; a cell without any gets those of its eight neighbours together."""
    sums = []
    for values in (total, count):
        wide = np.pad(values, 1)
        n, m = values.shape
        sums.append(sum(wide[i : i + n, j : j + m] for i in range(3) for j in range(3)))
    bare = count == 0
    return np.where(bare, sums[0], total), np.where(bare, sums[1], count)
