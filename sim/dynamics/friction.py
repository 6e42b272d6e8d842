"""Wetness of the road, from which tyre friction follows."""

from __future__ import annotations

import numpy as np

from sim.core.geometry import clamp01
from sim.core.kernel import kernel

_F = np.float32
_1 = _F(1.0)
_PERCENT = _F(0.01)


@kernel(inline=True)
def surface_dampness(weather):
    """How damp the road looks between its puddles, 0..1, from wetness and precipitation."""
    rain = clamp01(weather[1] * _PERCENT)
    return clamp01(max(weather[9] * _PERCENT, min(_1, _F(1.4) * rain) * _F(0.85)))


@kernel(inline=True)
def wetness_of(weather):
    """Wetness of the road for tyre friction, 0..1, in a weather (14,): its dampness, or more where water stands."""
    return max(surface_dampness(weather), clamp01(weather[2] * _PERCENT))
