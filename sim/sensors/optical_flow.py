"""Optical flow camera: how far the surface at every pixel has moved in the picture within a tick, from geometry.

The flow of a pixel is its place minus the place at which the same point of the same surface was seen one `interval`
before: from the earlier picture to this one, at the pixels of this one, like CARLA's `sensor.camera.optical_flow`.
u grows to the right and v downwards, like columns and rows, and both are shares of the picture's width and height:
`flow * (width, height)` is in pixels. Values are clipped to -2 and 2.

CARLA's documentation gives the same range and says to multiply by the size of the image. The engine's velocity buffer
behind it (decoded by `OpticalFlowCamera.cpp` as `(code - 0.5) * 4`) is in normalised device coordinates, where the
picture is 2 wide and 2 high and y points up, and users measured that (carla-simulator/carla#4795: half the width, and
minus half the height). `to_carla_flow` and `from_carla_flow` convert by that measurement. No Unreal server was at hand
to check it.

The earlier poses follow from the world as it is now, so a reading needs no memory: every actor has come along an arc of
the curvature of its front wheels, on which its speed changed by its acceleration; ego's curvature is limited by the
grip of its tyres, as in `sim.sensors.imu`. What stands on an actor moves with it as a rigid body: legs that walk and
wheels that turn do not count. The sky is infinitely far, and only turning moves it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.core.constants import GRAVITY
from sim.core.geometry import clamp
from sim.core.kernel import kernel, parallel_for
from sim.datatypes.camera import Camera
from sim.datatypes.simulation import Simulation
from sim.datatypes.world_state import World
from sim.dynamics.bicycle import grip_limited, grip_of
from sim.dynamics.friction import wetness_of
from sim.render.rgb import camera_rays
from sim.road.map.map_batch import MapBatch
from sim.sensors.base import DEFAULT_CAMERA, Field, register
from sim.sensors.geometry_pass import FAR
from sim.sensors.instance import render_instances

MOST_FLOW = 2.0  # greatest flow, a share of the picture's size; also the limit of CARLA's values
CARLA_PER_SHARE = np.array([2.0, -2.0], np.float32)  # CARLA's units in a share of the picture: half pictures, y up
_F = np.float32
_0, _1, _HALF, _FAR, _MOST = _F(0.0), _F(1.0), _F(0.5), _F(FAR), _F(MOST_FLOW)
_G = _F(GRAVITY)
# Columns of a body's rear axle [m], and of its motion back to its earlier pose: turn and shift [m].
_X, _Y = range(2)
_COS, _SIN, _DX, _DY = range(4)
_NEAR = _F(1e-3)  # [m] least depth of a point in the earlier picture


@kernel(inline=True)
def _travelled(speed, acceleration, interval):
    """Distance along its own heading in the last `interval` [s] of a body that has `speed` now [m]."""
    before = speed - acceleration * interval
    if before * speed < _0:  # it stood until then
        return speed * speed / (acceleration + acceleration)
    return _HALF * (speed + before) * interval


@kernel(inline=True)
def _set_motion(motion, i, yaw, distance, bend):
    """Write a body's motion back to its earlier pose: turn (cosine, sine) and shift of its rear axle (x, y) [m]."""
    turn = -distance * bend
    half = _HALF * turn
    # the chord of the arc points half a turn off the heading
    chord = -distance * (math.sin(half) / half if abs(half) > _F(1e-4) else _1)
    motion[i, _COS], motion[i, _SIN] = math.cos(turn), math.sin(turn)
    motion[i, _DX], motion[i, _DY] = chord * math.cos(yaw + half), chord * math.sin(yaw + half)


