"""Parking planner: a collision-free plan backwards into a bay beside the lane, with shuffling in tight bays.

The plan is searched from the goal, as in Vorobieva, Glaser, Minoiu-Enache, Mammar, Automatic parallel parking in tiny
spaces: path planning and control, IEEE Trans. Intelligent Transportation Systems 16 (2015): a car in the bay pulls
forwards with the wheel to the left until just before contact, backwards with the wheel to the right until just before
contact, and so on.  As soon as a Reeds-Shepp curve of one gear joins the lane to the pose reached, both together are
the plan.

Frame of the bay: origin at its middle, x along the lane, y to the lane's side; the kerb is at its far side.  Poses are
of the rear axle.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from policies.planning.reeds_shepp import (
    Curve,
    Piece,
    Pose,
    after,
    backwards,
    changes_of,
    curves,
    end_of,
    length_of,
    sampled,
)
from sim.actors.registry import EGO

WHEEL_KEPT = 0.05  # [rad] of the wheel angle that plans reserve for the path follower
RADIUS = EGO.wheelbase / math.tan(EGO.max_steer - WHEEL_KEPT)  # [m] smallest planned turning radius
SPACING = 0.1  # [m] between samples that are checked
CLEARANCE = 0.1  # [m] between ego's box and others
GUTTER = 0.25  # [m] beyond the lane's edge line that a wheel may use where there is no bay
REACH = 6.0  # [m] from the bay's middle, the farthest that ego's box may reach across the lane
NEAR_MIDDLE = 0.35  # [m] from the middle of the bay, too little for a final move forward
STEP = 0.1  # [m] between final positions in the bay that are tried
ASIDE = (0.0, 0.5, -0.5, 1.0, -1.0, 1.5, -1.5, 2.0, -2.0)  # [m] offsets from the station that are tried, in this order
LONGEST = 25.0  # [m] longest curve from the lane into the bay
SHUFFLES = 3  # most shuffles (forwards and back) within the bay
PIECES = 16  # most pieces of a plan


@dataclass(frozen=True)
class Room:
    """The free space for a plan, in the frame of the bay.

    Args:
        length: of the bay along the lane; width: across [m].
        boxes: (n, 5) float64 of standing obstacles: x, y of the middle, yaw, length, width.
    """

    length: float
    width: float
    boxes: np.ndarray

    def free(self, poses: np.ndarray) -> np.ndarray:
        """(n,) bool: which poses (n, 3+) of ego's rear axle keep CLEARANCE from all obstacles and stay off the kerb."""
        c, s = np.cos(poses[:, 2]), np.sin(poses[:, 2])
        x, y = poses[:, 0], poses[:, 1]
        good = np.ones(len(poses), bool)
        for axle in (0.0, EGO.wheelbase):
            for side in (-0.45, 0.45):  # lateral wheel positions as in `sim.road.map.surface`
                wx, wy = x + axle * c - side * EGO.width * s, y + axle * s + side * EGO.width * c
                within = np.abs(wx) < 0.5 * self.length - 0.05
                good &= wy > np.where(within, -0.5 * self.width, 0.5 * self.width - GUTTER)
        middle = 0.5 * EGO.length - EGO.overhang
        mx, my = x + middle * c, y + middle * s
        tall = 0.5 * (EGO.length * np.abs(s) + EGO.width * np.abs(c))
        good &= my + tall < REACH
        good &= my - tall > -0.5 * self.width - 0.05
        return good & ~_touches(mx, my, c, s, self.boxes).any(1)


