"""Bird's-eye view of the surroundings of ego as binary masks, for planners and critics.

Ego's heading is up and its left is left. The route is left out on purpose: a route mask would give the learner the
hidden rule's answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.actors.signs import SIGN
from sim.actors.tags import PAINTED
from sim.core.kernel import kernel, parallel_for
from sim.datatypes.vocabulary import SURFACE
from sim.datatypes.world_state import World
from sim.road.map.map_batch import MapBatch
from sim.road.map.surface import DRIVES
from sim.sensors.base import Field, register

MASKS: tuple[str, ...] = ("drivable", "marking", "junction", "ego", "actors")
_F = np.float32
_0, _1, _HALF = _F(0.0), _F(1.0), _F(0.5)
_ON, _OFF = np.uint8(255), np.uint8(0)
_CLASS, _PAINTED = np.uint8(PAINTED - 1), np.uint8(PAINTED)
_JUNCTION = SURFACE["junction"]
_MOST_LOOKS = 3  # most samples across a pixel in search of lane markings


@kernel(inline=True)
def _box(o, c, size, top, ahead, left, co, so, length, width):
    """Draw an oriented box into mask c; its centre is `ahead` and `left` of ego [m].

    size: metres per pixel. top: metres ahead of ego at the picture's upper edge.
    """
    high, wide = o.shape[0], o.shape[1]
    reach = _HALF * math.sqrt(length * length + width * width)
    middle = _HALF * np.float32(wide) * size
    v0, v1 = np.int32(math.floor((top - ahead - reach) / size)), np.int32(math.ceil((top - ahead + reach) / size))
    u0, u1 = np.int32(math.floor((middle - left - reach) / size)), np.int32(math.ceil((middle - left + reach) / size))
    for v in range(max(v0, 0), min(v1 + 1, high)):  # type: ignore[call-overload]
        dx = top - (np.float32(v) + _HALF) * size - ahead
        for u in range(max(u0, 0), min(u1 + 1, wide)):  # type: ignore[call-overload]
            dy = middle - (np.float32(u) + _HALF) * size - left
            if abs(dx * co + dy * so) <= _HALF * length and abs(dy * co - dx * so) <= _HALF * width:
                o[v, u, c] = _ON


@kernel
def _draw(first, stop, out, size, forward, floor, drives, world):
    high, wide = out.shape[1], out.shape[2]
    top, middle = forward + _HALF * np.float32(high) * size, _HALF * np.float32(wide) * size
    for w in range(first, stop):
        o, m = out[w], world.map[w]
        x, y, yaw = world.x[w, 0], world.y[w, 0], world.yaw[w, 0]
        ch, sh = math.cos(yaw), math.sin(yaw)
        px, py = x - floor.origin[m, 0], y - floor.origin[m, 1]
        code, start, scale = floor.code, floor.start[m], _1 / floor.texel[m]
        rows, columns = floor.shape[m, 0], floor.shape[m, 1]
        looks = 1
        while looks < _MOST_LOOKS and np.float32(looks) < size * scale:
            looks += 1
        part = size / np.float32(looks)
        edge = _HALF * (part - size)
        for v in range(high):
            ahead = top - (np.float32(v) + _HALF) * size
            for u in range(wide):
                left = middle - (np.float32(u) + _HALF) * size
                gx, gy = px + ch * ahead - sh * left, py + sh * ahead + ch * left
                # the look-up is written inline: a helper that takes an array costs reference counting at every call
                i, j = np.int32(math.floor(gx * scale)), np.int32(math.floor(gy * scale))
                s = code[start + j * columns + i] & _CLASS if 0 <= i < columns and 0 <= j < rows else _OFF
                drivable, paint = drives[s], _OFF
                if drivable:  # a marking is thinner than a pixel: any part of it counts
                    for k in range(looks):
                        da = edge + np.float32(k) * part
                        qx, qy = gx + ch * da, gy + sh * da
                        for q in range(looks):
                            dl = edge + np.float32(q) * part
                            i, j = np.int32((qx - sh * dl) * scale), np.int32((qy + ch * dl) * scale)
                            if 0 <= i < columns and 0 <= j < rows:
                                paint |= code[start + j * columns + i] & _PAINTED
                o[v, u, 0] = _ON if drivable else _OFF
                o[v, u, 1] = _ON if paint else _OFF
                o[v, u, 2] = _ON if s == _JUNCTION else _OFF
                o[v, u, 3] = o[v, u, 4] = _OFF
        for n in range(world.kind.shape[1]):
            if world.kind[w, n] <= 0 or world.kind[w, n] == SIGN:
                continue
            co, so = math.cos(world.yaw[w, n]), math.sin(world.yaw[w, n])
            centre = _HALF * world.length[w, n] - world.overhang[w, n]  # a pose is that of the rear axle
            dx, dy = world.x[w, n] + centre * co - x, world.y[w, n] + centre * so - y
            _box(o, 3 if n == 0 else 4, size, top, dx * ch + dy * sh, dy * ch - dx * sh, co * ch + so * sh,
                 so * ch - co * sh, world.length[w, n], world.width[w, n])  # fmt: skip


def birdseye_image(
    maps: MapBatch, world: World, width: int, height: int, metres: float, forward: float, *, threads: int = 1
) -> np.ndarray:
    """Render the bird's-eye masks: (B, H, W, 5) uint8 in the order of MASKS, 255 where a mask holds.

    Args:
        width, height: [px].
        metres: extent of the width [m].
        forward: distance of the picture's middle ahead of ego's rear axle [m].
    """
    out = np.empty((len(world.tick), height, width, len(MASKS)), np.uint8)
    floor = maps.surface_raster
    size, ahead = np.float32(metres / width), np.float32(forward)
    parallel_for(lambda a, b: _draw(a, b, out, size, ahead, floor, DRIVES, world), len(out), threads)
    return out


@register("birdseye", {"width": (2, 4096), "height": (2, 4096), "metres": (1.0, 500.0), "forward": (-50.0, 50.0)})
@dataclass(frozen=True)
class Birdseye:
    """Bird's-eye masks about ego: (H, W, 5) uint8, 0 or 255: drivable, marking, junction, ego, actors.

    The route is not among them: it would reveal the rule.

    Args:
        width, height: [px]; metres: extent of the width [m].
        forward: distance of the middle ahead of ego's rear axle [m].
    """

    width: int = 96
    height: int = 96
    metres: float = 40.0
    forward: float = 8.0

    def field(self) -> Field:
        """0 or 255."""
        return Field((self.height, self.width, len(MASKS)), np.uint8, 0, 255)

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """(B, H, W, 5) uint8."""
        return birdseye_image(maps, world, self.width, self.height, self.metres, self.forward, threads=threads)
