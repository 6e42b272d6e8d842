"""Settings of a world: the length of a tick and the number of actors."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Simulation:
    """How time passes.

    Args:
        tick: length of a tick, the time between two actions [s].
        substeps: integration steps in a tick.
        actors: room for actors in every world, ego included; signs and traffic get slots beyond where those are taken.
        slots: so many there are from the start (N), if that is more: where the traffic's number is drawn, room for the
            most of it gives all episodes one shape.
    """

    tick: float = 0.1
    substeps: int = 2
    actors: int = 4
    slots: int = 0
