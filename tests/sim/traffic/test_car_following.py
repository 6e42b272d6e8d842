"""Other road users: the model's own laws, and what they come to on the road."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.core.kernel import kernel
from sim.datatypes.episode import ActorSpec
from sim.road.map.map_batch import path_length, path_points
from sim.traffic.car_following import HARDEST, IDM_ACCELERATION, IDM_GAP, IDM_HEADWAY, idm, project_onto_path
from sim.world.conformance import actions
from tests.reference import step as slow
from tests.support.worlds import episode, started


@kernel
def _idm(speed, wanted, gap, closing):  # type: ignore[no-untyped-def]
    return idm(speed, wanted, gap, closing)


@kernel
def _advance(points, s, x, y):  # type: ignore[no-untyped-def]
    return project_onto_path(points, 0, points.shape[0] - 1, s, x, y)


def asked(speed: float, wanted: float, gap: float, closing: float) -> float:
    return float(_idm(*(np.float32(v) for v in (speed, wanted, gap, closing))))


speeds = st.floats(0, 15)


@given(speeds, st.floats(2, 15), st.floats(0.2, 80), st.floats(-8, 8))
def test_idm_is_the_papers_formula(speed: float, wanted: float, gap: float, closing: float) -> None:
    # Accelerations reach thousands before they are held at HARDEST; relative float32 error, so compare after holding.
    np.testing.assert_allclose(
        asked(speed, wanted, gap, closing), slow.idm(speed, wanted, gap, closing), rtol=1e-4, atol=2e-4
    )


@given(speeds, st.floats(1, 40), st.floats(-5, 5))
def test_less_room_never_asks_for_more_speed(speed: float, gap: float, closing: float) -> None:
    assert asked(speed, 10.0, gap, closing) <= asked(speed, 10.0, gap + 1.0, closing) + 1e-5


def test_idm_has_the_papers_equilibria() -> None:
    assert abs(asked(10.0, 10.0, 1e6, 0.0)) < 1e-4  # a free road at the wanted speed
    assert asked(0.0, 10.0, 1e6, 0.0) == pytest.approx(float(IDM_ACCELERATION), rel=1e-5)
    assert abs(asked(0.0, 10.0, float(IDM_GAP), 0.0)) < 1e-4  # standing at the standing gap
    following = (IDM_GAP + 5.0 * IDM_HEADWAY) / math.sqrt(1 - 0.5**4)  # eq. 9 of the paper
    assert abs(asked(5.0, 10.0, float(following), 0.0)) < 1e-3
    assert asked(15.0, 10.0, 0.01, 15.0) == float(HARDEST)


@given(st.floats(0.05, 0.95), st.floats(-2, 2), st.floats(-4, 4))
def test_a_point_beside_a_bend_projects_onto_it_from_wherever_the_search_begins(
    share: float, offset: float, begin: float
) -> None:
    angle = np.arange(0, math.pi / 2, 0.5 / 12.0)
    points = np.column_stack([12 * np.sin(angle), 12 - 12 * np.cos(angle), angle, np.full_like(angle, 1 / 12)])
    a = share * float(angle[-1])
    x, y = (12 - offset) * math.sin(a), 12 - (12 - offset) * math.cos(a)
    s, left, _ = _advance(points.astype(np.float32), np.float32(max(12 * a + begin, 0.0)), np.float32(x), np.float32(y))
    # Between two points the bend is taken as straight: 0.5 m of a circle of 12 m bulges by 3 mm and turns 2.4 degrees.
    assert abs(left - offset) < 0.02
    assert abs(s - 12 * a) < 0.15


# --------------------------------------------------------------------------------------------------- on the road
LEADER = ActorSpec("leader", "truck", arm="south", lane="outbound", distance=22.0, speed=3.0)
FOLLOWER = replace(LEADER, name="follower", kind="car", distance=3.0, speed=9.0)


def test_a_fast_follower_slows_behind_a_slow_leader_and_keeps_its_distance() -> None:
    backend = started([episode(1, actors=(LEADER, FOLLOWER), speed=0.0)])
    world, gaps = backend.world, []
    for _ in range(60):
        backend.step(actions(1))
        rear = -(world.y[0, 1] + world.overhang[0, 1])  # both drive south
        front = -(world.y[0, 2] - (world.length[0, 2] - world.overhang[0, 2]))
        gaps.append(float(rear - front))
    assert min(gaps) > 1.0
    assert world.speed[0, 2] < 4.5


def test_followers_keep_to_their_lane_and_stop_before_its_end() -> None:
    backend = started([episode(1, actors=(LEADER, FOLLOWER), speed=0.0, time_limit=30.0)])
    bank, world = backend.maps.arrays, backend.world
    for _ in range(280):
        backend.step(actions(1))
        for i in (1, 2):
            _, left, _ = slow.project(
                path_points(bank, int(world.path[0, i])), float(world.x[0, i]), float(world.y[0, i])
            )
            assert abs(left) < 0.2
            assert world.path_s[0, i] <= path_length(bank, int(world.path[0, i])) + 1e-3
    assert (world.speed[0, 1:3] < 0.3).all(), "the lane has ended, and they still drive"


def test_a_parked_actor_never_moves() -> None:
    parked = replace(LEADER, name="parked", speed=0.0)
    backend = started([episode(1, actors=(parked,))])
    before = backend.world.copy()
    for _ in range(20):
        backend.step(actions(1))
    assert backend.world.x[0, 1] == before.x[0, 1] and backend.world.y[0, 1] == before.y[0, 1]
    assert backend.world.path[0, 1] == -1


def test_an_absent_actor_leaves_every_other_byte_as_if_it_had_never_been_named() -> None:
    absent = replace(LEADER, name="absent", present=False)
    with_it = started([episode(1, actors=(absent, FOLLOWER))])
    alone = started([episode(1, actors=(replace(FOLLOWER, name="other"),))])
    for _ in range(30):
        with_it.step(actions(1, 0.01, 0.3))
        alone.step(actions(1, 0.01, 0.3))
    for name in ("x", "y", "yaw", "speed"):
        one, other = getattr(with_it.world, name), getattr(alone.world, name)
        assert one[0, 0] == other[0, 0] and one[0, 2] == other[0, 1]
    assert with_it.world.kind[0, 1] == 0
