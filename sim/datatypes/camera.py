"""The camera's settings: image size, field of view and mounting."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Camera:
    """A pinhole camera on ego, without roll.

    Args:
        width, height: image size [px].
        fov: horizontal field of view [deg], as CARLA's camera has it.
        forward, left, up: mount, from the rear axle on the ground [m].
        pitch: nose up [deg]; yaw: to the left [deg].
    """

    width: int = 96
    height: int = 64
    fov: float = 100.0
    forward: float = 1.6
    left: float = 0.0
    up: float = 1.5
    pitch: float = -4.0
    yaw: float = 0.0
