"""Looking ahead along a path, against the same rules written out slowly in double precision."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.core.kernel import kernel
from sim.datatypes.vocabulary import ROUTE_SPACING
from sim.datatypes.world_state import World
from sim.traffic.along_path import STRIDE, bend_speed, first_ahead
from sim.traffic.right_of_way import may_pass
from sim.traffic.spawning import write_actor
from sim.world.initial_state import empty_world

ROWS = 80


@kernel
def _first_ahead(world, points, begin, last, steps, stride, room):  # type: ignore[no-untyped-def]
    return first_ahead(world, 0, 0, points, begin, last, steps, stride, room)


@kernel
def _bend_speed(points, k, last, cruise, lateral, braking, steps):  # type: ignore[no-untyped-def]
    return bend_speed(points, k, last, cruise, lateral, braking, steps)


@kernel
def _may_pass(kind, plan, clock, speed, line, stopped, braking):  # type: ignore[no-untyped-def]
    return may_pass(kind, plan, clock, speed, line, stopped, braking)


def bend(curvature: float) -> np.ndarray:
    """(ROWS, 4) of a path that starts at the origin along x and turns left at a curvature [1/m]."""
    yaw = curvature * float(ROUTE_SPACING) * np.arange(ROWS)
    x = np.concatenate([[0.0], np.cumsum(np.cos(yaw))[:-1]]) * float(ROUTE_SPACING)
    y = np.concatenate([[0.0], np.cumsum(np.sin(yaw))[:-1]]) * float(ROUTE_SPACING)
    return np.column_stack([x, y, yaw, np.full(ROWS, curvature)]).astype(np.float32)


def with_others(*others: tuple[str, float, float, float, float]) -> World:
    """A world with ego, a car, at the origin, and others: kind, x, y, yaw of the rear axle, speed."""
    world = empty_world(1, 1 + len(others))
    write_actor(world, 0, "car", 0.0, 0.0, 0.0, 0)
    for i, (kind, x, y, yaw, speed) in enumerate(others, 1):
        write_actor(world, i, kind, x, y, yaw, 0)
        world.speed[0, i] = speed
    return world


def slowly(world: World, points: np.ndarray, steps: int, stride: int, room: float) -> tuple[int, float]:
    """`first_ahead` of ego from row 0 on, by asking of every point whether it is in one of the widened boxes."""
    for step in range(0, min(steps, len(points)), stride):
        for i in range(1, world.kind.shape[1]):
            yaw, length = float(world.yaw[0, i]), float(world.length[0, i])
            middle = length / 2 - float(world.overhang[0, i])
            x, y = float(world.x[0, i]) + middle * math.cos(yaw), float(world.y[0, i]) + middle * math.sin(yaw)
            dx, dy = float(points[step, 0]) - x, float(points[step, 1]) - y
            along = abs(dx * math.cos(yaw) + dy * math.sin(yaw)) - length / 2 - room
            across = abs(dy * math.cos(yaw) - dx * math.sin(yaw))
            across -= float(world.width[0, i] + world.width[0, 0]) / 2 + room
            if along < 0.0 and across < 0.0:
                return step, float(world.speed[0, i]) * math.cos(float(points[step, 2]) - yaw)
    return steps, 0.0


@given(
    curvature=st.floats(-0.08, 0.08), x=st.floats(-12.0, 40.0), y=st.floats(-15.0, 15.0), yaw=st.floats(-3.1, 3.1),
    kind=st.sampled_from(["car", "truck", "walker", "cone"]), stride=st.sampled_from([1, 2]),
)  # fmt: skip
def test_the_first_covered_point_is_the_one_that_every_point_asked_gives(
    curvature: float, x: float, y: float, yaw: float, kind: str, stride: int
) -> None:
    world, points = with_others((kind, x, y, yaw, 3.0)), bend(curvature)
    wanted, pace = slowly(world, points, 60, stride, 0.3)
    # a box may end within rounding of a point: two answers a millimetre of clearance apart bound the right one
    inner, outer = slowly(world, points, 60, stride, 0.299)[0], slowly(world, points, 60, stride, 0.301)[0]
    found, speed = _first_ahead(world, points, 0, ROWS - 1, 60, stride, np.float32(0.3))
    assert outer <= found <= inner
    if found == wanted:
        assert speed == pytest.approx(pace, abs=1e-4)


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_actors_the_first_on_the_path_counts_and_the_absent_do_not(order: int) -> None:
    others = [("car", 25.0, 0.0, 0.0, 2.0), ("car", 12.0, 0.5, math.pi, 4.0)][::order]
    world, points = with_others(*others), bend(0.0)
    step, speed = _first_ahead(world, points, 0, ROWS - 1, 70, 1, np.float32(0.3))
    assert step == slowly(world, points, 70, 1, 0.3)[0] < 24
    assert speed == pytest.approx(-4.0, abs=1e-4)
    world.kind[0, 1 + [x for _, x, *_ in others].index(12.0)] = 0
    step, speed = _first_ahead(world, points, 0, ROWS - 1, 70, 1, np.float32(0.3))
    assert 40 < step < 52 and speed == pytest.approx(2.0, abs=1e-4)


@pytest.mark.parametrize("order", [1, -1])
def test_an_actor_close_behind_the_first_one_does_not_take_its_place(order: int) -> None:
    world = with_others(*[("cone", 11.0, 0.0, 0.0, 0.0), ("truck", 13.5, 0.0, 0.0, 5.0)][::order])
    step, speed = _first_ahead(world, bend(0.0), 0, ROWS - 1, 70, 1, np.float32(0.3))
    assert step == slowly(world, bend(0.0), 70, 1, 0.3)[0] and speed == 0.0


def test_an_actor_whose_middle_lies_beyond_the_steps_is_found_by_its_end() -> None:
    world, points = with_others(("truck", 16.0, 0.0, 0.0, 1.0)), bend(0.0)
    middle = 16.0 + float(world.length[0, 1]) / 2 - float(world.overhang[0, 1])
    step, _ = _first_ahead(world, points, 0, ROWS - 1, 32, 1, np.float32(0.3))
    assert middle > 16.0 and step == slowly(world, points, 32, 1, 0.3)[0] < 32


def test_nothing_is_found_beyond_the_steps_or_the_path() -> None:
    world, points = with_others(("car", 25.0, 0.0, 0.0, 2.0)), bend(0.0)
    for last, steps in ((ROWS - 1, 30), (30, 70)):
        assert _first_ahead(world, points, 0, last, steps, 1, np.float32(0.3)) == (steps, 0.0)
    assert _first_ahead(world, points, ROWS + 5, ROWS - 1, 70, 1, np.float32(0.3)) == (70, 0.0)


def test_a_bend_ahead_is_approached_at_what_braking_allows() -> None:
    points = bend(0.0)
    points[30:, 3] = 0.1  # a radius of 10 m, 15 m ahead
    limit = math.sqrt(2.0 / 0.1)
    arguments = (np.float32(20.0), np.float32(2.0), np.float32(1.8))
    assert _bend_speed(points, 30, ROWS - 1, *arguments, 20) == pytest.approx(limit, abs=1e-4)
    assert _bend_speed(points, 0, ROWS - 1, *arguments, 20) == pytest.approx(
        math.sqrt(limit**2 + 2 * 1.8 * 15.0), abs=1e-4
    )
    assert _bend_speed(points, 0, ROWS - 1, *arguments, 30 // STRIDE) == 20.0  # the bend is not looked at yet
    assert _bend_speed(points, 0, 29, *arguments, 20) == 20.0  # the path ends before it


@pytest.mark.parametrize(
    ("kind", "at", "speed", "stopped", "wanted"),
    [
        (1, 0, 8.0, 0, True),  # green from 0 to 10 s
        (1, 11, 8.0, 0, True),  # yellow: 8 m/s need 10.7 m at 3 m/s^2, and the line is 10 m ahead
        (1, 11, 7.0, 0, False),  # 7 m/s need 8.2 m
        (1, 14, 8.0, 0, False),  # red
        (2, 0, 0.0, 0, False),  # a stop sign
        (2, 0, 0.0, 1, True),
        (3, 0, 8.0, 0, True),  # a yield sign stops nothing by itself
        (0, 0, 8.0, 0, True),
    ],
)
def test_a_gate_may_pass(kind: int, at: int, speed: float, stopped: int, wanted: bool) -> None:
    from sim.road.graph.traffic_lights import pack_signal_plan
    from sim.road.map.lane_arrays import GATES

    assert GATES[1:4] == ("light", "stop", "yield")
    plan = np.int32(pack_signal_plan(30, 0, 10))
    arguments = np.int32(kind), plan, np.int32(1000 * at), np.float32(speed), np.float32(10.0), np.int32(stopped)
    assert bool(_may_pass(*arguments, np.float32(3.0))) is wanted
