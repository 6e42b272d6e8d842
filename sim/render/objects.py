"""Draw actors and scenery: cull them, sort them front to back, project them and draw them face by face.

The order only saves work (hidden pixels are not textured); the depth at every pixel decides what is visible.
Camera frame: x right, y down, z along the view [m].
"""

from __future__ import annotations

import math

import numpy as np

from sim.actors.registry import KIND, NARROW_CONTACT, WIDE_CONTACT
from sim.actors.signs import SIGN
from sim.core.hashing import hash_u32
from sim.core.kernel import kernel
from sim.render import lighting as wx
from sim.render.assets.registry import FIGURES, PEDALLING, RIDING, STYLED, WALKING, WALLS
from sim.render.assets.variants import (
    FACING,
    MIRRORED,
    OUTFITS,
    POSES,
    RIDER_SIDES,
    STYLES,
    THIN,
    TWO_SIDED,
    WALKER_SIDES,
)
from sim.render.ground import draw_contact_shadow
from sim.render.polygon import DEPTHS, clip_near, cut_rows, fill, texture_level
from sim.render.tilted_camera import around, board

ITEM = 13  # floats that describe one object in view
_F = np.float32
_0, _1, _2 = _F(0.0), _F(1.0), _F(2.0)
_HALF = _F(0.5)
_BYTE = _F(1.0 / 255.0)
_PAINT = _F(1.0 / 208.0)  # textures are painted on a base this bright
_TREE, _LAMP = KIND["tree"], KIND["lamp"]  # their paint and their pool of light are of their own
_TAU = _F(2.0 * math.pi)
_STRIDE, _PUSH = _F(1.0 / 0.36), _F(1.0 / 1.3)  # a quarter of two steps, half a turn of the pedals [1/m]
_STANDS = _F(0.05)  # below this speed legs do not move [m/s]
# Colours of walls whose appearance is a style rather than a colour.
_WALLS = np.array(
    [[214, 200, 176], [178, 104, 84], [200, 196, 190], [226, 216, 196], [160, 148, 136], [206, 178, 140],
     [190, 200, 206], [150, 92, 76]], np.float32,
)  # fmt: skip


@kernel(inline=True)
def variant_of(kind, appearance, ahead, right, a, b, along, speed):
    """The texture variant of an object: its style, or the current side and pose of a walker or cyclist.

    Args:
        ahead, right, a, b: its place and the direction of its length, in the camera's frame on the ground.
        along: its place along its own heading [m], which moves the legs; speed [m/s].
    """
    if FIGURES >> kind & 1 != 0:
        sides = WALKER_SIDES if WALKING >> kind & 1 != 0 else RIDER_SIDES
        # of the heading against the line of sight, clockwise: 0 shows the back
        turn = math.atan2(b * ahead - a * right, a * ahead + b * right)
        side = np.int32(math.floor(turn / _TAU * np.float32(sides) + _HALF + np.float32(sides))) % sides
        if RIDING >> kind & 1 != 0:
            return side
        if PEDALLING >> kind & 1 != 0:
            return (np.int32(math.floor(along * _PUSH)) & 1) * RIDER_SIDES + side
        step = np.int32(math.floor(along * _STRIDE)) & 3
        pose = 0 if speed < _STANDS else (2 if step & 1 else step + 1)
        outfit = np.int32(hash_u32(np.uint32(appearance)) >> np.uint32(8)) % OUTFITS
        return (outfit * POSES + pose) * WALKER_SIDES + side
    if STYLED >> kind & 1 != 0:
        return appearance % STYLES
    return 0


@kernel(inline=True)
def project(item, n, geometry, kind, ahead, right, a, b, length, width, height, appearance, key, along, speed):
    """Write an object to row n of `item` if the camera may see it; return the number of objects so far."""
    radius = _HALF * math.sqrt(length * length + width * width)
    circle = around(geometry)
    if circle > _0 and ahead * ahead + right * right > (circle + radius) * (circle + radius):
        return n
    if ahead + radius < _F(0.3) - circle or abs(right) * geometry[5] - ahead * geometry[6] > radius:
        return n
    if max(height, width) * geometry[0] < max(ahead, _1):
        return n  # smaller than a pixel
    item[n, 0], item[n, 1], item[n, 2], item[n, 3] = ahead, right, a, b
    item[n, 4], item[n, 5], item[n, 6] = length, width, height
    item[n, 7] = np.float32(kind)
    # 24 bits of colour fit a float32 exactly; the key is kept as two halves for the same reason
    item[n, 8] = np.float32(appearance & 0xFFFFFF)
    item[n, 9] = np.float32(np.int32(key & np.uint32(0xFFFF)))
    item[n, 10] = ahead * ahead + right * right
    item[n, 11] = radius
    item[n, 12] = np.float32(variant_of(kind, appearance, ahead, right, a, b, along, speed))
    return n + 1


