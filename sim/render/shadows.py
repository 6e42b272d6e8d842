"""Sun shadows on the ground: the share of sunlight blocked at every ground pixel.

A box that stands on the ground shades its base swept along the light: the part of the plane that lies within three
bands, one along each side of the base and one along the light.  A picture's row cuts every band in an interval, so a
shadow is filled row by row without a polygon.  Shadows do not add up: where two overlap, the deeper one counts.  An
object beside or behind the camera may cast its shadow into view, so all nearby objects are checked, visible or not;
ego casts none, as it is not drawn.  Ground frame of the camera: metres ahead and to the right.
"""

from __future__ import annotations

import math

import numpy as np

from sim.actors.registry import (
    BACK,
    HIGH,
    KIND,
    LENGTH,
    LENGTH_M,
    LOW,
    POLES,
    SHADOWS,
    UPPER_LENGTH,
    UPPER_LENGTH_M,
    UPPER_WIDTH,
    UPPER_WIDTH_M,
    WIDTH,
    WIDTH_M,
)
from sim.actors.signs import SIGN
from sim.core.geometry import clamp01
from sim.core.kernel import kernel
from sim.render import lighting as wx
from sim.render.kernels import inner_kernel
from sim.render.poses import actor_place
from sim.render.tilted_camera import around, behind
from sim.road.map.scenery_item import scenery_item

LONGEST = 25.0  # [m] greatest length of a shadow, however low the sun
_F = np.float32
_0, _1, _2 = _F(0.0), _F(1.0), _F(2.0)
_HALF = _F(0.5)
_LONGEST = _F(LONGEST)
_FAR = _F(80.0)  # [m] ahead, beyond which a shadow is thinner than a row of most pictures
_SMALLEST = _F(2.0)  # [px] least area of a shadow
_LEAST = _F(0.3)  # [rows] least height of a shadow that is drawn
_BLUR = _F(0.06)  # [m] half the width of a shadow's edge
_NEAREST = _F(0.3)  # [m] ahead of the camera
_TREE, _BARRIER = KIND["tree"], KIND["barrier"]  # their shadows have forms of their own
_HOUSING = _F(0.2)  # [m] side of a barrier's post


@kernel(inline=True)
def _rows_of(geometry, horizon, high, near, far):
    """First and last row of the ground between two distances ahead [m]; 0, 0 where the rows are too thin to see."""
    focal, middle, sine, cosine, up = geometry[0], geometry[1], geometry[2], geometry[3], geometry[7]
    near = max(near, _NEAREST - behind(geometry))
    far = max(far, near)
    # a point on the ground at forward distance d appears in row middle + focal * below / depth
    top = middle + focal * (far * sine + up * cosine) / max(far * cosine - up * sine, _F(0.1))
    low = middle + focal * (near * sine + up * cosine) / max(near * cosine - up * sine, _F(0.1))
    if low - top < _LEAST:
        return 0, 0
    limit = np.float32(high)
    first = max(max(horizon, 0), np.int32(min(max(top, _0), limit)))
    return first, min(high, np.int32(min(max(low, _0), limit)) + 1)


@kernel(inline=True)
def _open(shade, touched, v):
    """Clear a row before its first shadow: an untouched row holds the values of an earlier picture."""
    if touched[v] == 0:
        touched[v] = 1
        for u in range(shade.shape[1]):
            shade[v, u] = _0


@kernel(inline=True)
def _share(half, edge):
    """Greatest darkness of a band of this half width [m] where the picture resolves `edge` [m]: less for thin bands."""
    thin = half + edge
    return _2 * _2 * half * edge / (thin * thin) if half < edge else _1


@kernel(inline=True)
def _slope(n):
    """1 / n, or a large number where n is near 0: a band then covers all of a row or none of it."""
    return _1 / n if abs(n) > _F(1e-5) else _F(1e5)


