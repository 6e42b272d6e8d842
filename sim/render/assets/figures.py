"""Pictures of pedestrians and cyclists: jointed figures of limbs, drawn from all sides for the texture atlas.

Billboards that face the camera show these pictures; the angle at which a figure is seen selects one.  A figure is
therefore drawn once per side, pose and outfit, without perspective, and turns in steps.  Limbs are tapered rods between
two joints, drawn from the farthest to the nearest, darker at their edges.  A figure's frame: x forward, y left, z up
from the ground [m]; its paint is that of the object (clothes, and the frame of a bicycle).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

from sim.render.assets.canvas import Picture, Texel, blank, coarser
from sim.render.assets.texel import HOLE, LAMP, PAINT, PLAIN
from sim.render.assets.variants import OUTFITS, PEDALS, POSES, RIDER_SIDES, WALKER_SIDES

WALKER_SIZE, RIDER_SIZE = (0.96, 1.75), (1.86, 1.70)  # metres that a picture covers, across and up
_FINE = 1  # figures are drawn 2**_FINE times larger and averaged down
_SHADES = ((1.0, 0.70), (0.74, 0.90), (0.40, 1.0))  # parts of a rod's thickness, and brightness of each
_FLAT = ((1.0, 1.0),)
_TUBE = 0.03  # [m] thickness up to which a rod has a single brightness
SHOE: Texel = (44, 40, 38, PLAIN)
TYRE: Texel = (30, 30, 32, PLAIN)
STEEL: Texel = (150, 152, 156, PLAIN)
CLOTH: Texel = (208, 208, 208, PAINT)
_SKIN: tuple[Texel, ...] = ((226, 182, 152, PLAIN), (150, 104, 76, PLAIN), (204, 156, 122, PLAIN))
_HAIR: tuple[Texel, ...] = ((74, 52, 36, PLAIN), (34, 28, 26, PLAIN), (196, 158, 96, PLAIN))
JEANS: Texel = (58, 68, 98, PLAIN)
_SHORTS: Texel = (158, 144, 116, PLAIN)
_BAG: Texel = (92, 46, 44, PLAIN)
Place = tuple[float, float, float]


class Limb(NamedTuple):
    """A limb: its two joints [m], its radius at each [m], and its colour.

    Args:
        sort: added to its distance in the drawing order: negative brings it forward [m].
    """

    begin: Place
    end: Place
    thick: float
    thin: float
    colour: Texel
    sort: float = 0.0


def figure(rods: list[Limb], turn: float, width: int, height: int, size: tuple[float, float]) -> Picture:
    """Draw a figure, its heading turned clockwise from the line of sight; returns (height, width, 4).

    Args:
        turn: 0 shows the back, pi / 2 a figure that goes to the right, pi the front [rad].
        size: metres that the picture covers, across (the figure in its middle) and up from the ground.
    """
    fine = blank(width << _FINE, height << _FINE, (70, 70, 72, HOLE))
    co, si = math.cos(turn), math.sin(turn)
    across, upward = (width << _FINE) / size[0], (height << _FINE) / size[1]

    def seen(place: Place) -> tuple[float, float]:
        return (place[0] * si - place[1] * co + 0.5 * size[0]) * across, (size[1] - place[2]) * upward

    def away(rod: Limb) -> float:
        return 0.5 * sum(p[0] * co + p[1] * si for p in (rod.begin, rod.end)) + rod.sort

    for rod in sorted(rods, key=away, reverse=True):
        for part, bright in _SHADES if rod.thick > _TUBE else _FLAT:
            red, green, blue, kind = rod.colour
            shade = (int(red * bright), int(green * bright), int(blue * bright), kind)
            _rod(fine, seen(rod.begin), seen(rod.end), rod.thick * part * upward, rod.thin * part * upward, shade)
    for _ in range(_FINE):
        fine = coarser(fine, thin=True)
    return fine


def _rod(p: Picture, begin: tuple[float, float], end: tuple[float, float], thick: float, thin: float,
         colour: Texel) -> None:  # fmt: skip
    """Draw a tapered rod: two discs and the area between them, in pixels."""
    (x0, y0), (x1, y1) = begin, end
    cv2.circle(p, (round(x0), round(y0)), max(1, round(thick)), colour, -1)
    cv2.circle(p, (round(x1), round(y1)), max(1, round(thin)), colour, -1)
    length = math.hypot(x1 - x0, y1 - y0)
    if length >= 1.0:
        nx, ny = (y0 - y1) / length, (x1 - x0) / length
        corners = [(x0 + nx * thick, y0 + ny * thick), (x1 + nx * thin, y1 + ny * thin),
                   (x1 - nx * thin, y1 - ny * thin), (x0 - nx * thick, y0 - ny * thick)]  # fmt: skip
        cv2.fillPoly(p, [np.round(corners).astype(np.int32)], colour)


# ------------------------------------------------------------------------------------------------------- walkers
def _leg(side: float, knee: tuple[float, float], ankle: tuple[float, float], toe: float, colours: tuple[Texel, Texel],
         bare: bool) -> list[Limb]:  # fmt: skip
    """A leg from hip to toes; knee and ankle: x and z; toe: height of the foot's tip above the heel [m]."""
    y = 0.095 * side
    hip, knee_at, ankle_at = (0.0, y, 0.92), (knee[0], y, knee[1]), (ankle[0], y * 0.9, ankle[1])
    thigh, shin = colours
    slim = 0.8 if bare else 1.0
    return [
        Limb(hip, knee_at, 0.095, 0.068, thigh),
        Limb(knee_at, ankle_at, 0.066 * slim, 0.052 * slim, shin),
        Limb((ankle[0] - 0.03, y * 0.9, ankle[1] - 0.04), (ankle[0] + 0.15, y * 1.1, ankle[1] - 0.045 + toe), 0.045,
            0.035, SHOE),
    ]  # fmt: skip


