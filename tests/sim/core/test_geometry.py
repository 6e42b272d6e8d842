"""Angles and boxes against a twin that knows only corners and edges."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from sim.core.geometry import box_corners, boxes_touch, wrap
from sim.core.kernel import kernel
from tests.reference import geometry as slow

NEAR = 1e-3  # [m] boxes that touch by less are beyond what float32 can tell at 50 m
metres = st.floats(-8, 8).map(lambda v: round(v, 3))
sizes = st.floats(0.5, 9).map(lambda v: round(v, 3))
angles = st.floats(-math.pi, math.pi).map(lambda v: round(v, 3))
boxes = st.tuples(metres, metres, angles, sizes, sizes)


@kernel
def _touch(a, b):  # type: ignore[no-untyped-def]
    return boxes_touch(
        a[0], a[1], np.cos(a[2]), np.sin(a[2]), a[3], a[4], b[0], b[1], np.cos(b[2]), np.sin(b[2]), b[3], b[4]
    )


@kernel
def _wrap(angle):  # type: ignore[no-untyped-def]
    return wrap(angle)


def fast(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return bool(_touch(np.array(a, np.float32), np.array(b, np.float32)))


def grown(box: tuple[float, ...], by: float) -> tuple[float, ...]:
    return (*box[:3], box[3] + by, box[4] + by)


@given(boxes, boxes)
def test_boxes_touch_says_what_corners_and_edges_say(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    assume(slow.boxes_touch(grown(a, NEAR), b) == slow.boxes_touch(grown(a, -NEAR), b))
    assert fast(a, b) == slow.boxes_touch(a, b)


@given(boxes, boxes)
def test_boxes_touch_does_not_mind_the_order(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    assume(slow.boxes_touch(grown(a, NEAR), b) == slow.boxes_touch(grown(a, -NEAR), b))
    assert fast(a, b) == fast(b, a)


def test_crossed_boxes_without_a_corner_in_each_other_touch() -> None:
    assert fast((0, 0, 0, 8, 1), (0, 0, math.pi / 2, 8, 1))


def test_boxes_that_only_their_bounding_boxes_bring_together_do_not_touch() -> None:
    assert not fast((0, 0, math.pi / 4, 6, 1), (2.5, -2.5, math.pi / 4, 6, 1))


@given(st.floats(-50, 50))
def test_wrap_gives_the_same_direction_within_half_a_turn(angle: float) -> None:
    found = float(_wrap(np.float32(angle)))
    assert abs(found) <= math.pi + 1e-5
    # float32 at 50 rad has steps of 4e-6
    assert abs(math.remainder(found - np.float32(angle), 2 * math.pi)) < 1e-5


@given(boxes)
def test_box_corners_are_the_twins_and_go_anticlockwise(box: tuple[float, ...]) -> None:
    found = box_corners(*box)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, slow.corners(*box), atol=1e-9)  # type: ignore[arg-type]
    following = np.roll(found, -1, 0)
    area = (found[:, 0] * following[:, 1] - following[:, 0] * found[:, 1]).sum() / 2
    np.testing.assert_allclose(area, box[3] * box[4], rtol=1e-6)
