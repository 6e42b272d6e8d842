"""The scene that cameras draw: worlds, maps, meshes, textures and signs, as arrays for the kernels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.datatypes.road_map import MapArrays
from sim.datatypes.world_state import World
from sim.render.assets.meshes import Meshes, meshes
from sim.render.assets.textures import Atlas, atlas
from sim.render.kernels import inner_kernel
from sim.render.signs import SignArrays, signs_in


class Scene(NamedTuple):
    """What there is to draw in B worlds. It has few arrays: each costs time in every call of a kernel from Python.

    Args:
        map, x ... speed: of `World`. scenery, scenery_start: of `MapArrays`.
        sign_row: (B, N) int32, row in `signs` of the sign in every slot.
    """

    map: np.ndarray
    x: np.ndarray
    y: np.ndarray
    yaw: np.ndarray
    kind: np.ndarray
    length: np.ndarray
    width: np.ndarray
    height: np.ndarray
    overhang: np.ndarray
    appearance: np.ndarray
    speed: np.ndarray
    scenery: np.ndarray
    scenery_start: np.ndarray
    mesh: Meshes
    pictures: Atlas
    signs: SignArrays
    sign_row: np.ndarray


def scene_of(bank: MapArrays, world: World) -> Scene:
    """The scene of B worlds.

    Raises:
        ValueError: for a sign that was not placed by a backend of this process.
    """
    return Scene(
        world.map, world.x, world.y, world.yaw, world.kind, world.length, world.width, world.height, world.overhang,
        world.appearance, world.speed, bank.scenery, bank.scenery_start, meshes(), atlas(), *signs_in(world),
    )  # fmt: skip


@inner_kernel
def most_objects(scene):
    """Greatest number of objects that a world of the scene can have: actors and scenery."""
    slots, start = scene.kind.shape[1], scene.scenery_start
    most = slots
    for m in range(start.shape[0] - 1):
        most = max(most, slots + start[m + 1] - start[m])
    return most
