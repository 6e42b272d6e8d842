"""Occlusion: line-of-sight tests from ego's camera against actors, buildings, trees and signs.

An object is visible when the straight line from the camera's mount to at least one of a few points on its outline meets
no solid. Solids are those of the lidar (`sim.actors.solids.solids`), so a cone hides no car, and a car hides no truck.
Night, fog and rain hide nothing here. Lengths are metres from the camera, in the world's axes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from sim.actors.light_head import LAMP_AHEAD, LAMP_LEVELS
from sim.actors.registry import KIND
from sim.actors.signs import SIGN
from sim.actors.solids import ROUND, X0, X1, Y0, Y1, Z0, Z1, solids
from sim.core.constants import RAD
from sim.core.kernel import kernel, parallel_for
from sim.datatypes.camera import Camera
from sim.datatypes.world_state import World
from sim.render.signs import signs_in
from sim.road.map.map_batch import MapBatch
from sim.road.map.scenery_item import scenery_item

REACH = 100.0  # [m] beyond which nothing is visible, whatever the camera
_F = np.float32
_0, _1, _HALF = _F(0.0), _F(1.0), _F(0.5)
_REACH, _NEAR = _F(REACH), _F(0.3)
_LIGHT = KIND["light"]
_LAMP_AHEAD, _LAMP_LEVEL = _F(LAMP_AHEAD), _F(LAMP_LEVELS[1])
_THICK = _F(0.06)  # thickness of a sign's panel [m]
_FACES = _F(0.04)  # smallest cosine at which a lamp faces the camera, as in the renderer
# Points of an outline: share of half its apparent width (to the right), share of its height.
_OUTLINE = np.array(
    [[0, 0.9], [0, 0.7], [0, 0.5], [-0.8, 0.5], [0.8, 0.5], [-0.8, 0.15], [0.8, 0.15]], np.float32
)  # fmt: skip
_PANEL = np.array([[0, 0.5], [-0.8, 0.5], [0.8, 0.5]], np.float32)
# Columns of a solid: its owner's centre and heading, its box in the owner's frame, whether it is round, its radius
# around the owner's centre, and the owner.
_X, _Y, _CO, _SO, _X0, _X1, _Y0, _Y1, _Z0, _Z1, _ROUND, _RADIUS, _OWNER, _COLUMNS = range(14)


class Sight(NamedTuple):
    """Visibility masks: seen, pictured (B, N - 1) bool by slot; lamp, lamp_pictured (B, R) bool of each route's light.

    An object is pictured when it is seen and lies within the camera's image.
    """

    seen: np.ndarray
    pictured: np.ndarray
    lamp: np.ndarray
    lamp_pictured: np.ndarray


@kernel(inline=True)
def occludes(solid, j, tx, ty, up, rise):  # type: ignore[no-untyped-def]
    """Whether solid j meets the line from the camera, `up` [m] high, to a point (tx, ty), `rise` [m] above the camera.

    A solid that begins at or behind the camera hides nothing: the camera is inside no tree or body but its own car's.
    """
    co, so, bx, by = solid[j, _CO], solid[j, _SO], solid[j, _X], solid[j, _Y]
    sx, sy = -(bx * co + by * so), bx * so - by * co
    wx, wy = tx * co + ty * so, ty * co - tx * so
    enter, leave = _0, _1
    if solid[j, _ROUND] > _0:
        square, along = max(wx * wx + wy * wy, _F(1e-9)), sx * wx + sy * wy
        root = along * along - square * (sx * sx + sy * sy - solid[j, _Y1] * solid[j, _Y1])
        enter, leave = _1, _0
        if root > _0:
            enter, leave = (-along - math.sqrt(root)) / square, (-along + math.sqrt(root)) / square
    else:
        ix = _1 / wx if abs(wx) > _F(1e-9) else _F(1e9)
        iy = _1 / wy if abs(wy) > _F(1e-9) else _F(1e9)
        ax, bx = (solid[j, _X0] - sx) * ix, (solid[j, _X1] - sx) * ix
        ay, by = (solid[j, _Y0] - sy) * iy, (solid[j, _Y1] - sy) * iy
        enter, leave = max(min(ax, bx), min(ay, by)), min(max(ax, bx), max(ay, by))
    if enter > leave or enter <= _0 or enter >= _1:
        return False
    a, b = up + enter * rise, up + min(leave, _1) * rise
    return max(a, b) >= solid[j, _Z0] and min(a, b) <= solid[j, _Z1]


@kernel(inline=True)
def is_free(solid, count, owner, tx, ty, up, rise):  # type: ignore[no-untyped-def]
    """Whether the line of sight to a point is free of all solids but its owner's; arguments as in `occludes`."""
    far = math.sqrt(tx * tx + ty * ty)
    ux, uy = tx / max(far, _F(1e-6)), ty / max(far, _F(1e-6))
    free, mine = True, np.float32(owner)
    for j in range(count):
        x, y, radius = solid[j, _X], solid[j, _Y], solid[j, _RADIUS]
        along = x * ux + y * uy
        if along < -radius or along > far + radius or abs(x * uy - y * ux) > radius or mine == solid[j, _OWNER]:
            continue
        if occludes(solid, j, tx, ty, up, rise):
            free = False
            break
    return free


