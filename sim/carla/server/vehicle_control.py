"""Vehicle physics of a served world: masses, wheels, and Ackermann control as pedals."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.actors.registry import ACTOR_KINDS
from sim.carla.server.actors import Actor

FINAL_RATIO = 4.0  # between the only gear and the wheels


def mass_of(actor: Actor) -> float:
    """Return the mass of an actor [kg]."""
    return float(actor.facts.get("mass", ACTOR_KINDS[actor.body].mass if actor.body in ACTOR_KINDS else 20.0))


def pedals_for(fleet: Any, row: int, control: list[float], dt: float) -> None:
    """Set pedals and steer of a row to reach an Ackermann control in a tick of `dt` [s]."""
    steer, _, speed, acceleration, _ = control
    vehicle = fleet.bodies[row]
    now = float(fleet.world.speed[0, row])
    least = acceleration if acceleration > 0.0 else vehicle.max_acceleration
    asked = (speed - now) / dt
    pull = float(np.clip(asked, -vehicle.max_braking, least))
    backwards = speed < 0.0 or (speed == 0.0 and now < 0.0)
    pedal = -pull if backwards else pull
    fleet.controls["steer"][row] = np.clip(steer / vehicle.max_steer, -1.0, 1.0)
    fleet.controls["throttle"][row] = max(pedal, 0.0) / vehicle.max_acceleration
    fleet.controls["brake"][row] = max(-pedal, 0.0) / vehicle.max_braking
    fleet.changes += 1
    fleet.controls["reverse"][row], fleet.controls["hand_brake"][row] = backwards, False