def _arm(side: float, elbow: float, hand: float, sleeve: Texel, lower: Texel, skin: Texel) -> list[Limb]:
    """An arm from the shoulder; elbow and hand: their forward positions [m]."""
    y = 0.225 * side
    shoulder, elbow_at = (0.0, y * 0.92, 1.40), (elbow, y * 1.12, 1.13)
    hand_at = (hand, y * 1.08, 0.90 + 0.3 * abs(hand))
    return [
        Limb(shoulder, elbow_at, 0.062, 0.052, sleeve), Limb(elbow_at, hand_at, 0.048, 0.038, lower),
        Limb(hand_at, (hand_at[0] + 0.02, hand_at[1], hand_at[2] - 0.05), 0.042, 0.036, skin),
    ]  # fmt: skip


def walker(outfit: int, pose: int) -> list[Limb]:
    """The limbs of a pedestrian 1.75 m tall.

    Args:
        outfit: 0 a jacket and jeans, 1 a long coat and long hair, 2 a shirt, shorts and a bag on the back.
        pose: 0 stands, 1 strides with the left leg ahead, 2 brings a leg forward, 3 strides with the right leg ahead.
    """
    skin, hair = _SKIN[outfit], _HAIR[outfit]
    thigh, shin = ((JEANS, JEANS), (SHOE, SHOE), (_SHORTS, skin))[outfit]
    lower = skin if outfit == 2 else CLOTH
    stand, ahead, behind = ((0.0, 0.50), (0.0, 0.09), 0.0), ((0.17, 0.50), (0.30, 0.10), 0.03), (
        (-0.02, 0.49), (-0.31, 0.18), -0.06)  # fmt: skip
    swing = ((0.14, 0.52), (-0.10, 0.25), -0.07)
    left, right = ((stand, stand), (ahead, behind), (stand, swing), (behind, ahead))[pose]
    forward = (0.0, 0.16, 0.02, -0.16)[pose]  # of the right hand, which goes with the left leg
    rods = [
        *_leg(1, *left, (thigh, shin), outfit != 0), *_leg(-1, *right, (thigh, shin), outfit != 0),
        *_arm(1, -0.3 * forward - 0.02, -forward + 0.04, CLOTH, lower, skin),
        *_arm(-1, 0.3 * forward - 0.02, forward + 0.04, CLOTH, lower, skin),
        Limb((0.0, -0.13, 1.36), (0.0, 0.13, 1.36), 0.10, 0.10, CLOTH),
        Limb((0.0, -0.075, 1.34), (0.0, -0.065, 0.98), 0.115, 0.105, CLOTH),
        Limb((0.0, 0.075, 1.34), (0.0, 0.065, 0.98), 0.115, 0.105, CLOTH),
        Limb((0.0, 0.0, 1.44), (0.01, 0.0, 1.56), 0.055, 0.055, skin),
        Limb((0.035, 0.0, 1.585), (0.02, 0.0, 1.635), 0.088, 0.095, skin),
        Limb((-0.03, 0.0, 1.61), (0.0, 0.0, 1.655), 0.092, 0.095, hair),
        Limb((0.015, -0.025, 1.672), (0.015, 0.025, 1.672), 0.074, 0.074, hair, -0.12),
    ]  # fmt: skip
    if outfit == 1:
        rods += [Limb((0.0, -0.05, 1.0), (0.0, -0.09, 0.55), 0.12, 0.15, CLOTH, -0.12),
                 Limb((0.0, 0.05, 1.0), (0.0, 0.09, 0.55), 0.12, 0.15, CLOTH, -0.12),
                 Limb((-0.05, 0.0, 1.62), (-0.09, 0.0, 1.38), 0.10, 0.085, hair)]  # fmt: skip
    if outfit == 2:
        rods += [Limb((-0.17, -0.06, 1.36), (-0.18, -0.06, 1.10), 0.085, 0.10, _BAG),
                 Limb((-0.17, 0.06, 1.36), (-0.18, 0.06, 1.10), 0.085, 0.10, _BAG)]  # fmt: skip
    return rods