@kernel(inline=True)
def add_solids(solid, count, boxes, x, y, co, so, length, width, height, owner):  # type: ignore[no-untyped-def]
    """Append an object's solids after the first `count` rows; returns the new number of rows.

    Args:
        boxes: (2, 7) of its kind, as shares of its size. x, y: its centre relative to the camera [m].
    """
    radius = _HALF * math.sqrt(length * length + width * width) * _F(1.3)
    if x * x + y * y > (_REACH + radius) * (_REACH + radius):
        return count
    for q in range(2):
        if boxes[q, Z1] > boxes[q, Z0]:
            row = solid[count]
            row[_X], row[_Y], row[_CO], row[_SO], row[_OWNER] = x, y, co, so, np.float32(owner)
            row[_X0], row[_X1] = boxes[q, X0] * length, boxes[q, X1] * length
            row[_Y0], row[_Y1] = boxes[q, Y0] * width, boxes[q, Y1] * width
            row[_Z0], row[_Z1] = boxes[q, Z0] * height, boxes[q, Z1] * height
            row[_ROUND], row[_RADIUS] = boxes[q, ROUND], radius
            count += 1
    return count


@kernel(inline=True)
def visible_from(solid, count, owner, x, y, size, half, bottom, height, outline, up, ch, sh, lens):  # type: ignore[no-untyped-def]
    """Whether an object is visible, and whether within the image.

    Args:
        x, y: its centre relative to the camera [m]; size: the extent that must cover a pixel, half: half its apparent
            width, bottom, height: of the part that is tested [m].
        ch, sh: cosine and sine of the camera's yaw; lens: focal length [px], sine and cosine of its pitch, greatest
            tangents across and down.
    """
    far = math.sqrt(x * x + y * y)
    seen, pictured = False, False
    if far > _REACH or size * lens[0] < far:  # smaller than a pixel
        return seen, pictured
    rx, ry = y / max(far, _F(1e-6)), -x / max(far, _F(1e-6))  # unit vector to the right of the line of sight
    for n in range(outline.shape[0]):
        tx, ty = x + outline[n, 0] * half * rx, y + outline[n, 0] * half * ry
        rise = bottom + outline[n, 1] * height - up
        ahead, right = tx * ch + ty * sh, tx * sh - ty * ch
        z, down = ahead * lens[2] + rise * lens[1], ahead * lens[1] - rise * lens[2]
        inside = z > _NEAR and abs(right) <= lens[3] * z and abs(down) <= lens[4] * z
        if (not seen or (inside and not pictured)) and is_free(solid, count, owner, tx, ty, up, rise):
            seen = True
            pictured = pictured or inside
    return seen, pictured


@kernel
def _gather(solid, w, ex, ey, world, bank, boxes, board, sign_row, panel):  # type: ignore[no-untyped-def]
    """Fill `solid` with the solids of world w around a camera at (ex, ey); returns the number of rows."""
    count = 0
    for i in range(1, world.kind.shape[1]):
        k = world.kind[w, i]
        if k == 0:
            continue
        co, so = math.cos(world.yaw[w, i]), math.sin(world.yaw[w, i])
        middle = _HALF * world.length[w, i] - world.overhang[w, i]
        x, y = world.x[w, i] + middle * co - ex, world.y[w, i] + middle * so - ey
        count = add_solids(
            solid, count, boxes[k], x, y, co, so, world.length[w, i], world.width[w, i], world.height[w, i], i
        )
        if k == SIGN:
            wide, top = panel[sign_row[w, i], 0], panel[sign_row[w, i], 1] + panel[sign_row[w, i], 2]
            board[0, 4] = panel[sign_row[w, i], 2] / top
            count = add_solids(solid, count, board, x, y, co, so, _THICK, wide, top, i)
    m = world.map[w]
    for i in range(bank.scenery_start[m], bank.scenery_start[m + 1]):
        it = scenery_item(bank.scenery, i)
        if it.kind > 0:
            count = add_solids(
                solid, count, boxes[it.kind], it.x - ex, it.y - ey, math.cos(it.yaw), math.sin(it.yaw), it.length,
                it.width, it.height, bank.scenery_start[m] - i - 1,
            )  # fmt: skip
    return count