def _touches(x: np.ndarray, y: np.ndarray, c: np.ndarray, s: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(n, m) bool: `sim.core.geometry.boxes_touch` of ego's box, grown by CLEARANCE, at n places with each of m
    boxes."""
    dx, dy = boxes[:, 0] - x[:, None], boxes[:, 1] - y[:, None]
    bc, bs = np.cos(boxes[:, 2]), np.sin(boxes[:, 2])
    c, s = c[:, None], s[:, None]
    along, across = np.abs(c * bc + s * bs), np.abs(c * bs - s * bc)
    length, width = EGO.length + 2.0 * CLEARANCE, EGO.width + 2.0 * CLEARANCE
    other_length, other_width = boxes[:, 3], boxes[:, 4]
    apart = 2.0 * np.abs(dx * c + dy * s) > length + other_length * along + other_width * across
    apart |= 2.0 * np.abs(dy * c - dx * s) > width + other_length * across + other_width * along
    apart |= 2.0 * np.abs(dx * bc + dy * bs) > other_length + length * along + width * across
    apart |= 2.0 * np.abs(dy * bc - dx * bs) > other_width + length * across + width * along
    return ~apart


def plan_into(room: Room, start: Pose, ahead: float = 0.0, shuffles: int = SHUFFLES) -> Curve | None:
    """Plan from ego's pose into the middle of the bay, or as near to it as possible; None if there is no plan.

    The plan with the fewest shuffles wins, then the one that begins nearest to the start, then the one that ends
    nearest to the middle.

    Args:
        start: of the rear axle, in the frame of the bay.
        ahead: distance to the best starting position [m]; tried if no plan begins at the start.
        shuffles: most shuffles (forwards and back) within the bay.
    """
    ways = (0.0, *(ahead + aside for aside in ASIDE if abs(ahead + aside) > SPACING))
    ways_out = [(x, shuffled_out(room, (x, 0.0, 0.0))) for x in stands(room)]
    for _ in range(shuffles + 1):
        inside = [(x, *step) for x, out in ways_out if (step := next(out, None)) is not None]
        for way in ways:
            first: Curve = ((0.0, way),) if way else ()
            for x, curve, pose in inside:
                if (entry := entered(room, start, first, pose)) is not None:
                    return (*entry, *backwards(curve), *centred(room, x))
    return None


def stands(room: Room) -> list[float]:
    """Free final positions in the bay, straight and midway across: x of the rear axle [m], nearest to the middle first.

    Only from the middle backwards: a car that ends further back pulls forward at the end.
    """
    middle = EGO.overhang - 0.5 * EGO.length
    last = EGO.overhang - 0.5 * room.length
    places = np.arange(middle, last - 1e-9, -STEP)
    free = room.free(np.stack([places, np.zeros(len(places)), np.zeros(len(places))], 1))
    return [float(x) for x in places[free]]


def centred(room: Room, x: float) -> Curve:
    """The move forward to the middle of the bay from rear axle x; empty if it is too short or blocked."""
    way = EGO.overhang - 0.5 * EGO.length - x
    if way <= NEAR_MIDDLE:
        return ()
    poses = sampled((x, 0.0, 0.0), ((0.0, way),), SPACING)
    free = room.free(poses)
    if not free.all():
        way = max(float(poses[int(np.argmin(free)), 0]) - SPACING - x, 0.0)
    return ((0.0, way),) if way > NEAR_MIDDLE else ()


def shuffled_out(room: Room, stand: Pose) -> Iterator[tuple[Curve, Pose]]:
    """Yield ways to leave a final position, turned ever further to the lane: the curve driven and the pose reached."""
    curve: tuple[Piece, ...] = ()
    yield curve, stand
    while True:
        for curvature, gear in ((1.0 / RADIUS, 1.0), (-1.0 / RADIUS, -1.0)):
            piece = (curvature, gear * _until_touching(room, stand, curvature, gear))
            if abs(piece[1]) < SPACING:
                return
            curve, stand = (*curve, piece), after(stand, piece)
        yield curve, stand


def _until_touching(room: Room, pose: Pose, curvature: float, gear: float) -> float:
    """The collision-free length of an arc [m], up to a turn of 45 degrees."""
    poses = sampled(pose, ((curvature, gear * 0.25 * math.pi / abs(curvature)),), 0.5 * SPACING)
    free = room.free(poses)
    return 0.0 if not free[0] else 0.5 * SPACING * max((len(free) if free.all() else int(np.argmin(free))) - 2, 0)


def entered(room: Room, start: Pose, first: Curve, inside: Pose) -> Curve | None:
    """Find a collision-free curve from the lane backwards to a pose in the bay, without another change of gear.

    Args:
        first: a move along the lane before that, or an empty curve.
    """
    for curve in curves(end_of(start, first), inside, RADIUS):
        if length_of(curve) > LONGEST:
            return None
        if changes_of(curve) or not curve or curve[0][1] > 0.0:
            continue
        whole = (*first, *curve)
        if room.free(sampled(start, whole, SPACING)).all():
            return whole
    return None
