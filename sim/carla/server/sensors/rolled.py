"""Cameras with roll: resample an upright picture from the same place along the same axis.

The renderer's cameras have yaw and pitch. A pinhole that has rolled about its axis sees along every ray what an upright
one sees along it, at the same depth, so its picture is a resampled upright picture that is large enough. Directions are
those of `actors.turned`, in CARLA's frame: an upright picture's rays and a rolled one's differ by that matrix alone.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from sim.carla.server.actors import angles, turned

FINER = 1.5  # pixels of the upright picture for one of the rolled one, along a side
MOST = 1 << 24  # pixels of the upright picture up to which it may be finer
_EXACT = 5  # decimals [deg] below which angles are noise


class Upright(NamedTuple):
    """The upright picture from which a rolled one is resampled.

    Args:
        width, height: [px]. fov: [deg].
        columns, rows: (H, W) float32, the position of every pixel of the rolled picture in it [px].
    """

    width: int
    height: int
    fov: float
    columns: np.ndarray
    rows: np.ndarray

    def look_up(self, picture: np.ndarray, smooth: bool) -> np.ndarray:
        """Return (H, W, C), the rolled picture.

        Args:
            picture: (height, width, C) uint8 or float32, upright.
            smooth: mix neighbours; pixels that are codes must not be mixed.
        """
        way = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
        return cv2.remap(picture, self.columns, self.rows, way, borderMode=cv2.BORDER_REPLICATE)


def attitude(rotation: list[float]) -> tuple[float, float, float]:
    """Return pitch within 90 degrees, yaw and roll of a CARLA rotation, with roll 0 wherever possible.

    Straight up and down a roll is a yaw, and a camera that has pitched over its head is upside down.

    Args:
        rotation: pitch, yaw, roll [deg].
    """
    pitch, yaw, roll = rotation
    roll = round(math.remainder(roll, 360.0), _EXACT)
    if roll == 0.0 and abs(pitch) <= 90.0:
        return round(pitch, _EXACT), yaw, 0.0
    pitch, yaw, roll = angles(turned(rotation))
    return round(pitch, _EXACT), yaw, round(roll, _EXACT)


def upright(width: int, height: int, fov: float, roll: float) -> Upright:
    """Return the upright picture from which a rolled camera's picture is resampled.

    Args:
        width, height: of the rolled picture [px]; fov: of it [deg]; roll: as CARLA has it, clockwise from behind [deg].
    """
    level_from_rolled = turned([0.0, 0.0, roll])[1:, 1:]  # right and up; forward stays
    right = np.arange(width) + 0.5 - 0.5 * width
    up = 0.5 * height - 0.5 - np.arange(height)
    focal = 0.5 * width / math.tan(math.radians(fov) / 2.0)
    wide, high = (float(n) for n in np.abs(level_from_rolled) @ np.array([width, height], float))
    square = roll % 90.0 == 0.0  # then pixels lie on pixels
    finer = 1.0 if square else min(max(math.sqrt(MOST / (wide * high)), 1.0), FINER)
    across, down = (max(2, round(n) if square else math.ceil(n * finer)) for n in (wide, high))
    (rr, ru), (ur, uu) = level_from_rolled * finer
    columns = rr * right[None] + ru * up[:, None] + 0.5 * across - 0.5
    rows = 0.5 * down - 0.5 - (ur * right[None] + uu * up[:, None])
    angle = math.degrees(2.0 * math.atan(0.5 * across / (focal * finer)))
    return Upright(across, down, angle, columns.astype(np.float32), rows.astype(np.float32))
