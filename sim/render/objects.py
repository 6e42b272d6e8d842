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
from sim.render.assets.registry import FIGURES, PEDALLING, RIDING, STYLED, WALKING
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
from sim.render.kernels import inner_kernel, pasted_kernel
from sim.render.poses import actor_place
from sim.render.rasterizer import (
    Texture,
    begin_object,
    cut_face,
    fill,
    length_of,
    light_face,
    mean_depth,
    normal_of,
    set_depth,
    set_texture,
    texture_level,
    uses_texture,
)
from sim.render.tilted_camera import around, board
from sim.road.map.scenery_item import scenery_item

ITEM = 14  # floats that describe one object in view
ACTOR = 13  # column of an object with its row in the world, 0 for scenery
_F = np.float32
_0, _1, _2 = _F(0.0), _F(1.0), _F(2.0)
_HALF = _F(0.5)
_LAMP = KIND["lamp"]  # its pool of light is of its own
_TAU = _F(2.0 * math.pi)
_STRIDE, _PUSH = _F(1.0 / 0.36), _F(1.0 / 1.3)  # a quarter of two steps, half a turn of the pedals [1/m]
_STANDS = _F(0.05)  # below this speed legs do not move [m/s]


@inner_kernel
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


@inner_kernel
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


@inner_kernel
def cull(item, order, geometry, pose, w, scene):
    """List the objects that world w's camera may see, nearest first: its actors and the scenery of its map.

    Actor 0 carries the camera and is not drawn.

    Args:
        item: (cap, ITEM) float32 and order: (cap,) int32, written; cap is at least `most_objects`.
        pose: see `sim.render.poses`. scene: see `sim.render.scene`.

    Returns:
        The number of objects.
    """
    cam_x, cam_y, yaw = pose
    scenery, reach = scene.scenery, scene.mesh.reach
    first, last = scene.scenery_start[scene.map[w]], scene.scenery_start[scene.map[w] + 1]
    ch, sh = math.cos(yaw), math.sin(yaw)
    n = 0
    for i in range(1, scene.kind.shape[1]):
        kind = scene.kind[w, i]
        if kind <= 0 or kind == SIGN:  # nothing, or a sign: `sim.render.signs` draws it
            continue
        ahead, right, a, b = actor_place(scene, w, i, pose)
        if ahead < reach[kind]:
            item[n, ACTOR] = np.float32(i)
            along = scene.x[w, i] * math.cos(scene.yaw[w, i]) + scene.y[w, i] * math.sin(scene.yaw[w, i])
            n = project(item, n, geometry, kind, ahead, right, a, b, scene.length[w, i], scene.width[w, i],
                        scene.height[w, i], scene.appearance[w, i], np.uint32(0), along, scene.speed[w, i])  # fmt: skip
    for i in range(first, last):
        it = scenery_item(scenery, i)
        if it.kind <= 0:
            continue
        dx, dy = it.x - cam_x, it.y - cam_y
        ahead = dx * ch + dy * sh
        if ahead > reach[it.kind] or ahead < _F(-40.0) - around(geometry):
            continue
        right = dx * sh - dy * ch
        turn = it.yaw - yaw
        a, b = math.cos(turn), -math.sin(turn)
        item[n, ACTOR] = _0
        n = project(item, n, geometry, it.kind, ahead, right, a, b, it.length, it.width, it.height, it.appearance,
                    hash_u32(np.uint32(i - first)), _0, _0)  # fmt: skip
    for i in range(n):
        order[i] = i
        j = i
        while j > 0 and item[order[j - 1], 10] > item[i, 10]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = i
    return n


@pasted_kernel
def _point(shape, q, c, axes, origin):
    """A point of face q, whose place in the box is shape[q, c : c + 3], in the camera's frame [m]."""
    x, y, z = shape[q, c], shape[q, c + 1], shape[q, c + 2]
    (lx, ly, lz), (vx, vy, vz), (hx, hy, hz) = axes
    ox, oy, oz = origin
    return ox + x * lx + y * vx + z * hx, oy + x * ly + y * vy + z * hy, oz + x * lz + y * vz + z * hz


@pasted_kernel
def _edge(shape, q, c, axes):
    """As `_point`, of a direction."""
    x, y, z = shape[q, c], shape[q, c + 1], shape[q, c + 2]
    (lx, ly, lz), (vx, vy, vz), (hx, hy, hz) = axes
    return x * lx + y * vx + z * hx, x * ly + y * vy + z * hy, x * lz + y * vz + z * hz


