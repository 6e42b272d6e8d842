"""The mesh of a car: a body, and a cabin that is narrower at the roof."""

from __future__ import annotations

from sim.render.assets.mesh import ActorMesh, Face, Point, face, front, rear, register_mesh, sides, top
from sim.render.assets.variants import MIRRORED


def _car() -> list[Face]:
    waist = 0.60
    # the cabin: waist from -0.47 to 0.20, roof from -0.30 to 0.02, narrower at the roof
    b0, b1, r0, r1, yw, yr = -0.46, 0.24, -0.30, 0.02, 0.47, 0.40
    left: list[Point] = [(r1, yr, 1), (r0, yr, 1), (b0, yw, waist), (b1, yw, waist)]
    right: list[Point] = [(r0, -yr, 1), (r1, -yr, 1), (b1, -yw, waist), (b0, -yw, waist)]
    screen: list[Point] = [(r1, -yr, 1), (r1, yr, 1), (b1, yw, waist), (b1, -yw, waist)]
    back: list[Point] = [(r0, yr, 1), (r0, -yr, 1), (b0, -yw, waist), (b0, yw, waist)]
    return [
        *sides("car_side", -0.5, 0.5, 0.0, waist),
        front("car_front", 0.5, 0.0, waist * 0.92),
        rear("car_rear", -0.5, 0.0, waist),
        face("paint", [(b1, -0.5, waist), (b1, 0.5, waist), (0.5, 0.5, waist * 0.92), (0.5, -0.5, waist * 0.92)]),
        top("paint", -0.5, b1, waist, waist),  # boot, and the ledge beside the narrower cabin
        face("cabin_side", left, ((b1, yr, 1), (b0, yr, 1), (b1, yw, waist))),
        face("cabin_side", right, ((b1, -yr, 1), (b0, -yr, 1), (b1, -yw, waist)), flags=MIRRORED),
        face("glass", screen, ((r1, -yw, 1), (r1, yw, 1), (b1, -yw, waist))),
        face("glass", back, ((r0, yw, 1), (r0, -yw, 1), (b0, yw, waist))),
        top("paint", r0, r1, 1, 1, yr, yr),
    ]


register_mesh(ActorMesh("car", lambda variant: _car()))
