"""What a car stands on: the class of the ground under a point, and how many of its wheels are off the road."""

from __future__ import annotations

import numpy as np

from sim.kernel import kernel
from sim.types import DRIVABLE, SURFACES

WHEEL_INSET = np.float32(0.45)  # of the width, from the middle to a wheel's centre
DRIVES = np.array([i in DRIVABLE for i in range(len(SURFACES))])  # by surface
ONE = np.float32(1.0)


@kernel(inline=True)
def surface_at(x, y, m, bank):  # type: ignore[no-untyped-def]
    """Index into SURFACES of the ground of map m at (x, y) [m]; 0 (offmap) beyond it."""
    scale = ONE / bank.surface_texel[m]
    column = int(np.floor((x - bank.ground_origin[m, 0]) * scale))
    row = int(np.floor((y - bank.ground_origin[m, 1]) * scale))
    found = np.int32(0)
    if 0 <= row < bank.surface_shape[m, 0] and 0 <= column < bank.surface_shape[m, 1]:
        found = np.int32(bank.surface[bank.surface_start[m] + row * bank.surface_shape[m, 1] + column])
    return found


@kernel(inline=True)
def wheels_off(x, y, cos, sin, wheelbase, width, m, bank, drivable):  # type: ignore[no-untyped-def]
    """How many of the four wheels stand off the drivable surface."""
    off = 0
    surface, start = bank.surface, bank.surface_start[m]
    rows, columns = bank.surface_shape[m, 0], bank.surface_shape[m, 1]
    scale = ONE / bank.surface_texel[m]
    x0, y0 = bank.ground_origin[m, 0], bank.ground_origin[m, 1]
    for axle in range(2):
        along = wheelbase * np.float32(axle)
        for side in range(2):
            across = width * WHEEL_INSET * np.float32(2 * side - 1)
            column = int(np.floor((x + along * cos - across * sin - x0) * scale))
            row = int(np.floor((y + along * sin + across * cos - y0) * scale))
            if row < 0 or row >= rows or column < 0 or column >= columns:
                off += 1
            elif not drivable[surface[start + row * columns + column]]:
                off += 1
    return off
