"""Reeds-Shepp curves: they end where they should, nothing is shorter, and they know the textbook's cases."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from policies.planning.reeds_shepp import (
    Curve,
    Pose,
    after,
    backwards,
    changes_of,
    curves,
    end_of,
    length_of,
    sampled,
    shortest,
    wrapped,
)

RADIUS = 4.3
HERE: Pose = (0.0, 0.0, 0.0)


def pairs(seed: int, count: int, reach: float = 12.0) -> list[tuple[Pose, Pose]]:
    """Random starts and goals; a third of them near each other, where the words of many arcs are the shortest."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        x, y, yaw = rng.uniform(-50, 50), rng.uniform(-50, 50), rng.uniform(-9, 9)
        near = reach * rng.choice((0.1, 0.5, 1.0))
        goal = (x + rng.uniform(-near, near), y + rng.uniform(-near, near), rng.uniform(-9, 9))
        found.append(((x, y, yaw), goal))
    return found


def manoeuvre(rng: random.Random) -> Curve:
    """Up to five pieces such as a driver might make up, of the narrowest circle or straight."""
    lengths = (0.3, 1.0, 0.5 * math.pi, 3.0)
    return tuple(
        (rng.choice((-1.0, 0.0, 1.0)) / RADIUS, RADIUS * rng.choice((-1, 1)) * rng.choice(lengths) * rng.random())
        for _ in range(rng.randint(1, 5))
    )


def apart(a: Pose, b: Pose) -> float:
    """The greatest difference of two poses [m or rad]."""
    return max(abs(a[0] - b[0]), abs(a[1] - b[1]), abs(wrapped(a[2] - b[2])))


def test_every_word_ends_at_the_goal() -> None:
    letters = set()
    for start, goal in pairs(1, 600):
        for curve in curves(start, goal, RADIUS):
            assert apart(end_of(start, curve), goal) < 1e-6
            letters.add("".join("RSL"[int(np.sign(round(k * RADIUS))) + 1] for k, _ in curve))
    words = ("LSL", "LSR", "LRL", "LRLR", "LRSL", "LRSR", "LSRL", "RSRL", "LRSLR")
    assert letters >= {*words, *(w.translate(str.maketrans("LR", "RL")) for w in words)}


def test_arcs_are_of_the_narrowest_circle_or_straight() -> None:
    for start, goal in pairs(2, 50):
        for curve in curves(start, goal, RADIUS):
            assert {abs(k) for k, _ in curve} <= {0.0, 1.0 / RADIUS}


def test_none_is_shorter_than_the_straight_line() -> None:
    for start, goal in pairs(3, 600):
        assert length_of(shortest(start, goal, RADIUS)) >= math.dist(start[:2], goal[:2]) - 1e-9


def test_no_made_up_manoeuvre_is_shorter() -> None:
    rng = random.Random(4)
    tight = 0
    for _ in range(6000):
        made_up = manoeuvre(rng)
        best, whole = length_of(shortest(HERE, end_of(HERE, made_up), RADIUS)), length_of(made_up)
        assert best <= whole + 1e-9
        tight += best > whole - 1e-9
    assert tight > 600  # many of them are themselves the shortest way, so a word that is missing would be missed


def test_every_family_of_words_is_the_shortest_somewhere() -> None:
    seen = set()
    for start, goal in pairs(5, 3000):
        curve = shortest(start, goal, RADIUS)
        letters = "".join("S" if k == 0.0 else "C" for k, _ in curve)
        gears = [b > 0.0 for _, b in curve]
        seen.add("".join(c + ("|" if i + 1 < len(gears) and gears[i] != gears[i + 1] else "")
                         for i, c in enumerate(letters)))  # fmt: skip
    # Table of the paper: C|C|C, C|CC, CSC, CC|CC, C|CC|C, C|CSC, CSC|C, C|CSC|C, CC|C.
    assert seen >= {"C|C|C", "C|CC", "CC|C", "CSC", "CC|CC", "C|CC|C", "C|CSC", "CSC|C", "C|CSC|C"}


def test_the_way_back_is_as_long_and_a_mirrored_one_too() -> None:
    for start, goal in pairs(6, 300):
        there = length_of(shortest(start, goal, RADIUS))
        assert length_of(shortest(goal, start, RADIUS)) == pytest.approx(there, abs=1e-6)
        mirrored = [(x, -y, -yaw) for x, y, yaw in (start, goal)]
        assert length_of(shortest(*mirrored, RADIUS)) == pytest.approx(there, abs=1e-6)


def test_driven_backwards_a_curve_leads_from_its_end_to_its_beginning() -> None:
    for start, goal in pairs(7, 100):
        curve = shortest(start, goal, RADIUS)
        assert apart(end_of(goal, backwards(curve)), start) < 1e-6
        assert backwards(backwards(curve)) == curve and changes_of(backwards(curve)) == changes_of(curve)


@pytest.mark.parametrize(
    "goal, length",
    [
        ((5.0, 0.0, 0.0), 5.0),
        ((-5.0, 0.0, 0.0), 5.0),
        ((0.0, 0.0, math.pi), math.pi),  # three arcs of 60 degrees: the known way to turn round on the spot
        ((1.0, 1.0, math.pi / 2), math.pi / 2),
        ((0.0, 2.0, math.pi), math.pi),
        ((2 * math.sin(0.5) + 5 * math.cos(0.5), 2 - 2 * math.cos(0.5) + 5 * math.sin(0.5), 0.0), 6.0),  # 0.5, 5, 0.5
    ],
)
def test_known_cases_of_radius_one(goal: Pose, length: float) -> None:
    assert length_of(shortest(HERE, goal, 1.0)) == pytest.approx(length, abs=1e-9)


def test_samples_lie_on_the_curve_and_are_dense() -> None:
    for start, goal in pairs(8, 50):
        curve = shortest(start, goal, RADIUS)
        line = sampled(start, curve, 0.1)
        assert apart(tuple(line[-1, :3]), goal) < 1e-6 and apart(tuple(line[0, :3]), start) < 1e-12
        steps = np.hypot(*np.diff(line[:, :2], axis=0).T)
        assert steps.max() <= 0.1 + 1e-9
        turned = np.abs(np.diff(line[:, 2]))
        assert (turned <= 0.1 / RADIUS + 1e-9).all()
        assert set(line[:, 4]) <= {1.0, -1.0}


def test_a_piece_is_what_small_steps_of_a_bicycle_come_to() -> None:
    x, y, yaw = start = (1.0, -2.0, 0.7)
    curvature, length, n = -0.23, -5.0, 100_000
    for _ in range(n):
        yaw += 0.5 * curvature * length / n
        x, y = x + length / n * math.cos(yaw), y + length / n * math.sin(yaw)
        yaw += 0.5 * curvature * length / n
    assert apart(after(start, (curvature, length)), (x, y, yaw)) < 1e-8
