"""The mesh of a scooter with its rider: a billboard with the picture of the side that is seen.

The paint is that of the scooter; the rider wears a dark jacket, jeans and a pale helmet.
"""

from __future__ import annotations

import functools
import math
from itertools import pairwise

import numpy as np

from sim.actors.registry import BODIES
from sim.render.assets.canvas import Picture, Texel
from sim.render.assets.figures import CLOTH, JEANS, SHOE, STEEL, TYRE, Limb, bend_knee, figure, side_of
from sim.render.assets.mesh import ActorMesh, Face, card, register_mesh
from sim.render.assets.texel import LAMP, PLAIN
from sim.render.assets.variants import RIDER_SIDES

SIZE = (2.0, 1.72)  # metres that a picture covers, across and up
_JACKET: Texel = (62, 64, 74, PLAIN)
_HELMET: Texel = (232, 232, 228, PLAIN)
_VISOR: Texel = (40, 48, 58, PLAIN)
_SHADE: Texel = (150, 150, 150, CLOTH[3])  # paint in the shade
_REAR, _FRONT, _AXLE = -0.62, 0.66, 0.23  # x of the wheels and height of their axles [m]


def _wheel(x: float) -> list[Limb]:
    turn = np.linspace(0, 2 * math.pi, 17)
    tyre = [(x + 0.175 * math.cos(t), 0.0, _AXLE + 0.175 * math.sin(t)) for t in turn]
    rim = [(x + 0.09 * math.cos(t), 0.0, _AXLE + 0.09 * math.sin(t)) for t in turn[::2]]
    return [Limb(a, b, 0.055, 0.055, TYRE) for a, b in pairwise(tyre)] + [
        Limb(a, b, 0.03, 0.03, STEEL, -0.01) for a, b in pairwise(rim)
    ]


def _machine() -> list[Limb]:
    """The limbs of the scooter."""
    sides = (-1, 1)
    return [
        *_wheel(_REAR), *_wheel(_FRONT),
        *(Limb((-0.76, 0.07 * s, 0.52), (-0.22, 0.08 * s, 0.56), 0.10, 0.14, CLOTH) for s in sides),
        *(Limb((-0.66, 0.10 * s, 0.42), (-0.24, 0.10 * s, 0.38), 0.10, 0.12, CLOTH) for s in sides),
        *(Limb((-0.24, 0.09 * s, 0.28), (0.34, 0.09 * s, 0.28), 0.06, 0.06, _SHADE) for s in sides),
        *(Limb((0.33, 0.13 * s, 0.32), (0.45, 0.12 * s, 0.82), 0.075, 0.07, CLOTH) for s in sides),
        Limb((0.36, 0.0, 0.32), (0.47, 0.0, 0.86), 0.09, 0.085, CLOTH),
        Limb((0.52, 0.0, 0.42), (0.76, 0.0, 0.38), 0.085, 0.06, CLOTH),
        Limb((0.46, 0.0, 0.84), (0.42, 0.0, 1.00), 0.075, 0.07, CLOTH),
        *(Limb((0.42, 0.0, 1.00), (0.38, 0.31 * s, 1.02), 0.022, 0.026, SHOE) for s in sides),
        *(Limb((0.40, 0.24 * s, 1.02), (0.39, 0.30 * s, 1.16), 0.010, 0.010, STEEL) for s in sides),
        *(Limb((0.39, 0.28 * s, 1.17), (0.39, 0.33 * s, 1.17), 0.038, 0.038, SHOE) for s in sides),
        Limb((-0.66, 0.0, 0.73), (-0.08, 0.0, 0.71), 0.075, 0.060, SHOE),
        Limb((0.50, 0.0, 0.97), (0.52, 0.0, 0.97), 0.065, 0.065, (250, 246, 226, LAMP)),
        Limb((-0.86, 0.0, 0.56), (-0.87, 0.0, 0.56), 0.055, 0.055, (226, 26, 18, LAMP)),
        Limb((-0.88, -0.05, 0.42), (-0.88, 0.05, 0.42), 0.05, 0.05, (224, 224, 216, PLAIN)),
    ]  # fmt: skip


def _rider() -> list[Limb]:
    """The limbs of the rider."""
    limbs = []
    for s in (-1, 1):
        hip, foot = (-0.26, 0.10 * s, 0.84), (0.20, 0.15 * s, 0.39)
        shoulder, elbow, hand = (-0.10, 0.17 * s, 1.32), (0.10, 0.29 * s, 1.11), (0.37, 0.26 * s, 1.04)
        knee = bend_knee(hip, foot, 0.43, 0.43)
        limbs += [
            Limb(hip, knee, 0.095, 0.070, JEANS), Limb(knee, foot, 0.066, 0.050, JEANS),
            Limb((foot[0] - 0.05, foot[1], foot[2] - 0.03), (foot[0] + 0.15, foot[1], foot[2] - 0.05), 0.045, 0.036,
                SHOE),
            Limb(shoulder, elbow, 0.070, 0.058, _JACKET), Limb(elbow, hand, 0.055, 0.044, _JACKET),
            Limb(hand, (hand[0] + 0.03, hand[1], hand[2] - 0.02), 0.045, 0.040, SHOE),
            Limb((-0.27, 0.07 * s, 0.86), (-0.12, 0.09 * s, 1.30), 0.115, 0.125, _JACKET),
        ]  # fmt: skip
    return [
        *limbs,
        Limb((-0.11, -0.12, 1.33), (-0.11, 0.12, 1.33), 0.10, 0.10, _JACKET),
        Limb((-0.09, 0.0, 1.40), (-0.07, 0.0, 1.48), 0.060, 0.060, _JACKET),
        Limb((-0.07, 0.0, 1.575), (-0.04, 0.0, 1.585), 0.130, 0.125, _HELMET, -0.02),
        Limb((0.035, -0.045, 1.575), (0.035, 0.045, 1.575), 0.055, 0.055, _VISOR, -0.06),
    ]


def _draw(side: int, rng: np.random.Generator) -> Picture:
    """Draw the picture of a side, 128 x 128."""
    return figure(_machine() + _rider(), 2 * math.pi * side / RIDER_SIDES, 128, 128, SIZE)


def _faces(variant: int) -> list[Face]:
    side, mirrored = side_of(variant, RIDER_SIDES)
    return card(f"scooter_{side}", mirrored, SIZE[0] / 2 / BODIES["scooter"].width)


register_mesh(
    ActorMesh(
        "scooter",
        _faces,
        posing="riding",
        pictures={f"scooter_{side}": functools.partial(_draw, side) for side in range(RIDER_SIDES // 2 + 1)},
        thin=True,
    )
)