@kernel
def cull(item, order, geometry, reach, cam_x, cam_y, yaw, w, kinds, xs, ys, yaws, lengths, widths, heights, overhangs,
         looks, speeds, scenery, first, last):  # fmt: skip
    """List the objects that world w's camera may see, nearest first.

    Args:
        item: (cap, ITEM) float32 and order: (cap,) int32, written.
        kinds ... speeds: (B, N) of the actors; actor 0 carries the camera and is not drawn.
        scenery: (K, 8) float64, of which rows first .. last belong to this world's map.

    Returns:
        The number of objects.
    """
    ch, sh = math.cos(yaw), math.sin(yaw)
    n = 0
    for i in range(1, kinds.shape[1]):
        kind = kinds[w, i]
        if kind <= 0 or kind == SIGN:  # nothing, or a sign: `sim.render.signs` draws it
            continue
        co, so = math.cos(yaws[w, i]), math.sin(yaws[w, i])
        forward = _HALF * lengths[w, i] - overhangs[w, i]  # a pose is that of the rear axle
        dx = xs[w, i] + forward * co - cam_x
        dy = ys[w, i] + forward * so - cam_y
        ahead, right = dx * ch + dy * sh, dx * sh - dy * ch
        if ahead < reach[kind]:
            n = project(item, n, geometry, kind, ahead, right, co * ch + so * sh, co * sh - so * ch, lengths[w, i],
                        widths[w, i], heights[w, i], looks[w, i], np.uint32(0), xs[w, i] * co + ys[w, i] * so,
                        speeds[w, i])  # fmt: skip
    for i in range(first, last):
        kind = np.int32(scenery[i, 0])
        if kind <= 0:
            continue
        dx, dy = np.float32(scenery[i, 1]) - cam_x, np.float32(scenery[i, 2]) - cam_y
        ahead = dx * ch + dy * sh
        if ahead > reach[kind] or ahead < _F(-40.0) - around(geometry):
            continue
        right = dx * sh - dy * ch
        turn = np.float32(scenery[i, 3]) - yaw
        a, b = math.cos(turn), -math.sin(turn)
        n = project(item, n, geometry, kind, ahead, right, a, b, np.float32(scenery[i, 4]), np.float32(scenery[i, 5]),
                    np.float32(scenery[i, 6]), np.int32(scenery[i, 7]), hash_u32(np.uint32(i - first)), _0,
                    _0)  # fmt: skip
    for i in range(n):
        order[i] = i
        j = i
        while j > 0 and item[order[j - 1], 10] > item[i, 10]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = i
    return n


@kernel(inline=True)
def paint_of(kind, appearance, key, light):
    """Write an object's paint to light[3:6]; its appearance is a colour, or a style where it is a small number."""
    if kind == _TREE:
        tone = _F(0.80) + np.float32(key & 255) * _BYTE * _F(0.35)
        warm = (np.float32((key >> 8) & 255) * _BYTE - _HALF) * _F(0.24)
        light[3], light[4], light[5] = tone * (_1 + warm) * _F(0.72), tone * _F(0.74), tone * (_1 - warm) * _F(0.76)
        if appearance > 255:  # the texture is green already: an appearance only shifts it towards its own hue
            light[3] *= _HALF + np.float32((appearance >> 16) & 255) * _F(0.5 / 85.0)
            light[4] *= _HALF + np.float32((appearance >> 8) & 255) * _F(0.5 / 125.0)
            light[5] *= _HALF + np.float32(appearance & 255) * _F(0.5 / 58.0)
    elif appearance < 256 and WALLS >> kind & 1 != 0:
        row = appearance & 7
        light[3], light[4], light[5] = _WALLS[row, 0] * _PAINT, _WALLS[row, 1] * _PAINT, _WALLS[row, 2] * _PAINT
    else:
        light[3] = np.float32((appearance >> 16) & 255) * _PAINT
        light[4] = np.float32((appearance >> 8) & 255) * _PAINT
        light[5] = np.float32(appearance & 255) * _PAINT


