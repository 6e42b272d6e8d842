"""Geometry pass: what every pixel shows of objects and signs, from the same geometry as the RGB camera.

A camera that shows something else than light has in its own file a target, declared by `geometry_target` or
`label_target`, and a kernel that calls `draw_world` for each world and writes its reading from the target. The pass
uses the same list of objects (`sim.render.objects.cull`), the same faces and the same rasteriser
(`sim.render.rasterizer`) as `sim.render.rgb`, without light, so that edges coincide with the picture's. The far skyline
is painted on the sky: its depth is FAR.  A light's glow, which the picture spreads over at least a pixel and a half,
has no geometry here.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np

from sim.core.kernel import kernel
from sim.render.kernels import implements
from sim.render.objects import ITEM, cull, draw_objects
from sim.render.poses import camera_pose
from sim.render.rasterizer import (
    Scratch,
    Texture,
    begin_row,
    is_solid,
    light_face,
    new_scratch,
    uses_texture,
    write_pixel,
)
from sim.render.scene import most_objects
from sim.render.signs import Panel, draw_signs, sample_panel

FAR = 1000.0  # [m] depth of the sky and of everything farther: the far plane of CARLA's depth camera

_0, _1, _FAR = np.float32(0.0), np.float32(1.0), np.float32(FAR)


Target = TypeVar("Target", bound=type)


class Buffers(NamedTuple):
    """Working arrays of `draw_world`: the faces' `Scratch`, and the list of objects of `sim.render.objects.cull`."""

    scratch: Scratch
    item: np.ndarray
    order: np.ndarray


@kernel(inline=True, allocates=True)
def new_buffers(scene, height):
    """`Buffers` for pictures of this height."""
    most = most_objects(scene)
    return Buffers(new_scratch(height), np.empty((most, ITEM), np.float32), np.empty(most, np.int32))


@kernel(inline=True)
def draw_world(target, w, view, scene, buffers):
    """Draw the objects and signs of world w into a target, as a camera sees them.

    Args:
        target: of a type declared by `geometry_target` or `label_target`.
        view, scene: `sim.render.rgb.CameraRays` and `sim.render.scene.Scene`.
    """
    target.depth[:] = _0
    pose = camera_pose(scene, w, view.mount)
    count = cull(buffers.item, buffers.order, view.geometry, pose, w, scene)
    draw_objects(target, buffers.item, buffers.order, count, view.geometry, buffers.scratch, scene.mesh,
                 scene.pictures)  # fmt: skip
    draw_signs(target, w, pose, view.geometry, buffers.scratch, scene)


@kernel(inline=True)
def write_depths(o, depth, view):
    """Write the depth of every pixel: (H, W, 1) metres along the view; depth: of a target."""
    for v in range(depth.shape[0]):
        ground = min(view.rows[v, 2], _FAR) if v >= view.horizon else _FAR
        for u in range(depth.shape[1]):
            o[v, u, 0] = _1 / depth[v, u] if depth[v, u] > _0 else ground


# ------------------------------------------------------------------------------- what the rasteriser does for targets


def geometry_target(target: Target) -> Target:
    """Class decorator: declare a NamedTuple to be a target without light.

    It has a field depth, (H, W) float32, inverse depth [1/m], 0 where nothing was drawn. `begin_object` and
    `write_pixel` of `sim.render.rasterizer` need code for it.
    """
    implements(light_face, target)(_unlit)
    implements(uses_texture, target)(_only_of_holes)
    implements(begin_row, target, (Texture, Panel))(_begin_row)
    return target


def label_target(target: Target) -> Target:
    """Class decorator: as `geometry_target`, with a field label, (H, W), in which every object writes a number.

    `begin_object` needs code that returns the number. A label is valid where depth is not 0.
    """
    implements(write_pixel, target, Texture)(_write_label)
    implements(write_pixel, target, Panel)(_write_label_of_sign)
    return geometry_target(target)


def _unlit(target, normal, turned, upright):  # type: ignore[no-untyped-def]
    return None


def _only_of_holes(target):  # type: ignore[no-untyped-def]
    return False


def _begin_row(target, surface, v):  # type: ignore[no-untyped-def]
    return None


def _write_label(target, surface, label, row, v, u, at, steps):  # type: ignore[no-untyped-def]
    if is_solid(surface, at):
        target.depth[v, u], _, _ = at
        target.label[v, u] = label


def _write_label_of_sign(target, surface, label, row, v, u, at, steps):  # type: ignore[no-untyped-def]
    _, _, _, weight = sample_panel(surface, at, steps)
    if weight > _0:
        target.depth[v, u], _, _ = at
        target.label[v, u] = label
