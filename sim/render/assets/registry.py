"""The registry of meshes: it imports every file of `sim/render/assets/actors`; which kinds are drawn in which way.

Sets of kinds are bit masks, as in `sim.actors.registry`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping

import sim.render.assets.actors
from sim.actors.registry import KIND, kinds_with
from sim.render.assets.mesh import DECLARED, ActorMesh

for _module in sorted(m.name for m in pkgutil.iter_modules(sim.render.assets.actors.__path__)):
    importlib.import_module(f"sim.render.assets.actors.{_module}")
MESHES: Mapping[str, ActorMesh] = dict(sorted(DECLARED.items(), key=lambda item: KIND[item[0]]))


def _drawn(has: Callable[[ActorMesh], bool]):  # type: ignore[no-untyped-def]
    return kinds_with(lambda kind: kind.name in MESHES and has(MESHES[kind.name]))


STYLED = _drawn(lambda mesh: mesh.posing == "styled")
WALKING = _drawn(lambda mesh: mesh.posing == "walking")
PEDALLING = _drawn(lambda mesh: mesh.posing == "pedalling")
RIDING = _drawn(lambda mesh: mesh.posing == "riding")
FIGURES = WALKING | PEDALLING | RIDING
WALLS = _drawn(lambda mesh: mesh.walls)
