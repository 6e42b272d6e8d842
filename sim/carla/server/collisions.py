"""Collision response: stop vehicles at what they hit, and find boxes that overlap."""

from __future__ import annotations

import math

import numpy as np

from sim.actors.registry import COLLIDES
from sim.core.geometry import HALF, boxes_touch
from sim.core.kernel import kernel
from sim.road.map.obstacle_grid import CELL
from sim.world.step import scenery_hit

_0, _1, _CELL = np.float32(0.0), np.float32(1.0), np.float32(CELL)
# Columns of `MapArrays.boxes`, and of a hit.
_X, _Y, _COS, _SIN, _LENGTH, _WIDTH = range(6)
_ROW, _OTHER, _SPEED = range(3)
_PUSH = np.float32(1.0)  # [m/s] at which overlapping bodies are pushed apart


@kernel
def resolve_collisions(
    moving, before, x, y, yaw, speed, length, width, overhang, kind, physical, solid, bank, dt, hits
):
    """Stop the vehicles in rows `moving` that have hit something; list the contacts that have just begun.

    At first contact a vehicle stops where it is, inside the other body by less than the way of a tick. It gets no
    deeper from there: it may slide along the other body, and is pushed out slowly. The other body is pushed too if
    physics moves it, and never otherwise.

    Args:
        before: (3, N) x, y, yaw of all rows a tick ago. solid: (N,) bool, whether a row can be hit at all.
        dt: length of the tick [s].
        hits: (K, 3) float64, written: the row, the row that it hit (-1 for scenery), its speed until then, relative to
            the other body where no physics moves that [m/s].

    Returns:
        The number of hits.
    """
    n = 0
    for k in range(moving.shape[0]):
        i = moving[k]
        if not solid[i]:
            continue
        for j in range(1, kind.shape[0]):
            if j == i or COLLIDES >> kind[j] & 1 == 0 or not solid[j] or (physical[j] and j < i):
                continue
            dx, dy = x[j] - x[i], y[j] - y[i]
            near = length[i] + width[i] + length[j] + width[j]
            if dx * dx + dy * dy > near * near:
                continue
            depth, nx, ny = overlap(i, j, x, y, yaw, length, width, overhang)
            if depth < _0:
                continue
            was, _, _ = overlap(i, j, before[0], before[1], before[2], length, width, overhang)
            if was < _0:
                if n < hits.shape[0]:
                    hits[n, _ROW], hits[n, _OTHER], hits[n, _SPEED] = i, j, speed[i]
                    if not physical[j]:
                        hits[n, _SPEED] -= speed[j] * math.cos(yaw[i] - yaw[j])
                    n += 1
                speed[i] = _0
                if physical[j]:
                    speed[j] = _0
                continue
            slide(i, yaw, speed, nx, ny)
            way = min(depth, max(depth - was, _0) + _PUSH * dt)
            if physical[j]:
                slide(j, yaw, speed, -nx, -ny)
                way = HALF * way
                x[j], y[j] = x[j] + way * nx, y[j] + way * ny
            x[i], y[i] = x[i] - way * nx, y[i] - way * ny
        n = resolve_scenery(i, before, x, y, yaw, speed, length, width, overhang, bank, hits, n)
    return n


@kernel(inline=True)
def resolve_scenery(i, before, x, y, yaw, speed, length, width, overhang, bank, hits, n):
    """Stop row i where it has hit scenery; returns the number of hits listed then."""
    middle = HALF * length[i] - overhang[i]
    cos, sin = math.cos(yaw[i]), math.sin(yaw[i])
    cx, cy = x[i] + middle * cos, y[i] + middle * sin
    if scenery_hit(cx, cy, cos, sin, length[i], width[i], 0, bank) != 0:
        bc, bs = math.cos(before[2, i]), math.sin(before[2, i])
        bx, by = before[0, i] + middle * bc, before[1, i] + middle * bs
        if scenery_hit(bx, by, bc, bs, length[i], width[i], 0, bank) == 0:
            if n < hits.shape[0]:
                hits[n, _ROW], hits[n, _OTHER], hits[n, _SPEED] = i, -1, speed[i]
                n += 1
            speed[i] = _0
        elif penetration(cx, cy, cos, sin, length[i], width[i], bx, by, bank):
            x[i], y[i], yaw[i] = before[0, i], before[1, i], before[2, i]
            speed[i] = _0
    return n


