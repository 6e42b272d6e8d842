"""Snapshot kernels: pose and motion of bodies in CARLA's frame, and the traffic light ahead of a vehicle."""

from __future__ import annotations

import math

import numpy as np

from sim.core.kernel import kernel
from sim.road.graph.traffic_lights import GREEN

BEFORE, BEHIND = 8.0, 1.0  # [m] before and behind a stop line, the zone in which its light applies to a vehicle
SAME_WAY = 0.7  # cosine of the angle between a vehicle and a lane that it drives
MOVES = slice(5, 65)  # bytes of a record that `motion` writes, as 15 float32


@kernel
def motion(rows, x, y, yaw, speed, turning, middle, physical, dt, out):
    """Write location, rotation, velocity, angular velocity and acceleration of rows, in CARLA's frame.

    Args:
        rows: (K,) of the fleet; x, y, yaw, speed, turning, middle, physical: (N,), see `Bodies`. dt: of the tick [s].
        out: (K, 15) float32, which holds the velocity of the last tick in columns 6 to 8.
    """
    degrees = np.float32(180.0 / math.pi)
    for k in range(rows.shape[0]):
        i = rows[k]
        cos, sin = np.cos(yaw[i]), np.sin(yaw[i])
        sideways = turning[i] * middle[i] if physical[i] else np.float32(0.0)
        vx, vy = speed[i] * cos - sideways * sin, -(speed[i] * sin + sideways * cos)
        out[k, 0], out[k, 1], out[k, 2] = x[i] + middle[i] * cos, -(y[i] + middle[i] * sin), 0.0
        out[k, 3], out[k, 4], out[k, 5] = 0.0, -yaw[i] * degrees, 0.0
        out[k, 9], out[k, 10], out[k, 11] = 0.0, 0.0, -turning[i] * degrees
        out[k, 12], out[k, 13], out[k, 14] = (vx - out[k, 6]) / dt, (vy - out[k, 7]) / dt, 0.0
        out[k, 6], out[k, 7], out[k, 8] = vx, vy, 0.0


@kernel
def lights_before(rows, x, y, yaw, ahead, gates, owners, closed, states, ids, shown, number):
    """Write the closed light that each vehicle stands before: its state and its actor, else GREEN and 0.

    Args:
        rows: (K,) of the fleet; x, y, yaw: (N,) of rear axles; ahead: (N,) from there to the front [m].
        gates: (G, 5) x, y, cosine, sine of a stop line's lane and half of its width [m].
        owners: (G,) index of its light.
        closed: (G,) bool; states, ids: (L,) of the lights.
        shown, number: (K,) written.
    """
    for k in range(rows.shape[0]):
        i = rows[k]
        cos, sin = np.cos(yaw[i]), np.sin(yaw[i])
        fx, fy = x[i] + ahead[i] * cos, y[i] + ahead[i] * sin
        shown[k], number[k] = GREEN, 0
        for g in range(gates.shape[0]):
            if not closed[g]:
                continue
            dx, dy, gc, gs = fx - gates[g, 0], fy - gates[g, 1], gates[g, 2], gates[g, 3]
            along = dx * gc + dy * gs
            if -BEFORE < along < BEHIND and abs(dy * gc - dx * gs) < gates[g, 4] and cos * gc + sin * gs > SAME_WAY:
                shown[k], number[k] = states[owners[g]], ids[owners[g]]
                break


@kernel
def turned(moving, before, yaw, dt, turning):
    """Write yaw rates [rad/s] of rows `moving` into `turning`, from their yaw `before` and after a tick of `dt` [s]."""
    for k in range(moving.shape[0]):
        i = moving[k]
        turn = yaw[i] - before[i]
        turning[i] = np.arctan2(np.sin(turn), np.cos(turn)) / dt