@kernel
def _look(first, stop, out, world, bank, boxes, sign_row, panel, mount, lens, turned, plan, room):  # type: ignore[no-untyped-def]
    solid, board = np.empty((room, _COLUMNS), np.float32), np.zeros((2, 7), np.float32)
    board[0, 0], board[0, 1], board[0, 2], board[0, 3], board[0, 5] = -_HALF, _HALF, -_HALF, _HALF, _1
    for w in range(first, stop):
        c, s, up = math.cos(world.yaw[w, 0]), math.sin(world.yaw[w, 0]), mount[2]
        ex = world.x[w, 0] + c * mount[0] - s * mount[1]
        ey = world.y[w, 0] + s * mount[0] + c * mount[1]
        ch, sh = math.cos(world.yaw[w, 0] + turned), math.sin(world.yaw[w, 0] + turned)
        count = _gather(solid, w, ex, ey, world, bank, boxes, board, sign_row, panel)
        for i in range(1, world.kind.shape[1]):
            k = world.kind[w, i]
            if k == 0:
                continue
            co, so = math.cos(world.yaw[w, i]), math.sin(world.yaw[w, i])
            middle = _HALF * world.length[w, i] - world.overhang[w, i]
            x, y = world.x[w, i] + middle * co - ex, world.y[w, i] + middle * so - ey
            far = max(math.sqrt(x * x + y * y), _F(1e-6))
            # cosine and sine of the angle between its heading and the view
            along, across = abs(x * co + y * so) / far, abs(y * co - x * so) / far
            if k == SIGN:
                wide, tall, low = panel[sign_row[w, i], 0], panel[sign_row[w, i], 1], panel[sign_row[w, i], 2]
                found = visible_from(
                    solid, count, i, x, y, max(wide, tall), _HALF * wide * along, low, tall, _PANEL, up, ch, sh, lens
                )
            else:
                half = _HALF * (world.length[w, i] * across + world.width[w, i] * along)
                high = world.height[w, i]
                size = max(high, half + half)
                found = visible_from(solid, count, i, x, y, size, half, _0, high, _OUTLINE, up, ch, sh, lens)
            out.seen[w, i - 1], out.pictured[w, i - 1] = found
        m = world.map[w]
        for r in range(plan.shape[1]):
            if plan[w, r] == 0:
                continue
            for i in range(bank.scenery_start[m + 1] - 1, bank.scenery_start[m] - 1, -1):
                it = scenery_item(bank.scenery, i)
                if it.kind != _LIGHT:
                    break  # the lights are the last rows of a map's scenery
                if it.appearance != plan[w, r]:
                    continue
                co, so = math.cos(it.yaw), math.sin(it.yaw)
                ahead = _LAMP_AHEAD * it.length
                x, y = it.x + ahead * co - ex, it.y + ahead * so - ey
                if -(x * co + y * so) < _FACES * math.sqrt(x * x + y * y):
                    continue  # it faces another approach
                low = (_LAMP_LEVEL - _F(0.1)) * it.height
                found = visible_from(
                    solid, count, bank.scenery_start[m] - i - 1, x, y, it.height, _HALF * it.width, low,
                    _F(0.2) * it.height,
                    _PANEL, up, ch, sh, lens,
                )  # fmt: skip
                out.lamp[w, r] = out.lamp[w, r] or found[0]
                out.lamp_pictured[w, r] = out.lamp_pictured[w, r] or found[1]


def focal_of(camera: Camera) -> float:
    """Focal length of a camera [px]."""
    return 0.5 * camera.width / math.tan(0.5 * camera.fov * RAD)


def visible_actors(world: World, maps: MapBatch, camera: Camera, plan: np.ndarray, threads: int = 1) -> Sight:
    """Visible actors, signs and traffic lights around the camera's mount, and those within the image; see `Sight`.

    An object smaller than one of the camera's pixels is not visible. The lights tested are those that show
    plan (B, R), see `pack_signal_plan`, and face the camera; 0 asks for none.
    """
    (worlds, slots), routes = world.kind.shape, world.route.shape[1]
    out = Sight(
        np.zeros((worlds, slots - 1), bool), np.zeros((worlds, slots - 1), bool), np.zeros((worlds, routes), bool),
        np.zeros((worlds, routes), bool),
    )  # fmt: skip
    bank, focal = maps.arrays, focal_of(camera)
    signs, sign_row = signs_in(world)
    mount = np.array([camera.forward, camera.left, camera.up], np.float32)
    pitch, turned = camera.pitch * RAD, np.float32(camera.yaw * RAD)
    edge = (0.5 * camera.width / focal, 0.5 * camera.height / focal)
    lens = np.array([focal, math.sin(pitch), math.cos(pitch), *edge], np.float32)
    room = 3 * slots + 2 * int(np.diff(bank.scenery_start).max(initial=0))

    def run(first: int, stop: int) -> None:
        _look(first, stop, out, world, bank, solids(), sign_row, signs.panel, mount, lens, turned, plan, room)

    parallel_for(run, worlds, threads)
    return out