@kernel
def in_scenery(x, y, yaw, length, width, bank):
    """Return whether a box centred at x, y [m] touches scenery."""
    return scenery_hit(x, y, math.cos(yaw), math.sin(yaw), length, width, 0, bank) != 0


@kernel(inline=True)
def slide(i, yaw, speed, nx, ny):
    """Reduce the speed of row i to its part along an obstacle in direction nx, ny."""
    against = math.cos(yaw[i]) * nx + math.sin(yaw[i]) * ny
    if speed[i] * against > _0:
        speed[i] = speed[i] * (_1 - against * against)


@kernel
def overlap(i, j, x, y, yaw, length, width, overhang):
    """Return the penetration of rows i and j [m], below 0 for none, and the direction x, y that frees j."""
    ci, si, cj, sj = math.cos(yaw[i]), math.sin(yaw[i]), math.cos(yaw[j]), math.sin(yaw[j])
    mi, mj = HALF * length[i] - overhang[i], HALF * length[j] - overhang[j]
    dx, dy = x[j] + mj * cj - x[i] - mi * ci, y[j] + mj * sj - y[i] - mi * si
    c, s = abs(ci * cj + si * sj), abs(ci * sj - si * cj)
    along, across = HALF * (length[i] + length[j] * c + width[j] * s), HALF * (width[i] + length[j] * s + width[j] * c)
    least, nx, ny = along - abs(dx * ci + dy * si), ci, si
    other = across - abs(dy * ci - dx * si)
    if other < least:
        least, nx, ny = other, -si, ci
    along, across = HALF * (length[j] + length[i] * c + width[i] * s), HALF * (width[j] + length[i] * s + width[i] * c)
    other = along - abs(dx * cj + dy * sj)
    if other < least:
        least, nx, ny = other, cj, sj
    other = across - abs(dy * cj - dx * sj)
    if other < least:
        least, nx, ny = other, -sj, cj
    if dx * nx + dy * ny < _0:
        nx, ny = -nx, -ny
    return least, nx, ny


@kernel(inline=True)
def penetration(x, y, cos, sin, length, width, bx, by, bank):
    """Return whether a box that moved from bx, by to x, y approached any piece of scenery that it touches."""
    column = int(np.floor((x - bank.cell_origin[0, 0]) / _CELL))
    row = int(np.floor((y - bank.cell_origin[0, 1]) / _CELL))
    towards = False
    if 0 <= row < bank.cell_shape[0, 0] and 0 <= column < bank.cell_shape[0, 1]:
        cell = row * bank.cell_shape[0, 1] + column
        for k in range(bank.cell_start[cell], bank.cell_start[cell + 1]):
            b, i = bank.boxes, bank.cell_items[k]
            if boxes_touch(
                x, y, cos, sin, length, width, b[i, _X], b[i, _Y], b[i, _COS], b[i, _SIN], b[i, _LENGTH], b[i, _WIDTH]
            ):
                # towards the nearest point of a long wall, not towards its middle
                ax, ay = b[i, _X] - x, b[i, _Y] - y
                u, v = ax * b[i, _COS] + ay * b[i, _SIN], ay * b[i, _COS] - ax * b[i, _SIN]
                u = u - min(max(u, -HALF * b[i, _LENGTH]), HALF * b[i, _LENGTH])
                v = v - min(max(v, -HALF * b[i, _WIDTH]), HALF * b[i, _WIDTH])
                nx, ny = u * b[i, _COS] - v * b[i, _SIN], u * b[i, _SIN] + v * b[i, _COS]
                if (x - bx) * nx + (y - by) * ny > _0:
                    towards = True
    return towards


@kernel
def overlaps(i, cx, cy, yaw, along, across, x, y, yaws, length, width, overhang, kind, solid):
    """Return the first solid row but i whose box touches the one of `along` x `across` [m] at cx, cy, -1 for none."""
    cos, sin = math.cos(yaw), math.sin(yaw)
    for j in range(1, kind.shape[0]):
        if j == i or COLLIDES >> kind[j] & 1 == 0 or not solid[j]:
            continue
        dx, dy = x[j] - cx, y[j] - cy
        near = along + across + length[j] + width[j]
        if dx * dx + dy * dy > near * near:
            continue
        cj, sj = math.cos(yaws[j]), math.sin(yaws[j])
        centre = HALF * length[j] - overhang[j]
        ox, oy = x[j] + centre * cj, y[j] + centre * sj
        if boxes_touch(cx, cy, cos, sin, along, across, ox, oy, cj, sj, length[j], width[j]):
            return j
    return -1
