"""Poses along a path."""

from __future__ import annotations

import numpy as np

from sim.datatypes.episode import MapSpec
from sim.datatypes.vocabulary import ROUTE_SPACING
from sim.road.graph.placement import pose_at
from sim.road.map.loading import load_map


def test_a_pose_has_the_bits_of_an_interpolation_over_the_whole_path() -> None:
    _, junction = load_map(MapSpec("crossroads", kind="crossroads"))
    rng = np.random.default_rng(1)
    for route in junction.routes:
        points = route.path.points
        stations = np.arange(len(points)) * float(ROUTE_SPACING)
        ends = [-3.0, 0.0, float(ROUTE_SPACING), stations[-2], stations[-1], stations[-1] + 2.0]
        for s in [*map(float, ends), *rng.uniform(0.0, stations[-1], 200).tolist()]:
            assert pose_at(route.path, s) == tuple(float(np.interp(s, stations, points[:, i])) for i in range(3)), s
