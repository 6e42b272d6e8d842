"""Viewport: maps metres of the world to pixels of a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Viewport:
    """The piece of the world that a top-down picture shows.

    Args:
        centre: world x, y in the middle [m].
        span: metres from the left to the right edge.
        width, height: of the picture [px].
        up: yaw that points to the top of the picture [rad]; pi/2 for north.
    """

    centre: tuple[float, float]
    span: float
    width: int = 288
    height: int = 288
    up: float = math.pi / 2

    def __post_init__(self) -> None:
        if self.span <= 0 or self.width < 1 or self.height < 1:
            raise ValueError(f"window of {self.width} x {self.height} px spans {self.span} m; all must be above 0")

    @property
    def scale(self) -> float:
        """Pixels per metre."""
        return self.width / self.span

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """World points (n, 2) [m] -> (n, 2) x, y in the picture [px]."""
        away = np.asarray(points, float).reshape(-1, 2) - self.centre
        right, up = self._axes()
        return np.stack([self.width / 2 + self.scale * away @ right, self.height / 2 - self.scale * away @ up], 1)

    def _axes(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array([math.sin(self.up), -math.cos(self.up)]), np.array([math.cos(self.up), math.sin(self.up)])

    def larger(self, factor: int) -> Viewport:
        """The same piece of world, with `factor` times the pixels per side."""
        return Viewport(self.centre, self.span, self.width * factor, self.height * factor, self.up)
