"""Claims about the geometry pass: a target that is declared anywhere is drawn into like those of the sensors."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sim.actors.registry import KIND
from sim.actors.signs import SIGN
from sim.actors.tags import TAG_OF_KIND
from sim.core.kernel import kernel
from sim.datatypes.camera import Camera
from sim.datatypes.episode import SignSpec
from sim.datatypes.simulation import Simulation
from sim.render.kernels import implements
from sim.render.rasterizer import begin_object
from sim.render.rgb import camera_rays
from sim.render.scene import scene_of
from sim.sensors.geometry_pass import draw_world, label_target, new_buffers
from sim.sensors.instance import instance_image
from sim.sensors.semantic import semantic_image
from sim.world.embedded import EmbeddedWorld
from tests.support.worlds import ONCOMING, PARKED, SMALL, episode

FRONT = replace(PARKED, name="front", kind="van", arm="south", lane="inbound", distance=8.0, side=0.5)
BOARD = SignSpec("board", text="STOP HERE", distance=10.0, side=2.5)


@label_target
class KindTarget(NamedTuple):
    depth: np.ndarray
    label: np.ndarray


@implements(begin_object, KindTarget)
def _begin_object(target, kind, appearance, key, actor):  # type: ignore[no-untyped-def]
    return kind


@kernel
def _draw(first, stop, out, view, scene):  # type: ignore[no-untyped-def]
    zb, buffers = np.empty(out.shape[1:], np.float32), new_buffers(scene, out.shape[1])
    for w in range(first, stop):
        draw_world(KindTarget(zb, out[w]), w, view, scene, buffers)


def test_a_camera_of_ones_own_needs_a_target_and_what_its_objects_write() -> None:
    backend = EmbeddedWorld(1, SMALL, Simulation(actors=4))
    backend.reset([episode(actors=(FRONT, ONCOMING), distance=24.0, signs=(BOARD,))])
    camera = Camera(width=96, height=64)
    kinds = np.zeros((1, 64, 96), np.int32)
    _draw(0, 1, kinds, camera_rays(camera), scene_of(backend.maps.arrays, backend.world))
    drawn = kinds > 0
    assert {KIND["van"], KIND["tree"], SIGN} <= set(kinds[drawn].tolist())
    assert (TAG_OF_KIND[kinds] == semantic_image(backend.maps, backend.world, camera)[..., 0])[drawn].all()
    # the kind of every pixel's actor, and no actor where there is scenery
    actor = instance_image(backend.maps, backend.world, camera)[0, ..., 0]
    assert (backend.world.kind[0][actor] == kinds[0])[actor > 0].all() and (actor > 0).sum() > 50
    assert set(kinds[0][actor == 0].tolist()).isdisjoint({KIND["van"], KIND["car"], SIGN})