@pasted_kernel
def _facing(box, foot, geometry, ahead, right, size, flags):
    """Axes and origin of a face whose y axis turns to lie across the view; size: width, width if THIN, height [m]."""
    wide, thin, tall = size
    along, _, above = box
    ox, oy, oz = foot
    span = thin if flags & THIN else wide
    if around(geometry) > _0:
        bx, by, bz, ux, uy, uz, dx, dy, dz = board(geometry, ahead, right, span, tall)
        return (along, (bx, by, bz), (ux, uy, uz)), (ox + dx, oy + dy, oz + dz)
    return (along, (-span, _0, _0), above), foot


@pasted_kernel
def _repeats(size1, size2, metres_s, metres_t):
    """How often a texture repeats along a face's edges, in quarters; all [m]."""
    rs = max(_1, np.float32(np.int32(size1 / metres_s * _F(4.0) + _HALF))) * _F(0.25)
    rt = _1
    if metres_t > _0:
        rt = max(_1, np.float32(np.int32(size2 / metres_t * _F(4.0) + _HALF))) * _F(0.25)
    return rs, rt


@inner_kernel
def draw_objects(target, item, order, count, geometry, scratch, mesh, pictures):
    """Draw `count` objects, face by face, into a target of any type.

    Args:
        target: see `sim.render.rasterizer`. item, order, count: see `cull`.
        mesh, pictures: `sim.render.assets.meshes.Meshes` and `sim.render.assets.textures.Atlas`.
    """
    height = target.depth.shape[0]
    focal, cy, sine, cosine, up = geometry[0], geometry[1], geometry[2], geometry[3], geometry[7]
    lens = (focal, np.float32(target.depth.shape[1]) * _HALF, cy)
    shape, what, poly, grad = mesh.shape, mesh.what, scratch.poly, scratch.grad
    for n in range(count):
        k = order[n]
        ahead, right, a, b = item[k, 0], item[k, 1], item[k, 2], item[k, 3]
        length, wide, tall = item[k, 4], item[k, 5], item[k, 6]
        kind, style = np.int32(item[k, 7]), np.int32(item[k, 12])
        brush = begin_object(target, kind, np.int32(item[k, 8]), np.int32(item[k, 9]), np.int32(item[k, ACTOR]))
        # axes of the box in the camera's frame, each as long as the box, and the middle of its base
        box = ((b * length, a * sine * length, a * cosine * length), (-a * wide, b * sine * wide, b * cosine * wide),
               (_0, -cosine * tall, sine * tall))  # fmt: skip
        thin = max(wide, _F(1.05) * ahead / focal)  # never so thin that it falls between two columns
        foot = (right, ahead * sine + up * cosine, ahead * cosine - up * sine)
        for q in range(mesh.start[kind, style], mesh.start[kind, style + 1]):
            flags = what[q, 1]
            axes, origin = box, foot
            if flags & FACING:
                axes, origin = _facing(box, foot, geometry, ahead, right, (wide, thin, tall), flags)
            p = _point(shape, q, 12, axes, origin)
            e1, e2 = _edge(shape, q, 15, axes), _edge(shape, q, 18, axes)
            normal, triple = normal_of(p, e1, e2)
            inward = triple if flags & MIRRORED == 0 else -triple
            if (inward <= _0 and flags & TWO_SIDED == 0) or abs(triple) < _F(1e-6):
                continue
            for c in range(4):
                poly[0, c], poly[1, c], poly[2, c] = _point(shape, q, 3 * c, axes, origin)
            corners, first, last = cut_face(scratch, lens, height)
            if first >= last:
                continue
            texture, level = what[q, 0], 0
            lw, lh = pictures.size[texture, 0], pictures.size[texture, 1]
            wrap, holes = shape[q, 21] > _0, pictures.holes[texture]
            inverse = _1 / triple
            set_depth(grad, normal, inverse)
            if uses_texture(target) or holes:
                size1, size2 = length_of(e1), length_of(e2)
                rs, rt = _1, _1
                if wrap:  # whole panes, so that no window is cut
                    rs, rt = _repeats(size1, size2, shape[q, 21], shape[q, 22])
                set_texture(grad, p, e1, e2, rs * inverse, rt * inverse)
                level = texture_level(lw, lh, rs, rt, size1, size2, mean_depth(poly, corners) / focal)
            light_face(target, normal, triple < _0, flags & FACING)
            surface = Texture(pictures.texels, pictures.start[texture, level], lw - level, lh - level, wrap, holes)
            fill(target, surface, brush, scratch, first, last, lens)


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
