"""Fence: a low fence along a garden; scenery."""

from __future__ import annotations

from sim.actors.base import ActorKind, register

FENCE = register(ActorKind("fence", 8, "Fence", marker="block"))
