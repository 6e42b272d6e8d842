"""Ray casts through a world: first hits, or all hits, of single rays, as for line-of-sight (occlusion) tests.

The solids are those of `sim.actors.solids`. An upright lidar is much faster with `sim.sensors.lidar.scan`, where all
channels of an azimuth share their ground track.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from sim.actors.signs import SIGN
from sim.actors.solids import ROUND, THICK, X0, X1, Y0, Y1, Z0, Z1, solids
from sim.actors.tags import TAG_OF_CODE, TAG_OF_KIND
from sim.core.kernel import kernel
from sim.datatypes.world_state import World
from sim.render.signs import signs_in
from sim.road.map.map_batch import MapBatch
from sim.road.map.scenery_item import scenery_item
from sim.road.map.surface import raster_at

# Columns of a solid: its centre on the ground, cosine and sine of its yaw, its ends in its own frame [m], radius of a
# pillar or 0, radius of the circle about its centre that encloses it [m], tag, and owner (as in Hits).
_X, _Y, _COS, _SIN, _BACK, _FRONT, _RIGHT, _LEFT, _BOTTOM, _TOP, _PILLAR, _AROUND, _TAG, _OWNER, SOLID = range(15)
_F = np.float32
_0, _1, _HALF, _FAR = _F(0.0), _F(1.0), _F(0.5), _F(1e9)
_LEVEL = _F(1e-6)  # rays that descend less than this never hit the ground


class Hits(NamedTuple):
    """First hits of R rays.

    Args:
        distance: (R,) along the ray [m], the limit where it hits nothing.
        tag: (R,) uint8, see `sim.actors.tags.TAGS`; 0 where it hits nothing.
        owner: (R,) int64: row of the actor; 0 for the ground and for no hit, -1 - i for row i of the scenery.
        cosine: (R,) between the ray and the surface's normal.
    """

    distance: np.ndarray
    tag: np.ndarray
    owner: np.ndarray
    cosine: np.ndarray


@kernel(inline=True)
def _add(out, n, boxes, x, y, yaw, length, width, height, tag, owner, at_x, at_y, reach):
    """Append the solids of an object from row n on, if they lie within reach; return the number so far."""
    dx, dy = x - at_x, y - at_y
    around = _HALF * math.sqrt(length * length + width * width) * _F(1.2)
    near = reach + around
    if dx * dx + dy * dy > near * near:
        return n
    co, so = math.cos(yaw), math.sin(yaw)
    for q in range(2):
        if boxes[q, Z1] > boxes[q, Z0] and n < out.shape[0]:
            s = out[n]
            s[_X], s[_Y], s[_COS], s[_SIN] = x, y, co, so
            s[_BACK], s[_FRONT] = boxes[q, X0] * length, boxes[q, X1] * length
            s[_RIGHT], s[_LEFT] = boxes[q, Y0] * width, boxes[q, Y1] * width
            s[_BOTTOM], s[_TOP] = boxes[q, Z0] * height, boxes[q, Z1] * height
            s[_PILLAR] = boxes[q, Y1] * width if boxes[q, ROUND] > _0 else _0
            s[_AROUND], s[_TAG], s[_OWNER] = around, tag, owner
            n += 1
    return n


@kernel
def _gather(out, x, y, reach, boxes, of_kind, bank, m, world, w, sign_row, panel, scenery):
    """List the solids of world w within reach [m] of a place; return their number."""
    n = 0
    board = np.zeros((2, 7), np.float32)
    board[0, :4] = boxes[SIGN, 0, :4]
    board[0, 5] = _1
    for i in range(1, world.kind.shape[1]):
        k = world.kind[w, i]
        if k <= 0:
            continue
        centre, yaw = _HALF * world.length[w, i] - world.overhang[w, i], world.yaw[w, i]
        ox, oy = world.x[w, i] + centre * math.cos(yaw), world.y[w, i] + centre * math.sin(yaw)
        if k == SIGN:  # the sign's slot is its post; the panel is a separate thin box
            p = sign_row[w, i]
            top = panel[p, 1] + panel[p, 2]
            board[0, 4] = panel[p, 2] / top
            n = _add(out, n, board, ox, oy, yaw, THICK, panel[p, 0], top, np.float32(of_kind[k]), np.float32(i), x, y,
                     reach)  # fmt: skip
        n = _add(out, n, boxes[k], ox, oy, yaw, world.length[w, i], world.width[w, i], world.height[w, i],
                 np.float32(of_kind[k]), np.float32(i), x, y, reach)  # fmt: skip
    if scenery:
        first = bank.scenery_start[m]
        for i in range(first, bank.scenery_start[m + 1]):
            it = scenery_item(bank.scenery, i)
            if it.kind > 0:
                n = _add(out, n, boxes[it.kind], it.x, it.y, it.yaw, it.length, it.width, it.height,
                         np.float32(of_kind[it.kind]), np.float32(first - i - 1), x, y, reach)  # fmt: skip
    return n


@kernel(inline=True)
def _entry(s, ox, oy, oz, wx, wy, wz, swell, limit):
    """Distance along a ray at which it enters a solid [m], and the cosine there; beyond `limit` for no hit.

    Args:
        s: (SOLID,). swell: [m] by which the solid is enlarged on every side.
    """
    dx, dy = ox - s[_X], oy - s[_Y]
    across, around = dx * wy - dy * wx, s[_AROUND] + swell
    flat = wx * wx + wy * wy
    if across * across > around * around * flat and flat > _F(1e-12):
        return _FAR, _0
    ex, ey = dx * s[_COS] + dy * s[_SIN], dy * s[_COS] - dx * s[_SIN]
    vx, vy = wx * s[_COS] + wy * s[_SIN], wy * s[_COS] - wx * s[_SIN]
    against = _0
    if s[_PILLAR] > _0:
        radius = s[_PILLAR] + swell
        outside = ex * ex + ey * ey - radius * radius
        if flat < _F(1e-12):
            enter, leave = (-_FAR, _FAR) if outside < _0 else (_FAR, -_FAR)
        else:
            along = -(ex * vx + ey * vy)
            square = along * along - flat * outside
            if square < _0:
                return _FAR, _0
            root = math.sqrt(square)
            enter, leave = (along - root) / flat, (along + root) / flat
            against = root / radius
    else:
        ix = _1 / vx if abs(vx) > _F(1e-9) else _FAR
        iy = _1 / vy if abs(vy) > _F(1e-9) else _FAR
        ax, bx = (s[_BACK] - swell - ex) * ix, (s[_FRONT] + swell - ex) * ix
        ay, by = (s[_RIGHT] - swell - ey) * iy, (s[_LEFT] + swell - ey) * iy
        nx, ny = min(ax, bx), min(ay, by)
        enter, leave = max(nx, ny), min(max(ax, bx), max(ay, by))
        against = abs(vx) if nx >= ny else abs(vy)
    iz = _1 / wz if abs(wz) > _F(1e-9) else _FAR
    az, bz = (s[_BOTTOM] - swell - oz) * iz, (s[_TOP] + swell - oz) * iz
    nz = min(az, bz)
    if nz > enter:
        enter, against = nz, abs(wz)
    leave = min(leave, max(az, bz))
    if enter > leave or enter <= _0 or enter >= limit:
        return _FAR, _0
    return enter, against


@kernel
def _cast(out, origins, ways, limit, swell, things, count, ground, m, floor, of_code):
    """Write distance, tag, owner and cosine of the first hit of every ray to out (R, 4)."""
    rows, columns, scale = floor.shape[m, 0], floor.shape[m, 1], _1 / floor.texel[m]
    for r in range(origins.shape[0]):
        ox, oy, oz = origins[r, 0], origins[r, 1], origins[r, 2]
        wx, wy, wz = ways[r, 0], ways[r, 1], ways[r, 2]
        best, tag, owner, cosine = limit, _0, _0, _0
        if ground and wz < -_LEVEL and oz > _0 and -oz / wz < limit:
            best, cosine = -oz / wz, -wz
            px, py = ox + best * wx - floor.origin[m, 0], oy + best * wy - floor.origin[m, 1]
            tag = np.float32(of_code[raster_at(px, py, floor.code, floor.start[m], rows, columns, scale)])
        for k in range(count):
            enter, against = _entry(things[k], ox, oy, oz, wx, wy, wz, swell, best)
            if enter < best:
                best, cosine, tag, owner = enter, against, things[k, _TAG], things[k, _OWNER]
        out[r, 0], out[r, 1], out[r, 2], out[r, 3] = best, tag, owner, cosine


@kernel
def _entries(out, origin, way, limit, things, count):
    """Write the distances along one ray at which it enters every solid [m] to out (K,)."""
    for k in range(count):
        out[k], _ = _entry(things[k], origin[0], origin[1], origin[2], way[0], way[1], way[2], _0, limit)


def solids_within(
    maps: MapBatch, world: World, at: np.ndarray, reach: float, w: int = 0, *, scenery: bool = True
) -> np.ndarray:
    """(K, SOLID) float32: the solids of world w within reach [m] of a place (2,) on the ground."""
    bank = maps.arrays
    m = int(world.map[w])
    most = world.kind.shape[1] + int(bank.scenery_start[m + 1] - bank.scenery_start[m])
    out = np.empty((2 * most, SOLID), np.float32)
    signs, sign_row = signs_in(world)
    n = _gather(out, np.float32(at[0]), np.float32(at[1]), np.float32(reach), solids(), TAG_OF_KIND, bank, m, world, w,
                sign_row, signs.panel, scenery)  # fmt: skip
    return out[:n]


def cast_rays(maps: MapBatch, world: World, origins: np.ndarray, ways: np.ndarray, limit: float, w: int = 0, *, swell:
              float = 0.0, ground: bool = True, scenery: bool = True) -> Hits:  # fmt: skip
    """First hits of rays in world w; a ray that starts inside a solid does not hit it.

    Args:
        origins: (R, 3) [m]; ways: (R, 3) unit vectors. limit: range of the rays [m].
        swell: radius of a ball that travels along the ray [m]; at corners the ball is treated as a box.
        ground, scenery: whether rays can hit them.
    """
    origins, ways = np.asarray(origins, np.float32), np.asarray(ways, np.float32)
    middle = 0.5 * (origins.min(0) + origins.max(0)) if len(origins) else np.zeros(3)
    spread = float(np.abs(origins - middle).max()) * 2.0 if len(origins) else 0.0
    things = solids_within(maps, world, middle, limit + spread + swell, w, scenery=scenery)
    out = np.empty((len(origins), 4), np.float32)
    _cast(out, origins, ways, np.float32(limit), np.float32(swell), things, len(things), ground, int(world.map[w]),
          maps.surface_raster, TAG_OF_CODE)  # fmt: skip
    return Hits(out[:, 0], out[:, 1].astype(np.uint8), out[:, 2].astype(np.int64), out[:, 3])


def cast_through(
    maps: MapBatch, world: World, start: np.ndarray, end: np.ndarray, w: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """All objects that a ray from start to end (3,) [m] enters in world w, in order; an object counts once.

    Returns:
        distance: (K,) from the start [m]. tag: (K,) uint8.
    """
    start, end = np.asarray(start, np.float32), np.asarray(end, np.float32)
    length = float(np.linalg.norm(end - start))
    way = (end - start) / np.float32(max(length, 1e-9))
    things = solids_within(maps, world, start, length, w)
    enters = np.empty(len(things), np.float32)
    _entries(enters, start, way, np.float32(length), things, len(things))
    first: dict[float, tuple[float, int]] = {}
    for enter, tag, owner in zip(enters.tolist(), things[:, _TAG], things[:, _OWNER].tolist()):
        if enter < length and (owner not in first or enter < first[owner][0]):
            first[owner] = enter, int(tag)
    floor = np.empty((1, 4), np.float32)
    _cast(floor, start[None], way[None], np.float32(length), _0, things, 0, True, int(world.map[w]),
          maps.surface_raster, TAG_OF_CODE)  # fmt: skip
    if floor[0, 1] > 0.0:
        first[0.0] = float(floor[0, 0]), int(floor[0, 1])
    found = sorted(first.values())
    return np.array([d for d, _ in found]), np.array([t for _, t in found], np.uint8)
