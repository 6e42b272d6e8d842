"""The surface of maps: the class of the ground at a point, wheels off the road, and a raster for cameras."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from sim.actors.tags import KERB, PAINT, PAINTED
from sim.core.kernel import kernel
from sim.datatypes.road_map import Ground, MapArrays
from sim.datatypes.vocabulary import DRIVABLE, SURFACES

WHEEL_INSET = np.float32(0.45)  # distance from the middle to a wheel's centre, as a share of the width
DRIVES = np.array([i in DRIVABLE for i in range(len(SURFACES))])  # by surface
ONE = np.float32(1.0)


@kernel(inline=True)
def surface_at(x, y, m, bank):  # type: ignore[no-untyped-def]
    """Index into SURFACES of the ground of map m at (x, y) [m]; 0 (offmap) outside the map."""
    scale = ONE / bank.surface_texel[m]
    column = int(np.floor((x - bank.ground_origin[m, 0]) * scale))
    row = int(np.floor((y - bank.ground_origin[m, 1]) * scale))
    found = np.int32(0)
    if 0 <= row < bank.surface_shape[m, 0] and 0 <= column < bank.surface_shape[m, 1]:
        found = np.int32(bank.surface[bank.surface_start[m] + row * bank.surface_shape[m, 1] + column])
    return found


@kernel(inline=True)
def wheels_off_road(x, y, cos, sin, wheelbase, width, m, bank, drivable):  # type: ignore[no-untyped-def]
    """The number of the four wheels that are off the drivable surface."""
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


class SurfaceRaster(NamedTuple):
    """The surface class of every texel of the finest ground image of every map, and whether the texel is painted.

    Args:
        code: (X,) uint8, index into SURFACES, and PAINTED where there is a road marking.
        start: (M,) int64, first texel of a map. shape: (M, 2) int32 rows, columns.
        texel: (M,) float32 [m]. origin: (M, 2) float32, the lower corner [m].
    """

    code: np.ndarray
    start: np.ndarray
    shape: np.ndarray
    texel: np.ndarray
    origin: np.ndarray

    @classmethod
    def of(cls, codes: Sequence[np.ndarray], bank: MapArrays) -> SurfaceRaster:
        """The raster of all maps of a batch from the `surface_codes` of each."""
        start = np.cumsum([0, *(c.size for c in codes)])[:-1].astype(np.int64)
        code = np.concatenate([c.ravel() for c in codes] or [np.zeros(0, np.uint8)])
        shape = np.array([c.shape for c in codes], np.int32).reshape(-1, 2)
        return cls(code, start, shape, bank.ground_texel, bank.ground_origin)


def surface_codes(ground: Ground) -> np.ndarray:
    """(H, W) uint8: the codes of a `SurfaceRaster` for one map."""
    red = ground.levels[0][..., 0]
    rows, columns = (
        np.minimum((np.arange(n) + 0.5) * ground.texel / ground.surface_texel, most - 1).astype(int)
        for n, most in zip(red.shape, ground.surface.shape)
    )
    classes = ground.surface[rows[:, None], columns]
    reach = 2 * math.ceil(KERB / ground.texel) + 1
    within = cv2.erode(DRIVES[classes].view(np.uint8), np.ones((reach, reach), np.uint8))
    return classes | np.where((red > PAINT) & (within > 0), np.uint8(PAINTED), np.uint8(0))


@kernel(inline=True)
def raster_at(px, py, code, first, rows, columns, scale):
    """The code of the ground at px, py metres from a map's corner; 0 (offmap) outside it. scale: texels per metre."""
    i, j = np.int32(math.floor(px * scale)), np.int32(math.floor(py * scale))
    if i < 0 or j < 0 or i >= columns or j >= rows:
        return np.uint8(0)
    return code[first + np.int64(j) * columns + i]
