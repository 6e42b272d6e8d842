"""The mesh of a cyclist: a billboard with the picture of the side that is seen."""

from __future__ import annotations

from sim.actors.registry import BODIES
from sim.render.assets.figures import RIDER_SIZE, rider_name
from sim.render.assets.mesh import ActorMesh, Face, card, register_mesh
from sim.render.assets.variants import RIDER_SIDES


def _bicycle(variant: int) -> list[Face]:
    """A cyclist seen from one of RIDER_SIDES sides, in one of PEDALS phases."""
    return card(*rider_name(*divmod(variant, RIDER_SIDES)), RIDER_SIZE[0] / 2 / BODIES["bicycle"].width)


register_mesh(ActorMesh("bicycle", _bicycle, posing="pedalling"))
