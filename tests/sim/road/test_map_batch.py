"""The bank: flat arrays that give back every map and path they were made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sim.datatypes.episode import MapSpec
from sim.datatypes.road_map import Path
from sim.road.map import map_batch
from sim.road.map.loading import load_map
from sim.road.map.map_batch import MapBatch, path_length, path_points, start_distance
from sim.road.map.route_attributes import path_limits
from sim.road.map.surface import surface_codes
from tests.support.worlds import T

OTHER = MapSpec("t_junction", (("arm", 45.0),))


@pytest.fixture
def bank() -> MapBatch:
    made = MapBatch()
    for spec in (T, OTHER):
        road_map, junction = load_map(spec)
        for route in junction.routes:
            made.path(road_map, route.path, route)
        made.path(road_map, junction.arms["west"].inbound)
    return made


def test_maps_are_numbered_once(bank: MapBatch) -> None:
    first, _ = load_map(T)
    second, _ = load_map(OTHER)
    assert (bank.add(first), bank.add(second), bank.add(first)) == (0, 1, 0)
    assert [m.digest for m in bank.maps] == [first.digest, second.digest]


def test_every_level_and_surface_can_be_read_back(bank: MapBatch) -> None:
    arrays = bank.arrays
    for i, road_map in enumerate(bank.maps):
        for j, level in enumerate(road_map.ground.levels):
            rows, columns = arrays.level_shape[i, j]
            start = arrays.level_start[i, j]
            found = arrays.texels[start : start + rows * columns].reshape(rows, columns, 4)
            np.testing.assert_array_equal(found, level)
        rows, columns = arrays.surface_shape[i]
        start = arrays.surface_start[i]
        found = arrays.surface[start : start + rows * columns].reshape(rows, columns)
        np.testing.assert_array_equal(found, road_map.ground.surface)
        np.testing.assert_array_equal(
            arrays.scenery[arrays.scenery_start[i] : arrays.scenery_start[i + 1]], road_map.scenery
        )
        np.testing.assert_array_equal(arrays.skyline[i], road_map.skyline)
        np.testing.assert_allclose(arrays.ground_origin[i], road_map.ground.origin, rtol=1e-6)


def test_every_path_can_be_read_back_with_its_junction(bank: MapBatch) -> None:
    arrays = bank.arrays
    for spec in (OTHER, T):
        road_map, junction = load_map(spec)
        for route in junction.routes:
            q = bank.path(road_map, route.path, route)
            np.testing.assert_array_equal(path_points(arrays, q), route.path.points)
            assert path_length(arrays, q) == pytest.approx(route.path.length)
            assert arrays.junction_in[q] == np.float32(route.junction_in)
            assert arrays.junction_out[q] == np.float32(route.junction_out)
            assert arrays.decision[q] == route.decision
        lane = bank.path(road_map, junction.arms["west"].inbound)
        assert arrays.decision[lane] == -1
    assert bank.arrays is arrays, "nothing new was added, and yet it was laid out again"


def test_a_new_path_changes_no_number_and_no_point_of_the_old_ones(bank: MapBatch) -> None:
    before = bank.arrays
    road_map, junction = load_map(T)
    new = bank.path(road_map, junction.arms["east"].outbound)
    assert new == len(before.decision)
    after = bank.arrays
    np.testing.assert_array_equal(after.points[: len(before.points)], before.points)
    np.testing.assert_array_equal(after.path_start[: len(before.path_start)], before.path_start)


def test_a_path_of_one_point_is_refused(bank: MapBatch) -> None:
    road_map, junction = load_map(T)
    dot = replace(junction.routes[0].path, points=junction.routes[0].path.points[:1])
    assert isinstance(dot, Path)
    with pytest.raises(ValueError, match="has 1 points; at least 2"):
        bank.path(road_map, dot)


def test_a_start_is_held_within_the_shortest_way_in() -> None:
    assert start_distance([40.0, 30.0], 20.0) == 20.0
    assert start_distance([40.0, 30.0], 35.0) == 29.0


def test_the_surface_raster_grows_with_the_maps_and_keeps_those_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []
    monkeypatch.setattr(map_batch, "surface_codes", lambda ground: (computed.append(ground), surface_codes(ground))[1])
    batch, (first, second) = MapBatch(), (load_map(spec)[0] for spec in (T, OTHER))
    assert len(batch.surface_raster.code) == len(batch.surface_raster.start) == 0
    batch.add(first)
    alone = batch.surface_raster
    assert batch.surface_raster is alone and len(alone.code) == alone.shape.prod()
    batch.add(second)
    both = batch.surface_raster
    np.testing.assert_array_equal(both.code[: both.start[1]], alone.code)
    np.testing.assert_array_equal(both.code[both.start[1] :], surface_codes(second.ground).ravel())
    np.testing.assert_array_equal(both.origin, batch.arrays.ground_origin)
    assert computed == [first.ground, second.ground]


def test_speed_limits_are_computed_once_a_path_and_kept_where_paths_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []
    monkeypatch.setattr(map_batch, "path_limits", lambda *of: (computed.append(len(of[0])), path_limits(*of))[1])
    road_map, junction = load_map(T)
    batch = MapBatch()
    one, other = (batch.path(road_map, route.path, route) for route in junction.routes[:2])
    found = batch.route_controls(np.array([[one, -1]]))
    assert found.done.tolist() == [True, False] and found.limited.tolist() == [True, False]
    assert batch.route_controls(np.array([one])) is found
    late = batch.path(road_map, junction.routes[2].path, junction.routes[2])
    grown = batch.route_controls(np.array([one, late]))
    assert grown.done.tolist() == [True, False, True] and len(grown.start) == 4
    points = slice(*batch.arrays.path_start[one : one + 2])
    np.testing.assert_array_equal(grown.limit[points], found.limit[points])
    assert batch.route_controls(np.array([other])).done.all()
    assert computed == [len(junction.routes[k].path.points) for k in (0, 2, 1)]
