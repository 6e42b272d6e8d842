"""Meshes of actors and scenery as flat arrays for the kernels; `sim.render.assets.mesh` says what a mesh is."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from sim.actors.registry import KINDS
from sim.render.assets.mesh import POSING
from sim.render.assets.registry import MESHES
from sim.render.assets.textures import TEXTURE


class Meshes(NamedTuple):
    """The faces of every kind of object as flat arrays.

    Args:
        shape: (Q, 23) float32: four corners, the texture's origin and two edges (x, y, z each); then the metres that
            one repeat of the texture covers along s and t, 0 where the texture is stretched once over its frame.
        what: (Q, 2) int32: texture, flags.
        start: (kinds, most variants + 1) int32: faces of kind k in variant v (`sim.render.objects.variant_of`) are
            start[k, v] .. start[k, v + 1].
        reach: (kinds,) float32: distance beyond which an object of the kind is not drawn [m].
    """

    shape: np.ndarray
    what: np.ndarray
    start: np.ndarray
    reach: np.ndarray


@functools.lru_cache(maxsize=1)
def meshes() -> Meshes:
    """Build the faces of every kind, in all its variants; a kind without a mesh has none."""
    shapes: list[list[float]] = []
    what: list[tuple[int, int]] = []
    start = np.zeros((len(KINDS), max(POSING[mesh.posing] for mesh in MESHES.values()) + 1), np.int32)
    reach = np.zeros(len(KINDS), np.float32)
    for k, kind in enumerate(KINDS):
        start[k] = len(shapes)
        if (mesh := MESHES.get(kind)) is None:
            continue
        reach[k] = mesh.reach
        for variant in range(POSING[mesh.posing]):
            for shape, (texture, flags) in mesh.faces(variant):
                shapes.append(shape)
                what.append((TEXTURE[texture], flags))
            start[k, variant + 1 :] = len(shapes)
    return Meshes(np.array(shapes, np.float32), np.array(what, np.int32), start, reach)
