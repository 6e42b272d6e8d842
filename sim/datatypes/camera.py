"""The camera's settings: image size, field of view and mounting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from sim.core.ranges import Range, check_ranges


@dataclass(frozen=True)
class Camera:
    """A pinhole camera on ego, without roll.

    Args:
        width, height: image size [px].
        fov: horizontal field of view [deg], as CARLA's camera has it.
        forward, left, up: mount, from the rear axle on the ground [m].
        pitch: nose up [deg]; yaw: to the left [deg].
    """

    width: Annotated[int, Range(1, 8192)] = 96
    height: Annotated[int, Range(1, 8192)] = 64
    fov: Annotated[float, Range(0, 180, above=True, below=True)] = 100.0
    forward: float = 1.6
    left: float = 0.0
    up: float = 1.5
    pitch: Annotated[float, Range(-90, 90)] = -4.0
    yaw: Annotated[float, Range(-360, 360)] = 0.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_ranges(self)
