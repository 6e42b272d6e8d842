"""One thing that stands on a map, such as a house or a tree, as kernels read it from a row of scenery."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.core.kernel import kernel

_KIND, _X, _Y, _YAW, _LENGTH, _WIDTH, _HEIGHT, _APPEARANCE = range(8)  # SCENERY_COLUMNS


class SceneryItem(NamedTuple):
    """A row of `MapArrays.scenery`: kind i32 (0 or less: none), x, y [m], yaw [rad], size [m] f32, appearance i32."""

    kind: np.int32
    x: np.float32
    y: np.float32
    yaw: np.float32
    length: np.float32
    width: np.float32
    height: np.float32
    appearance: np.int32


@kernel(inline=True)
def scenery_item(scenery, i):  # type: ignore[no-untyped-def]
    """Row i of a scenery (K, 8) f64."""
    return SceneryItem(
        np.int32(scenery[i, _KIND]), np.float32(scenery[i, _X]), np.float32(scenery[i, _Y]),
        np.float32(scenery[i, _YAW]), np.float32(scenery[i, _LENGTH]), np.float32(scenery[i, _WIDTH]),
        np.float32(scenery[i, _HEIGHT]), np.int32(scenery[i, _APPEARANCE]),
    )  # fmt: skip
