"""Physical constants."""

from __future__ import annotations

import math

GRAVITY = 9.81
RAD = math.pi / 180.0
