"""Constants of physics and units."""

from __future__ import annotations

import math

GRAVITY = 9.81  # [m/s^2]
RAD = math.pi / 180.0  # [rad] in a degree
