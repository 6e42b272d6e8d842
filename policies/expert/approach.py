"""Distances of all actors to the decision point, for decisions about right of way at a line."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.datatypes.road_map import Junction
from sim.road.map.loading import junctions_of_kind
from sim.world.decisions.arrival_order import circle_of, fronts
from sim.world.rollout import PrivilegedInput

_CIRCLES: dict[tuple[object, ...], tuple[float, float, float]] = {}


class Place(NamedTuple):
    """The approach of all actors to the decision point.

    Args:
        left: (S, N) metres from a front bumper to the decision point, below 0 inside it; for ego along its route.
        nearing: (S, N) bool, whether the actor heads for it.
    """

    left: np.ndarray
    nearing: np.ndarray


def place_of(seen: PrivilegedInput) -> Place:
    """Compute the approach of all actors to the decision point of each row's episode."""
    world, bank = seen.world, seen.maps.arrays
    circles = np.array([_circle(seen, i) for i in range(len(seen.slots))], np.float32).reshape(-1, 3)
    fx, fy = fronts(world, slice(None))
    dx, dy = circles[:, :1] - fx, circles[:, 1:2] - fy
    left = np.hypot(dx, dy) - circles[:, 2:]
    nearing = dx * np.cos(world.yaw) + dy * np.sin(world.yaw) > 0
    route = world.route[:, 0]
    front = world.length[:, 0] - world.overhang[:, 0]
    left[:, 0] = bank.junction_in[route] - world.route_s[:, 0] - front
    return Place(left, nearing)


def junction_of(seen: PrivilegedInput, row: int) -> Junction:
    """The decision point of a row's episode."""
    spec = seen.episodes[row].map
    return junctions_of_kind(seen.maps.maps[seen.world.map[row]], spec.kind)[spec.junction]


def _circle(seen: PrivilegedInput, row: int) -> tuple[float, float, float]:
    """x, y, radius [m] of the decision point of a row; cached per decision point."""
    episode, road_map = seen.episodes[row], seen.maps.maps[seen.world.map[row]]
    key = (road_map.digest, episode.map.kind, episode.map.junction, episode.arm, episode.way)
    if key not in _CIRCLES:
        _CIRCLES[key] = circle_of(junction_of(seen, row), episode)
    return _CIRCLES[key]