@kernel
def draw_objects(o, zb, item, order, count, geometry, rows, cols, yaw, table, fog, smooth, spans, poly, grad,
                 light, shape, what, start, texels, tex_start, tex_size):  # fmt: skip
    """Draw `count` objects. Arguments as in `cull` and `sim.render.polygon.fill`; shape, what, start: the meshes."""
    height, width = o.shape[0], o.shape[1]
    focal, cy, sine, cosine, up = geometry[0], geometry[1], geometry[2], geometry[3], geometry[7]
    cx = np.float32(width) * _HALF
    ch, sh = math.cos(yaw), math.sin(yaw)
    forward = table[wx.SUN_X] * ch + table[wx.SUN_Y] * sh
    sun_x = table[wx.SUN_X] * sh - table[wx.SUN_Y] * ch
    sun_y = forward * sine - table[wx.SUN_Z] * cosine
    sun_z = forward * cosine + table[wx.SUN_Z] * sine
    clear, per_metre = _1, math.exp(-table[wx.FOG_RATE])
    for d in range(DEPTHS):  # one product per metre; one exponential each would cost 3 us a frame
        fog[d] = _1 - clear
        if np.float32(d) >= table[wx.FOG_START]:
            clear *= per_metre
    for n in range(count):
        k = order[n]
        ahead, right, a, b = item[k, 0], item[k, 1], item[k, 2], item[k, 3]
        length, wide, tall = item[k, 4], item[k, 5], item[k, 6]
        kind, appearance, key = np.int32(item[k, 7]), np.int32(item[k, 8]), np.int32(item[k, 9])
        style = np.int32(item[k, 12])
        paint_of(kind, appearance, key, light)
        # axes of the box in the camera's frame, each as long as the box
        lx, ly, lz = b * length, a * sine * length, a * cosine * length
        vx, vy, vz = -a * wide, b * sine * wide, b * cosine * wide
        hx, hy, hz = _0, -cosine * tall, sine * tall
        ox, oy, oz = right, ahead * sine + up * cosine, ahead * cosine - up * sine
        for q in range(start[kind, style], start[kind, style + 1]):
            flags = what[q, 1]
            ax, ay, az, bx, by, bz = lx, ly, lz, vx, vy, vz
            ux, uy, uz, fx, fy, fz = hx, hy, hz, ox, oy, oz
            if flags & FACING:  # the face's y axis turns to lie across the view
                span = wide
                if flags & THIN:  # never so thin that it falls between two columns
                    span = max(wide, _F(1.05) * ahead / focal)
                bx, by, bz = -span, _0, _0
                if around(geometry) > _0:
                    bx, by, bz, ux, uy, uz, dx, dy, dz = board(geometry, ahead, right, span, tall)
                    fx, fy, fz = ox + dx, oy + dy, oz + dz
            x, y, z = shape[q, 12], shape[q, 13], shape[q, 14]
            px = fx + x * ax + y * bx + z * ux
            py = fy + x * ay + y * by + z * uy
            pz = fz + x * az + y * bz + z * uz
            x, y, z = shape[q, 15], shape[q, 16], shape[q, 17]
            e1x, e1y, e1z = x * ax + y * bx + z * ux, x * ay + y * by + z * uy, x * az + y * bz + z * uz
            x, y, z = shape[q, 18], shape[q, 19], shape[q, 20]
            e2x, e2y, e2z = x * ax + y * bx + z * ux, x * ay + y * by + z * uy, x * az + y * bz + z * uz
            nx, ny, nz = e1y * e2z - e1z * e2y, e1z * e2x - e1x * e2z, e1x * e2y - e1y * e2x
            triple = px * nx + py * ny + pz * nz
            inward = triple if flags & MIRRORED == 0 else -triple
            if inward <= _0 and flags & TWO_SIDED == 0:
                continue
            if abs(triple) < _F(1e-6):
                continue
            for c in range(4):
                x, y, z = shape[q, 3 * c], shape[q, 3 * c + 1], shape[q, 3 * c + 2]
                poly[0, c] = fx + x * ax + y * bx + z * ux
                poly[1, c] = fy + x * ay + y * by + z * uy
                poly[2, c] = fz + x * az + y * bz + z * uz
            corners = clip_near(poly, 4)
            if corners < 3:
                continue
            first, last = cut_rows(poly, corners, focal, cx, cy, spans, height)
            if first >= last:
                continue
            size1 = math.sqrt(e1x * e1x + e1y * e1y + e1z * e1z)
            size2 = math.sqrt(e2x * e2x + e2y * e2y + e2z * e2z)
            rs, rt = _1, _1
            wrap = shape[q, 21] > _0
            if wrap:  # whole panes, so that no window is cut
                rs = max(_1, np.float32(np.int32(size1 / shape[q, 21] * _F(4.0) + _HALF))) * _F(0.25)
                if shape[q, 22] > _0:
                    rt = max(_1, np.float32(np.int32(size2 / shape[q, 22] * _F(4.0) + _HALF))) * _F(0.25)
            inverse = _1 / triple
            is1, it1 = rs * inverse, rt * inverse
            grad[0], grad[1], grad[2] = nx * inverse, ny * inverse, nz * inverse
            grad[3] = (e2y * pz - e2z * py) * is1
            grad[4] = (e2z * px - e2x * pz) * is1
            grad[5] = (e2x * py - e2y * px) * is1
            grad[6] = (py * e1z - pz * e1y) * it1
            grad[7] = (pz * e1x - px * e1z) * it1
            grad[8] = (px * e1y - py * e1x) * it1
            # the frame's normal points away from the camera
            facing = -(nx * sun_x + ny * sun_y + nz * sun_z) / math.sqrt(nx * nx + ny * ny + nz * nz)
            if triple < _0:
                facing = -facing
            if flags & FACING:
                facing = _F(0.45) + _F(0.3) * facing
            facing = max(facing, _0)
            for c in range(3):
                light[c] = table[wx.AMBIENT + c] + table[wx.SUN + c] * facing
            texture = what[q, 0]
            lw, lh = tex_size[texture, 0], tex_size[texture, 1]
            near = poly[5, 0]
            far = near
            for c in range(corners):
                near, far = min(near, poly[5, c]), max(far, poly[5, c])
            level = texture_level(lw, lh, rs, rt, size1, size2, math.sqrt(near * far) / focal)
            fill(o, zb, spans, first, last, focal, cx, cy, grad, light, rows, cols, fog, table, texels,
                 tex_start[texture, level], lw - level, lh - level, wrap, smooth, hash_u32(np.uint32(key)))  # fmt: skip


