"""CARLA's left-handed degrees and our right-handed radians are one world seen twice."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.road.generators.intersections import t_junction
from sim.road.opendrive import carla_frame as frames

metres = st.floats(-1e4, 1e4)
degrees = st.floats(-180.0, 179.9)


def _transform(location, rotation):
    """Something with the attributes of a carla.Transform; rotation is pitch, yaw, roll."""
    return SimpleNamespace(
        location=SimpleNamespace(**dict(zip("xyz", location))),
        rotation=SimpleNamespace(**dict(zip(("pitch", "yaw", "roll"), rotation))),
    )


@given(st.tuples(metres, metres, metres), st.tuples(degrees, degrees, degrees))
def test_a_transform_there_and_back_is_the_same(location, rotation):
    there = frames.ours_from_carla_transform(_transform(location, rotation))
    back_location, back_rotation = frames.carla_from_ours_transform(*there)
    np.testing.assert_allclose(back_location, location, atol=1e-9)
    # An angle at the seam may come back a whole turn away.
    np.testing.assert_allclose((back_rotation - rotation + 180.0) % 360.0, 180.0, atol=1e-9)


@given(st.floats(-7.0, 7.0))
def test_a_yaw_there_and_back_differs_by_whole_turns(yaw):
    back = frames.ours_from_carla_yaw(frames.carla_from_ours_yaw(yaw))
    assert abs(np.angle(np.exp(1j * (back - yaw)))) < 1e-9
    assert -np.pi <= back < np.pi


def test_right_in_carla_is_south_when_driving_east():
    np.testing.assert_allclose(frames.ours_from_carla_location([3.0, 2.0, 1.0]), [3.0, -2.0, 1.0])
    assert frames.ours_from_carla_yaw(90.0) == pytest.approx(-np.pi / 2)
    assert frames.carla_from_ours_yaw(np.pi / 2) == pytest.approx(-90.0)


def test_batches_of_flat_positions_are_mirrored_too():
    np.testing.assert_allclose(frames.carla_from_ours_location(np.ones((4, 5, 2))), np.ones((4, 5, 2)) * [1.0, -1.0])


def test_nose_up_stays_nose_up_and_a_lean_changes_sides():
    _, rotation = frames.ours_from_carla_transform(_transform((0, 0, 0), (10.0, 0.0, 5.0)))
    np.testing.assert_allclose(np.rad2deg(rotation), [-5.0, 10.0, 0.0], atol=1e-12)


def test_a_lane_of_a_real_carla_map_drives_where_its_yaw_points():
    import carla

    waypoint = carla.Map("t", t_junction()).get_waypoint_xodr(1, 1, 20.0)  # the stem, towards the junction
    position, rotation = frames.ours_from_carla_transform(waypoint.transform)
    following, _ = frames.ours_from_carla_transform(waypoint.next(2.0)[0].transform)
    assert position[1] < 0.0 < position[0]  # south of the junction, on the right
    np.testing.assert_allclose(following[:2] - position[:2], 2.0 * np.array([np.cos(rotation[2]), np.sin(rotation[2])]),
                               atol=1e-3)  # CARLA keeps float32 positions  # fmt: skip
