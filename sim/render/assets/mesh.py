"""The declaration of a mesh: convex faces in a unit box, and the register that the files of `actors` enter.

The box is scaled to each object's length, width and height. Its frame: x forward and y left from -1/2 to 1/2, z up from
0 to 1. A face has up to four corners and, independent of them, a frame for its texture: an origin and two edges, s to
the right and t downwards as seen from outside. With separate frames a trapezoid or a triangle cuts its outline from an
unsheared texture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from sim.actors.registry import KIND
from sim.core.errors import known_names
from sim.render.assets.canvas import Picture
from sim.render.assets.variants import (
    FACING,
    MIRRORED,
    OUTFITS,
    PEDALS,
    POSES,
    RIDER_SIDES,
    STYLES,
    TWO_SIDED,
    WALKER_SIDES,
)

Point = tuple[float, float, float]
Face = tuple[list[float], tuple[str, int]]  # a row of `sim.render.assets.meshes.Meshes.shape`, its texture and flags
# How an object's variant is chosen, see `sim.render.objects.variant_of` -> the number of variants.
POSING: dict[str, int] = {
    "one": 1,  # it has one
    "styled": STYLES,  # by its appearance
    "walking": OUTFITS * POSES * WALKER_SIDES,  # a figure, by the side that is seen, its way and its clothes
    "pedalling": PEDALS * RIDER_SIDES,  # a figure, by the side that is seen and its way
    "riding": RIDER_SIDES,  # a figure, by the side that is seen
}


@dataclass(frozen=True)
class ActorMesh:
    """The declaration of the mesh of a kind.

    Args:
        kind: one of `sim.actors.registry.KINDS`.
        faces: variant -> its faces.
        posing: how the variant is chosen, one of POSING.
        reach: distance beyond which it is not drawn [m].
        walls: whether an appearance below 256 is a colour of walls.
        pictures: textures of its own, besides those of `sim.render.assets.textures`: name -> function that draws it.
        thin: whether these would vanish in coarse levels, such as figures and poles.
    """

    kind: str
    faces: Callable[[int], list[Face]]
    posing: str = "one"
    reach: float = 110.0
    walls: bool = False
    pictures: Mapping[str, Callable[[np.random.Generator], Picture]] = field(default_factory=dict)
    thin: bool = False


DECLARED: dict[str, ActorMesh] = {}  # filled by `register_mesh`


def register_mesh(mesh: ActorMesh) -> ActorMesh:
    """Enter a mesh in the register.

    Raises:
        ValueError: for an unknown kind or posing, and for a kind that has a mesh.
    """
    if mesh.kind not in KIND or mesh.kind in DECLARED:
        free = known_names(kind for kind in KIND if kind not in DECLARED)
        raise ValueError(f"a mesh is of the kind {mesh.kind!r}; known without a mesh are {free}")
    if mesh.posing not in POSING:
        raise ValueError(f"the mesh of {mesh.kind!r} has posing {mesh.posing!r}; known are {known_names(POSING)}")
    DECLARED[mesh.kind] = mesh
    return mesh


def face(texture: str, corners: list[Point], frame: tuple[Point, Point, Point] | None = None, flags: int = 0,
          metres: tuple[float, float] = (0.0, 0.0)) -> Face:  # fmt: skip
    """One face; corners run top left, top right, bottom right, bottom left as seen from outside.

    Args:
        frame: the corners top left, top right and bottom left of the texture; default: those of the face.
    """
    a, b, d = frame or (corners[0], corners[1], corners[3])
    edges = [*a, *(q - p for p, q in zip(a, b)), *(q - p for p, q in zip(a, d))]
    return [v for c in corners for v in c] + edges + list(metres), (texture, flags)


def sides(texture: str, x0: float, x1: float, z0: float, z1: float, y: float = 0.5,
           metres: tuple[float, float] = (0.0, 0.0)) -> list[Face]:  # fmt: skip
    """Upright faces on both sides between x0 (rear) and x1 (front); the right one has the mirrored texture."""
    left: list[Point] = [(x1, y, z1), (x0, y, z1), (x0, y, z0), (x1, y, z0)]
    right: list[Point] = [(x0, -y, z1), (x1, -y, z1), (x1, -y, z0), (x0, -y, z0)]
    mirror = (right[1], right[0], right[2])
    return [face(texture, left, metres=metres), face(texture, right, mirror, MIRRORED, metres)]


def front(texture: str, x: float, z0: float, z1: float, y: float = 0.5,
           metres: tuple[float, float] = (0.0, 0.0)) -> Face:  # fmt: skip
    """An upright face at x that is seen from ahead."""
    return face(texture, [(x, -y, z1), (x, y, z1), (x, y, z0), (x, -y, z0)], metres=metres)


def rear(texture: str, x: float, z0: float, z1: float, y: float = 0.5,
          metres: tuple[float, float] = (0.0, 0.0)) -> Face:  # fmt: skip
    """An upright face at x that is seen from behind."""
    return face(texture, [(x, y, z1), (x, -y, z1), (x, -y, z0), (x, y, z0)], metres=metres)


def top(texture: str, x0: float, x1: float, z0: float, z1: float, y0: float = 0.5, y1: float = 0.5) -> Face:
    """A sloped or level face that can be seen from above and behind, from (x0, z0) up or on to (x1, z1)."""
    return face(texture, [(x1, y1, z1), (x1, -y1, z1), (x0, -y0, z0), (x0, y0, z0)])


def card(name: str, mirrored: bool, half: float) -> list[Face]:
    """A billboard that faces the camera; half: its half width over the object's width."""
    left, right = (0.0, half), (0.0, -half)
    corners: list[Point] = [(*left, 1), (*right, 1), (*right, 0), (*left, 0)]
    if not mirrored:
        return [face(name, corners, flags=FACING | TWO_SIDED)]
    return [face(name, corners, ((*right, 1), (*left, 1), (*right, 0)), FACING | TWO_SIDED | MIRRORED)]