@kernel
def draw_contact_shadows(o, zb, item, count, geometry, rows, cols, horizon, table):
    """Draw contact shadows under vehicles and pedestrians (ambient occlusion), and pools of light under lamps."""
    for k in range(count):
        kind = np.int32(item[k, 7])
        ahead, right, a, b = item[k, 0], item[k, 1], item[k, 2], item[k, 3]
        length, wide = item[k, 4], item[k, 5]
        if ahead > _F(70.0):
            continue
        if WIDE_CONTACT >> kind & 1 != 0:
            draw_contact_shadow(o, zb, rows, cols, geometry, horizon, table, ahead, right, a, b, length + _F(0.5), wide
                                + _F(0.5), _F(2.6), _F(-0.66), _F(-0.66), _F(-0.64))  # fmt: skip
        elif NARROW_CONTACT >> kind & 1 != 0:
            draw_contact_shadow(o, zb, rows, cols, geometry, horizon, table, ahead, right, a, b, length + _F(0.15), wide
                                + _F(0.1), _F(1.2), _F(-0.5), _F(-0.5), _F(-0.48))  # fmt: skip
        elif kind == _LAMP and table[wx.HEAD] > _0:
            g = table[wx.HEAD] * _F(0.55)
            if ahead > _F(40.0):
                continue
            arm = _HALF * length
            draw_contact_shadow(o, zb, rows, cols, geometry, horizon, table, ahead + a * arm, right + b * arm, _1, _0,
                                _F(14.0), _F(14.0), _F(1.0), g, g * _F(0.82), g * _F(0.5))  # fmt: skip