@kernel(inline=True)
def _box(shade, touched, rows, cols, geometry, horizon, x, y, a, b, length, width, sx, sy):
    """Shade a base at (x, y) whose length points to (a, b), swept by (sx, sy), all in the ground frame [m]."""
    high, wide = shade.shape[0], shade.shape[1]
    focal, up = geometry[0], geometry[7]
    x, y = x + _HALF * sx, y + _HALF * sy
    half = _HALF * (abs(a) * length + abs(b) * width + abs(sx))
    first, last = _rows_of(geometry, horizon, high, x - half - _BLUR, x + half + _BLUR)
    if first >= last:
        return
    reach = math.sqrt(sx * sx + sy * sy)
    # nothing to sweep along: the third band is another bound of the base
    nx, ny = (-sy / reach, sx / reach) if reach > _F(1e-3) else (-b, a)
    h0 = _HALF * (length + abs(a * sx + b * sy))
    h1 = _HALF * (width + abs(a * sy - b * sx))
    h2 = _HALF * (abs(a * nx + b * ny) * length + abs(a * ny - b * nx) * width)
    t0, t1, t2 = _slope(b), _slope(a), _slope(ny)
    left = cols[0, 0]
    limit = np.float32(wide)
    for v in range(first, last):
        depth = rows[v, 2]
        across = depth / focal
        along = _HALF * across * depth / up  # half the distance between two rows
        ahead, right = depth * rows[v, 1] - x, left * depth - y
        e0 = _BLUR + abs(b) * _HALF * across + abs(a) * along
        e1 = _BLUR + abs(a) * _HALF * across + abs(b) * along
        e2 = _BLUR + abs(ny) * _HALF * across + abs(nx) * along
        p0, p1, p2 = a * ahead + b * right, a * right - b * ahead, nx * ahead + ny * right
        # where |p + n across u| < h + e, in columns u
        per = _1 / across
        c0, c1, c2 = -p0 * t0 * per, -p1 * t1 * per, -p2 * t2 * per
        r0, r1, r2 = (h0 + e0) * abs(t0) * per, (h1 + e1) * abs(t1) * per, (h2 + e2) * abs(t2) * per
        begin = max(max(c0 - r0, c1 - r1), max(c2 - r2, _0))
        end = min(min(c0 + r0, c1 + r1), min(c2 + r2, limit))
        if begin >= end:
            continue
        _open(shade, touched, v)
        most = _share(h0, e0) * _share(h1, e1) * _share(h2, e2)
        i0, i1, i2 = _HALF / e0, _HALF / e1, _HALF / e2
        g0, g1, g2 = (h0 + e0) * i0, (h1 + e1) * i1, (h2 + e2) * i2
        d0, d1, d2 = b * across * i0, a * across * i1, ny * across * i2
        p0, p1, p2 = p0 * i0, p1 * i1, p2 * i2
        for u in range(np.int32(begin), min(np.int32(end) + 1, wide)):
            f = np.float32(u)
            k = clamp01(g0 - abs(p0 + d0 * f)) * clamp01(g1 - abs(p1 + d1 * f)) * clamp01(g2 - abs(p2 + d2 * f))
            shade[v, u] = max(shade[v, u], k * most)


@kernel(inline=True)
def _crown(shade, touched, rows, cols, geometry, horizon, x, y, a, b, long, wide):
    """Shade an ellipse about (x, y) with half axes `long` along (a, b) and `wide` across it, soft all over [m]."""
    high, columns = shade.shape[0], shade.shape[1]
    focal = geometry[0]
    half = math.sqrt(a * a * long * long + b * b * wide * wide)
    first, last = _rows_of(geometry, horizon, high, x - half, x + half)
    # p = a1 ahead + b1 right, q = a2 ahead + b2 right; p^2 + q^2 is a quadratic of the column
    a1, b1, a2, b2 = a / long, b / long, -b / wide, a / wide
    square = b1 * b1 + b2 * b2
    for v in range(first, last):
        depth = rows[v, 2]
        across = depth / focal
        ahead, right = depth * rows[v, 1] - x, cols[0, 0] * depth - y
        p, q = a1 * ahead + b1 * right, a2 * ahead + b2 * right
        dp, dq = b1 * across, b2 * across
        middle = p * dp + q * dq
        per = _1 / (square * across * across)
        root = middle * middle * per * per - (p * p + q * q - _1) * per
        if root <= _0:
            continue
        root = math.sqrt(root)
        begin, end = max(-middle * per - root, _0), min(-middle * per + root, np.float32(columns))
        if begin >= end:
            continue
        _open(shade, touched, v)
        for u in range(np.int32(begin), min(np.int32(end) + 1, columns)):
            f = np.float32(u)
            pu, qu = p + dp * f, q + dq * f
            shade[v, u] = max(shade[v, u], clamp01((_1 - pu * pu - qu * qu) * _F(2.2)) * _F(0.92))


@kernel(inline=True)
def _matters(geometry, kind, x, y, length, width, tall, fx, fy, flat):
    """Whether an object may cast a shadow of more than a pixel or two into view; arguments as in `_cast`."""
    reach = min(flat * tall, _LONGEST)
    size = length + width
    radius = _HALF * (size + reach)
    ahead, right = x + _HALF * fx * reach, y + _HALF * fy * reach
    if ahead + radius < _NEAREST - around(geometry) or ahead - radius > _FAR + around(geometry):
        return False
    if abs(right) * geometry[5] - ahead * geometry[6] > radius:
        return False
    if POLES >> kind & 1 != 0:
        size = SHADOWS[kind, LENGTH_M] + SHADOWS[kind, WIDTH_M]
    area = reach * size  # the shadow under a box does not count: the box hides it
    if kind == _TREE:
        area = width * (width + _HALF * reach)
    distance = max(ahead, _1)
    return area * geometry[0] * geometry[0] * geometry[7] > _SMALLEST * distance * distance * distance


