"""Rotating lidar: rays against boxes, pillars and the ground, all at one moment, without noise.

Every object is one or two upright boxes or pillars (`sim.actors.solids`), so the ground track of a ray crosses it
between two distances that all channels share, and each channel only checks its height there.  Only the rays that may
hit an object are tested against it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.actors.signs import SIGN
from sim.actors.solids import ROUND, THICK, X0, X1, Y0, Y1, Z0, Z1, solids
from sim.actors.tags import TAG_OF_CODE, TAG_OF_KIND, TAGS
from sim.core.constants import RAD
from sim.core.geometry import TAU
from sim.core.kernel import kernel, parallel_for
from sim.datatypes.world_state import World
from sim.render.signs import signs_in
from sim.road.map.map_batch import MapBatch
from sim.road.map.scenery_item import scenery_item
from sim.road.map.surface import raster_at
from sim.sensors.base import Field, register

_F = np.float32
_0, _1, _HALF = _F(0.0), _F(1.0), _F(0.5)


@kernel
def _solid(o, boxes, tag, px, py, co, so, length, width, height, up, ways, slopes, limit, more, who, among):
    """Intersect the rays with one object: shorten those that hit it.

    Args:
        o: (C, R, 2) float32, changed. more: (C, R, 2) for `who`, the actor row, and the incidence cosine, or None.
        boxes: (2, 7) of its kind. among: (2,) first and last ray that may hit it, or None for one full turn from ahead.
        px, py: its centre ahead and to the left of the sensor [m]. co, so: of its yaw relative to the sensor's.
        ways: (2, R) cosine and sine of the rays. slopes: (2, C) tangent and 1 / cosine of the channels.
    """
    distance = math.sqrt(px * px + py * py)
    reach = _HALF * math.sqrt(length * length + width * width) * _F(1.2)
    if distance - reach > limit:
        return
    rays = ways.shape[1]
    first, last = np.int32(0), np.int32(rays)
    if among is not None:
        first, last = among[0], among[1]
    elif distance > reach:
        half, middle = math.asin(reach / distance), math.atan2(py, px)
        first = np.int32(math.floor((middle - half) / TAU * np.float32(rays)))
        last = min(np.int32(math.ceil((middle + half) / TAU * np.float32(rays))) + 1, first + rays)
    ex, ey = -(px * co + py * so), px * so - py * co  # the sensor in the object's frame
    for n in range(first, last):
        r = (n + rays) % rays
        wx, wy = ways[0, r] * co + ways[1, r] * so, ways[1, r] * co - ways[0, r] * so
        ix = _1 / wx if abs(wx) > _F(1e-9) else _F(1e9)
        iy = _1 / wy if abs(wy) > _F(1e-9) else _F(1e9)
        for q in range(2):
            z0, z1 = boxes[q, Z0] * height, boxes[q, Z1] * height
            if z1 <= z0:
                continue
            ax, bx = (boxes[q, X0] * length - ex) * ix, (boxes[q, X1] * length - ex) * ix
            ay, by = (boxes[q, Y0] * width - ey) * iy, (boxes[q, Y1] * width - ey) * iy
            enter, leave = max(min(ax, bx), min(ay, by)), min(max(ax, bx), max(ay, by))
            if boxes[q, ROUND] > _0:
                along, radius = -(ex * wx + ey * wy), boxes[q, Y1] * width
                square = along * along + radius * radius - ex * ex - ey * ey
                if square < _0:
                    continue
                enter, leave = along - math.sqrt(square), along + math.sqrt(square)
            if enter > leave or enter <= _0:
                continue
            for c in range(o.shape[0]):
                slope, hit = slopes[0, c], enter
                z = up + enter * slope
                if z > z1:
                    hit = (z1 - up) / slope if slope < _0 else leave + _1
                elif z < z0:
                    hit = (z0 - up) / slope if slope > _0 else leave + _1
                if hit <= leave and hit * slopes[1, c] < o[c, r, 0]:
                    o[c, r, 0], o[c, r, 1] = hit * slopes[1, c], tag
                    if more is not None:
                        if hit != enter:  # its top or its underside
                            against = abs(slope)
                        elif boxes[q, ROUND] > _0:
                            against = (leave - enter) / (_F(2.0) * boxes[q, Y1] * width)
                        else:
                            against = abs(wx) if min(ax, bx) >= min(ay, by) else abs(wy)
                        more[c, r, 0], more[c, r, 1] = np.float32(who), against / slopes[1, c]


@kernel
def _meet(o, boxes, tag, px, py, co, so, length, width, height, up, ways, slopes, limit, more, who, sweep):
    """As `_solid`, for rays that cover any part of a turn.

    Args:
        sweep: (2,) azimuth of ray 0 [rad] and rays per radian, or None for one full turn from ahead.
    """
    if sweep is None:
        _solid(o, boxes, tag, px, py, co, so, length, width, height, up, ways, slopes, limit, None, who, None)
        return
    distance = math.sqrt(px * px + py * py)
    reach = _HALF * math.sqrt(length * length + width * width) * _F(1.2)
    if distance - reach > limit:
        return
    rays, circle = np.float32(ways.shape[1]), TAU * abs(sweep[1])
    start, spread = _0, rays
    if distance > reach:
        spread = _F(2.0) * math.asin(reach / distance) * abs(sweep[1])
        start = (math.atan2(py, px) - sweep[0]) * sweep[1] - _HALF * spread
        start -= circle * (math.floor(start / circle) + _1)
    among = np.empty(2, np.int32)
    while start < rays:
        among[0] = max(np.int32(math.floor(start)), np.int32(0))
        among[1] = min(np.int32(math.ceil(start + spread)) + 1, np.int32(rays))
        _solid(o, boxes, tag, px, py, co, so, length, width, height, up, ways, slopes, limit, more, who, among)
        start += circle if distance > reach else rays


@kernel
def _scan(first, stop, out, mount, limit, ways, slopes, boxes, of_kind, of_code, floor, bank, world,
          sign_row, panel, also, sweep):  # fmt: skip
    """Scan worlds first .. stop; also: (B, C, R, 2) as `more` of `_solid`; sweep: as in `_meet`; or both None."""
    channels, rays = out.shape[1], out.shape[2]
    board = np.zeros((2, 7), np.float32)
    board[0, :4] = boxes[SIGN, 0, :4]
    board[0, 5] = _1
    for w in range(first, stop):
        o, m = out[w], world.map[w]
        e = o if also is None else also[w]
        yaw, up = world.yaw[w, 0], mount[2]
        ch, sh = math.cos(yaw), math.sin(yaw)
        x = world.x[w, 0] + ch * mount[0] - sh * mount[1]
        y = world.y[w, 0] + sh * mount[0] + ch * mount[1]
        px, py = x - floor.origin[m, 0], y - floor.origin[m, 1]
        code, start, scale = floor.code, floor.start[m], _1 / floor.texel[m]
        rows, columns = floor.shape[m, 0], floor.shape[m, 1]
        for c in range(channels):
            flat = -up / slopes[0, c] if slopes[0, c] < _F(-1e-6) else _F(1e9)
            for r in range(rays):
                o[c, r, 0], o[c, r, 1] = limit, _0
                if flat * slopes[1, c] < limit:
                    gx = px + flat * (ch * ways[0, r] - sh * ways[1, r])
                    gy = py + flat * (sh * ways[0, r] + ch * ways[1, r])
                    under = of_code[raster_at(gx, gy, code, start, rows, columns, scale)]
                    o[c, r, 0], o[c, r, 1] = flat * slopes[1, c], np.float32(under)
                if also is not None:
                    e[c, r, 0], e[c, r, 1] = _0, abs(slopes[0, c]) / slopes[1, c]
        for i in range(1, world.kind.shape[1]):
            k = world.kind[w, i]
            if k == SIGN:  # the sign's slot is its post; the panel is a separate thin box
                n = sign_row[w, i]
                turn = world.yaw[w, i] - yaw
                centre = _HALF * world.length[w, i] - world.overhang[w, i]
                dx = world.x[w, i] + centre * math.cos(world.yaw[w, i]) - x
                dy = world.y[w, i] + centre * math.sin(world.yaw[w, i]) - y
                top = panel[n, 1] + panel[n, 2]
                board[0, 4] = panel[n, 2] / top
                _meet(o, board, np.float32(of_kind[k]), dx * ch + dy * sh, dy * ch - dx * sh, math.cos(turn),
                       math.sin(turn), THICK, panel[n, 0], top, up, ways, slopes, limit,
                       e, i, sweep)  # fmt: skip
            if k > 0:
                co, so = math.cos(world.yaw[w, i]), math.sin(world.yaw[w, i])
                centre = _HALF * world.length[w, i] - world.overhang[w, i]
                dx, dy = world.x[w, i] + centre * co - x, world.y[w, i] + centre * so - y
                _meet(o, boxes[k], np.float32(of_kind[k]), dx * ch + dy * sh, dy * ch - dx * sh, co * ch + so * sh,
                       so * ch - co * sh, world.length[w, i], world.width[w, i], world.height[w, i], up, ways, slopes,
                       limit, e, i, sweep)  # fmt: skip
        for i in range(bank.scenery_start[m], bank.scenery_start[m + 1]):
            it = scenery_item(bank.scenery, i)
            if it.kind > 0:
                dx, dy, turn = it.x - x, it.y - y, it.yaw - yaw
                _meet(o, boxes[it.kind], np.float32(of_kind[it.kind]), dx * ch + dy * sh, dy * ch - dx * sh,
                       math.cos(turn), math.sin(turn), it.length, it.width, it.height, up, ways, slopes, limit,
                       e, 0, sweep)  # fmt: skip


def azimuths(rays: int) -> np.ndarray:
    """(R,) azimuth of every ray [rad]: ray 0 points ahead, the next ones follow to the left through a full turn."""
    return np.arange(rays) * (2.0 * np.pi / rays)


def elevations(channels: int, lower: float, upper: float) -> np.ndarray:
    """(C,) elevation of every channel [rad]: channel 0 is the highest."""
    return np.linspace(upper, lower, channels) * RAD if channels > 1 else np.array([0.5 * (upper + lower) * RAD])


def scan(maps: MapBatch, world: World, rays: int, channels: int, reach: float, angles: tuple[float, float],
         mount: tuple[float, float, float], *, threads: int = 1) -> np.ndarray:  # fmt: skip
    """Lidar scan: (B, C, R, 2) float32, distance [m] and tag (`sim.actors.tags.TAGS`) of every ray's first hit.

    A tag of 0 (Unlabeled) means no return: the distance is then `reach`. The lidar does not see ego.

    Args:
        rays: R, evenly over a full turn, see `azimuths`. channels: C, see `elevations`.
        reach: range; farther surfaces give no return [m].
        angles: lowest and highest elevation [deg].
        mount: forward, left, up of the rear axle on the ground [m].
    """
    out = np.empty((len(world.tick), channels, rays, 2), np.float32)
    _cast(maps, world, out, azimuths(rays), elevations(channels, *angles), reach, mount, threads)
    return out


def scan_sector(maps: MapBatch, world: World, first: float, step: float, rays: int, channels: int, reach: float, angles:
                tuple[float, float], mount: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """As `scan`, but over part of a turn, or more than one, and with the actor that each ray hits.

    Args:
        first, step: azimuth of ray 0, and from one ray to the next, not 0 [rad]; a negative step goes to the right.

    Returns:
        (B, C, R, 2) as from `scan`, and (B, C, R, 2) float32: row of the actor, 0 for ground, scenery and no hit; and
        the cosine between the ray and the surface's normal.
    """
    out, also = np.empty((2, len(world.tick), channels, rays, 2), np.float32)
    turning = np.array([first, 1.0 / step], np.float32)
    azimuth = first + np.arange(rays) * step
    _cast(maps, world, out, azimuth, elevations(channels, *angles), reach, mount, 1, also, turning)
    return out, also


def _cast(maps: MapBatch, world: World, out: np.ndarray, azimuth: np.ndarray, elevation: np.ndarray, reach: float,
          mount: tuple[float, float, float], threads: int, also: np.ndarray | None = None,
          turning: np.ndarray | None = None) -> None:  # fmt: skip
    ways = np.stack([np.cos(azimuth), np.sin(azimuth)]).astype(np.float32)
    slopes = np.stack([np.tan(elevation), 1.0 / np.cos(elevation)]).astype(np.float32)
    place, limit = np.array(mount, np.float32), np.float32(reach)
    bank = maps.arrays
    signs, sign_row = signs_in(world)

    def run(first: int, stop: int) -> None:
        _scan(first, stop, out, place, limit, ways, slopes, solids(), TAG_OF_KIND, TAG_OF_CODE, maps.surface_raster,
              bank, world, sign_row, signs.panel, also, turning)  # fmt: skip

    parallel_for(run, len(out), threads)


@register("lidar", {
    "rays": (1, 4096), "channels": (1, 256), "range": (1.0, 500.0), "lower": (-80.0, 80.0), "upper": (-80.0, 80.0),
    "forward": (-50.0, 50.0), "left": (-10.0, 10.0), "up": (0.06, 100.0),
})  # fmt: skip
@dataclass(frozen=True)
class Lidar:
    """Rotating lidar on the roof: (C, R, 2) float32, distance [m] and tag, 0 where nothing came back.

    See `sim.sensors.lidar.scan`.

    Args:
        rays: R, over a full turn; channels: C, from `upper` down to `lower` [deg].
        range: farther surfaces give no return [m].
        forward, left, up: mount, from the rear axle on the ground [m].
    """

    rays: int = 360
    channels: int = 8
    range: float = 50.0
    lower: float = -25.0
    upper: float = 5.0
    forward: float = 1.35
    left: float = 0.0
    up: float = 1.8

    def __post_init__(self) -> None:
        if self.lower > self.upper:
            raise ValueError(f"lower is {self.lower} and upper {self.upper}; lower may not lie above upper")

    def field(self) -> Field:
        """Distances to `range`, tags to the last one."""
        shape = (self.channels, self.rays, 2)
        high = np.empty(shape, np.float32)
        high[..., 0], high[..., 1] = self.range, len(TAGS) - 1
        return Field(shape, np.float32, np.zeros(shape, np.float32), high)

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """(B, C, R, 2) float32."""
        angles, mount = (self.lower, self.upper), (self.forward, self.left, self.up)
        return scan(maps, world, self.rays, self.channels, self.range, angles, mount, threads=threads)
