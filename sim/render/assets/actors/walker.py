"""The mesh of a pedestrian: a billboard with the picture of the side that is seen."""

from __future__ import annotations

from sim.actors.registry import BODIES
from sim.render.assets.figures import WALKER_SIZE, walker_name
from sim.render.assets.mesh import ActorMesh, Face, card, register_mesh
from sim.render.assets.variants import POSES, WALKER_SIDES


def _walker(variant: int) -> list[Face]:
    """A pedestrian seen from one of WALKER_SIDES sides, in one of POSES and OUTFITS."""
    dressed, turn = divmod(variant, WALKER_SIDES)
    return card(*walker_name(*divmod(dressed, POSES), turn), WALKER_SIZE[0] / 2 / BODIES["walker"].width)


register_mesh(ActorMesh("walker", _walker, posing="walking"))
