"""Building: a block with a flat roof; scenery."""

from __future__ import annotations

from sim.actors.base import ActorKind, register

BUILDING = register(ActorKind("building", 4, "Building", marker="block"))
