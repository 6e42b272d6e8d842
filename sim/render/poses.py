"""The pose of a world's camera, and the places of actors in its frame."""

from __future__ import annotations

import math

import numpy as np

from sim.render.kernels import pasted_kernel

_HALF = np.float32(0.5)


@pasted_kernel
def camera_pose(scene, w, mount):
    """Place of the camera of world w and its direction of view: x, y [m], yaw [rad]."""
    c, s = math.cos(scene.yaw[w, 0]), math.sin(scene.yaw[w, 0])
    x = scene.x[w, 0] + c * mount[0] - s * mount[1]
    y = scene.y[w, 0] + s * mount[0] + c * mount[1]
    return x, y, scene.yaw[w, 0] + mount[2]


@pasted_kernel
def actor_place(scene, w, i, pose):
    """Middle of an actor's box and direction of its length in the camera's frame on the ground: ahead, right [m] each.

    Args:
        pose: see `camera_pose`.
    """
    cam_x, cam_y, yaw = pose
    ch, sh = math.cos(yaw), math.sin(yaw)
    co, so = math.cos(scene.yaw[w, i]), math.sin(scene.yaw[w, i])
    forward = _HALF * scene.length[w, i] - scene.overhang[w, i]  # an actor's place is that of its rear axle
    dx = scene.x[w, i] + forward * co - cam_x
    dy = scene.y[w, i] + forward * so - cam_y
    return dx * ch + dy * sh, dx * sh - dy * ch, co * ch + so * sh, co * sh - so * ch