# ------------------------------------------------------------------------------------------------------ cyclists
def bend_knee(hip: Place, foot: Place, thigh: float, shin: float) -> Place:
    """The knee between a hip and a foot, forward of the line between them; all at about the same y."""
    dx, dz = foot[0] - hip[0], foot[2] - hip[2]
    far = min(math.hypot(dx, dz), (thigh + shin) * 0.999)
    angle = math.atan2(dz, dx) + math.acos((thigh**2 + far**2 - shin**2) / (2 * thigh * far))
    return hip[0] + thigh * math.cos(angle), 0.5 * (hip[1] + foot[1]) * 1.15, hip[2] + thigh * math.sin(angle)


def _wheel(x: float) -> list[Limb]:
    """A wheel: a ring of short rods, and its spokes; the axle is 0.34 m up."""
    turn = np.linspace(0, 2 * math.pi, 33)
    rim = [(x + 0.32 * math.cos(t), 0.0, 0.34 + 0.32 * math.sin(t)) for t in turn]
    spokes = [Limb((x, 0.0, 0.34), rim[k], 0.004, 0.004, STEEL) for k in range(0, 32, 4)]
    return spokes + [Limb(a, b, 0.026, 0.026, TYRE) for a, b in pairwise(rim)]


def _bicycle() -> list[Limb]:
    """A bicycle: wheels, frame and lamps, 1.8 m long."""
    crank, saddle, head = (-0.05, 0.0, 0.30), (-0.23, 0.0, 0.86), (0.36, 0.0, 0.82)
    rear, front, bar = (-0.55, 0.0, 0.34), (0.55, 0.0, 0.34), (0.36, 0.0, 0.98)
    frame = [(crank, saddle), (saddle, head), (crank, head), (crank, rear), (saddle, rear)]
    return [
        *_wheel(-0.55), *_wheel(0.55), *(Limb(a, b, 0.022, 0.022, CLOTH) for a, b in frame),
        Limb(head, front, 0.020, 0.016, STEEL), Limb(head, bar, 0.018, 0.018, STEEL),
        *(Limb(bar, (0.34, 0.28 * s, 0.99), 0.016, 0.020, SHOE) for s in (-1, 1)),
        Limb((-0.34, 0.0, 0.90), (-0.10, 0.0, 0.89), 0.055, 0.030, SHOE),
        Limb((-0.47, 0.0, 0.72), (-0.48, 0.0, 0.68), 0.036, 0.036, (226, 26, 18, LAMP)),
        Limb((0.46, 0.0, 0.86), (0.47, 0.0, 0.84), 0.040, 0.040, (250, 246, 226, LAMP)),
    ]  # fmt: skip


