"""Conversions between CARLA's left-handed frame in degrees and the right-handed frame in radians used here.

CARLA (Unreal) has x forward, y *right*, z up and yaw clockwise in degrees; all other code has x east, y north and yaw
anticlockwise in radians.  The two differ by the sign of y, so each conversion is its own inverse up to units.
Pitch (nose up) keeps its sign; roll changes it, because mirroring y reverses rotations about x and z.  The right-handed
frame is the same as OpenDRIVE's own (x east, y north, heading anticlockwise).
"""

from __future__ import annotations

from typing import Any

import numpy as np

_MIRROR = np.array([1.0, -1.0, 1.0])


def wrap(angle: Any) -> np.ndarray:
    """The same angle in [-pi, pi) [rad]; any shape."""
    return (np.asarray(angle, np.float64) + np.pi) % (2.0 * np.pi) - np.pi


def ours_from_carla_location(location: Any) -> np.ndarray:
    """World position from a CARLA position: (..., 3) or (..., 2) [m], y mirrored."""
    location = np.asarray(location, np.float64)
    return location * _MIRROR[: location.shape[-1]]


def carla_from_ours_location(location: Any) -> np.ndarray:
    """CARLA position from a world position: (..., 3) or (..., 2) [m], y mirrored."""
    return ours_from_carla_location(location)


def ours_from_carla_yaw(yaw: Any) -> np.ndarray:
    """Yaw in radians, anticlockwise, wrapped to [-pi, pi), from CARLA's clockwise degrees (which may exceed 360)."""
    return wrap(-np.deg2rad(np.asarray(yaw, np.float64)))


def carla_from_ours_yaw(yaw: Any) -> np.ndarray:
    """CARLA's yaw, clockwise [deg] in [-180, 180), from a yaw anticlockwise [rad]."""
    return np.rad2deg(wrap(-np.asarray(yaw, np.float64)))


def ours_from_carla_transform(transform: Any) -> tuple[np.ndarray, np.ndarray]:
    """Position and rotation from a `carla.Transform` (or anything with its attributes).

    Returns:
        (3,) x, y, z [m] and (3,) roll, pitch, yaw [rad]: roll positive leans right side down, pitch positive nose up.
    """
    at, turn = transform.location, transform.rotation
    position = ours_from_carla_location([at.x, at.y, at.z])
    roll, pitch = wrap(-np.deg2rad(turn.roll)), wrap(np.deg2rad(turn.pitch))
    return position, np.array([roll, pitch, ours_from_carla_yaw(turn.yaw)])


def carla_from_ours_transform(position: Any, rotation: Any) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of CARLA's location and rotation; the inverse of `ours_from_carla_transform`.

    Args:
        position: (3,) x, y, z [m]; rotation: (3,) roll, pitch, yaw [rad].

    Returns:
        (3,) location x, y, z [m] and (3,) rotation in `carla.Rotation`'s own order: pitch, yaw, roll [deg].
    """
    roll, pitch, yaw = (float(a) for a in np.asarray(rotation, np.float64))
    turn = np.array([np.rad2deg(wrap(pitch)), carla_from_ours_yaw(yaw), np.rad2deg(wrap(-roll))])
    return carla_from_ours_location(position), turn
