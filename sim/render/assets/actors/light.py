"""The mesh of a traffic light: pole, plate and housing."""

from __future__ import annotations

from sim.actors.light_head import HEAD_FROM, LAMP_AHEAD, LAMP_LEVELS
from sim.render.assets.mesh import ActorMesh, Face, Point, face, front, rear, register_mesh, sides
from sim.render.assets.variants import FACING, THIN, TWO_SIDED


def _light() -> list[Face]:
    """A traffic light: a pole at the centre, before it a plate with the housing.

    `sim.render.traffic_lights` draws its lit lamps.
    """
    pole: list[Point] = [(0, 0.07, 0.97), (0, -0.07, 0.97), (0, -0.07, 0), (0, 0.07, 0)]
    x0, x1, tip, z0, z1 = 0.1, LAMP_AHEAD, 0.5, HEAD_FROM + 0.02, 0.985
    below: list[Point] = [(x0, 0.28, z0), (x0, -0.28, z0), (x1, -0.28, z0), (x1, 0.28, z0)]
    hoods = []
    for level in LAMP_LEVELS:
        for y in (-0.24, 0.24):
            up, down = level + 0.045, level - 0.03
            hoods.append([(x1, y, up), (tip, y, up), (tip, y, up - 0.02), (x1, y, down)])
    return [
        face("pole", pole, flags=FACING | TWO_SIDED | THIN),
        front("light_front", x1, HEAD_FROM, 1.0),
        rear("dark_metal", x1, HEAD_FROM, 1.0),
        *sides("dark_metal", x0, x1, z0, z1, 0.28),
        rear("dark_metal", x0, z0, z1, 0.28),
        face("dark_metal", below, flags=TWO_SIDED),
        *(face("dark_metal", hood, flags=TWO_SIDED) for hood in hoods),
    ]


register_mesh(ActorMesh("light", lambda variant: _light()))