def rider(phase: int) -> list[Limb]:
    """The limbs of a cyclist on a bicycle, 1.7 m up to the helmet; phase 1 has the other pedal ahead."""
    rods, skin = _bicycle(), _SKIN[0]
    for s in (-1, 1):
        hip, shoulder, hand = (-0.20, 0.085 * s, 0.97), (0.12, 0.16 * s, 1.38), (0.33, 0.26 * s, 1.01)
        turn = math.radians(-25.0) + math.pi * ((s > 0) ^ (phase > 0))
        foot = (-0.05 + 0.17 * math.cos(turn), 0.11 * s, 0.30 + 0.17 * math.sin(turn) + 0.06)
        knee, elbow = bend_knee(hip, foot, 0.44, 0.44), (0.20, 0.29 * s, 1.18)
        rods += [
            Limb(hip, knee, 0.090, 0.064, (46, 48, 56, PLAIN)), Limb(knee, foot, 0.056, 0.042, skin),
            Limb((foot[0] - 0.05, foot[1], foot[2] - 0.03), (foot[0] + 0.13, foot[1], foot[2] - 0.05), 0.042, 0.034,
                SHOE),
            Limb(shoulder, elbow, 0.060, 0.050, CLOTH), Limb(elbow, hand, 0.046, 0.036, skin),
            Limb(hand, (hand[0] + 0.03, hand[1], hand[2] - 0.02), 0.040, 0.036, skin),
            Limb((-0.21, 0.06 * s, 0.98), (0.10, 0.085 * s, 1.34), 0.105, 0.115, CLOTH),
        ]  # fmt: skip
    return [
        *rods,
        Limb((0.11, -0.12, 1.36), (0.11, 0.12, 1.36), 0.095, 0.095, CLOTH),
        Limb((0.14, 0.0, 1.42), (0.18, 0.0, 1.50), 0.055, 0.055, skin),
        Limb((0.225, 0.0, 1.50), (0.205, 0.0, 1.55), 0.082, 0.090, skin),
        Limb((0.12, 0.0, 1.59), (0.24, 0.0, 1.62), 0.100, 0.080, (236, 236, 232, PLAIN), -0.02),
    ]


def side_of(turn: int, sides: int) -> tuple[int, bool]:
    """The drawn side for turn `turn` of `sides`, and whether it must be mirrored."""
    return (turn, False) if 2 * turn <= sides else (sides - turn, True)


def walker_name(outfit: int, pose: int, turn: int) -> tuple[str, bool]:
    """Name of a walker's picture, and whether it must be mirrored; a mirrored one has the other leg ahead."""
    side, mirrored = side_of(turn, WALKER_SIDES)
    return f"walker_{outfit}_{(0, 3, 2, 1)[pose] if mirrored else pose}_{side}", mirrored


def rider_name(phase: int, turn: int) -> tuple[str, bool]:
    """As `walker_name`, for a cyclist."""
    side, mirrored = side_of(turn, RIDER_SIDES)
    return f"bicycle_{phase ^ 1 if mirrored else phase}_{side}", mirrored


def draw_walker(outfit: int, pose: int, side: int) -> Picture:
    """Draw a walker's picture, 64 x 128."""
    return figure(walker(outfit, pose), 2 * math.pi * side / WALKER_SIDES, 64, 128, WALKER_SIZE)


def draw_rider(phase: int, side: int) -> Picture:
    """Draw a cyclist's picture, 128 x 128."""
    return figure(rider(phase), 2 * math.pi * side / RIDER_SIDES, 128, 128, RIDER_SIZE)


WALKERS = [(o, p, s) for o in range(OUTFITS) for p in range(POSES) for s in range(WALKER_SIDES // 2 + 1)]
RIDERS = [(p, s) for p in range(PEDALS) for s in range(RIDER_SIDES // 2 + 1)]