@kernel
def _flow(first, stop, out, depth, instances, rows, cols, geometry, mount, interval, world):
    """Write the flow of worlds first .. stop to out (B, H, W, 2), from their depths and instances."""
    height, width = out.shape[1], out.shape[2]
    focal, sine, cosine = geometry[0], geometry[2], geometry[3]
    across, down = focal / np.float32(width), focal / np.float32(height)
    actors = world.kind.shape[1]
    motion, axle = np.empty((actors, 4), np.float32), np.empty((actors, 2), np.float32)
    moves = np.empty(actors, np.bool_)
    for w in range(first, stop):
        yaw = world.yaw[w, 0]
        c, s = math.cos(yaw), math.sin(yaw)
        # rear axles relative to the camera: differences of small numbers keep their digits
        axle[0, _X], axle[0, _Y] = -(c * mount[0] - s * mount[1]), -(s * mount[0] + c * mount[1])
        for i in range(actors):
            distance = _travelled(world.speed[w, i], world.acceleration[w, i], interval)
            moves[i] = distance != _0 and (i == 0 or world.kind[w, i] > 0)
            if not moves[i]:
                continue
            bend = math.tan(world.steer[w, i]) / world.wheelbase[w, i] if world.wheelbase[w, i] > _0 else _0
            if i == 0:
                hold = grip_of(wetness_of(world.weather[w])) * _G
                bend, _ = grip_limited(bend, world.speed[w, 0], abs(world.acceleration[w, 0]), hold)
            else:
                axle[i, _X] = world.x[w, i] - world.x[w, 0] + axle[0, _X]
                axle[i, _Y] = world.y[w, i] - world.y[w, 0] + axle[0, _Y]
            _set_motion(motion, i, world.yaw[w, i], distance, bend)
        # the camera moves with ego; then ego's earlier heading is that of the earlier picture
        tc, ts, shift_x, shift_y = _1, _0, _0, _0
        if moves[0]:
            tc, ts = motion[0, _COS], motion[0, _SIN]
            shift_x = axle[0, _X] - (tc * axle[0, _X] - ts * axle[0, _Y]) + motion[0, _DX]
            shift_y = axle[0, _Y] - (ts * axle[0, _X] + tc * axle[0, _Y]) + motion[0, _DY]
        ch, sh = math.cos(yaw + mount[2]), math.sin(yaw + mount[2])
        bh, zh = ch * tc - sh * ts, sh * tc + ch * ts  # the camera's heading in the earlier picture
        for v in range(height):
            tilt = rows[v, 0] * cosine - rows[v, 1] * sine
            for u in range(width):
                z, i = depth[w, v, u, 0], instances[w, v, u]
                if not moves[0] and (i == 0 or not moves[i]):
                    out[w, v, u, 0] = out[w, v, u, 1] = _0
                    continue
                far = z >= _FAR
                if far:
                    z = _1
                forward, right, above = z * rows[v, 1], z * cols[0, u], z * rows[v, 0]
                dx, dy = forward * ch + right * sh, forward * sh - right * ch
                if not far:
                    if i > 0 and moves[i]:
                        px, py = dx - axle[i, _X], dy - axle[i, _Y]
                        dx = motion[i, _COS] * px - motion[i, _SIN] * py + axle[i, _X] + motion[i, _DX]
                        dy = motion[i, _SIN] * px + motion[i, _COS] * py + axle[i, _Y] + motion[i, _DY]
                    dx, dy = dx - shift_x, dy - shift_y
                forward, right = dx * bh + dy * zh, dx * zh - dy * bh
                before = max(forward * cosine + above * sine, _NEAR)
                lift = (above * cosine - forward * sine) / before
                out[w, v, u, 0] = clamp((cols[0, u] - right / before) * across, -_MOST, _MOST)
                out[w, v, u, 1] = clamp((lift - tilt) * down, -_MOST, _MOST)


def optical_flow(maps: MapBatch, world: World, camera: Camera, interval: float, *, threads: int = 1) -> np.ndarray:
    """Optical flow of every pixel: (B, H, W, 2) float32, u to the right and v downwards, shares of the picture's size.

    Args:
        interval: between the earlier picture and this one [s].

    Raises:
        ValueError: when the camera is impossible.
    """
    worlds, view = len(world.tick), camera_rays(camera)
    instances = np.empty((worlds, camera.height, camera.width), np.int32)
    depth = np.empty((worlds, camera.height, camera.width, 1), np.float32)
    out = np.empty((worlds, camera.height, camera.width, 2), np.float32)
    render_instances(maps, world, camera, instances, depth, threads)

    def run(first: int, stop: int) -> None:
        _flow(first, stop, out, depth, instances, view.rows, view.cols, view.geometry, view.mount, np.float32(interval),
              world)  # fmt: skip

    parallel_for(run, worlds, threads)
    return out


def to_carla_flow(flow: np.ndarray) -> np.ndarray:
    """Convert (..., 2) to CARLA's values, float32: half pictures, y upwards, within -2 and 2."""
    return np.clip(flow * CARLA_PER_SHARE, -MOST_FLOW, MOST_FLOW)


def from_carla_flow(flow: np.ndarray) -> np.ndarray:
    """Convert CARLA's values (..., 2) to shares of the picture's size, float32, u to the right and v downwards."""
    return np.asarray(flow, np.float32) / CARLA_PER_SHARE


@register("optical_flow", {"interval": (0.001, 10.0)})
@dataclass(frozen=True)
class OpticalFlow:
    """Optical flow camera: (H, W, 2) float32, motion of the surface at every pixel, as a share of the picture's size.

    u points to the right and v downwards; see `sim.sensors.optical_flow`.

    Args:
        interval: time over which the motion is measured [s]; a tick is 0.1 s.
    """

    camera: Camera = DEFAULT_CAMERA
    interval: float = Simulation.tick

    def field(self) -> Field:
        """-2 to 2."""
        return Field((self.camera.height, self.camera.width, 2), np.float32, -MOST_FLOW, MOST_FLOW)

    def sense(self, maps: MapBatch, world: World, threads: int) -> np.ndarray:
        """(B, H, W, 2) float32."""
        return optical_flow(maps, world, self.camera, self.interval, threads=threads)
