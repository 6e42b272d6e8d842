"""The slow twin of the camera: one ray a pixel, float64, for level-0 ground and box-shaped buildings in clear daylight.

It shares no geometry with the kernels: rays are rotated with matrices and met with planes and boxes one by one.  Light
and textures are taken as given.
"""

from __future__ import annotations

import math

import numpy as np

from sim.datatypes.camera import Camera
from sim.render.assets.texel import PAINT, PANES
from sim.render.assets.textures import TEXTURE, atlas
from sim.render.lighting import AMBIENT, FOG, FOG_RATE, FOG_START, SUN, SUN_X, SUN_Y, SUN_Z

METRES = 13.0  # one repeat of a facade


def rays(camera: Camera, pose: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Camera's place (3,), the ray of every pixel (H, W, 3) and the view's axis (3,), world frame."""
    x, y, yaw = pose
    focal = 0.5 * camera.width / math.tan(math.radians(camera.fov) / 2)
    u, v = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    ray = np.stack([np.ones_like(u), (0.5 * camera.width - u) / focal, (0.5 * camera.height - v) / focal], -1)
    p, h = math.radians(camera.pitch), yaw + math.radians(camera.yaw)
    nod = np.array([[math.cos(p), 0, -math.sin(p)], [0, 1, 0], [math.sin(p), 0, math.cos(p)]])
    turn = np.array([[math.cos(h), -math.sin(h), 0], [math.sin(h), math.cos(h), 0], [0, 0, 1]])
    world_from_camera = turn @ nod
    place = np.array([
        x + camera.forward * math.cos(yaw) - camera.left * math.sin(yaw),
        y + camera.forward * math.sin(yaw) + camera.left * math.cos(yaw),
        camera.up,
    ])  # fmt: skip
    return place, ray @ world_from_camera.T, world_from_camera[:, 0]


def ground_texels(camera: Camera, pose: tuple[float, float, float], origin: np.ndarray, texel: float,
                  shape: tuple[int, int]) -> np.ndarray:  # fmt: skip
    """(H, W) number of the level-0 texel that each pixel sees; -1 above the horizon, -2 beyond the map."""
    place, ray, _ = rays(camera, pose)
    seen = np.full(ray.shape[:2], -1)
    for v, u in np.ndindex(*seen.shape):
        if ray[v, u, 2] < -1e-4:
            hit = place + ray[v, u] * (-place[2] / ray[v, u, 2])
            c, r = (math.floor((hit[k] - origin[k]) / texel) for k in (0, 1))
            seen[v, u] = r * shape[1] + c if 0 <= r < shape[0] and 0 <= c < shape[1] else -2
    return seen


def _enter(place: np.ndarray, ray: np.ndarray, box: np.ndarray) -> tuple[float, int, np.ndarray] | None:
    """Distance along the ray, axis of the face and point in the box's frame where a ray enters a box."""
    _, x, y, yaw, length, width, height, _ = box
    c, s = math.cos(yaw), math.sin(yaw)
    turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    start, way = turn @ (place - [x, y, 0]), turn @ ray
    low, high = np.array([-length / 2, -width / 2, 0]), np.array([length / 2, width / 2, height])
    with np.errstate(divide="ignore"):
        a, b = (low - start) / way, (high - start) / way
    near, far = np.minimum(a, b), np.maximum(a, b)
    axis = int(near.argmax())
    if near[axis] > far.min() or near[axis] < 0.25:
        return None
    return float(near[axis]), axis, start + way * near[axis]


def _facade(box: np.ndarray, axis: int, at: np.ndarray) -> int:
    """The texel of a building's wall at a point of the box's frame."""
    length, width, height = box[4:7]
    side = (length, width)[1 - axis]
    front = at[axis] > 0
    # s runs to the right of someone who looks from outside; the right wall wears the left one's mirror image
    right = at[1] if axis == 0 else -at[0]
    s = (right if axis == 1 or front else -right) / side + 0.5
    t = 1.0 - at[2] / height
    s *= max(1, round(side / METRES * 4)) / 4
    t *= max(1, round(height / METRES * 4)) / 4
    pictures = atlas()
    number = TEXTURE[f"facade_{int(box[7]) % 3}"]
    lw, lh = pictures.size[number]
    j, i = math.floor(t * 2**lh) % 2**lh, math.floor(s * 2**lw) % 2**lw
    return int(pictures.texels[pictures.start[number, 0] + j * 2**lw + i])


def buildings(camera: Camera, pose: tuple[float, float, float], boxes: np.ndarray, light: np.ndarray) -> np.ndarray:
    """(H, W, 3) float64 colour of the nearest wall at every pixel; NaN where there is none.

    Args:
        boxes: (M, 8) SCENERY_COLUMNS, all buildings with a colour as look.
        light: (LIGHT_SIZE,) light table of the weather, by day.
    """
    assert PANES == 4
    place, ray, ahead = rays(camera, pose)
    image = np.full(ray.shape, np.nan)
    sun = np.array([light[SUN_X], light[SUN_Y], light[SUN_Z]])
    for v, u in np.ndindex(*ray.shape[:2]):
        hits = [(*hit, box) for box in boxes if (hit := _enter(place, ray[v, u], box))]
        if not hits:
            continue
        distance, axis, at, box = min(hits, key=lambda h: h[0])
        texel = _facade(box, axis, at)
        colour = np.array([texel & 255, texel >> 8 & 255, texel >> 16 & 255], float)
        sign = math.copysign(1.0, at[axis])
        yaw = box[3] + (math.pi / 2 if axis == 1 else 0.0)
        normal = sign * np.array([math.cos(yaw), math.sin(yaw), 0.0])
        lit = light[AMBIENT : AMBIENT + 3] + light[SUN : SUN + 3] * max(0.0, float(normal @ sun))
        if texel >> 24 == PAINT:
            look = int(box[7])
            lit = lit * np.array([look >> 16 & 255, look >> 8 & 255, look & 255]) / 208.0
        depth = float(distance * (ray[v, u] @ ahead))
        fog = 1.0 - math.exp(-light[FOG_RATE] * max(depth - light[FOG_START], 0.0))
        image[v, u] = colour * lit * (1 - fog) + light[FOG : FOG + 3] * fog
    return np.clip(image, 0, 255)
