"""The way out that ego takes; `sim.world.step` detects it."""

from __future__ import annotations

from sim.world.decisions.base import DecisionKind, register

TURN = register(DecisionKind("junction", (), None, "the way out that ego takes", control="steering"))