@kernel(inline=True)
def _cast(shade, touched, rows, cols, geometry, horizon, kind, x, y, a, b, length, width, tall, fx, fy, flat):
    """Draw the shadow of one object into `shade`.

    Args:
        x, y: its middle; a, b: direction of its length.
        fx, fy: direction of the light, of length 1; flat: length of the shadow per metre of height.
    """
    reach = min(flat * tall, _LONGEST)
    sx, sy = fx * reach, fy * reach
    if kind == _TREE:
        r, rise = _F(0.46) * width, _F(0.40) * reach
        if _F(0.6) * reach > math.sqrt(r * r + rise * rise):  # else the crown's shadow hides the trunk's
            _box(shade, touched, rows, cols, geometry, horizon, x, y, fx, fy, _F(0.3), _F(0.3), sx * _HALF, sy * _HALF)
        _crown(shade, touched, rows, cols, geometry, horizon, x + _F(0.6) * sx, y + _F(0.6) * sy, fx, fy,
               math.sqrt(r * r + rise * rise), r)  # fmt: skip
        return
    l0 = SHADOWS[kind, LENGTH] * length + SHADOWS[kind, LENGTH_M]
    w0 = SHADOWS[kind, WIDTH] * width + SHADOWS[kind, WIDTH_M]
    low, high = SHADOWS[kind, LOW], SHADOWS[kind, HIGH]
    l1 = SHADOWS[kind, UPPER_LENGTH] * length + SHADOWS[kind, UPPER_LENGTH_M]
    w1 = SHADOWS[kind, UPPER_WIDTH] * width + SHADOWS[kind, UPPER_WIDTH_M]
    back = SHADOWS[kind, BACK] * length
    if kind == _BARRIER:  # the boom blocks the sun; the gap below it does not
        _box(shade, touched, rows, cols, geometry, horizon, x + _F(0.72) * sx, y + _F(0.72) * sy, a, b, _F(0.1), width,
             _F(0.25) * sx, _F(0.25) * sy)  # fmt: skip
        off = _HALF * (width - _HOUSING)
        x, y = x - b * off, y + a * off
    _box(shade, touched, rows, cols, geometry, horizon, x, y, a, b, l0, w0, sx * low, sy * low)
    if reach * (high - low) > _HALF * (w0 - w1):  # else its shadow hardly reaches beyond the lower part's
        _box(shade, touched, rows, cols, geometry, horizon, x - a * back, y - b * back, a, b, l1, w1,
             sx * high, sy * high)  # fmt: skip


@inner_kernel
def cast_shadows(shade, touched, view, pose, table, w, scene):
    """Compute the shadow mask of the ground in world w's picture; actor 0 carries the camera and casts no shadow.

    Args:
        shade: (H, W) float32, written in the rows that are touched: 0 in the sun, 1 in the middle of a shadow.
        touched: (H,) uint8, written: 1 where a shadow lies on the row.
        view: `sim.render.rgb.CameraRays`. pose: see `sim.render.poses`. scene: see `sim.render.scene`.
        table: (LIGHT_SIZE,) float32.
    """
    touched[:] = 0
    if table[wx.SHADE + 1] <= _0:
        return
    rows, cols, geometry, horizon, scenery = view.rows, view.cols, view.geometry, view.horizon, scene.scenery
    cam_x, cam_y, yaw = pose
    ch, sh = math.cos(yaw), math.sin(yaw)
    level = max(math.sqrt(table[wx.SUN_X] * table[wx.SUN_X] + table[wx.SUN_Y] * table[wx.SUN_Y]), _F(1e-3))
    fx = -(table[wx.SUN_X] * ch + table[wx.SUN_Y] * sh) / level
    fy = -(table[wx.SUN_X] * sh - table[wx.SUN_Y] * ch) / level
    flat = level / max(table[wx.SUN_Z], _F(1e-3))
    far = _FAR + _F(40.0) + around(geometry)
    rear = _F(-40.0) - around(geometry)
    for i in range(1, scene.kind.shape[1]):
        kind = scene.kind[w, i]
        if kind <= 0 or kind == SIGN:  # a sign's box holds its post and air
            continue
        ahead, right, a, b = actor_place(scene, w, i, pose)
        long, wide, tall = scene.length[w, i], scene.width[w, i], scene.height[w, i]
        if _matters(geometry, kind, ahead, right, long, wide, tall, fx, fy, flat):
            _cast(shade, touched, rows, cols, geometry, horizon, kind, ahead, right, a, b, long, wide, tall, fx, fy,
                  flat)  # fmt: skip
    for i in range(scene.scenery_start[scene.map[w]], scene.scenery_start[scene.map[w] + 1]):
        it = scenery_item(scenery, i)
        if it.kind <= 0:
            continue
        dx, dy = it.x - cam_x, it.y - cam_y
        ahead = dx * ch + dy * sh
        if ahead > far or ahead < rear:
            continue
        right = dx * sh - dy * ch
        if _matters(geometry, it.kind, ahead, right, it.length, it.width, it.height, fx, fy, flat):
            turn = it.yaw - yaw
            _cast(shade, touched, rows, cols, geometry, horizon, it.kind, ahead, right, math.cos(turn), -math.sin(turn),
                  it.length, it.width, it.height, fx, fy, flat)  # fmt: skip
