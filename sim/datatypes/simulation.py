"""Settings of a world: the length of a tick and the number of actors."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Simulation:
    """The length of a tick and the number of actor slots of a world.

    Args:
        tick: length of a tick, the time between two actions [s].
        substeps: integration steps in a tick.
        actors: actor slots of every world, ego included; where these are full, signs and traffic get further slots.
        slots: least number of slots (N) from the start: where the amount of traffic is drawn, slots for the largest
            amount give the arrays of all episodes one shape.
    """

    tick: float = 0.1
    substeps: int = 2
    actors: int = 4
    slots: int = 0
